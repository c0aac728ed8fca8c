//! Custom fields and lookup tables: written and restored like fields; a value that cannot be used
//! stops one person or nobody, as the rule says, and values that a table lacks are noted.

use instep::model::{DeliveryState, EmployeeId, Link, Person, SourceName};
use instep::sandbox::{FieldSetup, Options};
use serde_json::{Value, json};

use super::{empty, on_both, ruled};
use crate::harness::town::{Kept, Town};

on_both! {
    custom_fields_follow_hr_and_come_back
    a_refused_value_stops_one_person_until_somebody_acts
    a_skipped_value_is_told_and_the_rest_applied
    a_field_that_does_not_exist_stops_nobody
    a_value_that_a_table_lacks_is_noted_until_it_is_there
}

/// An LMS with two custom fields; the first holds two values.
fn furnished() -> Options {
    let cost = FieldSetup {
        name: "Cost centre".into(),
        authorized: vec!["CC-1".into(), "CC-2".into()],
        ..FieldSetup::default()
    };
    let since = FieldSetup { name: "Since".into(), date: true, ..FieldSetup::default() };
    Options { custom_fields: vec![cost, since], ..empty() }
}

const RULES: &str = r#"
[rules.custom_fields]
"Cost centre" = "work.workPhone"
"Since" = { value = "work.startDate", write = "on_create" }
"#;

const SKIPPING: &str = r#"
[rules.custom_fields]
"Cost centre" = { value = "work.workPhone", on_bad = "skip" }
"#;

/// The cost centre of a company that keeps it in the field for phones.
fn cost(value: &str) -> Value {
    json!({"work": {"workPhone": value, "startDate": "2026-04-01"}})
}

fn values(town: &Town, id: &str) -> Value {
    town.account_of(id)["customValues"].clone()
}

async fn link(town: &Town, id: &str) -> Link {
    let person = Person { source: SourceName::new("bob"), employee: EmployeeId::new(id) };
    town.store().await.link(&person).await.expect("a store").unwrap_or_default()
}

async fn custom_fields_follow_hr_and_come_back(kept: Kept) {
    let town = Town::new(furnished(), kept, ruled("", RULES)).await;
    let _serving = town.open().await;
    let id = town.hire(cost("CC-1"));
    town.in_step().await;
    assert_eq!(values(&town, &id), json!({"Cost centre": "CC-1", "Since": "2026-04-01"}));
    // An administrator corrects what is only written once; HR changes both.
    let account = town.account_of(&id)["_id"].clone();
    let by_hand = json!({"_id": account, "set": {"customFields": {"Since": "2020-01-01"}}});
    town.by_hand(by_hand).await;
    town.change(&id, json!({"work": {"workPhone": "CC-2", "startDate": "2026-05-01"}}));
    town.in_step().await;
    let now = json!({"Cost centre": "CC-2", "Since": "2020-01-01"});
    assert_eq!(values(&town, &id), now);
    let writes = town.sandbox.writes();
    town.nudge(&id);
    town.in_step().await;
    assert_eq!(town.sandbox.writes(), writes);
    // Who leaves and returns has them back.
    town.change(&id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    town.change(&id, json!({"internal": {"lifecycleStatus": "employed"}}));
    town.in_step().await;
    assert_eq!(values(&town, &id), now);
    // What HR empties is cleared.
    town.change(&id, json!({"work": {"workPhone": null}}));
    town.in_step().await;
    assert_eq!(values(&town, &id), json!({"Since": "2020-01-01"}));
}

async fn a_refused_value_stops_one_person_until_somebody_acts(kept: Kept) {
    let town = Town::new(furnished(), kept, ruled("", RULES)).await;
    let _serving = town.open().await;
    let other = town.hire(cost("CC-1"));
    let id = town.hire(cost("CC-9"));
    town.at_rest().await;
    assert_eq!(values(&town, &other)["Cost centre"], "CC-1", "another one's value stops nobody");
    assert!(town.account_of(&id).is_null(), "nothing is applied");
    for delivery in town.deliveries_of(&id).await {
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Dead, 1), "{delivery:?}");
        assert_eq!(delivery.code.as_deref(), Some("badValue"));
        let reason = delivery.reason.unwrap_or_default();
        assert!(reason.contains("custom field Cost centre"), "{reason}");
        assert!(reason.contains("then replay") && !reason.contains("CC-9"), "{reason}");
    }
    let allowed = json!({"name": "Cost centre", "authorizedValues": ["CC-1", "CC-2", "CC-9"]});
    town.lms("/_sandbox/custom-fields", allowed).await;
    // What was read before is believed for some seconds.
    let mut looks = 0;
    town.until("the value is taken", async || {
        looks += 1;
        if looks % 40 == 1 {
            town.cli(&["replay", "--person", &id, "--yes"]).await;
        }
        values(&town, &id)["Cost centre"] == "CC-9"
    })
    .await;
    town.in_step().await;
    // One that was taken back since it was read is refused by the LMS itself, and told the same.
    let fewer = json!({"name": "Cost centre", "authorizedValues": ["CC-1"]});
    town.lms("/_sandbox/custom-fields", fewer).await;
    town.change(&other, cost("CC-2"));
    town.at_rest().await;
    let dead = town.deliveries_of(&other).await;
    assert!(dead.iter().any(|it| it.code.as_deref() == Some("badValue")), "{dead:?}");
    assert_eq!(values(&town, &other)["Cost centre"], "CC-1");
}

async fn a_skipped_value_is_told_and_the_rest_applied(kept: Kept) {
    let town = Town::new(furnished(), kept, ruled("", SKIPPING)).await;
    let _serving = town.open().await;
    let id = town.hire(cost("CC-9"));
    town.in_step().await;
    assert_eq!(values(&town, &id), json!({}));
    let told = town.deliveries_of(&id).await;
    let told = |it: &str| told.iter().any(|d| d.reason.as_deref().is_some_and(|r| r.contains(it)));
    assert!(told("custom field Cost centre left alone: the value is not among"));
    // The LMS refuses one that was still allowed when it was asked.
    town.change(&id, cost("CC-1"));
    town.in_step().await;
    assert_eq!(values(&town, &id)["Cost centre"], "CC-1");
    let fewer = json!({"name": "Cost centre", "authorizedValues": ["CC-1"]});
    town.lms("/_sandbox/custom-fields", fewer).await;
    let mut moved = cost("CC-2");
    moved["surname"] = "Skipped".into();
    town.change(&id, moved);
    town.in_step().await;
    assert_eq!(town.account_of(&id)["lastName"], "Skipped");
    assert_eq!(values(&town, &id)["Cost centre"], "CC-1");
    for delivery in town.deliveries_of(&id).await {
        assert_eq!(delivery.state, DeliveryState::Done, "{delivery:?}");
    }
}

async fn a_field_that_does_not_exist_stops_nobody(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", RULES)).await;
    let _serving = town.open().await;
    let id = town.hire(cost("CC-1"));
    town.in_step().await;
    for delivery in town.deliveries_of(&id).await {
        let reason = delivery.reason.unwrap_or_default();
        assert!(reason.contains("no custom field of users with this name"), "{reason}");
    }
}

async fn a_value_that_a_table_lacks_is_noted_until_it_is_there(kept: Kept) {
    let tables = r#"
[rules.tables.centres]
file = "centres.csv"
keys = ["phone"]
on_miss = "skip"

[rules.custom_fields]
"Cost centre" = "work.workPhone|lookup('centres', 'centre')"
"#;
    let town = Town::new(furnished(), kept, ruled("", tables)).await;
    let file = town.config().with_file_name("centres.csv");
    std::fs::write(&file, "phone,centre\n100,CC-1\n").expect("a table");
    let _serving = town.open().await;
    let known = town.hire(json!({"work": {"workPhone": "100"}}));
    let id = town.hire(json!({"work": {"workPhone": "777"}}));
    town.in_step().await;
    assert_eq!(values(&town, &known)["Cost centre"], "CC-1");
    assert_eq!(values(&town, &id), json!({}));
    let misses = link(&town, &id).await.misses;
    assert_eq!(misses.len(), 1, "{misses:?}");
    assert_eq!(
        (misses[0].table.as_str(), misses[0].keys.as_slice()),
        ("centres", &["777".into()][..])
    );
    assert_eq!(link(&town, &known).await.misses, []);
    town.change(&id, json!({"work": {"workPhone": "100"}}));
    town.in_step().await;
    assert_eq!(link(&town, &id).await.misses, []);
    assert_eq!(values(&town, &id)["Cost centre"], "CC-1");
}

//! Disputed cases and those who decide them: rules of matching, and a human's choice, which outranks
//! all of them.

use instep::model::{AccountId, Choice, DeliveryState, EmployeeId, Person, SourceName};
use serde_json::{Value, json};

use super::{empty, on_both, ruled, stepping};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    a_take_over_is_told
    an_equal_user_name_alone_is_disputed
    a_contractor_who_is_employed_is_disputed_until_a_human_chooses
    a_human_lets_an_account_be_made
    a_human_lets_somebody_alone
    equal_names_are_shown_to_a_human_where_a_rule_says_so
    an_administrator_is_never_changed
}

fn bob(id: &str) -> Person {
    Person { source: SourceName::new("bob"), employee: EmployeeId::new(id) }
}

async fn choose(town: &Town, id: &str, choice: Choice) {
    town.store().await.choose(&bob(id), Some(&choice)).await.expect("a store");
    town.told(&["replay", "--person", id, "--yes"]).await;
}

fn account_id(account: &Value) -> AccountId {
    AccountId::new(account["_id"].as_str().expect("an id"))
}

/// All of somebody's deliveries are dead letters for this reason.
async fn disputed(town: &Town, id: &str, told: &str) {
    town.at_rest().await;
    let deliveries = town.deliveries_of(id).await;
    assert!(!deliveries.is_empty());
    for delivery in deliveries {
        let reason = delivery.reason.as_deref().unwrap_or_default();
        assert_eq!(delivery.code.as_deref(), Some("disputed"), "{delivery:?}");
        assert!(reason.contains(told) && reason.contains("instep match"), "{reason}");
    }
}

async fn has_told(town: &Town, id: &str, told: &str) -> bool {
    let deliveries = town.deliveries_of(id).await;
    let attempts = deliveries.iter().flat_map(|delivery| &delivery.history);
    attempts.flat_map(|attempt| &attempt.done).any(|done| done.contains(told))
}

async fn a_take_over_is_told(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let made = town.by_hand(json!({"set": {"mail": "nadia@example.test"}})).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"email": "nadia@example.test"}));
    town.in_step().await;
    assert_eq!(town.account_of(&id)["_id"], made["_id"]);
    let told = format!("took over account {}, found by its mail", account_id(&made));
    assert!(has_told(&town, &id, &told).await, "{}", town.report().await);
    // An account of our own making is not taken over.
    let other = town.hire(json!({"email": "other@example.test"}));
    town.in_step().await;
    assert!(!has_told(&town, &other, "took over").await);
}

async fn an_equal_user_name_alone_is_disputed(kept: Kept) {
    let town = Town::new(empty(), kept, |toml| {
        *toml = toml.replace("[rules.fields]\n", "[rules.fields]\nusername = \"work.workPhone\"\n");
    })
    .await;
    let made = town.by_hand(json!({"set": {"username": "desk17", "firstName": "Desk"}})).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"work": {"workPhone": "desk17"}}));
    disputed(&town, &id, &format!("account {} has this person's user name", account_id(&made)))
        .await;
    assert_eq!(town.sandbox.writes(), 0);
    choose(&town, &id, Choice::Account(account_id(&made))).await;
    town.in_step().await;
    assert_eq!(town.account_of(&id)["_id"], made["_id"]);
    assert!(has_told(&town, &id, "chosen by a human").await);
    // The choice is kept: the next events find the account at once.
    let reads = town.lms_calls().await.reads();
    town.change(&id, json!({"surname": "Chosen"}));
    town.in_step().await;
    assert_eq!(town.lms_calls().await.reads(), reads);
}

async fn a_contractor_who_is_employed_is_disputed_until_a_human_chooses(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let first = town.actives()[2].clone();
    town.nudge(&first);
    town.in_step().await;
    let account = town.account_of(&first);
    // One person, a second HR id, the same mail.
    town.change(&first, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    let second = town.hire(json!({"email": account["mail"], "surname": "Employed"}));
    disputed(&town, &second, &format!("belongs to employee {first}")).await;
    choose(&town, &second, Choice::Account(account_id(&account))).await;
    let moved = async || town.account_of(&second)["status"] == "active";
    town.until("the account is the second id's", moved).await;
    town.at_rest().await;
    let now = town.account_of(&second);
    assert_eq!((&now["_id"], &now["lastName"]), (&account["_id"], &json!("Employed")));
    assert!(town.account_of(&first).is_null(), "the external id has moved");
    // The first id is left alone from then on, whatever HR says of it.
    let writes = town.sandbox.writes();
    town.change(&first, json!({"surname": "Past"}));
    town.at_rest().await;
    assert_eq!(town.sandbox.writes(), writes);
    let newest = town.deliveries_of(&first).await.into_iter().next().expect("a delivery");
    assert_eq!(newest.state, DeliveryState::Done);
    assert_eq!(newest.reason.as_deref(), Some("ignored by a human's choice"));
}

async fn a_human_lets_an_account_be_made(kept: Kept) {
    let town = Town::new(empty(), kept, |toml| {
        *toml = toml.replace("[rules.fields]\n", "[rules.fields]\nusername = \"work.workPhone\"\n");
    })
    .await;
    let made = town.by_hand(json!({"set": {"username": "desk17", "firstName": "Desk"}})).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"work": {"workPhone": "desk17"}}));
    disputed(&town, &id, "user name").await;
    let store = town.store().await;
    store.choose(&bob(&id), Some(&Choice::Create)).await.expect("a store");
    // The name is still in the way, and that is told before anything is tried.
    let output = town.cli(&["replay", "--person", &id, "--yes"]).await;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("usernameAlreadyUsed"), "{told}");
    town.change(&id, json!({"work": {"workPhone": "desk18"}}));
    town.until("an account is made", async || !town.account_of(&id).is_null()).await;
    town.at_rest().await;
    assert_ne!(town.account_of(&id)["_id"], made["_id"]);
    assert_eq!(town.sandbox.accounts().len(), 3);
}

async fn a_human_lets_somebody_alone(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let id = town.actives()[2].clone();
    let store = town.store().await;
    store.choose(&bob(&id), Some(&Choice::Ignore)).await.expect("a store");
    let _serving = town.open().await;
    let account = town.account_of(&id);
    let searches = town.hr_calls().await.of("POST /v1/people/search");
    town.change(&id, json!({"surname": "Ignored"}));
    town.at_rest().await;
    assert_eq!(town.account_of(&id), account);
    assert_eq!(town.hr_calls().await.of("POST /v1/people/search"), searches, "not even read");
    for delivery in town.deliveries_of(&id).await {
        assert_eq!(delivery.reason.as_deref(), Some("ignored by a human's choice"));
    }
    // Taken back, everything is as it should be with the next look.
    store.choose(&bob(&id), None).await.expect("a store");
    town.told(&["replay", "--person", &id, "--yes"]).await;
    town.in_step().await;
    assert_eq!(town.account_of(&id)["lastName"], "Ignored");
}

async fn equal_names_are_shown_to_a_human_where_a_rule_says_so(kept: Kept) {
    let tables = r#"
[[rules.match]]
by = "external_id"

[[rules.match]]
by = "email"

[[rules.match]]
by = "name"
one = "dispute"
several = "dispute"
taken = "next"
"#;
    let town = Town::new(empty(), kept, ruled("", tables)).await;
    let by_hand =
        json!({"set": {"mail": "old@example.test", "firstName": "Zoë", "lastName": "Alm"}});
    let made = town.by_hand(by_hand).await;
    let _serving = town.open().await;
    let zoe = json!({"firstName": "Zoe", "surname": "Alm", "email": "new@example.test"});
    let id = town.hire(zoe.clone());
    disputed(&town, &id, &format!("account {} has this person's name", account_id(&made))).await;
    choose(&town, &id, Choice::Account(account_id(&made))).await;
    town.in_step().await;
    assert_eq!(town.account_of(&id)["_id"], made["_id"]);
    // The next one of that name is somebody else: that account is taken, and the rule says so.
    let mut namesake = zoe;
    namesake["email"] = "third@example.test".into();
    let other = town.hire(namesake);
    town.in_step().await;
    assert_ne!(town.account_of(&other)["_id"], made["_id"]);
}

async fn an_administrator_is_never_changed(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let id = town.actives()[2].clone();
    let account = town.account_of(&id);
    let mut rows = account["groups"].as_array().expect("groups").clone();
    rows.push(json!({"groupId": rows[0]["groupId"], "role": "admin"}));
    town.by_hand(json!({"_id": account["_id"], "set": {"groups": rows}})).await;
    let before = town.account_of(&id);
    let _serving = town.open().await;
    town.change(&id, json!({"surname": "Powerful"}));
    town.at_rest().await;
    town.change(&id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.at_rest().await;
    assert_eq!((town.account_of(&id), town.sandbox.writes()), (before, 0));
    let deliveries = town.deliveries_of(&id).await;
    for delivery in &deliveries {
        assert_eq!(delivery.state, DeliveryState::Done, "{delivery:?}");
        let reason = delivery.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("is never changed: it has the role admin"), "{reason}");
    }
}

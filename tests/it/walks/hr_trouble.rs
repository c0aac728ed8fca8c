//! HiBob in trouble: nobody is judged by an answer that is not whole, no attempt is spent on what is
//! nobody's fault, and everything goes on by itself.

use std::time::Duration;

use instep::store::Filter;
use serde_json::{Value, json};

use super::{on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    an_answer_that_cannot_be_believed_changes_nothing
    a_field_that_is_missing_deactivates_nobody
    a_field_that_is_missing_of_one_is_that_persons_trouble
    a_wait_that_is_asked_for_is_kept
    a_refusal_is_probed_once_a_minute
    a_hibob_that_is_down_costs_no_attempt
}

const SEARCH: &str = "POST /v1/people/search";

async fn fault(town: &Town, mut fault: Value) {
    fault["endpoint"] = SEARCH.into();
    town.hr("/_sandbox/faults", fault).await;
}

/// No delivery ever failed, and nobody was deactivated who should not have been.
async fn no_attempt_was_spent(town: &Town) {
    for delivery in town.deliveries(&Filter::default()).await {
        assert_eq!(delivery.attempts, 0, "{delivery:?}");
    }
}

async fn searches(town: &Town) -> u64 {
    town.hr_calls().await.of(SEARCH)
}

async fn an_answer_that_cannot_be_believed_changes_nothing(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let actives = town.actives();
    for (n, wrong) in [
        json!({"html": true}),
        json!({"truncate": true}),
        json!({"truncate": "connection"}),
        json!({"status": 200, "body": {}}),
        json!({"status": 200, "body": {"employees": null}}),
        json!({"drop": "after"}),
        json!({"status": 503}),
        json!({"status": 500, "html": true}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wrong = wrong;
        wrong["times"] = 1.into();
        let (before, id) = (searches(&town).await, &actives[n % 4]);
        fault(&town, wrong.clone()).await;
        town.change(id, json!({"surname": format!("Change{n}")}));
        town.in_step().await;
        assert!(searches(&town).await >= before + 2, "{wrong}");
    }
    no_attempt_was_spent(&town).await;
}

async fn a_field_that_is_missing_deactivates_nobody(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let actives = town.actives();
    fault(&town, json!({"omit_field": ["internal.status"]})).await;
    for (n, id) in actives.iter().enumerate() {
        town.change(id, json!({"surname": format!("Hidden{n}")}));
    }
    let held = async || {
        let holds = town.store().await.holds().await.unwrap_or_default();
        holds
            .iter()
            .any(|hold| hold.scope == "source bob" && hold.reason.contains("internal.status"))
    };
    town.until("the source is held", held).await;
    // More than one probe, and still nobody is judged.
    let before = searches(&town).await;
    let probed = async || searches(&town).await >= before + 2;
    town.until("the source was probed", probed).await;
    assert_eq!(town.sandbox.writes(), 0);
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    town.in_step().await;
    assert!(town.store().await.holds().await.expect("holds").is_empty());
    no_attempt_was_spent(&town).await;
}

async fn a_field_that_is_missing_of_one_is_that_persons_trouble(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    // The lists of HiBob leave a label out now and then: what is needed for nobody's judgement only
    // leaves that field alone.
    let id = &town.actives()[2];
    let phone = town.account_of(id)["phone"].clone();
    fault(&town, json!({"omit_field": ["work.workMobile"], "times": 1})).await;
    town.change(id, json!({"surname": "Phoneless"}));
    town.at_rest().await;
    let account = town.account_of(id);
    assert_eq!((&account["lastName"], &account["phone"]), (&json!("Phoneless"), &phone));
    town.in_step().await;
}

async fn a_wait_that_is_asked_for_is_kept(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let (id, before) = (&town.actives()[1], searches(&town).await);
    fault(&town, json!({"retry_after": 3, "times": 1})).await;
    town.change(id, json!({"surname": "Patience"}));
    let asked = async || searches(&town).await > before;
    town.until("HiBob was asked", asked).await;
    let refused = town.now();
    let again = async || searches(&town).await > before + 1;
    town.until("HiBob was asked again", again).await;
    let waited = town.now().duration_since(refused);
    assert!(waited.as_millis() >= 2900, "{waited}");
    town.in_step().await;
    no_attempt_was_spent(&town).await;
}

async fn a_refusal_is_probed_once_a_minute(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let (actives, before) = (town.actives(), searches(&town).await);
    let status = if kept == Kept::Sqlite { 401 } else { 403 };
    fault(&town, json!({"status": status})).await;
    town.change(&actives[0], json!({"surname": "Refused"}));
    let held = async || !town.store().await.holds().await.unwrap_or_default().is_empty();
    town.until("the source is held", held).await;
    let since = town.now();
    for id in &actives {
        town.change(id, json!({"work": {"workMobile": "+442000000009"}}));
    }
    let heard = async || town.sandbox.webhooks().waiting == 0;
    town.until("HR was heard all the same", heard).await;
    // The next call is the probe, a minute later, and it is for one person.
    let minute = Duration::from_secs(90);
    let probed = async || searches(&town).await > before + 1;
    town.until_within(minute, "the source was probed", probed).await;
    let waited = town.now().duration_since(since);
    assert!(waited.as_secs() >= 57, "{waited}");
    assert_eq!(searches(&town).await, before + 2);
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    assert_eq!(town.sandbox.writes(), 0);
    town.until_within(minute, "all is well again", async || town.differing().is_empty()).await;
    no_attempt_was_spent(&town).await;
}

async fn a_hibob_that_is_down_costs_no_attempt(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let actives = town.actives();
    // Slower than we wait, then down, then well.
    fault(&town, json!({"latency_ms": 1500, "times": 1})).await;
    fault(&town, json!({"status": 503, "times": 2})).await;
    fault(&town, json!({"drop": "before", "times": 1})).await;
    for (n, id) in actives.iter().enumerate() {
        town.change(id, json!({"surname": format!("Outage{n}")}));
    }
    town.in_step().await;
    no_attempt_was_spent(&town).await;
}

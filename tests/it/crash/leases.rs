//! Leases that run out while their holder is not dead: a stopped process that wakes up later, a
//! call that takes effect after its caller died, and an LMS so slow that waiting takes longer than
//! a lease.

use std::collections::BTreeSet;

use instep::model::{DeliveryState, Lane};
use instep::store::Filter;
use serde_json::json;

use super::{all_is_well, all_of, case, empty, in_step_with, killed_during, made};
use crate::harness::town::{Kept, Serving, Town};

const PATCH: &str = "PATCH /api/v2/users/{userId}";
const CREATE: &str = "POST /api/v2/users";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wakes_up_late_changes_nothing() {
    all_of(vec![
        case("during a change", stopped_during_a_change()),
        case("during a create", stopped_during_a_create()),
        case("and the other is at work", wakes_up_while_the_other_works()),
        case("killed, but the call goes on", a_call_that_outlives_its_caller()),
        case("waiting for a slow LMS", waiting_costs_no_lease()),
    ])
    .await;
}

/// Stops the process while it makes this call because of that deed. The call takes effect in twelve
/// seconds, four after the lease has ended.
async fn stopped_during(town: &Town, serving: &Serving, call: &str, deed: impl FnOnce()) {
    let before = made(town, call).await;
    let fault = json!({"endpoint": call, "times": 1, "latency_ms": 12_000, "when": "before"});
    town.lms("/_sandbox/faults", fault).await;
    deed();
    town.until("the call is made", async || made(town, call).await > before).await;
    serving.signal("-STOP");
}

/// Its settle comes too late, and is refused.
async fn wakes_up(town: &Town, serving: &Serving) {
    serving.signal("-CONT");
    town.until("its lease is lost", async || serving.log().contains("lease lost")).await;
}

async fn stopped_during_a_change() {
    let town = in_step_with(8, Kept::Redis).await;
    // The second look shall come after the late effect.
    town.rewrite(|toml| *toml = toml.replace("second_look_seconds = 1", "second_look_seconds = 6"));
    let first = town.serve(&[]).await;
    town.hook_to(&first);
    let id = &town.actives()[2];
    stopped_during(&town, &first, PATCH, || {
        town.change(id, json!({"surname": "Outdated"}));
    })
    .await;
    let _second = town.open().await;
    town.change(id, json!({"surname": "Newest"}));
    let name = || town.account_of(id)["lastName"].clone();
    town.until("the other goes on", async || name() == "Newest").await;
    town.until("the late call takes effect", async || name() == "Outdated").await;
    wakes_up(&town, &first).await;
    all_is_well(&town).await;
    assert_eq!(name(), "Newest");
}

/// Its settle must not end the lease of the other, who is not done.
async fn wakes_up_while_the_other_works() {
    let town = in_step_with(8, Kept::Redis).await;
    let first = town.serve(&[]).await;
    town.hook_to(&first);
    let id = &town.actives()[2];
    stopped_during(&town, &first, PATCH, || {
        town.change(id, json!({"surname": "Outdated"}));
    })
    .await;
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    let second = town.serve(&[]).await;
    town.hook_to(&second);
    town.change(id, json!({"surname": "Newest"}));
    // Who takes over looks first, and shall be slow at that.
    let look = "GET /api/v2/external-ids";
    let before = made(&town, look).await;
    let slow = json!({"endpoint": look, "times": 2, "latency_ms": 800, "when": "after"});
    town.lms("/_sandbox/faults", slow).await;
    town.until("the other looks", async || made(&town, look).await > before).await;
    wakes_up(&town, &first).await;
    all_is_well(&town).await;
    assert!(!second.log().contains("lease lost"), "{}", second.log());
    assert_eq!(town.account_of(id)["lastName"], "Newest");
}

async fn stopped_during_a_create() {
    let town = empty(Kept::Redis).await;
    let first = town.serve(&[]).await;
    town.hook_to(&first);
    let mut id = String::new();
    stopped_during(&town, &first, CREATE, || id = town.hire(json!({"firstName": "Nadia"}))).await;
    let _second = town.open().await;
    town.until("the other makes the account", async || !town.account_of(&id).is_null()).await;
    wakes_up(&town, &first).await;
    all_is_well(&town).await;
    assert_eq!(town.sandbox.accounts().len(), 2, "that one and the owner's");
}

async fn a_call_that_outlives_its_caller() {
    let town = in_step_with(8, Kept::Sqlite).await;
    town.rewrite(|toml| *toml = toml.replace("second_look_seconds = 1", "second_look_seconds = 5"));
    let serving = town.open().await;
    let id = &town.actives()[2];
    let late = json!({"endpoint": PATCH, "times": 1, "latency_ms": 4_000, "when": "late"});
    town.lms("/_sandbox/faults", late).await;
    town.change(id, json!({"surname": "Outdated"}));
    town.until("the call is made", async || made(&town, PATCH).await > 0).await;
    serving.kill();
    town.change(id, json!({"surname": "Newest"}));
    let _next = town.open().await;
    let name = || town.account_of(id)["lastName"].clone();
    town.until("the late call takes effect", async || name() == "Outdated").await;
    all_is_well(&town).await;
    assert_eq!(name(), "Newest");
}

/// Sixteen people, two at a time, almost a second for each call: the last ones wait for longer than
/// a lease. That is nobody's death.
async fn waiting_costs_no_lease() {
    let town = empty(Kept::Sqlite).await;
    town.rewrite(|toml| {
        *toml = toml
            .replace("lease_seconds = 8\n", "lease_seconds = 14\nconcurrency = 2\n")
            .replace("[target]\ntimeout_seconds = 1\n", "[target]\ntimeout_seconds = 2\n");
    });
    let serving = town.open().await;
    let slow = json!({"endpoint": "*", "latency_ms": 900, "when": "after"});
    town.lms("/_sandbox/faults", slow).await;
    for n in 0..16 {
        town.hire(json!({"firstName": format!("Nadia {n}")}));
    }
    all_is_well(&town).await;
    assert!(!serving.log().contains("a lease ran out"), "{}", serving.log());
}

/// HR deletes someone whose account was just being made when the process died: the account is
/// found by what it was made with, and does not stay behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_owner_is_gone_does_not_stay_behind() {
    let town = empty(Kept::Sqlite).await;
    let serving = town.open().await;
    let mut id = String::new();
    killed_during(&town, serving, (CREATE, "after"), || {
        id = town.hire(json!({"firstName": "Nadia"}));
    })
    .await;
    town.delete(&id);
    let _next = town.open().await;
    town.until("no account is in use but the owner's", async || {
        town.sandbox.accounts().iter().filter(|account| account["status"] != "deleted").count() == 1
    })
    .await;
    all_is_well(&town).await;
}

/// Whoever is in hand when a worker dies may be the reason. After seven deaths at most one of the
/// four is a dead letter: those who were only there stay out of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_only_there_is_no_dead_letter() {
    let town = in_step_with(12, Kept::Sqlite).await;
    let mut serving = town.open().await;
    let ids = &town.actives()[..4];
    let search = "POST /v1/people/search";
    town.hr("/_sandbox/faults", json!({"endpoint": search, "latency_ms": 30_000})).await;
    for id in ids {
        town.change(id, json!({"surname": "Remarried"}));
    }
    town.until("they are taken in", async || town.sandbox.webhooks().waiting == 0).await;
    serving.kill();
    for _ in 0..6 {
        let before = made(&town, search).await;
        serving = town.open().await;
        town.until("somebody is read", async || made(&town, search).await > before).await;
        serving.kill();
    }
    super::behave(&town).await;
    let _next = town.open().await;
    town.at_rest().await;
    let all = town.deliveries(&Filter::default()).await;
    let dead: BTreeSet<_> = all
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Dead)
        .filter_map(|delivery| delivery.employee.clone())
        .collect();
    assert!(dead.len() < 2, "{dead:?}");
    // The log has been looked at: once more.
    let ids: Vec<_> = all.iter().map(|delivery| delivery.id.clone()).collect();
    town.store().await.replay(&ids, Lane::Live, town.now()).await.expect("a replay");
    all_is_well(&town).await;
}

//! Many at once: bursts cost few calls, and live work does not wait behind bulk work.

use instep::sandbox::Change;
use serde_json::json;

use super::{on_both, small, stepping, unbraked};
use crate::harness::town::{Kept, Town, patient};

on_both! {
    a_storm_about_few_people_costs_few_calls
    a_live_change_gets_past_a_sync
}

async fn a_storm_about_few_people_costs_few_calls(kept: Kept) {
    let town = Town::new(stepping(25), kept, patient).await;
    town.sandbox.limit(false);
    let _serving = town.open().await;
    let people = town.actives()[..20].to_vec();
    for id in &people {
        town.nudge(id);
    }
    town.in_step().await;
    let (hr, lms) = (town.hr_calls().await, town.lms_calls().await);
    let updated = vec!["employee.updated".to_owned(); 49];
    for (n, id) in people.iter().enumerate() {
        let merge = json!({"surname": format!("Storm{n}")});
        let (id, send) = (Some(id.clone()), updated.clone());
        let change = Change { id, merge, send, ..Change::default() };
        town.sandbox.change(&change).expect("a change");
    }
    town.in_step().await;
    assert!(town.deliveries_of(&people[0]).await.len() >= 50);
    let search = "POST /v1/people/search";
    let searches = town.hr_calls().await.of(search) - hr.of(search);
    assert!(searches <= 12, "{searches} searches for 1,000 events");
    let after = town.lms_calls().await;
    assert_eq!(after.writes() - lms.writes(), 20, "one for each person");
    // Whether an account is an administrator's is asked once, and remembered for a while.
    assert!(after.reads() - lms.reads() <= 20, "{after:?}");
}

async fn a_live_change_gets_past_a_sync(kept: Kept) {
    let town = Town::new(small(250), kept, unbraked).await;
    let _serving = town.open().await;
    town.told(&["sync", "--no-wait"]).await;
    town.until("the sync has begun", async || town.sandbox.writes() > 20).await;
    let begun = town.now();
    let id = town.hire(json!({"firstName": "Live", "surname": "Lane"}));
    town.until("the hire has an account", async || town.account_of(&id)["status"] == "active")
        .await;
    let waited = town.now().duration_since(begun);
    let depth = town.depth().await.expect("a depth");
    assert!(depth.waiting > 100, "bulk work still waits: {depth:?}");
    // Of some 700 writes at ten a second, a newcomer's three come soon.
    assert!(waited.as_secs() < 10, "{waited}\n{}", town.report().await);
}

//! People who change: the smallest write, no read that is not needed, nothing lost when HiBob shows
//! a change late.

use instep::model::DeliveryState;
use serde_json::json;

use super::{on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is, patient};

on_both! {
    each_change_costs_one_write
    a_job_that_is_cleared_is_cleared
    a_change_that_hibob_shows_late_arrives
    the_later_of_two_changes_arrives_though_hibob_shows_only_the_first
    two_people_swap_their_mails
    a_mail_that_somebody_else_has_is_told_about
}

async fn each_change_costs_one_write(kept: Kept) {
    let town = Town::new(stepping(20), kept, patient).await;
    let _serving = town.open().await;
    let id = &town.actives()[3];
    // The first change finds the account; from then on it is known.
    town.change(id, json!({"surname": "Firstly"}));
    town.in_step().await;
    for merge in [
        json!({"surname": "Newname"}),
        json!({"work": {"siteId": 2_154_004}}),
        json!({"email": "somewhere.else@example.test"}),
        json!({"work": {"title": "255490102"}}),
        json!({"work": {"workMobile": null}}),
        json!({"firstName": "Zoë", "work": {"siteId": 2_154_002, "department": "261454031"}}),
    ] {
        let before = town.lms_calls().await;
        town.change(id, merge.clone());
        town.in_step().await;
        let after = town.lms_calls().await;
        assert_eq!(after.writes() - before.writes(), 1, "{merge}");
        assert_eq!(after.reads() - before.reads(), 0, "{merge}");
        let patches =
            |calls: &crate::harness::town::Calls| calls.of("PATCH /api/v2/users/{userId}");
        assert_eq!(patches(&after) - patches(&before), 1, "{merge}");
    }
    // What no rule reads costs nothing at all.
    let before = town.lms_calls().await;
    town.change(id, json!({"personal": {"pronouns": "They / Them"}}));
    town.in_step().await;
    let after = town.lms_calls().await;
    assert_eq!(after.writes() + after.reads(), before.writes() + before.reads());
}

async fn a_job_that_is_cleared_is_cleared(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = &town.actives()[1];
    town.change(id, json!({"work": {"title": null, "workMobile": null}}));
    town.in_step().await;
    let account = town.account_of(id);
    assert_eq!((&account["job"], &account["phone"]), (&json!(null), &json!(null)));
    // A mail is how people sign in: it is never cleared.
    let mail = account["mail"].clone();
    town.change(id, json!({"email": null, "surname": "Mailless"}));
    town.in_step().await;
    assert_eq!(town.account_of(id)["mail"], mail);
}

async fn a_change_that_hibob_shows_late_arrives(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = &town.actives()[2];
    let search = "POST /v1/people/search";
    town.hr("/_sandbox/faults", json!({"endpoint": search, "stale_ms": 60_000, "times": 1})).await;
    town.change(id, json!({"surname": "Belated"}));
    town.in_step().await;
    assert_eq!(town.account_of(id)["lastName"], "Belated");
    let seen = town.deliveries_of(id).await;
    assert!(seen.iter().any(|delivery| delivery.looks == 1), "{seen:?}");
    assert!(seen.iter().all(|delivery| delivery.attempts == 0), "{seen:?}");
}

async fn the_later_of_two_changes_arrives_though_hibob_shows_only_the_first(kept: Kept) {
    let town = Town::new(stepping(8), kept, |toml| {
        *toml = toml.replace("second_look_seconds = 1\n", "second_look_seconds = 6\n");
    })
    .await;
    let id = &town.actives()[2];
    // Both happen while no worker runs, so that their events are read together.
    let receiver = town.serve(&["--role", "receiver"]).await;
    town.hook_to(&receiver);
    town.change(id, json!({"surname": "First"}));
    let passed = async |milliseconds: i128, since: jiff::Timestamp| {
        let passed = async || town.now().duration_since(since).as_millis() >= milliseconds;
        town.until("some time has passed", passed).await;
    };
    let first = town.now();
    passed(1500, first).await;
    town.change(id, json!({"work": {"workMobile": "+441130000000"}}));
    town.until("HR was heard", async || town.sandbox.webhooks().waiting == 0).await;
    receiver.terminate().await;
    // The first read sees HR as it was between the two, give or take the time of a start.
    let since = town.now().duration_since(first).as_millis();
    let late = json!({"endpoint": "POST /v1/people/search", "stale_ms": since, "times": 1});
    town.hr("/_sandbox/faults", late).await;
    let _serving = town.open().await;
    town.in_step().await;
    let looks: Vec<u32> = town.deliveries_of(id).await.iter().map(|d| d.looks).collect();
    assert!(looks.contains(&1), "{looks:?}");
}

async fn two_people_swap_their_mails(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let (one, other) = (&town.actives()[1], &town.actives()[2]);
    let mail = |id: &str| town.person(id)["email"].clone();
    let (first, second) = (mail(one), mail(other));
    town.change(one, json!({"email": second}));
    town.change(other, json!({"email": first}));
    town.in_step().await;
}

async fn a_mail_that_somebody_else_has_is_told_about(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let (one, other) = (&town.actives()[1], &town.actives()[2]);
    let (mine, theirs) = (town.person(one)["email"].clone(), town.person(other)["email"].clone());
    town.change(one, json!({"email": theirs, "surname": "Doppel"}));
    town.at_rest().await;
    let dead = town.deliveries_of(one).await;
    assert!(dead.iter().all(|delivery| delivery.state == DeliveryState::Dead), "{dead:?}");
    assert!(dead.iter().any(|d| d.code.as_deref() == Some("mailAlreadyUsed")), "{dead:?}");
    assert_eq!(town.account_of(other)["mail"], theirs);
    town.change(one, json!({"email": mine}));
    town.in_step().await;
}

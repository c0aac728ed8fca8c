//! `HiBob` and the LMS down, slow, refusing, answering rubbish: work waits, no attempt is spent,
//! nobody is deactivated, and all is done when it is over.

use std::time::Duration;

use instep::model::DeliveryState;
use instep::store::{Filter, Hold};
use serde_json::{Value, json};

use super::{all_has_ended, all_is_well, all_of, back, behave, case, in_step_with, left};
use crate::harness::redis::Server;
use crate::harness::town::{Kept, Town, as_it_is};

const SEARCH: &str = "POST /v1/people/search";

/// What a far end can do to us, and whether that is a refusal.
fn faults(endpoint: &str) -> Vec<(Value, bool)> {
    [
        (json!({"status": 503}), false),
        (json!({"status": 500, "when": "after"}), false),
        (json!({"drop": "before"}), false),
        (json!({"drop": "after"}), false),
        (json!({"latency_ms": 20_000, "when": "before"}), false),
        (json!({"latency_ms": 20_000, "when": "after"}), false),
        (json!({"html": true}), false),
        (json!({"truncate": true}), false),
        (json!({"truncate": "connection"}), false),
        (json!({"status": 403}), true),
    ]
    .into_iter()
    .map(|(mut fault, refuses)| {
        fault["endpoint"] = endpoint.into();
        (fault, refuses)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_hibob_costs_nothing() {
    let mut cases: Vec<_> = faults(SEARCH)
        .into_iter()
        .map(|(fault, refuses)| {
            case(fault.to_string(), a_sick_far_end("source bob", fault, refuses))
        })
        .collect();
    let withheld = json!({"endpoint": SEARCH, "omit_field": ["internal.status", "work.site"]});
    cases.push(case("fields are missing", a_sick_far_end("source bob", withheld, false)));
    all_of(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_lms_costs_nothing() {
    let cases = faults("*")
        .into_iter()
        .map(|(fault, refuses)| case(fault.to_string(), a_sick_far_end("target", fault, refuses)));
    let mut cases: Vec<_> = cases.collect();
    // Only what writes is sick: that is everybody's trouble too.
    for call in ["POST /api/v2/users", "DELETE /api/v2/users/{userId}"] {
        let fault = json!({"endpoint": call, "status": 503});
        cases.push(case(fault.to_string(), a_sick_far_end("target", fault, false)));
    }
    all_of(cases).await;
}

/// Somebody is hired, changes, leaves and comes back while a far end is sick.
async fn a_sick_far_end(scope: &str, fault: Value, refuses: bool) {
    let kept = if scope == "target" { Kept::Redis } else { Kept::Sqlite };
    let town = in_step_with(10, kept).await;
    let _serving = town.open().await;
    let actives = town.actives();
    // One who is out and will be back.
    town.change(&actives[4], left());
    all_is_well(&town).await;
    let in_use = in_use(&town);
    if scope == "target" {
        town.lms("/_sandbox/faults", fault.clone()).await;
    } else {
        town.hr("/_sandbox/faults", fault.clone()).await;
    }
    let hired = town.hire(json!({"firstName": "Nadia"}));
    town.change(&actives[2], json!({"surname": "Remarried"}));
    town.change(&actives[3], left());
    town.change(&actives[4], back());
    let holds = async || town.store().await.holds().await.unwrap_or_default();
    town.until("it is held", async || holds().await.iter().any(|hold| hold.scope == scope)).await;
    // It stays so over a few probes.
    if !refuses {
        town.until("it is probed", async || {
            holds().await.iter().any(|hold| hold.scope == scope && hold.probes > 1)
                || fault["endpoint"] != "*" && scope == "target"
        })
        .await;
    }
    // When one kind of call is sick and somebody needs another, that one's probe ends the hold; from
    // then on the first one's failure is judged as their own, and an attempt may be spent on it.
    let partly = scope == "target" && fault["endpoint"] != "*";
    for delivery in town.deliveries(&Filter::default()).await {
        assert!(delivery.attempts == 0 || partly, "{fault}: {delivery:#?}");
        assert_ne!(delivery.state, DeliveryState::Dead, "{fault}: {delivery:#?}");
    }
    if scope != "target" {
        assert_eq!(self::in_use(&town), in_use, "{fault}: nobody is locked out");
    }
    behave(&town).await;
    if refuses {
        // What was given back rests for a minute; what is new is done at once.
        for id in [&hired, &actives[2], &actives[3], &actives[4]] {
            town.nudge(id);
        }
        // Whoever was refused just now may yet write a hold of their own.
        let equal = async || {
            a_minute_passes(&town).await;
            town.differing().is_empty()
        };
        return town.until("the LMS equals HR", equal).await;
    }
    all_is_well(&town).await;
}

fn in_use(town: &Town) -> usize {
    let accounts = town.sandbox.accounts();
    accounts.iter().filter(|account| account["status"] != "deleted").count()
}

/// Who refuses us is asked again after a minute: as if that were over.
async fn a_minute_passes(town: &Town) {
    let store = town.store().await;
    for hold in store.holds().await.expect("holds") {
        store.hold(&Hold { probe_at: town.now(), ..hold }).await.expect("a hold");
    }
}

/// The end of a hold that another process ended, that a clock ahead of ours wrote, or that was lost
/// with the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hold_outlives_its_cause() {
    all_of(vec![
        case("ended by another process", ended_by_another()),
        case("written by a clock that was ahead", written_by_a_clock_ahead()),
        case("lost with the store", lost_with_the_store()),
        case("nothing to do for the probe", nothing_to_probe_with()),
    ])
    .await;
}

/// The LMS is down and one change waits for it.
async fn held(town: &Town) {
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "First"}));
    town.in_step().await;
    town.lms("/_sandbox/faults", json!({"endpoint": "*", "status": 503})).await;
    town.change(id, json!({"surname": "Remarried"}));
    town.until("it is held", async || {
        town.store().await.holds().await.is_ok_and(|holds| !holds.is_empty())
    })
    .await;
}

async fn ended_by_another() {
    let town = in_step_with(8, Kept::Redis).await;
    let _serving = town.open().await;
    held(&town).await;
    behave(&town).await;
    // The other one has probed: the hold has ended without us.
    town.store().await.release("target").await.expect("no hold");
    all_is_well(&town).await;
}

async fn written_by_a_clock_ahead() {
    let town = in_step_with(8, Kept::Redis).await;
    let _serving = town.open().await;
    held(&town).await;
    behave(&town).await;
    let store = town.store().await;
    for hold in store.holds().await.expect("holds") {
        let probe_at = town.now() + Duration::from_secs(24 * 3600);
        store.hold(&Hold { probe_at, ..hold }).await.expect("a hold");
    }
    all_is_well(&town).await;
}

async fn lost_with_the_store() {
    let redis = Server::single();
    let town = super::in_step_at(8, &redis).await;
    let _serving = town.open().await;
    held(&town).await;
    redis.flush();
    behave(&town).await;
    // Everyone is queued, and the hold is gone with everything else.
    all_has_ended(&town).await;
}

/// The first people with whom it is probed are as they should be: that shows nothing, and the next
/// one is tried at once.
async fn nothing_to_probe_with() {
    let town = in_step_with(8, Kept::Sqlite).await;
    let _serving = town.open().await;
    for id in town.actives() {
        town.change(&id, json!({"work": {"workMobile": "+442000000001"}}));
    }
    town.in_step().await;
    held(&town).await;
    let held = &town.actives()[2];
    for id in town.actives().iter().filter(|id| *id != held) {
        town.nudge(id);
    }
    behave(&town).await;
    all_is_well(&town).await;
}

/// Two people with one mail: the second becomes a dead letter that says so, and the first keeps the
/// account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_with_one_mail_never_share_an_account() {
    let town = Town::new(super::empty_company(), Kept::Sqlite, as_it_is).await;
    let _serving = town.open().await;
    let mail = "shared@example.test";
    let ids = [0, 1].map(|n| town.hire(json!({"firstName": format!("Nadia {n}"), "email": mail})));
    town.at_rest().await;
    let accounts: Vec<_> = ids.iter().map(|id| town.accounts_of(id).len()).collect();
    assert_eq!(accounts.iter().sum::<usize>(), 1, "{}", town.report().await);
    let dead = town.deliveries(&Filter::default()).await;
    assert!(dead.iter().any(|delivery| delivery.code.as_deref() == Some("disputed")), "{dead:#?}");
    assert!(dead.iter().all(|delivery| delivery.code.as_deref() != Some("workerDied")));
}

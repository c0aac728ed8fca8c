//! Faults that must not lose or double anything.
//!
//! Each test starts the real binary between the two doubles, does harm from outside (a kill, a
//! stopped process, a store that is away, a far end that misbehaves), and looks at what is there in
//! the end: the LMS equals HR for everyone in scope, nobody has two accounts, and no event is
//! unaccounted for. Nothing in the program knows that it is tested: a process is frozen by holding
//! the answer of a call that it makes.

mod calls;
mod campaign;
mod clock;
mod far_ends;
mod leases;
mod redis;
mod sqlite;

use std::pin::Pin;
use std::rc::Rc;

use instep::model::{DeliveryState, LEASE_LOST, SYNC};
use instep::sandbox::Options;
use instep::store::Filter;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::harness::redis::Server;
use crate::harness::town::{Kept, PATIENCE, Serving, Town, as_it_is};

/// How many cases run at once: most of them wait most of the time.
const AT_ONCE: usize = 8;

/// So many people, with their accounts.
fn stepping(people: usize) -> Options {
    let platform = Some("instep-bob".to_owned());
    Options { people, in_step: true, platform, ..Options::default() }
}

fn empty_company() -> Options {
    Options { people: 0, ..Options::default() }
}

/// A town whose HR and LMS begin in step, with so many people.
async fn in_step_with(people: usize, kept: Kept) -> Town {
    Town::new(stepping(people), kept, as_it_is).await
}

/// The same on a Redis of its own.
async fn in_step_at(people: usize, redis: &Server) -> Town {
    Town::kept_at(stepping(people), &redis.url(), as_it_is).await
}

/// A town in which nobody works yet.
async fn empty(kept: Kept) -> Town {
    Town::new(empty_company(), kept, as_it_is).await
}

/// One case and its name.
type Case = (String, Pin<Box<dyn Future<Output = ()>>>);

fn case(name: impl Into<String>, run: impl Future<Output = ()> + 'static) -> Case {
    (name.into(), Box::pin(run))
}

/// Runs cases side by side; says which of them failed.
async fn all_of(cases: Vec<Case>) {
    let local = LocalSet::new();
    let room = Rc::new(Semaphore::new(AT_ONCE));
    let failed = local.run_until(async {
        let mut running = Vec::new();
        for (name, run) in cases {
            let room = Rc::clone(&room);
            let run = async move {
                let _place = room.acquire().await;
                run.await;
            };
            running.push((name, tokio::task::spawn_local(run)));
        }
        let mut failed = Vec::new();
        for (name, run) in running {
            if run.await.is_err() {
                failed.push(name);
            }
        }
        failed
    });
    let failed = failed.await;
    assert!(failed.is_empty(), "these cases failed, each with its own message above: {failed:#?}");
}

/// Holds the next call of this endpoint for longer than anybody waits: `before` it takes effect, or
/// `after`.
async fn hold(town: &Town, call: &str, when: &str) {
    let fault = json!({"endpoint": call, "times": 1, "latency_ms": 30_000, "when": when});
    if call.contains("/v1/") {
        town.hr("/_sandbox/faults", fault).await;
    } else {
        town.lms("/_sandbox/faults", fault).await;
    }
}

/// How often this call was made.
async fn made(town: &Town, call: &str) -> u64 {
    let calls = if call.contains("/v1/") { town.hr_calls().await } else { town.lms_calls().await };
    calls.of(call)
}

/// Both far ends behave again.
async fn behave(town: &Town) {
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
}

/// Kills the process while it makes this call because of that deed.
async fn killed_during(
    town: &Town,
    serving: Serving,
    (call, when): (&str, &str),
    deed: impl FnOnce(),
) {
    let before = made(town, call).await;
    hold(town, call, when).await;
    deed();
    town.until("the call is made", async || made(town, call).await > before).await;
    serving.kill();
    behave(town).await;
}

/// All has ended well, and every event that HR sent has its one delivery.
async fn all_is_well(town: &Town) {
    all_has_ended(town).await;
    let mut deliveries = town.deliveries(&Filter::default()).await;
    // Beside those that it told itself.
    deliveries.retain(|delivery| delivery.kind != SYNC && delivery.kind != LEASE_LOST);
    let events = town.sandbox.webhooks().events;
    assert_eq!(deliveries.len() as u64, events, "{}", town.report().await);
}

/// The LMS equals HR, nothing waits, nothing is dead, nothing is held, and HR has sent everything.
async fn all_has_ended(town: &Town) {
    // Whose workers were lost twice is worked on alone, one in a second.
    town.in_step_within(4 * PATIENCE).await;
    for delivery in town.deliveries(&Filter::default()).await {
        let ended = matches!(delivery.state, DeliveryState::Done | DeliveryState::Ignored);
        assert!(ended, "{delivery:#?}\n{}", town.report().await);
    }
    let webhooks = town.sandbox.webhooks();
    assert_eq!(webhooks.acknowledged, webhooks.events, "each event was taken in");
    let holds = async || town.store().await.holds().await.expect("holds").is_empty();
    town.until("nothing is held", holds).await;
}

fn left() -> Value {
    json!({"internal": {"lifecycleStatus": "terminated"}})
}

fn back() -> Value {
    json!({"internal": {"lifecycleStatus": "employed"}})
}

/// What a deactivation takes away.
fn belongings(account: &Value) -> Value {
    let keys = ["groups", "customFields", "managers", "subordinates"];
    keys.iter().map(|key| ((*key).to_owned(), account[*key].clone())).collect()
}

/// Someone whom an administrator has given a group, a value, a manager and somebody to manage;
/// with the account as it is then.
async fn furnished(town: &Town) -> (String, Value) {
    let actives = town.actives();
    let (id, boss, report) = (&actives[3], &actives[1], &actives[5]);
    let field = json!({"name": "Cost centre", "targetType": "users", "type": "string"});
    let field = town.lms_api("POST", "/custom-fields", field).await;
    let field = field["_id"].as_str().expect("an id");
    let groups = town.lms_groups().await;
    let leaders = groups.iter().find(|group| group["name"] == "Leaders").expect("a group");
    let account = |id: &str| town.account_of(id)["_id"].clone();
    let mut roles = town.account_of(id)["groups"].as_array().expect("groups").clone();
    roles.push(json!({"groupId": leaders["_id"], "role": "coach"}));
    let given = json!({
        "groups": roles, "customFields": {field: "CC-77"}, "managers": [account(boss)],
    });
    town.by_hand(json!({"_id": account(id), "set": given})).await;
    let given = json!({"managers": [account(id)]});
    town.by_hand(json!({"_id": account(report), "set": given})).await;
    (id.clone(), town.account_of(id))
}

//! Redis restarted, paused, with its connections cut, and emptied, while a company is at work; and
//! one of two processes killed.

use std::cell::Cell;
use std::time::Duration;

use instep::sandbox::Life;
use instep::store::{Filter, Runs};
use serde_json::json;

use super::{all_has_ended, all_is_well, all_of, behave, case, in_step_at, stepping};
use crate::harness::redis::Server;
use crate::harness::town::{Town, patient};

const SEARCH: &str = "POST /v1/people/search";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_redis_loses_nothing() {
    all_of(vec![
        case("restarted", restarted()),
        case("paused", paused()),
        case("connections cut", connections_cut()),
        case("emptied", emptied()),
        case("emptied during a call", emptied_during_a_call()),
        case("emptied, and killed while everyone is queued", emptied_and_killed()),
        case("one of two killed", one_of_two_killed()),
        case("one of two stopped gently", one_of_two_stopped()),
    ])
    .await;
}

/// Lets the company live while something is done to it, and a while longer.
async fn at_work(town: &Town, seed: u64, harm: impl AsyncFnOnce()) {
    println!("the company lives by seed {seed}");
    let mut life = Life::new(seed);
    let done = Cell::new(false);
    let living = async {
        let mut deeds = tokio::time::interval(Duration::from_millis(60));
        let mut after = 10;
        while after > 0 {
            deeds.tick().await;
            town.sandbox.live(&mut life);
            after -= u32::from(done.get());
        }
    };
    let harming = async {
        town.until("work is under way", async || town.lms_calls().await.writes() > 2).await;
        harm().await;
        done.set(true);
    };
    tokio::join!(living, harming);
}

async fn restarted() {
    let redis = Server::single();
    let town = in_step_at(40, &redis).await;
    let _serving = town.open().await;
    at_work(&town, 1, async || {
        for _ in 0..2 {
            let writes = town.lms_calls().await.writes();
            redis.restart();
            town.until("work goes on", async || town.lms_calls().await.writes() > writes).await;
        }
    })
    .await;
    all_is_well(&town).await;
}

async fn paused() {
    let redis = Server::single();
    let town = in_step_at(40, &redis).await;
    let _serving = town.open().await;
    at_work(&town, 2, async || {
        redis.pause();
        let over = town.now() + Duration::from_secs(5);
        town.until("it was paused for long", async || town.now() > over).await;
        redis.resume();
    })
    .await;
    all_is_well(&town).await;
}

async fn connections_cut() {
    let redis = Server::single();
    let town = in_step_at(40, &redis).await;
    let _serving = town.open().await;
    at_work(&town, 3, async || {
        for _ in 0..10 {
            redis.kill_connections();
            let writes = town.lms_calls().await.writes();
            town.until("work goes on", async || town.lms_calls().await.writes() > writes).await;
        }
    })
    .await;
    all_is_well(&town).await;
}

/// Events are lost with everything else; everyone is queued, and the LMS is in step by itself.
async fn emptied() {
    let redis = Server::single();
    let town = in_step_at(20, &redis).await;
    let _serving = town.open().await;
    let actives = town.actives();
    for id in &actives {
        town.change(id, json!({"surname": "First"}));
    }
    town.until("some are done", async || town.lms_calls().await.writes() > 3).await;
    redis.flush();
    for id in &actives[..3] {
        town.change(id, json!({"surname": "Later"}));
    }
    all_has_ended(&town).await;
}

/// The store forgets who is in whose hands while a call is under way. Another worker applies what is
/// newer, and then the call takes effect.
async fn emptied_during_a_call() {
    const PATCH: &str = "PATCH /api/v2/users/{userId}";
    let redis = Server::single();
    let town = Town::kept_at(stepping(20), &redis.url(), patient).await;
    let _serving = town.open().await;
    let late = json!({"endpoint": PATCH, "latency_ms": 7_000, "when": "before", "times": 1});
    town.lms("/_sandbox/faults", late).await;
    let id = &town.actives()[2];
    let writes = async || town.lms_calls().await.of(PATCH);
    town.change(id, json!({"surname": "First"}));
    town.until("the call is under way", async || writes().await == 1).await;
    redis.flush();
    town.change(id, json!({"surname": "Later"}));
    town.until("what is newer is there", async || town.account_of(id)["lastName"] == "Later").await;
    town.until("the call took effect, and was put right", async || writes().await > 2).await;
    all_has_ended(&town).await;
}

/// The process that noticed is killed before it has queued anybody; the next one does it.
async fn emptied_and_killed() {
    let redis = Server::single();
    let town = in_step_at(12, &redis).await;
    let serving = town.open().await;
    town.hr("/_sandbox/faults", json!({"endpoint": SEARCH, "latency_ms": 30_000})).await;
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "Forgotten"}));
    town.until("it is taken in", async || town.sandbox.webhooks().waiting == 0).await;
    redis.flush();
    town.until("it was noticed", async || {
        let runs = town.store().await.runs(None, Runs::All, 1).await;
        runs.is_ok_and(|runs| !runs.is_empty())
    })
    .await;
    serving.kill();
    behave(&town).await;
    let _next = town.open().await;
    // Until the one that was killed has been silent for a minute, it may be alive.
    let patience = std::time::Duration::from_secs(120);
    let equal = async || town.differing().is_empty();
    town.until_within(patience, "the LMS equals HR", equal).await;
    assert_eq!(town.account_of(id)["lastName"], "Forgotten");
    all_has_ended(&town).await;
}

async fn one_of_two_killed() {
    let redis = Server::single();
    let town = in_step_at(40, &redis).await;
    let first = town.serve(&[]).await;
    let second = town.open().await;
    at_work(&town, 4, async || {
        first.kill();
    })
    .await;
    all_is_well(&town).await;
    drop(second);
}

/// A gentle end gives everything back at once: nobody waits for a lease, and nothing counts as a
/// worker that died.
async fn one_of_two_stopped() {
    let redis = Server::single();
    let town = in_step_at(40, &redis).await;
    let first = town.serve(&[]).await;
    let second = town.open().await;
    at_work(&town, 5, async || {
        let (status, _) = first.terminate().await;
        assert!(status.success(), "{status:?}");
        let depth = town.depth().await.expect("a depth");
        assert!(depth.dead == 0, "{depth:?}");
    })
    .await;
    all_is_well(&town).await;
    let attempts = town.deliveries(&Filter::default()).await;
    assert!(attempts.iter().all(|delivery| delivery.attempts == 0), "{attempts:#?}");
    drop(second);
}

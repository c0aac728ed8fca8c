//! Several processes, and their ends: work is shared and taken over, and who is told to stop gives
//! back what it holds.

use std::time::Duration;

use instep::store::Filter;
use serde_json::json;

use super::{on_both, small, stepping, unbraked};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    one_that_is_told_to_stop_gives_everything_back
    one_that_died_is_taken_over
}

async fn one_that_is_told_to_stop_gives_everything_back(kept: Kept) {
    let town = Town::new(small(60), kept, unbraked).await;
    let serving = town.open().await;
    town.told(&["sync", "--no-wait"]).await;
    town.until("it is at work", async || town.sandbox.writes() > 5).await;
    let (status, took) = serving.terminate().await;
    assert!(status.success(), "{status:?}\n{}", town.logged());
    assert!(took < Duration::from_secs(6), "{took:?}");
    let depth = town.depth().await.expect("a depth");
    assert_eq!(depth.leased, 0, "everything is given back");
    assert!(depth.waiting > 0, "and not everything is done");
    for delivery in town.deliveries(&Filter::default()).await {
        assert_eq!((delivery.attempts, delivery.kills), (0, 0), "{delivery:?}");
    }
    town.sandbox.limit(false);
    town.rewrite(|toml| {
        *toml = toml.replace("[target]\n", "[target]\nwrites_per_second = 1000\n");
    });
    let _serving = town.open().await;
    town.in_step().await;
}

async fn one_that_died_is_taken_over(kept: Kept) {
    let town = Town::new(stepping(20), kept, as_it_is).await;
    let first = town.open().await;
    let slow = json!({"endpoint": "PATCH /api/v2/users/{userId}", "latency_ms": 900});
    town.lms("/_sandbox/faults", slow).await;
    for id in town.actives() {
        town.change(&id, json!({"surname": "Orphaned"}));
    }
    town.until("it is at work", async || town.depth().await.is_some_and(|depth| depth.leased > 0))
        .await;
    first.kill();
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    let _second = town.open().await;
    town.in_step().await;
    let kills: Vec<u32> =
        town.deliveries(&Filter::default()).await.iter().map(|d| d.attempts).collect();
    assert!(kills.iter().all(|attempts| *attempts == 0), "{kills:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_share_the_work_on_one_redis() {
    let town = Town::new(stepping(60), Kept::Redis, as_it_is).await;
    town.sandbox.limit(false);
    let one = town.open().await;
    let other = town.serve(&[]).await;
    let people = town.actives();
    let searches = town.hr_calls().await.of("POST /v1/people/search");
    for round in 0..3 {
        for id in &people {
            town.change(id, json!({"surname": format!("Shared{round}")}));
        }
        // HR changes its mind about whom to tell.
        town.hook_to(if round % 2 == 0 { &other } else { &one });
    }
    for n in 0..20 {
        town.hire(json!({"firstName": "New", "surname": format!("Hire{n}")}));
    }
    town.in_step().await;
    assert_eq!(town.lms_calls().await.of("POST /api/v2/users"), 20, "nobody was made twice");
    assert!(town.hr_calls().await.of("POST /v1/people/search") > searches);
    for delivery in town.deliveries(&Filter::default()).await {
        assert_eq!((delivery.attempts, delivery.kills), (0, 0), "{delivery:?}");
    }
    // One dies with work in hand; the other goes on alone.
    let slow = json!({"endpoint": "PATCH /api/v2/users/{userId}", "latency_ms": 600, "times": 40});
    town.lms("/_sandbox/faults", slow).await;
    for id in &people {
        town.change(id, json!({"surname": "Widowed"}));
    }
    town.hook_to(&other);
    town.until("both are at work", async || {
        town.depth().await.is_some_and(|depth| depth.leased > 0)
    })
    .await;
    one.kill();
    town.in_step().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_can_have_a_process_of_its_own() {
    let town = Town::new(stepping(12), Kept::Redis, as_it_is).await;
    let receiver = town.serve(&["--role", "receiver"]).await;
    town.hook_to(&receiver);
    let id = &town.actives()[1];
    town.change(id, json!({"surname": "Divided"}));
    town.until("HR was heard", async || town.sandbox.webhooks().waiting == 0).await;
    assert_eq!(town.hr_calls().await.of("POST /v1/people/search"), 0, "a receiver reads nobody");
    let worker = town.serve(&["--role", "worker", "--log", "json"]).await;
    let body = town.event("employee.updated", id);
    assert_eq!(
        town.webhook(&worker, &body, &town.sign(&body)).await,
        404,
        "a worker takes nothing"
    );
    let scheduler = town.serve(&["--role", "scheduler"]).await;
    town.in_step().await;
    for line in worker.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(line["level"].is_string(), "{line}");
    }
    for one in [receiver, worker, scheduler] {
        let (status, took) = one.terminate().await;
        assert!(status.success() && took < Duration::from_secs(6), "{status:?} {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_serves_from_a_file() {
    let town = Town::new(small(0), Kept::Sqlite, as_it_is).await;
    let first = town.serve(&[]).await;
    let second = town.cli(&["serve"]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("share a Redis"), "it says what to do: {said}");
    drop(first);
    let (status, _) = town.serve(&[]).await.terminate().await;
    assert!(status.success());
}

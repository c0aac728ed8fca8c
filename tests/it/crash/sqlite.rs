//! The SQLite file locked by another program, and the disk full: webhooks are refused with 503 and
//! sent again, nothing is half written, and all goes on when it is over.

use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::{all_has_ended, all_is_well, all_of, case, in_step_with, made};
use crate::harness::town::{Kept, Serving, Town};

const PATCH: &str = "PATCH /api/v2/users/{userId}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_file_loses_nothing() {
    all_of(vec![
        case("locked while events come", locked_while_events_come()),
        case("locked while work ends", locked_while_work_ends()),
        case("the disk is full", the_disk_is_full()),
    ])
    .await;
}

fn lock(town: &Town) -> Connection {
    let db = Connection::open(town.config().with_file_name("instep.db")).expect("the file");
    db.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    db
}

async fn locked_while_events_come() {
    let town = in_step_with(8, Kept::Sqlite).await;
    let serving = town.open().await;
    let locked = lock(&town);
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "Remarried"}));
    let body = town.event("employee.updated", id);
    assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 503);
    town.until("HR was refused", async || town.sandbox.webhooks().failed > 0).await;
    drop(locked);
    // HR sends again what was refused, whether it was taken in after all or not.
    assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 200);
    all_has_ended(&town).await;
    assert_eq!(town.account_of(id)["lastName"], "Remarried");
    assert_eq!(town.deliveries_of(id).await.len(), 2, "each once");
}

/// Longer than a write waits by itself: what the lease achieved is not given up, and the next
/// change does not wait for the lease to run out.
async fn locked_while_work_ends() {
    let town = in_step_with(8, Kept::Sqlite).await;
    town.rewrite(|toml| *toml = toml.replace("lease_seconds = 8\n", "lease_seconds = 100\n"));
    let serving = town.open().await;
    let id = &town.actives()[2];
    let fault = json!({"endpoint": PATCH, "times": 1, "latency_ms": 600, "when": "before"});
    town.lms("/_sandbox/faults", fault).await;
    town.change(id, json!({"surname": "Remarried"}));
    town.until("the call is made", async || made(&town, PATCH).await > 0).await;
    let locked = lock(&town);
    let over = town.now() + Duration::from_secs(7);
    town.until("it was locked for long", async || town.now() > over).await;
    drop(locked);
    all_is_well(&town).await;
    assert!(!serving.log().contains("not settled"), "{}", serving.log());
}

/// The process may make no file larger than it is: then no commit succeeds.
async fn the_disk_is_full() {
    let town = in_step_with(8, Kept::Sqlite).await;
    let serving = town.serve_under(&["env", "--ignore-signal=XFSZ"], &[], &[]).await;
    town.hook_to(&serving);
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "First"}));
    all_is_well(&town).await;
    allow(&serving, "4096");
    town.change(id, json!({"surname": "Remarried"}));
    town.until("HR was refused", async || town.sandbox.webhooks().failed > 1).await;
    assert_eq!(town.account_of(id)["lastName"], "First");
    allow(&serving, "unlimited");
    all_is_well(&town).await;
    assert_eq!(town.account_of(id)["lastName"], "Remarried");
}

/// How large a file of this process may become, from now on.
fn allow(serving: &Serving, bytes: &str) {
    let pid = serving.pid().to_string();
    let limit = format!("--fsize={bytes}:unlimited");
    let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(done.expect("prlimit").success());
}

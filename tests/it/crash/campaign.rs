//! A campaign: a company lives, and round after round something goes wrong, as the seed has it.
//! `INSTEP_SEED=…` is another campaign; the seed is printed.

use std::time::Duration;

use instep::sandbox::Life;
use serde_json::{Value, json};

use super::{all_is_well, behave, in_step_with};
use crate::harness::town::{Kept, Serving, Town};

/// How many rounds there are on each store: fewer than it takes deaths to make a dead letter.
const ROUNDS: u32 = 4;

/// The seed, unless `INSTEP_SEED` says another.
const SEED: u64 = 101;

/// Where faults strike.
const CALLS: [&str; 10] = [
    "POST /v1/people/search",
    "GET /api/v2/external-ids",
    "GET /api/v2/users",
    "POST /api/v2/users",
    "PATCH /api/v2/users/{userId}",
    "DELETE /api/v2/users/{userId}",
    "PUT /api/v2/users/{userId}/activate",
    "POST /api/v2/external-ids",
    "GET /api/v2/users/{userId}/roles",
    "POST /api/v2/oauth2/token",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_on_sqlite() {
    campaign(Kept::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_on_redis() {
    campaign(Kept::Redis).await;
}

async fn campaign(kept: Kept) {
    let seed = std::env::var("INSTEP_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(SEED);
    println!("INSTEP_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut life = Life::new(seed);
    let town = in_step_with(60, kept).await;
    let mut serving = town.open().await;
    for round in 1..=ROUNDS {
        serving = one_round(&town, serving, kept, &mut chance, &mut life).await;
        println!("round {round} is over");
    }
    behave(&town).await;
    all_is_well(&town).await;
    drop(serving);
}

async fn one_round(
    town: &Town,
    serving: Serving,
    kept: Kept,
    chance: &mut fastrand::Rng,
    life: &mut Life,
) -> Serving {
    for _ in 0..chance.u32(..4) {
        let (call, fault) = any_fault(chance);
        println!("{call}: {fault}");
        if call.contains("/v1/") {
            town.hr("/_sandbox/faults", fault).await;
        } else {
            town.lms("/_sandbox/faults", fault).await;
        }
    }
    let calls =
        async || town.hr_calls().await.beginning("POST") + town.lms_calls().await.beginning("");
    let (before, most) = (calls().await, chance.u64(1..40));
    for _ in 0..chance.u32(3..12) {
        let (deed, _) = town.sandbox.live(life);
        println!("{}", deed.what);
    }
    // Somewhere in the middle of what follows, if so much follows.
    let over = town.now() + Duration::from_secs(3);
    town.until("some calls are made", async || calls().await > before + most || town.now() > over)
        .await;
    match chance.u32(..4) {
        0 => {
            println!("ended gently");
            serving.terminate().await;
            town.open().await
        }
        1 if kept == Kept::Redis => {
            println!("stopped, and the other goes on");
            serving.signal("-STOP");
            let next = town.open().await;
            let over = town.now() + Duration::from_secs(9);
            town.until("its leases have run out", async || town.now() > over).await;
            serving.signal("-CONT");
            serving.terminate().await;
            next
        }
        _ => {
            println!("killed");
            serving.kill();
            town.open().await
        }
    }
}

fn any_fault(chance: &mut fastrand::Rng) -> (&'static str, Value) {
    let call = CALLS[chance.usize(..CALLS.len())];
    let mut fault = match chance.u32(..7) {
        0 => json!({"status": 503}),
        1 => json!({"status": 500, "when": "after"}),
        2 => json!({"drop": "before"}),
        3 => json!({"drop": "after"}),
        4 => json!({"latency_ms": 1_500, "when": "after"}),
        5 => json!({"latency_ms": 800, "when": "before"}),
        _ => json!({"truncate": true}),
    };
    fault["endpoint"] = call.into();
    fault["times"] = chance.u32(1..3).into();
    (call, fault)
}

//! What goes wrong around a run: pages that fail or loop, budgets that live traffic eats, a store that
//! restarts, a disk that is full. Nobody is wrongly deactivated, nothing is lost, and the run says
//! what was.

use std::process::{Child, Command, Stdio};

use instep::store::{Filter, Runs};

use super::*;
use crate::harness::redis::Server as Redis;
use crate::harness::town::INSTEP;

const USERS: &str = "GET /api/v2/users";

/// Nothing is changed by a run like this, and it says why.
async fn nothing_by(town: &Town, fault: Value) -> String {
    let (writes, before) = (town.sandbox.writes(), in_use(town));
    town.lms("/_sandbox/faults", fault).await;
    let run = sync(town).await;
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    let RunState::Failed { reason } = &run.state else { panic!("{run:#?}") };
    assert_eq!((town.sandbox.writes(), in_use(town)), (writes, before), "{run:#?}");
    assert!(items(town, &run).await.is_empty() && run.slices.is_empty(), "{run:#?}");
    reason.clone()
}

/// More accounts than fit on a page: the second one fails, and then loops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_fail_in_the_middle_or_loop_change_nothing() {
    let town = linked(known(620), Kept::Sqlite, |_| {}).await;
    let _serving = town.serve(&["--role", "worker"]).await;
    town.sandbox.limit(false);
    let actives = town.actives();
    town.change(&actives[3], json!({"surname": "Later"}));
    town.change(&actives[4], left());
    // Asked for again and again, and it fails each time.
    let fails = json!({"endpoint": USERS, "skip": 1, "status": 500});
    let reason = nothing_by(&town, fails).await;
    assert!(reason.contains("the LMS did not show everything"), "{reason}");
    // The second page says that it is its own next one.
    let next = format!("{}/api/v2/users", town.sandbox.lms_url());
    let reason = nothing_by(&town, json!({"endpoint": USERS, "next": next})).await;
    assert!(reason.contains("the LMS did not show everything"), "{reason}");
    // Half of a page.
    let cut = json!({"endpoint": USERS, "skip": 1, "truncate": true});
    let reason = nothing_by(&town, cut).await;
    assert!(reason.contains("the LMS did not show everything"), "{reason}");
    // A web page instead of one.
    let page = json!({"endpoint": USERS, "skip": 1, "html": true});
    let reason = nothing_by(&town, page).await;
    assert!(reason.contains("the LMS did not show everything"), "{reason}");
    // Once is no trouble.
    let once = json!({"endpoint": USERS, "skip": 1, "times": 1, "status": 502});
    town.lms("/_sandbox/faults", once).await;
    let run = sync(&town).await;
    assert_eq!((run.state, run.changed), (RunState::Done, 2));
    assert!(town.differing().is_empty());
}

/// Live events take what there is of the budgets while a run is under way: theirs come first, and
/// the run ends all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_though_live_traffic_eats_the_budget() {
    let slow = |toml: &mut String| {
        *toml = toml.replace("[target]\n", "[target]\nwrites_per_second = 4\n");
    };
    let town = linked(known(60), Kept::Sqlite, slow).await;
    town.sandbox.limit(false);
    let actives = town.actives();
    for id in &actives[..10] {
        town.change(id, json!({"surname": "Bulk"}));
    }
    let serving = town.serve(&["--role", "worker,receiver"]).await;
    town.hook_to(&serving);
    let storm = async {
        let queued = async || town.depth().await.is_some_and(|depth| depth.waiting > 0);
        town.until("the run has queued", queued).await;
        for round in 0..3 {
            for id in &actives[10..24] {
                town.change(id, json!({"surname": format!("Live {round}")}));
            }
        }
    };
    let (run, ()) = tokio::join!(sync(&town), storm);
    assert_eq!((&run.state, run.changed, run.failed), (&RunState::Done, 10, 0), "{run:#?}");
    town.in_step().await;
    let dead = town.deliveries(&Filter::default()).await.into_iter();
    assert_eq!(dead.filter(|it| it.state == instep::model::DeliveryState::Dead).count(), 0);
}

/// The shared store restarts while HR is read, and while changes are applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_outlives_a_restart_of_redis() {
    let redis = Redis::single();
    let town = Town::kept_at(known(24), &redis.url(), patient).await;
    town.sandbox.limit(false);
    let _serving = town.serve(&[]).await;
    sync(&town).await;
    let actives = town.actives();
    for id in &actives[..12] {
        town.change(id, json!({"surname": "Restarted"}));
    }
    town.change(&actives[14], left());
    let before = in_use(&town);
    town.hr("/_sandbox/faults", json!({"endpoint": SEARCH, "latency_ms": 1500, "times": 1})).await;
    let patch = json!({"endpoint": "PATCH /api/v2/users/{userId}", "latency_ms": 300});
    town.lms("/_sandbox/faults", patch).await;
    let searches = town.hr_calls().await.of(SEARCH);
    let writes = town.sandbox.writes();
    let restarts = async {
        town.until("HR is read", async || town.hr_calls().await.of(SEARCH) > searches).await;
        redis.restart();
        town.until("something is applied", async || town.sandbox.writes() > writes).await;
        redis.restart();
    };
    let (_, ()) = tokio::join!(town.cli(&["sync"]), restarts);
    // Should the command have given up, whoever serves goes on in its place.
    silence(&town).await;
    let ended = async || {
        let runs = town.store().await.runs(None, Runs::All, 1).await.unwrap_or_default();
        runs.first().is_some_and(|run| run.ended_at.is_some())
    };
    town.until("the run has ended", ended).await;
    town.in_step().await;
    assert_eq!(in_use(&town), before - 1);
    let run = newest(&town).await;
    assert_eq!((&run.state, run.changed, run.failed), (&RunState::Done, 13, 0), "{run:#?}");
}

/// `instep sync` under a limit that can be set from outside.
struct Limited(Child);

impl Limited {
    fn start(town: &Town) -> Self {
        let mut command = Command::new("env");
        command.args(["--ignore-signal=XFSZ", INSTEP, "sync"]).env("INSTEP_CONFIG", town.config());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().expect("the binary runs"))
    }

    /// No file of it may grow any more: a disk that is full.
    fn fill_the_disk(&self) {
        let pid = self.0.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, "--fsize=4096:unlimited"]).status();
        assert!(done.expect("prlimit").success());
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_disk_is_full_says_so_and_is_carried_on() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    town.sandbox.limit(false);
    let actives = town.actives();
    town.change(&actives[3], json!({"surname": "Full"}));
    town.change(&actives[4], left());
    let before = in_use(&town);
    town.hr("/_sandbox/faults", json!({"endpoint": SEARCH, "latency_ms": 2000, "times": 1})).await;
    let searches = town.hr_calls().await.of(SEARCH);
    let mut syncing = Limited::start(&town);
    town.until("HR is read", async || town.hr_calls().await.of(SEARCH) > searches).await;
    syncing.fill_the_disk();
    let mut status = None;
    town.until("it has ended", async || {
        status = syncing.0.try_wait().expect("its state");
        status.is_some()
    })
    .await;
    assert!(!status.expect("it has ended").success());
    let mut told = String::new();
    let stderr = syncing.0.stderr.as_mut().expect("piped");
    std::io::Read::read_to_string(stderr, &mut told).expect("text");
    assert!(told.contains("look at its room"), "{told}");
    let killed = newest(&town).await;
    assert_eq!((&killed.state, in_use(&town)), (&RunState::Comparing, before), "{killed:#?}");
    // There is room again.
    silence(&town).await;
    let _serving = town.serve(&[]).await;
    town.until("the run has ended", async || newest(&town).await.ended_at.is_some()).await;
    let run = newest(&town).await;
    assert_eq!((&run.id, &run.state, run.changed), (&killed.id, &RunState::Done, 2), "{run:#?}");
    assert!(town.differing().is_empty());
    assert_eq!(in_use(&town), before - 1);
}

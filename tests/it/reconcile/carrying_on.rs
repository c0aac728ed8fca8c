//! One run at a time, whatever the number of processes; one whose process was killed is carried on
//! by the next.

use std::process::{Child, Command, Stdio};

use instep::app::cancel;
use instep::model::{Certificate, DeliveryId, EmployeeId, RunId, SourceName};
use instep::store::Runs;

use super::*;
use crate::harness::town::INSTEP;

/// `instep sync` in a process of its own.
struct Syncing(Child);

impl Syncing {
    fn start(town: &Town) -> Self {
        let mut command = Command::new(INSTEP);
        command.arg("sync").env("INSTEP_CONFIG", town.config());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the binary runs"))
    }
}

impl Drop for Syncing {
    /// As a crash would.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn is_done(town: &Town, id: &RunId) -> bool {
    let run = town.store().await.run(id).await.expect("a store").expect("a run");
    run.state == RunState::Done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_while_comparing_compares_again() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let before = newest(&town).await.id;
    let id = &town.actives()[4];
    town.change(id, json!({"surname": "Waiting"}));
    let slow = json!({"endpoint": SEARCH, "latency_ms": 30_000, "times": 1});
    town.hr("/_sandbox/faults", slow).await;
    let searches = town.hr_calls().await.of(SEARCH);
    let syncing = Syncing::start(&town);
    town.until("HR is read", async || town.hr_calls().await.of(SEARCH) > searches).await;
    drop(syncing);
    let killed = newest(&town).await;
    assert!(killed.id != before && killed.state == RunState::Comparing, "{killed:#?}");
    // It may be alive: nobody takes it over yet.
    let refused = run(&town, false).await.expect_err("one is under way").to_string();
    assert!(refused.contains(&format!("instep runs watch {}", killed.id)), "{refused}");
    silence(&town).await;
    let _serving = town.serve(&[]).await;
    town.until("the run has ended", async || is_done(&town, &killed.id).await).await;
    assert!(town.differing().is_empty());
    assert_eq!(newest(&town).await.id, killed.id, "the same run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_while_applying_is_followed_to_its_end() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let actives = town.actives();
    for id in &actives[..8] {
        town.change(id, json!({"surname": "Waiting"}));
    }
    // Nobody works yet: all that it queues waits.
    let syncing = Syncing::start(&town);
    let queued = async || town.depth().await.is_some_and(|depth| depth.waiting == 8);
    town.until("all are queued", queued).await;
    drop(syncing);
    silence(&town).await;
    let killed = newest(&town).await;
    assert_eq!(killed.state, RunState::Applying);
    let serving = town.serve(&[]).await;
    serving.kill();
    silence(&town).await;
    let _serving = town.serve(&[]).await;
    town.until("the run has ended", async || is_done(&town, &killed.id).await).await;
    let done = items(&town, &killed).await;
    let done = done.iter().filter(|it| matches!(it.state, ItemState::Done { .. })).count();
    assert_eq!(done, 8, "{}", town.report().await);
    assert!(town.differing().is_empty());
    let orders = town.deliveries(&instep::store::Filter::default()).await;
    let orders = orders
        .iter()
        .filter(|it| actives[..8].contains(&it.employee.clone().expect("one").to_string()));
    assert_eq!(orders.count(), 16, "once to be linked, once by this run");
}

/// Its process wrote down what to queue, and was killed before it had queued anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_before_it_queued_queues() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let id = town.actives()[4].clone();
    town.change(&id, json!({"surname": "Waiting"}));
    let (planned, found) = plan(&town).await;
    let (store, delivery) = (town.store().await, DeliveryId::fresh());
    let killed = Run {
        id: RunId::fresh(),
        revision: 1,
        plan_only: false,
        ended_at: None,
        state: RunState::Applying,
        certificate: Certificate::default(),
        ..planned
    };
    assert!(store.save_run(&killed).await.expect("a store"));
    let mut queued = item(&found, &id).clone();
    queued.state = ItemState::Queued { delivery: delivery.clone() };
    store.save_items(&killed.id, &[queued]).await.expect("items");
    let _serving = town.serve(&[]).await;
    town.until("the run has ended", async || is_done(&town, &killed.id).await).await;
    assert_eq!(town.account_of(&id)["lastName"], "Waiting");
    let made = store.delivery(&delivery).await.expect("a store").expect("the delivery");
    assert_eq!((made.kind.as_str(), made.employee), ("sync", Some(EmployeeId::new(&*id))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_start_at_once_one_makes_the_run() {
    let town = linked(known(20), Kept::Redis, |_| {}).await;
    let before = town.store().await.runs(None, Runs::All, 100).await.expect("runs").len();
    let slow = json!({"endpoint": SEARCH, "latency_ms": 2000});
    town.hr("/_sandbox/faults", slow).await;
    let (one, other) = tokio::join!(town.cli(&["sync"]), town.cli(&["sync"]));
    let (made, refused) = if one.status.success() { (one, other) } else { (other, one) };
    assert!(made.status.success() && !refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("is under way") && told.contains("instep runs watch"), "{told}");
    assert_eq!(
        town.store().await.runs(None, Runs::All, 100).await.expect("runs").len(),
        before + 1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cancelled_run_had_queued_is_not_applied() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let id = town.actives()[4].clone();
    town.change(&id, json!({"surname": "Cancelled"}));
    let cancelled = async {
        let queued = async || town.depth().await.is_some_and(|depth| depth.waiting == 1);
        town.until("it is queued", queued).await;
        let run = newest(&town).await;
        cancel(&**town.store().await, &Clock::system(), &run.id, "ann").await.expect("cancelled")
    };
    let (run, _) = tokio::join!(sync(&town), cancelled);
    assert_eq!(run.state, RunState::Cancelled { by: "ann".into() });
    let writes = town.sandbox.writes();
    let _serving = town.serve(&[]).await;
    town.at_rest().await;
    assert_eq!(town.sandbox.writes(), writes);
    assert_ne!(town.account_of(&id)["lastName"], "Cancelled");
    let source = SourceName::new("bob");
    let again = cancel(&**town.store().await, &Clock::system(), &run.id, "ann").await;
    assert!(again.is_err() && run.source == source);
}

/// Where the LMS shows its accounts.
const USERS: &str = "GET /api/v2/users";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_run_had_read_of_the_lms_is_not_read_again_on_sqlite() {
    Box::pin(what_a_killed_run_had_read(Kept::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_run_had_read_of_the_lms_is_not_read_again_on_redis() {
    Box::pin(what_a_killed_run_had_read(Kept::Redis)).await;
}

/// It is killed with SIGKILL behind its second page of accounts.
async fn what_a_killed_run_had_read(kept: Kept) {
    let town = linked(known(1250), kept, |_| {}).await;
    let in_use = in_use(&town);
    assert!((1001..1500).contains(&in_use), "three pages: {in_use}");
    let id = &town.actives()[4];
    let account = town.account_of(id)["_id"].clone();
    let before = town.lms_calls().await.of(USERS);
    town.lms("/_sandbox/faults", json!({"endpoint": USERS, "latency_ms": 1, "times": 2})).await;
    let slow = json!({"endpoint": USERS, "latency_ms": 30_000, "times": 1, "when": "before"});
    town.lms("/_sandbox/faults", slow).await;
    let syncing = Syncing::start(&town);
    let third = async || town.lms_calls().await.of(USERS) == before + 3;
    town.until("the third page is asked for", third).await;
    drop(syncing);
    let killed = newest(&town).await;
    assert_eq!(killed.state, RunState::Comparing);
    let store = town.store().await;
    assert_eq!(store.pages(&killed.id, 0, 10).await.expect("pages").len(), 2);

    // Changed after its page was read: the live road's work is no difference, though the picture is
    // older.
    silence(&town).await;
    let serving = town.serve(&["--role", "receiver,worker"]).await;
    town.hook_to(&serving);
    town.change(id, json!({"surname": "Meanwhile"}));
    let applied = async || town.account_of(id)["lastName"] == "Meanwhile";
    town.until("it is applied", applied).await;
    town.at_rest().await;

    let calls = town.lms_calls().await;
    let carried = sync(&town).await;
    let now = town.lms_calls().await;
    assert_eq!((&carried.id, &carried.state), (&killed.id, &RunState::Done), "the same run");
    assert_eq!(now.of(USERS) - calls.of(USERS), 2, "the third page, and the deactivated ones");
    assert_eq!(carried.calls["360learning reads"], 3, "external ids too");
    assert_eq!(carried.accounts, u64::try_from(town.sandbox.accounts().len()).expect("few"));
    let found = items(&town, &carried).await;
    assert!(found.iter().all(|it| it.drift == [Drift::Orphan]), "{account}: {found:#?}");
    assert_eq!(store.pages(&killed.id, 0, 10).await.expect("pages"), [], "nobody needs them now");
}

/// A picture of the LMS that is hours old would show differences that are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_too_long_ago_is_read_anew() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let (store, clock) = (town.store().await, Clock::system());
    for (minutes, reads) in [(25, 0), (35, 2)] {
        let (planned, _) = plan(&town).await;
        let begun = Run {
            id: RunId::fresh(),
            revision: 1,
            plan_only: false,
            ended_at: None,
            state: RunState::Comparing,
            ..planned
        };
        assert!(store.save_run(&begun).await.expect("a store"));
        let read_at = clock.now() - jiff::SignedDuration::from_mins(minutes);
        // Everybody is missing in it.
        for (number, list) in (1..).zip(["in use", "deactivated", "external ids"]) {
            let rows = if number < 3 { "q1ZKTE7OL80rKVayio6tBQA" } else { "q1ZKzknMzC1WsoqOrQUA" };
            let rows = rows.to_owned();
            let page = instep::model::Page { number, list: list.into(), read_at, rows, next: None };
            store.save_page(&begun.id, &page).await.expect("a store");
        }
        let calls = town.lms_calls().await.of(USERS);
        let (progress, _) = watch::channel(Progress::default());
        let stop = CancellationToken::new();
        let engine = engine(&town).await;
        let carried = engine.reconciler().resume(&progress, &stop).await.expect("carried on");
        let carried = carried.expect("a run");
        assert_eq!(carried.id, begun.id);
        assert_eq!(carried.accounts == 0, reads == 0, "{minutes} minutes: {carried:#?}");
        assert_eq!(town.lms_calls().await.of(USERS) - calls, reads, "{minutes} minutes");
        assert_eq!(store.pages(&begun.id, 0, 10).await.expect("pages"), []);
    }
}

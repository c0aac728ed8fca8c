//! A run whose process dies between any two of its writes, and an approval whose process does. The
//! next one carries it on: everybody gets what is theirs, once, and the run says so.

use instep::app::approve;
use instep::model::{RunId, SYNC, Selection};
use instep::store::{Filter, Runs};

use super::*;
use crate::harness::dying::Dying;

/// No run has so many writes.
const MANY: usize = 40;

/// How many orders runs have made so far.
async fn orders(town: &Town) -> usize {
    let orders = Filter { kind: Some(SYNC.to_owned()), ..Filter::default() };
    town.deliveries(&orders).await.len()
}

/// The runs that began since this one, oldest first.
async fn since(town: &Town, last: &RunId) -> Vec<Run> {
    let mut runs = town.store().await.runs(None, Runs::All, 20).await.expect("runs");
    runs.retain(|run| run.id > *last);
    runs.reverse();
    runs
}

/// Makes a run with a store that dies at this write; whether it died.
async fn run_dying(town: &Town, write: usize) -> bool {
    let dying = Dying::at(town.store().await, write);
    let store: Arc<dyn Store> = dying.clone();
    let engine = engine_on(town, &store);
    let reconciler = engine.reconciler();
    let (progress, _) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let run = reconciler.run("a test", false, &progress, &stop);
    match dying.do_with(run).await {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => panic!("write {write}: {error}"),
    }
}

/// Whoever is next carries on what is unfinished.
async fn resume(town: &Town) -> Option<Run> {
    let engine = engine(town).await;
    let (progress, _) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    engine.reconciler().resume(&progress, &stop).await.expect("it is carried on")
}

/// Somebody leaves, or comes back.
fn turn(town: &Town, id: &str) {
    let there = town.person(id)["internal"]["status"] == "Active";
    let life = if there { "terminated" } else { "employed" };
    town.change(id, json!({"internal": {"lifecycleStatus": life}}));
}

async fn killed_at_each_write(kept: Kept) {
    let town = linked(known(16), kept, |_| {}).await;
    let _serving = town.serve(&["--role", "worker"]).await;
    town.sandbox.limit(false);
    let actives = town.actives();
    for write in 0..MANY {
        let case = format!("write {write}");
        let (last, before) = (newest(&town).await.id, orders(&town).await);
        for id in &actives[1..3] {
            town.change(id, json!({"surname": format!("Before {write}")}));
        }
        turn(&town, &actives[4]);
        let in_use_then = town.actives().len() + 1;
        let died = run_dying(&town, write).await;
        silence(&town).await;
        if since(&town, &last).await.is_empty() {
            // Nothing was written of it: the next night makes another one.
            sync(&town).await;
        } else {
            resume(&town).await;
        }
        town.at_rest().await;
        let differing = town.differing();
        assert!(differing.is_empty(), "{case}: {differing:#?}\n{}", town.report().await);
        assert_eq!(in_use(&town), in_use_then, "{case}");
        assert_eq!(orders(&town).await - before, 3, "{case}: each person once");
        let runs = since(&town, &last).await;
        let [run] = &runs[..] else { panic!("{case}: {runs:#?}") };
        assert_eq!((&run.state, run.changed, run.failed), (&RunState::Done, 3, 0), "{case}");
        let told = items(&town, run).await;
        let done = |it: &&Item| matches!(&it.state, ItemState::Done { done } if !done.is_empty());
        assert_eq!(told.iter().filter(done).count(), 3, "{case}: {told:#?}");
        if !died {
            assert!(write >= 7, "a run has more than {write} writes");
            return;
        }
    }
    panic!("a run has more than {MANY} writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_at_any_write_is_carried_on_on_sqlite() {
    Box::pin(killed_at_each_write(Kept::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_at_any_write_is_carried_on_on_redis() {
    Box::pin(killed_at_each_write(Kept::Redis)).await;
}

/// Every deactivation needs a human.
fn strict(toml: &mut String) {
    *toml = toml.replace("[brake]\n", "[brake]\ndeactivate = { percent = 0, least = 0 }\n");
}

/// Two leave, and are held; one is approved by a process that dies before that is written, then by
/// one that dies right after it; whoever carries that out dies, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_dies_at_any_write_is_whole_or_nothing() {
    let town = linked(known(16), Kept::Sqlite, strict).await;
    let _serving = town.serve(&["--role", "worker"]).await;
    town.sandbox.limit(false);
    let actives = town.actives();
    let (leaver, kept) = (&actives[4], &actives[5]);
    let is_active = |id: &str| town.account_of(id)["status"] == "active";
    let (store, clock, kind) = (town.store().await, Clock::system(), ChangeKind::Deactivate);
    let only = Selection::Only([instep::model::EmployeeId::new(leaver.as_str())].into());
    for write in 0..MANY {
        let case = format!("write {write}");
        turn(&town, leaver);
        turn(&town, kept);
        let run = sync(&town).await;
        assert!(is_active(leaver) && is_active(kept), "{case}: {run:#?}");
        let read = async || store.run(&run.id).await.expect("a store").expect("a run");

        let dying = Dying::at(store, 0);
        let approved = approve(&*dying, &clock, &run.id, kind, &only, "ann");
        assert!(dying.do_with(approved).await.is_none(), "{case}");
        assert_eq!(read().await, run, "{case}: nothing is approved");
        assert!(resume(&town).await.is_none(), "{case}");
        // One write says it all: whoever dies after it has done the whole of it.
        let dying = Dying::at(store, 1);
        let approved = approve(&*dying, &clock, &run.id, kind, &only, "ann");
        let approved = dying.do_with(approved).await.expect("one write").expect("approved");
        assert_eq!(approved.state, RunState::Applying, "{case}");
        let again = approve(&**store, &clock, &run.id, kind, &only, "bea").await;
        assert!(matches!(again, Err(ReconcileError::NotHeld(_))), "{case}: {again:?}");

        let dying = Dying::at(store, write);
        let on: Arc<dyn Store> = dying.clone();
        let engine = engine_on(&town, &on);
        let (progress, _) = watch::channel(Progress::default());
        let stop = CancellationToken::new();
        let died = dying.do_with(engine.reconciler().resume(&progress, &stop)).await.is_none();
        silence(&town).await;
        resume(&town).await;
        town.at_rest().await;
        assert!(!is_active(leaver) && is_active(kept), "{case}\n{}", town.report().await);
        let ended = read().await;
        assert_eq!((&ended.state, ended.changed), (&RunState::Done, 1), "{case}: {ended:#?}");
        let SliceState::Approved { by, people: 1, .. } = slice(&ended, kind) else {
            panic!("{case}: {ended:#?}");
        };
        assert_eq!((by.as_str(), ended.approvals.len()), ("ann", 0), "{case}");
        let told = items(&town, &run).await;
        assert_eq!(item(&told, kept).state, ItemState::Held, "{case}");
        turn(&town, leaver);
        turn(&town, kept);
        sync(&town).await;
        assert!(is_active(leaver) && is_active(kept), "{case}");
        if !died {
            assert!(write >= 6, "it has more than {write} writes");
            return;
        }
    }
    panic!("it has more than {MANY} writes");
}

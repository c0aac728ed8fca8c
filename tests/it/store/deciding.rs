//! Two operators decide on the same thing at the same moment, on both kinds of store: one does it,
//! the other is told; and whoever dies half way leaves it to the next one.

use std::sync::Arc;
use std::time::Duration;

use instep::access::attempts;
use instep::app::Desk;
use instep::model::{
    Access, Actor, Again, ChangeKind, DeliveryState, EmployeeId, Item, ItemState, Outcome,
    PauseScope, Refused, Run, RunId, RunKind, RunState, Selection, Slice, SliceState, Verb, Via,
    Which,
};
use instep::reconcile::{confirm, reject_preview};
use instep::store::Runs;

use super::suite::runs::item;
use super::suite::{Fixture, bob};
use super::{redis, sqlite};
use crate::harness::dying::Dying;
use crate::who::house;

/// So often two try the same at once.
const ROUNDS: usize = 12;

async fn stores() -> [Fixture; 2] {
    [sqlite::open().await, redis::open().await]
}

fn desk(on: &Fixture) -> Desk {
    let settings = house::settings(&house::SETTINGS.replace("PUBLIC", "http://127.0.0.1:9"));
    Desk::new(Arc::new(settings), on.store.clone(), on.clock.clone())
}

fn operator(name: &str) -> Actor {
    Actor { name: name.to_owned(), access: Access::Operator, via: Via::Console, from: None }
}

type Done = Result<Outcome, Refused>;

/// Ann and Ben do these at the same moment.
async fn at_once(desk: &Desk, ann: Verb, ben: Verb) -> (Done, Done) {
    let act = |name: &'static str, verb: Verb| {
        let desk = desk.clone();
        tokio::spawn(async move { desk.act(&operator(name), verb).await })
    };
    let (ann, ben) = (act("ann", ann), act("ben", ben));
    (ann.await.expect("done"), ben.await.expect("done"))
}

/// One did it, and the other one was told that somebody was faster.
#[track_caller]
fn one_is_told((ann, ben): &(Done, Done)) {
    let told = |done: &Done| matches!(done, Err(Refused::Conflict(_)));
    assert_eq!(usize::from(ann.is_ok()) + usize::from(ben.is_ok()), 1, "{ann:?} {ben:?}");
    assert_eq!(usize::from(told(ann)) + usize::from(told(ben)), 1, "{ann:?} {ben:?}");
}

fn slice(on: &Fixture, people: u64) -> Slice {
    let state = SliceState::Held { reason: "above its limit".into(), until: on.later(3600) };
    Slice { kind: ChangeKind::Update, people, limit: 0, state, common: Vec::new() }
}

/// A run of which some people wait for a decision, in a slice or, without one, for nothing to do.
async fn waits(on: &Fixture, replay: bool, sliced: bool) -> RunId {
    let mut run = Run::begun(RunId::fresh(), bob(), "cem", on.clock.now());
    run.state = RunState::Done;
    run.ended_at = Some(on.clock.now());
    if replay {
        let which = Which { state: Some(DeliveryState::Dead), ..Which::default() };
        run.kind = RunKind::Replay { which, reason: "a test".into(), per_minute: 60 };
        run.state = RunState::Previewed { until: on.later(3600) };
        run.ended_at = None;
    }
    if sliced {
        run.slices.push(slice(on, 3));
    }
    assert!(on.store.save_run(&run).await.expect("a store"));
    let mut items = Vec::new();
    for number in 1..=3 {
        let delivery = on.accept(&number.to_string(), super::suite::Lane::Live).await;
        let again = vec![Again { delivery, settled: on.clock.now() }];
        let kind = sliced.then_some(ChangeKind::Update);
        items.push(Item { kind, state: ItemState::Held, again, ..item(number, "Somebody") });
    }
    on.store.save_items(&run.id, &items).await.expect("a store");
    run.id
}

fn approve(run: &RunId) -> Verb {
    Verb::Approve { run: run.clone(), slice: None, whom: Selection::All }
}

fn reject(run: &RunId) -> Verb {
    Verb::Reject { run: run.clone(), slice: None, reason: "not today".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_decide_on_a_run_one_is_told() {
    for on in stores().await {
        let desk = desk(&on);
        for round in 0..ROUNDS {
            let (replay, sliced) = (round % 3 > 0, round % 3 < 2);
            let run = waits(&on, replay, sliced).await;
            one_is_told(&at_once(&desk, approve(&run), approve(&run)).await);
            let decided = on.store.run(&run).await.expect("a store").expect("a run");
            assert_eq!(decided.state, RunState::Applying);
            for slice in &decided.slices {
                let SliceState::Approved { people, .. } = slice.state else { panic!("{slice:?}") };
                assert_eq!(people, 3, "nobody is counted twice");
            }

            let run = waits(&on, replay, sliced).await;
            one_is_told(&at_once(&desk, reject(&run), reject(&run)).await);
            let run = waits(&on, replay, sliced).await;
            let both = at_once(&desk, approve(&run), reject(&run)).await;
            one_is_told(&both);
            let decided = on.store.run(&run).await.expect("a store").expect("a run");
            assert_eq!(decided.state == RunState::Applying, both.0.is_ok(), "{decided:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cancelled_run_held_waits_for_nobody() {
    for on in stores().await {
        let desk = desk(&on);
        let run = waits(&on, true, true).await;
        assert_eq!(on.store.runs(None, Runs::Open, 9).await.expect("a store").len(), 1);
        desk.act(&operator("cem"), Verb::Cancel { run: run.clone() }).await.expect("cancelled");
        let cancelled = on.store.run(&run).await.expect("a store").expect("a run");
        let SliceState::Rejected(rejection) = &cancelled.slices[0].state else {
            panic!("{cancelled:?}")
        };
        let said = (rejection.by.as_str(), rejection.reason.as_str());
        assert_eq!(said, ("cem", "the run was cancelled"));
        assert_eq!(on.store.runs(None, Runs::Open, 9).await.expect("a store"), []);
        let late = desk.act(&operator("ann"), approve(&run)).await;
        assert!(matches!(late, Err(Refused::Conflict(_))), "{late:?}");

        // What a run would hold that only looks waits for nobody either.
        let mut looked = Run::begun(RunId::fresh(), bob(), "cem", on.clock.now());
        (looked.plan_only, looked.ended_at) = (true, Some(on.clock.now()));
        looked.slices.push(slice(&on, 3));
        assert!(on.store.save_run(&looked).await.expect("a store"));
        assert_eq!(on.store.runs(None, Runs::Open, 9).await.expect("a store"), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_stop_something_one_is_told() {
    for on in stores().await {
        let desk = desk(&on);
        for _ in 0..ROUNDS {
            let run = waits(&on, true, true).await;
            desk.act(&operator("cem"), approve(&run)).await.expect("approved");
            let pause = || Verb::PauseRun { run: run.clone() };
            one_is_told(&at_once(&desk, pause(), pause()).await);
            let resume = || Verb::ResumeRun { run: run.clone() };
            one_is_told(&at_once(&desk, resume(), resume()).await);
            let cancel = || Verb::Cancel { run: run.clone() };
            one_is_told(&at_once(&desk, cancel(), cancel()).await);

            let pause = |reason: &str| Verb::Pause {
                scope: PauseScope::Target,
                reason: reason.to_owned(),
                until: None,
            };
            let (ann, ben) = at_once(&desk, pause("one"), pause("another")).await;
            let said = [ann, ben].map(|done| done.expect("paused").said);
            let told = said.iter().filter(|said| said.contains("was paused by")).count();
            assert_eq!(told, 1, "whoever came second is told whose pause it replaces: {said:?}");
            let resume = || Verb::Resume { scope: PauseScope::Target };
            one_is_told(&at_once(&desk, resume(), resume()).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_replay_or_discard_the_same_one_is_told() {
    for on in stores().await {
        let desk = desk(&on);
        for round in 0..ROUNDS {
            let id = on.accept_and_settle(&format!("9{round}"), DeliveryState::Dead).await;
            let which = || Which { ids: vec![id.clone()], ..Which::default() };
            let replay =
                || Verb::Replay { which: which(), reason: "a test".into(), per_minute: None };
            one_is_told(&at_once(&desk, replay(), replay()).await);
            one_is_told(&(Ok(Outcome::default()), desk.act(&operator("cem"), replay()).await));

            let discard = || Verb::Discard { which: which(), reason: "of no use".into() };
            let (ann, ben) = at_once(&desk, discard(), discard()).await;
            let done = usize::from(ann.is_ok()) + usize::from(ben.is_ok());
            assert_eq!(done, 1, "{ann:?} {ben:?}");
            let told = [ann, ben].into_iter().find_map(Result::err).expect("one is told");
            assert!(matches!(told, Refused::NotFound(_)), "{told:?}");
        }
    }
}

/// The process of the first one dies at each write in turn. Until it is known to be dead nobody
/// else finds the same people waiting; then whoever decides again has all of it done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_was_cut_off_is_made_again() {
    for open in [0, 1] {
        let mut writes = 0;
        for write in 0.. {
            let on = if open == 0 { sqlite::open().await } else { redis::open().await };
            let run = waits(&on, true, true).await;
            let dying = Dying::at(&on.store, write);
            let all = Selection::All;
            let first = confirm(&*dying, &on.clock, &run, None, &all, "ann");
            let ended = dying.do_with(first).await;
            let second = confirm(&*on.store, &on.clock, &run, None, &all, "ben").await;
            if let Some(first) = ended {
                first.expect("confirmed");
                second.expect_err("she confirmed it");
                writes = write;
                break;
            }
            // With the very first write she has the turn; what comes after it nobody sees half done.
            assert_eq!(second.is_ok(), write == 0, "{write}: {second:?}");
            on.pass(61);
            let again = confirm(&*on.store, &on.clock, &run, None, &all, "ben").await;
            let rejected = reject_preview(&*on.store, &on.clock, &run, "late", "cem").await;
            assert_eq!(again.is_ok(), (1..=3).contains(&write), "{write}: {again:?}");
            rejected.expect_err("it is confirmed");
            let decided = on.store.run(&run).await.expect("a store").expect("a run");
            assert_eq!(decided.state, RunState::Applying, "{write}");
            let SliceState::Approved { people, .. } = decided.slices[0].state else {
                panic!("{decided:?}")
            };
            assert_eq!(people, 3, "{write}: nobody is counted twice");
            let items = on.store.items(&run, 0, 10).await.expect("a store");
            let queued = |item: &Item| matches!(item.state, ItemState::Queued { .. });
            assert!(items.iter().all(queued), "{write}: {items:?}");
        }
        assert!(writes >= 4, "{writes}");
    }
}

/// Names that share a counter with another one do not lock that one out.
#[tokio::test]
async fn an_address_alone_locks_nobody_out() {
    let on = sqlite::open().await;
    let counter = |name: &str| {
        let digest = instep::access::digest(name);
        u64::from_str_radix(&digest[..15], 16).expect("hexadecimal") % 4096
    };
    let alike = (0..).map(|n| format!("x{n}")).filter(|name| counter(name) == counter("anna"));
    let guesser = Some("203.0.113.9".parse().expect("an address"));
    let mut tries = 0;
    for name in alike.take(120) {
        let wait = attempts::take(&*on.store, &name, guesser).await.expect("a store");
        tries += usize::from(wait.is_none());
        on.clock.advance(Duration::from_secs(10));
    }
    assert!(tries < 40, "{tries}: what she has from everywhere");
    let anna = Some("192.0.2.44".parse().expect("an address"));
    let wait = attempts::take(&*on.store, "anna", anna).await.expect("a store");
    assert_eq!(wait, None, "she comes from elsewhere and is let in");
}

/// Whoever is named twice in an approval is one person.
#[tokio::test]
async fn a_part_that_was_approved_is_not_approved_again() {
    let on = sqlite::open().await;
    let (desk, run) = (desk(&on), waits(&on, true, true).await);
    let part = |ids: &[&str]| Verb::Approve {
        run: run.clone(),
        slice: Some(ChangeKind::Update),
        whom: Selection::Only(ids.iter().map(|id| EmployeeId::new(*id)).collect()),
    };
    desk.act(&operator("ann"), part(&["1", "2"])).await.expect("approved");
    let again = desk.act(&operator("ben"), part(&["1"])).await;
    assert!(matches!(again, Err(Refused::Conflict(_))), "{again:?}");
    desk.act(&operator("ben"), part(&["2", "3"])).await.expect("the rest");
    let decided = on.store.run(&run).await.expect("a store").expect("a run");
    assert!(
        matches!(&decided.slices[0].state, SliceState::Approved { people: 3, .. }),
        "{decided:?}"
    );
}

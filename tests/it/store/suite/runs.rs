//! Runs and their items: written only by who knows the revision, listed, let go together.

use std::collections::BTreeMap;
use std::time::Duration;

use instep::model::{
    AccountId, Blame, Certificate, ChangeKind, DeliveryId, Drift, EmployeeId, Item, ItemState, Run,
    RunId, RunKind, RunState, Slice, SliceState, SourceName, Which,
};
use instep::store::{Retention, Runs, StoreError};
use jiff::Timestamp;

use super::{Fixture, NEWER, Stored, bob};

/// A run of this source that begins now.
pub fn run(on: &Fixture, id: RunId, source: SourceName) -> Run {
    Run { rules: "1".into(), ..Run::begun(id, source, "the schedule", on.clock.now()) }
}

/// An item that tells of somebody with this name.
pub fn item(number: u64, name: &str) -> Item {
    Item {
        number,
        employee: Some(EmployeeId::new(number.to_string())),
        name: name.into(),
        account: None,
        kind: None,
        drift: Vec::new(),
        blame: None,
        state: ItemState::Told,
        again: Vec::new(),
    }
}

/// A run of `bob` that is stored.
async fn saved(on: &Fixture) -> Run {
    let run = run(on, RunId::fresh(), bob());
    save(on, &run).await;
    run
}

/// A run of `bob` that is stored and has ended.
async fn ended(on: &Fixture) -> Run {
    let run = Run { ended_at: Some(on.clock.now()), ..run(on, RunId::fresh(), bob()) };
    save(on, &run).await;
    run
}

async fn save(on: &Fixture, run: &Run) {
    assert!(on.store.save_run(run).await.unwrap(), "{run:?}");
}

async fn refuse(on: &Fixture, run: &Run) {
    assert!(!on.store.save_run(run).await.unwrap(), "{run:?}");
}

async fn numbers(on: &Fixture, run: &RunId, after: u64, most: usize) -> Vec<u64> {
    let items = on.store.items(run, after, most).await.unwrap();
    items.into_iter().map(|item| item.number).collect()
}

async fn listed(on: &Fixture, source: Option<&str>, most: usize) -> Vec<RunId> {
    let source = source.map(SourceName::new);
    let runs = on.store.runs(source.as_ref(), Runs::All, most).await.unwrap();
    runs.into_iter().map(|run| run.id).collect()
}

/// Everything that a run and an item can hold.
pub async fn a_run_is_kept_as_it_is(mut on: Fixture) {
    let delivery = DeliveryId::fresh();
    let slice = |kind, state| Slice {
        kind,
        people: 430,
        limit: 50,
        state,
        common: vec!["412 of 430 have work.site = nothing".into()],
    };
    let held = SliceState::Held { reason: "above its limit".into(), until: on.later(60) };
    let counts = |name: &str| BTreeMap::from([(name.to_owned(), u64::MAX)]);
    let full = Run {
        ended_at: Some(on.later(3)),
        state: RunState::Cancelled { by: "Zoë \0 \u{1F984}".into() },
        certificate: Certificate { missing: vec!["half".into()], fields: counts("work.site") },
        filtered: counts("scope"),
        slices: vec![
            slice(ChangeKind::Deactivate, held),
            slice(ChangeKind::Create, SliceState::Free),
        ],
        calls: counts("hibob searches"),
        waited_ms: counts("hibob budget"),
        remarks: vec!["one page came twice".into()],
        ..run(&on, RunId::fresh(), bob())
    };
    let told = Item {
        account: Some(AccountId::new("a")),
        kind: Some(ChangeKind::ChangeMail),
        drift: vec![
            Drift::Field { name: "mail".into(), old: Some("a\0b".into()), new: None },
            Drift::ShouldBeInactive,
        ],
        blame: Some(Blame::Failed { delivery: delivery.clone() }),
        state: ItemState::Failed { delivery, code: "mailAlreadyUsed".into(), reason: "…".into() },
        ..item(1, "Zoë \0 \u{1F984}")
    };
    save(&on, &full).await;
    on.store.save_items(&full.id, std::slice::from_ref(&told)).await.unwrap();
    on.reopen().await;
    assert_eq!(on.store.run(&full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(on.store.items(&full.id, 0, 10).await.unwrap(), [told]);
    assert_eq!(on.store.runs(None, Runs::All, 10).await.unwrap(), [full]);

    for name in ["", "\0", "a\0b", "*", "items:1", "Zoë \u{1F984}\n"] {
        assert_eq!(on.store.run(&RunId::new(name)).await.unwrap(), None);
        let strange = run(&on, RunId::new(name), SourceName::new(name));
        save(&on, &strange).await;
        on.store.save_items(&strange.id, &[item(7, name)]).await.unwrap();
        assert_eq!(on.store.run(&strange.id).await.unwrap(), Some(strange.clone()));
        assert_eq!(on.store.items(&strange.id, 0, 10).await.unwrap(), [item(7, name)]);
        assert_eq!(on.store.runs(Some(&strange.source), Runs::All, 10).await.unwrap(), [strange]);
    }
}

pub async fn a_run_is_written_by_who_knows_its_revision(mut on: Fixture) {
    let first = run(&on, RunId::fresh(), bob());
    let at = |revision, people| Run { revision, people, ..first.clone() };
    for revision in [0, 2, u64::MAX] {
        refuse(&on, &at(revision, 0)).await;
    }
    assert_eq!(on.store.run(&first.id).await.unwrap(), None);
    assert_eq!(listed(&on, None, 10).await, []);
    save(&on, &at(1, 1)).await;
    refuse(&on, &at(1, 1)).await;
    on.reopen().await;
    for revision in [0, 1, 3, u64::MAX] {
        refuse(&on, &at(revision, 2)).await;
    }
    assert_eq!(on.store.run(&first.id).await.unwrap(), Some(at(1, 1)));
    save(&on, &at(2, 2)).await;
    refuse(&on, &at(2, 3)).await;
    for revision in 3..=12 {
        save(&on, &at(revision, revision)).await;
        refuse(&on, &at(revision, 0)).await;
        refuse(&on, &at(revision - 1, 0)).await;
    }
    assert_eq!(on.store.run(&first.id).await.unwrap(), Some(at(12, 12)));
    assert_eq!(listed(&on, None, 10).await, [first.id]);
}

/// Eight count together, four of them in another process; no count is lost. Then two say the very
/// same thing, and only one of them is heard.
pub async fn of_many_who_write_one_succeeds(on: Fixture) {
    let other = (on.open_again)().await;
    let id = saved(&on).await.id;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (id, store) = (id.clone(), if n < 4 { other.clone() } else { on.store.clone() });
        tasks.spawn(async move {
            for _ in 0..15 {
                loop {
                    let mut run = store.run(&id).await.unwrap().expect("it is there");
                    run.revision += 1;
                    run.people += 1;
                    if store.save_run(&run).await.unwrap() {
                        break;
                    }
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no task fails");
    }
    let mut run = on.store.run(&id).await.unwrap().unwrap();
    assert_eq!((run.people, run.revision), (120, 121));

    for _ in 0..20 {
        run.revision += 1;
        let (one, two) = tokio::join!(on.store.save_run(&run), other.save_run(&run));
        assert!(one.unwrap() != two.unwrap(), "exactly one wins");
    }
    let fresh = self::run(&on, RunId::fresh(), bob());
    let (one, two) = tokio::join!(on.store.save_run(&fresh), other.save_run(&fresh));
    assert!(one.unwrap() != two.unwrap(), "so does exactly one of two who begin");
}

pub async fn runs_are_listed_newest_first(on: Fixture) {
    let mut ids = Vec::new();
    for n in 0..130 {
        let source = SourceName::new(if n % 10 == 0 { "ann" } else { "bob" });
        let run = run(&on, RunId::fresh(), source);
        save(&on, &run).await;
        ids.push(run.id);
    }
    ids.reverse();
    // A later revision makes no run newer.
    let oldest = on.store.run(&ids[129]).await.unwrap().unwrap();
    save(&on, &Run { revision: 2, ..oldest }).await;
    for most in [0, 1, 49, 50, 51, 130, 500] {
        assert_eq!(listed(&on, None, most).await, ids[..most.min(130)]);
    }
    let of_ann: Vec<_> = ids.iter().skip(9).step_by(10).cloned().collect();
    assert_eq!(of_ann.len(), 13);
    assert_eq!(listed(&on, Some("ann"), 500).await, of_ann);
    assert_eq!(listed(&on, Some("ann"), 6).await, of_ann[..6], "however few of many they are");
    assert_eq!(listed(&on, Some("bob"), 500).await.len(), 117);
    assert_eq!(listed(&on, Some("an"), 500).await, []);
}

/// A slice that is held, a run that has not ended: they stand however much was replayed since.
pub async fn open_runs_are_found_however_old(mut on: Fixture) {
    let open = async |on: &Fixture| {
        let runs = on.store.runs(Some(&bob()), Runs::Open, usize::MAX).await.unwrap();
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let held = Slice {
        kind: ChangeKind::Deactivate,
        people: 430,
        limit: 50,
        state: SliceState::Held { reason: "above its limit".into(), until: on.later(60) },
        common: Vec::new(),
    };
    let under_way = saved(&on).await;
    let waits = Run { slices: vec![held], ..ended(&on).await };
    let waits = Run { revision: 2, ..waits };
    save(&on, &waits).await;
    save(&on, &run(&on, RunId::fresh(), SourceName::new("ann"))).await;
    let kind =
        RunKind::Replay { which: Which::default(), reason: "HR mended it".into(), per_minute: 60 };
    for _ in 0..120 {
        let replay = run(&on, RunId::fresh(), bob());
        save(&on, &Run { kind: kind.clone(), ended_at: Some(on.clock.now()), ..replay }).await;
    }
    on.reopen().await;
    assert_eq!(open(&on).await, [&waits.id, &under_way.id].map(Clone::clone));
    let one = on.store.runs(Some(&bob()), Runs::Open, 1).await.unwrap();
    assert_eq!(one, std::slice::from_ref(&waits));
    assert_eq!(on.store.runs(None, Runs::Open, 10).await.unwrap().len(), 3, "of every source");
    let syncs = on.store.runs(Some(&bob()), Runs::FullSyncs, 1).await.unwrap();
    assert_eq!(syncs, std::slice::from_ref(&waits));
    let looked = Run { plan_only: true, ..ended(&on).await };
    let looked = Run { revision: 2, ..looked };
    save(&on, &looked).await;
    let syncs = on.store.runs(Some(&bob()), Runs::FullSyncs, 9).await.unwrap();
    let ids: Vec<_> = syncs.iter().map(|run| &run.id).collect();
    assert_eq!(ids, [&looked.id, &waits.id, &under_way.id]);
    assert_eq!(on.store.runs(Some(&bob()), Runs::Acting, 9).await.unwrap(), syncs[1..]);

    let mut closed = Run { revision: 3, ..waits };
    closed.slices[0].state = SliceState::Expired;
    save(&on, &closed).await;
    assert_eq!(open(&on).await, std::slice::from_ref(&under_way.id));
    save(&on, &Run { revision: 2, ended_at: Some(on.clock.now()), ..under_way.clone() }).await;
    assert_eq!(open(&on).await, []);
    save(&on, &Run { revision: 3, ..under_way.clone() }).await;
    assert_eq!(open(&on).await, [under_way.id], "it goes on");
}

pub async fn an_unreadable_run_stops_nobody_else(on: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(saved(&on).await.id);
    }
    ids.reverse();
    (on.plant)(Stored::Run(ids[1].clone()), NEWER.into()).await;
    (on.plant)(Stored::Run(ids[2].clone()), "{".into()).await;
    let readable = [&ids[0], &ids[3], &ids[4], &ids[5]].map(Clone::clone);
    assert_eq!(listed(&on, None, 10).await, readable);
    assert_eq!(listed(&on, Some("bob"), 3).await, readable[..3], "a page is full");
    let refused = on.store.run(&ids[1]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreadable { what: "run", .. }), "{refused:?}");
    assert!(refused.to_string().contains("upgrade"), "{refused}");
    let refused = on.store.run(&ids[2]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreadable { what: "run", .. }), "{refused:?}");
}

pub async fn items_come_by_their_numbers(mut on: Fixture) {
    let (one, other) = (saved(&on).await.id, saved(&on).await.id);
    assert_eq!(numbers(&on, &one, 0, 10).await, [0; 0]);
    on.store.save_items(&one, &[]).await.unwrap();
    let some: Vec<_> = [30, 4, 100, 9, 20].map(|n| item(n, "first")).into();
    on.store.save_items(&one, &some).await.unwrap();
    on.store.save_items(&other, &[item(5, "of the other"), item(4, "of the other")]).await.unwrap();
    on.reopen().await;
    assert_eq!(numbers(&on, &one, 0, 10).await, [4, 9, 20, 30, 100]);
    assert_eq!(numbers(&on, &one, 0, 2).await, [4, 9]);
    assert_eq!(numbers(&on, &one, 9, 2).await, [20, 30], "after what came last");
    assert_eq!(numbers(&on, &one, 10, 10).await, [20, 30, 100]);
    assert_eq!(numbers(&on, &one, 100, 10).await, [0; 0]);
    assert_eq!(numbers(&on, &one, u64::MAX, 10).await, [0; 0]);
    assert_eq!(numbers(&on, &one, 0, 0).await, [0; 0]);
    assert_eq!(numbers(&on, &RunId::new("no such"), 0, 10).await, [0; 0]);

    // The last one with a number is the one that stays.
    let again = [item(9, "second"), item(5, "new"), item(9, "third"), item(4, "first")];
    on.store.save_items(&one, &again).await.unwrap();
    let expected =
        [item(4, "first"), item(5, "new"), item(9, "third"), item(20, "first"), item(30, "first")];
    assert_eq!(on.store.items(&one, 0, 5).await.unwrap(), expected);
    assert_eq!(numbers(&on, &other, 0, 10).await, [4, 5]);
}

pub async fn items_are_written_and_read_in_parts(on: Fixture) {
    const MANY: u64 = 6_000;
    let id = saved(&on).await.id;
    let mut all: Vec<_> = (1..=MANY).map(|n| item(n, "Zoë")).collect();
    // One of them fills a part alone.
    all[3_000].name = "x".repeat(1_000_000);
    on.store.save_items(&id, &all).await.unwrap();
    for most in [700, 2_500, 10_000] {
        let mut read: Vec<Item> = Vec::new();
        loop {
            let after = read.last().map_or(0, |item| item.number);
            let page = on.store.items(&id, after, most).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert_eq!(page.len(), most.min(all.len() - read.len()), "a page is full");
            read.extend(page);
        }
        assert!(read == all, "{} of {MANY}", read.len());
    }
}

/// A report that leaves somebody out would not tell the truth.
pub async fn an_unreadable_item_is_told(on: Fixture) {
    let id = saved(&on).await.id;
    let all: Vec<_> = (1..=5).map(|n| item(n, "Zoë")).collect();
    on.store.save_items(&id, &all).await.unwrap();
    (on.plant)(Stored::Item(id.clone(), 3), NEWER.into()).await;
    let refused = on.store.items(&id, 0, 10).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreadable { what: "item", .. }), "{refused:?}");
    assert_eq!(numbers(&on, &id, 0, 2).await, [1, 2]);
    assert_eq!(numbers(&on, &id, 3, 10).await, [4, 5]);
    on.store.save_items(&id, &all[2..3]).await.unwrap();
    assert_eq!(on.store.items(&id, 0, 10).await.unwrap(), all, "written anew it is read");
}

pub async fn there_are_no_items_without_their_run(on: Fixture) {
    let id = RunId::fresh();
    let refused = on.store.save_items(&id, &[item(1, "Zoë")]).await.unwrap_err();
    assert!(matches!(&refused, StoreError::NoRun(run) if *run == id), "{refused:?}");
    save(&on, &run(&on, id.clone(), bob())).await;
    assert_eq!(numbers(&on, &id, 0, 10).await, [0; 0], "what was refused left nothing");
    on.store.save_items(&id, &[item(1, "Zoë")]).await.unwrap();
}

async fn trim(on: &Fixture, runs: Timestamp) -> u64 {
    let start = Timestamp::UNIX_EPOCH;
    let mut all = 0;
    loop {
        let retention = Retention { events: start, deliveries: start, runs, audit: start };
        match on.store.trim(retention).await.unwrap() {
            0 => return all,
            some => all += some,
        }
    }
}

pub async fn old_runs_go_with_their_items(mut on: Fixture) {
    let all: Vec<_> = (1..=3).map(|n| item(n, "Zoë")).collect();
    let (old, open, resumed) = (ended(&on).await, saved(&on).await, ended(&on).await);
    let resumed = Run { revision: 2, ended_at: None, ..resumed };
    save(&on, &resumed).await;
    on.pass(100);
    let middle = on.clock.now();
    let young = ended(&on).await;
    for run in [&old, &open, &resumed, &young] {
        on.store.save_items(&run.id, &all).await.unwrap();
    }
    assert_eq!(trim(&on, Timestamp::UNIX_EPOCH).await, 0);
    assert_eq!(trim(&on, old.started_at).await, 0, "it did not begin before this");
    assert_eq!(trim(&on, middle).await, 4);
    on.reopen().await;
    assert_eq!(on.store.run(&old.id).await.unwrap(), None);
    assert_eq!(numbers(&on, &old.id, 0, 10).await, [0; 0]);
    let left = [&young.id, &resumed.id, &open.id].map(Clone::clone);
    assert_eq!(listed(&on, None, 10).await, left);
    for id in &left {
        assert_eq!(on.store.items(id, 0, 10).await.unwrap(), all);
    }
    refuse(&on, &Run { revision: 2, ..old.clone() }).await;
    let refused = on.store.save_items(&old.id, &all).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoRun(_)), "{refused:?}");

    // When it began counts, even if it ends long after.
    on.clock.advance(Duration::from_hours(24 * 1000));
    save(&on, &Run { revision: 2, ended_at: Some(on.clock.now()), ..open.clone() }).await;
    assert_eq!(trim(&on, middle).await, 4);
    assert_eq!(trim(&on, on.clock.now()).await, 4, "the young one");
    assert_eq!(listed(&on, None, 10).await, [resumed.id], "it has not ended");
    save(&on, &old).await;
    assert_eq!(numbers(&on, &old.id, 0, 10).await, [0; 0], "nothing of before comes back");
}

pub async fn runs_go_some_at_a_time(on: Fixture) {
    let all: Vec<_> = (1..=20).map(|n| item(n, "Zoë")).collect();
    for _ in 0..80 {
        let run = ended(&on).await;
        on.store.save_items(&run.id, &all).await.unwrap();
    }
    on.pass(1);
    let now = on.clock.now();
    let some = on
        .store
        .trim(Retention { events: now, deliveries: now, runs: now, audit: now })
        .await
        .unwrap();
    assert!((1..80 * 21).contains(&some), "{some} at once");
    assert_eq!(some + trim(&on, now).await, 80 * 21);
    assert_eq!(listed(&on, None, 100).await, []);
}

//! The brake: a slice that is too large waits for a human, and so does a storm of live events.

use instep::app::{approve, reject};
use instep::model::{DeliveryState, EmployeeId, RunId, RunKind, Selection, Which};
use instep::sandbox::Change;
use instep::store::Filter;
use jiff::ToSpan as _;

use super::*;

/// The limit of a small company: ten in an hour, eight of them at once.
fn usual(toml: &mut String) {
    let lifted = "deactivations_per_hour = { percent = 100, least = 100000 }\n";
    assert!(toml.contains(lifted), "a town lifts the limit");
    *toml = toml.replace(lifted, "deactivations_per_hour = { percent = 2, least = 10 }\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_slice_waits_for_a_human_and_the_rest_goes_on() {
    // More are approved than the hour allows: a human has seen them.
    let town = linked(known(60), Kept::Sqlite, usual).await;
    let _serving = town.serve(&[]).await;
    let actives = town.actives();
    for id in &actives[..12] {
        town.change(id, left());
    }
    town.change(&actives[20], json!({"surname": "Free"}));
    let before = in_use(&town);
    let run = sync(&town).await;
    assert!(matches!(slice(&run, ChangeKind::Deactivate), SliceState::Held { .. }), "{run:#?}");
    assert_eq!(slice(&run, ChangeKind::Update), &SliceState::Free);
    assert_eq!((run.state.clone(), in_use(&town)), (RunState::Done, before));
    assert_eq!(town.account_of(&actives[20])["lastName"], "Free");

    // One of them returns before somebody approves: the present truth is asked again.
    town.change(&actives[2], json!({"internal": {"lifecycleStatus": "employed"}}));
    let spared = Selection::Except([EmployeeId::new(&*actives[0])].into());
    let (store, clock) = (town.store().await, Clock::system());
    let kind = ChangeKind::Deactivate;
    let approved = approve(&**store, &clock, &run.id, kind, &spared, "ann").await;
    let approved = approved.expect("it is approved");
    assert_eq!((&approved.state, approved.ended_at), (&RunState::Applying, None));
    let ended = async || {
        let run = store.run(&run.id).await.expect("a store").expect("a run");
        run.state == RunState::Done
    };
    town.until("the approved run has ended", ended).await;
    assert_eq!(in_use(&town), before - 10, "{}", town.report().await);
    for id in [&actives[0], &actives[2]] {
        assert_eq!(town.account_of(id)["status"], "active");
    }
    let after = items(&town, &run).await;
    assert_eq!(item(&after, &actives[0]).state, ItemState::Held);
    // What is left of it can be rejected, and then neither approved nor rejected any more.
    let rejected = reject(&**store, &clock, &run.id, kind, "no", "ann").await;
    let rejected = rejected.expect("the one who is left");
    let rest = matches!(
        slice(&rejected, kind), SliceState::Approved { people: 11, rest: Some(no), .. } if no.reason == "no"
    );
    assert!(rest, "{rejected:#?}");
    let again = reject(&**store, &clock, &run.id, kind, "no", "ann").await;
    assert!(matches!(again, Err(ReconcileError::NotHeld(_))), "{again:?}");
    let late = approve(&**store, &clock, &run.id, kind, &Selection::All, "ann").await;
    assert!(matches!(late, Err(ReconcileError::NotHeld(_))), "{late:?}");
    let free = approve(&**store, &clock, &run.id, ChangeKind::Update, &Selection::All, "ann").await;
    assert!(matches!(free, Err(ReconcileError::NotHeld(_))), "{free:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_departures_is_stopped_until_a_human_has_looked() {
    let town = Town::new(known(60), Kept::Sqlite, usual).await;
    let serving = town.serve(&[]).await;
    sync(&town).await;
    town.hook_to(&serving);
    let actives = town.actives();
    for id in &actives[..20] {
        town.change(id, left());
    }
    town.at_rest().await;
    let gone = || {
        let status = |id: &String| town.account_of(id)["status"].clone();
        actives[..20].iter().filter(|id| status(id) == "deleted").count()
    };
    assert!((1..=10).contains(&gone()), "{} are deactivated", gone());
    let stopped = Filter { code: Some("brake".into()), ..Filter::default() };
    let stopped = town.deliveries(&stopped).await;
    assert!(!stopped.is_empty());
    for delivery in &stopped {
        let reason = delivery.reason.clone().unwrap_or_default();
        assert_eq!(delivery.state, DeliveryState::Dead);
        assert!(reason.contains("instep replay --code brake"), "{reason}");
    }
    town.told(&["replay", "--code", "brake", "--yes"]).await;
    town.in_step().await;
    assert_eq!(gone(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_leavers_notice_nothing() {
    let town = Town::new(known(20), Kept::Sqlite, usual).await;
    let _serving = town.open().await;
    for id in &town.actives()[..4] {
        town.change(id, left());
    }
    town.in_step().await;
}

/// Those of them who may not use the LMS any more.
fn gone(town: &Town, ids: &[String]) -> usize {
    ids.iter().filter(|id| town.account_of(id)["status"] == "deleted").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_and_a_run_together_stay_within_the_hour() {
    let town = Town::new(known(60), Kept::Sqlite, usual).await;
    let serving = town.serve(&[]).await;
    sync(&town).await;
    town.hook_to(&serving);
    let actives = town.actives();
    for id in &actives[..8] {
        town.change(id, left());
    }
    town.in_step().await;
    assert_eq!(gone(&town, &actives[..8]), 8, "as many as may come at once");
    for id in &actives[8..11] {
        let id = Some(id.clone());
        let change = Change { id, merge: left(), silent: true, ..Change::default() };
        town.sandbox.change(&change).expect("they left");
    }
    let watch = async {
        let waits = async || {
            let waiting = Filter { state: Some(DeliveryState::Waiting), ..Filter::default() };
            let waiting = town.deliveries(&waiting).await;
            let is_told = |reason: &String| reason.starts_with("waits for its turn");
            let told = |it: &&instep::model::Delivery| it.reason.as_ref().is_some_and(is_told);
            waiting.iter().filter(told).filter(|it| it.attempts == 0).count() == 3
        };
        town.until("the run waits for its turn", waits).await;
        town.told(&["runs", "cancel", "last", "--by", "ann"]).await;
    };
    let (ended, ()) = tokio::join!(run(&town, false), watch);
    let ended = ended.expect("a run");
    assert_eq!(slice(&ended, ChangeKind::Deactivate), &SliceState::Free, "by itself it is small");
    assert_eq!(gone(&town, &actives[..11]), 8, "{}", town.report().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_approves_in_time_expires_and_so_does_what_is_left_of_a_part() {
    let town = linked(known(60), Kept::Sqlite, |_| {}).await;
    let _serving = town.serve(&[]).await;
    let actives = town.actives();
    for id in &actives[..12] {
        town.change(id, left());
    }
    let (store, clock, kind) = (town.store().await, Clock::system(), ChangeKind::Deactivate);
    let three_days = std::time::Duration::from_secs(72 * 3600);
    let (soon, late) = (Clock::manual(town.now()), Clock::manual(town.now()));
    soon.advance(std::time::Duration::from_secs(71 * 3600));
    late.advance(three_days + crate::harness::town::PATIENCE * 4);

    let first = sync(&town).await;
    let one = |place: usize| Selection::Only([EmployeeId::new(&*actives[place])].into());
    for (place, clock) in [(0, &clock), (1, &soon)] {
        approve(&**store, clock, &first.id, kind, &one(place), "ann").await.expect("approved");
    }
    let refused = approve(&**store, &late, &first.id, kind, &Selection::All, "bea").await;
    let refused = refused.expect_err("it is too late").to_string();
    assert!(refused.starts_with("ann approved a part of slice deactivate"), "{refused}");
    let ended =
        async || store.run(&first.id).await.expect("a store").expect("a run").ended_at.is_some();
    town.until("the two are gone", ended).await;
    assert_eq!(gone(&town, &actives[..12]), 2, "{}", town.report().await);

    let second = sync(&town).await;
    assert!(matches!(slice(&second, kind), SliceState::Held { .. }), "{second:#?}");
    let refused = approve(&**store, &late, &second.id, kind, &Selection::All, "ann").await;
    assert!(matches!(refused, Err(ReconcileError::NotHeld(_))), "{refused:?}");
    let loaded = config::parse(&town.config(), &town.toml(), &|_| None).expect("in order");
    let engine = FullSync::all(&loaded.settings, store, &late).expect("a full sync");
    let (progress, stop) = (watch::channel(Progress::default()).0, CancellationToken::new());
    engine[0].reconciler().resume(&progress, &stop).await.expect("nothing to resume");
    let second = store.run(&second.id).await.expect("a store").expect("a run");
    assert_eq!(slice(&second, kind), &SliceState::Expired);
    assert_eq!(gone(&town, &actives[..12]), 2);
}

/// Each that somebody makes for one person is a run as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_not_lost_sight_of_behind_replays() {
    let town = linked(known(60), Kept::Sqlite, |_| {}).await;
    let serving = town.serve(&[]).await;
    let actives = town.actives();
    for id in &actives[..12] {
        town.change(id, left());
    }
    let (store, clock, kind) = (town.store().await, Clock::system(), ChangeKind::Deactivate);
    let run = sync(&town).await;
    assert!(matches!(slice(&run, kind), SliceState::Held { .. }), "{run:#?}");
    for _ in 0..60 {
        let replay = Run::begun(RunId::fresh(), run.source.clone(), "ann", clock.now());
        let which = Which::default();
        let replay = Run {
            kind: RunKind::Replay { which, reason: "HR mended it".into(), per_minute: 60 },
            state: RunState::Done,
            ended_at: Some(clock.now()),
            ..replay
        };
        assert!(store.save_run(&replay).await.expect("a store"));
    }
    let doctor = town.cli(&["doctor"]).await.stdout;
    let doctor = String::from_utf8_lossy(&doctor);
    assert!(doctor.contains("12 people's changes wait for approval"), "{doctor}");
    let open = town.told(&["runs", "--open", "--json"]).await;
    assert!(open.lines().count() == 1 && open.contains(run.id.as_str()), "{open}");
    let figures = town.http().get(serving.url("/metrics")).send().await.expect("an answer");
    let figures = figures.text().await.expect("text");
    let gauge = "instep_held_people{source=\"bob\",change=\"deactivate\"} 12";
    assert!(figures.contains(gauge), "{figures}");
    assert!(figures.contains("instep_run_ended_timestamp_seconds{source=\"bob\"}"), "{figures}");

    approve(&**store, &clock, &run.id, kind, &Selection::All, "ann").await.expect("it is approved");
    let ended =
        async || store.run(&run.id).await.expect("a store").expect("a run").ended_at.is_some();
    town.until("the approved run has ended", ended).await;
    assert_eq!(gone(&town, &actives[..12]), 12, "{}", town.report().await);
}

/// The end of their contract is known, and 360Learning is told of it.
fn with_ends(toml: &mut String) {
    usual(toml);
    let fields = "[rules.fields]\n";
    let rule = format!("{fields}deactivate_at = \"internal.terminationDate\"\n");
    assert!(toml.contains(fields));
    *toml = toml.replace(fields, &rule);
}

/// So many days from now, as HR writes a date.
fn in_days(town: &Town, days: i64) -> Value {
    let zoned = town.now().to_zoned(jiff::tz::TimeZone::UTC) + days.days();
    json!({"internal": {"terminationDate": zoned.date().to_string()}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_near_is_a_deactivation() {
    let town = linked(known(60), Kept::Sqlite, with_ends).await;
    let serving = town.serve(&[]).await;
    let actives = town.actives();
    let ending = |ids: &[String]| {
        let ends = |id: &&String| town.account_of(id)["toBeDeactivatedAt"].is_string();
        ids.iter().filter(ends).count()
    };
    for id in &actives[..12] {
        town.change(id, in_days(&town, 2));
    }
    for id in &actives[12..24] {
        town.change(id, in_days(&town, 60));
    }
    let run = sync(&town).await;
    assert!(matches!(slice(&run, ChangeKind::Deactivate), SliceState::Held { .. }), "{run:#?}");
    assert_eq!(slice(&run, ChangeKind::Update), &SliceState::Free);
    assert_eq!(ending(&actives[..12]), 0, "360Learning would deactivate them by itself");
    assert_eq!(ending(&actives[12..24]), 12, "{}", town.report().await);
    // So it is when webhooks say it.
    town.hook_to(&serving);
    for id in &actives[24..44] {
        town.change(id, in_days(&town, 2));
    }
    town.at_rest().await;
    let ended = ending(&actives[24..44]);
    assert!((1..=10).contains(&ended), "{ended}");
    let stopped = Filter { code: Some("brake".into()), ..Filter::default() };
    assert_eq!(town.deliveries(&stopped).await.len(), 20 - ended, "{}", town.report().await);
}

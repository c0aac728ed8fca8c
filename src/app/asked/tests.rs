//! What is asked for: by one of many, not forgotten, answered by a run.

use croner::parser::{CronParser, Seconds};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::config::ScheduleSettings;
use crate::model::RunId;
use crate::store::sqlite::SqliteStore;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

fn nightly(missed: Missed) -> Timetable {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
    let full_sync = Some(parser.parse("30 2 * * *").expect("a pattern"));
    let settings =
        ScheduleSettings { full_sync, time_zone: TimeZone::UTC, missed, closer_looks: 0 };
    Timetable::of(&settings).expect("a timetable")
}

struct Desk {
    _folder: TempDir,
    store: Arc<dyn Store>,
    bob: SourceName,
    clock: Clock,
}

impl Desk {
    fn new() -> Self {
        let (folder, clock) = (TempDir::new().expect("a folder"), Clock::manual(noon()));
        let store = SqliteStore::open(&folder.path().join("instep.db"), clock.clone());
        let store = Arc::new(store.expect("a store"));
        Self { _folder: folder, store, bob: SourceName::new("bob"), clock }
    }

    async fn strike(&self, missed: Missed, since: Timestamp, now: Timestamp) {
        strike(&*self.store, &self.bob, &nightly(missed), since, now).await.expect("a store");
    }

    async fn ask(&self, what: Ask) {
        ask(&*self.store, &self.bob, &what).await.expect("a store");
    }

    async fn take(&self, now: Timestamp) -> Option<Ask> {
        take(&*self.store, &self.bob, now).await.expect("a store")
    }

    async fn book(&self) -> Book {
        read(&*self.store, &self.bob).await.expect("a store")
    }

    async fn begin_run(&self, started_at: Timestamp, plan_only: bool) {
        let run =
            Run { plan_only, ..Run::begun(RunId::fresh(), self.bob.clone(), "ann", started_at) };
        assert!(self.store.save_run(&run).await.expect("a store"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_strikes_once_for_all_processes() {
    let desk = Arc::new(Desk::new());
    let due: Timestamp = "2026-11-22T02:30:00Z".parse().expect("a time");
    desk.strike(Missed::Once, noon(), due - MINUTE).await;
    assert_eq!(desk.book().await, Book::default(), "not yet");
    // The clocks of the processes differ somewhat.
    let mut strikes = JoinSet::new();
    for ahead in 0..8 {
        let desk = desk.clone();
        let now = due + MINUTE * ahead;
        strikes.spawn(async move { desk.strike(Missed::Once, noon(), now).await });
    }
    strikes.join_all().await;
    let asked = desk.book().await.asked.expect("one is asked for");
    assert_eq!(asked.why, SCHEDULE);
    let mut takers = JoinSet::new();
    for _ in 0..8 {
        let (desk, now) = (desk.clone(), asked.at);
        takers.spawn(async move { desk.take(now).await });
    }
    let taken: Vec<Ask> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "one of them begins it");
    desk.begin_run(asked.at, false).await;
    done(&*desk.store, &desk.bob, &taken[0]).await.expect("a store");
    desk.strike(Missed::Once, noon(), due + MINUTE * 9).await;
    assert_eq!(desk.book().await.asked, None, "and nobody begins it again");
    assert_eq!(desk.book().await.missed, None);
}

#[tokio::test]
async fn what_was_missed_is_told_and_made_up_for_as_configured() {
    for (missed, made_up) in [(Missed::Once, true), (Missed::Skip, false)] {
        let desk = Desk::new();
        desk.strike(missed, noon(), noon() + SignedDuration::from_hours(15)).await;
        let taken = desk.take(noon() + SignedDuration::from_hours(15)).await.expect("the first");
        done(&*desk.store, &desk.bob, &taken).await.expect("a store");
        // Nobody was there for two nights.
        let back = noon() + SignedDuration::from_hours(48);
        desk.strike(missed, back, back).await;
        let book = desk.book().await;
        assert!(book.missed.is_some(), "{missed:?}");
        assert_eq!(book.asked.is_some(), made_up, "{missed:?}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_not_forgotten_when_its_process_dies() {
    let desk = Desk::new();
    desk.ask(Ask::of(EMPTIED, &desk.clock).once("epoch 2")).await;
    desk.ask(Ask::of(EMPTIED, &desk.clock).once("epoch 2")).await;
    let taken = desk.take(noon()).await.expect("it is asked for");
    assert_eq!(desk.take(noon() + MINUTE).await, None, "somebody is about to begin it");
    let later = noon() + MINUTE * 3;
    let again = desk.take(later).await.expect("that process has died");
    // Whoever comes back after all changes nothing.
    done(&*desk.store, &desk.bob, &taken).await.expect("a store");
    give_back(&*desk.store, &desk.bob, &again).await.expect("a store");
    desk.begin_run(later, true).await;
    assert!(desk.take(later).await.is_some(), "a plan does not answer it");
    desk.begin_run(later, false).await;
    assert_eq!(desk.take(later + MINUTE * 5).await, None, "a run does, whoever began it");
    assert_eq!(desk.book().await.asked, None);
    desk.ask(Ask::of(EMPTIED, &desk.clock).once("epoch 2")).await;
    assert_eq!(desk.book().await.asked, None, "it happened once");
}

#[tokio::test]
async fn what_happens_while_one_is_begun_is_asked_for_anew() {
    let desk = Desk::new();
    desk.ask(Ask::of(SCHEDULE, &desk.clock)).await;
    desk.ask(Ask::of(LOST, &desk.clock)).await;
    let taken = desk.take(noon()).await.expect("one");
    assert_eq!(taken.why, SCHEDULE, "one serves both");
    desk.clock.advance(Duration::from_secs(1));
    desk.ask(Ask::of(LOST, &desk.clock)).await;
    done(&*desk.store, &desk.bob, &taken).await.expect("a store");
    assert_eq!(desk.take(noon()).await.map(|ask| ask.why).as_deref(), Some(LOST));
}

#[tokio::test]
async fn a_look_that_is_asked_for_stands_in_for_no_sync() {
    let desk = Desk::new();
    let clock = Clock::manual(noon());
    let look = || Ask::of("ann", &clock).looking(true);
    desk.ask(look()).await;
    assert!(desk.book().await.asked.expect("asked").only_looks());
    // Whoever wants a sync gets one; a look that is asked for then comes with it.
    desk.ask(Ask::of("ben", &desk.clock)).await;
    desk.ask(look()).await;
    let asked = desk.book().await.asked.expect("asked");
    assert_eq!((asked.why.as_str(), asked.only_looks()), ("ben", false));

    let desk = Desk::new();
    desk.ask(look()).await;
    desk.strike(Missed::Once, noon() - MINUTE * 600, noon()).await;
    let asked = desk.book().await.asked.expect("asked");
    assert_eq!((asked.why.as_str(), asked.only_looks()), (SCHEDULE, false));

    let desk = Desk::new();
    desk.ask(look()).await;
    desk.begin_run(noon() + MINUTE, true).await;
    assert_eq!(desk.take(noon() + MINUTE).await, None, "it was looked");
}

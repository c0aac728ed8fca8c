//! The nightly run where the clock changes: an hour that is skipped, and one that comes twice. The
//! scheduler serves as ever; only its clock is moved by hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use instep::app::{Instep, Roles};
use instep::clock::Clock;
use instep::config;
use instep::model::RunId;
use instep::sandbox::Options;
use instep::store::sqlite::SqliteStore;
use instep::store::{Runs, Store};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::dying::Dying;
use crate::harness::town::{Kept, Town};

const NIGHTLY: &str = "\n[schedule]\nfull_sync = \"30 1 * * *\"\ntime_zone = \"Europe/London\"\n";

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_clocks_makes_no_run_twice_and_skips_none() {
    let options = Options { people: 6, in_step: true, ..Options::default() };
    let town = Town::new(options, Kept::Sqlite, |toml| toml.push_str(NIGHTLY)).await;
    town.sandbox.limit(false);
    let begun = at("2026-03-28T00:00:00Z");
    let clock = Clock::manual(begun);
    let path = town.config().with_file_name("moved.db");
    // The store's own clock goes on, so that budgets fill again.
    let store = SqliteStore::open(&path, Clock::system()).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let watched = Dying::at(&store, usize::MAX);
    let loaded = config::parse(&town.config(), &town.toml(), &|_| None).expect("in order");
    let instep = Instep::build(loaded.settings, watched.clone(), clock.clone()).expect("built");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let stop = CancellationToken::new();
    let serving = tokio::spawn(instep.serve(listener, Roles::ALL, stop.clone()));

    // What is due is counted from the moment at which it began to watch.
    let begun_to_look = async || watched.read("full sync of bob") >= 2;
    town.until("the scheduler watches", begun_to_look).await;
    let mut made: BTreeSet<RunId> = BTreeSet::new();
    for (time, runs) in [
        ("2026-03-28T01:31:00Z", 1),
        // At one o'clock it is two: half past one is skipped, and made up for at once.
        ("2026-03-29T00:59:00Z", 1),
        ("2026-03-29T01:01:00Z", 2),
        ("2026-03-29T03:00:00Z", 2),
        ("2026-03-30T00:31:00Z", 3),
        // The summer passes in one go: what was missed is made up for once.
        ("2026-10-24T00:31:00Z", 4),
        // Half past one comes twice.
        ("2026-10-25T00:31:00Z", 5),
        ("2026-10-25T01:31:00Z", 5),
        ("2026-10-26T01:31:00Z", 6),
    ] {
        let ahead = at(time).duration_since(clock.now());
        clock.advance(ahead.try_into().expect("it goes forward"));
        // Each look reads the note that says what is due, twice.
        let read = watched.read("full sync of bob");
        let looked = async || watched.read("full sync of bob") >= read + 6;
        town.until(&format!("the scheduler has looked at {time}"), looked).await;
        let ended = async || {
            let runs_now = store.runs(None, Runs::All, 20).await.expect("runs");
            made.extend(runs_now.iter().map(|run| run.id.clone()));
            made.len() >= runs && runs_now.iter().all(|run| run.ended_at.is_some())
        };
        town.until(&format!("the run of {time} has ended"), ended).await;
        assert_eq!(made.len(), runs, "{time}");
    }
    stop.cancel();
    serving.await.expect("it serves").expect("it ends well");
}

//! `instep demo --drift`: a company in which every way of being out of step, and every cause, is there
//! to be seen.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use instep::app::{Purpose, open_store};
use instep::clock::{Clock, Deadline};
use instep::config;
use instep::model::{Blame, ChangeKind, Drift, Item, SliceState};
use instep::store::Runs;
use tempfile::TempDir;

use crate::harness::town::{INSTEP, PATIENCE};

/// The demo; it never outlives its value.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether something is of some kind.
type Is<T> = fn(&T) -> bool;

fn instep(config: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(INSTEP);
    command.args(["--config", config]).args(args).stdin(Stdio::null());
    let output = command.env_remove("INSTEP_LOG").output().expect("the binary runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_company_that_drifted_shows_every_way_and_every_cause() {
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("demo.log");
    let mut command = Command::new(INSTEP);
    command.args(["demo", "--drift"]).env("NO_COLOR", "1").env_remove("INSTEP_LOG");
    command.stdin(Stdio::null()).stdout(File::create(&log).expect("a log"));
    let _demo = Demo(command.spawn().expect("the binary runs"));
    let patience = Deadline::after(PATIENCE);
    let config = loop {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        let config = told.split_whitespace().find(|word| word.ends_with("/instep.toml"));
        if let Some(config) = config.filter(|_| told.contains("what was decided and done")) {
            break config.to_owned();
        }
        assert!(!patience.left().is_zero(), "it does not begin: {told}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    };

    let (code, told) = instep(&config, &["sync", "--plan"]);
    assert_eq!(code, Some(1), "something would be held: {told}");
    assert!(told.contains("deactivations would be held"), "{told}");
    assert!(told.contains("values are in no table"), "{told}");
    let loaded = config::load(config.as_ref()).expect("in order");
    let clock = Clock::system();
    let store = open_store(&loaded.settings.store, Purpose::Looking, &clock).await;
    let store = store.expect("the store");
    let run = store.runs(None, Runs::All, 1).await.expect("runs").remove(0);
    let items = store.items(&run.id, 0, 1_000).await.expect("items");
    let drifts: [(&str, Is<Drift>); 9] = [
        ("missing account", |drift| *drift == Drift::MissingAccount),
        ("field", |drift| matches!(drift, Drift::Field { .. })),
        ("group to join", |drift| matches!(drift, Drift::NotInGroup { .. })),
        ("group to leave", |drift| matches!(drift, Drift::InGroup { .. })),
        ("should be inactive", |drift| *drift == Drift::ShouldBeInactive),
        ("not shown", |drift| *drift == Drift::NotShown),
        ("should be active", |drift| *drift == Drift::ShouldBeActive),
        ("orphan", |drift| *drift == Drift::Orphan),
        ("disputed", |drift| matches!(drift, Drift::Disputed { .. })),
    ];
    for (name, is_it) in drifts {
        assert!(items.iter().any(|item| item.drift.iter().any(is_it)), "no {name}: {items:#?}");
    }
    let blames: [(&str, Is<Blame>); 7] = [
        ("no event", |blame| *blame == Blame::NoEvent),
        ("filtered", |blame| matches!(blame, Blame::Filtered { .. })),
        ("failed", |blame| matches!(blame, Blame::Failed { .. })),
        ("due", |blame| matches!(blame, Blame::Due { .. })),
        ("raced", |blame| matches!(blame, Blame::Raced { .. })),
        ("by hand", |blame| *blame == Blame::EditedByHand),
        ("new", |blame| *blame == Blame::New),
    ];
    for (name, is_it) in blames {
        let has = |item: &Item| item.blame.as_ref().is_some_and(is_it);
        assert!(items.iter().any(has), "nobody is blamed so: {name}: {items:#?}");
    }
    for kind in ChangeKind::ALL {
        assert!(items.iter().any(|item| item.kind == Some(kind)), "no {kind:?}");
    }

    let (code, told) = instep(&config, &["matches"]);
    assert_eq!((code, told.matches("  instep match bob/").count()), (Some(1), 2), "{told}");

    let (code, told) = instep(&config, &["sync", "--by", "ann"]);
    assert_eq!(code, Some(1), "something is held, and something failed: {told}");
    let run = store.runs(None, Runs::All, 1).await.expect("runs").remove(0);
    assert_eq!((run.changed, run.failed), (14, 1), "{told}");
    let is_held = |state: &SliceState| matches!(state, SliceState::Held { .. });
    let held: Vec<_> = run.slices.iter().filter(|slice| is_held(&slice.state)).collect();
    let [held] = held[..] else { panic!("{run:#?}") };
    assert_eq!((held.kind, held.people), (ChangeKind::Deactivate, 8));
}

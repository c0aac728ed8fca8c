//! The full sync between the two doubles: what it finds, what it leaves alone, and that nobody is
//! deactivated without proof.

mod blame;
mod brake;
mod bulk;
mod carrying_on;
mod certificate;
mod drift;
mod dying;
mod faults;
mod forgotten;
mod meanwhile;
mod repeating;

use std::sync::Arc;

use instep::app::{FullSync, Progress, ReconcileError};
use instep::clock::Clock;
use instep::config;
use instep::model::{Blame, ChangeKind, Drift, Item, ItemState, Run, RunState, SliceState};
use instep::sandbox::Options;
use instep::store::{Runs, Store};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::harness::town::{Kept, Town, patient};

/// Where HR is asked for people.
const SEARCH: &str = "POST /v1/people/search";

/// So many people, whose accounts bear their ids, as after a year of work; and nothing that Instep
/// remembers of them.
fn known(people: usize) -> Options {
    Options { people, in_step: true, platform: Some("instep-bob".into()), ..Options::default() }
}

/// A town in which every account is linked. HR sends no webhooks.
async fn linked(options: Options, kept: Kept, adjust: impl FnOnce(&mut String)) -> Town {
    let town = Town::new(options, kept, |toml| {
        patient(toml);
        adjust(toml);
    })
    .await;
    let serving = town.serve(&[]).await;
    let run = sync(&town).await;
    assert_eq!(run.state, RunState::Done, "{run:#?}");
    let (status, _) = serving.terminate().await;
    assert!(status.success());
    town
}

async fn engine(town: &Town) -> FullSync {
    engine_on(town, town.store().await)
}

/// One that keeps everything there.
fn engine_on(town: &Town, store: &Arc<dyn Store>) -> FullSync {
    let loaded = config::parse(&town.config(), &town.toml(), &|_| None).expect("in order");
    let all = FullSync::all(&loaded.settings, store, &Clock::system());
    all.expect("a full sync").pop().expect("a source")
}

/// The newest run.
async fn newest(town: &Town) -> Run {
    town.store().await.runs(None, Runs::All, 1).await.expect("runs").pop().expect("a run")
}

/// Whoever has a run in hand, if anybody has, has been silent for two minutes.
async fn silence(town: &Town) {
    let store = town.store().await;
    let Some(note) = store.note("run:bob").await.expect("a store") else { return };
    let mut owner: Value = serde_json::from_str(&note).expect("JSON");
    let past = town.now() - jiff::SignedDuration::from_mins(2);
    owner["beat"] = past.to_string().into();
    let aged = owner.to_string();
    assert!(store.put_note("run:bob", Some(&note), Some(&aged)).await.expect("a store"));
}

async fn run(town: &Town, plan_only: bool) -> Result<Run, ReconcileError> {
    let (progress, _) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let engine = engine(town).await;
    let reconciler = engine.reconciler();
    let run = reconciler.run("a test", plan_only, &progress, &stop);
    tokio::time::timeout(crate::harness::town::PATIENCE, run).await.expect("it ends in time")
}

/// A full sync from its beginning to its end. Somebody has to serve.
async fn sync(town: &Town) -> Run {
    match run(town, false).await {
        Ok(run) => run,
        Err(error) => panic!("{error}\n{}", town.report().await),
    }
}

/// One that only looks.
async fn plan(town: &Town) -> (Run, Vec<Item>) {
    let run = run(town, true).await.expect("a run");
    let items = items(town, &run).await;
    (run, items)
}

async fn items(town: &Town, run: &Run) -> Vec<Item> {
    town.store().await.items(&run.id, 0, 100_000).await.expect("items")
}

/// The item of somebody.
#[track_caller]
fn item<'i>(items: &'i [Item], id: &str) -> &'i Item {
    let found = items.iter().find(|it| it.employee.as_ref().is_some_and(|e| e.as_str() == id));
    found.unwrap_or_else(|| panic!("{id} is not among {items:#?}"))
}

fn slice(run: &Run, kind: ChangeKind) -> &SliceState {
    let slice = run.slices.iter().find(|slice| slice.kind == kind);
    &slice.unwrap_or_else(|| panic!("no {kind:?}: {run:#?}")).state
}

/// How many accounts are in use.
fn in_use(town: &Town) -> usize {
    town.sandbox.accounts().iter().filter(|account| account["status"] != "deleted").count()
}

fn left() -> Value {
    json!({"internal": {"lifecycleStatus": "terminated"}})
}

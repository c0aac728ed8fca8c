//! Runs in a random walk.

use std::collections::BTreeMap;
use std::time::Duration;

use instep::model::{Item, Run, RunId, SourceName};
use instep::store::Runs;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::{Walk, same};
use crate::store::suite::runs::{item, run};

/// So many runs are walked on.
const RUNS: usize = 3;

#[derive(Clone, Debug)]
pub enum RunStep {
    /// A write whose revision is so far from the stored one.
    Save { run: usize, ahead: u64, ago: u64, ended: bool },
    /// Items with these numbers and this name.
    Items { run: usize, numbers: Vec<u64>, name: u32 },
    /// A page of items.
    Look { run: usize, after: u64, most: usize },
}

pub fn steps() -> impl Strategy<Value = RunStep> {
    let ahead = prop_oneof![4 => Just(1_u64), 1 => 0..3_u64];
    let numbers = prop::collection::vec(1..12_u64, 0..6);
    prop_oneof![
        3 => (0..RUNS, ahead, 0..300_u64, any::<bool>())
            .prop_map(|(run, ahead, ago, ended)| RunStep::Save { run, ahead, ago, ended }),
        3 => (0..RUNS, numbers, 0..1000_u32)
            .prop_map(|(run, numbers, name)| RunStep::Items { run, numbers, name }),
        1 => (0..RUNS, 0..13_u64, 0..8_usize)
            .prop_map(|(run, after, most)| RunStep::Look { run, after, most }),
    ]
}

fn id(run: usize) -> RunId {
    RunId::new(format!("run {run}"))
}

fn source(run: usize) -> SourceName {
    SourceName::new(["bob", "ann"][run % 2])
}

impl Walk {
    pub async fn run_step(&mut self, step: &RunStep) -> TestCaseResult {
        let (store, runs) = (&self.on.store, &mut self.model.runs);
        match step {
            RunStep::Save { run: n, ahead, ago, ended } => {
                let before = runs.get(&id(*n)).map_or(0, |(run, _)| run.revision);
                let now = Run {
                    revision: before + ahead,
                    started_at: self.on.clock.now() - Duration::from_secs(*ago),
                    ended_at: ended.then(|| self.on.clock.now()),
                    ..run(&self.on, id(*n), source(*n))
                };
                same(store.save_run(&now).await.unwrap(), *ahead == 1, "save_run")?;
                if *ahead == 1 {
                    let items = runs.remove(&now.id).map(|(_, items)| items).unwrap_or_default();
                    runs.insert(now.id.clone(), (now, items));
                }
            }
            RunStep::Items { run, numbers, name } => {
                let some = numbers.iter().enumerate();
                let some: Vec<_> = some.map(|(n, at)| item(*at, &format!("{name} {n}"))).collect();
                let stored = runs.get_mut(&id(*run));
                let expected = stored.is_some() || some.is_empty();
                same(store.save_items(&id(*run), &some).await.is_ok(), expected, "save_items")?;
                if let Some((_, items)) = stored {
                    items.extend(some.into_iter().map(|item| (item.number, item)));
                }
            }
            RunStep::Look { run, after, most } => {
                let none = BTreeMap::new();
                let items = runs.get(&id(*run)).map_or(&none, |(_, items)| items);
                let expected = items.range(after + 1..).take(*most).map(|(_, item)| item.clone());
                let found = store.items(&id(*run), *after, *most).await.unwrap();
                same(found, expected.collect::<Vec<Item>>(), "items")?;
            }
        }
        Ok(())
    }

    pub async fn look_at_runs(&self) -> TestCaseResult {
        let (store, runs) = (&self.on.store, &self.model.runs);
        let newest = || runs.values().rev().map(|(run, _)| run.clone());
        same(store.runs(None, Runs::All, 10).await.unwrap(), newest().collect(), "runs")?;
        let open = newest().filter(|run| run.ended_at.is_none()).collect();
        same(store.runs(None, Runs::Open, 10).await.unwrap(), open, "open runs")?;
        for source in [source(0), source(1)] {
            let expected = newest().filter(|run| run.source == source).collect();
            same(
                store.runs(Some(&source), Runs::All, 10).await.unwrap(),
                expected,
                "runs of a source",
            )?;
        }
        for run in (0..RUNS).map(id) {
            let expected = runs.get(&run);
            let found = store.run(&run).await.unwrap();
            same(found.as_ref(), expected.map(|(run, _)| run), "run")?;
            let items = expected.map(|(_, items)| items.values().cloned().collect());
            let found = store.items(&run, 0, 100).await.unwrap();
            same(found, items.unwrap_or_default(), "all items")?;
        }
        Ok(())
    }
}

//! Everything that is told about one run, read from the store.

use std::collections::{BTreeMap, HashSet};

use jiff::tz::TimeZone;

use crate::model::{Item, Miss, Person, Personal, Run, SourceName};
use crate::report::Report;
use crate::store::{Store, StoreError};

/// So many records are read together.
const PAGE: usize = 1_000;

/// So many earlier runs are drawn.
const BEFORE: usize = 30;

/// So many runs are looked through for them: plans are between them.
const LOOKED_THROUGH: usize = 200;

/// A run with all that its report needs.
#[derive(Clone, Debug)]
pub struct ToldRun {
    /// The run.
    pub run: Run,
    items: Vec<Item>,
    before: Vec<Run>,
    misses: Vec<(Miss, u64)>,
}

impl ToldRun {
    /// Reads what belongs to a run.
    ///
    /// # Errors
    /// When the store is not available, or something in it cannot be read.
    pub async fn read(store: &dyn Store, run: Run) -> Result<Self, StoreError> {
        let items = Self::items(store, &run).await?;
        let before = before(store, &run).await?;
        let misses = misses(store, &run.source).await?;
        Ok(Self { run, items, before, misses })
    }

    /// Everybody who was out of step in a run.
    ///
    /// # Errors
    /// As [`ToldRun::read`].
    pub async fn items(store: &dyn Store, run: &Run) -> Result<Vec<Item>, StoreError> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = store.items(&run.id, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = last.number;
            all.extend(page);
        }
    }

    /// The report.
    pub fn report(&self, personal: Personal, zone: TimeZone) -> Report<'_> {
        let Self { run, items, before, misses } = self;
        Report { run, items, before, misses, personal, zone }
    }
}

async fn before(store: &dyn Store, run: &Run) -> Result<Vec<Run>, StoreError> {
    let mut runs = store.runs(Some(&run.source), LOOKED_THROUGH).await?;
    runs.retain(|other| other.id < run.id && !other.plan_only);
    runs.truncate(BEFORE);
    Ok(runs)
}

/// Values that a table lacks, and how many people have each, as the last look at each person left
/// it in their link.
async fn misses(store: &dyn Store, source: &SourceName) -> Result<Vec<(Miss, u64)>, StoreError> {
    let mut counts: BTreeMap<Miss, u64> = BTreeMap::new();
    // While links are written one can come twice.
    let mut seen: HashSet<Person> = HashSet::new();
    let mut from = None;
    loop {
        let page = store.links(source, from.as_deref(), PAGE).await?;
        for (person, link) in page.links {
            if !link.misses.is_empty() && seen.insert(person) {
                let mut misses = link.misses;
                misses.sort();
                misses.dedup();
                for miss in misses {
                    *counts.entry(miss).or_default() += 1;
                }
            }
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    // The sort is stable: among equals the order of tables and values stays.
    counts.sort_by_key(|(_, people)| std::cmp::Reverse(*people));
    Ok(counts)
}

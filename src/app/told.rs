//! Everything that is told about one run, read from the store.

use jiff::tz::TimeZone;

use super::misses::gather;
use crate::model::{Item, Miss, Personal, Run, SourceName};
use crate::report::Report;
use crate::store::{Runs, Store, StoreError};

/// So many records are read together.
const PAGE: usize = 1_000;

/// So many earlier runs are drawn.
const BEFORE: usize = 30;

/// So many runs are looked through for them: later ones come first.
const LOOKED_THROUGH: usize = 200;

/// A run with all that its report needs.
#[derive(Clone, Debug)]
pub struct ToldRun {
    /// The run.
    pub run: Run,
    pub(super) items: Vec<Item>,
    pub(super) before: Vec<Run>,
    pub(super) misses: Vec<(Miss, u64)>,
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
        Report { run, items, before, misses, personal, zone, link: None }
    }
}

async fn before(store: &dyn Store, run: &Run) -> Result<Vec<Run>, StoreError> {
    let which = if run.is_replay() { Runs::All } else { Runs::Acting };
    let mut runs = store.runs(Some(&run.source), which, LOOKED_THROUGH).await?;
    runs.retain(|other| other.id < run.id && other.is_replay() == run.is_replay());
    runs.truncate(BEFORE);
    Ok(runs)
}

/// Values that a table lacks, and how many people have each, as the last look at each person left
/// it in their link.
async fn misses(store: &dyn Store, source: &SourceName) -> Result<Vec<(Miss, u64)>, StoreError> {
    let counts = gather(source, store).await?.into_iter();
    let counted = counts.map(|((table, keys), (people, _))| (Miss { table, keys }, people as u64));
    let mut counts: Vec<_> = counted.collect();
    // The sort is stable: among equals the order of tables and values stays.
    counts.sort_by_key(|(_, people)| std::cmp::Reverse(*people));
    Ok(counts)
}

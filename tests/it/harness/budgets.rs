//! A store that keeps nothing but budgets: it grants at once and remembers what was taken.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use instep::store::{Grant, Rate, Store, StoreError};

use super::guarded::{Door, Guarded, Kind};

/// The store.
pub type OnlyBudgets = Guarded<Budgets>;

/// What was taken from each budget, and for how long each was paused.
#[derive(Default)]
pub struct Budgets {
    pub taken: Mutex<BTreeMap<String, u32>>,
    pub pauses: Mutex<Vec<(String, Duration)>>,
}

impl Budgets {
    /// How many calls were granted.
    pub fn granted(&self) -> u32 {
        self.taken.lock().expect("what was taken").values().sum()
    }

    /// How long the pauses were.
    pub fn paused(&self) -> Vec<Duration> {
        self.pauses.lock().expect("the pauses").iter().map(|(_, pause)| *pause).collect()
    }
}

#[async_trait]
impl Door for Budgets {
    async fn pass(&self, doing: &'static str, _: Kind) -> Result<&dyn Store, StoreError> {
        Err(StoreError::Unavailable { doing, source: "this store only keeps budgets".into() })
    }

    async fn grant(&self, budget: &str, _: Rate, want: u32) -> Result<Grant, StoreError> {
        *self.taken.lock().expect("what was taken").entry(budget.into()).or_default() += want;
        Ok(Grant::Calls(want))
    }

    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        self.pauses.lock().expect("the pauses").push((budget.into(), pause));
        Ok(())
    }
}

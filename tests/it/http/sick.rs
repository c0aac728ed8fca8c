//! A real store that can be made ill: down, or taking its time over an accept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use instep::store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::harness::guarded::{Door, Guarded, Kind};

/// The store and its illnesses.
pub struct Sick {
    well: Arc<dyn Store>,
    down: AtomicBool,
    slow: AtomicBool,
    /// Accepts that wait to be let through.
    pub waiting: AtomicUsize,
    gate: Semaphore,
}

impl Sick {
    /// Well for now.
    pub fn of(well: Arc<dyn Store>) -> Guarded<Self> {
        Guarded(Self {
            well,
            down: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        })
    }

    /// From now on nothing works, or all does.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on an accept waits until [`Sick::let_through`].
    pub fn set_slow(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// Lets so many slow accepts through.
    pub fn let_through(&self, accepts: usize) {
        self.gate.add_permits(accepts);
    }
}

#[async_trait]
impl Door for Sick {
    async fn pass(&self, call: &'static str, _: Kind) -> Result<&dyn Store, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            let source = "the disk is full".into();
            return Err(StoreError::Unavailable { doing: call, source });
        }
        if call == "accept" && self.slow.load(Ordering::SeqCst) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.expect("never closed").forget();
        }
        Ok(self.well.as_ref())
    }
}

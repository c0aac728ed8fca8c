//! A budget of calls that all processes share: HiBob's 50 searches a minute, 360Learning's 10
//! writes a second. Live work is served before bulk work within one process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Grant, Rate, Store, StoreError};
use crate::clock::Deadline;
use crate::model::Lane;

/// Hands out calls.
pub struct Budget {
    store: Arc<dyn Store>,
    name: String,
    rate: Rate,
    /// How long a single call may take: none is handed out when less is left of the deadline.
    call: Duration,
    /// Live callers wait here…
    live: Mutex<()>,
    /// …and bulk callers here first, so that at most one of them competes with the live ones.
    bulk: Mutex<()>,
}

/// Why there is no call.
#[derive(Debug, thiserror::Error)]
pub enum NoCall {
    /// The deadline would pass before the call could end.
    #[error("the time of this lease is used up")]
    OutOfTime,
    /// The store that keeps the budget is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Budget {
    /// A budget under this name, for calls that last `call` at most.
    pub fn new(store: Arc<dyn Store>, name: impl Into<String>, rate: Rate, call: Duration) -> Self {
        Self { store, name: name.into(), rate, call, live: Mutex::new(()), bulk: Mutex::new(()) }
    }

    /// Waits for one call; `Ok` is the right to make it now.
    ///
    /// # Errors
    /// [`NoCall::OutOfTime`] when it could not end before the deadline.
    pub async fn take(&self, lane: Lane, deadline: Deadline) -> Result<(), NoCall> {
        let wait = async {
            let _queue = match lane {
                Lane::Live => None,
                Lane::Bulk => Some(self.bulk.lock().await),
            };
            loop {
                let turn = self.live.lock().await;
                match self.store.grant(&self.name, self.rate, 1).await? {
                    Grant::Calls(_) => return Ok(()),
                    Grant::Wait(time) => {
                        // A live caller keeps its turn while it waits; a bulk caller gives it up.
                        let turn = (lane == Lane::Live).then_some(turn);
                        tokio::time::sleep(time).await;
                        drop(turn);
                    }
                }
            }
        };
        let before = deadline.left();
        let Some(spare) = before.checked_sub(self.call) else {
            return Err(NoCall::OutOfTime);
        };
        let got = tokio::time::timeout(spare, wait).await.unwrap_or(Err(NoCall::OutOfTime));
        let waited = before.saturating_sub(deadline.left());
        metrics::histogram!("instep_budget_wait_seconds", "budget" => self.name.clone())
            .record(waited.as_secs_f64());
        got
    }

    /// The far end told us to wait.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn pause(&self, time: Duration) -> Result<(), StoreError> {
        self.store.pause(&self.name, time).await
    }
}

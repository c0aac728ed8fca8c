//! Notices that the store lost its last writes, as after a failover: a delivery that this process
//! took in or settled is not there any more. Whoever that touched is found by a full sync.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::asked::{self, Ask};
use crate::clock::Clock;
use crate::model::SourceName;
use crate::store::newest::{Newest, made_at};
use crate::store::{Store, StoreError};
use crate::worker::Settled;

/// How often the store is asked.
const LOOK: Duration = Duration::from_secs(3);

/// Looks for gaps.
pub(super) struct Gap {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) sources: Vec<SourceName>,
    /// What is older than this may have been let go.
    pub(super) kept: Duration,
    pub(super) newest: Arc<Newest>,
}

impl Gap {
    /// Looks until it is told to stop.
    pub(super) async fn watch(self, mut told: Receiver<Settled>, stop: CancellationToken) {
        let mut epoch = None;
        let mut look = tokio::time::interval(LOOK);
        let mut listens = true;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                settled = told.recv(), if listens => match settled {
                    Ok(settled) => settled.newest.iter().for_each(|id| self.newest.note(id)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => listens = false,
                },
                _ = look.tick() => if let Err(error) = self.look(&mut epoch).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "the store is away");
                },
            }
        }
    }

    async fn look(&self, epoch: &mut Option<String>) -> Result<(), StoreError> {
        let newest = self.newest.get();
        let now = self.store.epoch().await?;
        let is_other = epoch.replace(now.clone()).is_some_and(|before| before != now);
        let Some(newest) = newest else { return Ok(()) };
        let is_old = made_at(&newest).is_none_or(|made| made + self.kept / 2 < self.clock.now());
        // That it was emptied is noticed elsewhere.
        if is_other || is_old {
            self.newest.forget(&newest);
            return Ok(());
        }
        if self.store.delivery(&newest).await?.is_some() {
            return Ok(());
        }
        if self.store.epoch().await? == now {
            tracing::error!(
                delivery = %newest,
                "the store does not know a delivery that it had taken in: it lost its last writes, \
                 and a full sync is asked for"
            );
            for source in &self.sources {
                asked::ask(&*self.store, source, &Ask::of(asked::LOST, &self.clock)).await?;
            }
        }
        self.newest.forget(&newest);
        Ok(())
    }
}

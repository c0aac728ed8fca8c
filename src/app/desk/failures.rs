//! Failures by their causes. Whoever asks gets at once what was seen a moment ago; looking through a
//! hundred thousand dead letters takes its seconds, in the background.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Desk;
use crate::clock::{Clock, Deadline};
use crate::model::cause::{Cause, Causes};
use crate::model::{DeliveryState, Failure, Refused, Which};
use crate::store::finding::Finding;
use crate::store::{Depth, Hold, Store, StoreError};

/// How long what was seen is true enough, when nothing seems to have changed.
const FRESH: Duration = Duration::from_secs(60);

/// The least time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// A look that took so long is followed by a pause that is so much longer: it must not become what
/// the process does all day.
const SHARE: u32 = 10;

/// How long somebody waits for a new look, when an older one can be shown.
const PATIENCE: Duration = Duration::from_millis(50);

/// What was last seen.
#[derive(Default)]
pub(super) struct View {
    seen: Mutex<Option<Seen>>,
    /// One looks at a time; the others wait for that one, or take what is there.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Seen {
    failures: Arc<Vec<Failure>>,
    /// The how manieth look it is.
    number: u64,
    /// What there was then: dead letters, waiting ones, holds.
    mark: Mark,
    until: Deadline,
    not_before: Deadline,
}

type Mark = (u64, u64, Vec<String>);

fn mark(depth: &Depth, holds: &[Hold]) -> Mark {
    // How many wait says nothing unless they wait behind a hold.
    let waiting = if holds.is_empty() { 0 } else { depth.waiting };
    (depth.dead, waiting, holds.iter().map(|hold| hold.scope.clone()).collect())
}

impl View {
    fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Desk {
    /// Dead and held deliveries by cause.
    pub(super) async fn failures(&self) -> Result<Vec<Failure>, Refused> {
        let Some(seen) = self.failures.seen() else {
            return Ok(self.look_anew().await?.to_vec());
        };
        let is_due = seen.not_before.left().is_zero();
        let depth = if is_due { Some(self.store.depth().await?) } else { None };
        let is_stale = match &depth {
            Some(depth) => {
                let holds = self.store.holds().await?;
                seen.until.left().is_zero() || mark(depth, &holds) != seen.mark
            }
            None => false,
        };
        if !is_stale {
            return Ok(seen.failures.to_vec());
        }
        let desk = self.clone();
        let looking = tokio::spawn(async move { desk.look_anew().await });
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(Ok(Ok(failures))) => Ok(failures.to_vec()),
            // What was seen before is better than nothing; the next one who asks gets the new one.
            _ => Ok(seen.failures.to_vec()),
        }
    }

    /// Has a look ready before the first one asks.
    pub(crate) async fn look_ahead(&self) {
        if let Err(error) = self.look_anew().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "failures are not known yet");
        }
    }

    async fn look_anew(&self) -> Result<Arc<Vec<Failure>>, StoreError> {
        let before = self.failures.seen().map_or(0, |seen| seen.number);
        let _looking = self.failures.looking.lock().await;
        if let Some(seen) = self.failures.seen()
            && seen.number != before
        {
            // Somebody else looked while this one waited.
            return Ok(seen.failures);
        }
        let began = self.clock.now();
        let (depth, holds) = (self.store.depth().await?, self.store.holds().await?);
        let failures = Arc::new(gather(&*self.store, &self.clock, &holds).await?);
        let took = Duration::try_from(self.clock.now().duration_since(began)).unwrap_or_default();
        let pause = (took * SHARE).max(PAUSE);
        let seen = Seen {
            failures: Arc::clone(&failures),
            number: before + 1,
            mark: mark(&depth, &holds),
            until: Deadline::after(FRESH.max(pause)),
            not_before: Deadline::after(pause),
        };
        *self.failures.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(failures)
    }
}

/// Looks through all dead letters, and through what waits behind a hold.
async fn gather(
    store: &dyn Store,
    clock: &Clock,
    holds: &[Hold],
) -> Result<Vec<Failure>, StoreError> {
    let mut causes = Causes::at(clock.now());
    let of = |state| Finding::of(Which { state: Some(state), ..Which::default() }, None);
    let mut dead = of(DeliveryState::Dead);
    while let Some(found) = dead.next(store).await? {
        for delivery in &found {
            causes.add(delivery, Cause::of(delivery));
        }
        tokio::task::yield_now().await;
    }
    if holds.is_empty() {
        return Ok(causes.failures());
    }
    let mut waiting = of(DeliveryState::Waiting);
    while let Some(found) = waiting.next(store).await? {
        for delivery in &found {
            let scope = format!("source {}", delivery.source);
            let hold = holds.iter().find(|hold| hold.scope == "target" || hold.scope == scope);
            if let Some(hold) = hold {
                causes.add(delivery, Cause::held(&delivery.source, &hold.scope, &hold.reason));
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(causes.failures())
}

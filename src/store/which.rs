//! Which deliveries and which runs are meant.

use jiff::Timestamp;

use crate::model::{DeliveryId, DeliveryState, Run, SourceName};

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of the employee with this id.
    pub employee: Option<String>,
    /// Of this cause.
    pub code: Option<String>,
    /// Of this event type.
    pub kind: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Older than this delivery: where the last page ended.
    pub before: Option<DeliveryId>,
}

/// Which runs are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// All of them.
    All,
    /// Those that compare everybody. There can be any number of replays between two of them...
    FullSyncs,
    /// ...and any number that only look between two that act.
    Acting,
    /// Those with which somebody has yet to go on, however old: see [`Run::is_open`].
    Open,
}

impl Runs {
    /// Whether this run is meant.
    pub(super) fn fits(self, run: &Run) -> bool {
        match self {
            Self::All => true,
            Self::FullSyncs => !run.is_replay(),
            Self::Acting => !run.is_replay() && !run.plan_only,
            Self::Open => run.is_open(),
        }
    }
}

//! Where accounts live.

pub mod learning360;

use std::time::Duration;

pub use crate::model::{Candidate, FoundBy, Probe};
use crate::store::{StoreError, budget::NoCall};

/// Why a target did not do it; a variant is something the caller does.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It asked us to wait so long (429). The budget is paused already; no attempt is spent.
    #[error(
        "360Learning asked us to wait {} s (429): the limit of this client is used up. Nothing need be \
         done; when nothing of ours is under way, another program uses the same client",
        after.as_secs()
    )]
    Wait {
        /// How long.
        after: Duration,
    },
    /// It is down, slow or answered rubbish. Whether a write took effect is unknown: look before
    /// doing it again.
    #[error("{0}")]
    Again(String),
    /// It refuses us altogether (credentials, scopes): hold it until a person acts.
    #[error("{0}")]
    Hold(String),
    /// The account is not as we thought (gone, deleted, or its mail is taken): find it again and
    /// plan again.
    #[error("{code}: {advice}")]
    LookAgain {
        /// The target's own code: `userNotFound`.
        code: String,
        /// What it means and what a person can do, should looking again not help.
        advice: String,
    },
    /// It will not do this for this person, however often it is asked.
    #[error("{code}: {advice}")]
    Refused {
        /// The target's own code: `mailInvalid`.
        code: String,
        /// What it means and what to do.
        advice: String,
    },
    /// The lease would end before the call could: give it back.
    #[error("the time of this lease is used up")]
    OutOfTime,
    /// The store that keeps the budget is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoCall> for TargetError {
    fn from(none: NoCall) -> Self {
        match none {
            NoCall::OutOfTime => Self::OutOfTime,
            NoCall::Store(error) => Self::Store(error),
        }
    }
}

//! Where employees come from.

pub mod hibob;

use std::time::Duration;

use crate::store::{StoreError, budget::NoCall};

/// Why a source gave no answer; a variant is something the caller does.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It asked us to wait so long (429). The budget is paused already; no attempt is spent.
    #[error(
        "{source_name} asked us to wait {} s (429): the limit of its service user is used up. Nothing \
         need be done; when nothing of ours is under way, another program uses the same service user",
        after.as_secs()
    )]
    Wait {
        /// Which source.
        source_name: String,
        /// How long.
        after: Duration,
    },
    /// It is down, slow or answered rubbish: try again later. Nothing follows for anybody.
    #[error("{0}")]
    Again(String),
    /// It refuses us (401, 403, 400): hold it until a person acts, and probe once a minute.
    #[error("{0}")]
    Hold(String),
    /// The lease would end before the call could: give it back.
    #[error("the time of this lease is used up")]
    OutOfTime,
    /// The store that keeps the budget is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoCall> for SourceError {
    fn from(none: NoCall) -> Self {
        match none {
            NoCall::OutOfTime => Self::OutOfTime,
            NoCall::Store(error) => Self::Store(error),
        }
    }
}

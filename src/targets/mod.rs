//! Where accounts live.

pub mod learning360;

use std::time::Duration;

use crate::model::{Account, AccountId};
use crate::store::{StoreError, budget::NoCall};

/// Why a target did not do it; a variant is something the caller does.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It asked us to wait so long (429). The budget is paused already; no attempt is spent.
    #[error("360Learning asked us to wait")]
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

/// What to look for when it is not known which account is a person's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// The account we believe it is.
    pub account: Option<AccountId>,
    /// The external id the target may hold for the person (in this source's platform name).
    pub external_id: Option<String>,
    /// The mail, as the rules want it.
    pub email: Option<String>,
    /// The user name, as the rules want it.
    pub username: Option<String>,
}

/// By what an account was found, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// It is the one we asked for by its id.
    Link,
    /// The target holds the person's external id for it.
    ExternalId,
    /// It has the mail.
    Email,
    /// It has the user name.
    Username,
}

/// An account that could be the person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The account.
    pub account: Account,
    /// The surest way by which it was found.
    pub by: FoundBy,
    /// Another employee's id that the target holds for this account under our platform name.
    pub claimed_by: Option<String>,
    /// Why it must never be changed (company owner, protected list), if so.
    pub protected: Option<String>,
}

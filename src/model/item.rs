//! An item of a run: one person or account that is out of step, in what and why, and what became of
//! it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, ChangeKind, DeliveryId, EmployeeId};

/// What is out of step between HR and the LMS, in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Somebody should have an account and has none.
    MissingAccount,
    /// A field differs, or a custom field.
    Field {
        /// Its name: `job`, `Cost centre`.
        name: String,
        /// What the account has.
        old: Option<String>,
        /// What it should have.
        new: Option<String>,
    },
    /// Somebody should be in a group.
    NotInGroup {
        /// Its path and role: `Departments/Finance as learner`.
        group: String,
    },
    /// Somebody should not be in a group any more.
    InGroup {
        /// Its path and role.
        group: String,
    },
    /// The manager differs.
    Manager {
        /// The manager's account that we gave.
        old: Option<AccountId>,
        /// The one that it should be.
        new: Option<AccountId>,
    },
    /// The account should be deactivated.
    ShouldBeInactive,
    /// HR does not show the person any more.
    NotShown,
    /// The account should be usable.
    ShouldBeActive,
    /// An account that belongs to nobody in HR. Never touched.
    Orphan,
    /// The rules refuse what HR has for this person: a bad value, one that is in no table.
    Refused {
        /// Why.
        reason: String,
    },
    /// Several accounts could be one person's, or one account several persons'. A human decides.
    Disputed {
        /// Why.
        reason: String,
    },
}

/// Why somebody is out of step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// No event ever came.
    NoEvent,
    /// An event came, and a filter or rule said no then.
    Filtered {
        /// Which delivery.
        delivery: DeliveryId,
    },
    /// An event came and failed.
    Failed {
        /// Which delivery.
        delivery: DeliveryId,
    },
    /// An event came and its delivery still waits.
    Due {
        /// Which delivery.
        delivery: DeliveryId,
    },
    /// An event was settled while HR changed again, or HiBob showed the change too late.
    Raced {
        /// Which delivery.
        delivery: DeliveryId,
    },
    /// Somebody edited the LMS: it differs from what we last applied.
    EditedByHand,
    /// Somebody changed the rules, or the person was never applied before.
    New,
}

/// One person, or one account without a person, that is out of step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the run, from 1.
    pub number: u64,
    /// Who; nobody for an orphan.
    pub employee: Option<EmployeeId>,
    /// The name by which people know them, as HR or the LMS has it; empty when it was not read.
    pub name: String,
    /// Whose account, when there is one.
    pub account: Option<AccountId>,
    /// The gravest change; none when nothing is to be changed by us (an orphan, a dispute).
    pub kind: Option<ChangeKind>,
    /// What is out of step.
    pub drift: Vec<Drift>,
    /// Why.
    pub blame: Option<Blame>,
    /// Where it stands.
    pub state: ItemState,
    /// The deliveries that a replay does again for this person, the oldest first; none in a full
    /// sync, and none where the preview says that they fail again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<Again>,
}

/// A delivery that a replay is about, as its preview saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Which.
    pub delivery: DeliveryId,
    /// When it was settled. Once this is another time, somebody has dealt with it since.
    pub settled: Timestamp,
}

/// Where an item stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Only told: a plan, an orphan, a dispute.
    Told,
    /// Its slice is held, rejected or expired.
    Held,
    /// Its delivery waits or is worked on.
    Queued {
        /// Which delivery.
        delivery: DeliveryId,
    },
    /// Its delivery is settled.
    Done {
        /// What was done, call by call; nothing when it was no longer needed.
        done: Vec<String>,
    },
    /// Its delivery is a dead letter.
    Failed {
        /// Which delivery.
        delivery: DeliveryId,
        /// Its code.
        code: String,
        /// Why, and what to do.
        reason: String,
    },
}

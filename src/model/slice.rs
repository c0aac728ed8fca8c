//! A slice of a run: all changes of one kind, which the brake lets pass or holds, and what became of
//! those that it holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A kind of change that the brake judges by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// An account is deactivated.
    Deactivate,
    /// An account is made.
    Create,
    /// A deactivated account is brought back.
    Reactivate,
    /// The mail changes: how a person signs in.
    ChangeMail,
    /// Somebody is removed from a group.
    LeaveGroup,
    /// Anything else.
    Update,
}

impl ChangeKind {
    /// All kinds, the gravest first: a person stands in the slice of the gravest change.
    pub const ALL: [Self; 6] = [
        Self::Deactivate,
        Self::Create,
        Self::Reactivate,
        Self::ChangeMail,
        Self::LeaveGroup,
        Self::Update,
    ];

    /// The word that people read and type.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deactivate => "deactivate",
            Self::Create => "create",
            Self::Reactivate => "reactivate",
            Self::ChangeMail => "change_mail",
            Self::LeaveGroup => "leave_group",
            Self::Update => "update",
        }
    }
}

/// All changes of one kind in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Which.
    pub kind: ChangeKind,
    /// How many people.
    pub people: u64,
    /// The most that the brake lets pass.
    pub limit: u64,
    /// Where it stands.
    pub state: SliceState,
    /// What the people in it have in common: `412 of 430 have work.site = nothing`.
    pub common: Vec<String>,
}

/// Where a slice stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceState {
    /// Within its limit: it goes on.
    Free,
    /// Above its limit, or without a certificate: nothing of it is applied until somebody approves.
    Held {
        /// Why.
        reason: String,
        /// Until when it can be approved.
        until: Timestamp,
    },
    /// Somebody approved it, perhaps not for everyone.
    Approved {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
        /// For how many people.
        people: u64,
        /// Until when the others can be approved; not known of what an earlier version wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Somebody said no to all others in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rest: Option<Rejection>,
    },
    /// Somebody rejected it.
    Rejected(Rejection),
    /// Nobody approved it in time.
    Expired,
}

impl SliceState {
    /// Until when it, or what is left of it, can be approved.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Held { until, .. } => Some(*until),
            Self::Approved { until, rest: None, .. } => *until,
            Self::Free | Self::Approved { .. } | Self::Rejected(_) | Self::Expired => None,
        }
    }
}

/// That somebody said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Slice {
    /// Whether nobody has decided on it yet.
    pub fn is_held(&self) -> bool {
        matches!(self.state, SliceState::Held { .. })
    }

    /// How many people of it somebody can still approve or reject, as far as the time allows it.
    pub fn open(&self) -> u64 {
        match &self.state {
            SliceState::Held { .. } => self.people,
            SliceState::Approved { people, rest: None, .. } => self.people.saturating_sub(*people),
            SliceState::Free
            | SliceState::Approved { .. }
            | SliceState::Rejected(_)
            | SliceState::Expired => 0,
        }
    }

    /// Rejects whoever is not approved.
    pub fn reject(&mut self, rejection: Rejection) {
        if let SliceState::Approved { rest, .. } = &mut self.state {
            *rest = Some(rejection);
        } else {
            self.state = SliceState::Rejected(rejection);
        }
    }
}

//! An account in the target: as it is, as it should be, and the steps from one to the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccountId, GroupId};

/// A standard field of an account that rules can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The e-mail address: how people sign in.
    Email,
    /// The user name: the other way to sign in.
    Username,
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// Job title.
    Job,
    /// Language: one of the target's own codes. It can be changed, not cleared.
    Lang,
    /// Organisation.
    Organization,
    /// Telephone.
    Phone,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 8] = [
        Self::Email,
        Self::Username,
        Self::FirstName,
        Self::LastName,
        Self::Job,
        Self::Lang,
        Self::Organization,
        Self::Phone,
    ];

    /// The name used in rules and shown to people: `first_name`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Job => "job",
            Self::Lang => "lang",
            Self::Organization => "organization",
            Self::Phone => "phone",
        }
    }
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// It exists and waits for its owner or for an activation.
    Invited,
    /// It can be used.
    Active,
    /// Deactivated (360Learning says `deleted`); the history is kept.
    Deleted,
}

/// An account as the target shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// Its filled fields; one that is not here is empty.
    pub fields: BTreeMap<Field, String>,
}

/// When a field is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strength {
    /// Whenever it differs.
    #[default]
    Always,
    /// When the account is made, and never again.
    OnCreate,
    /// Only where the account has nothing; it is never cleared.
    IfEmpty,
}

/// An account as the rules want it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Whether the person shall be able to use it.
    pub active: bool,
    /// What fields shall hold; `None` clears one; a field that is not here is left alone.
    pub fields: BTreeMap<Field, Option<String>>,
    /// Fields that are not written whenever they differ.
    pub strengths: BTreeMap<Field, Strength>,
    /// The id under which the target shall know the person.
    pub external_id: String,
}

impl Desired {
    /// When a field is written.
    pub fn strength(&self, field: Field) -> Strength {
        self.strengths.get(&field).copied().unwrap_or_default()
    }
}

/// A role in a group, as the target spells it in bodies: `learner`, `userAdmin`.
pub type Role = String;

/// What a deactivation takes away from an account and a restore does not bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Groups and roles.
    pub roles: Vec<(GroupId, Role)>,
    /// Custom field values as the target states them: `customFieldId`, `type`, `value`.
    pub custom_values: Vec<serde_json::Value>,
    /// Who manages this account.
    pub managers: Vec<AccountId>,
    /// Whom this account manages.
    pub subordinates: Vec<AccountId>,
}

/// One step that changes the target. A plan is a list of them, carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make an account, or bring back the deleted one that has this mail or user name. The person
    /// joins `group` as a learner. Not idempotent: after a timeout look before doing it again.
    Create {
        /// The fields to fill; none is empty.
        fields: BTreeMap<Field, String>,
        /// The group to join.
        group: GroupId,
    },
    /// Let an invited account be used.
    Activate,
    /// Set or (`None`) clear fields; others stay as they are.
    Update(BTreeMap<Field, Option<String>>),
    /// Record the source's id for this account in the target.
    ClaimExternalId(String),
    /// Give back what a deactivation took away; what the target refuses is reported, not fatal.
    PutBack(Kept),
    /// Deactivate. What that takes away is to be written down before.
    Deactivate,
}

/// What came of a [`Change`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The account as the target showed it afterwards, when it did.
    pub account: Option<Account>,
    /// After a create: whether a deleted account was brought back instead.
    pub restored: bool,
    /// What went less than perfectly, in sentences: a group that no longer exists.
    pub remarks: Vec<String>,
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

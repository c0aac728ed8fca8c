//! An account in the target: as it is, as it should be, and the steps from one to the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words::count_of;
use super::{AccountId, CustomFieldId, EmployeeId, GroupId};

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
    /// When the target deactivates the account by itself: a moment in UTC, as in
    /// `2026-12-31T22:59:59Z`. It must lie in the future.
    DeactivateAt,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 9] = [
        Self::Email,
        Self::Username,
        Self::FirstName,
        Self::LastName,
        Self::Job,
        Self::Lang,
        Self::Organization,
        Self::Phone,
        Self::DeactivateAt,
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
            Self::DeactivateAt => "deactivate_at",
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Whether the person shall be able to use it.
    pub active: bool,
    /// What fields shall hold; `None` clears one; a field that is not here is left alone.
    pub fields: BTreeMap<Field, Option<String>>,
    /// Fields that are not written whenever they differ.
    pub strengths: BTreeMap<Field, Strength>,
    /// The id under which the target shall know the person.
    pub external_id: String,
    /// Custom fields, by their names in the target; one that is not here is left alone.
    pub custom: BTreeMap<String, CustomWish>,
    /// Groups to be in. Only a membership that a rule gave is ever taken away.
    pub groups: Vec<Membership>,
    /// Whether every group rule could be judged. Where one could not, nobody leaves a group: it
    /// might be the one that this rule gave.
    pub groups_certain: bool,
    /// The manager: `None` when no rule says, `Some(None)` when there shall be none of ours.
    pub manager: Option<Option<ManagerKey>>,
    /// A user name that is taken gets a number: `j.smith2`.
    pub number_username: bool,
}

impl Default for Desired {
    /// Not to be used, and nothing said of anything else.
    fn default() -> Self {
        Self {
            active: false,
            fields: BTreeMap::new(),
            strengths: BTreeMap::new(),
            external_id: String::new(),
            custom: BTreeMap::new(),
            groups: Vec::new(),
            groups_certain: true,
            manager: None,
            number_username: false,
        }
    }
}

/// What a custom field shall hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomWish {
    /// The value; `None` clears.
    pub value: Option<String>,
    /// When it is written.
    pub strength: Strength,
    /// What becomes of the person when the target cannot hold the value.
    pub on_bad: OnBad,
}

/// What follows from a value that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBad {
    /// Nothing is applied to the person until a human has acted: a dead letter.
    #[default]
    Refuse,
    /// The field is left alone, everything else is applied.
    Skip,
}

/// A group that a rule gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The names from below the root to the group, or its id alone.
    pub path: Vec<String>,
    /// The role in it.
    pub role: Role,
    /// Whether the group is made when it is missing.
    pub create: bool,
}

/// How a rule names a manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ManagerKey {
    /// By the id in the same source.
    Employee(EmployeeId),
    /// By mail.
    Email(String),
}

impl std::fmt::Display for ManagerKey {
    /// The form under which those who wait for a manager are found: `employee:17`,
    /// `email:ann@example.test` in lower case.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Employee(id) => write!(f, "employee:{id}"),
            Self::Email(mail) => write!(f, "email:{}", mail.to_lowercase()),
        }
    }
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

impl Kept {
    /// How much there is: `2 roles in groups, 1 custom value, 0 managers, 3 subordinates`.
    pub fn counts(&self) -> String {
        let told = [
            (self.roles.len(), "role in groups", "roles in groups"),
            (self.custom_values.len(), "custom value", "custom values"),
            (self.managers.len(), "manager", "managers"),
            (self.subordinates.len(), "subordinate", "subordinates"),
        ];
        told.map(|(many, one, more)| count_of(many, one, more)).join(", ")
    }
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
    /// Make a group that is missing: the last name of the path, below the rest of it, which exists.
    /// Not idempotent: made by one process at a time, after a look.
    MakeGroup {
        /// The names from below the root.
        path: Vec<String>,
    },
    /// Give a role in a group.
    Join {
        /// The group's id; `None` when an earlier step of the same plan makes it.
        group: Option<GroupId>,
        /// The names from below the root, for people and for a group that was just made.
        path: Vec<String>,
        /// The role.
        role: Role,
    },
    /// Take a role in a group away that a rule gave.
    Leave {
        /// The group.
        group: GroupId,
        /// The role.
        role: Role,
    },
    /// Set or (`None`) clear custom fields; others stay as they are.
    SetCustom(BTreeMap<CustomFieldId, Option<String>>),
    /// Change the manager: add the one, then take away the other, which a rule gave.
    SetManager {
        /// Whom to add.
        add: Option<AccountId>,
        /// Whom to take away.
        remove: Option<AccountId>,
    },
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
    /// After making or joining a group: its id.
    pub group: Option<GroupId>,
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
    /// First and last name, when a matching rule asks for them.
    pub name: Option<(String, String)>,
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
    /// It has the first and last name.
    Name,
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

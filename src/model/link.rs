//! The link: whose account is whose, and what we last applied to it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, AccountStatus, CustomFieldId, Field, GroupId, Kept, Role};

/// What we know of one person's account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The account, once it is known.
    pub account: Option<AccountId>,
    /// A create that was begun and whose end is not known yet. Written before the call is made.
    pub creating: Option<Intent>,
    /// The status as we last left or saw it.
    pub status: Option<AccountStatus>,
    /// Each field as we last applied it; `None` was cleared.
    pub applied: BTreeMap<Field, Option<String>>,
    /// The external id that the target holds for us.
    pub external_id: Option<String>,
    /// What our deactivation took away, to be put back should the person return.
    pub kept: Option<Kept>,
    /// A restore was begun and what it lost is not put back yet.
    #[serde(default)]
    pub restoring: bool,
    /// Memberships that rules gave; no other is ever taken away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<(GroupId, Role)>,
    /// Each custom field as we last applied it; `None` was cleared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<CustomFieldId, Option<String>>,
    /// The manager that a rule gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<GivenManager>,
    /// The manager who has no account yet, as [`ManagerKey`](super::ManagerKey) prints it. The store
    /// finds all who wait for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<String>,
    /// When the rules will say something else, though nobody changes anything. The store finds all
    /// whose time has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misses: Vec<Miss>,
    /// The number behind the user name that was free: 2 for `j.smith2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_number: Option<u32>,
}

impl Link {
    /// Forgets groups, custom fields and manager: an account that was deactivated, or another one,
    /// does not have them.
    pub fn forget_belongings(&mut self) {
        self.groups.clear();
        self.custom.clear();
        self.manager = None;
    }

    /// Corrects custom fields and manager by what the account holds; what was not looked at stays.
    pub fn see_belongings(
        &mut self,
        values: Option<&BTreeMap<CustomFieldId, String>>,
        managers: Option<&[AccountId]>,
    ) {
        if let Some(values) = values {
            for (field, applied) in &mut self.custom {
                if applied.as_ref() != values.get(field) {
                    *applied = values.get(field).cloned();
                }
            }
        }
        if let Some(managers) = managers {
            self.manager.take_if(|given| !managers.contains(&given.account));
        }
    }
}

/// A manager that a rule gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenManager {
    /// As the rule named them: see [`ManagerKey`](super::ManagerKey).
    pub key: String,
    /// Their account.
    pub account: AccountId,
}

/// A moment at which somebody is to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// When.
    pub at: Timestamp,
    /// Why, in a sentence: which rule and which date.
    pub why: String,
}

/// A value that was not in a lookup table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Miss {
    /// The table.
    pub table: String,
    /// What was looked for, one text for each key column.
    pub keys: Vec<String>,
}

/// What a human decided about somebody's account. It outranks every matching rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// This account is theirs.
    Account(AccountId),
    /// None of those that were found: make a new one.
    Create,
    /// Leave this person alone.
    Ignore,
}

/// A create that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The mail it was made with.
    pub email: Option<String>,
    /// The user name it was made with.
    pub username: Option<String>,
    /// When.
    pub at: Timestamp,
}

//! The link: whose account is whose, and what we last applied to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, AccountStatus, Field, Kept};

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

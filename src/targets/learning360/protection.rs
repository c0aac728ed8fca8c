//! Which accounts are never changed: those that the configuration lists, the company owner's, and
//! those of administrators unless the configuration lets them be changed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::{Client, Turn};
use super::groups;
use super::wire::{ADMIN, OWNER, UserRole};
use crate::clock::Deadline;
use crate::config::Learning360Settings;
use crate::model::{Account, AccountId, Field, GroupId};
use crate::targets::TargetError;

/// How long an account's roles are believed.
const FRESH: Duration = Duration::from_secs(600);

/// Of how many accounts the roles are remembered: about 5 MB.
const MOST: usize = 50_000;

const LISTED: &str = "it is listed under target.protected";

/// Knows who is protected.
pub(super) struct Protection {
    client: Arc<Client>,
    listed: HashSet<String>,
    admins: bool,
    known: Mutex<HashMap<AccountId, (Office, Deadline)>>,
}

/// What makes an account one that is not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Office {
    None,
    Owner,
    /// In this group.
    Admin(GroupId),
}

impl Protection {
    pub fn new(client: Arc<Client>, settings: &Learning360Settings) -> Self {
        let listed = settings.protected.iter().map(|entry| fold(entry.trim())).collect();
        Self { client, listed, admins: settings.protect_admins, known: Mutex::default() }
    }

    /// Whether an id or a mail is listed as protected.
    pub fn is_listed(&self, id_or_mail: &str) -> bool {
        !self.listed.is_empty() && self.listed.contains(&fold(id_or_mail))
    }

    /// Why an account must never be changed, as far as the configuration says so.
    pub fn listed(&self, account: &Account) -> Option<String> {
        let listed = self.is_listed(account.id.as_str())
            || account.fields.get(&Field::Email).is_some_and(|mail| self.is_listed(mail));
        listed.then(|| LISTED.to_owned())
    }

    /// Why the account with this id must never be changed; its roles are looked up, or remembered.
    pub async fn of(&self, id: &AccountId, turn: Turn) -> Result<Option<String>, TargetError> {
        if self.is_listed(id.as_str()) {
            return Ok(Some(LISTED.to_owned()));
        }
        if let Some(office) = self.remembered(id) {
            return Ok(self.reason(office));
        }
        let roles = match groups::roles(&self.client, id, turn).await {
            // Gone in the meantime: whoever changes it next will see that.
            Err(TargetError::LookAgain { .. }) => return Ok(None),
            roles => roles?,
        };
        Ok(self.learn(id, &roles))
    }

    /// Why an account with these roles must never be changed.
    pub fn learn(&self, id: &AccountId, roles: &[UserRole]) -> Option<String> {
        let admin = || roles.iter().find(|row| row.role == ADMIN);
        let office = if roles.iter().any(|row| row.role == OWNER) {
            Office::Owner
        } else {
            admin().map_or(Office::None, |row| Office::Admin(row.group_id.clone()))
        };
        let mut known = self.known();
        if known.len() >= MOST {
            known.retain(|_, (_, until)| !until.left().is_zero());
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id.clone(), (office.clone(), Deadline::after(FRESH)));
        drop(known);
        self.reason(office)
    }

    /// Whether the roles are the owner's.
    pub fn is_owner(roles: &[UserRole]) -> bool {
        roles.iter().any(|row| row.role == OWNER)
    }

    /// The account's roles have changed.
    pub fn forget(&self, id: &AccountId) {
        self.known().remove(id);
    }

    fn remembered(&self, id: &AccountId) -> Option<Office> {
        let known = self.known();
        let (office, until) = known.get(id)?;
        (!until.left().is_zero()).then(|| office.clone())
    }

    fn reason(&self, office: Office) -> Option<String> {
        match office {
            Office::Owner => Some("it belongs to the company's owner".to_owned()),
            Office::Admin(group) if self.admins => Some(format!(
                "it has the role admin in group {group}; target.protect_admins = false lets \
                 accounts of administrators be changed"
            )),
            Office::Admin(_) | Office::None => None,
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<AccountId, (Office, Deadline)>> {
        // Nothing panics while it is held, and each change leaves it whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The form in which mails and ids are compared.
fn fold(text: &str) -> String {
    text.to_lowercase()
}

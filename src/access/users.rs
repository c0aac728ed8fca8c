//! Users of our own: a name, what they may do, and the hash of their password.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TRIES, read, write};
use crate::model::{Access, Proof};
use crate::store::{Store, StoreError};

/// Users, each under `user:NAME`.
const PREFIX: &str = "user:";

/// A user of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name by which they sign in.
    pub name: String,
    /// What they may do.
    pub access: Access,
    /// Against what their password is checked; without one nobody signs in.
    pub password: Option<Proof>,
    /// Changes whenever the access or the password does: sessions begun before have ended.
    pub stamp: String,
    /// Since when there is this user.
    pub since: Timestamp,
}

/// One user.
///
/// # Errors
/// When the store is not available.
pub async fn user(store: &dyn Store, name: &str) -> Result<Option<User>, StoreError> {
    let text = store.note(&format!("{PREFIX}{name}")).await?;
    text.map(|text| read("user", &text)).transpose()
}

/// All users, by their names.
///
/// # Errors
/// When the store is not available.
pub async fn users(store: &dyn Store) -> Result<Vec<User>, StoreError> {
    let notes = store.notes(PREFIX).await?;
    notes.iter().map(|(_, text)| read("user", text)).collect()
}

/// Makes a user or changes one; says whether the user is new.
///
/// # Errors
/// When the store is not available, or others keep changing this user.
pub async fn save(
    store: &dyn Store,
    name: &str,
    access: Access,
    password: Option<Proof>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let key = format!("{PREFIX}{name}");
    for _ in 0..TRIES {
        let before = store.note(&key).await?;
        let old: Option<User> = before.as_deref().map(|text| read("user", text)).transpose()?;
        let (was, since, stamp) = match &old {
            Some(old) => (old.password.clone(), old.since, Some(&old.stamp)),
            None => (None, now, None),
        };
        let changed = password.is_some() || old.as_ref().is_none_or(|old| old.access != access);
        let stamp = stamp.filter(|_| !changed).cloned();
        let user = User {
            name: name.to_owned(),
            access,
            password: password.clone().or(was),
            stamp: stamp.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            since,
        };
        if store.put_note(&key, before.as_deref(), Some(&write("user", &user)?)).await? {
            return Ok(old.is_none());
        }
    }
    Err(super::contended("save_user"))
}

/// Takes a user away; says whether there was one.
///
/// # Errors
/// When the store is not available, or others keep changing this user.
pub async fn remove(store: &dyn Store, name: &str) -> Result<bool, StoreError> {
    let key = format!("{PREFIX}{name}");
    for _ in 0..TRIES {
        let Some(before) = store.note(&key).await? else { return Ok(false) };
        if store.put_note(&key, Some(&before), None).await? {
            return Ok(true);
        }
    }
    Err(super::contended("remove_user"))
}

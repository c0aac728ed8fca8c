//! Tokens for the API: `instep_NAME_SECRET`, with a checksum at the end, so that one that was cut or
//! mistyped is refused without asking, and one that was found in the open says which it is.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{TRIES, digest, read, same, secret, write};
use crate::model::{Access, Proof};
use crate::store::{Store, StoreError};

/// Tokens, each under `token:NAME`.
const PREFIX: &str = "token:";

/// What every token begins with.
const MARK: &str = "instep_";

/// How many hexadecimal digits of a SHA-256 are the checksum.
const CHECK: usize = 8;

/// How old the time of the last use may be before it is written again.
const USE: SignedDuration = SignedDuration::from_hours(1);

/// How long a token that has expired is still shown.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is known of a token; not the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub access: Access,
    /// Against what it is checked.
    pub proof: Proof,
    /// Who made it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// When it was used last, up to an hour.
    pub used: Option<Timestamp>,
}

/// A token as it is given to a program, once.
pub struct Fresh {
    /// The whole of it.
    pub text: SecretString,
    /// Against what it is checked.
    pub proof: Proof,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fresh(…)")
    }
}

/// A token for a name.
///
/// # Errors
/// When the system has no randomness to give.
pub fn fresh(name: &str) -> Result<Fresh, getrandom::Error> {
    let body = format!("{MARK}{name}_{}", secret()?);
    let text = format!("{body}{}", &digest(&body)[..CHECK]);
    Ok(Fresh { proof: Proof::new(digest(&text)), text: SecretString::from(text) })
}

/// The name in a token that is whole.
fn name_in(text: &str) -> Option<&str> {
    let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK)?)?;
    let (name, _) = body.strip_prefix(MARK)?.split_once('_')?;
    (super::name_problem(name).is_none() && same(&digest(body)[..CHECK], check)).then_some(name)
}

/// The token with this text, if it counts now; that it was used is written down.
///
/// # Errors
/// When the store is not available.
pub async fn check(
    store: &dyn Store,
    text: &SecretString,
    now: Timestamp,
) -> Result<Option<Token>, StoreError> {
    let text = text.expose_secret();
    let Some(name) = name_in(text) else { return Ok(None) };
    let key = format!("{PREFIX}{name}");
    let Some(before) = store.note(&key).await? else { return Ok(None) };
    let mut token: Token = read("token", &before)?;
    if !same(token.proof.expose(), &digest(text)) || token.expires <= now {
        return Ok(None);
    }
    if token.used.is_none_or(|used| now.duration_since(used) >= USE) {
        token.used = Some(now);
        // Of several who write at once one succeeds, and that is enough.
        store.put_note(&key, Some(&before), Some(&write("token", &token)?)).await?;
    }
    Ok(Some(token))
}

/// All tokens, by their names.
///
/// # Errors
/// When the store is not available.
pub async fn tokens(store: &dyn Store) -> Result<Vec<Token>, StoreError> {
    let notes = store.notes(PREFIX).await?;
    notes.iter().map(|(_, text)| read("token", text)).collect()
}

/// Writes a token down; says whether there was none of its name that still counts.
///
/// # Errors
/// When the store is not available, or others keep changing this token.
pub async fn make(store: &dyn Store, token: &Token) -> Result<bool, StoreError> {
    let key = format!("{PREFIX}{}", token.name);
    for _ in 0..TRIES {
        let before = store.note(&key).await?;
        let old: Option<Token> = before.as_deref().map(|text| read("token", text)).transpose()?;
        if old.is_some_and(|old| old.expires > token.since) {
            return Ok(false);
        }
        if store.put_note(&key, before.as_deref(), Some(&write("token", token)?)).await? {
            return Ok(true);
        }
    }
    Err(super::contended("make_token"))
}

/// Takes a token away; says whether there was one.
///
/// # Errors
/// When the store is not available, or others keep changing this token.
pub async fn revoke(store: &dyn Store, name: &str) -> Result<bool, StoreError> {
    let key = format!("{PREFIX}{name}");
    for _ in 0..TRIES {
        let Some(before) = store.note(&key).await? else { return Ok(false) };
        if store.put_note(&key, Some(&before), None).await? {
            return Ok(true);
        }
    }
    Err(super::contended("revoke_token"))
}

/// Takes away those that expired a month ago.
///
/// # Errors
/// When the store is not available.
pub async fn sweep(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    for (key, text) in store.notes(PREFIX).await? {
        let token: Option<Token> = read("token", &text).ok();
        if token.is_some_and(|token| now.duration_since(token.expires) > KEPT) {
            store.put_note(&key, Some(&text), None).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{fresh, name_in};

    #[test]
    fn a_token_that_was_cut_or_mistyped_is_none() {
        let token = fresh("ci-7").unwrap();
        let text = token.text.expose_secret();
        assert_eq!(text.len(), "instep_ci-7_".len() + 64 + 8);
        assert_eq!(name_in(text), Some("ci-7"));
        assert_eq!(name_in(&text[..text.len() - 1]), None);
        assert_eq!(name_in(&text.replace("ci-7", "ci-8")), None);
        assert!(!format!("{token:?}").contains(text));
        for wrong in ["", "instep_", "instep__", "é", "instep_ci-7_", "éééééééé", "Bearer x"]
        {
            assert_eq!(name_in(wrong), None, "{wrong}");
        }
        assert_ne!(fresh("a").unwrap().proof, fresh("a").unwrap().proof);
    }
}

//! Sessions: somebody who has signed in, until they sign out, do nothing for long, or may something
//! else.
//!
//! Own code, and not a crate for sessions: what is needed is one small record by the hash of a
//! secret, and the rule by which it ends. A crate keeps its records by the secret itself, knows no
//! users, and brings cookies and clocks of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::users::user;
use super::{digest, read, secret, write};
use crate::model::Access;
use crate::store::{Store, StoreError};

/// Sessions, each under `session:SHA-256 of its secret`.
const PREFIX: &str = "session:";

/// The most sessions of one user: with another one, the oldest ends.
const MOST: usize = 20;

/// The most pages on which one session sees personal data at once.
const MOST_SHOWN: usize = 50;

/// For how long personal data is shown after somebody asked for it.
pub const SHOWN: SignedDuration = SignedDuration::from_mins(15);

/// For how long a session goes on.
#[derive(Clone, Copy, Debug)]
pub struct Lasting {
    /// Without anything being done.
    pub idle: Duration,
    /// At all.
    pub whole: Duration,
}

/// Where somebody was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// By their password here. The user's stamp at that time: the session lasts while it is that.
    Password(String),
    /// By the OpenID provider. The stamp of its settings likewise.
    Provider(String),
    /// Not at all: the demo.
    Nobody,
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Under which name.
    pub name: String,
    /// What they may do.
    pub access: Access,
    /// How they were checked.
    pub by: By,
    /// Since when.
    pub begun: Timestamp,
    /// When something was done last, more or less.
    pub seen: Timestamp,
    /// Where personal data is shown to them, and until when.
    #[serde(default)]
    pub shown: BTreeMap<String, Timestamp>,
}

impl Session {
    /// Whether personal data is shown to them there.
    pub fn sees(&self, about: &str, now: Timestamp) -> bool {
        self.shown.get(about).is_some_and(|until| *until > now)
    }

    fn is_over(&self, lasting: Lasting, now: Timestamp) -> bool {
        let over = |since: Timestamp, most: Duration| {
            SignedDuration::try_from(most).is_ok_and(|most| now.duration_since(since) >= most)
        };
        over(self.seen, lasting.idle) || over(self.begun, lasting.whole)
    }
}

/// Names a session in the store. It is no secret: the secret is what it is the hash of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// The session with this secret.
    pub fn of(secret: &str) -> Self {
        Self(digest(secret))
    }

    /// The one that everybody has in the demo.
    pub fn demo() -> Self {
        Self("demo".to_owned())
    }

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

/// Why no session was begun.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// The store is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness to give.
    #[error("this machine has no randomness to give: {0}")]
    Random(#[from] getrandom::Error),
}

/// Begins a session and says its secret. What has ended in the meantime is taken away.
///
/// # Errors
/// See [`NotBegun`].
pub async fn begin(
    store: &dyn Store,
    session: &Session,
    lasting: Lasting,
) -> Result<String, NotBegun> {
    let secret = secret()?;
    sweep(store, lasting, session.begun).await?;
    let mut theirs: Vec<_> = all(store).await?;
    theirs.retain(|(_, _, other)| other.name == session.name);
    theirs.sort_by_key(|(_, _, other)| other.begun);
    let surplus = (theirs.len() + 1).saturating_sub(MOST);
    for (key, text, _) in theirs.iter().take(surplus) {
        store.put_note(key, Some(text), None).await?;
    }
    let text = write("session", session)?;
    store.put_note(&SessionId::of(&secret).key(), None, Some(&text)).await?;
    Ok(secret)
}

/// Who this session is, if it has not ended; it goes on from now. `provider` is the stamp of the
/// OpenID provider's settings, when there is one.
///
/// # Errors
/// When the store is not available.
pub async fn find(
    store: &dyn Store,
    id: &SessionId,
    lasting: Lasting,
    provider: Option<&str>,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let Some(before) = store.note(&id.key()).await? else { return Ok(None) };
    let mut session: Session = read("session", &before)?;
    let stands = match &session.by {
        By::Password(stamp) => {
            let user = user(store, &session.name).await?;
            user.is_some_and(|user| user.stamp == *stamp && user.access == session.access)
        }
        By::Provider(stamp) => provider == Some(stamp),
        By::Nobody => true,
    };
    if !stands || session.is_over(lasting, now) {
        // If somebody wrote it just now, it is judged again at the next request.
        store.put_note(&id.key(), Some(&before), None).await?;
        return Ok(None);
    }
    // Not at each request: a page that is looked at is no reason to write.
    let old = SignedDuration::try_from(lasting.idle / 20).unwrap_or(SignedDuration::MAX);
    if now.duration_since(session.seen) >= old {
        session.seen = now;
        store.put_note(&id.key(), Some(&before), Some(&write("session", &session)?)).await?;
    }
    Ok(Some(session))
}

/// Shows personal data to a session there for [`SHOWN`]; says whether there was such a session.
///
/// # Errors
/// When the store is not available, or others keep changing this session.
pub async fn show(
    store: &dyn Store,
    id: &SessionId,
    about: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    for _ in 0..super::TRIES {
        let before = store.note(&id.key()).await?;
        let mut session: Session = match &before {
            Some(text) => read("session", text)?,
            None if *id == SessionId::demo() => Session {
                name: "demo".to_owned(),
                access: Access::Administrator,
                by: By::Nobody,
                begun: now,
                seen: now,
                shown: BTreeMap::new(),
            },
            None => return Ok(false),
        };
        session.shown.retain(|_, until| *until > now);
        if session.shown.len() >= MOST_SHOWN {
            let first = session.shown.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(about, _)| about.clone()).unwrap_or_default();
            session.shown.remove(&first);
        }
        session.shown.insert(about.to_owned(), now + SHOWN);
        let text = write("session", &session)?;
        if store.put_note(&id.key(), before.as_deref(), Some(&text)).await? {
            return Ok(true);
        }
    }
    Err(super::contended("show"))
}

/// Ends a session.
///
/// # Errors
/// When the store is not available.
pub async fn end(store: &dyn Store, id: &SessionId) -> Result<Option<Session>, StoreError> {
    for _ in 0..super::TRIES {
        let Some(text) = store.note(&id.key()).await? else { return Ok(None) };
        if store.put_note(&id.key(), Some(&text), None).await? {
            return Ok(read("session", &text).ok());
        }
    }
    Err(super::contended("end_session"))
}

/// Ends all sessions under this name, however they were checked; says how many.
///
/// # Errors
/// When the store is not available.
pub async fn end_all(store: &dyn Store, name: &str) -> Result<u64, StoreError> {
    let mut ended = 0;
    for (key, text, session) in all(store).await? {
        if session.name == name && store.put_note(&key, Some(&text), None).await? {
            ended += 1;
        }
    }
    Ok(ended)
}

/// Takes away what has ended.
///
/// # Errors
/// When the store is not available.
pub async fn sweep(store: &dyn Store, lasting: Lasting, now: Timestamp) -> Result<(), StoreError> {
    for (key, text, session) in all(store).await? {
        if session.is_over(lasting, now) {
            store.put_note(&key, Some(&text), None).await?;
        }
    }
    Ok(())
}

/// All sessions: under which note, what it says, and what that means. One that cannot be read is
/// nobody's.
async fn all(store: &dyn Store) -> Result<Vec<(String, String, Session)>, StoreError> {
    let notes = store.notes(PREFIX).await?;
    let whole = |(key, text): (String, String)| {
        let session = read("session", &text).ok()?;
        Some((key, text, session))
    };
    Ok(notes.into_iter().filter_map(whole).collect())
}

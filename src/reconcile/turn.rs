//! A turn at something that takes several steps, of which nobody else may see the middle: a note says
//! who has it. Whoever dies in theirs loses it after a minute.

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Who has not ended by then has died.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// A turn that somebody has.
pub struct Turn {
    name: String,
    says: String,
}

impl Turn {
    /// Takes the turn with this name; says who has it when somebody else does.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn take(
        store: &dyn Store,
        clock: &Clock,
        name: String,
        by: &str,
    ) -> Result<Result<Self, String>, StoreError> {
        loop {
            let now = clock.now();
            let before = store.note(&name).await?;
            if let Some(owner) = before.as_deref().and_then(|says| owner(says, now)) {
                return Ok(Err(owner.to_owned()));
            }
            let (until, token) = (now + LONGEST, uuid::Uuid::now_v7());
            let says = format!("{} {token} {by}", until.as_millisecond());
            if store.put_note(&name, before.as_deref(), Some(&says)).await? {
                return Ok(Ok(Self { name, says }));
            }
        }
    }

    /// Gives it back.
    pub async fn end(self, store: &dyn Store) {
        if let Err(error) = store.put_note(&self.name, Some(&self.says), None).await {
            // It ends by itself, a minute later.
            tracing::debug!(error = &error as &dyn std::error::Error, "a turn was not given back");
        }
    }
}

/// Who has the turn of which a note says this; nobody when it is over.
fn owner(says: &str, now: Timestamp) -> Option<&str> {
    let mut parts = says.splitn(3, ' ');
    let until: i64 = parts.next()?.parse().ok()?;
    (until > now.as_millisecond()).then(|| parts.nth(1).unwrap_or("somebody"))
}

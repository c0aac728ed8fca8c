//! Notes: small texts that processes share, each written only by who knows what it said before.
//! Beside each stands which call wrote it, so that a call made twice knows its own text.

use std::borrow::Cow;

use redis::cmd;
use uuid::Uuid;

use super::script::PUT_NOTE;
use super::{RedisStore, read};
use crate::store::StoreError;
use crate::store::seal::Place;

impl RedisStore {
    /// See [`Store::note`](crate::store::Store::note).
    pub(super) async fn read_note(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.read_stored_note(name).await?.map(|(_, text)| text))
    }

    /// A note as it is stored, and its text.
    async fn read_stored_note(&self, name: &str) -> Result<Option<(String, String)>, StoreError> {
        let command = cmd("HGET").arg(&self.names.notes).arg(name).to_owned();
        let stored: Option<String> = self.ask("note", &command).await?;
        let Some(stored) = stored else { return Ok(None) };
        let stored = text(&stored)?;
        let text = self.keys().await?.open(&Place::note(name), stored).map(Cow::into_owned)?;
        Ok(Some((stored.to_owned(), text)))
    }

    /// See [`Store::notes`](crate::store::Store::notes).
    pub(super) async fn list_notes(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let command = cmd("HGETALL").arg(&self.names.notes).to_owned();
        let all: Vec<(String, String)> = self.ask("notes", &command).await?;
        let keys = self.keys().await?;
        let mut notes = Vec::new();
        for (name, stored) in all.into_iter().filter(|(name, _)| name.starts_with(prefix)) {
            let text = keys.open(&Place::note(&name), text(&stored)?)?.into_owned();
            notes.push((name, text));
        }
        notes.sort();
        Ok(notes)
    }

    /// See [`Store::put_note`](crate::store::Store::put_note).
    pub(super) async fn write_note(
        &self,
        name: &str,
        before: Option<&str>,
        now: Option<&str>,
    ) -> Result<bool, StoreError> {
        let keys = self.keys().await?;
        let shut = |text| keys.shut(&Place::note(name), text);
        if keys.is_none() {
            return self.swap_note(name, before.map(shut), now.map(shut)).await;
        }
        loop {
            // The same text is sealed differently each time: what stands there now is compared.
            let stored = self.read_stored_note(name).await?;
            if stored.as_ref().map(|(_, text)| text.as_str()) != before {
                return Ok(false);
            }
            let stored = stored.map(|(stored, _)| stored);
            if self.swap_note(name, stored, now.map(shut)).await? {
                return Ok(true);
            }
            // Somebody was quicker, or has only sealed it anew.
        }
    }

    /// Seals a note anew, if it still says so.
    pub(super) async fn seal_note(&self, name: &str, text: &str) -> Result<bool, StoreError> {
        let Some((stored, there)) = self.read_stored_note(name).await? else { return Ok(false) };
        let sealed = self.keys().await?.shut(&Place::note(name), text);
        Ok(there == text && self.swap_note(name, Some(stored), Some(sealed)).await?)
    }

    /// Puts one stored text in the place of another.
    async fn swap_note(
        &self,
        name: &str,
        before: Option<String>,
        now: Option<String>,
    ) -> Result<bool, StoreError> {
        let mut call = PUT_NOTE.on(&[&self.names.notes]).arg(name).arg(Uuid::now_v7().to_string());
        for text in [before, now] {
            call = call.arg(text.as_ref().map_or("", |_| "text")).arg(text.unwrap_or_default());
        }
        read("put_note", call.run(&self.connection).await)
    }
}

/// The text, as it is stored, of `token NUL text`.
pub(super) fn text(stored: &str) -> Result<&str, StoreError> {
    match stored.split_once('\0') {
        Some((_, text)) => Ok(text),
        None => Err(StoreError::Unreadable { what: "note", why: "a part is missing".into() }),
    }
}

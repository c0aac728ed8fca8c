//! Notes: small texts that processes share, each written only by who knows what it said before.
//! Beside each stands which call wrote it, so that a call made twice knows its own text.

use redis::cmd;
use uuid::Uuid;

use super::script::PUT_NOTE;
use super::{RedisStore, read};
use crate::store::StoreError;

impl RedisStore {
    /// See [`Store::note`](crate::store::Store::note).
    pub(super) async fn read_note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let command = cmd("HGET").arg(&self.names.notes).arg(name).to_owned();
        let stored: Option<String> = self.ask("note", &command).await?;
        stored.as_deref().map(text).transpose()
    }

    /// See [`Store::notes`](crate::store::Store::notes).
    pub(super) async fn list_notes(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let command = cmd("HGETALL").arg(&self.names.notes).to_owned();
        let all: Vec<(String, String)> = self.ask("notes", &command).await?;
        let mut notes = Vec::new();
        for (name, stored) in all.into_iter().filter(|(name, _)| name.starts_with(prefix)) {
            notes.push((name, text(&stored)?));
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
        let mut call = PUT_NOTE.on(&[&self.names.notes]).arg(name).arg(Uuid::now_v7().to_string());
        for text in [before, now] {
            call = call.arg(text.map_or("", |_| "text")).arg(text.unwrap_or_default());
        }
        read("put_note", call.run(&self.connection).await)
    }
}

/// Reads a note from `token NUL text`.
fn text(stored: &str) -> Result<String, StoreError> {
    match stored.split_once('\0') {
        Some((_, text)) => Ok(text.to_owned()),
        None => Err(StoreError::Unreadable { what: "note", why: "a part is missing".into() }),
    }
}

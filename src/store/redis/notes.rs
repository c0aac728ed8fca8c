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
        let text = |stored: String| match stored.split_once('\0') {
            Some((_, text)) => Ok(text.to_owned()),
            None => Err(StoreError::Unreadable { what: "note", why: "a part is missing".into() }),
        };
        stored.map(text).transpose()
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

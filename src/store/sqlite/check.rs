//! Whether the file can be read and written, and what around it can lose data.

use rusqlite::OptionalExtension;

use super::file::{self, Db};
use super::{SqliteStore, Stop};
use crate::store::StoreError;

impl SqliteStore {
    /// See [`Store::check`](crate::store::Store::check).
    pub(super) async fn look_over(&self) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now().to_string();
        let written = now.clone();
        let write = move |db: &Db| {
            let sql = "INSERT INTO meta (name, value) VALUES ('checked', ?1) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            db.execute(sql, [written])?;
            let mode: String = db.pragma_query_one(None, "journal_mode")?;
            Ok(mode)
        };
        let mode = self.writer.write("check", write).await?;
        let sql = "SELECT value FROM meta WHERE name = 'checked' AND value = ?1";
        let read = move |db: &Db| {
            let read: Option<String> = db.query_row(sql, [now], |row| row.get(0)).optional()?;
            read.map(drop).ok_or_else(|| Stop::Other("what was written is not there".into()))
        };
        self.readers.read("check", read).await?;
        let mut warnings = Vec::new();
        if mode != "wal" {
            warnings.push(format!(
                "SQLite cannot use its write-ahead log here (it uses {mode}): put the file on a \
                 local disk"
            ));
        }
        if let Some(kind) = file::network(&self.path) {
            warnings.push(format!(
                "the database lies on a network file system ({kind}), where SQLite can lose or \
                 damage data: put it on a local disk"
            ));
        }
        Ok(warnings)
    }
}

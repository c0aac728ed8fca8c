//! The audit log.

use redis::cmd;

use super::script::{TRIM_AUDIT, WRITE_AUDIT};
use super::{RedisStore, read};
use crate::model::{AuditEntry, AuditId};
use crate::store::seal::Place;
use crate::store::{Retention, StoreError};

/// So many entries are read, or let go of, in one step; others can be served in between.
const ENTRIES: usize = 500;

impl RedisStore {
    /// See [`Store::write_audit`](crate::store::Store::write_audit).
    pub(super) async fn write_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let call = WRITE_AUDIT
            .on(&self.audit_keys())
            .arg(entry.id.as_str())
            .arg(entry.at.as_millisecond())
            .arg(self.keys().await?.write(&Place::audit(&entry.id), entry));
        read::<u64>("write_audit", call.run(&self.connection).await).map(drop)
    }

    /// See [`Store::audit`](crate::store::Store::audit).
    pub(super) async fn list_audit(
        &self,
        before: Option<&AuditId>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (names, keys) = (&self.names, self.keys().await?);
        let mut place = before.map_or_else(|| "+".to_owned(), |id| format!("({}", id.as_str()));
        let mut entries = Vec::new();
        while entries.len() < most {
            let mut command = cmd("ZREVRANGEBYLEX");
            command.arg(&names.audit_ids).arg(&place).arg("-");
            command.arg("LIMIT").arg(0).arg(ENTRIES.min(most - entries.len()));
            let ids: Vec<String> = self.ask("audit", &command).await?;
            let Some(last) = ids.last() else { break };
            place = format!("({last}");
            let command = cmd("HMGET").arg(&names.audit).arg(&ids).to_owned();
            let texts: Vec<Option<String>> = self.ask("audit", &command).await?;
            // Those that are not there were let go of in between.
            for (id, text) in ids.into_iter().zip(texts) {
                let Some(text) = text else { continue };
                entries.push(keys.read(&Place::audit(&AuditId::new(id)), &text)?);
            }
        }
        Ok(entries)
    }

    /// Lets go of old entries, some at a time; says how many went.
    pub(super) async fn let_go_of_audit(&self, retention: Retention) -> Result<u64, StoreError> {
        let before = retention.audit.as_millisecond();
        let call = TRIM_AUDIT.on(&self.audit_keys()).arg(before).arg(ENTRIES);
        read("trim", call.run(&self.connection).await)
    }

    fn audit_keys(&self) -> [&String; 3] {
        [&self.names.audit, &self.names.audit_ids, &self.names.audit_ages]
    }
}

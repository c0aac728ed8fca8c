//! The audit log.

use rusqlite::OptionalExtension;

use super::file::Db;
use super::{Stop, limit};
use crate::model::{AuditEntry, AuditId};
use crate::store::seal::Place;

/// Writes an entry, in the place of the one with the same id if there is one.
pub(super) fn write(db: &Db, entry: &AuditEntry) -> Result<(), Stop> {
    let sql = "INSERT INTO audit (id, at, record) VALUES (?1, ?2, ?3) \
               ON CONFLICT (id) DO UPDATE SET at = excluded.at, record = excluded.record";
    let row = (
        entry.id.as_str(),
        entry.at.as_millisecond(),
        db.keys.write(&Place::audit(&entry.id), entry),
    );
    db.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// One entry.
pub(super) fn one(db: &Db, id: &AuditId) -> Result<Option<AuditEntry>, Stop> {
    let mut find = db.prepare_cached("SELECT record FROM audit WHERE id = ?1")?;
    let record: Option<String> = find.query_row([id.as_str()], |row| row.get(0)).optional()?;
    Ok(record.map(|record| db.keys.read(&Place::audit(id), &record)).transpose()?)
}

/// Entries, newest first.
pub(super) fn list(
    db: &Db,
    before: Option<&AuditId>,
    most: usize,
) -> Result<Vec<AuditEntry>, Stop> {
    let sql = "SELECT record, id FROM audit WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut find = db.prepare_cached(sql)?;
    let mut found = find.query((before.map(AuditId::as_str), limit(most)))?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        entries.push(db.keys.read(&Place::audit(&AuditId::new(text(1)?)), text(0)?)?);
    }
    Ok(entries)
}

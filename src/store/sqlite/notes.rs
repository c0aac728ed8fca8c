//! Notes: small texts that processes share, each written only by who knows what it said before.

use rusqlite::{Connection, OptionalExtension};

use super::Stop;

/// A note.
pub(super) fn read(db: &Connection, name: &str) -> Result<Option<String>, Stop> {
    let sql = "SELECT text FROM note WHERE name = ?1";
    Ok(db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}

/// Writes or removes a note, if it says what it was thought to say; says whether it did.
pub(super) fn put(
    db: &Connection,
    name: &str,
    before: Option<&str>,
    now: Option<&str>,
) -> Result<bool, Stop> {
    if read(db, name)?.as_deref() != before {
        return Ok(false);
    }
    match now {
        Some(text) => {
            let sql = "INSERT INTO note (name, text) VALUES (?1, ?2) \
                       ON CONFLICT (name) DO UPDATE SET text = excluded.text";
            db.prepare_cached(sql)?.execute((name, text))?;
        }
        None => {
            db.prepare_cached("DELETE FROM note WHERE name = ?1")?.execute([name])?;
        }
    }
    Ok(true)
}

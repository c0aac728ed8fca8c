//! Notes: small texts that processes share, each written only by who knows what it said before.

use std::borrow::Cow;

use rusqlite::OptionalExtension;

use super::Stop;
use super::file::Db;
use crate::store::seal::Place;

/// A note.
pub(super) fn read(db: &Db, name: &str) -> Result<Option<String>, Stop> {
    let sql = "SELECT text FROM note WHERE name = ?1";
    let stored: Option<String> =
        db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
    let open = |stored: String| db.keys.open(&Place::note(name), &stored).map(Cow::into_owned);
    Ok(stored.map(open).transpose()?)
}

/// Writes or removes a note, if it says what it was thought to say; says whether it did.
pub(super) fn put(
    db: &Db,
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
            db.prepare_cached(sql)?.execute((name, db.keys.shut(&Place::note(name), text)))?;
        }
        None => {
            db.prepare_cached("DELETE FROM note WHERE name = ?1")?.execute([name])?;
        }
    }
    Ok(true)
}

/// All notes whose name begins with this, by their names.
pub(super) fn list(db: &Db, prefix: &str) -> Result<Vec<(String, String)>, Stop> {
    // Of all texts that begin with the prefix none is greater than that.
    let sql = "SELECT name, text FROM note WHERE name >= ?1 AND name < ?2 ORDER BY name";
    let mut find = db.prepare_cached(sql)?;
    let mut found = find.query((prefix, format!("{prefix}\u{10ffff}")))?;
    let mut notes = Vec::new();
    while let Some(row) = found.next()? {
        let (name, stored): (String, String) = (row.get(0)?, row.get(1)?);
        let text = db.keys.open(&Place::note(&name), &stored)?.into_owned();
        notes.push((name, text));
    }
    Ok(notes)
}

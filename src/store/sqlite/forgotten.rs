//! Tombstones: who was forgotten, and that nothing new of them is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::file::Db;
use super::rows::keys;
use super::{Stop, lease, links};
use crate::model::{EmployeeId, Person, SourceName};
use crate::store::{from_ms, ms_up};

/// Leaves a tombstone and takes the person out of the queue, unless they are under lease; says
/// whether they were not.
pub(super) fn forget(
    db: &Db,
    person: &Person,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool, Stop> {
    if !lease::end_if_over(db, person, now)? {
        return Ok(false);
    }
    write(db, person, at)?;
    links::choose(db, person, None)?;
    let sql = "DELETE FROM person WHERE source = ?1 AND employee = ?2";
    db.prepare_cached(sql)?.execute(keys(person))?;
    Ok(true)
}

/// Writes a tombstone; the first one stays.
pub(super) fn write(db: &Db, person: &Person, at: Timestamp) -> Result<(), Stop> {
    let sql = "INSERT INTO forgotten (source, employee, at) VALUES (?1, ?2, ?3) \
               ON CONFLICT (source, employee) DO NOTHING";
    let (source, employee) = keys(person);
    db.prepare_cached(sql)?.execute((source, employee, ms_up(at)))?;
    Ok(())
}

/// Takes a tombstone away; says whether there was one.
pub(super) fn remember(db: &Db, person: &Person) -> Result<bool, Stop> {
    let sql = "DELETE FROM forgotten WHERE source = ?1 AND employee = ?2";
    Ok(db.prepare_cached(sql)?.execute(keys(person))? > 0)
}

/// When a person was forgotten, if they were.
pub(super) fn when(db: &Db, person: &Person) -> Result<Option<Timestamp>, Stop> {
    let sql = "SELECT at FROM forgotten WHERE source = ?1 AND employee = ?2";
    let at = db.prepare_cached(sql)?.query_row(keys(person), |row| row.get(0)).optional()?;
    Ok(at.map(from_ms))
}

/// Everybody of a source who was forgotten, and when.
pub(super) fn all(db: &Db, source: &SourceName) -> Result<BTreeMap<EmployeeId, Timestamp>, Stop> {
    let mut find = db.prepare_cached("SELECT employee, at FROM forgotten WHERE source = ?1")?;
    let found = find.query_map([source.as_str()], |row| {
        Ok((EmployeeId::new(row.get::<_, String>(0)?), from_ms(row.get(1)?)))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

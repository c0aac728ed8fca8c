//! Pages of what runs have read. There are none of a run that is not there or has ended.

use rusqlite::OptionalExtension;

use super::file::Db;
use super::{Stop, limit};
use crate::model::{Page, RunId};
use crate::store::StoreError;
use crate::store::seal::Place;

/// Keeps a page.
pub(super) fn save(db: &Db, run: &RunId, number: u64, record: &str) -> Result<(), Stop> {
    let sql = "SELECT ended FROM run WHERE id = ?1";
    let mut find = db.prepare_cached(sql)?;
    let ended: Option<bool> = find.query_row([run.as_str()], |row| row.get(0)).optional()?;
    if ended != Some(false) {
        return Err(StoreError::NoRun(run.clone()).into());
    }
    let sql = "INSERT INTO page (run, number, record) VALUES (?1, ?2, ?3) \
               ON CONFLICT (run, number) DO UPDATE SET record = excluded.record";
    db.prepare_cached(sql)?.execute((run.as_str(), place(number), record))?;
    Ok(())
}

/// The pages of a run after this one, up to the first gap.
pub(super) fn read(db: &Db, run: &RunId, after: u64, most: usize) -> Result<Vec<Page>, Stop> {
    let sql = "SELECT number, record FROM page WHERE run = ?1 AND number > ?2 \
               ORDER BY number LIMIT ?3";
    let mut find = db.prepare_cached(sql)?;
    let mut found = find.query((run.as_str(), place(after), limit(most)))?;
    let (mut pages, mut last) = (Vec::new(), place(after));
    while let Some(row) = found.next()? {
        let number: i64 = row.get(0)?;
        if number != last + 1 {
            break;
        }
        last = number;
        let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let place = Place::page(run, u64::try_from(number).unwrap_or(0));
        pages.push(db.keys.read(&place, text)?);
    }
    Ok(pages)
}

/// Lets go of all pages of a run.
pub(super) fn drop_all(db: &Db, run: &str) -> Result<(), Stop> {
    db.prepare_cached("DELETE FROM page WHERE run = ?1")?.execute([run])?;
    Ok(())
}

fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

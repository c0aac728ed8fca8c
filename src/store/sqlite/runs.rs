//! Runs and their items. A run is written only by who knows its revision; there are no items without
//! their run.

use rusqlite::{OptionalExtension, params};

use super::file::Db;
use super::{Stop, limit, pages};
use crate::model::{Item, Run, RunId, SourceName};
use crate::store::seal::{Keys, Place};
use crate::store::{Retention, Runs, StoreError};

/// A run, ready to be written.
pub(super) struct Ready {
    run: Run,
    record: String,
}

impl Ready {
    /// Does what needs no database.
    pub(super) fn new(run: &Run, keys: &Keys) -> Self {
        Self { record: keys.write(&Place::run(&run.id), run), run: run.clone() }
    }

    /// Writes it, if what is stored has the revision before; says whether it did.
    pub(super) fn save(&self, db: &Db) -> Result<bool, Stop> {
        let run = &self.run;
        let sql = "SELECT revision FROM run WHERE id = ?1";
        let mut find = db.prepare_cached(sql)?;
        let stored: Option<i64> = find.query_row([run.id.as_str()], |row| row.get(0)).optional()?;
        // One that is not there has the revision 0.
        let revision = number(run.revision);
        if stored.unwrap_or(0) != revision - 1 {
            return Ok(false);
        }
        self.put(db)?;
        Ok(true)
    }

    /// Writes it, whatever is stored.
    pub(super) fn put(&self, db: &Db) -> Result<(), Stop> {
        let Self { run, record } = self;
        let sql = "INSERT INTO run (id, source, revision, started, ended, open, record) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET \
                   source = excluded.source, revision = excluded.revision, \
                   started = excluded.started, ended = excluded.ended, open = excluded.open, \
                   record = excluded.record";
        db.prepare_cached(sql)?.execute(params![
            run.id.as_str(),
            run.source.as_str(),
            number(run.revision),
            run.started_at.as_millisecond(),
            run.ended_at.is_some(),
            run.is_open(),
            record,
        ])?;
        Ok(())
    }
}

/// A count as SQLite keeps it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// One run.
pub(super) fn run(db: &Db, id: &RunId) -> Result<Option<Run>, Stop> {
    let sql = "SELECT record FROM run WHERE id = ?1";
    let record: Option<String> =
        db.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0)).optional()?;
    Ok(record.map(|record| db.keys.read(&Place::run(id), &record)).transpose()?)
}

/// Runs, newest first. Their ids are in the order of their creation.
pub(super) fn runs(
    db: &Db,
    source: Option<&SourceName>,
    which: Runs,
    most: usize,
) -> Result<Vec<Run>, Stop> {
    let mut find = db.prepare_cached(match which {
        Runs::Open => {
            "SELECT id, record FROM run WHERE open = 1 AND (?1 IS NULL OR source = ?1) \
             ORDER BY id DESC"
        }
        Runs::All | Runs::FullSyncs | Runs::Acting => {
            "SELECT id, record FROM run WHERE ?1 IS NULL OR source = ?1 ORDER BY id DESC"
        }
    })?;
    let mut found = find.query([source.map(SourceName::as_str)])?;
    let mut runs = Vec::new();
    while runs.len() < most
        && let Some(row) = found.next()?
    {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        match db.keys.read(&Place::run(&RunId::new(text(0)?)), text(1)?) {
            Ok(run) if which.fits(&run) => runs.push(run),
            Ok(_) => {}
            Err(error) => tracing::error!(run = text(0)?, %error, "it is not listed"),
        }
    }
    Ok(runs)
}

/// Writes items of a run.
pub(super) fn save_items(db: &Db, run: &RunId, items: &[(u64, String)]) -> Result<(), Stop> {
    let there = "SELECT EXISTS (SELECT 1 FROM run WHERE id = ?1)";
    if !db.prepare_cached(there)?.query_row([run.as_str()], |row| row.get::<_, bool>(0))? {
        return Err(StoreError::NoRun(run.clone()).into());
    }
    let sql = "INSERT INTO item (run, number, record) VALUES (?1, ?2, ?3) \
               ON CONFLICT (run, number) DO UPDATE SET record = excluded.record";
    let mut write = db.prepare_cached(sql)?;
    for (place, record) in items {
        write.execute((run.as_str(), number(*place), record))?;
    }
    Ok(())
}

/// Items of a run, by their numbers.
pub(super) fn items(db: &Db, run: &RunId, after: u64, most: usize) -> Result<Vec<Item>, Stop> {
    let sql =
        "SELECT record, number FROM item WHERE run = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    let mut find = db.prepare_cached(sql)?;
    let mut found = find.query((run.as_str(), number(after), limit(most)))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let number = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
        items.push(db.keys.read(&Place::item(run, number), text)?);
    }
    Ok(items)
}

/// Lets go of runs that ended, each after its items, `most` records at most; says how many.
pub(super) fn trim(db: &Db, retention: Retention, most: usize) -> Result<usize, Stop> {
    let oldest = "SELECT id FROM run WHERE ended = 1 AND started < ?1 ORDER BY started LIMIT 1";
    let items = "DELETE FROM item WHERE run = ?1 AND number IN \
                 (SELECT number FROM item WHERE run = ?1 ORDER BY number LIMIT ?2)";
    let mut find = db.prepare_cached(oldest)?;
    let mut gone = 0;
    while gone < most {
        let before = retention.runs.as_millisecond();
        let found: Option<String> = find.query_row([before], |row| row.get(0)).optional()?;
        let Some(run) = found else { break };
        gone += db.prepare_cached(items)?.execute((&run, limit(most - gone)))?;
        if gone < most {
            pages::drop_all(db, &run)?;
            gone += db.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([&run])?;
        }
    }
    Ok(gone)
}

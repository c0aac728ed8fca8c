//! Letting go of what is old, some at a time, and giving the room back to the file system.

use super::file::Db;
use super::{Stop, limit, runs};
use crate::store::Retention;

/// So many of each kind go in one step: others wait for the writer meanwhile.
const AT_ONCE: usize = 500;
/// So many free pages are kept for what comes next (4 MiB)…
const SPARE_PAGES: i64 = 1_000;
/// …and so many of the others are given back in one step.
const GIVEN_BACK: i64 = 500;

/// Deletes what is past its retention; says how many records went.
pub(super) fn trim(db: &Db, retention: Retention) -> Result<u64, Stop> {
    // Left to itself SQLite would sort all settled deliveries each time.
    let deliveries = "DELETE FROM delivery WHERE rowid IN (SELECT rowid FROM delivery \
        INDEXED BY delivery_by_age WHERE state IN ('done', 'ignored') AND received < ?1 ORDER BY received LIMIT ?2)";
    let events = "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event \
        WHERE received < ?1 AND NOT EXISTS (SELECT 1 FROM delivery \
            WHERE delivery.event = event.id AND delivery.state IN ('waiting', 'dead')) \
        ORDER BY received LIMIT ?2)";
    let audit = "DELETE FROM audit WHERE id IN \
        (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)";
    let kinds =
        [(deliveries, retention.deliveries), (events, retention.events), (audit, retention.audit)];
    let mut gone = runs::trim(db, retention, AT_ONCE)?;
    for (sql, before) in kinds {
        gone += db.prepare_cached(sql)?.execute((before.as_millisecond(), limit(AT_ONCE)))?;
    }
    let free: i64 = db.pragma_query_one(None, "freelist_count")?;
    let surplus = (free - SPARE_PAGES).min(GIVEN_BACK);
    if surplus > 0 {
        // It gives back one page for each row it returns.
        let mut give_back = db.prepare(&format!("PRAGMA incremental_vacuum({surplus})"))?;
        let mut pages = give_back.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

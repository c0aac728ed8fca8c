//! The right to serve from a file: one process has it, others may still open the file to look and
//! to replay.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Transaction, TransactionBehavior};

use super::Stop;
use super::file::{self, Db};
use super::rows::{self, Written};
use crate::store::seal::Keys;

/// Takes the lock `<database>.lock`; the system lets go of it when the file is closed or the
/// process ends, in whatever way. Leases that an earlier server left behind run out at once.
pub(super) fn take(database: &Path, keys: &Keys, now: Timestamp) -> Result<File, Stop> {
    let lock = lock(database)?;
    let db = file::open_to_write(database, keys, now)?;
    let whole = Transaction::new_unchecked(&db, TransactionBehavior::Immediate)?;
    begin(&db, now)?;
    whole.commit()?;
    Ok(lock)
}

/// Ends the leases of an earlier server, who is gone: they are taken back by the next lease. When
/// events were received later than now, the clock was set back by at least so much, and nothing
/// shall wait for it to catch up.
fn begin(db: &Db, now: Timestamp) -> Result<(), Stop> {
    db.execute("UPDATE person SET lease_until = 0 WHERE lease IS NOT NULL", [])?;
    let at = now.as_millisecond();
    let last: Option<i64> =
        db.query_row("SELECT max(received) FROM event", [], |row| row.get(0))?;
    let Some(ahead) = last.map(|last| last - at).filter(|ahead| *ahead > 0) else {
        return Ok(());
    };
    tracing::warn!(seconds = ahead / 1000, "the clock was set back: what is due is due earlier");
    let later = "SELECT id FROM delivery WHERE state = 'waiting' AND due > ?1";
    let later: Vec<String> =
        db.prepare(later)?.query_map([at], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in later {
        // What a newer program wrote is left to it.
        if let Ok(Some(mut delivery)) = rows::delivery(db, &id) {
            delivery.due = (delivery.due - SignedDuration::from_millis(ahead)).max(now);
            Written::new(delivery, &db.keys).update(db)?;
        }
    }
    for sql in [
        "UPDATE person SET live_due = max(?1, live_due - ?2) WHERE live_due > ?1",
        "UPDATE person SET bulk_due = max(?1, bulk_due - ?2) WHERE bulk_due > ?1",
    ] {
        db.execute(sql, (at, ahead))?;
    }
    Ok(())
}

fn lock(database: &Path) -> Result<File, Stop> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let told = |kind, why: String| Stop::Other(io::Error::new(kind, why).into());
    let failed = |e: io::Error| told(e.kind(), format!("{}: {e}", name.display()));
    let file = OpenOptions::new().create(true).append(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(e)) => Err(failed(e)),
        Err(TryLockError::WouldBlock) => Err(told(
            io::ErrorKind::WouldBlock,
            format!(
                "another `instep serve` works on {}: stop it first, or let both share a Redis",
                database.display()
            ),
        )),
    }
}

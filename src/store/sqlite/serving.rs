//! The right to serve from a file: one process has it, others may still open the file to look and
//! to replay.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{Stop, file};

/// Takes the lock `<database>.lock`; the system lets go of it when the file is closed or the
/// process ends, in whatever way. Leases that an earlier server left behind run out at once.
pub(super) fn take(database: &Path) -> Result<File, Stop> {
    let lock = lock(database)?;
    let db = file::open_to_write(database)?;
    db.execute("UPDATE person SET lease_until = 0 WHERE lease IS NOT NULL", [])?;
    Ok(lock)
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

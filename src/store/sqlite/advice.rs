//! What to do when SQLite cannot write or read: a full disk, a damaged file.

use std::error::Error;

use rusqlite::ErrorCode;

/// What SQLite said, with what to do about it where that is known.
#[derive(Debug, thiserror::Error)]
#[error("{advice}")]
struct Advised {
    advice: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

/// Adds what to do.
pub(super) fn advise(
    code: Option<ErrorCode>,
    source: Box<dyn Error + Send + Sync>,
) -> Box<dyn Error + Send + Sync> {
    let advice = match code {
        Some(ErrorCode::DiskFull) => {
            "the disk is full: make room on the disk that holds the database; nothing is lost, and \
             all goes on by itself"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "the disk cannot be written or read: look at its room, its quota and the system's log; \
             all goes on by itself when it can"
        }
        Some(ErrorCode::ReadOnly) => {
            "the database cannot be written: look at the rights of its file and folder, and whether \
             the disk is mounted read-only"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the database is damaged: stop Instep, keep the file, and bring back a backup; a full \
             sync then finds what the backup lacks"
        }
        _ => return source,
    };
    Box::new(Advised { advice, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::Stop;

    #[test]
    fn a_full_disk_says_what_to_do() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch("PRAGMA max_page_count = 3; CREATE TABLE t (x)").unwrap();
        let fill = "INSERT INTO t VALUES (zeroblob(100000))";
        for stop in [
            Stop::Sqlite(db.execute(fill, []).unwrap_err()),
            Stop::Other(Box::new(std::sync::Arc::new(db.execute(fill, []).unwrap_err()))),
        ] {
            let error = stop.while_doing("accept");
            let why = error.source().unwrap();
            assert!(why.to_string().contains("make room on the disk"), "{why}");
            assert!(why.source().unwrap().to_string().contains("full"), "{why:?}");
        }
    }
}

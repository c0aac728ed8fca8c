//! Connections that only read: a few, opened when they are needed. They never wait for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::Stop;
use super::file::{self, Db};
use crate::clock::Stopwatch;
use crate::store::seal::Keys;
use crate::store::{StoreError, count_call};

/// So many read at once.
const MOST: usize = 4;

/// The connections.
pub(super) struct Readers {
    path: PathBuf,
    keys: Keys,
    idle: Mutex<Vec<Db>>,
    room: Semaphore,
}

impl Readers {
    pub(super) fn new(path: PathBuf, keys: Keys) -> Arc<Self> {
        Arc::new(Self { path, keys, idle: Mutex::default(), room: Semaphore::new(MOST) })
    }

    /// Reads, on a thread that may block. All of it sees the same moment.
    pub(super) async fn read<T, W>(
        self: &Arc<Self>,
        doing: &'static str,
        work: W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Db) -> Result<T, Stop> + Send + 'static,
    {
        let watch = Stopwatch::start();
        // The semaphore is never closed, so there is a permit in any case.
        let _permit = self.room.acquire().await.ok();
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || readers.with_one(work));
        let read = reading.await.unwrap_or_else(|e| Err(Stop::Other(e.into())));
        count_call(doing, watch.took(), matches!(&read, Err(stop) if !stop.is_refusal()));
        read.map_err(|stop| stop.while_doing(doing))
    }

    fn with_one<T>(&self, work: impl FnOnce(&Db) -> Result<T, Stop>) -> Result<T, Stop> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let db = taken.map_or_else(|| file::open_to_read(&self.path, &self.keys), Ok)?;
        let read = db.unchecked_transaction().map_err(Stop::from).and_then(|moment| {
            let read = work(&db)?;
            moment.finish()?;
            Ok(read)
        });
        // After an error of SQLite's own the connection is opened anew.
        if !matches!(read, Err(Stop::Sqlite(_))) {
            idle().push(db);
        }
        read
    }
}

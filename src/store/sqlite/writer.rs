//! The one writer: a thread that takes whatever waits and commits it as one transaction, so that
//! many concurrent callers share one write to the disk.
//!
//! A caller has its answer only after the commit. Each piece of work runs in a savepoint: one that
//! is refused leaves no trace and does not spoil the others. When the commit fails, everyone in it
//! is told, nothing is changed, and the next one is tried afresh: a full disk or a locked file is
//! over when its cause is.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::Stop;
use super::file::Db;
use crate::clock::Stopwatch;
use crate::store::{StoreError, count_call};

/// So many pieces of work may wait; further callers wait to hand theirs in.
const WAITING: usize = 1024;
/// So many are committed together at most.
const TOGETHER: usize = 256;

/// The writer's thread; it ends when this is dropped, after what was handed in.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(db: Db) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(WAITING);
        let thread = Builder::new().name("sqlite writer".into()).spawn(move || serve(&db, jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does the work in the next transaction; it is on the disk when this returns. Once handed in
    /// it is done even if the caller goes away.
    pub(super) async fn write<T, W>(&self, doing: &'static str, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Db) -> Result<T, Stop> + Send + 'static,
    {
        let watch = Stopwatch::start();
        let gone = || Stop::Other("the writer has stopped: restart this program".into());
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work: Some(work), outcome: None, reply });
        let queue = self.queue.as_ref().ok_or_else(|| gone().while_doing(doing))?;
        queue.send(job).await.map_err(|_| gone().while_doing(doing))?;
        let written = answer.await.unwrap_or_else(|_| Err(gone()));
        count_call(doing, watch.took(), matches!(&written, Err(stop) if !stop.is_refusal()));
        written.map_err(|stop| stop.while_doing(doing))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One piece of work, whatever it gives back.
trait Job: Send {
    /// Does it; says whether what it wrote shall stay.
    fn run(&mut self, db: &Db) -> bool;
    /// Tells the caller.
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Task<T, W> {
    work: Option<W>,
    outcome: Option<Result<T, Stop>>,
    reply: oneshot::Sender<Result<T, Stop>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnOnce(&Db) -> Result<T, Stop> + Send,
{
    fn run(&mut self, db: &Db) -> bool {
        self.outcome = self.work.take().map(|work| work(db));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(stop)), _) => Err(stop),
            (_, Err(error)) => Err(Stop::Other(Box::new(error))),
            (Some(done), Ok(())) => done,
            // Nothing is committed before everything has run.
            (None, Ok(())) => Err(Stop::Other("it was not run".into())),
        };
        // Nobody may be waiting any more.
        let _ = self.reply.send(answer);
    }
}

fn serve(db: &Db, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut jobs = Vec::with_capacity(TOGETHER);
    while queue.blocking_recv_many(&mut jobs, TOGETHER) > 0 {
        let committed = commit(db, &mut jobs).map_err(Arc::new);
        if committed.is_err() && !db.is_autocommit() {
            // Should this fail too, the next BEGIN says so to its callers.
            let _ = db.execute_batch("ROLLBACK");
        }
        for job in jobs.drain(..) {
            job.answer(committed.clone());
        }
    }
}

fn commit(db: &Db, jobs: &mut [Box<dyn Job>]) -> Result<(), rusqlite::Error> {
    let say = |command: &str| db.prepare_cached(command)?.execute([]);
    say("BEGIN IMMEDIATE")?;
    for job in jobs {
        say("SAVEPOINT job")?;
        if !job.run(db) {
            if db.is_autocommit() {
                // After some errors (a full disk) SQLite undoes the whole transaction by itself.
                let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
                return Err(rusqlite::Error::SqliteFailure(code, None));
            }
            say("ROLLBACK TO job")?;
        }
        say("RELEASE job")?;
    }
    say("COMMIT")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::seal::Keys;

    fn writer() -> Writer {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE line (text TEXT)").unwrap();
        Writer::start(Db::new(db, Keys::none())).unwrap()
    }

    fn add(text: String) -> impl FnOnce(&Db) -> Result<(), Stop> + Send + 'static {
        move |db| {
            db.execute("INSERT INTO line VALUES (?1)", [text])?;
            Ok(())
        }
    }

    async fn lines(writer: &Writer) -> i64 {
        let count = "SELECT count(*) FROM line";
        let count = |db: &Db| Ok(db.query_row(count, [], |row| row.get(0))?);
        writer.write("count", count).await.unwrap()
    }

    #[tokio::test]
    async fn a_refusal_leaves_no_trace_and_spoils_nobody() {
        let writer = writer();
        let refused = |db: &Db| -> Result<(), Stop> {
            add("refused".into())(db)?;
            Err(StoreError::LeaseLost.into())
        };
        let broken = |db: &Db| -> Result<(), Stop> {
            add("broken".into())(db)?;
            Ok(db.execute_batch("INSERT INTO no_such_table VALUES (1)")?)
        };
        // All are handed in before the first is answered, so that some share a transaction.
        let (first, refused, broken, last) = tokio::join!(
            writer.write("add", add("first".into())),
            writer.write("refuse", refused),
            writer.write("break", broken),
            writer.write("add", add("last".into())),
        );
        assert!(first.is_ok() && last.is_ok());
        assert!(matches!(refused, Err(StoreError::LeaseLost)));
        assert!(matches!(broken, Err(StoreError::Unavailable { doing: "break", .. })));
        assert_eq!(lines(&writer).await, 2);
    }

    #[tokio::test]
    async fn a_full_database_is_told_and_over_when_there_is_room() {
        let writer = writer();
        let room = async |pages: i64| {
            let set = move |db: &Db| {
                db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
                Ok(())
            };
            writer.write("room", set).await.unwrap();
        };
        room(20).await;
        // A small piece of work in the same transaction fails with the large one or is kept; what
        // was told is what is there.
        let (small, large, other) = tokio::join!(
            writer.write("add", add("small".into())),
            writer.write("add", add("large".repeat(100_000))),
            writer.write("add", add("other".into())),
        );
        assert!(matches!(large, Err(StoreError::Unavailable { .. })));
        let kept = i64::from(small.is_ok()) + i64::from(other.is_ok());
        assert_eq!(lines(&writer).await, kept);
        room(1_000_000).await;
        writer.write("add", add("large".repeat(100_000))).await.unwrap();
        assert_eq!(lines(&writer).await, kept + 1);
    }
}

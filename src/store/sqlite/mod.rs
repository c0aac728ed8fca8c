//! The store in one SQLite file: nothing else to set up, and the default.
//!
//! One thread writes and commits in groups (`writer.rs`), a few connections read (`readers.rs`).
//! One process serves from a file ([`SqliteStore::lock_for_serving`]); others may open it at the
//! same time to look and to replay. Budgets live in memory, because only that process spends them.
//! When the disk is full or the file is locked, calls say [`StoreError::Unavailable`]; once the
//! cause is gone, the next call succeeds.

mod accept;
mod advice;
mod audit;
pub mod backup;
mod check;
mod close;
mod file;
mod forgotten;
mod lease;
mod links;
mod list;
mod notes;
mod pages;
mod rate;
mod readers;
mod rows;
mod runs;
mod serving;
mod stop;
mod trim;
mod whole;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use self::accept::Ready;
use self::file::Db;
use self::rate::Bucket;
use self::readers::Readers;
use self::rows::Written;
use self::stop::Stop;
use self::writer::Writer;
use super::seal::{Keys, Place};
use super::{
    Accepted, Depth, Due, Dump, Filter, Grant, Hold, KeptEvent, Lease, LeaseRequest, Links, Rate,
    Retention, Runs, Store, StoreError, Stored, assert_short, portion, record,
};
use crate::clock::{Clock, Deadline};
use crate::model::{
    AccountId, Arrival, AuditEntry, AuditId, Choice, Delivery, DeliveryId, DeliveryState,
    EmployeeId, EventId, Item, Lane, Link, Page, Person, Run, RunId, SourceName,
};

/// A number of rows as SQLite wants it.
fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The pause before a settle that could not be written is tried again.
const SETTLE_PAUSE: Duration = Duration::from_millis(250);

/// So many replays, or so many of many arrivals, go in one step: others wait for the writer
/// meanwhile.
const AT_ONCE: usize = 250;

/// A store in a file.
pub struct SqliteStore {
    path: PathBuf,
    clock: Clock,
    keys: Keys,
    // Closed before the writer, so that the last to close tidies up the file.
    readers: Arc<Readers>,
    writer: Writer,
    budgets: Mutex<HashMap<String, Bucket>>,
    /// Counts requests for a single person, every tenth of which goes to bulk work.
    singles: AtomicUsize,
    serving: Mutex<Option<File>>,
}

impl SqliteStore {
    /// Opens the file; makes it, readable by its owner only, when it is not there. Blocks for the
    /// moment it takes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be opened, [`StoreError::Unreadable`] when a
    /// newer or another program made it.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        Self::open_sealed(path, clock, Keys::none())
    }

    /// As [`open`](Self::open), a file that is sealed with these keys, or shall be from now on.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and [`StoreError::Unreadable`] when a key is missing.
    pub fn open_sealed(path: &Path, clock: Clock, keys: Keys) -> Result<Self, StoreError> {
        let now = clock.now();
        let open = || -> Result<Writer, Stop> {
            let db = file::open_to_write(path, &keys, now)?;
            Writer::start(db).map_err(|e| Stop::Other(e.into()))
        };
        Ok(Self {
            path: path.to_owned(),
            clock,
            writer: open().map_err(|stop| stop.while_doing("open"))?,
            readers: Readers::new(path.to_owned(), keys.clone()),
            keys,
            budgets: Mutex::default(),
            singles: AtomicUsize::new(0),
            serving: Mutex::default(),
        })
    }

    /// The file that a URL like `sqlite:instep.db` or `sqlite:///var/lib/instep.db` names.
    pub fn parse_url(url: &str) -> Option<PathBuf> {
        let path = url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        (!path.is_empty()).then(|| path.into())
    }

    /// Makes this process the one that serves from the file, until the store is dropped or the
    /// process ends. Leases that an earlier server left behind run out at once, because nobody is
    /// at work on them. When the machine's clock was set back since, what is due is due so much
    /// earlier. Blocks for the moment it takes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when another process serves from the file, or cannot be kept
    /// from it.
    pub fn lock_for_serving(&self) -> Result<(), StoreError> {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if serving.is_none() {
            let lock = serving::take(&self.path, &self.keys, self.clock.now())
                .map_err(|stop| stop.while_doing("lock"))?;
            *serving = Some(lock);
        }
        Ok(())
    }

    /// Works on a budget.
    fn budget<T>(&self, name: &str, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = budgets.get_mut(name) {
            return work(bucket);
        }
        work(budgets.entry(name.to_owned()).or_default())
    }

    /// How many of so many persons shall be persons with bulk work.
    fn bulk_share(&self, persons: usize) -> usize {
        match persons {
            0 => 0,
            // Always or never would starve one of the lanes.
            1 => usize::from(self.singles.fetch_add(1, Ordering::Relaxed) % 10 == 9),
            _ => (persons / 10).max(1),
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, arrival: Arrival) -> Result<Accepted, StoreError> {
        let ready = Ready::new(arrival, &self.keys);
        self.writer.write("accept", |db| ready.accept(db)).await
    }

    async fn accept_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Accepted>, StoreError> {
        let mut accepted = Vec::with_capacity(arrivals.len());
        let mut arrivals = arrivals.into_iter();
        while arrivals.len() > 0 {
            let some = arrivals.by_ref().take(AT_ONCE);
            let some: Vec<_> = some.map(|arrival| Ready::new(arrival, &self.keys)).collect();
            let accept = |db: &_| some.into_iter().map(|ready| ready.accept(db)).collect();
            let some: Vec<_> = self.writer.write("accept_all", accept).await?;
            accepted.extend(some);
        }
        Ok(accepted)
    }

    async fn lease(&self, request: LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError> {
        // The deadline is read before the clock, so that it is never after the end of the lease.
        let deadline = Deadline::after(request.lasting);
        let bulk = self.bulk_share(request.persons);
        let (clock, source) = (self.clock.clone(), request.source.clone());
        let LeaseRequest { persons, lasting, without, .. } = request;
        // Should the caller go away before its turn comes, nobody is leased to nobody.
        let caller = Arc::new(());
        let waiting = Arc::downgrade(&caller);
        let lease = move |db: &Db| {
            if waiting.strong_count() == 0 {
                return Ok(Vec::new());
            }
            let now = clock.now();
            let until = now + lasting;
            lease::Request { source, persons, bulk, without, now, until, deadline }.lease(db)
        };
        let leases = self.writer.write("lease", lease).await;
        drop(caller);
        leases
    }

    async fn due(&self, source: &SourceName, most: usize) -> Result<Due, StoreError> {
        let (source, now) = (source.clone(), self.clock.now());
        self.readers.read("due", move |db| lease::due(db, &source, most, now)).await
    }

    async fn save_link(&self, lease: &Lease, link: &Link) -> Result<(), StoreError> {
        let (person, token, link) = (lease.person.clone(), lease.token.clone(), link.clone());
        let save = move |db: &_| lease::save_link(db, &person, &token, &link);
        self.writer.write("save_link", save).await
    }

    async fn settle(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Result<(), StoreError> {
        let write = |mut delivery: Delivery| {
            if delivery.state != DeliveryState::Waiting {
                delivery.kills = 0;
            }
            Written::new(delivery, &self.keys)
        };
        let written: Vec<_> = deliveries.into_iter().map(write).collect();
        let deadline = lease.deadline;
        let ended = Arc::new((lease, written, link));
        loop {
            let work = Arc::clone(&ended);
            let settle = move |db: &_| {
                let (lease, written, link) = &*work;
                lease::settle(db, &lease.person, &lease.token, written, link.as_ref())
            };
            match self.writer.write("settle", settle).await {
                // A full disk or a locked file: what the lease achieved is not given up as long as
                // it is ours.
                Err(StoreError::Unavailable { .. }) if deadline.left() > SETTLE_PAUSE => {
                    tokio::time::sleep(SETTLE_PAUSE).await;
                }
                end => return end,
            }
        }
    }

    async fn link(&self, person: &Person) -> Result<Option<Link>, StoreError> {
        let person = person.clone();
        self.readers.read("link", move |db| links::link(db, &person)).await
    }

    async fn links(
        &self,
        source: &SourceName,
        from: Option<&str>,
        most: usize,
    ) -> Result<Links, StoreError> {
        let (source, from) = (source.clone(), from.map(str::to_owned));
        let read = move |db: &_| links::page(db, &source, from.as_deref(), most);
        self.readers.read("links", read).await
    }

    async fn awaiting(
        &self,
        source: &SourceName,
        manager: &str,
        most: usize,
    ) -> Result<Vec<Person>, StoreError> {
        let (source, manager) = (source.clone(), manager.to_owned());
        let read = move |db: &_| links::awaiting(db, &source, &manager, most);
        self.readers.read("awaiting", read).await
    }

    async fn appointments(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        self.readers.read("appointments", move |db| links::appointments(db, until, most)).await
    }

    async fn choose(&self, person: &Person, choice: Option<&Choice>) -> Result<(), StoreError> {
        let shut = |choice| self.keys.shut(&Place::choice(person), &record::write_choice(choice));
        let (person, choice) = (person.clone(), choice.map(shut));
        let choose = move |db: &_| links::choose(db, &person, choice.as_deref());
        self.writer.write("choose", choose).await
    }

    async fn choice(&self, person: &Person) -> Result<Option<Choice>, StoreError> {
        let person = person.clone();
        self.readers.read("choice", move |db| links::choice(db, &person)).await
    }

    async fn unlink(&self, person: &Person) -> Result<bool, StoreError> {
        let (person, clock) = (person.clone(), self.clock.clone());
        let unlink = move |db: &_| lease::unlink(db, &person, clock.now());
        self.writer.write("unlink", unlink).await
    }

    async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.readers.read("note", move |db| notes::read(db, &name)).await
    }

    async fn put_note(
        &self,
        name: &str,
        before: Option<&str>,
        now: Option<&str>,
    ) -> Result<bool, StoreError> {
        assert_short(now);
        let (name, own) = (name.to_owned(), |text: Option<&str>| text.map(str::to_owned));
        let (before, now) = (own(before), own(now));
        let put = move |db: &_| notes::put(db, &name, before.as_deref(), now.as_deref());
        self.writer.write("put_note", put).await
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let prefix = prefix.to_owned();
        self.readers.read("notes", move |db| notes::list(db, &prefix)).await
    }

    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        self.writer.write("write_audit", move |db| audit::write(db, &entry)).await
    }

    async fn audit(
        &self,
        before: Option<&AuditId>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let before = before.cloned();
        self.readers.read("audit", move |db| audit::list(db, before.as_ref(), most)).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<Person>, StoreError> {
        let account = account.clone();
        self.readers.read("owner", move |db| links::owner(db, &account)).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let id = id.clone();
        self.readers.read("delivery", move |db| rows::delivery(db, id.as_str())).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<KeptEvent>, StoreError> {
        let id = id.clone();
        self.readers.read("event", move |db| list::event(db, id)).await
    }

    async fn deliveries(&self, filter: &Filter, most: usize) -> Result<Vec<Delivery>, StoreError> {
        let filter = filter.clone();
        self.readers.read("deliveries", move |db| list::deliveries(db, &filter, most)).await
    }

    async fn replay(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut replayed = 0;
        for some in ids.chunks(AT_ONCE) {
            let some = some.to_vec();
            let replay = move |db: &Db| {
                let mut replayed = 0;
                for id in &some {
                    replayed += u64::from(lease::replay(db, id.as_str(), lane, at)?);
                }
                Ok(replayed)
            };
            replayed += self.writer.write("replay", replay).await?;
        }
        Ok(replayed)
    }

    async fn close(
        &self,
        ids: &[DeliveryId],
        state: DeliveryState,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut closed = 0;
        for some in ids.chunks(AT_ONCE) {
            let (some, reason) = (some.to_vec(), reason.to_owned());
            let close = move |db: &_| close::close(db, &some, state, &reason, at);
            closed += self.writer.write("close", close).await?;
        }
        Ok(closed)
    }

    async fn save_run(&self, run: &Run) -> Result<bool, StoreError> {
        let ready = runs::Ready::new(run, &self.keys);
        self.writer.write("save_run", move |db| ready.save(db)).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let id = id.clone();
        self.readers.read("run", move |db| runs::run(db, &id)).await
    }

    async fn runs(
        &self,
        source: Option<&SourceName>,
        which: Runs,
        most: usize,
    ) -> Result<Vec<Run>, StoreError> {
        let source = source.cloned();
        self.readers.read("runs", move |db| runs::runs(db, source.as_ref(), which, most)).await
    }

    async fn save_items(&self, run: &RunId, items: &[Item]) -> Result<(), StoreError> {
        for some in portion::portions(run, items, &self.keys) {
            let run = run.clone();
            let save = move |db: &_| runs::save_items(db, &run, &some);
            self.writer.write("save_items", save).await?;
        }
        Ok(())
    }

    async fn items(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Item>, StoreError> {
        let run = run.clone();
        self.readers.read("items", move |db| runs::items(db, &run, after, most)).await
    }

    async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError> {
        let now = self.clock.now();
        Ok(self.budget(budget, |bucket| bucket.grant(rate, want, now)))
    }

    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.budget(budget, |bucket| bucket.pause(pause, now));
        Ok(())
    }

    async fn hold(&self, hold: &Hold) -> Result<(), StoreError> {
        let kept = hold.clone();
        let hold = move |db: &_| list::hold(db, &kept);
        self.writer.write("hold", hold).await
    }

    async fn release(&self, scope: &str) -> Result<bool, StoreError> {
        let scope = scope.to_owned();
        let release = move |db: &Db| {
            let sql = "DELETE FROM hold WHERE scope = ?1";
            Ok(db.prepare_cached(sql)?.execute([scope])? > 0)
        };
        self.writer.write("release", release).await
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.readers.read("holds", list::holds).await
    }

    async fn depth(&self) -> Result<Depth, StoreError> {
        let now = self.clock.now();
        self.readers.read("depth", move |db| list::depth(db, now)).await
    }

    async fn trim(&self, retention: Retention) -> Result<u64, StoreError> {
        self.writer.write("trim", move |db| trim::trim(db, retention)).await
    }

    async fn forget(&self, person: &Person, at: Timestamp) -> Result<bool, StoreError> {
        let (person, clock) = (person.clone(), self.clock.clone());
        let forget = move |db: &_| forgotten::forget(db, &person, at, clock.now());
        self.writer.write("forget", forget).await
    }

    async fn remember(&self, person: &Person) -> Result<bool, StoreError> {
        let person = person.clone();
        self.writer.write("remember", move |db| forgotten::remember(db, &person)).await
    }

    async fn forgotten(&self, person: &Person) -> Result<Option<Timestamp>, StoreError> {
        let person = person.clone();
        self.readers.read("forgotten", move |db| forgotten::when(db, &person)).await
    }

    async fn all_forgotten(
        &self,
        source: &SourceName,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        let source = source.clone();
        self.readers.read("all_forgotten", move |db| forgotten::all(db, &source)).await
    }

    async fn dump(&self, from: Option<&str>, most: usize) -> Result<Dump, StoreError> {
        let from = from.map(str::to_owned);
        self.readers.read("dump", move |db| whole::dump(db, from.as_deref(), most)).await
    }

    async fn restore(&self, kept: &[Stored]) -> Result<(), StoreError> {
        for some in kept.chunks(AT_ONCE) {
            let some = some.to_vec();
            let restore = move |db: &Db| some.iter().try_for_each(|kept| whole::restore(db, kept));
            self.writer.write("restore", restore).await?;
        }
        Ok(())
    }

    async fn swap(&self, changes: &[(Stored, Option<Stored>)]) -> Result<u64, StoreError> {
        let mut swapped = 0;
        for some in changes.chunks(AT_ONCE) {
            let (some, clock) = (some.to_vec(), self.clock.clone());
            let swap = move |db: &Db| {
                let mut swapped = 0;
                for (old, new) in &some {
                    swapped += u64::from(whole::swap(db, old, new.as_ref(), clock.now())?);
                }
                Ok(swapped)
            };
            swapped += self.writer.write("swap", swap).await?;
        }
        Ok(swapped)
    }

    async fn retire_keys(&self) -> Result<(), StoreError> {
        self.writer.write("retire_keys", file::retire_keys).await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let wipe = move || file::empty_log(&path);
        let wiped = tokio::task::spawn_blocking(wipe).await;
        wiped
            .unwrap_or_else(|e| Err(Stop::Other(e.into())))
            .map_err(|stop| stop.while_doing("wipe"))
    }

    async fn epoch(&self) -> Result<String, StoreError> {
        let sql = "SELECT value FROM meta WHERE name = 'epoch'";
        self.readers.read("epoch", |db| Ok(db.query_row(sql, [], |row| row.get(0))?)).await
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.look_over().await
    }

    async fn save_page(&self, run: &RunId, page: &Page) -> Result<(), StoreError> {
        let record = self.keys.write(&Place::page(run, page.number), page);
        let (run, number) = (run.clone(), page.number);
        let save = move |db: &_| pages::save(db, &run, number, &record);
        self.writer.write("save_page", save).await
    }

    async fn pages(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Page>, StoreError> {
        let run = run.clone();
        self.readers.read("pages", move |db| pages::read(db, &run, after, most)).await
    }

    async fn drop_pages(&self, run: &RunId) -> Result<(), StoreError> {
        let run = run.clone();
        self.writer.write("drop_pages", move |db| pages::drop_all(db, run.as_str())).await
    }
}

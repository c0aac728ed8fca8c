//! What must survive a restart: events, deliveries, links, what humans decided, runs, holds, notes
//! and the shared budgets.
//!
//! Every backend keeps the promises written at [`Store`]; one suite (`tests/it/store.rs`) proves
//! them on all of them. Records are stored in the versioned form of [`record`].

pub mod budget;
pub mod finding;
pub mod forget;
mod lease;
pub mod newest;
mod portion;
pub mod record;
pub mod redis;
pub mod reseal;
pub mod seal;
pub mod sqlite;
pub mod stored;
mod which;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::budget::{Grant, Rate};
pub use self::lease::{Due, Lease, LeaseRequest};
pub use self::stored::{Dump, Found, Stored, StoredEvent};
pub use self::which::{Filter, Runs};
use crate::model::{
    AccountId, Arrival, AuditEntry, AuditId, Choice, Delivery, DeliveryId, DeliveryState,
    EmployeeId, Event, EventId, Item, Lane, Link, Page, Person, Run, RunId, SourceName,
};

/// Why the store did not do it; a variant is something the caller does.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or cannot write: try again later, nothing was changed for certain.
    #[error("the store is not available ({doing})")]
    Unavailable {
        /// What was tried: `accept`.
        doing: &'static str,
        /// What the backend said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The lease ran out and was given to someone else: forget what you hold.
    #[error("the lease was lost: another worker has this person now")]
    LeaseLost,
    /// The account already belongs to this other person: a human must decide.
    #[error("the account is already linked to {0}")]
    AccountTaken(Person),
    /// The run was never saved, or is gone: stop working on it.
    #[error("there is no run {0}: it was trimmed, or the store was emptied; start another one")]
    NoRun(RunId),
    /// What is stored cannot be read: a newer program wrote it, or it is damaged.
    #[error("a stored {what} cannot be read: {why}")]
    Unreadable {
        /// What: `delivery`.
        what: &'static str,
        /// Why, without personal data.
        why: String,
    },
}

/// What became of an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is new; this delivery carries it.
    New(DeliveryId),
    /// The same bytes came before and that delivery is waiting, done or ignored. It was counted.
    Repeat(DeliveryId),
}

/// A source or the target, set aside: nothing is leased and no attempt is spent until `probe_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// `source bob` or `target`.
    pub scope: String,
    /// Why, in a sentence that says what to do.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When one person is tried to see whether it is over.
    pub probe_at: Timestamp,
    /// How many probes failed.
    pub probes: u32,
    /// It refuses us: it is asked once a minute at most.
    #[serde(default)]
    pub refuses: bool,
}

/// The dead letter as closing leaves it.
fn closed(delivery: &Delivery, state: DeliveryState, reason: &str, at: Timestamp) -> Delivery {
    debug_assert!(matches!(state, DeliveryState::Done | DeliveryState::Ignored), "it is closed");
    // A settled delivery has no cause; one that a human gave up keeps it.
    let code = delivery.code.clone().filter(|_| state == DeliveryState::Ignored);
    let reason = Some(reason.to_owned());
    Delivery { state, due: at, code, reason, kills: 0, ..delivery.clone() }
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Depth {
    /// Deliveries waiting, those under lease included.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// Settled deliveries that are still kept.
    pub done: u64,
    /// Ignored ones that are still kept.
    pub ignored: u64,
    /// Persons under lease.
    pub leased: u64,
    /// When the oldest waiting delivery was received.
    pub oldest: Option<Timestamp>,
}

/// Some of a source's links.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    /// Whose, and the link. While links are written, one can come twice; one that stood there all
    /// the time is never left out.
    pub links: Vec<(Person, Link)>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// Until when things are kept. Waiting deliveries, dead letters and runs that have not ended are
/// never trimmed.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Events (raw bodies and the memory of what was seen) received before this go, unless a
    /// delivery that is waiting or dead still needs them.
    pub events: Timestamp,
    /// Done and ignored deliveries received before this go.
    pub deliveries: Timestamp,
    /// Runs that began before this and have ended go, with their items.
    pub runs: Timestamp,
    /// Entries of the audit log that are older than this go.
    pub audit: Timestamp,
}

/// A raw event as the on-call view shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    /// The event.
    pub event: Event,
    /// The delivery that carries it now.
    pub delivery: DeliveryId,
    /// How often the same bytes came again.
    pub repeats: u64,
}

/// The most bytes of a note.
pub const LONGEST_NOTE: usize = 64 * 1024;

/// Holds the callers of [`Store::put_note`] to what they promise.
fn assert_short(note: Option<&str>) {
    debug_assert!(note.is_none_or(|note| note.len() <= LONGEST_NOTE), "a note is too long");
}

/// Counts one call of a backend: how long it took, and whether the store was not available.
fn count_call(call: &'static str, took: Duration, failed: bool) {
    metrics::histogram!("instep_store_call_seconds", "call" => call).record(took);
    if failed {
        metrics::counter!("instep_store_errors_total", "call" => call).increment(1);
    }
}

/// The first whole millisecond at or after a time.
fn ms_up(time: Timestamp) -> i64 {
    let ms = time.as_millisecond();
    let cut = Timestamp::from_millisecond(ms).is_ok_and(|whole| whole < time);
    ms + i64::from(cut)
}

/// The time that [`ms_up`] was given, up to the millisecond. The last one of all times has no whole
/// millisecond after it.
fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// Keeps everything that must outlive the process.
///
/// Promises, kept by every backend:
/// - [`accept`](Store::accept) is one atomic step and durable when it returns.
/// - A repeat of an event whose delivery is dead makes a new delivery: "seen" is not "done".
/// - A lease never covers one person twice, takes all due deliveries of that person, live before
///   bulk, and bulk work still gets its share (a tenth of each request, one person at least).
/// - Leases expire and are taken back inside [`lease`](Store::lease) itself, which counts a kill on
///   each delivery; settling with a lost lease is refused and changes nothing.
/// - Everything that [`settle`](Store::settle) writes is written together or not at all.
/// - Who [awaits](Store::awaiting) a manager and who has an [appointment](Store::appointments) is
///   written together with the link that says so.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Takes an event in: dedupe marker, event and delivery, atomically and durably. The same
    /// arrival once more, with the same delivery, is no repeat: it says again that it is new.
    async fn accept(&self, arrival: Arrival) -> Result<Accepted, StoreError>;

    /// Takes many events in, each as [`accept`](Store::accept) would, and much faster than one by
    /// one; says of each what became of it, in their order. All are durable when it returns. It is
    /// not one step: when it fails some may be taken in, and all may be handed in again. Others are
    /// served in between.
    async fn accept_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Accepted>, StoreError>;

    /// Leases persons with due deliveries. Takes back leases that ran out first.
    async fn lease(&self, request: LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError>;

    /// Counts persons with due work, `most` at most, and says when the next one is due.
    async fn due(&self, source: &SourceName, most: usize) -> Result<Due, StoreError>;

    /// Writes the link while the lease goes on; used before a create and right after it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], and [`StoreError::AccountTaken`] when the account is another
    /// person's: then nothing is written.
    async fn save_link(&self, lease: &Lease, link: &Link) -> Result<(), StoreError>;

    /// Ends a lease: stores its deliveries as they are now (a waiting one is due again at its
    /// `due`) and, if given, the link. Handing the deliveries back unchanged gives the lease back.
    /// The kill counter of a delivery is cleared when it is no longer waiting.
    ///
    /// # Errors
    /// As for [`save_link`](Store::save_link).
    async fn settle(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Result<(), StoreError>;

    /// What is known of a person's account.
    async fn link(&self, person: &Person) -> Result<Option<Link>, StoreError>;

    /// A part of all links of a source, `most` or somewhat more; `from` is where the part before
    /// ended. Only the last part can be empty.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when one of them cannot be read: were it left out, its account
    /// would look like nobody's.
    async fn links(
        &self,
        source: &SourceName,
        from: Option<&str>,
        most: usize,
    ) -> Result<Links, StoreError>;

    /// Persons of this source whose link awaits this manager, `most` at most.
    async fn awaiting(
        &self,
        source: &SourceName,
        manager: &str,
        most: usize,
    ) -> Result<Vec<Person>, StoreError>;

    /// Persons whose link has an appointment at or before `until`, the earliest first, `most` at
    /// most; with its time, as the first whole millisecond that is not before it. They stay until
    /// their link is written without it.
    async fn appointments(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError>;

    /// Notes what a human decided about somebody's account; `None` takes it back. The next lease of
    /// the person shows it. It is kept apart from the link, and nothing but this changes it.
    async fn choose(&self, person: &Person, choice: Option<&Choice>) -> Result<(), StoreError>;

    /// What a human decided about somebody's account.
    async fn choice(&self, person: &Person) -> Result<Option<Choice>, StoreError>;

    /// Takes somebody's link away, so that the account is free for another; says whether that was
    /// possible: not while the person is under lease. A lease that ran out is taken back first, so
    /// that its worker can't write the link again. Where there is no link, none is left: that is
    /// possible too. The human's choice stays.
    async fn unlink(&self, person: &Person) -> Result<bool, StoreError>;

    /// A small text that all processes share, by its name.
    async fn note(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes (`Some`) or removes (`None`) a note, if it still is what it was thought to be (`None`:
    /// not there); says whether it was. Of several who try at once with the same `before`, one
    /// succeeds. When the connection to a shared store breaks, a removal that had worked may say
    /// that it had not; a note that was written never does.
    ///
    /// It is for few and small texts: the caller sees to it that none is longer than
    /// [`LONGEST_NOTE`], which is checked in debug builds.
    async fn put_note(
        &self,
        name: &str,
        before: Option<&str>,
        now: Option<&str>,
    ) -> Result<bool, StoreError>;

    /// All notes whose name begins with this, by their names. They are few.
    async fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError>;

    /// Writes an entry of the audit log, in the place of the one with the same id if there is one.
    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Entries of the audit log that are older than `before`, or all, newest first, `most` at most.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when one of them cannot be read: were it left out, the log would
    /// not tell the truth.
    async fn audit(
        &self,
        before: Option<&AuditId>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// Whose account this is.
    async fn owner(&self, account: &AccountId) -> Result<Option<Person>, StoreError>;

    /// One delivery.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// One event, raw body included.
    async fn event(&self, id: &EventId) -> Result<Option<KeptEvent>, StoreError>;

    /// Deliveries that fit, newest first, `most` at most. One whose record cannot be read is left
    /// out and its id logged; [`delivery`](Store::delivery) says why.
    async fn deliveries(&self, filter: &Filter, most: usize) -> Result<Vec<Delivery>, StoreError>;

    /// Makes deliveries that are not waiting wait again, due at `at`, in `lane`, with no attempt,
    /// look or kill on their account (the history stays, `replays` counts up); says how many.
    /// Never deduplicated. Deliveries without an employee are left alone.
    async fn replay(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Closes dead letters: makes them done or ignored, for this reason; the history stays. Says how
    /// many. What is no dead letter (any more) is left alone. When the connection to a shared store
    /// breaks, some that were closed may not be counted.
    async fn close(
        &self,
        ids: &[DeliveryId],
        state: DeliveryState,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Writes a run, if it is new and its revision is 1, or if what is stored has the revision
    /// before; says whether it did. Of several who write at once, one succeeds; the others read it
    /// again and judge afresh. When the connection to a shared store breaks, a write on which
    /// another one followed may say that it was not done.
    async fn save_run(&self, run: &Run) -> Result<bool, StoreError>;

    /// One run.
    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError>;

    /// Runs, of one source or of all, newest first, `most` at most. One that cannot be read is left
    /// out and its id logged; [`run`](Store::run) says why.
    async fn runs(
        &self,
        source: Option<&SourceName>,
        which: Runs,
        most: usize,
    ) -> Result<Vec<Run>, StoreError>;

    /// Writes items of a run, each in the place of the one with the same number if there is one. It
    /// is not one step: when it fails some may be written, and all may be handed in again.
    ///
    /// # Errors
    /// [`StoreError::NoRun`] when the run is not there.
    async fn save_items(&self, run: &RunId, items: &[Item]) -> Result<(), StoreError>;

    /// Items of a run whose number is greater than `after`, by their numbers, `most` at most.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when one of them cannot be read: were it left out, the report
    /// would not tell the truth.
    async fn items(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Item>, StoreError>;

    /// Takes calls from a budget that all processes on this store share.
    async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError>;

    /// Nobody gets calls from this budget for so long (the far end said so). Never shortens.
    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError>;

    /// Sets or replaces a hold.
    async fn hold(&self, hold: &Hold) -> Result<(), StoreError>;

    /// Ends a hold; says whether there was one.
    async fn release(&self, scope: &str) -> Result<bool, StoreError>;

    /// All holds.
    async fn holds(&self) -> Result<Vec<Hold>, StoreError>;

    /// How much there is.
    async fn depth(&self) -> Result<Depth, StoreError>;

    /// Lets go of what is past its retention, some at a time; says how many records went.
    async fn trim(&self, retention: Retention) -> Result<u64, StoreError>;

    /// Leaves a tombstone for a person, which says only that they were forgotten and when, and takes
    /// them out of the queue with what a human decided about them; says whether that was possible:
    /// not while they are under lease. From then on an event about them is ignored, and kept without
    /// its body. What else is stored of them is erased by [`forget::erase`].
    async fn forget(&self, person: &Person, at: Timestamp) -> Result<bool, StoreError>;

    /// Takes a tombstone away; says whether there was one.
    async fn remember(&self, person: &Person) -> Result<bool, StoreError>;

    /// When a person was forgotten, if they were.
    async fn forgotten(&self, person: &Person) -> Result<Option<Timestamp>, StoreError>;

    /// Everybody of a source who was forgotten, and when.
    async fn all_forgotten(
        &self,
        source: &SourceName,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError>;

    /// A part of everything that is stored, about `most` things; `from` is where the part before
    /// ended.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when one of them cannot be read.
    async fn dump(&self, from: Option<&str>, most: usize) -> Result<Dump, StoreError>;

    /// Takes in what a store handed out, in its order. It is not one step: when it fails some may be
    /// there, and all may be handed in again. It is for a store that nobody works on yet.
    async fn restore(&self, kept: &[Stored]) -> Result<(), StoreError>;

    /// Puts one thing in the place of another, sealed with the newest key, or takes it away; says for
    /// how many. One that is not as it was thought to be is left alone, and so is, unless it stays as
    /// it is, what belongs to a person under lease.
    async fn swap(&self, changes: &[(Stored, Option<Stored>)]) -> Result<u64, StoreError>;

    /// Forgets that other keys than the newest ever sealed something.
    async fn retire_keys(&self) -> Result<(), StoreError>;

    /// Has the traces of what was erased go from the store's files, as far as it is the store's to do.
    async fn wipe(&self) -> Result<(), StoreError>;

    /// The name that the store was given when it was new. Another name later means that it was
    /// emptied in between.
    async fn epoch(&self) -> Result<String, StoreError>;

    /// Answers when the store can be read and written, with warnings about how it can lose data.
    async fn check(&self) -> Result<Vec<String>, StoreError>;

    /// Keeps a page of what a run has read, in the place of the one with its number if there is one.
    ///
    /// # Errors
    /// [`StoreError::NoRun`] when the run is not there or has ended: nobody would ever let go of it.
    async fn save_page(&self, run: &RunId, page: &Page) -> Result<(), StoreError>;

    /// The pages of a run that follow the one with the number `after` without a gap, in their order,
    /// `most` at most.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when one of them cannot be read.
    async fn pages(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Page>, StoreError>;

    /// Lets go of all pages of a run. They also go with the run.
    async fn drop_pages(&self, run: &RunId) -> Result<(), StoreError>;
}

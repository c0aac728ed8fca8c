//! The store on Redis 6.2 or newer (single server, Sentinel or Cluster), shared by all processes
//! that use the same namespace. What [`Store`] promises is kept by scripts that run one at a time
//! inside Redis; durability is Redis' own (`appendonly yes`, `appendfsync always`), and
//! [`check`](Store::check) says what is missing for it.
//!
//! # What is kept where
//!
//! All keys begin with `{namespace}:`, so a Cluster keeps them on one node. There is a fixed number
//! of keys for each namespace, source and budget, and one for each run that is kept; nothing looks
//! for keys by pattern. What grows with the events and the runs is let go by [`trim`](Store::trim);
//! there is one link for each person at most, and what it is found by goes with it; choices stay
//! until a human takes them back. *Received*, *due*, *began* and appointments are milliseconds since
//! 1970.
//!
//! | key | kind | holds |
//! |---|---|---|
//! | `events` | hash | event → `delivery,delivery…` NUL what is known of it (JSON) NUL raw body |
//! | `seen` | list | received event, as they came: what `trim` looks at |
//! | `needed` | hash | event past its time, while a waiting or dead delivery needs it → received |
//! | `repeats` | hash | event → how often it came again |
//! | `deliveries` | hash | delivery → its stored form (JSON that no script looks into) |
//! | `kills` | hash | waiting delivery → how many workers died with it |
//! | `waiting` `done` `dead` `ignored` | sorted sets | delivery by received |
//! | `people` | sorted set by text | `employee` NUL received delivery: a person's deliveries in order |
//! | `links` | hash | person → account NUL link (JSON) |
//! | `accounts` | hash | account → person |
//! | `awaits` | hash | person whose link awaits a manager → their row of `awaiting` |
//! | `awaiting` | sorted set by text | source NUL manager NUL employee who awaits them |
//! | `appointments` | sorted set | person by the time of their link's appointment |
//! | `choices` | hash | person → what a human decided about their account (JSON) |
//! | `queue:<source>` | sorted set by text | `employee` NUL lane due delivery: a person's waiting ones |
//! | `live:<source>` `bulk:<source>` | sorted sets | person who is not leased, by the earliest due |
//! | `leases:<source>` | sorted set | leased person by the end of the lease |
//! | `work:<source>` | hash | leased person → token and what is leased |
//! | `notes` | hash | name → the call that wrote the note NUL its text |
//! | `runs` | hash | run → the call that wrote it NUL its revision NUL its stored form (JSON) |
//! | `run_ids` | sorted set by text | run: in the order of their creation |
//! | `ended` | sorted set | run that has ended by began: what `trim` looks at |
//! | `closed` | set | run with which nobody has to go on: those that are not in it may be open |
//! | `items:<run>` | sorted set | item (JSON) by its number in the run |
//! | `audit` | hash | entry of the audit log → its stored form (JSON) |
//! | `audit_ids` | sorted set by text | entry: in the order of their creation |
//! | `audit_ages` | sorted set | entry by its time: what `trim` looks at |
//! | `forgotten` | hash | person who was forgotten → when |
//! | `keys` | hash | key that sealed something → what it is known again by |
//! | `sources` `holds` `epoch` `budget:<name>` | | as they say |
//!
//! # How it moves
//!
//! Arrivals that come together are taken in by one call. *Accept* puts a row into `queue` and,
//! unless the person is leased, the person into `live` or `bulk`. *Lease* takes persons out of
//! these, reads their due rows and notes them in `work`; the rows stay. *Settle* compares the token,
//! replaces the rows of that lease and puts the person back where the earliest remaining row says.
//! A lease that ran out ends the same way, inside the next lease call, and counts a kill on each
//! delivery in `work`. Each step costs as much as the deliveries that it moves, however many wait.
//! Many arrivals of one caller and the items of a run go in one call after the other, each of a
//! bounded size, so that others are served in between.
//!
//! Whatever writes or removes a link (`tie` and `index` in `person.lua`, `unlink.lua`) writes
//! `accounts`, `awaits`, `awaiting` and `appointments` with it. All links of a source are walked
//! with HSCAN; should the server change in between, the walk begins anew.
//!
//! # Time
//!
//! One clock decides when something is due and when a lease ends: Redis'. Processes send times as
//! distances from their own now, so their clocks need not agree. With [`Clock::Manual`] the given
//! time is used instead.
//!
//! # Doing it twice
//!
//! When the connection breaks, a call whose outcome is unknown is made again. That is safe: an
//! event is known by its id and the delivery that was offered with it; a settle that had worked
//! finds its lease gone ([`StoreError::LeaseLost`], and all is written); leases whose answer was
//! lost are given back by the next lease call; a grant may be counted twice, never too little; a
//! note and a run are known by the call that wrote them; items take the place of themselves; taking
//! a link away leaves none however often.

mod accept;
mod audit;
mod budget;
mod check;
mod close;
mod connect;
mod forgotten;
mod intake;
mod lease;
mod links;
mod list;
mod names;
mod notes;
mod pages;
mod restore;
mod runs;
mod script;
mod upkeep;
mod whole;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use redis::{FromRedisValue, RedisError, Value, cmd};
use tokio::sync::OnceCell;
use uuid::Uuid;

use self::connect::Connection;
use self::intake::Intake;
use self::names::Names;
use super::seal::{Keys, Place};
use super::{
    Accepted, Depth, Due, Dump, Filter, Grant, Hold, KeptEvent, Lease, LeaseRequest, Links, Rate,
    Retention, Runs, Store, StoreError, Stored, assert_short, count_call,
};
use crate::clock::{Clock, Stopwatch};
use crate::model::{
    AccountId, Arrival, AuditEntry, AuditId, Choice, Delivery, DeliveryId, DeliveryState,
    EmployeeId, EventId, Item, Lane, Link, Page, Person, Run, RunId, SourceName,
};

/// So many things of another store are taken in by one call; Redis does nothing else meanwhile.
const AT_ONCE: usize = 200;

/// Keeps everything in Redis.
pub struct RedisStore {
    connection: Arc<Connection>,
    intake: Intake,
    names: Names,
    namespace: String,
    clock: Clock,
    /// Lease calls so far that asked for one person: every tenth is for bulk work.
    singles: AtomicU64,
    /// Lease calls whose answer never came: source and token.
    lost: Mutex<Vec<(SourceName, String)>>,
    keys: Keys,
    /// Whether the keys were held against the store.
    proven: OnceCell<()>,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("at", &self.connection)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl RedisStore {
    /// A store at this URL: `redis://`, `rediss://` (TLS), `unix:`,
    /// `redis+sentinel://user:password@host:26379,host:26379/mastername/0` or
    /// `redis+cluster://host:6379,host:6379`. It connects when it is first used: a Redis that is
    /// down keeps nobody from starting, and [`check`](Store::check) tells.
    ///
    /// The Sentinels' own password, when they want one, stands in the query:
    /// `?sentinel_user=…&sentinel_password=…`. `rediss+sentinel` and `rediss+cluster` use TLS.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the URL or the namespace (letters, digits, `.`, `_`, `-`)
    /// cannot be used. The URL itself is never shown, for it may hold a password.
    pub fn connect(url: &str, namespace: &str, clock: Clock) -> Result<Self, StoreError> {
        let unusable =
            |why: String| StoreError::Unavailable { doing: "connect", source: why.into() };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if namespace.is_empty() || !namespace.chars().all(is_plain) {
            return Err(unusable(
                "the namespace must be made of letters, digits, '.', '_' and '-'".to_owned(),
            ));
        }
        let connection = Arc::new(Connection::to(url).map_err(unusable)?);
        Ok(Self {
            intake: Intake::new(Arc::clone(&connection), Names::new(namespace), clock.clone()),
            connection,
            names: Names::new(namespace),
            namespace: namespace.to_owned(),
            clock,
            singles: AtomicU64::new(0),
            lost: Mutex::new(Vec::new()),
            keys: Keys::none(),
            proven: OnceCell::new(),
        })
    }

    /// The same store, sealed with these keys, or to be from now on. When one is missing, every call
    /// says so.
    #[must_use]
    pub fn sealed_with(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Now as scripts take it: nothing when they shall ask Redis.
    fn now(&self) -> String {
        now(&self.clock)
    }

    /// How far a time is from now, in milliseconds.
    fn distance(&self, time: Timestamp) -> i64 {
        time.as_millisecond().saturating_sub(self.clock.now().as_millisecond())
    }

    /// The keys, once they are held against those that sealed something here.
    async fn keys(&self) -> Result<&Keys, StoreError> {
        self.proven.get_or_try_init(|| self.prove()).await?;
        Ok(&self.keys)
    }

    /// Holds the keys against those that sealed something, and notes the newest among them.
    async fn prove(&self) -> Result<(), StoreError> {
        let proofs: BTreeMap<String, String> =
            self.ask("open", cmd("HGETALL").arg(&self.names.keys)).await?;
        self.keys.verify(&proofs)?;
        if let Some((name, proof)) = self.keys.proof()
            && !proofs.contains_key(name)
        {
            let mut note = cmd("HSETNX");
            note.arg(&self.names.keys).arg(name).arg(proof);
            self.ask::<()>("open", &note).await?;
        }
        Ok(())
    }

    /// Sends one command.
    async fn ask<T: FromRedisValue>(
        &self,
        doing: &'static str,
        command: &redis::Cmd,
    ) -> Result<T, StoreError> {
        let watch = Stopwatch::start();
        let answer = self.connection.send(command, connect::PATIENCE).await;
        count_call(doing, watch.took(), answer.is_err());
        read(doing, answer)
    }
}

/// Now as scripts take it: nothing when they shall ask Redis.
fn now(clock: &Clock) -> String {
    match clock {
        Clock::Steady { .. } => String::new(),
        Clock::Manual(_) => clock.now().as_millisecond().to_string(),
    }
}

/// Takes an answer of Redis for what it should be.
fn read<T: FromRedisValue>(
    doing: &'static str,
    answer: Result<Value, RedisError>,
) -> Result<T, StoreError> {
    let answer = answer.map_err(|error| StoreError::Unavailable { doing, source: error.into() })?;
    // The library's error would show what was answered, and that may be personal.
    T::from_redis_value(answer).map_err(|_| StoreError::Unreadable {
        what: "answer of Redis",
        why: format!("{doing}: it is not of the form that this program knows"),
    })
}

/// Milliseconds, as scripts take them.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A delivery's lane as one character, in the order in which they are served.
fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Live => "0",
        Lane::Bulk => "1",
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn accept(&self, arrival: Arrival) -> Result<Accepted, StoreError> {
        self.take_in(arrival).await
    }

    async fn accept_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Accepted>, StoreError> {
        self.take_all_in(arrivals).await
    }

    async fn lease(&self, request: LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError> {
        self.begin_leases(request).await
    }

    async fn due(&self, source: &SourceName, most: usize) -> Result<Due, StoreError> {
        self.count_due(source, most).await
    }

    async fn save_link(&self, lease: &Lease, link: &Link) -> Result<(), StoreError> {
        self.write_link(lease, link).await
    }

    async fn settle(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Result<(), StoreError> {
        self.end_lease(lease, deliveries, link).await
    }

    async fn link(&self, person: &Person) -> Result<Option<Link>, StoreError> {
        let field = names::person(person);
        let stored: Option<String> =
            self.ask("link", cmd("HGET").arg(&self.names.links).arg(field)).await?;
        let keys = self.keys().await?;
        stored.map(|stored| links::read_link(person, &stored, keys)).transpose()
    }

    async fn links(
        &self,
        source: &SourceName,
        from: Option<&str>,
        most: usize,
    ) -> Result<Links, StoreError> {
        self.some_links(source, from, most).await
    }

    async fn awaiting(
        &self,
        source: &SourceName,
        manager: &str,
        most: usize,
    ) -> Result<Vec<Person>, StoreError> {
        self.who_awaits(source, manager, most).await
    }

    async fn appointments(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        self.whose_time_has_come(until, most).await
    }

    async fn choose(&self, person: &Person, choice: Option<&Choice>) -> Result<(), StoreError> {
        self.write_choice(person, choice).await
    }

    async fn choice(&self, person: &Person) -> Result<Option<Choice>, StoreError> {
        self.look_up_choice(person).await
    }

    async fn unlink(&self, person: &Person) -> Result<bool, StoreError> {
        self.remove_link(person).await
    }

    async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read_note(name).await
    }

    async fn put_note(
        &self,
        name: &str,
        before: Option<&str>,
        now: Option<&str>,
    ) -> Result<bool, StoreError> {
        assert_short(now);
        self.write_note(name, before, now).await
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.list_notes(prefix).await
    }

    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write_entry(entry).await
    }

    async fn audit(
        &self,
        before: Option<&AuditId>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.list_audit(before, most).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<Person>, StoreError> {
        let command = cmd("HGET").arg(&self.names.accounts).arg(account.as_str()).to_owned();
        let owner: Option<String> = self.ask("owner", &command).await?;
        owner.map(|owner| links::read_person(&owner)).transpose()
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.fetch(id).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<KeptEvent>, StoreError> {
        self.look_up_event(id).await
    }

    async fn deliveries(&self, filter: &Filter, most: usize) -> Result<Vec<Delivery>, StoreError> {
        self.list(filter, most).await
    }

    async fn replay(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.queue_again(ids, lane, at).await
    }

    async fn close(
        &self,
        ids: &[DeliveryId],
        state: DeliveryState,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.close_dead_letters(ids, state, reason, at).await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, StoreError> {
        self.write_run(run).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        self.read_run(id).await
    }

    async fn runs(
        &self,
        source: Option<&SourceName>,
        which: Runs,
        most: usize,
    ) -> Result<Vec<Run>, StoreError> {
        match which {
            Runs::Open => self.open_runs(source, most).await,
            which => self.list_runs(source, which, most).await,
        }
    }

    async fn save_items(&self, run: &RunId, items: &[Item]) -> Result<(), StoreError> {
        self.write_items(run, items).await
    }

    async fn items(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Item>, StoreError> {
        self.read_items(run, after, most).await
    }

    async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError> {
        self.take_calls(budget, rate, want).await
    }

    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        self.close_budget(budget, pause).await
    }

    async fn hold(&self, hold: &Hold) -> Result<(), StoreError> {
        let stored = self.keys().await?.write(&Place::hold(&hold.scope), hold);
        self.ask("hold", cmd("HSET").arg(&self.names.holds).arg(&hold.scope).arg(stored)).await
    }

    async fn release(&self, scope: &str) -> Result<bool, StoreError> {
        self.ask("release", cmd("HDEL").arg(&self.names.holds).arg(scope)).await
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let stored: Vec<(String, String)> =
            self.ask("holds", cmd("HGETALL").arg(&self.names.holds)).await?;
        let keys = self.keys().await?;
        let read = |(scope, text): &(String, String)| keys.read(&Place::hold(scope), text);
        let mut holds: Vec<Hold> = stored.iter().map(read).collect::<Result<_, _>>()?;
        holds.sort_by(|a, b| a.scope.cmp(&b.scope));
        Ok(holds)
    }

    async fn depth(&self) -> Result<Depth, StoreError> {
        self.count().await
    }

    async fn trim(&self, retention: Retention) -> Result<u64, StoreError> {
        self.let_go(retention).await
    }

    async fn forget(&self, person: &Person, at: Timestamp) -> Result<bool, StoreError> {
        self.leave_tombstone(person, at).await
    }

    async fn remember(&self, person: &Person) -> Result<bool, StoreError> {
        self.take_tombstone(person).await
    }

    async fn forgotten(&self, person: &Person) -> Result<Option<Timestamp>, StoreError> {
        self.tombstone(person).await
    }

    async fn all_forgotten(
        &self,
        source: &SourceName,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        self.tombstones(source).await
    }

    async fn dump(&self, from: Option<&str>, most: usize) -> Result<Dump, StoreError> {
        self.hand_out(from, most).await
    }

    async fn restore(&self, kept: &[Stored]) -> Result<(), StoreError> {
        for some in kept.chunks(AT_ONCE) {
            self.take_whole(some).await?;
        }
        Ok(())
    }

    async fn swap(&self, changes: &[(Stored, Option<Stored>)]) -> Result<u64, StoreError> {
        let mut swapped = 0;
        for (old, new) in changes {
            swapped += u64::from(self.exchange(old, new.as_ref()).await?);
        }
        Ok(swapped)
    }

    async fn retire_keys(&self) -> Result<(), StoreError> {
        let known: Vec<String> =
            self.ask("retire_keys", cmd("HKEYS").arg(&self.names.keys)).await?;
        let newest = self.keys().await?.names().next();
        for old in known.iter().filter(|name| Some(name.as_str()) != newest) {
            self.ask::<()>("retire_keys", cmd("HDEL").arg(&self.names.keys).arg(old)).await?;
        }
        Ok(())
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        // Its log repeats every write until it is written anew. Where that is not allowed, it happens
        // when Redis thinks it is time.
        let rewrite = cmd("BGREWRITEAOF");
        if let Err(error) = self.connection.ask_owner_of(&self.names.check, &rewrite).await {
            tracing::debug!(%error, "Redis did not begin to write its log anew");
        }
        Ok(())
    }

    async fn epoch(&self) -> Result<String, StoreError> {
        let fresh = Uuid::now_v7().to_string();
        let set = cmd("SET").arg(&self.names.epoch).arg(&fresh).arg("NX").to_owned();
        let first: Option<String> = self.ask("epoch", &set).await?;
        if first.is_some() {
            // It may have been emptied: it is told again with which key it is sealed.
            self.prove().await?;
            return Ok(fresh);
        }
        let kept: Option<String> = self.ask("epoch", cmd("GET").arg(&self.names.epoch)).await?;
        // Emptied between the two: the next call gives it a name.
        Ok(kept.unwrap_or(fresh))
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.look_over().await
    }

    async fn save_page(&self, run: &RunId, page: &Page) -> Result<(), StoreError> {
        self.write_page(run, page).await
    }

    async fn pages(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Page>, StoreError> {
        self.read_pages(run, after, most).await
    }

    async fn drop_pages(&self, run: &RunId) -> Result<(), StoreError> {
        self.let_go_of_pages(run).await
    }
}

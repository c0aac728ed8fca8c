//! A store behind a door that lets a call through to a real one, or does not.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use async_trait::async_trait;
use instep::model::{
    AccountId, Arrival, AuditEntry, AuditId, Choice, Delivery, DeliveryId, DeliveryState,
    EmployeeId, EventId, Item, Lane, Link, Page, Person, Run, RunId, SourceName,
};
use instep::store::{
    Accepted, Depth, Due, Dump, Filter, Grant, Hold, KeptEvent, Lease, LeaseRequest, Links, Rate,
    Retention, Runs, Store, StoreError, Stored,
};
use jiff::Timestamp;

/// Whether a call changes what is stored. A budget or a note that is read is none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
}

/// What stands before a store.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// The store behind, when the call with this name gets through to it.
    async fn pass(&self, call: &'static str, kind: Kind) -> Result<&dyn Store, StoreError>;

    /// Calls from a budget.
    async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError> {
        self.pass("grant", Kind::Read).await?.grant(budget, rate, want).await
    }

    /// A budget's pause.
    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        self.pass("pause", Kind::Read).await?.pause(budget, pause).await
    }

    /// A note is read.
    async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.pass("note", Kind::Read).await?.note(name).await
    }
}

/// The store behind this door.
#[derive(Default)]
pub struct Guarded<D>(pub D);

impl<D> Deref for Guarded<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.0
    }
}

macro_rules! guard {
    ($($kind:ident $call:ident($($given:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl<D: Door> Store for Guarded<D> {
            async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError> {
                self.0.grant(budget, rate, want).await
            }

            async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
                self.0.pause(budget, pause).await
            }

            async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
                self.0.note(name).await
            }

            $(async fn $call(&self, $($given: $type),*) -> Result<$answer, StoreError> {
                self.0.pass(stringify!($call), Kind::$kind).await?.$call($($given),*).await
            })*
        }
    };
}

guard! {
    Write accept(arrival: Arrival) -> Accepted;
    Write accept_all(arrivals: Vec<Arrival>) -> Vec<Accepted>;
    Write lease(request: LeaseRequest<'_>) -> Vec<Lease>;
    Read due(source: &SourceName, most: usize) -> Due;
    Write save_link(lease: &Lease, link: &Link) -> ();
    Write settle(lease: Lease, deliveries: Vec<Delivery>, link: Option<Link>) -> ();
    Read link(person: &Person) -> Option<Link>;
    Read links(source: &SourceName, from: Option<&str>, most: usize) -> Links;
    Read awaiting(source: &SourceName, manager: &str, most: usize) -> Vec<Person>;
    Read appointments(until: Timestamp, most: usize) -> Vec<(Person, Timestamp)>;
    Write choose(person: &Person, choice: Option<&Choice>) -> ();
    Read choice(person: &Person) -> Option<Choice>;
    Write unlink(person: &Person) -> bool;
    Write put_note(name: &str, before: Option<&str>, now: Option<&str>) -> bool;
    Read notes(prefix: &str) -> Vec<(String, String)>;
    Write write_audit(entry: &AuditEntry) -> ();
    Read audit(before: Option<&AuditId>, most: usize) -> Vec<AuditEntry>;
    Read owner(account: &AccountId) -> Option<Person>;
    Read delivery(id: &DeliveryId) -> Option<Delivery>;
    Read event(id: &EventId) -> Option<KeptEvent>;
    Read deliveries(filter: &Filter, most: usize) -> Vec<Delivery>;
    Write replay(ids: &[DeliveryId], lane: Lane, at: Timestamp) -> u64;
    Write close(ids: &[DeliveryId], state: DeliveryState, reason: &str, at: Timestamp) -> u64;
    Write save_run(run: &Run) -> bool;
    Read run(id: &RunId) -> Option<Run>;
    Read runs(source: Option<&SourceName>, which: Runs, most: usize) -> Vec<Run>;
    Write save_items(run: &RunId, items: &[Item]) -> ();
    Read items(run: &RunId, after: u64, most: usize) -> Vec<Item>;
    Write hold(hold: &Hold) -> ();
    Write release(scope: &str) -> bool;
    Read holds() -> Vec<Hold>;
    Read depth() -> Depth;
    Write trim(retention: Retention) -> u64;
    Write forget(person: &Person, at: Timestamp) -> bool;
    Write remember(person: &Person) -> bool;
    Read forgotten(person: &Person) -> Option<Timestamp>;
    Read all_forgotten(source: &SourceName) -> BTreeMap<EmployeeId, Timestamp>;
    Read dump(from: Option<&str>, most: usize) -> Dump;
    Write restore(kept: &[Stored]) -> ();
    Write swap(changes: &[(Stored, Option<Stored>)]) -> u64;
    Write retire_keys() -> ();
    Write wipe() -> ();
    Read epoch() -> String;
    Read check() -> Vec<String>;
    Write save_page(run: &RunId, page: &Page) -> ();
    Read pages(run: &RunId, after: u64, most: usize) -> Vec<Page>;
    Write drop_pages(run: &RunId) -> ();
}

//! The cases, and what they stand on: a store, a clock that is moved by hand, and short ways to say
//! the usual things. A case takes an empty store and knows nothing of the backend.

pub mod accepting;
pub mod accepting_many;
pub mod auditing;
pub mod budgets;
pub mod keeping;
pub mod leasing;
pub mod linking;
pub mod looking;
pub mod noting;
pub mod paging;
pub mod replaying;
pub mod running_out;
pub mod runs;
pub mod settling;
pub mod upkeep;

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use instep::clock::Clock;
pub use instep::model::Lane;
use instep::model::{
    AccountId, Arrival, Delivery, DeliveryId, DeliveryState, EmployeeId, Event, EventId, Fate,
    Link, Person, RunId, SourceName,
};
use instep::store::seal::Keys;
use instep::store::{Accepted, Lease, LeaseRequest, Store};
use jiff::Timestamp;

/// Something that will be there later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A store to try, empty at first.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its clock, which stands still until it is moved.
    pub clock: Clock,
    /// Opens the same data once more with the same clock, as another process would.
    pub open_again: Box<dyn Fn() -> Later<Arc<dyn Store>> + Send + Sync>,
    /// Puts this text in the place of a stored record, behind the store's back.
    pub plant: Box<dyn Fn(Stored, String) -> Later<()> + Send + Sync>,
    /// What must live as long as the store: a folder, a server.
    #[expect(dead_code, reason = "it is held, not read")]
    pub guard: Box<dyn Any + Send + Sync>,
}

/// A record that stands in the store.
pub enum Stored {
    /// Of a delivery.
    Delivery(DeliveryId),
    /// Of a run.
    Run(RunId),
    /// Of the item with this number in a run.
    Item(RunId, u64),
}

/// A record of a newer program.
pub const NEWER: &str = r#"{"v":999,"shape":"of the future"}"#;

/// How long leases last here.
pub const LASTING: Duration = Duration::from_secs(60);

impl Fixture {
    /// The time at which every fixture's clock begins.
    pub fn clock() -> Clock {
        Clock::manual("2026-11-21T08:00:00Z".parse().expect("a time"))
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The time so many seconds from now.
    pub fn later(&self, seconds: u64) -> Timestamp {
        self.clock.now() + Duration::from_secs(seconds)
    }

    /// Goes on with the data opened anew.
    pub async fn reopen(&mut self) {
        self.store = (self.open_again)().await;
    }

    /// Accepts a new event about this employee of `bob`.
    pub async fn accept(&self, employee: &str, lane: Lane) -> DeliveryId {
        let accepted = self.store.accept(arrival(&self.clock, employee, Fate::Deliver(lane))).await;
        fresh(accepted.expect("accept"))
    }

    /// Accepts a new event of which nothing shall become.
    pub async fn ignore(&self, employee: &str) -> DeliveryId {
        let fate = Fate::Ignore("of no interest".into());
        fresh(self.store.accept(arrival(&self.clock, employee, fate)).await.expect("accept"))
    }

    /// Leases so many persons of `bob`.
    pub async fn lease(&self, persons: usize) -> Vec<Lease> {
        lease(&*self.store, persons).await
    }

    /// Leases the one person who is due, and nobody else.
    pub async fn lease_one(&self) -> Lease {
        let mut leases = self.lease(10).await;
        assert_eq!(leases.len(), 1, "one person is due: {leases:?}");
        leases.remove(0)
    }

    /// Ends a lease with all its deliveries in this state, settled now.
    pub async fn settle(&self, lease: Lease, state: DeliveryState) {
        let deliveries = ended(&lease, state, self.clock.now());
        self.store.settle(lease, deliveries, None).await.expect("settle");
    }

    /// Accepts an event and settles its delivery in this state.
    pub async fn accept_and_settle(&self, employee: &str, state: DeliveryState) -> DeliveryId {
        let id = self.accept(employee, Lane::Live).await;
        let lease = self.lease_one().await;
        assert_eq!(ids(&lease), std::slice::from_ref(&id));
        self.settle(lease, state).await;
        id
    }

    /// The delivery with this id, which is there.
    pub async fn delivery(&self, id: &DeliveryId) -> Delivery {
        self.store.delivery(id).await.expect("delivery").expect("it is there")
    }

    /// The state of the delivery with this id.
    pub async fn state(&self, id: &DeliveryId) -> DeliveryState {
        self.delivery(id).await.state
    }
}

/// Keys that are made of one byte each.
pub fn keys(newest: u8, older: &[u8]) -> Keys {
    let key = |byte: &u8| BASE64_STANDARD.encode([*byte; 32]).into();
    Keys::new(&key(&newest), &older.iter().map(key).collect::<Vec<_>>()).expect("keys")
}

/// The source that most cases speak of.
pub fn bob() -> SourceName {
    SourceName::new("bob")
}

/// A person of `bob`.
pub fn person(employee: &str) -> Person {
    Person { source: bob(), employee: EmployeeId::new(employee) }
}

/// A link to this account and nothing else.
pub fn link_to(account: &str) -> Link {
    Link { account: Some(AccountId::new(account)), ..Link::default() }
}

/// An event that never was before, about this employee of `bob`.
pub fn arrival(clock: &Clock, employee: &str, fate: Fate) -> Arrival {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let event = Event {
        id: EventId::new(format!("{n:064x}")),
        source: bob(),
        kind: "employee.updated".into(),
        company: Some("636192".into()),
        employee: Some(EmployeeId::new(employee)),
        received_at: clock.now(),
        raw: Bytes::from(format!(r#"{{"n":{n}}}"#)),
    };
    Arrival { event, fate, delivery: DeliveryId::fresh() }
}

/// The same bytes once more.
pub fn repeat_of(arrival: &Arrival, clock: &Clock) -> Arrival {
    let mut again = arrival.clone();
    again.event.received_at = clock.now();
    again.delivery = DeliveryId::fresh();
    again
}

/// The id of the delivery of an event that was new.
pub fn fresh(accepted: Accepted) -> DeliveryId {
    match accepted {
        Accepted::New(id) => id,
        Accepted::Repeat(id) => panic!("the event came before, with delivery {id}"),
    }
}

/// Leases so many persons of `bob`.
pub async fn lease(store: &dyn Store, persons: usize) -> Vec<Lease> {
    let request = LeaseRequest { source: &bob(), persons, lasting: LASTING, without: None };
    store.lease(request).await.expect("lease")
}

/// The deliveries of a lease as a worker hands them back when all ended in this state.
pub fn ended(lease: &Lease, state: DeliveryState, at: Timestamp) -> Vec<Delivery> {
    let end = |delivery: &Delivery| Delivery { state, due: at, ..delivery.clone() };
    lease.deliveries.iter().map(end).collect()
}

/// Which deliveries a lease holds.
pub fn ids(lease: &Lease) -> Vec<DeliveryId> {
    lease.deliveries.iter().map(|delivery| delivery.id.clone()).collect()
}

/// Who is leased, in the order given.
pub fn employees(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.person.employee.as_str()).collect()
}

//! The machine's clock set back or ahead between two runs. (While a process runs, its own clock
//! cannot jump: see `instep::clock`.)

use std::time::Duration;

use instep::clock::Clock;
use instep::model::{Arrival, DeliveryId, EmployeeId, Event, EventId, Fate, Lane, SourceName};
use instep::store::Store;
use instep::store::sqlite::SqliteStore;
use serde_json::json;

use super::{all_has_ended, in_step_with};
use crate::harness::town::{Kept, Town};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An event taken in by a process whose clock was a day ahead does not wait for a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_clock_ahead_took_in_does_not_wait() {
    let town = in_step_with(8, Kept::Sqlite).await;
    let id = taken_in_at(&town, town.now() + DAY).await;
    let _serving = town.open().await;
    all_has_ended(&town).await;
    assert_eq!(town.account_of(&id)["lastName"], "Remarried");
}

/// Nor does one that was taken in long ago, or under lease by a process of that time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_clock_behind_took_in_is_done() {
    let town = in_step_with(8, Kept::Sqlite).await;
    let id = taken_in_at(&town, town.now() - DAY).await;
    let _serving = town.open().await;
    all_has_ended(&town).await;
    assert_eq!(town.account_of(&id)["lastName"], "Remarried");
}

/// Somebody changes, and a process with this time takes the event in, leases it and dies.
async fn taken_in_at(town: &Town, now: jiff::Timestamp) -> String {
    let id = town.actives()[2].clone();
    town.change(&id, json!({"surname": "Remarried"}));
    let path = town.config().with_file_name("instep.db");
    let store = SqliteStore::open(&path, Clock::manual(now)).expect("a store");
    let source = SourceName::new("bob");
    for raw in ["{\"n\":1}", "{\"n\":2}"] {
        let event = Event {
            id: EventId::of(&source, raw.as_bytes()),
            source: source.clone(),
            kind: "employee.updated".to_owned(),
            company: None,
            employee: Some(EmployeeId::new(&*id)),
            received_at: now,
            raw: raw.into(),
        };
        let fate = Fate::Deliver(Lane::Live);
        store.accept(Arrival { event, fate, delivery: DeliveryId::fresh() }).await.expect("taken");
        if raw.contains('1') {
            let request = instep::store::LeaseRequest {
                source: &source,
                persons: 1,
                lasting: Duration::from_secs(180),
                without: None,
            };
            assert_eq!(store.lease(request).await.expect("leased").len(), 1);
        }
    }
    id
}

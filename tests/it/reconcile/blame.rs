//! Why somebody is out of step: each cause that lies in what became of their events. (The others
//! stand with the differences themselves.)

use std::time::Duration;

use instep::model::{
    Arrival, Attempt, DeliveryId, DeliveryState, EmployeeId, Event, EventId, SourceName,
};
use instep::store::LeaseRequest;

use super::*;

/// Takes in an event about somebody; gives the id of its delivery.
async fn event(town: &Town, id: &str) -> DeliveryId {
    let source = SourceName::new("bob");
    let raw = town.event("employee.updated", id);
    let arrival = Arrival::live(Event {
        id: EventId::of(&source, &raw),
        source,
        kind: "employee.updated".into(),
        company: None,
        employee: Some(EmployeeId::new(id)),
        received_at: town.now(),
        raw: raw.into(),
    });
    let delivery = arrival.delivery.clone();
    town.store().await.accept(arrival).await.expect("it is taken in");
    delivery
}

/// Ends everything that waits for somebody like this.
async fn end(town: &Town, id: &str, state: DeliveryState, decided: &str) {
    let (store, source) = (town.store().await, SourceName::new("bob"));
    let lasting = Duration::from_secs(60);
    let request = LeaseRequest { source: &source, persons: 100, lasting, without: None };
    for mut lease in store.lease(request).await.expect("leases") {
        let mut deliveries = std::mem::take(&mut lease.deliveries);
        if lease.person.employee.as_str() == id {
            for delivery in &mut deliveries {
                delivery.state = state;
                delivery.remember(Attempt {
                    at: town.now(),
                    took_ms: 1,
                    read: Vec::new(),
                    rules: String::new(),
                    decided: decided.to_owned(),
                    done: Vec::new(),
                    outcome: "ended".to_owned(),
                });
            }
        }
        store.settle(lease, deliveries, None).await.expect("it is settled");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_the_events_is_to_blame() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let actives = town.actives();
    let [due, failed, filtered, raced, silent] = [1, 2, 3, 4, 5].map(|n| actives[n].as_str());
    for id in [due, failed, filtered, raced, silent] {
        town.change(id, json!({"surname": "Changed"}));
    }
    let failed_by = event(&town, failed).await;
    end(&town, failed, DeliveryState::Dead, "update last_name").await;
    let filtered_by = event(&town, filtered).await;
    end(&town, filtered, DeliveryState::Done, "out of scope (rules.filters.x)").await;
    let raced_by = event(&town, raced).await;
    end(&town, raced, DeliveryState::Done, "nothing to do").await;
    let due_by = event(&town, due).await;
    let (_, planned) = plan(&town).await;
    let blame = |id: &str| item(&planned, id).blame.clone().expect("a blame");
    assert_eq!(blame(due), Blame::Due { delivery: due_by });
    assert_eq!(blame(failed), Blame::Failed { delivery: failed_by });
    assert_eq!(blame(filtered), Blame::Filtered { delivery: filtered_by });
    assert_eq!(blame(raced), Blame::Raced { delivery: raced_by });
    assert_eq!(blame(silent), Blame::NoEvent);
}

//! Dates: who joins and who leaves by a day in their own time zone, and looks that nobody's event
//! brings about.

use std::time::Duration;

use instep::model::{
    Appointment, Arrival, DeliveryState, EmployeeId, Event, Lane, Link, Person, SourceName,
};
use instep::store::LeaseRequest;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};

use super::{empty, on_both, ruled};
use crate::harness::town::{Kept, Town};

on_both! {
    who_has_signed_gets_an_account_when_the_time_has_come
    who_leaves_is_deactivated_when_the_last_day_is_over
    a_grace_leaves_the_account_as_it_is
    an_appointment_is_called_when_its_moment_comes
}

/// It is already tomorrow there, or today at least.
const EAST: &str = "Pacific/Kiritimati";
/// It is still yesterday there.
const WEST: &str = "Etc/GMT+12";

/// Everybody's zone is their site's: London is far in the east, Paris far in the west.
fn zones() -> String {
    format!("time_zone = \"'{EAST}' if work.site == 'London' else '{WEST}'\"\n")
}

const LONDON: u64 = 2_154_001;
const PARIS: u64 = 2_154_002;

const JOINER: &str = r#"
[rules.joiner]
who = "internal.lifecycleStatus == 'hired'"
start_date = "work.startDate"
days_before = 0
"#;

fn leaver(grace: u32) -> String {
    let end = "end_date = \"internal.terminationDate\"";
    format!("[rules.leaver]\n{end}\ngrace_days = {grace}\n")
}

/// The day it is there.
fn today(town: &Town, zone: &str) -> Date {
    town.now().to_zoned(TimeZone::get(zone).expect("a zone")).date()
}

fn bob(id: &str) -> Person {
    Person { source: SourceName::new("bob"), employee: EmployeeId::new(id) }
}

async fn link(town: &Town, id: &str) -> Link {
    town.store().await.link(&bob(id)).await.expect("a store").unwrap_or_default()
}

async fn appointment(town: &Town, id: &str) -> Option<Appointment> {
    link(town, id).await.appointment
}

fn joiner(site: u64, start: Date) -> Value {
    json!({"work": {"siteId": site, "startDate": start.to_string()},
        "internal": {"lifecycleStatus": "hired"}})
}

async fn status(town: &Town, id: &str, wanted: &Value) {
    town.at_rest().await;
    let held = town.account_of(id)["status"].clone();
    assert_eq!(held, *wanted, "{}", town.report().await);
}

async fn who_has_signed_gets_an_account_when_the_time_has_come(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(&zones(), JOINER)).await;
    let _serving = town.open().await;
    // The same day has begun in the east and not in the west.
    let day = today(&town, EAST);
    let east = town.hire(joiner(LONDON, day));
    let west = town.hire(joiner(PARIS, day));
    status(&town, &east, &json!("active")).await;
    status(&town, &west, &Value::Null).await;
    assert_eq!(appointment(&town, &east).await, None);
    let midnight = day.to_zoned(TimeZone::get(WEST).expect("a zone")).expect("a day").timestamp();
    let told = appointment(&town, &west).await.expect("an appointment");
    assert_eq!(told.at, midnight);
    assert!(told.why.contains("rules.joiner"), "{}", told.why);
    for delivery in town.deliveries_of(&west).await {
        assert_eq!(delivery.state, DeliveryState::Done, "{delivery:?}");
    }
    // HR changes its mind: the appointment moves, and goes.
    let later = day.saturating_add(40.days());
    town.change(&west, json!({"work": {"startDate": later.to_string()}}));
    town.at_rest().await;
    let moved = appointment(&town, &west).await.expect("an appointment");
    assert_eq!(moved.at.duration_since(midnight).as_hours(), 40 * 24);
    let earlier = day.saturating_sub(3.days());
    town.change(&west, json!({"work": {"startDate": earlier.to_string()}}));
    status(&town, &west, &json!("active")).await;
    assert_eq!(appointment(&town, &west).await, None);
}

async fn who_leaves_is_deactivated_when_the_last_day_is_over(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(&zones(), &leaver(0))).await;
    let _serving = town.open().await;
    let here = json!({"work": {"siteId": LONDON}});
    let id = town.hire(here);
    status(&town, &id, &json!("active")).await;
    let last = |day: Date| json!({"internal": {"terminationDate": day.to_string()}});
    let soon = today(&town, EAST).saturating_add(20.days());
    town.change(&id, last(soon));
    status(&town, &id, &json!("active")).await;
    assert!(appointment(&town, &id).await.is_some());
    // HR changes its mind.
    town.change(&id, json!({"internal": {"terminationDate": null}}));
    status(&town, &id, &json!("active")).await;
    assert_eq!(appointment(&town, &id).await, None);
    town.change(&id, last(today(&town, EAST).saturating_sub(2.days())));
    status(&town, &id, &json!("deleted")).await;
    assert_eq!(appointment(&town, &id).await, None);
}

async fn a_grace_leaves_the_account_as_it_is(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(&zones(), &leaver(14))).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"work": {"siteId": LONDON}}));
    status(&town, &id, &json!("active")).await;
    let day = today(&town, EAST);
    let left = |day: Date| {
        json!({"internal": {"lifecycleStatus": "terminated", "terminationDate": day.to_string()},
            "surname": "Leaver"})
    };
    town.change(&id, left(day.saturating_sub(5.days())));
    status(&town, &id, &json!("active")).await;
    assert_ne!(town.account_of(&id)["lastName"], "Leaver", "it stays as it is");
    assert!(appointment(&town, &id).await.is_some());
    town.change(&id, left(day.saturating_sub(20.days())));
    status(&town, &id, &json!("deleted")).await;
}

/// A joiner whose day has come meanwhile, and of whom HR tells nothing: only the appointment does.
async fn an_appointment_is_called_when_its_moment_comes(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(&zones(), JOINER)).await;
    let id = town.hire(joiner(LONDON, today(&town, EAST).saturating_sub(1.day())));
    let store = town.store().await;
    // As an earlier turn would have left it.
    let person = bob(&id);
    let event = Event::of_our_own("employee.updated", &person, "earlier", town.now());
    store.accept(Arrival::live(event)).await.expect("a store");
    let lasting = Duration::from_secs(8);
    let request = LeaseRequest { source: &person.source, persons: 1, lasting, without: None };
    let lease = store.lease(request).await.expect("a store").pop().expect("a lease");
    let mut deliveries = lease.deliveries.clone();
    for delivery in &mut deliveries {
        delivery.state = DeliveryState::Done;
    }
    let at = town.now() + SignedDuration::from_secs(2);
    let appointment = Some(Appointment { at, why: "the first day".to_owned() });
    let link = Link { appointment, ..Link::default() };
    store.settle(lease, deliveries, Some(link)).await.expect("a store");
    let _serving = town.serve(&[]).await;
    let has_account = async || town.account_of(&id)["status"] == "active";
    town.until("the appointment was kept", has_account).await;
    town.at_rest().await;
    assert!(town.now() >= at, "not before its time");
    assert_eq!(self::appointment(&town, &id).await, None);
    let called = town.deliveries_of(&id).await;
    let called: Vec<_> = called.iter().filter(|it| it.kind == "appointment").collect();
    assert_eq!(called.len(), 1, "{called:?}");
    assert_eq!((called[0].lane, called[0].state), (Lane::Live, DeliveryState::Done));
    assert_eq!(called[0].looks, 0, "HR has nothing to show late");
}

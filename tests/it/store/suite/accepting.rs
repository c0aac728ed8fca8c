//! Taking events in: once each, durably, and never swallowed into silence.

use std::sync::Arc;

use bytes::Bytes;
use instep::model::{DeliveryState, Fate, Lane};
use instep::store::{Accepted, KeptEvent};

use super::{Fixture, arrival, ended, fresh, person, repeat_of};

pub async fn a_new_event_makes_a_waiting_delivery(on: Fixture) {
    let arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Bulk));
    let accepted = on.store.accept(arrival.clone()).await.unwrap();
    assert_eq!(accepted, Accepted::New(arrival.delivery.clone()));

    let delivery = on.delivery(&arrival.delivery).await;
    assert_eq!(delivery.id, arrival.delivery);
    assert_eq!(delivery.event, arrival.event.id);
    assert_eq!(delivery.person(), Some(person("7")));
    assert_eq!(delivery.kind, "employee.updated");
    assert_eq!(delivery.lane, Lane::Bulk);
    assert_eq!(delivery.received_at, on.clock.now());
    assert_eq!(delivery.state, DeliveryState::Waiting);
    assert_eq!(delivery.due, on.clock.now());
    let counters = (delivery.attempts, delivery.looks, delivery.kills, delivery.replays);
    assert_eq!(counters, (0, 0, 0, 0));
    assert_eq!(delivery.absences, 0);
    assert_eq!((delivery.reason, delivery.code), (None, None));
    assert_eq!(delivery.history, []);
}

pub async fn an_event_is_kept_byte_for_byte(on: Fixture) {
    let mut first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    first.event.raw = Bytes::from_static(b"{\0\xff\xfe \"a\": 'b'}\r\n");
    let mut second = arrival(&on.clock, "7", Fate::Ignore("a ping".into()));
    second.event.company = None;
    second.event.employee = None;
    second.event.raw = Bytes::new();
    for arrival in [first, second] {
        on.store.accept(arrival.clone()).await.unwrap();
        let kept = on.store.event(&arrival.event.id).await.unwrap();
        let (event, delivery) = (arrival.event, arrival.delivery);
        assert_eq!(kept, Some(KeptEvent { event, delivery, repeats: 0 }));
    }
}

pub async fn a_repeat_is_counted_and_makes_nothing(on: Fixture) {
    let first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    let ignored = arrival(&on.clock, "8", Fate::Ignore("a ping".into()));
    on.store.accept(first.clone()).await.unwrap();
    on.store.accept(ignored.clone()).await.unwrap();
    let again = |of| on.store.accept(repeat_of(of, &on.clock));
    let repeat = Accepted::Repeat(first.delivery.clone());

    assert_eq!(again(&first).await.unwrap(), repeat, "while it waits");
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries.len(), 1);
    assert_eq!(again(&first).await.unwrap(), repeat, "while it is leased");
    on.settle(lease, DeliveryState::Done).await;
    on.pass(5);
    assert_eq!(again(&first).await.unwrap(), repeat, "when it is done");
    assert_eq!(again(&ignored).await.unwrap(), Accepted::Repeat(ignored.delivery.clone()));

    assert!(on.lease(10).await.is_empty());
    let kept = on.store.event(&first.event.id).await.unwrap().unwrap();
    assert_eq!((kept.repeats, kept.delivery), (3, first.delivery));
    assert_eq!(kept.event, first.event, "the event is kept as it first came");
    assert_eq!(on.store.event(&ignored.event.id).await.unwrap().unwrap().repeats, 1);
    assert_eq!(on.store.depth().await.unwrap().done, 1);
}

pub async fn a_repeat_of_a_dead_one_is_delivered_again(on: Fixture) {
    let first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    on.store.accept(first.clone()).await.unwrap();
    let lease = on.lease_one().await;
    on.settle(lease, DeliveryState::Dead).await;

    let second = repeat_of(&first, &on.clock);
    let accepted = on.store.accept(second.clone()).await.unwrap();
    assert_eq!(accepted, Accepted::New(second.delivery.clone()));
    let kept = on.store.event(&first.event.id).await.unwrap().unwrap();
    assert_eq!((kept.delivery, kept.repeats), (second.delivery.clone(), 1));
    assert_eq!(on.state(&first.delivery).await, DeliveryState::Dead, "the dead letter stays");

    let third = on.store.accept(repeat_of(&first, &on.clock)).await.unwrap();
    assert_eq!(third, Accepted::Repeat(second.delivery.clone()));
    let lease = on.lease_one().await;
    assert_eq!(super::ids(&lease), [second.delivery]);
}

pub async fn an_ignored_event_is_kept_with_its_reason(on: Fixture) {
    let id = on.ignore("7").await;
    let delivery = on.delivery(&id).await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    assert_eq!(delivery.reason.as_deref(), Some("of no interest"));
    assert!(on.lease(10).await.is_empty());
    assert_eq!(on.store.depth().await.unwrap().ignored, 1);
}

/// Nobody could lease it, so it would wait for ever.
pub async fn an_event_that_names_nobody_never_waits(on: Fixture) {
    let mut arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    arrival.event.employee = None;
    let id = fresh(on.store.accept(arrival).await.unwrap());
    let delivery = on.delivery(&id).await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    assert!(delivery.reason.is_some());
}

pub async fn one_of_many_equal_events_is_new(on: Fixture) {
    let events: Vec<_> =
        (0..8).map(|n| arrival(&on.clock, &n.to_string(), Fate::Deliver(Lane::Live))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (store, arrival) = (Arc::clone(&on.store), repeat_of(&events[n % 8], &on.clock));
        tasks.spawn(async move { store.accept(arrival).await });
    }
    let accepted: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    let new = accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(_))).count();
    assert_eq!(new, 8);
    for event in &events {
        let kept = on.store.event(&event.event.id).await.unwrap().unwrap();
        assert_eq!(kept.repeats, 7);
        assert!(accepted.contains(&Accepted::New(kept.delivery)));
    }
    assert_eq!(on.lease(100).await.len(), 8);
}

pub async fn what_was_accepted_survives(mut on: Fixture) {
    let arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    on.store.accept(arrival.clone()).await.unwrap();
    let before = on.delivery(&arrival.delivery).await;
    on.reopen().await;
    assert_eq!(on.delivery(&arrival.delivery).await, before);
    let kept = on.store.event(&arrival.event.id).await.unwrap().unwrap();
    assert_eq!(kept.event, arrival.event);

    let lease = on.lease_one().await;
    let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    on.reopen().await;
    assert!(on.lease(10).await.is_empty(), "the lease is known to everyone");
    on.store.settle(lease, deliveries, None).await.unwrap();
    assert_eq!(on.state(&arrival.delivery).await, DeliveryState::Done);
    let repeat = on.store.accept(repeat_of(&arrival, &on.clock)).await.unwrap();
    assert_eq!(repeat, Accepted::Repeat(arrival.delivery));
}

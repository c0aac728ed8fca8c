//! Doing it again because a person asked.

use instep::model::{Attempt, Delivery, DeliveryId, DeliveryState, Fate, Lane};
use instep::store::Accepted;

use super::{Fixture, arrival, ids, repeat_of};

async fn replay(on: &Fixture, ids: &[DeliveryId]) -> u64 {
    on.store.replay(ids, Lane::Bulk, on.clock.now()).await.unwrap()
}

pub async fn a_replay_starts_afresh_and_keeps_the_history(on: Fixture) {
    on.accept("7", Lane::Live).await;
    on.lease_one().await;
    on.clock.advance(super::LASTING);
    let lease = on.lease_one().await;
    let mut dead = lease.deliveries[0].clone();
    dead.state = DeliveryState::Dead;
    (dead.attempts, dead.looks, dead.absences) = (8, 1, 2);
    dead.reason = Some("the mail is used".into());
    dead.code = Some("mailAlreadyUsed".into());
    dead.remember(Attempt {
        rules: "1f0e".into(),
        at: on.clock.now(),
        took_ms: 1,
        read: Vec::new(),
        decided: "create".into(),
        done: Vec::new(),
        outcome: "dead: mailAlreadyUsed".into(),
    });
    on.store.settle(lease, vec![dead.clone()], None).await.unwrap();

    on.pass(5);
    assert_eq!(replay(&on, std::slice::from_ref(&dead.id)).await, 1);
    let expected = Delivery {
        state: DeliveryState::Waiting,
        lane: Lane::Bulk,
        due: on.clock.now(),
        attempts: 0,
        looks: 0,
        absences: 0,
        kills: 0,
        replays: 1,
        // They told why it was dead; it is not any more.
        reason: None,
        code: None,
        ..dead
    };
    assert_eq!(on.delivery(&expected.id).await, expected);
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries, [expected]);
}

pub async fn a_replay_leaves_what_waits_and_what_names_nobody(on: Fixture) {
    let done = on.accept_and_settle("7", DeliveryState::Done).await;
    let dead = on.accept_and_settle("7", DeliveryState::Dead).await;
    let ignored = on.ignore("8").await;
    let mut nobody = arrival(&on.clock, "", Fate::Ignore("a ping".into()));
    nobody.event.employee = None;
    let nobody = super::fresh(on.store.accept(nobody).await.unwrap());
    let waiting = on.accept("9", Lane::Live).await;
    let before = on.delivery(&waiting).await;

    assert_eq!(replay(&on, &[]).await, 0);
    let unknown = DeliveryId::fresh();
    let all = [&done, &dead, &ignored, &nobody, &waiting, &unknown, &done].map(Clone::clone);
    assert_eq!(replay(&on, &all).await, 3);
    assert_eq!(replay(&on, &all).await, 0, "now they wait");
    for id in [&done, &dead, &ignored] {
        let delivery = on.delivery(id).await;
        assert_eq!((delivery.state, delivery.replays), (DeliveryState::Waiting, 1));
    }
    assert_eq!(on.state(&nobody).await, DeliveryState::Ignored);
    assert_eq!(on.delivery(&waiting).await, before);
    assert_eq!(on.lease(10).await.len(), 3);
}

pub async fn a_replay_is_never_deduplicated(on: Fixture) {
    let arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    on.store.accept(arrival.clone()).await.unwrap();
    let lease = on.lease_one().await;
    on.settle(lease, DeliveryState::Done).await;
    for replays in 1..4 {
        let repeat = on.store.accept(repeat_of(&arrival, &on.clock)).await.unwrap();
        assert_eq!(repeat, Accepted::Repeat(arrival.delivery.clone()));
        assert_eq!(replay(&on, std::slice::from_ref(&arrival.delivery)).await, 1);
        let lease = on.lease_one().await;
        assert_eq!(lease.deliveries[0].replays, replays);
        on.settle(lease, DeliveryState::Done).await;
    }
}

pub async fn a_replay_reaches_a_person_under_lease(on: Fixture) {
    let done = on.accept_and_settle("7", DeliveryState::Done).await;
    let current = on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    assert_eq!(replay(&on, &[done.clone(), current.clone()]).await, 1);
    assert!(on.lease(10).await.is_empty());
    on.settle(lease, DeliveryState::Done).await;
    assert_eq!(on.state(&current).await, DeliveryState::Done);
    let lease = on.lease_one().await;
    assert_eq!(ids(&lease), [done]);
    assert_eq!(lease.deliveries[0].kills, 0);
}

pub async fn a_replay_waits_for_its_time_in_its_lane(mut on: Fixture) {
    let id = on.accept_and_settle("7", DeliveryState::Done).await;
    let at = on.later(30);
    on.store.replay(&[id], Lane::Bulk, at).await.unwrap();
    on.reopen().await;
    on.pass(29);
    assert!(on.lease(10).await.is_empty());
    on.pass(1);
    let lease = on.lease_one().await;
    assert_eq!((lease.deliveries[0].lane, lease.deliveries[0].due), (Lane::Bulk, at));
}

pub async fn a_dead_letter_is_closed_and_keeps_its_history(mut on: Fixture) {
    for state in [DeliveryState::Done, DeliveryState::Ignored] {
        on.accept("7", Lane::Live).await;
        let lease = on.lease_one().await;
        let mut dead = lease.deliveries[0].clone();
        dead.state = DeliveryState::Dead;
        dead.code = Some("mailAlreadyUsed".into());
        dead.remember(Attempt {
            rules: "1f0e".into(),
            at: on.clock.now(),
            took_ms: 1,
            read: Vec::new(),
            decided: "create".into(),
            done: Vec::new(),
            outcome: "dead: mailAlreadyUsed".into(),
        });
        on.store.settle(lease, vec![dead.clone()], None).await.unwrap();
        on.pass(5);
        let (ids, now) = (std::slice::from_ref(&dead.id), on.clock.now());
        assert_eq!(on.store.close(ids, state, "because", now).await.unwrap(), 1);
        assert_eq!(on.store.close(ids, state, "again", now).await.unwrap(), 0, "once");
        on.reopen().await;
        let expected = Delivery {
            state,
            due: now,
            reason: Some("because".into()),
            code: dead.code.clone().filter(|_| state == DeliveryState::Ignored),
            ..dead
        };
        assert_eq!(on.delivery(&expected.id).await, expected);
        assert_eq!(on.store.depth().await.unwrap().dead, 0);
        // It can be done again all the same.
        assert_eq!(replay(&on, std::slice::from_ref(&expected.id)).await, 1);
        let lease = on.lease_one().await;
        on.settle(lease, DeliveryState::Done).await;
    }
}

pub async fn only_dead_letters_are_closed(on: Fixture) {
    let done = on.accept_and_settle("7", DeliveryState::Done).await;
    let dead = on.accept_and_settle("8", DeliveryState::Dead).await;
    let waiting = on.accept("9", Lane::Live).await;
    let unknown = DeliveryId::fresh();
    let all = [done.clone(), waiting.clone(), unknown, dead.clone()];
    let now = on.clock.now();
    assert_eq!(on.store.close(&[], DeliveryState::Done, "x", now).await.unwrap(), 0);
    assert_eq!(on.store.close(&all, DeliveryState::Ignored, "x", now).await.unwrap(), 1);
    assert_eq!(on.state(&done).await, DeliveryState::Done);
    assert_eq!(on.state(&dead).await, DeliveryState::Ignored);
    assert_eq!(on.lease(10).await.len(), 1, "what waits is done");
}

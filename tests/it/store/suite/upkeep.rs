//! Counting, letting go of what is old, holds, and the store's own health.

use std::collections::HashSet;

use instep::model::{DeliveryId, DeliveryState, Fate, Lane};
use instep::store::{Accepted, Depth, Filter, Hold, Retention};

use super::{Fixture, arrival, fresh, repeat_of};

pub async fn depth_counts_each_state(on: Fixture) {
    assert_eq!(on.store.depth().await.unwrap(), Depth::default());
    on.accept_and_settle("7", DeliveryState::Done).await;
    on.accept_and_settle("7", DeliveryState::Dead).await;
    on.accept_and_settle("7", DeliveryState::Dead).await;
    on.ignore("8").await;
    on.pass(5);
    let oldest = on.clock.now();
    on.accept("7", Lane::Live).await;
    on.accept("8", Lane::Bulk).await;
    let leases = on.lease(10).await;
    on.pass(5);
    on.accept("9", Lane::Live).await;
    let full = Depth { waiting: 3, dead: 2, done: 1, ignored: 1, leased: 2, oldest: Some(oldest) };
    assert_eq!(on.store.depth().await.unwrap(), full);
    for lease in leases {
        on.settle(lease, DeliveryState::Done).await;
    }
    let oldest = Some(on.clock.now());
    assert_eq!(
        on.store.depth().await.unwrap(),
        Depth { waiting: 1, done: 3, leased: 0, oldest, ..full }
    );
}

async fn there(on: &Fixture) -> HashSet<DeliveryId> {
    let deliveries = on.store.deliveries(&Filter::default(), 10_000).await.unwrap();
    deliveries.into_iter().map(|delivery| delivery.id).collect()
}

async fn trim(on: &Fixture, events: jiff::Timestamp, deliveries: jiff::Timestamp) -> u64 {
    let mut all = 0;
    loop {
        let runs = jiff::Timestamp::UNIX_EPOCH;
        let some =
            on.store.trim(Retention { events, deliveries, runs, audit: deliveries }).await.unwrap();
        if some == 0 {
            return all;
        }
        all += some;
    }
}

pub async fn trim_keeps_what_is_needed(on: Fixture) {
    let dead = on.accept_and_settle("7", DeliveryState::Dead).await;
    let waiting = on.accept("8", Lane::Live).await;
    let lease = on.lease_one().await;
    on.pass(100);
    trim(&on, on.clock.now(), on.clock.now()).await;
    for id in [&dead, &waiting] {
        let delivery = on.delivery(id).await;
        assert!(on.store.event(&delivery.event).await.unwrap().is_some());
    }
    on.settle(lease, DeliveryState::Done).await;
    on.store.replay(std::slice::from_ref(&dead), Lane::Live, on.clock.now()).await.unwrap();
    let lease = on.lease_one().await;
    assert_eq!(trim(&on, on.clock.now(), on.clock.now()).await, 2, "the done one and its event");
    on.settle(lease, DeliveryState::Done).await;
    assert_eq!(trim(&on, on.clock.now(), on.clock.now()).await, 2, "so does the other");
    assert!(there(&on).await.is_empty());
}

pub async fn trim_forgets_by_age(on: Fixture) {
    let old = on.accept_and_settle("7", DeliveryState::Done).await;
    let old_ignored = on.ignore("8").await;
    on.pass(100);
    let middle = on.clock.now();
    let young = on.accept_and_settle("7", DeliveryState::Done).await;
    let event_of = async |id| on.delivery(id).await.event;
    let [old_event, young_event] = [event_of(&old).await, event_of(&young).await];
    let start = "1970-01-01T00:00:00Z".parse().unwrap();

    assert_eq!(trim(&on, start, start).await, 0);
    assert_eq!(trim(&on, middle, start).await, 2, "events go by an age of their own");
    assert_eq!(on.store.event(&old_event).await.unwrap(), None);
    assert!(on.store.event(&young_event).await.unwrap().is_some());
    assert_eq!(there(&on).await.len(), 3);

    assert_eq!(trim(&on, start, middle).await, 2);
    assert_eq!(there(&on).await, HashSet::from([young.clone()]));
    for gone in [&old, &old_ignored] {
        assert_eq!(on.store.delivery(gone).await.unwrap(), None);
        let ids = std::slice::from_ref(gone);
        assert_eq!(on.store.replay(ids, Lane::Live, middle).await.unwrap(), 0);
    }
    assert!(on.store.event(&young_event).await.unwrap().is_some());
    let depth = on.store.depth().await.unwrap();
    assert_eq!((depth.done, depth.ignored), (1, 0));
}

pub async fn trim_does_some_at_a_time(on: Fixture) {
    const EVENTS: usize = 2_500;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..EVENTS {
        let arrival = arrival(&on.clock, "7", Fate::Ignore("a ping".into()));
        let store = on.store.clone();
        tasks.spawn(async move { store.accept(arrival).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    on.pass(1);
    let now = on.clock.now();
    let some = on
        .store
        .trim(Retention { events: now, deliveries: now, runs: now, audit: now })
        .await
        .unwrap();
    assert!((1..EVENTS as u64).contains(&some), "{some} at once");
    assert_eq!(some + trim(&on, now, now).await, 2 * EVENTS as u64);
    assert_eq!(on.store.depth().await.unwrap(), Depth::default());
}

pub async fn a_trimmed_event_is_new_again(on: Fixture) {
    let first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    on.store.accept(first.clone()).await.unwrap();
    let lease = on.lease_one().await;
    on.settle(lease, DeliveryState::Done).await;
    on.pass(1);
    let now = on.clock.now();
    let start = "1970-01-01T00:00:00Z".parse().unwrap();

    trim(&on, start, now).await;
    let repeat = on.store.accept(repeat_of(&first, &on.clock)).await.unwrap();
    assert_eq!(repeat, Accepted::Repeat(first.delivery.clone()), "the memory outlives it");
    trim(&on, now, now).await;
    let again = repeat_of(&first, &on.clock);
    assert_eq!(fresh(on.store.accept(again.clone()).await.unwrap()), again.delivery);
    assert_eq!(super::ids(&on.lease_one().await), [again.delivery]);
}

pub async fn holds_are_set_replaced_and_released(mut on: Fixture) {
    let hold = |scope: &str, probes| Hold {
        scope: scope.into(),
        reason: "401: the token is refused. Renew it.".into(),
        since: on.clock.now(),
        probe_at: on.later(60),
        probes,
        refuses: true,
    };
    let [bob, target, again] = [hold("source bob", 0), hold("target", 0), hold("source bob", 3)];
    on.store.hold(&bob).await.unwrap();
    on.store.hold(&target).await.unwrap();
    on.store.hold(&again).await.unwrap();
    on.reopen().await;
    let mut holds = on.store.holds().await.unwrap();
    holds.sort_by(|a, b| a.scope.cmp(&b.scope));
    assert_eq!(holds, [again, target.clone()]);
    assert!(on.store.release("source bob").await.unwrap());
    assert!(!on.store.release("source bob").await.unwrap());
    assert_eq!(on.store.holds().await.unwrap(), [target]);
}

pub async fn the_epoch_stays(mut on: Fixture) {
    let epoch = on.store.epoch().await.unwrap();
    assert!(!epoch.is_empty());
    on.accept("7", Lane::Live).await;
    assert_eq!(on.store.epoch().await.unwrap(), epoch);
    on.reopen().await;
    assert_eq!(on.store.epoch().await.unwrap(), epoch);
}

pub async fn a_healthy_store_passes_its_check(on: Fixture) {
    on.store.check().await.unwrap();
    on.store.check().await.unwrap();
    assert_eq!(on.store.depth().await.unwrap(), Depth::default(), "and it leaves nothing");
}

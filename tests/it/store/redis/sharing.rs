//! Several processes on one Redis, each with a clock of its own.

use std::time::Duration;

use instep::clock::Clock;
use instep::model::{Delivery, DeliveryState, Fate, Lane};
use instep::store::redis::RedisStore;
use instep::store::{Grant, Rate, Store};
use jiff::{SignedDuration, Timestamp};

use super::connect;
use crate::harness::redis::{namespace, shared};
use crate::store::suite::{arrival, bob, ended, lease};

/// The machine's clock, wrong by this much.
#[expect(clippy::disallowed_methods, reason = "a clock is made here")]
fn wrong_by(hours: i64) -> Clock {
    let start = Timestamp::now() + SignedDuration::from_hours(hours);
    Clock::Steady { start, since: std::time::Instant::now() }
}

/// Two processes whose clocks are two hours apart.
async fn two() -> [(RedisStore, Clock); 2] {
    let name = namespace();
    let open = async |clock: Clock| (connect(&shared().url(), &name, &clock), clock);
    [open(wrong_by(1)).await, open(wrong_by(-1)).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_need_not_agree() {
    let [(ahead, fast), (behind, slow)] = two().await;
    let first = arrival(&fast, "7", Fate::Deliver(Lane::Live));
    ahead.accept(first).await.unwrap();
    let mut leases = lease(&behind, 10).await;
    assert_eq!(leases.len(), 1, "due at once, whoever took it in");
    assert!(lease(&ahead, 10).await.is_empty());

    // Again in a minute: by either clock.
    let held = leases.remove(0);
    let again = slow.now() + Duration::from_mins(1);
    let deliveries = ended(&held, DeliveryState::Waiting, again);
    behind.settle(held, deliveries, None).await.unwrap();
    assert!(lease(&ahead, 10).await.is_empty());
    assert!(lease(&behind, 10).await.is_empty());
    for (store, clock) in [(&ahead, &fast), (&behind, &slow)] {
        let next = store.due(&bob(), 10).await.unwrap().next.expect("a time");
        let wait = next.duration_since(clock.now());
        assert!(
            wait > SignedDuration::from_secs(1) && wait <= SignedDuration::from_mins(1),
            "{wait:?}"
        );
    }
    assert_eq!(ahead.depth().await.unwrap().leased, 0);

    // Given back as it is: due at once.
    let second = arrival(&slow, "8", Fate::Deliver(Lane::Bulk));
    behind.accept(second).await.unwrap();
    let held = lease(&ahead, 10).await.remove(0);
    assert_eq!(behind.depth().await.unwrap().leased, 1);
    let as_it_is: Vec<Delivery> = held.deliveries.clone();
    ahead.settle(held, as_it_is, None).await.unwrap();
    assert_eq!(lease(&behind, 10).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_are_shared() {
    let stores = two().await;
    let rate = Rate { calls: 50, per: Duration::from_hours(1), burst: 10 };
    let mut granted = 0;
    for _ in 0..6 {
        for (store, _) in &stores {
            if let Grant::Calls(calls) = store.grant("searches", rate, 1).await.unwrap() {
                granted += calls;
            }
        }
    }
    assert_eq!(granted, 10);
    let [(first, _), (second, _)] = &stores;
    first.pause("writes", Duration::from_hours(1)).await.unwrap();
    match second.grant("writes", rate, 5).await.unwrap() {
        Grant::Wait(time) => {
            assert!(time > Duration::from_mins(59) && time <= Duration::from_hours(1));
        }
        Grant::Calls(calls) => panic!("{calls} calls in a pause"),
    }
}

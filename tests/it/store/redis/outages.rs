//! Redis restarted, emptied, paused, its connections cut: the store goes on by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use instep::clock::Deadline;
use instep::model::{DeliveryState, Fate, Lane};
use instep::store::{Accepted, Hold, Retention, Store, StoreError};
use redis::cmd;

use super::{DURABLE, insist, own};
use crate::store::suite::{arrival, ended, ids, lease, link_to, person, repeat_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_everything() {
    let (server, on) = own(DURABLE);
    let done = on.accept_and_settle("8", DeliveryState::Done).await;
    let first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    on.store.accept(first.clone()).await.unwrap();
    let lease = on.lease_one().await;
    on.store.save_link(&lease, &link_to("a")).await.unwrap();
    let hold = Hold {
        scope: "target".into(),
        reason: "it is down".into(),
        since: on.clock.now(),
        probe_at: on.later(60),
        probes: 1,
        refuses: false,
    };
    on.store.hold(&hold).await.unwrap();
    on.store.pause("searches", Duration::from_mins(1)).await.unwrap();
    let epoch = on.store.epoch().await.unwrap();
    let before = on.delivery(&first.delivery).await;

    server.restart();
    // Even the first call: the old connection is gone, a new one is made.
    let repeat = on.store.accept(repeat_of(&first, &on.clock)).await.unwrap();
    assert_eq!(repeat, Accepted::Repeat(first.delivery.clone()));
    assert_eq!(on.delivery(&first.delivery).await, before);
    assert_eq!(on.state(&done).await, DeliveryState::Done);
    assert_eq!(on.store.holds().await.unwrap(), [hold]);
    assert_eq!(on.store.epoch().await.unwrap(), epoch);
    assert_eq!(on.store.link(&person("7")).await.unwrap(), Some(link_to("a")));
    assert!(on.lease(10).await.is_empty(), "the lease goes on");
    on.settle(lease, DeliveryState::Done).await;
    assert_eq!(on.store.depth().await.unwrap().done, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_redis_is_a_new_store() {
    let (server, on) = own("");
    let first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    on.store.accept(first.clone()).await.unwrap();
    let lease = on.lease_one().await;
    let epoch = on.store.epoch().await.unwrap();
    server.flush();

    let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    let settled = on.store.settle(lease, deliveries, Some(link_to("a"))).await;
    assert!(matches!(settled, Err(StoreError::LeaseLost)), "{settled:?}");
    assert_ne!(on.store.epoch().await.unwrap(), epoch);
    let again = repeat_of(&first, &on.clock);
    let accepted = on.store.accept(again.clone()).await.unwrap();
    assert_eq!(accepted, Accepted::New(again.delivery.clone()));
    assert_eq!(ids(&on.lease_one().await), [again.delivery]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_told_again() {
    let (server, on) = own("");
    for n in 0..3 {
        on.accept_and_settle(&n.to_string(), DeliveryState::Done).await;
        server.ask::<()>(cmd("SCRIPT").arg("FLUSH"));
    }
    assert_eq!(on.store.depth().await.unwrap().done, 3);
}

/// Nothing is lost or doubled, and as the clock stands still no lease can run out: what was leased
/// by a call whose answer was lost comes back at once and without a kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cut_connections_under_load_lose_nothing() {
    const EVENTS: usize = 400;
    let (server, on) = own(DURABLE);
    let settled = Arc::new(AtomicUsize::new(0));
    let limit = Deadline::after(Duration::from_mins(1));
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..4 {
        let (store, clock, settled) = (on.store.clone(), on.clock.clone(), settled.clone());
        tasks.spawn(async move {
            for n in 0..EVENTS / 4 {
                let arrival =
                    arrival(&clock, &format!("{worker} {}", n % 20), Fate::Deliver(Lane::Live));
                let accepted = insist(|| store.accept(arrival.clone())).await;
                assert_eq!(accepted, Accepted::New(arrival.delivery), "never taken for a repeat");
            }
        });
        let (store, clock) = (on.store.clone(), on.clock.clone());
        tasks.spawn(async move {
            while settled.load(Ordering::SeqCst) < EVENTS {
                assert!(!limit.left().is_zero(), "what was leased for nobody does not come back");
                for lease in insist(|| try_to_lease(&store)).await {
                    assert!(lease.deliveries.iter().all(|delivery| delivery.kills == 0));
                    let deliveries = ended(&lease, DeliveryState::Done, clock.now());
                    let count = deliveries.len();
                    match store.settle(lease, deliveries, None).await {
                        // Written by a first try whose answer was lost.
                        Ok(()) | Err(StoreError::LeaseLost) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    settled.fetch_add(count, Ordering::SeqCst);
                }
            }
        });
    }
    let cutting = settled.clone();
    let cut = tokio::task::spawn_blocking(move || {
        let mut cuts = 0;
        while cutting.load(Ordering::SeqCst) < EVENTS && !limit.left().is_zero() {
            server.kill_connections();
            cuts += 1;
            std::thread::park_timeout(Duration::from_millis(20));
        }
        (server, cuts)
    });
    while let Some(task) = tasks.join_next().await {
        task.expect("no task fails");
    }
    let (_server, cuts) = cut.await.unwrap();
    assert!(cuts > 0);
    let depth = on.store.depth().await.unwrap();
    assert_eq!((depth.done, depth.waiting, depth.leased), (EVENTS as u64, 0, 0));
}

async fn try_to_lease(store: &Arc<dyn Store>) -> Result<Vec<instep::store::Lease>, StoreError> {
    let source = crate::store::suite::bob();
    let lasting = crate::store::suite::LASTING;
    store
        .lease(instep::store::LeaseRequest { source: &source, persons: 5, lasting, without: None })
        .await
}

/// The store makes a call again when the connection broke before the answer came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_again_is_no_repeat() {
    let (_server, on) = own("");
    let first = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    let ignored = arrival(&on.clock, "7", Fate::Ignore("a ping".into()));
    for arrival in [&first, &ignored, &first] {
        let accepted = on.store.accept(arrival.clone()).await.unwrap();
        assert_eq!(accepted, Accepted::New(arrival.delivery.clone()));
    }
    let lease = on.lease_one().await;
    assert_eq!(ids(&lease), std::slice::from_ref(&first.delivery));
    on.settle(lease, DeliveryState::Dead).await;
    let second = repeat_of(&first, &on.clock);
    for _ in 0..2 {
        let accepted = on.store.accept(second.clone()).await.unwrap();
        assert_eq!(accepted, Accepted::New(second.delivery.clone()));
    }
    let kept = on.store.event(&first.event.id).await.unwrap().unwrap();
    assert_eq!((kept.delivery, kept.repeats), (second.delivery, 1));
}

/// A worker that stops waiting leaves nobody leased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_call_that_is_given_up_is_given_back() {
    let (server, on) = own("");
    assert!(on.lease(10).await.is_empty(), "now Redis knows the script");
    on.accept("7", Lane::Live).await;
    let mut block = cmd("CLIENT");
    server.ask::<()>(block.arg("PAUSE").arg(60_000).arg("WRITE"));
    let given_up = tokio::time::timeout(Duration::from_millis(100), try_to_lease(&on.store)).await;
    assert!(given_up.is_err());
    server.ask::<()>(cmd("CLIENT").arg("UNPAUSE"));
    // Redis has done what it was asked to, for nobody; the next call is for somebody.
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries[0].kills, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_does_not_answer_costs_a_limited_time() {
    let (server, on) = own("");
    on.accept("7", Lane::Live).await;
    server.pause();
    let limit = Deadline::after(Duration::from_secs(15));
    let accepted = on.store.accept(arrival(&on.clock, "8", Fate::Deliver(Lane::Live))).await;
    assert!(matches!(accepted, Err(StoreError::Unavailable { .. })), "{accepted:?}");
    assert!(!limit.left().is_zero());
    server.resume();
    assert!(!insist(|| try_to_lease(&on.store)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settle_outlives_a_short_outage() {
    let (server, on) = own(DURABLE);
    let id = on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    server.stop();
    let accepted = on.store.accept(arrival(&on.clock, "8", Fate::Deliver(Lane::Live))).await;
    assert!(matches!(accepted, Err(StoreError::Unavailable { .. })), "{accepted:?}");
    let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    let store = on.store.clone();
    let settling = tokio::spawn(async move { store.settle(lease, deliveries, None).await });
    server.start();
    settling.await.unwrap().unwrap();
    assert_eq!(on.state(&id).await, DeliveryState::Done);
}

/// Whatever was, after it is settled and trimmed nothing of it is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_grows_without_bound() {
    const EVENTS: usize = 10_000;
    let (server, on) = own("");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..EVENTS {
        let lane = if n % 3 == 0 { Lane::Bulk } else { Lane::Live };
        let arrival = arrival(&on.clock, &(n % 2000).to_string(), Fate::Deliver(lane));
        let store = on.store.clone();
        tasks.spawn(async move {
            store.accept(repeat_of(&arrival, &instep::clock::Clock::system())).await.unwrap();
            store.accept(arrival).await.unwrap();
        });
        if tasks.len() >= 64 {
            tasks.join_next().await;
        }
    }
    tasks.join_all().await;
    loop {
        let leases = lease(&*on.store, 100).await;
        if leases.is_empty() {
            break;
        }
        for lease in leases {
            on.settle(lease, DeliveryState::Done).await;
        }
    }
    let depth = on.store.depth().await.unwrap();
    assert_eq!((depth.done, depth.waiting), (EVENTS as u64, 0));
    on.pass(1);
    // Received by the wall clock above: all of it is before the year 2100.
    let all = "2100-01-01T00:00:00Z".parse().unwrap();
    while on
        .store
        .trim(Retention { events: all, deliveries: all, runs: all, audit: all })
        .await
        .unwrap()
        > 0
    {}
    let left: BTreeSet<String> = server.ask(cmd("KEYS").arg("*"));
    assert_eq!(left, BTreeSet::from(["{own}:sources".to_owned()]));
}

/// Each delivery costs a fixed number of commands, however many wait with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_persons_storm_is_not_quadratic() {
    const EVENTS: usize = 10_000;
    let (server, on) = own("");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..EVENTS {
        let arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
        let store = on.store.clone();
        tasks.spawn(async move { store.accept(arrival).await.unwrap() });
        if tasks.len() >= 64 {
            tasks.join_next().await;
        }
    }
    tasks.join_all().await;
    server.ask::<()>(cmd("CONFIG").arg("RESETSTAT"));
    for _ in 0..EVENTS / 1000 {
        let lease = on.lease_one().await;
        assert_eq!(lease.deliveries.len(), 1000);
        on.settle(lease, DeliveryState::Done).await;
    }
    let info: String = server.ask(cmd("INFO").arg("commandstats"));
    let calls: u64 = info
        .lines()
        .filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok())
        .sum();
    assert!(calls < EVENTS as u64 * 8, "{calls} commands");
}

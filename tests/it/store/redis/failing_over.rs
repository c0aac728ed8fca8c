//! Another server takes over: by Sentinel, or by moving the slot inside a Cluster.

use std::time::Duration;

use instep::model::{DeliveryState, Fate, Lane};
use instep::store::{Accepted, Store};

use super::{connect, insist};
use crate::harness::redis::{Cluster, Sentinel, namespace, wait_for};
use crate::store::suite::{Fixture, arrival, ids, lease, repeat_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_master_is_found() {
    let start = || Sentinel::start(Duration::from_secs(2));
    let group = tokio::task::spawn_blocking(start).await.unwrap();
    let clock = Fixture::clock();
    let store = connect(&group.url(), "own", &clock);
    let take_in = async |employee: &str| {
        let arrival = arrival(&clock, employee, Fate::Deliver(Lane::Live));
        let accepted = insist(|| store.accept(arrival.clone())).await;
        assert_eq!(accepted, Accepted::New(arrival.delivery.clone()));
        arrival
    };
    let first = take_in("7").await;
    wait_for("the copy", || group.is_copied());

    // Told to: the old master answers on, as a replica. What it takes in before it knows is lost:
    // Redis copies after it answered.
    group.fail_over();
    wait_for("the other master", || Sentinel::is_following(&group.master));
    let second = take_in("8").await;
    for known in [&first, &second] {
        let repeat = insist(|| store.accept(repeat_of(known, &clock))).await;
        assert_eq!(repeat, Accepted::Repeat(known.delivery.clone()));
    }
    wait_for("the copy", || group.is_copied());

    // By a crash.
    group.replica.stop();
    let third = take_in("9").await;
    let mut leased: Vec<_> = lease(&store, 10).await.iter().flat_map(ids).collect();
    leased.sort();
    assert_eq!(leased, [first.delivery, second.delivery, third.delivery]);
    assert_eq!(group.master_port(), group.master.port());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_is_followed() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let (namespace, clock) = (namespace(), Fixture::clock());
    let store = connect(&cluster.url(), &namespace, &clock);
    let before = arrival(&clock, "7", Fate::Deliver(Lane::Live));
    store.accept(before.clone()).await.unwrap();

    let key = format!("{{{namespace}}}:events");
    let from = cluster.owner(&key).port();
    let to = cluster.nodes.iter().find(|node| node.port() != from).unwrap().port();
    cluster.move_slot_of(&key, to);
    assert_eq!(cluster.owner(&key).port(), to);

    let repeat = insist(|| store.accept(repeat_of(&before, &clock))).await;
    assert_eq!(repeat, Accepted::Repeat(before.delivery.clone()));
    let leases = lease(&store, 10).await;
    let held: Vec<_> = leases.iter().flat_map(ids).collect();
    assert_eq!(held, std::slice::from_ref(&before.delivery));
    for lease in leases {
        let deliveries = crate::store::suite::ended(&lease, DeliveryState::Done, clock.now());
        store.settle(lease, deliveries, None).await.unwrap();
    }
}

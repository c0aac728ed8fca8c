//! Leases that are lost, run out or are given back.

use instep::model::{DeliveryState, Lane};
use instep::store::StoreError;

use super::{Fixture, LASTING, ended, ids, link_to, person};

pub async fn a_lease_that_ran_out_is_taken_back_and_counts_a_kill(on: Fixture) {
    let held = [on.accept("7", Lane::Live).await, on.accept("7", Lane::Bulk).await];
    let lost = on.lease_one().await;
    let during = on.accept("7", Lane::Live).await;
    on.clock.advance(LASTING);
    let lease = on.lease_one().await;
    assert_ne!(lease.token, lost.token);
    assert_eq!(ids(&lease), [held[0].clone(), held[1].clone(), during]);
    let kills: Vec<_> = lease.deliveries.iter().map(|delivery| delivery.kills).collect();
    assert_eq!(kills, [1, 1, 0], "what arrived later was not held");
    assert!(lease.deliveries.iter().all(|delivery| delivery.attempts == 0));
}

pub async fn kills_survive_and_end_when_it_is_settled(mut on: Fixture) {
    let id = on.accept("7", Lane::Live).await;
    for kills in 0..3 {
        let lease = on.lease_one().await;
        assert_eq!(lease.deliveries[0].kills, kills);
        on.clock.advance(LASTING);
        on.reopen().await;
    }
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries[0].kills, 3);
    on.settle(lease, DeliveryState::Waiting).await;
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries[0].kills, 3, "it still waits");
    on.settle(lease, DeliveryState::Dead).await;
    assert_eq!(on.delivery(&id).await.kills, 0);
}

pub async fn a_lease_given_back_costs_nothing(on: Fixture) {
    let id = on.accept("7", Lane::Live).await;
    let before = on.delivery(&id).await;
    let lease = on.lease_one().await;
    let deliveries = lease.deliveries.clone();
    on.store.settle(lease, deliveries, None).await.unwrap();
    assert_eq!(on.delivery(&id).await, before);
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries, [before]);
}

pub async fn a_lost_lease_changes_nothing(on: Fixture) {
    let id = on.accept("7", Lane::Live).await;
    let lost = on.lease_one().await;
    on.clock.advance(LASTING);
    let held = on.lease_one().await;

    let saved = on.store.save_link(&lost, &link_to("a")).await;
    assert!(matches!(saved, Err(StoreError::LeaseLost)), "{saved:?}");
    let deliveries = ended(&lost, DeliveryState::Dead, on.clock.now());
    let settled = on.store.settle(lost, deliveries, Some(link_to("a"))).await;
    assert!(matches!(settled, Err(StoreError::LeaseLost)), "{settled:?}");

    assert_eq!(on.store.link(&person("7")).await.unwrap(), None);
    assert_eq!(on.state(&id).await, DeliveryState::Waiting);
    assert!(on.lease(10).await.is_empty(), "the later lease goes on");
    on.settle(held, DeliveryState::Done).await;
    assert_eq!(on.state(&id).await, DeliveryState::Done);
}

/// Work that was done is not thrown away because it was slow.
pub async fn a_late_settle_counts_while_nobody_took_over(on: Fixture) {
    let id = on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    on.pass(LASTING.as_secs() + 5);
    on.store.save_link(&lease, &link_to("a")).await.unwrap();
    on.settle(lease, DeliveryState::Done).await;
    let delivery = on.delivery(&id).await;
    assert_eq!((delivery.state, delivery.kills), (DeliveryState::Done, 0));
    assert!(on.lease(10).await.is_empty());
}

pub async fn a_lease_covers_its_time_and_not_more(on: Fixture) {
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    assert!(lease.deadline.left() <= LASTING);
    on.pass(LASTING.as_secs() - 1);
    assert!(on.lease(10).await.is_empty());
    on.pass(1);
    on.lease_one().await;
}

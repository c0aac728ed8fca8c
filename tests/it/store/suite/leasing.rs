//! Who is leased, with what, and in which order.

use std::time::Duration;

use instep::model::{DeliveryState, Fate, Lane, SourceName};
use instep::store::{Due, Lease, LeaseRequest};

use super::{Fixture, LASTING, arrival, bob, employees, ids, person};

pub async fn a_lease_takes_all_due_deliveries_oldest_first(on: Fixture) {
    let first = on.accept("7", Lane::Live).await;
    on.pass(1);
    let second = on.accept("7", Lane::Live).await;
    let third = on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    assert_eq!(lease.person, person("7"));
    assert_eq!(ids(&lease), [first.clone(), second, third]);
    assert_eq!(lease.link, None);
    assert_eq!(lease.deliveries[0], on.delivery(&first).await);
}

pub async fn nobody_is_leased_twice(on: Fixture) {
    on.accept("7", Lane::Live).await;
    on.accept("8", Lane::Bulk).await;
    let other = (on.open_again)().await;
    let leases = on.lease(10).await;
    assert_eq!(leases.len(), 2);
    on.accept("7", Lane::Live).await;
    on.accept("8", Lane::Live).await;
    assert!(on.lease(10).await.is_empty());
    assert!(super::lease(&*other, 10).await.is_empty());
    assert_ne!(leases[0].token, leases[1].token);
}

pub async fn only_persons_of_the_source_are_leased(on: Fixture) {
    let mut arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    let ann = SourceName::new("ann");
    arrival.event.source = ann.clone();
    on.store.accept(arrival).await.unwrap();
    assert!(on.lease(10).await.is_empty());
    on.accept("7", Lane::Live).await;
    assert_eq!(on.lease_one().await.person, person("7"));
    let request = LeaseRequest { source: &ann, persons: 10, lasting: LASTING, without: None };
    let leases = on.store.lease(request).await.unwrap();
    assert_eq!(leases.len(), 1, "the same id in another source is another person");
    assert_eq!(leases[0].person.source, ann);
}

pub async fn nobody_is_picked_for_a_lane_that_is_left_out(on: Fixture) {
    on.accept("live", Lane::Live).await;
    on.pass(1);
    on.accept("both", Lane::Bulk).await;
    on.accept("both", Lane::Live).await;
    on.pass(1);
    on.accept("bulk", Lane::Bulk).await;
    let (source, lasting) = (bob(), LASTING);
    let without =
        |lane| LeaseRequest { source: &source, persons: 10, lasting, without: Some(lane) };
    let leases = on.store.lease(without(Lane::Bulk)).await.unwrap();
    assert_eq!(employees(&leases), ["live", "both"]);
    assert_eq!(leases[1].deliveries.len(), 2, "whoever is leased brings everything along");
    for lease in leases {
        let as_they_were = lease.deliveries.clone();
        on.store.settle(lease, as_they_were, None).await.unwrap();
    }
    let leases = on.store.lease(without(Lane::Live)).await.unwrap();
    assert_eq!(employees(&leases), ["both", "bulk"]);
    // What ran out is taken back all the same.
    on.pass(LASTING.as_secs() + 1);
    let leases = on.store.lease(without(Lane::Bulk)).await.unwrap();
    assert_eq!(employees(&leases), ["live", "both"]);
    assert_eq!(leases[1].deliveries[0].kills, 1);
}

pub async fn those_due_first_are_leased_first(on: Fixture) {
    for employee in ["30", "10", "20", "40"] {
        on.accept(employee, Lane::Live).await;
        on.pass(1);
    }
    on.accept("30", Lane::Live).await;
    assert!(on.lease(0).await.is_empty());
    let mut leased = on.lease(2).await;
    leased.extend(on.lease(1).await);
    assert_eq!(employees(&leased), ["30", "10", "20"]);
    assert_eq!(leased[0].deliveries.len(), 2);
    assert_eq!(employees(&on.lease(10).await), ["40"]);
}

pub async fn nothing_is_leased_before_it_is_due(on: Fixture) {
    for lane in [Lane::Live, Lane::Bulk] {
        let id = on.accept_and_settle("7", DeliveryState::Done).await;
        let at = on.later(30);
        on.store.replay(&[id], lane, at).await.unwrap();
        on.pass(29);
        assert!(on.lease(10).await.is_empty());
        let due = on.accept("7", lane).await;
        let lease = on.lease_one().await;
        assert_eq!(ids(&lease), [due], "what is not due is not part of the lease");
        on.pass(1);
        assert!(on.lease(10).await.is_empty());
        on.settle(lease, DeliveryState::Done).await;
        let lease = on.lease_one().await;
        assert_eq!(lease.deliveries.len(), 1);
        on.settle(lease, DeliveryState::Done).await;
    }
}

async fn fill(on: &Fixture, live: usize, bulk: usize) {
    for n in 0..bulk {
        on.accept(&format!("bulk {n}"), Lane::Bulk).await;
    }
    on.pass(1);
    for n in 0..live {
        on.accept(&format!("live {n}"), Lane::Live).await;
    }
}

fn lanes(leases: &[Lease]) -> (usize, usize) {
    let live = leases.iter().filter(|lease| lease.deliveries[0].lane == Lane::Live).count();
    (live, leases.len() - live)
}

pub async fn live_goes_before_bulk(on: Fixture) {
    fill(&on, 60, 45).await;
    assert_eq!(lanes(&on.lease(20).await), (18, 2), "bulk has a tenth");
    assert_eq!(lanes(&on.lease(10).await), (9, 1));
    assert_eq!(lanes(&on.lease(2).await), (1, 1), "bulk has one at least");
    assert_eq!(lanes(&on.lease(19).await), (18, 1), "and not more");
}

/// A retry can stand in another lane than the event did.
pub async fn the_lane_of_a_retry_counts(on: Fixture) {
    fill(&on, 5, 0).await;
    for lease in on.lease(5).await {
        let mut deliveries = lease.deliveries.clone();
        deliveries[0].lane = Lane::Bulk;
        on.store.settle(lease, deliveries, None).await.unwrap();
    }
    on.pass(1);
    for n in 0..20 {
        on.accept(&format!("further {n}"), Lane::Live).await;
    }
    assert_eq!(lanes(&on.lease(10).await), (9, 1));
}

pub async fn bulk_fills_what_live_leaves(on: Fixture) {
    fill(&on, 3, 30).await;
    assert_eq!(lanes(&on.lease(20).await), (3, 17));
    assert_eq!(lanes(&on.lease(20).await), (0, 13));
}

pub async fn live_fills_what_bulk_leaves(on: Fixture) {
    fill(&on, 30, 1).await;
    assert_eq!(lanes(&on.lease(20).await), (19, 1));
    assert_eq!(lanes(&on.lease(20).await), (11, 0));
}

/// Were the one person always of bulk, live work would wait for the end of the run; were it always
/// of live, bulk work would starve.
pub async fn requests_for_one_person_serve_both_lanes(on: Fixture) {
    fill(&on, 30, 30).await;
    let mut leases = Vec::new();
    for _ in 0..20 {
        leases.extend(on.lease(1).await);
    }
    assert_eq!(leases.len(), 20);
    let (live, bulk) = lanes(&leases);
    assert!(live >= 15 && bulk >= 1, "{live} live and {bulk} bulk");
}

pub async fn both_lanes_of_a_person_are_leased_together(on: Fixture) {
    let bulk = on.accept("7", Lane::Bulk).await;
    let live = on.accept("7", Lane::Live).await;
    on.accept("8", Lane::Bulk).await;
    let leases = on.lease(10).await;
    assert_eq!(leases.len(), 2);
    let of_7 = leases.iter().find(|lease| lease.person == person("7")).expect("7");
    assert_eq!(ids(of_7), [bulk, live]);
}

pub async fn an_arrival_during_a_lease_is_leased_after_it(on: Fixture) {
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    let during = [on.accept("7", Lane::Live).await, on.accept("7", Lane::Bulk).await];
    assert_eq!(on.store.due(&bob(), 10).await.unwrap().persons, 0);
    on.settle(lease, DeliveryState::Done).await;
    assert_eq!(on.store.due(&bob(), 10).await.unwrap().persons, 1);
    assert_eq!(ids(&on.lease_one().await), during);
}

/// Also: one person's storm costs as many leases as it must, and no more.
pub async fn more_than_the_most_comes_with_further_leases(on: Fixture) {
    let most = Lease::MOST;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..most * 2 + 10 {
        let lane = if n % 3 == 0 { Lane::Bulk } else { Lane::Live };
        let (store, arrival) = (on.store.clone(), arrival(&on.clock, "7", Fate::Deliver(lane)));
        tasks.spawn(async move { store.accept(arrival).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    let mut seen = std::collections::HashSet::new();
    for expected in [most, most, 10] {
        let lease = on.lease_one().await;
        assert_eq!(lease.deliveries.len(), expected);
        assert!(lease.deliveries.is_sorted_by(|a, b| a.id < b.id));
        assert!(ids(&lease).into_iter().all(|id| seen.insert(id)), "none comes twice");
        on.settle(lease, DeliveryState::Done).await;
    }
    assert!(on.lease(10).await.is_empty());
    assert_eq!(on.store.depth().await.unwrap().waiting, 0);
}

pub async fn due_counts_persons_and_names_the_next(on: Fixture) {
    let due = async |most| on.store.due(&bob(), most).await.unwrap();
    assert_eq!(due(10).await, Due::default());
    for employee in ["7", "7", "8", "9"] {
        on.accept(employee, Lane::Live).await;
        on.accept(employee, Lane::Bulk).await;
    }
    assert_eq!(due(10).await.persons, 3);
    assert_eq!(due(10).await.live, 3);
    assert_eq!(due(2).await.persons, 2, "not counted further than asked");
    assert_eq!(on.store.due(&SourceName::new("ann"), 10).await.unwrap(), Due::default());

    let leases = on.lease(10).await;
    assert_eq!(due(10).await.persons, 0);
    let soonest = on.later(40);
    for (n, lease) in leases.into_iter().enumerate() {
        let again = soonest + Duration::from_secs(n as u64);
        let deliveries = super::ended(&lease, DeliveryState::Waiting, again);
        on.store.settle(lease, deliveries, None).await.unwrap();
    }
    assert_eq!(due(10).await, Due { persons: 0, live: 0, next: Some(soonest) });
    on.pass(41);
    assert_eq!(due(10).await.persons, 2);

    assert_eq!(on.lease(10).await.len(), 2);
    on.pass(LASTING.as_secs());
    assert_eq!(due(10).await.persons, 3, "those whose lease ran out are due");
}

//! Taking many events in at once: each as if it came alone.

use std::collections::BTreeSet;

use instep::model::{Arrival, DeliveryState, Fate, Lane, SourceName};
use instep::store::{Accepted, LeaseRequest};

use super::{Fixture, LASTING, arrival, bob, ids, repeat_of};

fn of_run(on: &Fixture, employee: &str) -> Arrival {
    arrival(&on.clock, employee, Fate::Deliver(Lane::Bulk))
}

fn new(arrival: &Arrival) -> Accepted {
    Accepted::New(arrival.delivery.clone())
}

pub async fn each_is_taken_in_as_if_it_came_alone(on: Fixture) {
    let known = arrival(&on.clock, "1", Fate::Deliver(Lane::Live));
    on.store.accept(known.clone()).await.unwrap();
    let held = on.lease_one().await;
    let dead = arrival(&on.clock, "2", Fate::Deliver(Lane::Live));
    on.store.accept(dead.clone()).await.unwrap();
    let lease = on.lease_one().await;
    on.settle(lease, DeliveryState::Dead).await;

    let bulk = of_run(&on, "3");
    let live = arrival(&on.clock, "3", Fate::Deliver(Lane::Live));
    let ignored = arrival(&on.clock, "4", Fate::Ignore("a ping".into()));
    let mut nobody = of_run(&on, "");
    nobody.event.employee = None;
    let mut from_ann = of_run(&on, "3");
    from_ann.event.source = SourceName::new("ann");
    let of_the_held = of_run(&on, "1");
    let [known_again, dead_again] = [&known, &dead].map(|first| repeat_of(first, &on.clock));
    let bulk_again = repeat_of(&bulk, &on.clock);
    let all = vec![
        bulk.clone(),
        known_again,
        from_ann.clone(),
        ignored.clone(),
        bulk_again,
        dead_again.clone(),
        live.clone(),
        nobody.clone(),
        of_the_held.clone(),
    ];
    let accepted = on.store.accept_all(all).await.unwrap();
    let expected = [
        new(&bulk),
        Accepted::Repeat(known.delivery.clone()),
        new(&from_ann),
        new(&ignored),
        Accepted::Repeat(bulk.delivery.clone()),
        new(&dead_again),
        new(&live),
        new(&nobody),
        new(&of_the_held),
    ];
    assert_eq!(accepted, expected);
    for (of, repeats) in [(&known, 1), (&bulk, 1), (&dead, 1), (&live, 0)] {
        let kept = on.store.event(&of.event.id).await.unwrap().expect("it is there");
        assert_eq!((&kept.event.raw, kept.repeats), (&of.event.raw, repeats));
    }
    assert_eq!(on.state(&ignored.delivery).await, DeliveryState::Ignored);
    assert_eq!(on.state(&nobody.delivery).await, DeliveryState::Ignored);

    let found: BTreeSet<_> = on.lease(10).await.iter().flat_map(ids).collect();
    let due = [&dead_again, &bulk, &live].map(|arrival| arrival.delivery.clone());
    assert_eq!(found, due.into(), "nobody is leased twice");
    on.settle(held, DeliveryState::Done).await;
    assert_eq!(ids(&on.lease_one().await), [of_the_held.delivery]);
    let ann = SourceName::new("ann");
    let request = LeaseRequest { source: &ann, persons: 10, lasting: LASTING, without: None };
    let leases = on.store.lease(request).await.unwrap();
    assert_eq!(leases.iter().flat_map(ids).collect::<Vec<_>>(), [from_ann.delivery]);
    assert_eq!(on.store.accept_all(Vec::new()).await.unwrap(), []);
}

pub async fn many_are_taken_in_and_survive(mut on: Fixture) {
    const MANY: usize = 1_000;
    let mut all: Vec<_> = (0..MANY).map(|n| of_run(&on, &n.to_string())).collect();
    // One of them fills a call alone.
    all[500].event.raw = vec![b'x'; 1_000_000].into();
    let accepted = on.store.accept_all(all.clone()).await.unwrap();
    assert_eq!(accepted, all.iter().map(new).collect::<Vec<_>>(), "in their order");
    on.reopen().await;
    let kept = on.store.event(&all[500].event.id).await.unwrap().expect("it is there");
    assert_eq!(kept.event, all[500].event);
    assert_eq!(on.store.due(&bob(), 2 * MANY).await.unwrap().persons, MANY);
    assert_eq!(on.store.depth().await.unwrap().waiting, MANY as u64);
    let found: BTreeSet<_> = on.lease(MANY).await.iter().flat_map(ids).collect();
    assert_eq!(found, all.into_iter().map(|arrival| arrival.delivery).collect());
}

/// As after a failure, when nobody knows which of them were taken in.
pub async fn handed_in_again_they_do_no_harm(on: Fixture) {
    let all: Vec<_> = (0..300).map(|n| of_run(&on, &(n % 100).to_string())).collect();
    let expected: Vec<_> = all.iter().map(new).collect();
    for part in [&all[..40], &all, &all[250..], &all] {
        let accepted = on.store.accept_all(part.to_vec()).await.unwrap();
        assert!(accepted.iter().all(|one| expected.contains(one)));
        assert_eq!(accepted.len(), part.len());
    }
    assert_eq!(on.store.accept(all[7].clone()).await.unwrap(), expected[7]);
    assert_eq!(on.store.depth().await.unwrap().waiting, 300);
    for lease in on.lease(100).await {
        let n: usize = lease.person.employee.as_str().parse().unwrap();
        let end = if n.is_multiple_of(2) { DeliveryState::Done } else { DeliveryState::Dead };
        on.settle(lease, end).await;
    }
    let before = on.store.depth().await.unwrap();
    assert_eq!((before.done, before.dead), (150, 150));
    assert_eq!(on.store.accept_all(all.clone()).await.unwrap(), expected);
    assert_eq!(on.store.depth().await.unwrap(), before, "what was settled stays settled");
    for arrival in &all {
        let kept = on.store.event(&arrival.event.id).await.unwrap().unwrap();
        assert_eq!((&kept.delivery, kept.repeats), (&arrival.delivery, 0));
    }
}

/// A webhook does not wait until a whole run is queued.
pub async fn others_are_served_in_between(on: Fixture) {
    const MANY: u64 = 5_000;
    let all: Vec<_> = (0..MANY).map(|n| of_run(&on, &n.to_string())).collect();
    let store = on.store.clone();
    let many = tokio::spawn(async move { store.accept_all(all).await.unwrap() });
    let (mut served, mut between) = (0, 0);
    while !many.is_finished() {
        on.accept("webhook", Lane::Live).await;
        served += 1;
        let queued = on.store.depth().await.unwrap().waiting - served;
        between += u64::from((1..MANY).contains(&queued));
    }
    many.await.unwrap();
    assert_eq!(on.store.depth().await.unwrap().waiting, MANY + served);
    assert!(between > 0, "{served} were served, but none when a part was queued");
}

//! Ending leases: what is written, together or not at all.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use instep::model::{
    AccountId, AccountStatus, Attempt, DeliveryState, Fate, Field, GroupId, Intent, Kept, Lane,
    Link,
};
use instep::store::StoreError;

use super::{Fixture, LASTING, arrival, ended, ids, link_to, person};

fn attempt(on: &Fixture) -> Attempt {
    Attempt {
        rules: "1f0e".into(),
        at: on.clock.now(),
        took_ms: 321,
        read: vec!["work.site".into()],
        decided: "update job".into(),
        done: vec!["PATCH /users/1: 200".into()],
        outcome: "dead: \"mail\u{2028}used\" 🛑".into(),
    }
}

pub async fn a_settled_delivery_is_stored_as_it_is(on: Fixture) {
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    let mut delivery = lease.deliveries[0].clone();
    delivery.state = DeliveryState::Dead;
    delivery.due = on.later(3);
    delivery.attempts = 8;
    delivery.looks = 2;
    delivery.absences = 1;
    delivery.reason = Some("the mail is another account's: \u{1F984} \"quoted\" 'single'".into());
    delivery.code = Some("mailAlreadyUsed".into());
    delivery.remember(attempt(&on));
    delivery.remember(Attempt { read: Vec::new(), done: Vec::new(), ..attempt(&on) });
    on.store.settle(lease, vec![delivery.clone()], None).await.unwrap();
    assert_eq!(on.delivery(&delivery.id).await, delivery);
    on.pass(3600);
    assert!(on.lease(10).await.is_empty(), "a dead letter is not leased");
}

pub async fn a_retry_comes_back_when_it_is_due(on: Fixture) {
    on.accept("7", Lane::Live).await;
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    let mut deliveries = ended(&lease, DeliveryState::Waiting, on.later(20));
    deliveries[1].due = on.later(10);
    deliveries[1].attempts = 1;
    deliveries[1].looks = 1;
    deliveries[1].lane = Lane::Bulk;
    deliveries[1].remember(attempt(&on));
    on.store.settle(lease, deliveries.clone(), None).await.unwrap();
    on.pass(9);
    assert!(on.lease(10).await.is_empty());
    on.pass(1);
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries, deliveries[1..]);
    on.pass(10);
    on.settle(lease, DeliveryState::Done).await;
    assert_eq!(on.lease_one().await.deliveries, deliveries[..1]);
}

pub async fn what_is_not_handed_back_waits_on(on: Fixture) {
    let first = on.accept("7", Lane::Live).await;
    let second = on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    let mut deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    deliveries.remove(1);
    on.store.settle(lease, deliveries, None).await.unwrap();
    assert_eq!(on.state(&first).await, DeliveryState::Done);
    assert_eq!(ids(&on.lease_one().await), [second]);
}

/// A lease of one person gives no right to another person's deliveries.
pub async fn a_strange_delivery_is_not_written(on: Fixture) {
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    let other = on.accept("8", Lane::Live).await;
    let later = on.accept("7", Lane::Live).await;
    let mut deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    for strange in [&other, &later] {
        let mut strange = on.delivery(strange).await;
        strange.state = DeliveryState::Dead;
        deliveries.push(strange);
    }
    on.store.settle(lease, deliveries, None).await.unwrap();
    assert_eq!(on.state(&other).await, DeliveryState::Waiting);
    assert_eq!(on.state(&later).await, DeliveryState::Waiting);
    assert_eq!(on.lease(10).await.len(), 2);
}

fn full_link(on: &Fixture) -> Link {
    Link {
        account: Some(AccountId::new("507f1f77bcf86cd799439011")),
        creating: Some(Intent {
            email: Some("a@b.example".into()),
            username: None,
            at: on.clock.now(),
        }),
        status: Some(AccountStatus::Invited),
        applied: BTreeMap::from([(Field::FirstName, Some("Zoë".into())), (Field::Phone, None)]),
        external_id: Some("bob:7".into()),
        kept: Some(Kept {
            roles: vec![(GroupId::new("g"), "learner".into())],
            custom_values: vec![serde_json::json!({"value": 9_007_199_254_740_993_i64})],
            managers: vec![AccountId::new("m")],
            subordinates: Vec::new(),
        }),
        restoring: true,
        ..Link::default()
    }
}

pub async fn links_are_kept_and_found_by_account(mut on: Fixture) {
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    let begun = Link { account: None, ..full_link(&on) };
    on.store.save_link(&lease, &begun).await.unwrap();
    assert_eq!(on.store.link(&person("7")).await.unwrap(), Some(begun));
    assert!(on.lease(10).await.is_empty(), "the lease goes on");

    let full = full_link(&on);
    on.store.save_link(&lease, &full).await.unwrap();
    on.settle(lease, DeliveryState::Waiting).await;
    on.reopen().await;
    assert_eq!(on.store.link(&person("7")).await.unwrap(), Some(full.clone()));
    let account = full.account.clone().unwrap();
    assert_eq!(on.store.owner(&account).await.unwrap(), Some(person("7")));

    let lease = on.lease_one().await;
    assert_eq!(lease.link, Some(full.clone()));
    let moved = Link { account: Some(AccountId::new("b")), ..full };
    let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    on.store.settle(lease, deliveries, Some(moved.clone())).await.unwrap();
    assert_eq!(on.store.link(&person("7")).await.unwrap(), Some(moved));
    assert_eq!(on.store.owner(&AccountId::new("b")).await.unwrap(), Some(person("7")));
    assert_eq!(on.store.owner(&account).await.unwrap(), None, "the old account is free");
}

pub async fn a_taken_account_changes_nothing(on: Fixture) {
    on.accept("7", Lane::Live).await;
    let lease = on.lease_one().await;
    on.store.save_link(&lease, &link_to("a")).await.unwrap();
    on.settle(lease, DeliveryState::Done).await;

    let id = on.accept("8", Lane::Live).await;
    let lease = on.lease_one().await;
    on.store.save_link(&lease, &link_to("b")).await.unwrap();
    let taken = |result: Result<(), StoreError>| match result {
        Err(StoreError::AccountTaken(owner)) => assert_eq!(owner, person("7")),
        other => panic!("the account is taken: {other:?}"),
    };
    taken(on.store.save_link(&lease, &link_to("a")).await);
    let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    taken(on.store.settle(lease, deliveries, Some(link_to("a"))).await);

    assert_eq!(on.store.link(&person("8")).await.unwrap(), Some(link_to("b")));
    assert_eq!(on.store.owner(&AccountId::new("a")).await.unwrap(), Some(person("7")));
    assert_eq!(on.store.owner(&AccountId::new("b")).await.unwrap(), Some(person("8")));
    assert_eq!(on.state(&id).await, DeliveryState::Waiting);
    on.clock.advance(LASTING);
    assert_eq!(ids(&on.lease_one().await), [id], "and it is not lost");
}

pub async fn an_account_can_pass_to_another_person(on: Fixture) {
    for (employee, link) in [
        ("7", link_to("a")),
        ("7", link_to("a")),
        ("7", Link::default()),
        ("8", link_to("a")),
        ("7", link_to("b")),
    ] {
        on.accept(employee, Lane::Live).await;
        let lease = on.lease_one().await;
        let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
        on.store.settle(lease, deliveries, Some(link)).await.unwrap();
    }
    assert_eq!(on.store.owner(&AccountId::new("a")).await.unwrap(), Some(person("8")));
    assert_eq!(on.store.owner(&AccountId::new("b")).await.unwrap(), Some(person("7")));
}

/// Eight workers, two of them in another process, while events keep coming.
pub async fn many_workers_settle_everything_once(on: Fixture) {
    const EVENTS: usize = 300;
    let other = (on.open_again)().await;
    let at_work = Arc::new(Mutex::new(HashSet::new()));
    let settled = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let store = if worker < 2 { other.clone() } else { on.store.clone() };
        let (at_work, settled) = (Arc::clone(&at_work), Arc::clone(&settled));
        tasks.spawn(async move {
            while settled.lock().unwrap().len() < EVENTS {
                for lease in super::lease(&*store, 3).await {
                    let person = lease.person.clone();
                    assert!(at_work.lock().unwrap().insert(person.clone()), "{person} twice");
                    tokio::task::yield_now().await;
                    let mut deliveries = lease.deliveries.clone();
                    for delivery in &mut deliveries {
                        delivery.attempts += 1;
                        delivery.state = DeliveryState::Done;
                    }
                    at_work.lock().unwrap().remove(&person);
                    let done = ids(&lease);
                    store.settle(lease, deliveries, None).await.expect("settle");
                    settled.lock().unwrap().extend(done);
                }
            }
        });
    }
    let mut accepted = Vec::new();
    for n in 0..EVENTS {
        let lane = if n % 4 == 0 { Lane::Bulk } else { Lane::Live };
        let arrival = arrival(&on.clock, &(n % 17).to_string(), Fate::Deliver(lane));
        accepted.push(arrival.delivery.clone());
        on.store.accept(arrival).await.unwrap();
    }
    while let Some(worker) = tasks.join_next().await {
        worker.expect("no worker fails");
    }
    let mut settled = std::mem::take(&mut *settled.lock().unwrap());
    settled.sort();
    assert_eq!(settled, accepted, "each once, none lost");
    for id in accepted {
        assert_eq!(on.delivery(&id).await.attempts, 1);
    }
    let depth = on.store.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.leased, depth.done), (0, 0, EVENTS as u64));
}

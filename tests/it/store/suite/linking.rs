//! Links: walked, found by what they wait for, taken away; and what humans decided beside them.

use std::collections::{BTreeMap, BTreeSet};

use instep::model::{
    AccountId, Appointment, Choice, DeliveryState, EmployeeId, Fate, Lane, Link, Person, SourceName,
};
use instep::store::{Lease, LeaseRequest, StoreError};
use jiff::Timestamp;

use super::{Fixture, LASTING, arrival, bob, ended, link_to, person};

/// Names that hold what could part a row or mean something in a search.
const STRANGE: [&str; 9] =
    ["7", "7\0", "\0", "\u{1}", "\u{1}\u{1}", "*", "7:8", "", "Zoë \u{1F984}\n"];

async fn lease(on: &Fixture, person: &Person) -> Lease {
    let mut arrival = arrival(&on.clock, person.employee.as_str(), Fate::Deliver(Lane::Live));
    arrival.event.source = person.source.clone();
    on.store.accept(arrival).await.unwrap();
    let request =
        LeaseRequest { source: &person.source, persons: 1, lasting: LASTING, without: None };
    let lease = on.store.lease(request).await.unwrap().remove(0);
    assert_eq!(lease.person, *person);
    lease
}

/// Settles somebody with this link.
async fn give(on: &Fixture, person: &Person, link: Link) {
    let lease = lease(on, person).await;
    let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
    on.store.settle(lease, deliveries, Some(link)).await.unwrap();
}

fn of(source: &str, employee: &str) -> Person {
    Person { source: SourceName::new(source), employee: EmployeeId::new(employee) }
}

fn awaits(manager: &str) -> Link {
    Link { awaits: Some(manager.into()), ..Link::default() }
}

fn due_at(at: Timestamp) -> Link {
    let why = "the start date".into();
    Link { appointment: Some(Appointment { at, why }), ..Link::default() }
}

async fn awaiting(on: &Fixture, manager: &str) -> BTreeSet<String> {
    let found = on.store.awaiting(&bob(), manager, 100).await.unwrap();
    assert!(found.iter().all(|person| person.source == bob()));
    found.into_iter().map(|person| person.employee.to_string()).collect()
}

fn set(employees: &[&str]) -> BTreeSet<String> {
    employees.iter().map(ToString::to_string).collect()
}

async fn appointments(on: &Fixture, until: Timestamp) -> Vec<(String, Timestamp)> {
    let found = on.store.appointments(until, 100).await.unwrap();
    found.into_iter().map(|(person, at)| (person.to_string(), at)).collect()
}

pub async fn who_awaits_a_manager_is_found(mut on: Fixture) {
    give(&on, &person("7"), awaits("employee 1")).await;
    give(&on, &person("8"), awaits("employee 1")).await;
    give(&on, &person("9"), awaits("employee 2")).await;
    give(&on, &of("ann", "7"), awaits("employee 1")).await;
    give(&on, &person("10"), link_to("a")).await;
    on.reopen().await;
    assert_eq!(awaiting(&on, "employee 1").await, set(&["7", "8"]));
    assert_eq!(awaiting(&on, "employee 2").await, set(&["9"]));
    assert_eq!(awaiting(&on, "employee").await, set(&[]));
    assert_eq!(on.store.awaiting(&bob(), "employee 1", 1).await.unwrap().len(), 1);
    assert_eq!(on.store.awaiting(&bob(), "employee 1", 0).await.unwrap(), []);

    // Another manager; the same once more; none any more; and by save_link just so.
    give(&on, &person("7"), awaits("employee 2")).await;
    give(&on, &person("9"), awaits("employee 2")).await;
    give(&on, &person("8"), link_to("b")).await;
    assert_eq!(awaiting(&on, "employee 1").await, set(&[]));
    assert_eq!(awaiting(&on, "employee 2").await, set(&["7", "9"]));
    let lease = lease(&on, &person("7")).await;
    on.store.save_link(&lease, &awaits("employee 3")).await.unwrap();
    assert_eq!(awaiting(&on, "employee 2").await, set(&["9"]));
    assert_eq!(awaiting(&on, "employee 3").await, set(&["7"]));
    on.settle(lease, DeliveryState::Done).await;
    assert_eq!(awaiting(&on, "employee 3").await, set(&["7"]), "the link is as it was");
    let ann = on.store.awaiting(&SourceName::new("ann"), "employee 1", 9).await.unwrap();
    assert_eq!(ann, [of("ann", "7")]);
}

pub async fn appointments_come_earliest_first(mut on: Fixture) {
    let [soon, later, last] = [on.later(10), on.later(20), on.later(30)];
    give(&on, &person("7"), due_at(later)).await;
    give(&on, &of("ann", "7"), due_at(soon)).await;
    give(&on, &person("8"), due_at(last)).await;
    give(&on, &person("9"), link_to("a")).await;
    on.reopen().await;
    let [first, second] = [("ann/7".to_owned(), soon), ("bob/7".to_owned(), later)];
    assert_eq!(of("ann", "7").to_string(), first.0);
    assert_eq!(appointments(&on, on.clock.now()).await, []);
    assert_eq!(appointments(&on, soon).await, std::slice::from_ref(&first), "until is included");
    assert_eq!(appointments(&on, later).await, [first.clone(), second.clone()]);
    let some = on.store.appointments(last, 2).await.unwrap();
    assert_eq!(some, [(of("ann", "7"), soon), (person("7"), later)]);

    // HR changes its mind: another time, and none.
    give(&on, &person("7"), due_at(on.later(5))).await;
    give(&on, &of("ann", "7"), Link::default()).await;
    assert_eq!(appointments(&on, later).await, [("bob/7".to_owned(), on.later(5))]);
    let lease = lease(&on, &person("8")).await;
    on.store.save_link(&lease, &Link::default()).await.unwrap();
    assert_eq!(appointments(&on, last).await.len(), 1);
}

/// Looked at a moment too early, the rules would still say the same.
pub async fn an_appointment_never_comes_early(on: Fixture) {
    let at: Timestamp = "2026-12-31T23:59:59.9990001Z".parse().unwrap();
    give(&on, &person("7"), due_at(at)).await;
    let before = "2026-12-31T23:59:59.999Z".parse().unwrap();
    let after = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(appointments(&on, before).await, []);
    assert_eq!(appointments(&on, after).await, [("bob/7".to_owned(), after)]);
    for far in [Timestamp::MIN, Timestamp::MAX] {
        give(&on, &person("7"), due_at(far)).await;
        assert_eq!(appointments(&on, Timestamp::MAX).await, [("bob/7".to_owned(), far)]);
    }
}

pub async fn a_refused_link_is_not_found(on: Fixture) {
    give(&on, &person("8"), link_to("a")).await;
    give(&on, &person("7"), awaits("employee 1")).await;
    let lost = lease(&on, &person("7")).await;
    let at = on.later(10);
    let link = Link { awaits: Some("employee 2".into()), ..due_at(at) };
    let taken = Link { account: Some(AccountId::new("a")), ..link.clone() };
    let refused = on.store.save_link(&lost, &taken).await;
    assert!(matches!(refused, Err(StoreError::AccountTaken(_))), "{refused:?}");
    on.clock.advance(LASTING);
    let held = on.lease_one().await;
    let refused = on.store.settle(lost, Vec::new(), Some(link)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    assert_eq!(awaiting(&on, "employee 1").await, set(&["7"]));
    assert_eq!(awaiting(&on, "employee 2").await, set(&[]));
    assert_eq!(appointments(&on, at).await, []);
    on.settle(held, DeliveryState::Done).await;
}

pub async fn strange_names_wait_apart(on: Fixture) {
    for manager in STRANGE {
        for employee in STRANGE {
            give(&on, &of(manager, employee), awaits(manager)).await;
        }
    }
    for source in STRANGE {
        for manager in STRANGE {
            let found = on.store.awaiting(&SourceName::new(source), manager, 99).await.unwrap();
            let found: BTreeSet<_> =
                found.into_iter().map(|person| person.employee.to_string()).collect();
            let all = if source == manager { set(&STRANGE) } else { set(&[]) };
            assert_eq!(found, all, "{source:?} {manager:?}");
        }
        let links = walk(&on, source, 4, async || ()).await;
        assert_eq!(links.keys().cloned().collect::<BTreeSet<_>>(), set(&STRANGE), "{source:?}");
        assert!(links.values().all(|link| *link == awaits(source)));
    }
}

/// All links of a source by employee, read in parts; something happens after each part.
async fn walk(
    on: &Fixture,
    source: &str,
    most: usize,
    mut meanwhile: impl AsyncFnMut(),
) -> BTreeMap<String, Link> {
    let (source, mut links, mut from) = (SourceName::new(source), BTreeMap::new(), None);
    loop {
        let part = on.store.links(&source, from.as_deref(), most).await.unwrap();
        assert!(!part.links.is_empty() || part.next.is_none(), "it would never end");
        for (person, link) in part.links {
            assert_eq!(person.source, source);
            links.insert(person.employee.to_string(), link);
        }
        from = part.next;
        if from.is_none() {
            return links;
        }
        meanwhile().await;
    }
}

/// Links so many persons of `bob`, each to an account of their own.
async fn link_many(on: &Fixture, persons: std::ops::Range<usize>) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in persons.clone() {
        let (store, arrival) =
            (on.store.clone(), arrival(&on.clock, &n.to_string(), Fate::Deliver(Lane::Live)));
        tasks.spawn(async move { store.accept(arrival).await.map(drop) });
    }
    let leases = async || on.lease(persons.len()).await;
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    let mut tasks = tokio::task::JoinSet::new();
    for lease in leases().await {
        let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
        let link = link_to(lease.person.employee.as_str());
        let store = on.store.clone();
        tasks.spawn(async move { store.settle(lease, deliveries, Some(link)).await });
    }
    let settled = tasks.join_all().await;
    assert!(settled.len() == persons.len() && settled.iter().all(Result::is_ok));
}

pub async fn all_links_of_a_source_are_walked(on: Fixture) {
    assert_eq!(walk(&on, "bob", 10, async || ()).await, BTreeMap::new());
    link_many(&on, 0..300).await;
    for source in ["bo*", "bo", "bobby", "ann"] {
        give(&on, &of(source, "7"), link_to(source)).await;
    }
    let all: BTreeMap<_, _> = (0..300).map(|n| (n.to_string(), link_to(&n.to_string()))).collect();
    for most in [0, 1, 7, 300, 1_000_000] {
        if most > 0 {
            assert_eq!(walk(&on, "bob", most, async || ()).await, all, "{most} at once");
        }
        let first = on.store.links(&bob(), None, most).await.unwrap();
        assert!((1..=most + 300).contains(&first.links.len()));
    }
    assert_eq!(walk(&on, "bo*", 1, async || ()).await.len(), 1);
    assert_eq!(walk(&on, "b", 1, async || ()).await.len(), 0);
}

pub async fn a_walk_leaves_out_nothing_while_links_change(on: Fixture) {
    link_many(&on, 0..200).await;
    let mut next = 200;
    let links = walk(&on, "bob", 40, async || {
        link_many(&on, next..next + 150).await;
        assert!(on.store.unlink(&person(&(next - 1).to_string())).await.unwrap());
        next += 150;
        if next > 1100 {
            // Enough: a walk in parts of 40 must come to its end.
            next = 200;
            for n in 200..1100 {
                on.store.unlink(&person(&n.to_string())).await.unwrap();
            }
        }
    })
    .await;
    for n in 0..199 {
        assert!(links.contains_key(&n.to_string()), "{n} stood there all the time");
    }
}

pub async fn an_unlinked_account_is_free(mut on: Fixture) {
    let link = Link {
        account: Some(AccountId::new("a")),
        awaits: Some("employee 1".into()),
        ..due_at(on.clock.now())
    };
    give(&on, &person("7"), link.clone()).await;
    give(&on, &person("9"), awaits("employee 1")).await;
    assert!(on.store.unlink(&person("7")).await.unwrap());
    on.reopen().await;
    assert_eq!(on.store.link(&person("7")).await.unwrap(), None);
    assert_eq!(on.store.owner(&AccountId::new("a")).await.unwrap(), None);
    assert_eq!(awaiting(&on, "employee 1").await, set(&["9"]));
    assert_eq!(appointments(&on, on.later(1)).await, []);
    assert!(on.store.unlink(&person("7")).await.unwrap(), "there is none, as was wanted");
    assert!(on.store.unlink(&person("never seen")).await.unwrap());

    give(&on, &person("8"), link.clone()).await;
    assert_eq!(on.store.owner(&AccountId::new("a")).await.unwrap(), Some(person("8")));
    assert!(on.store.unlink(&person("7")).await.unwrap());
    assert_eq!(on.store.link(&person("8")).await.unwrap(), Some(link), "nobody else's goes");
    assert_eq!(on.store.owner(&AccountId::new("a")).await.unwrap(), Some(person("8")));
    assert_eq!(on.lease(1).await.len(), 0);
}

pub async fn nobody_is_unlinked_under_lease(on: Fixture) {
    give(&on, &person("7"), link_to("a")).await;
    let held = lease(&on, &person("7")).await;
    assert!(!on.store.unlink(&person("7")).await.unwrap());
    assert!(on.store.unlink(&of("ann", "7")).await.unwrap(), "only the one person is");
    assert_eq!(on.store.link(&person("7")).await.unwrap(), Some(link_to("a")));
    on.store.save_link(&held, &link_to("b")).await.expect("the lease goes on");

    on.clock.advance(LASTING);
    assert!(on.store.unlink(&person("7")).await.unwrap(), "a lease that ran out is none");
    let late = on.store.settle(held, Vec::new(), Some(link_to("b"))).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(on.store.link(&person("7")).await.unwrap(), None);
    assert_eq!(on.store.owner(&AccountId::new("b")).await.unwrap(), None);
    let again = on.lease_one().await;
    assert_eq!((again.deliveries[0].kills, again.link.as_ref()), (1, None));
    on.settle(again, DeliveryState::Done).await;
    assert!(on.store.unlink(&person("7")).await.unwrap());
}

pub async fn a_choice_is_kept_apart_from_the_link(mut on: Fixture) {
    let store = |on: &Fixture| on.store.clone();
    assert_eq!(on.store.choice(&person("7")).await.unwrap(), None);
    let held = lease(&on, &person("7")).await;
    assert_eq!(held.choice, None);
    let account = Choice::Account(AccountId::new("a"));
    on.store.choose(&person("7"), Some(&account)).await.unwrap();
    on.store.choose(&person("8"), Some(&Choice::Ignore)).await.unwrap();
    on.store.save_link(&held, &link_to("b")).await.unwrap();
    let deliveries = ended(&held, DeliveryState::Done, on.clock.now());
    on.store.settle(held, deliveries, Some(link_to("c"))).await.unwrap();
    on.reopen().await;
    assert_eq!(on.store.choice(&person("7")).await.unwrap(), Some(account.clone()));
    assert!(on.store.unlink(&person("7")).await.unwrap());
    let held = lease(&on, &person("7")).await;
    assert_eq!((held.choice.as_ref(), held.link.as_ref()), (Some(&account), None));
    on.settle(held, DeliveryState::Done).await;

    for choice in [Choice::Create, Choice::Ignore, Choice::Account(AccountId::new("Zoë\0"))] {
        store(&on).choose(&person("7"), Some(&choice)).await.unwrap();
        assert_eq!(on.store.choice(&person("7")).await.unwrap(), Some(choice));
    }
    for _ in 0..2 {
        on.store.choose(&person("7"), None).await.unwrap();
        assert_eq!(on.store.choice(&person("7")).await.unwrap(), None);
    }
    assert_eq!(on.store.choice(&of("ann", "8")).await.unwrap(), None);
    let held = lease(&on, &person("8")).await;
    assert_eq!(held.choice, Some(Choice::Ignore), "another person's stays");
}

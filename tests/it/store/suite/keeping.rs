//! The store as a whole: sealed anew, moved to another store, and people erased from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use instep::model::{
    Access, AccountId, Actor, Arrival, AuditEntry, Choice, Delivery, DeliveryId, DeliveryState,
    EmployeeId, Event, EventId, FORGOTTEN, Fate, Field, GivenManager, Item, Lane, Link, Page,
    Person, Run, RunId, Via,
};
use instep::store::forget::erase;
use instep::store::{self, Filter, Hold, Store};

use super::{Fixture, LASTING, bob, ended, fresh, lease, link_to, person};

/// What must not be found anywhere once the person is forgotten.
pub const MARKS: [&str; 4] =
    ["Quirina.Marked@example.test", "Quirina Marked", "5f77bcf86cd7994390aa", "quirina.marked"];

/// The person who is forgotten.
pub const MARKED: &str = "3332883884017713099";

fn event(on: &Fixture, employee: &str, raw: &str) -> Event {
    Event {
        id: EventId::of(&bob(), raw.as_bytes()),
        source: bob(),
        kind: "employee.updated".into(),
        company: None,
        employee: Some(EmployeeId::new(employee)),
        received_at: on.clock.now(),
        raw: Bytes::from(raw.to_owned()),
    }
}

async fn take(on: &Fixture, employee: &str, raw: &str, lane: Lane) -> DeliveryId {
    let event = event(on, employee, raw);
    let arrival = Arrival { event, fate: Fate::Deliver(lane), delivery: DeliveryId::fresh() };
    fresh(on.store.accept(arrival).await.unwrap())
}

fn marked_link() -> Link {
    let applied = [
        (Field::Email, "Quirina.Marked@example.test"),
        (Field::Username, "quirina.marked"),
        (Field::FirstName, "Quirina"),
        (Field::LastName, "Marked"),
    ];
    Link {
        applied: applied.into_iter().map(|(field, text)| (field, Some(text.into()))).collect(),
        external_id: Some(format!("bob:{MARKED}")),
        awaits: Some("employee:17".into()),
        ..link_to("5f77bcf86cd7994390aa")
    }
}

/// Fills every place, with one person's marks wherever they can stand.
pub async fn fill(on: &Fixture) -> Run {
    // Settled, dead and waiting, with a link.
    for (n, state) in [DeliveryState::Done, DeliveryState::Dead].into_iter().enumerate() {
        let raw = format!(r#"{{"n":{n},"mail":"Quirina.Marked@example.test","id":"{MARKED}"}}"#);
        take(on, MARKED, &raw, Lane::Live).await;
        let lease = on.lease_one().await;
        let end = |delivery: Delivery| Delivery {
            reason: Some(format!("the mail of bob/{MARKED} is taken")),
            kills: 0,
            ..delivery
        };
        let deliveries = ended(&lease, state, on.clock.now()).into_iter().map(end).collect();
        on.store.settle(lease, deliveries, Some(marked_link())).await.unwrap();
    }
    take(on, MARKED, &format!(r#"{{"waits":"{MARKED}"}}"#), Lane::Bulk).await;
    on.store.choose(&person(MARKED), Some(&Choice::Create)).await.unwrap();

    // Somebody else, whose things name them; a kill is on one of their deliveries.
    let raw = format!(r#"{{"changedBy":"{MARKED}"}}"#);
    take(on, "1700000000000000017", &raw, Lane::Live).await;
    let lost = lease(&*on.store, 10).await;
    drop(lost);
    on.pass(LASTING.as_secs() + 1);
    for lease in lease(&*on.store, 10).await {
        let link = (lease.person == person("1700000000000000017")).then(|| Link {
            manager: Some(GivenManager {
                key: format!("employee:{MARKED}"),
                account: AccountId::new("5f77bcf86cd7994390aa"),
            }),
            applied: BTreeMap::from([(Field::Email, Some("other@example.test".into()))]),
            ..link_to("0f77bcf86cd7994390bb")
        });
        let deliveries = lease.deliveries.clone();
        on.store.settle(lease, deliveries, link).await.unwrap();
    }
    on.store.choose(&person("18"), Some(&Choice::Ignore)).await.unwrap();
    let audit = |about: &str| {
        let actor =
            Actor { name: "ann".into(), access: Access::Operator, via: Via::Console, from: None };
        AuditEntry::begun(&actor, "unmask", about.into(), on.clock.now())
    };
    on.store.write_audit(&audit(&format!("person bob/{MARKED}"))).await.unwrap();
    let note = format!(r#"{{"about":"person bob/{MARKED}","mail":"quirina.marked@example.test"}}"#);
    assert!(on.store.put_note("notices by mail", None, Some(&note)).await.unwrap());
    let hold = Hold {
        scope: "source bob".into(),
        reason: "401".into(),
        since: on.clock.now(),
        probe_at: on.later(60),
        probes: 1,
        refuses: true,
    };
    on.store.hold(&hold).await.unwrap();
    let mut run = Run::begun(RunId::fresh(), bob(), "ann", on.clock.now());
    run.remarks.push(format!("bob/{MARKED} was left alone"));
    assert!(on.store.save_run(&run).await.unwrap());
    let item = |number, employee: &str, name: &str| Item {
        employee: Some(EmployeeId::new(employee)),
        account: Some(AccountId::new("5f77bcf86cd7994390aa")),
        ..super::runs::item(number, name)
    };
    let other = Item { account: None, ..item(2, "18", "Somebody Else") };
    let items = [item(1, MARKED, "Quirina Marked"), other];
    on.store.save_items(&run.id, &items).await.unwrap();
    let page = Page {
        number: 1,
        list: "accounts".into(),
        read_at: run.started_at,
        rows: "Quirina.Marked@example.test".into(),
        next: None,
    };
    on.store.save_page(&run.id, &page).await.unwrap();
    run
}

/// Everything that a store hands out, in parts of a few, by its JSON.
async fn everything(store: &dyn Store) -> Vec<store::Stored> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let part = store.dump(from.as_deref(), 3).await.unwrap();
        all.extend(part.found.into_iter().map(|found| found.kept));
        from = part.next;
        if from.is_none() {
            all.sort_by_cached_key(|kept| serde_json::to_string(kept).unwrap());
            all.dedup();
            return all;
        }
    }
}

pub async fn everything_is_handed_out(on: Fixture) {
    assert_eq!(everything(&*on.store).await, []);
    fill(&on).await;
    on.store.forget(&person("19"), on.clock.now()).await.unwrap();
    let all = everything(&*on.store).await;
    let mut counts = BTreeMap::new();
    for kept in &all {
        *counts.entry(kept.word()).or_insert(0) += 1;
    }
    let expected = [
        ("audit entries", 1),
        ("choices", 2),
        ("deliveries", 4),
        ("events", 4),
        ("forgotten people", 1),
        ("holds", 1),
        ("items", 2),
        ("links", 2),
        ("notes", 1),
        ("runs", 1),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

/// Moves everything from one store into another one, which goes on where the first stopped.
pub async fn moves(from: Fixture, to: Fixture) {
    fill(&from).await;
    from.store.forget(&person("19"), from.clock.now()).await.unwrap();
    to.pass(LASTING.as_secs() + 1);
    let mut place = None;
    loop {
        let part = from.store.dump(place.as_deref(), 4).await.unwrap();
        let kept: Vec<_> = part.found.into_iter().map(|found| found.kept).collect();
        // Handed in again it does no harm.
        for _ in 0..2 {
            to.store.restore(&kept).await.unwrap();
        }
        place = part.next;
        if place.is_none() {
            break;
        }
    }
    assert_eq!(everything(&*to.store).await, everything(&*from.store).await);
    assert_eq!(to.store.depth().await.unwrap(), from.store.depth().await.unwrap());
    let of_marked = Filter { employee: Some(MARKED.into()), ..Filter::default() };
    let listed = to.store.deliveries(&of_marked, 10).await.unwrap();
    assert_eq!(listed, from.store.deliveries(&of_marked, 10).await.unwrap());
    assert_eq!(to.store.awaiting(&bob(), "employee:17", 9).await.unwrap(), [person(MARKED)]);
    let owner = to.store.owner(&AccountId::new("5f77bcf86cd7994390aa")).await.unwrap();
    assert_eq!(owner, Some(person(MARKED)));

    // What waited is worked on, with the kills that were counted; what was dead can be replayed.
    let leases = to.lease(10).await;
    let kills: Vec<u32> = leases.iter().map(|lease| lease.deliveries[0].kills).collect();
    assert_eq!(kills, [1, 1]);
    for lease in leases {
        to.settle(lease, DeliveryState::Done).await;
    }
    let dead = Filter { state: Some(DeliveryState::Dead), ..Filter::default() };
    let dead = to.store.deliveries(&dead, 10).await.unwrap();
    let replayed =
        to.store.replay(&[dead[0].id.clone()], Lane::Live, to.clock.now()).await.unwrap();
    assert_eq!(replayed, 1);
    assert_eq!(to.lease_one().await.person, person(MARKED));
    // An event that came before comes again.
    let raw = format!(r#"{{"changedBy":"{MARKED}"}}"#);
    let again = Arrival::live(event(&to, "1700000000000000017", &raw));
    let again = to.store.accept(again).await.unwrap();
    assert!(matches!(again, store::Accepted::Repeat(_)), "{again:?}");
}

pub async fn a_forgotten_person_is_found_nowhere(on: Fixture) {
    let run = fill(&on).await;
    let at = on.clock.now();
    let erased = erase(&*on.store, &person(MARKED), at, |_| ()).await.unwrap().unwrap();
    assert!(erased.changed > 8, "{erased:?}");
    for kept in everything(&*on.store).await {
        let text = serde_json::to_string(&kept).unwrap();
        let text = text.to_lowercase();
        for mark in MARKS {
            assert!(!text.contains(&mark.to_lowercase()), "{mark}: {kept:?}");
        }
        let is_tombstone = matches!(kept, store::Stored::Forgotten { .. });
        assert_eq!(text.contains(MARKED), is_tombstone, "{kept:?}");
    }
    let of_marked = Filter { employee: Some(MARKED.into()), ..Filter::default() };
    assert_eq!(on.store.deliveries(&of_marked, 10).await.unwrap(), []);
    assert_eq!(on.store.forgotten(&person(MARKED)).await.unwrap(), Some(at));
    assert_eq!(on.store.link(&person(MARKED)).await.unwrap(), None);
    // The item stays as a count, and nobody else lost anything.
    let items = on.store.items(&run.id, 0, 10).await.unwrap();
    assert_eq!((items.len(), items[0].employee.as_ref()), (2, None));
    assert_eq!(items[1].name, "Somebody Else");
    let other = on.store.link(&person("1700000000000000017")).await.unwrap().unwrap();
    assert_eq!((other.manager, other.applied.len()), (None, 1));
    let depth = on.store.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.dead, depth.done), (1, 0, 0));
    assert_eq!(on.lease_one().await.person, person("1700000000000000017"));
    // Done again, nothing is left to erase.
    let again = erase(&*on.store, &person(MARKED), at, |_| ()).await.unwrap().unwrap();
    assert_eq!(again.changed, 0);
}

pub async fn nothing_new_of_a_forgotten_person_is_kept(on: Fixture) {
    let at = on.clock.now();
    assert!(on.store.forget(&person("7"), at).await.unwrap());
    assert!(on.store.forget(&person("7"), on.later(60)).await.unwrap());
    assert_eq!(on.store.forgotten(&person("7")).await.unwrap(), Some(at), "the first one stays");
    let all = on.store.all_forgotten(&bob()).await.unwrap();
    assert_eq!(all, BTreeMap::from([(EmployeeId::new("7"), at)]));

    let one = take(&on, "7", r#"{"secret":1}"#, Lane::Live).await;
    let arrivals = ["7", "8"].map(|employee| {
        Arrival::live(event(&on, employee, &format!(r#"{{"secret":"{employee}"}}"#)))
    });
    let accepted = on.store.accept_all(arrivals.to_vec()).await.unwrap();
    let two = fresh(accepted[0].clone());
    for id in [one, two] {
        let delivery = on.delivery(&id).await;
        assert_eq!(delivery.state, DeliveryState::Ignored);
        assert_eq!(delivery.reason.as_deref(), Some(FORGOTTEN));
        let event = on.store.event(&delivery.event).await.unwrap().unwrap();
        assert!(event.event.raw.is_empty());
    }
    assert_eq!(on.lease_one().await.person, person("8"), "nobody else is left alone");

    assert!(on.store.remember(&person("7")).await.unwrap());
    assert!(!on.store.remember(&person("7")).await.unwrap());
    assert_eq!(on.store.forgotten(&person("7")).await.unwrap(), None);
    take(&on, "7", r#"{"secret":2}"#, Lane::Live).await;
    assert_eq!(on.lease_one().await.person, person("7"));
}

pub async fn nobody_is_forgotten_under_lease(on: Fixture) {
    fill(&on).await;
    let leases = on.lease(10).await;
    assert_eq!(leases.len(), 2);
    let forget = async || erase(&*on.store, &person(MARKED), on.clock.now(), |_| ()).await.unwrap();
    assert_eq!(forget().await, None);
    assert_eq!(on.store.forgotten(&person(MARKED)).await.unwrap(), None);
    // The other one, whose link names them, is in the way as well.
    let (theirs, _other): (Vec<_>, Vec<_>) =
        leases.into_iter().partition(|lease| lease.person == person(MARKED));
    for lease in theirs {
        on.settle(lease, DeliveryState::Done).await;
    }
    assert_eq!(forget().await, None);
    assert!(on.store.forgotten(&person(MARKED)).await.unwrap().is_some());
    on.pass(LASTING.as_secs() + 1);
    assert!(forget().await.is_some());
}

pub async fn what_has_changed_is_not_swapped(on: Fixture) {
    use store::Stored::Note;

    let note = |text: &str| Note { name: "n".into(), text: text.into() };
    assert!(on.store.put_note("n", None, Some("one")).await.unwrap());
    let swap = async |old, new| on.store.swap(&[(old, new)]).await.unwrap();
    assert_eq!(swap(note("two"), Some(note("three"))).await, 0);
    assert_eq!(swap(note("one"), Some(note("two"))).await, 1);
    assert_eq!(on.store.note("n").await.unwrap().as_deref(), Some("two"));
    assert_eq!(swap(note("two"), None).await, 1);
    assert_eq!(on.store.note("n").await.unwrap(), None);

    let run = fill(&on).await;
    let items = on.store.items(&run.id, 0, 1).await.unwrap();
    let with = |item: &Item| store::Stored::Item { run: run.id.clone(), item: item.clone() };
    let other = Item { name: "another".into(), ..items[0].clone() };
    assert_eq!(swap(with(&other), Some(with(&items[0]))).await, 0);
    assert_eq!(swap(with(&items[0]), Some(with(&other))).await, 1);
    assert_eq!(on.store.items(&run.id, 0, 1).await.unwrap(), [other]);
    let read = on.store.run(&run.id).await.unwrap().unwrap();
    let less = Run { remarks: Vec::new(), ..read.clone() };
    assert_eq!(swap(store::Stored::Run(read.clone()), Some(store::Stored::Run(less))).await, 1);
    let late = Run { revision: read.revision + 1, ..read };
    assert!(!on.store.save_run(&late).await.unwrap(), "who read it before reads it again");
}

/// Everything in the store is sealed anew by another key, and nothing is lost.
pub async fn is_resealed(
    before: Fixture,
    open: impl Fn(store::seal::Keys) -> Arc<dyn Store>,
    old: &[u8],
) {
    fill(&before).await;
    before.store.forget(&person("19"), before.clock.now()).await.unwrap();
    let all = everything(&*before.store).await;
    drop(before.store);
    let store = open(super::keys(2, old));
    let runs = |kept: &mut Vec<store::Stored>| {
        // Sealing a run anew counts as writing it.
        kept.retain(|kept| !matches!(kept, store::Stored::Run(_)));
    };
    let mut told = 0;
    let first = store::reseal::reseal(&*store, |_| told += 1).await.unwrap();
    assert!(told > 0 && !first.complete);
    assert_eq!((first.looked, first.sealed), (all.len() as u64, all.len() as u64 - 1));
    let second = store::reseal::reseal(&*store, |_| ()).await.unwrap();
    assert!(second.complete && second.sealed == 0, "{second:?}");
    let (mut now, mut all) = (everything(&*store).await, all);
    runs(&mut now);
    runs(&mut all);
    assert_eq!(now, all);
    drop(store);
    // Now the old key is not needed any more.
    let store = open(super::keys(2, &[]));
    assert_eq!(store.awaiting(&bob(), "employee:17", 9).await.unwrap(), [person(MARKED)]);
    assert_eq!(store.link(&person(MARKED)).await.unwrap(), Some(marked_link()));
    let of = Person { source: bob(), employee: EmployeeId::new("18") };
    assert_eq!(store.choice(&of).await.unwrap(), Some(Choice::Ignore));
}

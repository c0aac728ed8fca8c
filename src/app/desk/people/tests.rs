//! Who is found by what, as links come and go.

use super::*;
use crate::clock::Clock;
use crate::store::sqlite::SqliteStore;

fn bob(id: &str) -> Person {
    Person { source: SourceName::new("bob"), employee: EmployeeId::new(id) }
}

fn link(first: &str, last: &str, mail: &str) -> Link {
    let applied = [(Field::FirstName, first), (Field::LastName, last), (Field::Email, mail)];
    Link {
        account: Some(AccountId::new("5f0a")),
        status: Some(AccountStatus::Active),
        applied: applied.into_iter().map(|(field, it)| (field, Some(it.to_owned()))).collect(),
        ..Link::default()
    }
}

fn people() -> People {
    let people = People::default();
    let links = [
        (bob("17"), link("Ann", "Lee", "ann.lee@example.test")),
        (bob("18"), link("Joann", "Roe", "j.roe@example.test")),
        (bob("21"), link("Zoë", "Lindqvist", "zoe@example.test")),
        (bob("171"), link("Max", "O'Leery", "max@lee.example.test")),
    ];
    people.take(&links, &mut BTreeSet::new());
    people
}

fn ids(found: &[Somebody]) -> Vec<&str> {
    found.iter().map(|somebody| somebody.person.employee.as_str()).collect()
}

fn bare(found: &[Person]) -> Vec<&str> {
    found.iter().map(|person| person.employee.as_str()).collect()
}

#[test]
fn who_begins_so_comes_before_who_has_it_within() {
    let people = people();
    let found = |text: &str| {
        bare(&people.look_for(&text.to_lowercase(), By::Everything, 10))
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("ann"), ["17", "18"]);
    assert_eq!(found("LEE"), ["17", "171"]);
    assert_eq!(found("ann lee"), ["17"]);
    assert_eq!(found("zoë"), ["21"]);
    assert_eq!(found("max@"), ["171"]);
    assert_eq!(found("17"), ["17", "171"]);
    assert_eq!(found("lee\nann"), [""; 0], "a text does not reach from one line into another");
    assert_eq!(people.look_for("e", By::Everything, 2).len(), 2);
}

#[test]
fn who_may_not_see_names_cannot_search_in_them() {
    let people = people();
    assert_eq!(bare(&people.look_for("17", By::Id, 10)), ["17", "171"]);
    assert_eq!(bare(&people.look_for("ann", By::Id, 10)), [""; 0]);
}

/// Writes a link as a worker does.
async fn write(store: &SqliteStore, person: &Person, link: Link) {
    let event = crate::model::Event::of_our_own("test", person, "", Clock::system().now());
    store.accept(crate::model::Arrival::live(event)).await.expect("taken in");
    let request = crate::store::LeaseRequest {
        source: &person.source,
        persons: 1,
        lasting: Duration::from_secs(60),
        without: None,
    };
    let lease = store.lease(request).await.expect("a lease").pop().expect("somebody");
    let mut deliveries = lease.deliveries.clone();
    for delivery in &mut deliveries {
        delivery.state = crate::model::DeliveryState::Done;
    }
    store.settle(lease, deliveries, Some(link)).await.expect("settled");
}

#[tokio::test]
async fn whoever_was_forgotten_is_found_no_more_whoever_did_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("instep.db");
    let store = SqliteStore::open(&file, Clock::system()).expect("a store");
    for (id, last) in [("17", "Lee"), ("18", "Roe")] {
        let account = Some(AccountId::new(format!("5f{id}")));
        let link = Link { account, ..link("Ann", last, "ann@example.test") };
        write(&store, &bob(id), link).await;
    }
    let (people, sources) = (People::default(), [SourceName::new("bob")]);
    people.read_everybody(&store, &sources).await.expect("a store");
    let search = async |text: &str| {
        let found = people.search(text, By::Everything, 10, &store, &sources).await;
        ids(&found.expect("a store")).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(search("ann").await, ["17", "18"]);
    // The tombstone comes first, the link goes last: they are hidden in between, too.
    let now = Clock::system().now();
    assert!(store.forget(&bob("17"), now).await.expect("a store"));
    assert_eq!(search("ann").await, ["18"]);
    assert_eq!(search("17").await, [""; 0]);
    let erased = crate::store::forget::erase(&store, &bob("17"), now, |_| ()).await;
    assert!(erased.expect("a store").is_some());
    assert!(store.remember(&bob("17")).await.expect("a store"));
    assert_eq!(search("ann lee").await, [""; 0], "what was erased does not come back");
    assert_eq!(people.count(), 1);
}

#[tokio::test]
async fn an_exact_id_is_looked_up_at_once_and_who_lost_the_link_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("instep.db"), Clock::system());
    let store = store.expect("a store");
    let people = people();
    let sources = [SourceName::new("bob")];
    let search = async |text: &str| {
        let found = people.search(text, By::Everything, 10, &store, &sources).await;
        found.expect("a store").len()
    };
    assert_eq!(search("ann").await, 0, "neither of them has a link in the store");
    assert_eq!(people.count(), 2);
    assert_eq!(search(" ").await, 0);
    assert_eq!(search("4711").await, 0);

    let event = crate::model::Event::of_our_own("test", &bob("4711"), "", Clock::system().now());
    store.accept(crate::model::Arrival::live(event)).await.expect("taken in");
    assert_eq!(search("4711").await, 1, "somebody without a link, of whom an event came");
    assert_eq!(search("bob/4711").await, 1);
    assert_eq!(search("tom/4711").await, 0);
}

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

#[test]
fn who_begins_so_comes_before_who_has_it_within() {
    let people = people();
    let found = |text: &str| {
        ids(&people.look_for(&text.to_lowercase(), By::Everything, 10))
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
    assert_eq!(ids(&people.look_for("17", By::Id, 10)), ["17", "171"]);
    assert_eq!(ids(&people.look_for("ann", By::Id, 10)), [""; 0]);
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
    assert_eq!(search("ann").await, 2);
    assert_eq!(search(" ").await, 0);
    assert_eq!(search("4711").await, 0);

    let event = crate::model::Event::of_our_own("test", &bob("4711"), "", Clock::system().now());
    store.accept(crate::model::Arrival::live(event)).await.expect("taken in");
    assert_eq!(search("4711").await, 1, "somebody without a link, of whom an event came");
    assert_eq!(search("bob/4711").await, 1);
    assert_eq!(search("tom/4711").await, 0);

    people.look_again(&bob("17"), &store).await.expect("a store");
    assert_eq!((search("ann").await, people.count()), (1, 3), "there is no link in the store");
}

#[tokio::test]
async fn who_was_forgotten_elsewhere_is_not_found_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("instep.db"), Clock::system());
    let store = store.expect("a store");
    let people = people();
    let sources = [SourceName::new("bob")];
    assert!(store.forget(&bob("17"), Clock::system().now()).await.expect("a store"));
    let found = people.search("ann", By::Everything, 10, &store, &sources).await;
    assert_eq!(ids(&found.expect("a store")), ["18"]);
    assert_eq!(people.count(), 3, "their name is not held any more");
}

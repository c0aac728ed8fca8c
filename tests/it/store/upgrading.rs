//! What the program before left is read by this one, and goes on.

use std::path::Path;

use instep::clock::Clock;
use instep::model::{AccountId, AccountStatus, DeliveryState, Field, Kept, Lane, Link};
use instep::store::sqlite::SqliteStore;
use instep::store::{Lease, Store};
use redis::cmd;

use super::suite::{Fixture, bob, lease, person};

/// A link as the first program wrote it.
const LINK: &str = r#"{"v":1,"account":"507f1f77bcf86cd799439011","creating":{"email":"a@b.example","username":null,"at":"2026-11-20T08:00:00Z"},"status":"active","applied":{"first_name":"Zoë","phone":null},"external_id":"bob:7","kept":{"roles":[["g","learner"]],"custom_values":[{"value":9007199254740993}],"managers":["m"],"subordinates":[]},"restoring":true}"#;

/// A delivery as the first program wrote it.
const DELIVERY: &str = r#"{"v":1,"id":"018f0000-0000-7000-8000-000000000001","event":"e","source":"bob","employee":"7","kind":"employee.updated","lane":"live","received_at":"2026-11-20T08:00:00Z","state":"waiting","due":"2026-11-20T08:00:00Z","attempts":1,"looks":0,"absences":0,"kills":0,"replays":0,"reason":null,"code":null,"history":[]}"#;

fn link() -> Link {
    let link: Link = serde_json::from_str(LINK).unwrap();
    assert_eq!(link.account, Some(AccountId::new("507f1f77bcf86cd799439011")));
    assert_eq!(link.status, Some(AccountStatus::Active));
    assert_eq!(link.applied[&Field::FirstName].as_deref(), Some("Zoë"));
    assert!(link.restoring && link.creating.is_some());
    assert_eq!(link.kept.as_ref().map(|kept: &Kept| kept.roles.len()), Some(1));
    assert!(link.awaits.is_none() && link.appointment.is_none() && link.groups.is_empty());
    link
}

/// The one lease of what was left; it ends with a link that waits for something.
async fn goes_on(store: &dyn Store, held: Lease) {
    let owner = AccountId::new("507f1f77bcf86cd799439011");
    assert_eq!(store.link(&person("7")).await.unwrap(), Some(link()));
    assert_eq!(store.owner(&owner).await.unwrap(), Some(person("7")));
    assert_eq!(held.link, Some(link()));
    assert_eq!((held.choice.as_ref(), held.deliveries[0].attempts), (None, 1));
    let all = store.links(&bob(), None, 10).await.unwrap();
    assert_eq!(all.links, [(person("7"), link())]);
    assert_eq!(store.awaiting(&bob(), "employee 1", 10).await.unwrap(), []);
    assert_eq!(store.appointments(jiff::Timestamp::MAX, 10).await.unwrap(), []);

    let deliveries = super::suite::ended(&held, DeliveryState::Done, held.deliveries[0].due);
    let waits = Link { awaits: Some("employee 1".into()), ..link() };
    store.settle(held, deliveries, Some(waits)).await.unwrap();
    assert_eq!(store.awaiting(&bob(), "employee 1", 10).await.unwrap(), [person("7")]);
    assert!(store.unlink(&person("7")).await.unwrap());
    assert_eq!(store.owner(&owner).await.unwrap(), None);
}

/// A file as the first program shaped it, with one person in it.
fn old_file(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(include_str!("../../../src/store/sqlite/schema.sql")).unwrap();
    db.execute_batch("PRAGMA user_version = 1; INSERT INTO meta VALUES ('epoch', 'the old one')")
        .unwrap();
    db.execute(
        "INSERT INTO link (source, employee, account, record) VALUES ('bob', '7', ?1, ?2)",
        ("507f1f77bcf86cd799439011", LINK),
    )
    .unwrap();
    db.execute(
        "INSERT INTO delivery (id, event, source, employee, kind, lane, state, due, received, \
         record) VALUES ('018f0000-0000-7000-8000-000000000001', 'e', 'bob', '7', \
         'employee.updated', 'live', 'waiting', 0, 0, ?1)",
        [DELIVERY],
    )
    .unwrap();
    db.execute("INSERT INTO person (source, employee, live_due) VALUES ('bob', '7', 0)", [])
        .unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_program_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    old_file(&path);
    let clock = Fixture::clock();
    let store = SqliteStore::open(&path, clock.clone()).unwrap();
    assert_eq!(store.epoch().await.unwrap(), "the old one");
    let held = lease(&store, 10).await.remove(0);
    goes_on(&store, held).await;
    drop(store);
    let again = SqliteStore::open(&path, clock).expect("it is up to date now");
    assert_eq!(again.depth().await.unwrap().done, 1);
}

/// Two processes of the new program begin on an old file at the same moment.
#[test]
fn only_one_brings_a_file_up_to_date() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.db");
        old_file(&path);
        std::thread::scope(|threads| {
            let open = || SqliteStore::open(&path, Clock::system()).map(drop);
            let both = [threads.spawn(open), threads.spawn(open)];
            for opened in both {
                opened.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_redis_of_the_first_program_is_read() {
    let (server, on) = super::redis::own("");
    server.ask::<()>(
        cmd("HSET")
            .arg("{own}:links")
            .arg("bob\x007")
            .arg(format!("507f1f77bcf86cd799439011\0{LINK}")),
    );
    let mut account = cmd("HSET");
    account.arg("{own}:accounts").arg("507f1f77bcf86cd799439011").arg("bob\x007");
    server.ask::<()>(&account);
    let id = on.accept("7", Lane::Live).await;
    server.ask::<()>(
        cmd("HSET")
            .arg("{own}:deliveries")
            .arg(id.as_str())
            .arg(DELIVERY.replace("018f0000-0000-7000-8000-000000000001", id.as_str())),
    );
    let held = on.lease_one().await;
    goes_on(&*on.store, held).await;
}

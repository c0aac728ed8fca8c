//! What the program before left is read by this one, and goes on.

use std::path::Path;

use instep::clock::Clock;
use instep::model::{
    AccountId, AccountStatus, ChangeKind, Choice, DeliveryState, Field, Kept, Lane, Link, Page,
    Run, RunId, Slice, SliceState,
};
use instep::store::sqlite::SqliteStore;
use instep::store::{Lease, Runs, Store};
use redis::cmd;

use super::suite::{Fixture, bob, lease, person};

/// A link as the first program wrote it.
const LINK: &str = r#"{"v":1,"account":"507f1f77bcf86cd799439011","creating":{"email":"a@b.example","username":null,"at":"2026-11-20T08:00:00Z"},"status":"active","applied":{"first_name":"Zoë","phone":null},"external_id":"bob:7","kept":{"roles":[["g","learner"]],"custom_values":[{"value":9007199254740993}],"managers":["m"],"subordinates":[]},"restoring":true}"#;

/// A delivery as the first program wrote it.
const DELIVERY: &str = r#"{"v":1,"id":"018f0000-0000-7000-8000-000000000001","event":"e","source":"bob","employee":"7","kind":"employee.updated","lane":"live","received_at":"2026-11-20T08:00:00Z","state":"waiting","due":"2026-11-20T08:00:00Z","attempts":1,"looks":0,"absences":0,"kills":0,"replays":0,"reason":null,"code":null,"history":[]}"#;

/// A run as the first program that kept any wrote it.
const RUN: &str = r#"{"v":1,"id":"018f0000-0000-7000-8000-000000000002","revision":1,"source":"bob","asked_by":"ann","plan_only":true,"started_at":"2026-11-20T08:00:00Z","ended_at":null,"state":"comparing","rules":"1","certificate":{"missing":[],"fields":{"work.site":3}},"people":3,"accounts":2,"linked":2,"in_step":1,"changed":0,"failed":0,"filtered":{},"slices":[],"calls":{},"waited_ms":{},"remarks":[]}"#;

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

/// The steps that programs took before this one, one after the other.
const STEPS: [&str; 6] = [
    include_str!("../../../src/store/sqlite/schema.sql"),
    include_str!("../../../src/store/sqlite/schema_2.sql"),
    include_str!("../../../src/store/sqlite/schema_3.sql"),
    include_str!("../../../src/store/sqlite/schema_4.sql"),
    include_str!("../../../src/store/sqlite/schema_5.sql"),
    include_str!("../../../src/store/sqlite/schema_6.sql"),
];

/// A file as the program shaped it that knew so many steps, with one person in it.
fn old_file(path: &Path, steps: usize) {
    let db = rusqlite::Connection::open(path).unwrap();
    for step in &STEPS[..steps] {
        db.execute_batch(step).unwrap();
    }
    db.pragma_update(None, "user_version", i64::try_from(steps).unwrap()).unwrap();
    db.execute_batch("INSERT INTO meta VALUES ('epoch', 'the old one')").unwrap();
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

/// Beside a file of so many steps lies one copy of it, which the program before could go on with.
fn copy_is_as_it_was(path: &Path, steps: usize) {
    let copies = instep::store::sqlite::backup::copies(path);
    let [copy] = &copies[..] else { panic!("{copies:?}") };
    let name = copy.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("instep.db.v{steps}-20261121T080000Z.bak"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let db = rusqlite::Connection::open(copy).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(version).unwrap(), steps);
    let links: i64 = db.query_row("SELECT count(*) FROM link", [], |row| row.get(0)).unwrap();
    assert_eq!(links, 1);
}

/// Without a copy nothing is changed, and nothing half made is left behind.
#[test]
fn what_cannot_be_copied_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    old_file(&path, 3);
    // Something else has the copy's name.
    let in_the_way = folder.path().join("instep.db.v3-20261121T080000Z.bak");
    std::fs::create_dir(&in_the_way).unwrap();
    std::fs::write(in_the_way.join("x"), "x").unwrap();
    let opened = SqliteStore::open(&path, Fixture::clock());
    assert!(opened.is_err());
    let db = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
    drop(db);
    let left = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path());
    let parts: Vec<_> = left.filter(|it| it.to_str().unwrap().contains(".part")).collect();
    assert!(parts.is_empty(), "{parts:?}");
    std::fs::remove_dir_all(&in_the_way).unwrap();
    drop(SqliteStore::open(&path, Fixture::clock()).unwrap());
    copy_is_as_it_was(&path, 3);
}

/// The newest copies stay, older ones go; a new file and one that is up to date are not copied.
#[test]
fn a_few_copies_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    let clock = Fixture::clock();
    drop(SqliteStore::open(&path, clock.clone()).unwrap());
    drop(SqliteStore::open(&path, clock.clone()).unwrap());
    assert_eq!(instep::store::sqlite::backup::copies(&path), [""; 0].map(std::path::PathBuf::from));
    // What a process left that died while it made a copy goes with the next one.
    let part = folder.path().join("instep.db.v1-20261121T080000Z.part");
    std::fs::write(&part, "cut off").unwrap();
    let other = folder.path().join("other.db.v1-20261121T080000Z.part");
    std::fs::write(&other, "not ours").unwrap();
    for _ in 0..5 {
        clock.advance(std::time::Duration::from_secs(3600));
        std::fs::remove_file(&path).unwrap();
        old_file(&path, 1);
        drop(SqliteStore::open(&path, clock.clone()).unwrap());
    }
    let copies = instep::store::sqlite::backup::copies(&path);
    assert_eq!(copies.len(), 3);
    assert!(copies[2].to_str().unwrap().contains("T130000Z"), "{copies:?}");
    assert!(!part.exists() && other.exists());
}

/// What is newer than an old store can be kept in it.
async fn keeps_runs(store: &dyn Store) {
    assert_eq!(store.runs(None, Runs::All, 10).await.unwrap(), []);
    let run: Run = serde_json::from_str(RUN).unwrap();
    assert!(store.save_run(&run).await.unwrap());
    let item = super::suite::runs::item(1, "Zoë");
    store.save_items(&run.id, std::slice::from_ref(&item)).await.unwrap();
    assert_eq!(store.runs(None, Runs::All, 10).await.unwrap(), std::slice::from_ref(&run));
    assert_eq!(store.items(&run.id, 0, 10).await.unwrap(), [item]);
    let page = Page {
        number: 1,
        list: "accounts".into(),
        read_at: run.started_at,
        rows: String::new(),
        next: None,
    };
    store.save_page(&run.id, &page).await.unwrap();
    assert_eq!(store.pages(&run.id, 0, 10).await.unwrap(), [page]);
}

#[tokio::test]
async fn a_file_of_an_older_program_is_brought_up_to_date() {
    for steps in 1..=STEPS.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.db");
        old_file(&path, steps);
        let clock = Fixture::clock();
        let store = SqliteStore::open(&path, clock.clone()).unwrap();
        copy_is_as_it_was(&path, steps);
        assert_eq!(store.epoch().await.unwrap(), "the old one");
        let held = lease(&store, 10).await.remove(0);
        goes_on(&store, held).await;
        keeps_runs(&store).await;
        drop(store);
        let again = SqliteStore::open(&path, clock).expect("it is up to date now");
        assert_eq!(again.depth().await.unwrap().done, 1);
        assert_eq!(again.runs(None, Runs::All, 10).await.unwrap().len(), 1);
        assert_eq!(again.runs(None, Runs::Open, 10).await.unwrap().len(), 1);
    }
}

/// What the program with two steps kept beside the links.
#[tokio::test]
async fn a_file_of_the_second_program_keeps_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    old_file(&path, 2);
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            r#"UPDATE link SET awaits = 'employee 1', appointment = 7;
            INSERT INTO choice VALUES ('bob', '7', '{"v":1,"choice":"create"}');
            INSERT INTO note VALUES ('rules', 'one');"#,
        )
        .unwrap();
    let store = SqliteStore::open(&path, Fixture::clock()).unwrap();
    assert_eq!(store.awaiting(&bob(), "employee 1", 10).await.unwrap(), [person("7")]);
    assert_eq!(store.appointments(jiff::Timestamp::MAX, 10).await.unwrap().len(), 1);
    assert_eq!(store.choice(&person("7")).await.unwrap(), Some(Choice::Create));
    assert_eq!(store.note("rules").await.unwrap().as_deref(), Some("one"));
}

/// The program with six steps did not note which runs somebody has yet to go on with.
#[tokio::test]
async fn what_the_sixth_program_held_is_still_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    old_file(&path, 6);
    let db = rusqlite::Connection::open(&path).unwrap();
    let run: Run = serde_json::from_str(RUN).unwrap();
    let run = Run { ended_at: Some(run.started_at), plan_only: false, ..run };
    let held = Slice {
        kind: ChangeKind::Deactivate,
        people: 12,
        limit: 5,
        state: SliceState::Held { reason: "above its limit".into(), until: run.started_at },
        common: Vec::new(),
    };
    let held = Run { id: RunId::fresh(), slices: vec![held], ..run.clone() };
    for run in [&run, &held] {
        let mut record = serde_json::to_value(run).unwrap();
        record["v"] = 1.into();
        let record = record.to_string();
        let sql = "INSERT INTO run VALUES (?1, ?2, 1, 0, 1, ?3)";
        db.execute(sql, (run.id.as_str(), run.source.as_str(), record)).unwrap();
    }
    drop(db);
    let store = SqliteStore::open(&path, Fixture::clock()).unwrap();
    assert_eq!(store.runs(None, Runs::Open, 10).await.unwrap(), [held]);
    assert_eq!(store.runs(None, Runs::All, 10).await.unwrap().len(), 2);
}

/// Two processes of the new program begin at the same moment on an old file, or on none.
#[test]
fn only_one_brings_a_file_up_to_date() {
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.db");
        if round % 2 == 0 {
            old_file(&path, STEPS.len());
        }
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
    keeps_runs(&*on.store).await;
}

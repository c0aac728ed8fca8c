//! SQLite: how the suite opens it, and what only a file can suffer: a lock, a full disk, a second
//! server, a newer program, a caller that goes away.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use instep::clock::Clock;
use instep::model::{Arrival, DeliveryState, Fate, Lane};
use instep::store::seal::Keys;
use instep::store::sqlite::SqliteStore;
use instep::store::{LeaseRequest, Retention, Store, StoreError};

use super::suite::{Fixture, LASTING, Later, Stored, arrival, bob, fresh, keys, lease};

/// A store in a new folder.
pub async fn open() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    open_in(folder.path().join("instep.db"), folder, Keys::none())
}

/// A store in a new folder that is sealed.
pub async fn open_sealed() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    open_in(folder.path().join("instep.db"), folder, keys(1, &[]))
}

pub fn open_in(path: PathBuf, folder: tempfile::TempDir, keys: Keys) -> Fixture {
    let clock = Fixture::clock();
    let open = {
        let (path, clock) = (path.clone(), clock.clone());
        move || SqliteStore::open_sealed(&path, clock.clone(), keys.clone()).expect("open")
    };
    let store: Arc<dyn Store> = Arc::new(open());
    let open_again = {
        move || {
            let store = open();
            Box::pin(std::future::ready(Arc::new(store) as Arc<dyn Store>)) as Later<_>
        }
    };
    let plant = move |stored: Stored, record: String| {
        let (sql, id, number) = match &stored {
            Stored::Delivery(id) => {
                ("UPDATE delivery SET record = ?3 WHERE id = ?1 AND ?2 = 0", id.as_str(), 0)
            }
            Stored::Run(id) => {
                ("UPDATE run SET record = ?3 WHERE id = ?1 AND ?2 = 0", id.as_str(), 0)
            }
            Stored::Item(run, number) => {
                let sql = "UPDATE item SET record = ?3 WHERE run = ?1 AND number = ?2";
                (sql, run.as_str(), i64::try_from(*number).expect("a small number"))
            }
        };
        assert_eq!(raw(&path).execute(sql, (id, number, record)).expect("plant"), 1);
        Box::pin(std::future::ready(())) as Later<()>
    };
    Fixture {
        store,
        clock,
        open_again: Box::new(open_again),
        plant: Box::new(plant),
        guard: Box::new(folder),
    }
}

/// The file, past the store.
fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).expect("the file")
}

/// A store whose file the test knows.
pub fn open_with_path() -> (Fixture, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("instep.db");
    (open_in(path.clone(), folder, Keys::none()), path)
}

fn refused(result: Result<SqliteStore, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// The whole chain of an error, as a log shows it.
fn chain(error: &StoreError) -> String {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        told.push_str(": ");
        told.push_str(&error.to_string());
        source = error.source();
    }
    told
}

#[tokio::test]
async fn a_locked_file_is_told_and_over_when_the_lock_is() {
    let (on, path) = open_with_path();
    let before = on.accept("7", Lane::Live).await;
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // All of them wait out the same five seconds.
    let refused = [
        on.store.accept(arrival(&on.clock, "8", Fate::Deliver(Lane::Live))),
        on.store.accept(arrival(&on.clock, "9", Fate::Deliver(Lane::Live))),
    ];
    let [first, second] = refused;
    let (first, second, seen) = tokio::join!(first, second, on.store.delivery(&before));
    assert!(seen.unwrap().is_some(), "reading goes on");
    for refused in [first, second] {
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { doing: "accept", .. }), "{error:?}");
        assert!(chain(&error).contains("locked"), "{}", chain(&error));
    }
    other.execute_batch("ROLLBACK").unwrap();
    on.accept("8", Lane::Live).await;
    assert_eq!(on.lease(10).await.len(), 2);
}

/// Writes until the file may not grow any more, then lets it. Runs in a process of its own,
/// because the limit holds for a whole process.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_over_when_there_is_room() {
    const CHILD: &str = "INSTEP_TEST_SMALL_DISK";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(fill_a_small_disk());
    }
    let thread = std::thread::current();
    let output = Command::new("sh")
        // Without the trap the system would end the process at the limit (1 MiB).
        .args(["-c", r#"trap '' XFSZ; ulimit -S -f 2048; exec "$0" --exact "$1" --nocapture"#])
        .arg(std::env::current_exe().unwrap())
        .arg(thread.name().expect("a test's thread has its name"))
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{problem}");
}

#[cfg(target_os = "linux")]
async fn fill_a_small_disk() {
    let on = open().await;
    let big = || {
        let mut arrival = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
        arrival.event.raw = vec![b'x'; 100_000].into();
        arrival
    };
    let accept = async |arrival: &Arrival| on.store.accept(arrival.clone()).await;
    let mut accepted = Vec::new();
    let lost = loop {
        let arrival = big();
        match accept(&arrival).await {
            Ok(id) => accepted.push(fresh(id)),
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable { doing: "accept", .. }));
                assert!(std::error::Error::source(&error).is_some());
                break arrival;
            }
        }
        assert!(accepted.len() < 1_000, "the disk is not small");
    };
    assert!(accepted.len() > 3, "there was some room");
    assert!(accept(&big()).await.is_err(), "it is still full");
    assert_eq!(on.store.delivery(&lost.delivery).await.unwrap(), None);
    assert_eq!(on.store.depth().await.unwrap().waiting, accepted.len() as u64);

    let me = std::process::id().to_string();
    let prlimit = Command::new("prlimit").args(["--fsize=unlimited:", "--pid", &me]).status();
    assert!(prlimit.expect("prlimit (util-linux)").success());
    accepted.push(fresh(accept(&lost).await.expect("there is room again")));
    let lease = on.lease_one().await;
    assert_eq!(super::suite::ids(&lease), accepted);
    on.settle(lease, DeliveryState::Done).await;
}

#[tokio::test]
async fn one_server_a_file_and_its_successor_begins_at_once() {
    let (on, path) = open_with_path();
    let server = || SqliteStore::open(&path, on.clock.clone()).unwrap();
    let (first, second) = (server(), server());
    first.lock_for_serving().unwrap();
    first.lock_for_serving().expect("it has the lock already");
    on.accept("7", Lane::Live).await;
    on.lease_one().await;
    let error = second.lock_for_serving().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { doing: "lock", .. }), "{error:?}");
    assert!(chain(&error).contains("another `instep serve`"), "{}", chain(&error));
    assert!(on.lease(10).await.is_empty(), "the refused one changed nothing");

    drop(first);
    second.lock_for_serving().unwrap();
    let lease = on.lease_one().await;
    assert_eq!(lease.deliveries[0].kills, 1, "the first server did not end the lease");
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| refused(SqliteStore::open(&folder.path().join(name), Fixture::clock()));

    let told = chain(&open("no such folder/instep.db"));
    assert!(told.contains("no such folder"), "{told}");

    std::fs::write(folder.path().join("text.db"), "this is no database\n".repeat(100)).unwrap();
    let told = chain(&open("text.db"));
    assert!(told.contains("not a database"), "{told}");

    let other = folder.path().join("other.db");
    raw(&other).execute_batch("CREATE TABLE song (title TEXT)").unwrap();
    let error = open("other.db");
    assert!(matches!(error, StoreError::Unreadable { what: "database", .. }), "{error:?}");
    assert!(error.to_string().contains("another program"), "{error}");

    let newer = folder.path().join("newer.db");
    drop(SqliteStore::open(&newer, Fixture::clock()).unwrap());
    raw(&newer).execute_batch("PRAGMA user_version = 99").unwrap();
    let error = open("newer.db");
    assert!(matches!(error, StoreError::Unreadable { what: "database", .. }), "{error:?}");
    assert!(error.to_string().contains("upgrade"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (on, path) = open_with_path();
    on.accept("7", Lane::Live).await;
    let folder = path.parent().unwrap();
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 2, "the database and its log");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

/// A server that is shut down while it waits for a lease must not take persons with it.
#[tokio::test]
async fn nobody_is_leased_to_a_caller_that_went_away() {
    let (on, path) = open_with_path();
    on.accept("7", Lane::Live).await;
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    {
        let source = bob();
        let request =
            LeaseRequest { source: &source, persons: 10, lasting: LASTING, without: None };
        let mut leasing = pin!(on.store.lease(request));
        poll_fn(|context| {
            assert!(leasing.as_mut().poll(context).is_pending(), "the file is locked");
            Poll::Ready(())
        })
        .await;
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(on.lease_one().await.deliveries[0].kills, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_room_of_what_was_trimmed_is_used_again() {
    let (on, path) = open_with_path();
    let size = || {
        // Moves everything from the log into the file.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        raw(&path).query_row(checkpoint, [], |_| Ok(())).unwrap();
        std::fs::metadata(&path).unwrap().len()
    };
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..2_000 {
            let mut arrival = arrival(&on.clock, "7", Fate::Ignore("a ping".into()));
            arrival.event.raw = vec![b'x'; 6_000].into();
            let store = Arc::clone(&on.store);
            tasks.spawn(async move { store.accept(arrival).await });
        }
        assert!(tasks.join_all().await.iter().all(Result::is_ok));
        sizes.push(size());
        on.pass(1);
        let now = on.clock.now();
        let retention = Retention { events: now, deliveries: now, runs: now, audit: now };
        while on.store.trim(retention).await.unwrap() > 0 {}
    }
    assert!(sizes[2] < sizes[0] + sizes[0] / 5, "{sizes:?}");
    let empty = size();
    assert!(empty < sizes[0] * 3 / 4, "room is given back: {empty} of {sizes:?}");
}

#[tokio::test]
async fn a_closed_store_leaves_one_tidy_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    let clock = Clock::manual("2026-11-21T08:00:00Z".parse().unwrap());
    let store = SqliteStore::open(&path, clock.clone()).unwrap();
    store.accept(arrival(&clock, "7", Fate::Deliver(Lane::Live))).await.unwrap();
    store.depth().await.unwrap();
    drop(store);
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["instep.db"], "no log is left to be replayed");
    let store = SqliteStore::open(&path, clock).unwrap();
    assert_eq!(lease(&store, 10).await.len(), 1);
}

/// As `instep replay` does beside a running server.
#[tokio::test]
async fn another_process_may_replay() {
    let (on, path) = open_with_path();
    let serving = SqliteStore::open(&path, on.clock.clone()).unwrap();
    serving.lock_for_serving().unwrap();
    let id = on.accept_and_settle("7", DeliveryState::Dead).await;
    let beside = SqliteStore::open(&path, on.clock.clone()).unwrap();
    let replayed = beside.replay(&[id], Lane::Live, on.clock.now()).await.unwrap();
    assert_eq!(replayed, 1);
    drop(beside);
    assert_eq!(on.lease_one().await.deliveries[0].replays, 1);
}

#[tokio::test]
async fn a_deadline_is_not_after_the_end_of_the_lease() {
    let (on, _path) = open_with_path();
    on.accept("7", Lane::Live).await;
    let source = bob();
    let request =
        LeaseRequest { source: &source, persons: 1, lasting: Duration::ZERO, without: None };
    let leases = on.store.lease(request).await.unwrap();
    assert_eq!(leases[0].deadline.left(), Duration::ZERO);
    assert_eq!(on.lease_one().await.deliveries[0].kills, 1);
}

#[test]
fn a_url_names_a_file() {
    let named = |url| SqliteStore::parse_url(url);
    assert_eq!(named("sqlite:instep.db"), Some("instep.db".into()));
    assert_eq!(named("sqlite:/var/lib/instep.db"), Some("/var/lib/instep.db".into()));
    assert_eq!(named("sqlite:///var/lib/instep.db"), Some("/var/lib/instep.db".into()));
    assert_eq!(named("sqlite:"), None);
    assert_eq!(named("redis://localhost"), None);
}

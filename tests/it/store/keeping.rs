//! Stores of all kinds beside each other: what moves between them, and what their files hold.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use instep::app::{MoveError, export, import, is_half_imported};
use instep::store::forget::erase;
use instep::store::seal::Keys;
use instep::store::sqlite::SqliteStore;
use instep::store::{Store, StoreError};

use super::suite::keeping::{MARKED, MARKS, fill, is_resealed, moves};
use super::suite::{Fixture, LASTING, Lane, keys, person};
use super::{redis, sqlite};
use crate::harness::dying::Dying;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_between_all_kinds() {
    moves(sqlite::open().await, redis::open().await).await;
    moves(redis::open().await, sqlite::open().await).await;
    moves(sqlite::open_sealed().await, redis::open_sealed().await).await;
    moves(redis::open_sealed().await, sqlite::open_sealed().await).await;
    moves(redis::open_on_cluster().await, redis::open().await).await;
    moves(sqlite::open().await, sqlite::open_sealed().await).await;
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused_and_changes_nothing() {
    for keys in [Keys::none(), keys(1, &[])] {
        let on = sqlite::open().await;
        fill(&on).await;
        on.pass(LASTING.as_secs() + 1);
        let (now, mut file) = (on.clock.now(), Vec::new());
        let written = export(&*on.store, &keys, &mut file, now, |_| ()).await.unwrap();
        assert_eq!(holds(&file, "Quirina"), keys.is_none());
        let to = sqlite::open().await;
        let take = async |file: &[u8], keys: &Keys| {
            import(&*to.store, keys, Cursor::new(file), |_, _| ()).await
        };
        let refused = async |file: &[u8], keys: &Keys| {
            let error = take(file, keys).await.unwrap_err();
            assert!(matches!(error, MoveError::NotWhole(_)), "{error}");
            assert_eq!(to.store.dump(None, 1).await.unwrap().found, []);
        };
        let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
        for cut in [0, 1, 5, lines.len() - 1] {
            refused(&lines[..cut].concat(), &keys).await;
        }
        refused(&file[..file.len() - 1], &keys).await;
        let mut changed = lines.clone();
        changed.swap(2, 3);
        refused(&changed.concat(), &keys).await;
        changed.remove(2);
        refused(&changed.concat(), &keys).await;
        let mut flipped = file.clone();
        let at = file.len() / 2;
        flipped[at] = if flipped[at] == b'a' { b'b' } else { b'a' };
        refused(&flipped, &keys).await;
        refused(&[file.as_slice(), lines[1]].concat(), &keys).await;
        if !keys.is_none() {
            refused(&file, &Keys::none()).await;
        }

        assert_eq!(take(&file, &keys).await.unwrap(), written);
        let again = take(&file, &keys).await.unwrap_err();
        assert!(matches!(again, MoveError::NotEmpty), "{again}");
        let held = on.lease(1).await;
        let error = export(&*on.store, &keys, Vec::new(), now, |_| ()).await.unwrap_err();
        assert!(matches!(error, MoveError::AtWork(1)), "{error}");
        drop(held);
    }
}

/// The process dies at each write in turn: nobody serves from what it left.
#[tokio::test]
async fn an_import_that_was_cut_off_is_noticed() {
    let on = sqlite::open().await;
    fill(&on).await;
    on.pass(LASTING.as_secs() + 1);
    let (keys, mut file) = (Keys::none(), Vec::new());
    export(&*on.store, &keys, &mut file, on.clock.now(), |_| ()).await.unwrap();
    for write in 0.. {
        let to = sqlite::open().await;
        let dying = Dying::at(&to.store, write);
        let done = dying.do_with(import(&*dying, &keys, Cursor::new(&file), |_, _| ())).await;
        let is_half = is_half_imported(&*to.store).await.unwrap();
        if let Some(done) = done {
            done.unwrap();
            assert!(write > 2 && !is_half, "{write}");
            return;
        }
        assert_eq!(is_half, write > 0, "{write}");
    }
}

/// All bytes of a file and of those beside it.
fn bytes(path: &Path) -> Vec<u8> {
    let folder = path.parent().unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

#[tokio::test]
async fn a_file_holds_nothing_of_a_forgotten_person() {
    let (on, path) = sqlite::open_with_path();
    fill(&on).await;
    assert!(MARKS.iter().all(|mark| holds(&bytes(&path), mark)), "they were there");
    erase(&*on.store, &person(MARKED), on.clock.now(), |_| ()).await.unwrap().unwrap();
    for mark in MARKS {
        assert!(!holds(&bytes(&path), mark), "{mark}");
    }
}

/// The process dies at each write in turn; whoever does it again has all of it done.
#[tokio::test]
async fn a_forgetting_that_was_cut_off_is_done_again() {
    for write in 0.. {
        let (on, path) = sqlite::open_with_path();
        fill(&on).await;
        let at = on.clock.now();
        let dying = Dying::at(&on.store, write);
        let done = dying.do_with(erase(&*dying, &person(MARKED), at, |_| ())).await;
        erase(&*on.store, &person(MARKED), at, |_| ()).await.unwrap().unwrap();
        for mark in MARKS {
            assert!(!holds(&bytes(&path), mark), "{mark} after {write} writes");
        }
        if done.is_some() {
            assert!(write > 3, "{write}");
            return;
        }
    }
}

#[tokio::test]
async fn a_sealed_file_shows_nothing_but_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    let on = sqlite::open_in(path.clone(), folder, keys(1, &[]));
    fill(&on).await;
    for mark in ["Quirina", "example.test", "employee:17", "Somebody Else", "changedBy"] {
        assert!(!holds(&bytes(&path), mark), "{mark}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_nothing_of_a_forgotten_person_and_a_sealed_one_shows_only_ids() {
    let (server, on) = redis::own("");
    fill(&on).await;
    let before = redis::everything(&server);
    assert!(MARKS.iter().all(|mark| holds(&before, mark)), "they were there");
    erase(&*on.store, &person(MARKED), on.clock.now(), |_| ()).await.unwrap().unwrap();
    let after = redis::everything(&server);
    for mark in MARKS {
        assert!(!holds(&after, mark), "{mark}");
    }

    let (server, on) = redis::own_sealed(keys(1, &[]));
    fill(&on).await;
    let all = redis::everything(&server);
    for mark in ["Quirina", "example.test", "employee:17", "Somebody Else", "changedBy"] {
        assert!(!holds(&all, mark), "{mark}");
    }
}

#[tokio::test]
async fn a_file_is_sealed_and_gets_another_key() {
    for old in [None, Some(1)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.db");
        let first = old.map_or_else(Keys::none, |old| keys(old, &[]));
        let on = sqlite::open_in(path.clone(), folder, first);
        let clock = on.clock.clone();
        let open = |keys| -> Arc<dyn Store> {
            Arc::new(SqliteStore::open_sealed(&path, clock.clone(), keys).unwrap())
        };
        is_resealed(on, open, old.as_slice()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_is_sealed_and_gets_another_key() {
    for old in [None, Some(1)] {
        let first = old.map_or_else(Keys::none, |old| keys(old, &[]));
        let (server, on) = redis::own_sealed(first);
        let clock = on.clock.clone();
        let open = |keys| -> Arc<dyn Store> {
            Arc::new(redis::connect(&server.url(), "own", &clock).sealed_with(keys))
        };
        is_resealed(on, open, old.as_slice()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_is_named_at_the_start() {
    let unreadable = |error: StoreError| match error {
        StoreError::Unreadable { what: "store", why } => why,
        other => panic!("{other:?}"),
    };
    let name = keys(1, &[]).names().next().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.db");
    let clock = Fixture::clock();
    drop(SqliteStore::open_sealed(&path, clock.clone(), keys(1, &[])).unwrap());
    for wrong in [Keys::none(), keys(2, &[])] {
        let opened = SqliteStore::open_sealed(&path, clock.clone(), wrong);
        let why = unreadable(opened.map(drop).unwrap_err());
        assert!(why.contains(&name) && why.contains("[store] key"), "{why}");
    }

    let (server, on) = redis::own_sealed(keys(1, &[]));
    on.accept("7", Lane::Live).await;
    for wrong in [Keys::none(), keys(2, &[])] {
        let store = redis::connect(&server.url(), "own", &clock).sealed_with(wrong);
        let why = unreadable(store.link(&person("7")).await.unwrap_err());
        assert!(why.contains(&name), "{why}");
        let why = unreadable(store.put_note("n", None, Some("x")).await.unwrap_err());
        assert!(why.contains(&name), "{why}");
    }
}

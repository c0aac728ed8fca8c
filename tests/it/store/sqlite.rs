//! SQLite: how the suite opens it, and what only a file can suffer: a lock, a full disk, a second
//! process, a newer program.

use std::sync::Arc;

use instep::store::Store;
use instep::store::sqlite::SqliteStore;

use super::suite::{Fixture, Later};

/// A store in a new folder.
pub async fn open() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("instep.db");
    let clock = Fixture::clock();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, clock.clone()).expect("open"));
    let open_again = {
        let (path, clock) = (path.clone(), clock.clone());
        move || {
            let store = SqliteStore::open(&path, clock.clone()).expect("open again");
            Box::pin(std::future::ready(Arc::new(store) as Arc<dyn Store>)) as Later<_>
        }
    };
    let plant = move |id: instep::model::DeliveryId, record: String| {
        let connection = rusqlite::Connection::open(&path).expect("the file");
        let planted = connection
            .execute("UPDATE delivery SET record = ?2 WHERE id = ?1", (id.as_str(), record))
            .expect("plant");
        assert_eq!(planted, 1);
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

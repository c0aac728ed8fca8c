//! Very many dead letters: older ones with another code are not taken for gone.

use tempfile::TempDir;

use super::chats::{chats, configuration, heard};
use super::*;
use crate::config;
use crate::model::{Delivery, DeliveryId, DeliveryState, EmployeeId, EventId, Lane};
use crate::store::Stored;
use crate::store::sqlite::SqliteStore;

fn dead(number: usize, code: &str, at: Timestamp) -> Stored {
    Stored::Delivery(Delivery {
        id: DeliveryId::new(format!("019aa3c1-7a40-7000-8000-{number:012}")),
        event: EventId::new(format!("event {number}")),
        source: SourceName::new("bob"),
        employee: Some(EmployeeId::new(number.to_string())),
        kind: "employee.updated".to_owned(),
        lane: Lane::Live,
        received_at: at,
        state: DeliveryState::Dead,
        due: at,
        attempts: 1,
        looks: 0,
        absences: 0,
        kills: 0,
        replays: 0,
        reason: None,
        code: Some(code.to_owned()),
        history: Vec::new(),
    })
}

#[tokio::test]
async fn what_is_behind_very_many_others_is_still_there() {
    let (url, all) = chats().await;
    let text = configuration(&url).replace("token_expires = 2026-11-30\n", "");
    let text = text.replace(&format!("    {{ type = \"slack\", url = \"{url}/busy\" }},\n"), "");
    let loaded = config::parse(std::path::Path::new("instep.toml"), &text, &|_| None);
    let settings = Arc::new(loaded.expect("in order").settings);
    let folder = TempDir::new().expect("a folder");
    let clock = Clock::manual("2026-11-22T08:00:00Z".parse().expect("a time"));
    let store = SqliteStore::open(&folder.path().join("instep.db"), clock.clone());
    let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
    let mut telling = Telling {
        channels: Channel::all(&settings).expect("chats"),
        sources: vec![SourceName::new("bob")],
        watching: Watching::default(),
        store: Arc::clone(&store),
        clock: clock.clone(),
        settings,
    };
    let mut look = async |seconds: u64| {
        clock.advance(Duration::from_secs(seconds));
        telling.tell().await.expect("a store");
        heard(&all).into_iter().map(|(_, body)| body).collect::<String>()
    };
    let first = [dead(1, "mailAlreadyUsed", clock.now()), dead(2, "brake", clock.now())];
    store.restore(&first).await.expect("a store");
    look(20).await;
    let told = look(61).await;
    assert!(told.contains("1 dead letter: mailAlreadyUsed"), "{told}");
    assert!(told.contains("1 deactivation stopped by the brake"), "{told}");

    let many: Vec<_> = (10..1_200).map(|n| dead(n, "unmapped", clock.now())).collect();
    store.restore(&many).await.expect("a store");
    look(20).await;
    let told = look(61).await;
    assert!(told.contains("at least 1,000 dead letters: unmapped"), "{told}");
    assert!(!told.contains("No dead letters any more") && !told.contains("Over:"), "{told}");

    // When they are gone, it is said.
    let ids = [1, 2].map(|n| DeliveryId::new(format!("019aa3c1-7a40-7000-8000-{n:012}")));
    let closed = store.close(&ids, DeliveryState::Done, "seen", clock.now()).await;
    assert_eq!(closed.expect("a store"), 2);
    look(4_000).await;
    let told = look(61).await;
    assert!(told.contains("No dead letters any more: mailAlreadyUsed"), "{told}");
    assert!(told.contains("No deactivation is stopped by the brake any more"), "{told}");
}

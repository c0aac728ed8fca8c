//! Very many dead letters: older ones with another code are not taken for gone.

use super::chats::{Stage, chats, configuration, heard, stage};
use super::*;
use crate::model::{Arrival, Delivery, DeliveryId, DeliveryState, EmployeeId, Event, Person};
use crate::store::Stored;

fn id(number: usize) -> DeliveryId {
    DeliveryId::new(format!("019aa3c1-7a40-7000-8000-{number:012}"))
}

fn dead(number: usize, code: &str, at: Timestamp) -> Stored {
    let employee = EmployeeId::new(number.to_string());
    let person = Person { source: SourceName::new("bob"), employee };
    let event = Event::of_our_own("employee.updated", &person, code, at);
    Stored::Delivery(Delivery {
        id: id(number),
        state: DeliveryState::Dead,
        code: Some(code.to_owned()),
        ..Arrival::live(event).first_delivery()
    })
}

#[tokio::test]
async fn what_is_behind_very_many_others_is_still_there() {
    let (url, all) = chats().await;
    let text = configuration(&url).replace("token_expires = 2026-11-30\n", "");
    let text = text.replace(&format!("    {{ type = \"slack\", url = \"{url}/busy\" }},\n"), "");
    let Stage { folder: _folder, store, clock, mut telling } = stage(&text);
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
    let closed = store.close(&[1, 2].map(id), DeliveryState::Done, "seen", clock.now()).await;
    assert_eq!(closed.expect("a store"), 2);
    look(4_000).await;
    let told = look(61).await;
    assert!(told.contains("No dead letters any more: mailAlreadyUsed"), "{told}");
    assert!(told.contains("No deactivation is stopped by the brake any more"), "{told}");
}

//! What comes in: each event once, whatever it says; what came to nothing is never swallowed.

use instep::model::{DeliveryState, EventId, SourceName};
use instep::store::Filter;
use serde_json::json;

use super::{on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    the_same_bytes_make_one_delivery
    what_changes_nobody_is_kept_and_visible
    what_cannot_be_taken_is_refused
    a_store_that_is_away_for_a_moment_loses_nothing
}

async fn the_same_bytes_make_one_delivery(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let serving = town.serve(&[]).await;
    // HR sends everything three times.
    let secret = &town.sandbox.credentials().webhook_secret;
    let hook = json!({"url": serving.url("/webhooks/bob"), "secret": secret, "copies": 3});
    town.hr("/_sandbox/webhook", hook).await;
    let id = &town.actives()[1];
    town.change(id, json!({"surname": "Thrice"}));
    town.in_step().await;
    assert_eq!(town.deliveries_of(id).await.len(), 1);
    // One that came to nothing is delivered anew when the same bytes come again.
    let hide = json!({"endpoint": "POST /v1/people/search", "omit_person": [id]});
    town.hr("/_sandbox/faults", hide).await;
    let body = town.event("employee.updated", id);
    assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 200);
    town.at_rest().await;
    let newest = town.deliveries_of(id).await.remove(0);
    assert_eq!(newest.state, DeliveryState::Dead);
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 200);
    town.in_step().await;
    let event = EventId::of(&SourceName::new("bob"), &body);
    let event = town.store().await.event(&event).await.expect("a store").expect("the event");
    let carried = town.store().await.delivery(&event.delivery).await.expect("a store");
    let carried = carried.expect("a delivery");
    assert_eq!(carried.state, DeliveryState::Done);
    assert_ne!(carried.id, newest.id);
    let before = town.deliveries_of(id).await.len();
    assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 200);
    town.at_rest().await;
    assert_eq!(town.deliveries_of(id).await.len(), before);
}

async fn what_changes_nobody_is_kept_and_visible(kept: Kept) {
    let town = Town::new(stepping(8), kept, |toml| {
        *toml = toml.replace("type = \"hibob\"", "type = \"hibob\"\ncompany_id = \"990017\"");
    })
    .await;
    let serving = town.serve(&[]).await;
    let id = &town.actives()[1];
    for body in [
        json!({"companyId": 990_017, "type": "timeoff.request.created", "data": {"employeeId": id}}),
        json!({"companyId": 4711, "type": "employee.updated", "data": {"employeeId": id}}),
        json!({"companyId": 990_017, "type": "employee.updated", "data": {}}),
        json!({"hello": "world"}),
    ] {
        let body = body.to_string().into_bytes();
        assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 200);
    }
    for ping in [&b"Ping test"[..], &br#"{"text":"Ping test"}"#[..]] {
        assert_eq!(town.webhook(&serving, ping, &town.sign(ping)).await, 200);
    }
    let all = town.deliveries(&Filter::default()).await;
    assert_eq!(all.len(), 4, "a ping makes nothing: {all:?}");
    assert!(all.iter().all(|d| d.state == DeliveryState::Ignored && d.reason.is_some()));
    let listed = town.told(&["deliveries", "--state", "ignored", "--json"]).await;
    assert_eq!(listed.lines().count(), 4);
    assert!(listed.contains("timeoff.request.created") && listed.contains("4711"), "{listed}");
    assert_eq!(town.hr_calls().await.of("POST /v1/people/search"), 0);
}

async fn what_cannot_be_taken_is_refused(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let serving = town.serve(&[]).await;
    let body = town.event("employee.updated", "1");
    assert_eq!(town.webhook(&serving, &body, "").await, 401);
    assert_eq!(town.webhook(&serving, &body, &town.sign(b"other")).await, 401);
    let rubbish = b"{not json";
    assert_eq!(town.webhook(&serving, rubbish, &town.sign(rubbish)).await, 400);
    let large = vec![b' '; 2 * 1024 * 1024];
    assert_eq!(town.webhook(&serving, &large, &town.sign(&large)).await, 413);
    let nowhere = town.http().post(serving.url("/webhooks/nobody")).body(body).send().await;
    assert_eq!(nowhere.expect("an answer").status(), 404);
    assert!(town.deliveries(&Filter::default()).await.is_empty());
}

async fn a_store_that_is_away_for_a_moment_loses_nothing(kept: Kept) {
    // A Redis of its own, which can be stopped; a file that another process holds.
    let own = (kept == Kept::Redis).then(crate::harness::redis::Server::single);
    let town = match &own {
        Some(redis) => Town::kept_at(stepping(12), &redis.url(), as_it_is).await,
        None => Town::new(stepping(12), kept, as_it_is).await,
    };
    let serving = town.open().await;
    let actives = town.actives();
    for (n, id) in actives.iter().enumerate() {
        town.change(id, json!({"surname": format!("Before{n}")}));
    }
    let refused = async || {
        town.change(&actives[0], json!({"surname": "Meanwhile"}));
        town.until("a webhook was refused", async || town.sandbox.webhooks().failed > 0).await;
    };
    if let Some(redis) = &own {
        redis.stop();
        refused().await;
        redis.start();
    } else {
        let file = town.config().with_file_name("instep.db");
        let held = rusqlite::Connection::open(file).expect("the file");
        held.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        refused().await;
        held.execute_batch("ROLLBACK").expect("let go");
    }
    town.in_step().await;
    let live = town.http().get(serving.url("/health/ready")).send().await.expect("an answer");
    assert_eq!(live.status(), 200);
    assert_eq!(town.deliveries(&Filter::default()).await.len(), actives.len() + 1);
}

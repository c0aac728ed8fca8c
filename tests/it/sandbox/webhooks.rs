//! What HiBob's double sends: which events, signed how, in which order, how often.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use instep::sandbox::{Life, sign};
use serde_json::{Value, json};

use super::{Town, until};

/// Takes webhooks; refuses as many as it is told to.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<(Value, bool)>>>,
    refuse: Arc<Mutex<usize>>,
}

const SECRET: &str = "k3y-ünï";

impl Ear {
    async fn open() -> (Self, String) {
        let ear = Self::default();
        let hear = |State(ear): State<Self>, headers: HeaderMap, body: Bytes| async move {
            {
                let mut refuse = ear.refuse.lock().unwrap();
                if *refuse > 0 {
                    *refuse -= 1;
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
            }
            let signed = headers["bob-signature"] == sign(SECRET, &body);
            let text = || String::from_utf8_lossy(&body).into();
            let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
            ear.heard.lock().unwrap().push((body, signed));
            StatusCode::OK
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().route("/hook", post(hear)).with_state(ear.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (ear, url)
    }

    fn bodies(&self) -> Vec<Value> {
        self.heard.lock().unwrap().iter().map(|(body, _)| body.clone()).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.bodies().iter().map(|body| body["type"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn signatures_are_those_of_the_fact_sheet() {
    let first = r#"{"companyId":990017,"type":"employee.created","triggeredBy":"4000000000000000002","triggeredAt":"2026-03-02T08:15:30.123456","version":"v2","data":{"employeeId":"4000000000000000017"}}"#;
    assert_eq!(first.len(), 184);
    let vectors = [
        (
            "test-secret",
            "Ping test",
            "eDct8FSJDg1POGEfcRZD6uLCbmHvWtRwawOvBRDe5wc6UyQkpVfQC1tYsUzKOjET/BM0uXABNaUu6BvKQ5/mEw==",
        ),
        (
            "test-secret",
            first,
            "WcwsGtlSe0bSME1t+OV2bcC4L6Rf7N9vCNgRdrbh7BBl/IyqaLYUgZpaM189M7yflqZ8C3Lu+UMQ0z4xW3nabw==",
        ),
        (
            SECRET,
            first,
            "Dz1QmglplKIoVHcuWXXe9wT1zuwPRiS9xRqxngoK3/CYR2n2M6wUur796e629v+bCFLFvL0xUxidzfmGShe1gA==",
        ),
    ];
    for (secret, body, signature) in vectors {
        assert_eq!(sign(secret, body.as_bytes()), signature);
    }
}

#[tokio::test]
async fn each_change_sends_the_fitting_events_in_order() {
    let town = Town::small().await;
    let (ear, url) = Ear::open().await;
    town.order_bob("webhook", json!({"url": url, "secret": SECRET})).await;
    let id = "4111111111111111111";
    let life = |word: &str| json!({"internal": {"lifecycleStatus": word}});
    let steps = [
        (json!({"firstName": "Zoë", "surname": "Kowalczyk"}), "created joined activated"),
        (json!({"surname": "Brisk"}), "updated"),
        (json!({"surname": "Brisk"}), ""),
        (json!({"work": {"site": "Leeds"}}), "table.entry.created updated"),
        (life("parental leave"), "table.entry.created updated temporaryLeave inactivated"),
        (life("employed"), "table.entry.created updated activated"),
        (life("garden leave"), "table.entry.created updated left"),
        (life("terminated"), "table.entry.created updated inactivated"),
        (life("employed"), "table.entry.created updated joined activated"),
        (
            json!({"internal": {"status": "Inactive"}}),
            "table.entry.created updated left inactivated",
        ),
    ];
    let mut expected = Vec::new();
    for (merge, events) in steps {
        let got = town.order_bob("people", json!({"id": id, "merge": merge})).await;
        let events: Vec<_> = events
            .split_whitespace()
            .map(
                |word| {
                    if word.contains('.') { word.to_owned() } else { format!("employee.{word}") }
                },
            )
            .collect();
        assert_eq!(got.body, json!({"id": id, "events": events}), "{merge}");
        expected.extend(events);
    }
    town.order_bob("people", json!({"id": id, "delete": true})).await;
    expected.push("employee.deleted".to_owned());
    until("all are heard", async || ear.kinds().len() == expected.len()).await;
    assert_eq!(ear.kinds(), expected);
    assert!(ear.heard.lock().unwrap().iter().all(|(_, signed)| *signed));

    let bodies = ear.bodies();
    let mut times: Vec<_> = bodies.iter().map(|body| body["triggeredAt"].to_string()).collect();
    times.dedup();
    assert_eq!(times.len(), expected.len(), "no two events are the same bytes");
    assert_eq!(bodies[0]["version"], "v2");
    assert_eq!(bodies[0]["data"], json!({"employeeId": id}));
    assert_eq!(bodies[3]["data"]["fieldUpdates"], json!([{"id": "root.surname"}]));
    assert_eq!(bodies[4]["data"]["tableId"], "work");
}

#[tokio::test]
async fn a_refused_event_is_sent_again_and_those_behind_it_wait() {
    let town = Town::small().await;
    let (ear, url) = Ear::open().await;
    *ear.refuse.lock().unwrap() = 2;
    town.order_bob("webhook", json!({"url": url, "secret": SECRET})).await;
    let state = town.bob_state().await;
    let id = &state["people"][2]["id"];
    for name in ["Aa", "Bb", "Cc"] {
        let change = json!({"id": id, "merge": {"surname": name}, "send": ["employee.invented"]});
        assert_eq!(town.order_bob("people", change).await.status, 200);
    }
    until("all are acknowledged", async || town.sandbox.webhooks().acknowledged == 6).await;
    let progress = town.bob_state().await["webhooks"].clone();
    assert_eq!((&progress["sent"], &progress["failed"]), (&json!(8), &json!(2)));
    assert_eq!(progress["waiting"], 0);
    assert_eq!(ear.kinds(), ["employee.updated", "employee.invented"].repeat(3));
}

#[tokio::test]
async fn a_new_webhook_can_be_pinged_and_events_doubled() {
    let town = Town::small().await;
    let (ear, url) = Ear::open().await;
    *ear.refuse.lock().unwrap() = 1;
    let hook = json!({"url": url, "secret": SECRET, "ping": true, "copies": 2});
    town.order_bob("webhook", hook).await;
    until("the second ping", async || ear.bodies() == [json!({"text": "Ping test"})]).await;
    town.order_bob("people", json!({"merge": {"internal": {"lifecycleStatus": "hired"}}})).await;
    until("both copies", async || ear.bodies().len() == 3).await;
    assert_eq!(ear.bodies()[1], ear.bodies()[2]);
}

#[tokio::test]
async fn a_storm_of_changes_goes_out_whole() {
    let town = Town::with(instep::sandbox::Options { people: 300, ..Default::default() }).await;
    let (ear, url) = Ear::open().await;
    town.order_bob("webhook", json!({"url": url, "secret": SECRET})).await;
    let people = town.sandbox.people();
    let storm = (0..900)
        .map(|n| json!({"id": people[n % 300]["id"], "merge": {"surname": format!("N{n}")}}));
    let got = town.order_bob("people", storm.collect()).await;
    assert_eq!(got.body.as_array().unwrap().len(), 900);
    until("all are heard", async || ear.heard.lock().unwrap().len() == 900).await;
    // Each person's events arrive in the order in which they happened.
    for person in &people {
        let times: Vec<_> = ear
            .bodies()
            .iter()
            .filter(|body| body["data"]["employeeId"] == person["id"])
            .map(|body| body["triggeredAt"].as_str().unwrap().to_owned())
            .collect();
        assert!(times.len() == 3 && times.is_sorted(), "{times:?}");
    }
}

#[tokio::test]
async fn the_same_seed_lives_the_same_life() {
    let lived = async || {
        let town = Town::small().await;
        let mut life = Life::new(11);
        let deeds: Vec<_> = (0..300).map(|_| town.sandbox.live(&mut life).0.what).collect();
        let people = town.sandbox.people();
        let unlike = people.iter().filter_map(|p| p["email"].as_str()).map(str::to_lowercase);
        let mut mails: Vec<_> = unlike.collect();
        let count = mails.len();
        mails.sort();
        mails.dedup();
        assert_eq!(mails.len(), count, "no two people share an address");
        (deeds, people)
    };
    let (one, other) = (lived().await, lived().await);
    assert_eq!(one, other);
    for part in
        ["moves to", "is now", "is hired", "leaves", "goes on leave", "reports to", "comes back"]
    {
        assert!(one.0.iter().any(|what| what.contains(part)), "nobody {part}");
    }
}

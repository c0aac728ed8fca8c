//! Failures by cause, and replay: counted, previewed, confirmed, fed; on both stores, through the
//! binary.

mod carrying_on;
mod expiring;
mod failing;
mod live_first;
mod previewing;

use std::time::Duration;

use instep::model::{
    Arrival, Attempt, DeliveryId, DeliveryState, EmployeeId, Event, EventId, Run, RunState,
    SourceName,
};
use instep::sandbox::Options;
use instep::store::{LeaseRequest, Runs};
use serde_json::{Value, json};

use crate::harness::town::{Kept, PATIENCE, Town, patient};

/// Where HR is asked for people.
const SEARCH: &str = "POST /v1/people/search";

/// So many people, whose accounts bear their ids. Nobody serves yet, and HR sends no webhooks.
async fn town(people: usize, kept: Kept, adjust: impl FnOnce(&mut String)) -> Town {
    let platform = Some("instep-bob".to_owned());
    let options = Options { people, in_step: true, platform, ..Options::default() };
    let town = Town::new(options, kept, |toml| {
        patient(toml);
        adjust(toml);
    })
    .await;
    town.sandbox.limit(false);
    town
}

/// A dead letter of somebody. Nobody may serve yet.
async fn dead(town: &Town, id: &str, kind: &str, code: &str, reason: &str) -> DeliveryId {
    let (store, source) = (town.store().await, SourceName::new("bob"));
    let raw = town.event(kind, id);
    let arrival = Arrival::live(Event {
        id: EventId::of(&source, &raw),
        source: source.clone(),
        kind: kind.to_owned(),
        company: None,
        employee: Some(EmployeeId::new(id)),
        received_at: town.now(),
        raw: raw.into(),
    });
    let delivery = arrival.delivery.clone();
    store.accept(arrival).await.expect("it is taken in");
    let request = LeaseRequest {
        source: &source,
        persons: 100,
        lasting: Duration::from_secs(60),
        without: None,
    };
    let at = town.now();
    for mut lease in store.lease(request).await.expect("leases") {
        let mut deliveries = std::mem::take(&mut lease.deliveries);
        for delivery in &mut deliveries {
            delivery.state = DeliveryState::Dead;
            delivery.due = town.now();
            delivery.code = Some(code.to_owned());
            delivery.reason = Some(reason.to_owned());
            delivery.remember(Attempt {
                at,
                took_ms: 1,
                read: Vec::new(),
                rules: String::new(),
                decided: "update job".to_owned(),
                done: vec!["tried before".to_owned()],
                outcome: format!("dead: {code}"),
            });
        }
        store.settle(lease, deliveries, None).await.expect("it is settled");
    }
    delivery
}

/// A dead letter whose cause is of no matter.
async fn failed(town: &Town, id: &str) -> DeliveryId {
    dead(town, id, "employee.updated", "mailAlreadyUsed", "another account has the mail").await
}

async fn state(town: &Town, id: &DeliveryId) -> DeliveryState {
    town.store().await.delivery(id).await.expect("a store").expect("it is kept").state
}

/// What a command says, and by which code it ends.
async fn said(town: &Town, args: &[&str]) -> (Option<i32>, String) {
    let output = town.cli(args).await;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Makes a replay's preview; gives the run with its items as JSON.
async fn preview(town: &Town, args: &[&str]) -> Value {
    let all = [&["replay", "--preview", "--json", "--by", "ann"], args].concat();
    serde_json::from_str(&town.told(&all).await).expect("JSON")
}

fn run_id(preview: &Value) -> String {
    preview["run"]["id"].as_str().expect("an id").to_owned()
}

async fn last(town: &Town) -> Run {
    let mut runs = town.store().await.runs(None, Runs::All, 1).await.expect("a store");
    runs.pop().expect("there is a run")
}

async fn until_ended(town: &Town) -> Run {
    town.until("the replay has ended", async || last(town).await.ended_at.is_some()).await;
    last(town).await
}

fn left() -> Value {
    json!({"internal": {"status": "Inactive"}})
}

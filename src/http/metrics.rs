//! `/metrics`: the numbers, as text for Prometheus.
//!
//! What is counted as it happens is in the recorder already; what the store knows (how much waits,
//! since when, what is on hold) is read when someone asks. No number bears a person's name or id.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use jiff::Timestamp;

use super::HttpState;
use super::health::Said;
use crate::clock::elapsed_ms;
use crate::model::DeliveryState;

/// `GET /metrics`. Answers even when the store does not: then `instep_store_up` is 0 and what the
/// store would tell stands still.
pub(super) async fn render(State(state): State<Arc<HttpState>>) -> impl IntoResponse {
    let said = state.health.store().await;
    metrics::gauge!("instep_store_up").set(if said.is_ok() { 1.0 } else { 0.0 });
    if let Ok(said) = said {
        refresh(&said, &state, state.clock.now());
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.recorder.render())
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; 2^53 deliveries are not kept")]
fn refresh(said: &Said, state: &HttpState, now: Timestamp) {
    let depth = &said.depth;
    for of in DeliveryState::ALL {
        let count = match of {
            DeliveryState::Waiting => depth.waiting,
            DeliveryState::Dead => depth.dead,
            DeliveryState::Done => depth.done,
            DeliveryState::Ignored => depth.ignored,
        };
        metrics::gauge!("instep_deliveries", "state" => of.word()).set(count as f64);
    }
    let oldest = depth.oldest.map_or(0, |oldest| elapsed_ms(oldest, now));
    metrics::gauge!("instep_oldest_waiting_seconds").set(oldest as f64 / 1000.0);
    metrics::gauge!("instep_leased_persons").set(depth.leased as f64);
    // Every scope that can be on hold is always there, so that an alert can tell 0 from silence.
    let scopes = state.doors.keys().map(|name| format!("source {name}"));
    for scope in scopes.chain(["target".to_owned()]) {
        let held = said.holds.iter().any(|hold| hold.scope == scope);
        metrics::gauge!("instep_hold", "scope" => scope).set(f64::from(u8::from(held)));
    }
}

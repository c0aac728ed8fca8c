//! `/metrics`: the numbers, as text for Prometheus.
//!
//! What is counted as it happens is in the recorder already; what the store and the operating system
//! know is read when someone asks. No number bears a person's name or id.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::exposition::Page;
use super::{HttpState, process};

/// `GET /metrics`. Answers even when the store does not: then `instep_store_up` is 0 and what the
/// store would tell is left out, for nobody knows it.
pub(super) async fn render(State(state): State<Arc<HttpState>>) -> impl IntoResponse {
    let said = state.health.store().await;
    let mut page = Page::default();
    page.gauge("instep_build_info", "1; which version this is")
        .put(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    process::write(&mut page);
    let up = if said.is_ok() { 1.0 } else { 0.0 };
    page.gauge("instep_store_up", "1 when the store answered just now").put(&[], up);
    if let Ok(said) = said {
        let sources: BTreeSet<&str> = state.doors.keys().map(String::as_str).collect();
        let now = state.clock.now();
        state.figures.write(&mut page, &*state.store, &said, &sources, now).await;
    }
    let text = state.recorder.render() + &page.into_text();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

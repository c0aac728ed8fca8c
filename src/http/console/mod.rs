//! The console: pages for people, rendered here, that work without JavaScript and take no asset from
//! elsewhere. A page looks; what people do on it goes to the [`Desk`](super::desk::Desk).

mod frame;
mod now;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::HttpState;

/// Everything under `/console`.
pub fn router() -> Router<Arc<HttpState>> {
    Router::new().route("/console", get(now::page))
}

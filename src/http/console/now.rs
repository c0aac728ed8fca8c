//! The first page: how things are.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{self, Frame, Section};
use super::visit::Visit;
use crate::http::HttpState;
use crate::model::Refused;
use crate::store::Depth;

#[derive(Template)]
#[template(path = "now.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    depth: Depth,
}

/// `GET /console`
pub(super) async fn page(State(state): State<Arc<HttpState>>, visit: Visit) -> Response {
    match state.store.depth().await {
        Ok(depth) => frame::page(&Page { frame: visit.frame(Section::Now), depth }),
        Err(error) => frame::no_page(visit, Section::Now, &Refused::Unavailable(error.to_string())),
    }
}

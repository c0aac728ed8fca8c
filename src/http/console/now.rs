//! The first page: how things are.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::frame::{self, Frame, Section};
use crate::http::HttpState;
use crate::http::error::status_of_refused;
use crate::http::who::SignedIn;
use crate::store::Depth;

#[derive(Template)]
#[template(path = "now.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    depth: Depth,
}

/// `GET /console`
pub(super) async fn page(State(state): State<Arc<HttpState>>, who: SignedIn) -> Response {
    match state.store.depth().await {
        Ok(depth) => frame::page(&Page { frame: Frame::of(who, Section::Now), depth }),
        Err(error) => {
            let refused = crate::model::Refused::Unavailable(error.to_string());
            (status_of_refused(&refused), refused.to_string()).into_response()
        }
    }
}

//! The console: pages for people, rendered here, that work without JavaScript and take no asset from
//! elsewhere. A page looks; what people do on it goes to the [`Desk`](super::desk::Desk).

pub(super) mod assets;
mod events;
mod frame;
mod now;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;

pub(super) use self::events::STREAMS;
use self::frame::Section;
use self::visit::Visit;
use super::HttpState;
use crate::model::Refused;

/// Everything under `/console` for those who are signed in.
pub fn router() -> Router<Arc<HttpState>> {
    Router::new()
        .route("/console", get(now::page))
        .route("/console/events", get(events::stream))
        .route("/console/{*rest}", get(nowhere))
}

/// What everybody may load.
pub fn assets() -> Router<Arc<HttpState>> {
    assets::router()
}

/// There is no such page.
async fn nowhere(visit: Visit) -> Response {
    let refused = Refused::NotFound("there is no such page".to_owned());
    frame::no_page(visit, Section::Now, &refused)
}

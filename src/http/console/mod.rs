//! The console: pages for people, rendered here, that work without JavaScript and take no asset from
//! elsewhere. A page looks; what people do on it goes to the [`Desk`](super::desk::Desk).

mod address;
pub(super) mod assets;
mod attempts;
mod audit;
mod chart;
mod deliveries;
mod delivery;
mod events;
mod explained;
mod failures;
mod fields;
mod frame;
mod now;
mod people;
mod person;
mod plain;
mod rules;
mod runs;
mod spark;
mod unmask;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::get;

pub(super) use self::events::Seats;
use self::frame::Section;
use self::visit::Visit;
use super::HttpState;
use crate::model::Refused;

/// So many bytes a form can have.
const FORM: usize = 64 * 1024;

/// Everything under `/console` for those who are signed in.
pub fn router() -> Router<Arc<HttpState>> {
    Router::new()
        .route("/console", get(now::page).post(now::act))
        .route("/console/runs", get(runs::list).post(runs::start))
        .route("/console/runs/{id}", get(runs::page).post(runs::decide))
        .route("/console/runs/{id}/slices/{slice}", get(runs::slice::page))
        .route(
            "/console/runs/{id}/files/{name}",
            get(runs::file::told).post(runs::file::told_in_full),
        )
        .route("/console/rules", get(rules::page).post(rules::act))
        .route("/console/rules/{source}/{version}", get(rules::version))
        .route("/console/audit", get(audit::page))
        .route("/console/events", get(events::stream))
        .route("/console/people", get(people::page).post(people::act))
        .route("/console/people/{source}/{employee}", get(person::page).post(person::act))
        .route("/console/deliveries", get(deliveries::page).post(deliveries::act))
        .route("/console/deliveries/{id}", get(delivery::page).post(delivery::act))
        .route("/console/failures", get(failures::page))
        .route("/console/failures/{cause}", get(failures::one).post(failures::act))
        .route("/console/{*rest}", get(nowhere))
        .layer(DefaultBodyLimit::max(FORM))
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

//! `/api/v1`: the same questions and deeds as in the console and on the command line, as JSON, for
//! programs with a token. A question is a `GET` and changes nothing; every deed is a `POST` of the
//! verb to `/api/v1/deeds`.
//!
//! What is answered is described by `/api/v1/openapi.json`. A refusal is a problem document
//! (RFC 9457) that says what to do. Names, mails and values of fields are left out unless somebody
//! who may see them asks with `personal=true`, which is written into the audit log.

mod asked;
mod audit;
mod deeds;
mod deliveries;
mod failures;
mod now;
mod people;
mod problem;
mod runs;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};

pub use self::asked::Turnstile;
use self::problem::Problem;
pub use self::problem::in_one_shape;
use super::HttpState;

/// The most entries in one answer.
const MOST: usize = 500;

/// The description of everything below.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Everything under `/api/v1`.
pub fn router() -> Router<Arc<HttpState>> {
    let paths = Router::new()
        .route("/openapi.json", get(describe))
        .route("/now", get(now::now))
        .route("/failures", get(failures::list))
        .route("/failures/{cause}", get(failures::one))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(deliveries::one))
        .route("/deliveries/{id}/event", get(deliveries::event))
        .route("/people", get(people::search))
        .route("/people/{source}/{employee}", get(people::one))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::one))
        .route("/runs/{id}/items", get(runs::items))
        .route("/audit", get(audit::list))
        .route("/deeds", post(deeds::act))
        .method_not_allowed_fallback(async || Problem::method())
        .fallback(async || Problem::no_path());
    Router::new().nest("/api/v1", paths)
}

/// `GET /api/v1/openapi.json`
async fn describe() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/vnd.oai.openapi+json;version=3.1")], DESCRIPTION)
}

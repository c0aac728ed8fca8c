//! `/failures`: what needs a human, by cause.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::asked::{Caller, Place};
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Actor, Failure, Question};

/// All causes.
#[derive(Debug, Serialize)]
pub(super) struct Failures {
    failures: Vec<Failure>,
}

/// `GET /api/v1/failures`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
) -> Result<Json<Failures>, Problem> {
    let failures = ask(&state, &actor).await?;
    Ok(Json(Failures { failures }))
}

/// `GET /api/v1/failures/{cause}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Place(cause): Place<String>,
) -> Result<Json<Failure>, Problem> {
    let found = ask(&state, &actor).await?.into_iter().find(|failure| failure.cause == cause);
    let gone = "there is no failure of this cause (any more): /api/v1/failures lists them";
    found.map(Json).ok_or_else(|| Problem::not_found(gone))
}

async fn ask(state: &HttpState, actor: &Actor) -> Result<Vec<Failure>, Problem> {
    match state.ask(actor, Question::Failures).await? {
        Answer::Failures(failures) => Ok(failures),
        _ => Ok(Vec::new()),
    }
}

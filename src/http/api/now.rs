//! `/now`: how things are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::asked::Caller;
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::{Pause, Pauses, Run};
use crate::store::{Depth, Hold, Runs};

/// So many of the newest runs are shown.
const RUNS: usize = 5;

/// How things are.
#[derive(Debug, Serialize)]
pub(super) struct Now {
    /// The time.
    at: jiff::Timestamp,
    /// How much there is.
    depth: Depth,
    /// What is set aside because it fails.
    holds: Vec<Hold>,
    /// What people or maintenance windows paused.
    pauses: Vec<Pause>,
    /// The newest runs.
    runs: Vec<Run>,
}

/// `GET /api/v1/now`
pub(super) async fn now(
    State(state): State<Arc<HttpState>>,
    _: Caller,
) -> Result<Json<Now>, Problem> {
    let (store, at) = (&*state.store, state.clock.now());
    let pauses = Pauses::read(store.note(Pauses::NOTE).await?.as_deref()).unwrap_or_default();
    Ok(Json(Now {
        at,
        depth: store.depth().await?,
        holds: store.holds().await?,
        pauses: pauses.counting(at).cloned().collect(),
        runs: store.runs(None, Runs::All, RUNS).await?,
    }))
}

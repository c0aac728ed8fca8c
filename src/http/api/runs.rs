//! `/runs`: full syncs and replays, and who is in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Caller, Limit, Place, sees};
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::{Drift, Item, Run, RunId, SourceName};
use crate::store;

/// The query of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    source: Option<SourceName>,
    #[serde(default)]
    open: bool,
    #[serde(default)]
    limit: Limit,
}

/// Runs, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Runs {
    runs: Vec<Run>,
}

/// `GET /api/v1/runs`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    _: Caller,
    Asked(Query { source, open, limit: Limit(most) }): Asked<Query>,
) -> Result<Json<Runs>, Problem> {
    let which = if open { store::Runs::Open } else { store::Runs::All };
    let runs = state.store.runs(source.as_ref(), which, most).await?;
    Ok(Json(Runs { runs }))
}

/// `GET /api/v1/runs/{id}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    _: Caller,
    Place(id): Place<RunId>,
) -> Result<Json<Run>, Problem> {
    find(&state, &id).await.map(Json)
}

/// The query of a run's items.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    #[serde(default)]
    after: u32,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    limit: Limit,
}

/// Some items of a run, by their numbers.
#[derive(Debug, Serialize)]
pub(super) struct Items {
    items: Vec<Item>,
    /// Give it as `after` for the next ones; none at the end.
    next: Option<u64>,
}

/// `GET /api/v1/runs/{id}/items`
pub(super) async fn items(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Place(id): Place<RunId>,
    Asked(Part { after, personal, limit: Limit(most) }): Asked<Part>,
) -> Result<Json<Items>, Problem> {
    find(&state, &id).await?;
    let personal = sees(&state, &actor, personal, || format!("run {id}")).await?;
    let mut items = state.store.items(&id, after.into(), most).await?;
    if !personal {
        items.iter_mut().for_each(mask);
    }
    let next = (items.len() == most).then(|| items.last().map(|item| item.number)).flatten();
    Ok(Json(Items { items, next }))
}

/// Leaves out what says something of a person, as reports do: what their groups are called says
/// where they work.
fn mask(item: &mut Item) {
    item.name.clear();
    for drift in &mut item.drift {
        match drift {
            Drift::Field { old, new, .. } => (*old, *new) = (None, None),
            Drift::NotInGroup { group } | Drift::InGroup { group } => group.clear(),
            Drift::Manager { .. }
            | Drift::MissingAccount
            | Drift::ShouldBeInactive
            | Drift::NotShown
            | Drift::ShouldBeActive
            | Drift::Orphan
            | Drift::Refused { .. }
            | Drift::Disputed { .. } => {}
        }
    }
}

async fn find(state: &HttpState, id: &RunId) -> Result<Run, Problem> {
    let gone = "there is no run with this id (any more)";
    state.store.run(id).await?.ok_or_else(|| Problem::not_found(gone))
}

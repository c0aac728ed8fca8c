//! `/audit`: who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Caller, Limit};
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::{Access, AuditEntry, AuditId, Refused};

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    before: Option<AuditId>,
    #[serde(default)]
    limit: Limit,
}

/// Entries, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Entries {
    entries: Vec<AuditEntry>,
    /// Give it as `before` for the next ones; none at the end.
    next: Option<AuditId>,
}

/// `GET /api/v1/audit`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Asked(Query { before, limit: Limit(most) }): Asked<Query>,
) -> Result<Json<Entries>, Problem> {
    if actor.access < Access::Operator {
        return Err(Refused::Forbidden(Access::Operator).into());
    }
    let entries = state.store.audit(before.as_ref(), most).await?;
    let next = (entries.len() == most).then(|| entries.last().map(|it| it.id.clone())).flatten();
    Ok(Json(Entries { entries, next }))
}

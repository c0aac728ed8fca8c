//! `/deliveries`: what came in and what became of it. They hold ids and names of fields, no values;
//! the raw body of an event is another matter, and looking at it is written down.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Caller, Limit, Place, sees};
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{
    Delivery, DeliveryId, DeliveryState, EmployeeId, EventId, Question, SourceName, Which,
};

/// The query of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    state: Option<DeliveryState>,
    source: Option<SourceName>,
    employee: Option<EmployeeId>,
    code: Option<String>,
    kind: Option<String>,
    cause: Option<String>,
    text: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    before: Option<DeliveryId>,
    #[serde(default)]
    limit: Limit,
}

/// Some deliveries, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Deliveries {
    deliveries: Vec<Delivery>,
    /// Give it as `before` for the next ones; none at the end.
    next: Option<DeliveryId>,
}

/// `GET /api/v1/deliveries`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Asked(query): Asked<Query>,
) -> Result<Json<Deliveries>, Problem> {
    let Query { before, limit: Limit(most), .. } = query;
    let which = Which {
        ids: Vec::new(),
        cause: query.cause,
        state: query.state,
        source: query.source,
        employee: query.employee,
        code: query.code,
        kind: query.kind,
        since: query.since,
        until: query.until,
        text: query.text,
    };
    let question = Question::Deliveries { which, before, most };
    match state.ask(&actor, question).await? {
        Answer::Deliveries { found, next } => Ok(Json(Deliveries { deliveries: found, next })),
        _ => Ok(Json(Deliveries { deliveries: Vec::new(), next: None })),
    }
}

/// `GET /api/v1/deliveries/{id}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    _: Caller,
    Place(id): Place<DeliveryId>,
) -> Result<Json<Delivery>, Problem> {
    find(&state, &id).await.map(Json)
}

/// An event as it came in.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    id: EventId,
    source: SourceName,
    kind: String,
    company: Option<String>,
    employee: Option<EmployeeId>,
    received_at: Timestamp,
    /// How often the same bytes came again.
    repeats: u64,
    /// The body, byte for byte, in base64.
    raw: String,
}

/// `GET /api/v1/deliveries/{id}/event`
pub(super) async fn event(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Place(id): Place<DeliveryId>,
) -> Result<Json<Event>, Problem> {
    let delivery = find(&state, &id).await?;
    sees(&state, &actor, true, || format!("event of delivery {id}")).await?;
    let gone = "the event of this delivery is not kept any more";
    let kept = state.store.event(&delivery.event).await?;
    let kept = kept.ok_or_else(|| Problem::not_found(gone))?;
    Ok(Json(Event {
        id: kept.event.id,
        source: kept.event.source,
        kind: kept.event.kind,
        company: kept.event.company,
        employee: kept.event.employee,
        received_at: kept.event.received_at,
        repeats: kept.repeats,
        raw: BASE64_STANDARD.encode(&kept.event.raw),
    }))
}

async fn find(state: &HttpState, id: &DeliveryId) -> Result<Delivery, Problem> {
    let gone = "there is no delivery with this id (any more)";
    state.store.delivery(id).await?.ok_or_else(|| Problem::not_found(gone))
}

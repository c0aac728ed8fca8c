//! `POST /webhooks/{source}`: an event is answered 200 when it is durable, never before.
//!
//! The order is the promise: nothing is read from an unknown source, nothing is parsed before its
//! signature is right, nothing is answered 200 before the store has it. A sender that gets anything
//! else sends again, and the same bytes twice make one delivery. `HiBob` takes nothing but exactly
//! 200 for success (facts: its note on webhook pings), so there is no 202 and no 204.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use governor::clock::{Clock as _, DefaultClock};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use super::error::Refusal;
use super::{Door, HttpState, Limits};
use crate::model::Fate;
use crate::sources::hibob::webhook;
use crate::store::Accepted;

/// What each webhook under way takes of [`Limits::room`] at least, in bytes: the cost of a
/// connection's buffers and a body of the usual size.
pub const SHARE: u32 = 16 * 1024;

/// `HiBob` signs the raw body under this name.
const SIGNATURE: &str = "bob-signature";

/// How a webhook ended well.
enum Taken {
    Ping,
    Repeat,
    Ignored,
    Accepted,
}

impl Taken {
    fn word(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Repeat => "repeat",
            Self::Ignored => "ignored",
            Self::Accepted => "accepted",
        }
    }
}

/// Takes one webhook in.
pub(super) async fn receive(
    State(state): State<Arc<HttpState>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(door) = state.doors.get(&name) else {
        // The name is the sender's: it is cut for the log and never becomes a label.
        let name: String = name.chars().take(40).collect();
        tracing::warn!(source = ?name, outcome = "unknown_source", "webhook refused");
        metrics::counter!("instep_webhooks_total", "source" => "unknown", "outcome" => "unknown_source")
            .increment(1);
        return Refusal::UnknownSource.into_response();
    };
    let began = state.clock.now();
    let span = info_span!(target: "instep::trace", parent: None, "webhook", side = "server",
        source = door.source.as_str(), delivery = Empty, root = Empty, kind = Empty,
        outcome = Empty, failed = Empty);
    let taken = take(&state, door, request, began).instrument(span.clone()).await;
    let word = taken.as_ref().map_or_else(Refusal::word, Taken::word);
    span.record("outcome", word);
    span.record("failed", taken.is_err());
    drop(span);
    let source = door.source.as_str().to_owned();
    metrics::histogram!("instep_receive_seconds", "source" => source.clone())
        .record(state.clock.now().duration_since(began).as_secs_f64());
    metrics::counter!("instep_webhooks_total", "source" => source, "outcome" => word).increment(1);
    match taken {
        Ok(_) => StatusCode::OK.into_response(),
        Err(refusal) => {
            log(&refusal, door);
            refusal.into_response()
        }
    }
}

async fn take(
    state: &HttpState,
    door: &Door,
    request: Request,
    now: Timestamp,
) -> Result<Taken, Refusal> {
    if let Err(not_until) = door.rate.check() {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        return Err(Refusal::RateLimited(wait + Duration::from_secs(1)));
    }
    let (head, body) = request.into_parts();
    let (body, _room) = timeout(state.limits.body_time, read(body, &state.limits, &state.room))
        .await
        .map_err(|_| Refusal::TooSlow)??;
    if webhook::is_ping(&body) {
        return Ok(Taken::Ping);
    }
    let signature = head.headers.get(SIGNATURE).map(axum::http::HeaderValue::as_bytes);
    let verified = door.verifier.verify(signature, &body).map_err(|_| {
        if webhook::is_signature(signature) {
            door.signatures.refused(now);
        }
        Refusal::BadSignature
    })?;
    door.signatures.fits(verified.signed_by(), now);
    if !may_be_json(&head.headers) {
        return Err(Refusal::NotJsonType);
    }
    let arrival = webhook::arrival(verified, &door.source, door.company.as_deref(), now)
        .map_err(|not_json| Refusal::NotJson(not_json.to_string()))?;
    let to_deliver = matches!(arrival.fate, Fate::Deliver(_));
    let span = tracing::Span::current();
    span.record("kind", arrival.event.kind.as_str());
    let began = state.clock.now().as_millisecond();
    let accepted = timeout(state.limits.store_time, state.store.accept(arrival)).await;
    match &accepted {
        Ok(Ok(Accepted::New(id))) => {
            span.record("delivery", id.as_str());
            span.record("root", true);
            state.newest.note(id);
        }
        // It stands in the trace of the delivery that carries the event already.
        Ok(Ok(Accepted::Repeat(id))) => {
            span.record("delivery", id.as_str());
        }
        _ => {}
    }
    // Only now it is known to which trace it belongs.
    info_span!(target: "instep::trace", "accept", began_ms = began);
    match accepted {
        Err(_) => Err(Refusal::StoreTooSlow),
        Ok(Err(error)) => Err(Refusal::Store(error)),
        Ok(Ok(Accepted::Repeat(_))) => Ok(Taken::Repeat),
        Ok(Ok(Accepted::New(_))) if to_deliver => {
            door.wake.notify_one();
            Ok(Taken::Accepted)
        }
        Ok(Ok(Accepted::New(_))) => Ok(Taken::Ignored),
    }
}

/// Reads a body within its limit and within the room that all bodies share. The room is free again
/// when the permit is dropped.
pub(super) async fn read(
    mut body: Body,
    limits: &Limits,
    room: &Arc<Semaphore>,
) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
    let take = |bytes| Arc::clone(room).try_acquire_many_owned(bytes).map_err(|_| Refusal::Busy);
    // What the sender announces is refused before a byte of it is read.
    if body.size_hint().lower() > limits.body as u64 {
        return Err(Refusal::TooLarge(limits.body));
    }
    let mut permit = take(SHARE)?;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenOff)?.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limits.body {
            return Err(Refusal::TooLarge(limits.body));
        }
        if let Some(more) = length.checked_sub(permit.num_permits()).filter(|more| *more > 0) {
            permit.merge(take(u32::try_from(more).map_err(|_| Refusal::Busy)?)?);
        }
        if bytes.is_empty() && body.is_end_stream() {
            return Ok((data, permit)); // The usual case: one piece, not copied.
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), permit))
}

/// Whether the content type leaves it open that this is JSON. It is not documented for `HiBob`'s
/// webhooks, so only what clearly says something else is refused.
fn may_be_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let value = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    value.is_empty()
        || value.contains("json")
        || value.starts_with("text/")
        || value.starts_with("application/octet-stream")
}

/// One line for each refused webhook, with what explains it and nothing of its content.
fn log(refusal: &Refusal, door: &Door) {
    let (source, outcome) = (door.source.as_str(), refusal.word());
    match refusal {
        Refusal::Store(_) | Refusal::StoreTooSlow => {
            let mut why = refusal.to_string();
            let mut cause = refusal.source();
            while let Some(error) = cause {
                why = format!("{why}: {error}");
                cause = error.source();
            }
            tracing::error!(source, outcome, why, "webhook refused");
        }
        _ => tracing::warn!(source, outcome, why = %refusal, "webhook refused"),
    }
}

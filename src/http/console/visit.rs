//! Somebody on a page: who it is, when, and what came of what they just did.
//!
//! A form is answered by a redirect to a page with `?did=ID`: the entry of the audit log that says
//! what came of it. So no text travels in an address, and a page that is loaded again does nothing
//! again.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::frame::{Frame, Notice, Section};
use crate::http::HttpState;
use crate::http::who::{Gate, Sight, SignedIn};
use crate::model::{Actor, AuditEntry, AuditId, Outcome};

/// Somebody looks at a page, or has filled in a form.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who.
    pub actor: Actor,
    /// What came of what they did last.
    pub did: Option<AuditEntry>,
    /// When.
    pub now: Timestamp,
    /// What of personal data they see.
    pub sight: Sight,
    zone: TimeZone,
    can_leave: bool,
}

impl Visit {
    /// What stands around a page of this part.
    pub fn frame(self, section: Section) -> Frame {
        let Self { actor, did, now, zone, can_leave, .. } = self;
        let notice = did.and_then(|entry| Notice::of(&entry));
        Frame { actor, section, notice, now, zone, can_leave }
    }
}

#[derive(Default, Deserialize)]
struct Did {
    did: Option<String>,
}

impl FromRequestParts<Arc<HttpState>> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, StatusCode> {
        let SignedIn(actor) = SignedIn::from_request_parts(parts, state).await?;
        let sight = Sight::from_request_parts(parts, state).await?;
        let asked: Result<Query<Did>, _> = Query::from_request_parts(parts, state).await;
        let did = asked.map(|Query(asked)| asked.did).unwrap_or_default();
        let did = match did {
            Some(id) if id.len() <= 64 => entry(state, &actor, &id).await,
            _ => None,
        };
        let can_leave = !matches!(state.gate, Gate::Open(_));
        Ok(Self { actor, did, now: state.clock.now(), sight, zone: state.zone.clone(), can_leave })
    }
}

/// The entry with this id, if it is theirs. That it cannot be read is no reason to show no page.
async fn entry(state: &HttpState, actor: &Actor, id: &str) -> Option<AuditEntry> {
    // Entries are read from before a place on; `~` comes after everything that ids are made of.
    let place = AuditId::new(format!("{id}~"));
    let found = state.store.audit(Some(&place), 1).await.ok()?.pop()?;
    (found.id.as_str() == id && found.who == actor.name).then_some(found)
}

/// The answer to a form: the page at `path`, which says what came of it.
pub fn done(path: &str, outcome: &Outcome) -> Response {
    let mark = if path.contains('?') { '&' } else { '?' };
    let to = match &outcome.audit {
        Some(id) => format!("{path}{mark}did={}", id.as_str()),
        None => path.to_owned(),
    };
    self::to(&to)
}

/// On to another page, which is asked for anew.
pub fn to(path: &str) -> Response {
    match HeaderValue::try_from(path) {
        Ok(path) => (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A form or a query that says nothing wrong when it cannot be read: its defaults.
#[derive(Clone, Debug, Default)]
pub struct Lenient<T>(pub T);

impl<T: Default + serde::de::DeserializeOwned> FromRequestParts<Arc<HttpState>> for Lenient<T> {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, Infallible> {
        let asked: Result<Query<T>, _> = Query::from_request_parts(parts, state).await;
        Ok(Self(asked.map(|Query(asked)| asked).unwrap_or_default()))
    }
}

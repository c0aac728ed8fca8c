//! Who is asking: nothing of the console or the API is answered before that is known.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::HttpState;
use crate::model::Actor;

/// How people get in.
#[derive(Clone, Debug, Default)]
pub enum Gate {
    /// Nobody does.
    #[default]
    Shut,
    /// Everybody is this one: only in the demo, and only on loopback.
    Open(Actor),
}

/// Whoever is asking.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Actor);

/// Lets in whom the gate lets in.
pub async fn admit(
    State(state): State<Arc<HttpState>>,
    mut request: Request,
    next: Next,
) -> Response {
    match &state.gate {
        Gate::Shut => StatusCode::NOT_FOUND.into_response(),
        Gate::Open(actor) => {
            request.extensions_mut().insert(SignedIn(actor.clone()));
            next.run(request).await
        }
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

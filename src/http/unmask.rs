//! `POST /console/unmask`: somebody asks to see personal data in one place. It is written down, and
//! holds for some minutes, for this session alone.
//!
//! A page that holds personal data takes a [`Sight`] and asks it whether to show what is
//! [`about`](Sight::sees) its person or run. Where not, it shows `.masked`, and to whoever
//! [may ask](Sight::may_ask) a form to this path with `about` and `to`, the page itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;

use super::HttpState;
use super::error::{Barred, status_of_refused};
use super::sign_in::local;
use super::who::{Sight, SignedIn};
use crate::access::sessions;
use crate::model::{Actor, Outcome, Refused, Verb};

/// The longest name of a place.
const LONGEST: usize = 200;

/// Its one route.
pub(super) fn router() -> Router<Arc<HttpState>> {
    Router::new().route("/console/unmask", post(unmask))
}

#[derive(Deserialize)]
struct Wanted {
    about: String,
    to: String,
}

async fn unmask(
    State(state): State<Arc<HttpState>>,
    SignedIn(actor): SignedIn,
    sight: Sight,
    wanted: Result<Form<Wanted>, FormRejection>,
) -> Response {
    let refuse =
        |refused: &Refused| (status_of_refused(refused), format!("{refused}\n")).into_response();
    let Ok(Form(Wanted { about, to })) = wanted else { return Barred::Unreadable.into_response() };
    let fits = !about.is_empty() && about.len() <= LONGEST && !about.contains(char::is_control);
    let (true, Some(to)) = (fits, local(&to)) else { return Barred::Unreadable.into_response() };
    let outcome = match show(&state, &actor, &sight, &about).await {
        Ok(outcome) => outcome,
        Err(refused) => return refuse(&refused),
    };
    let mark = if to.contains('?') { '&' } else { '?' };
    let did = outcome.audit.map(|id| format!("{mark}did={}", id.as_str())).unwrap_or_default();
    match HeaderValue::try_from(format!("{to}{did}")) {
        Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        Err(_) => Barred::Unreadable.into_response(),
    }
}

/// Shows somebody what is personal in one place, for some minutes, and has it written down.
///
/// # Errors
/// When they may not, or it cannot be written down.
pub(super) async fn show(
    state: &HttpState,
    actor: &Actor,
    sight: &Sight,
    about: &str,
) -> Result<Outcome, Refused> {
    let outcome = state.act(actor, Verb::Unmask { about: about.to_owned() }).await?;
    let shown = sessions::show(&*state.store, &sight.id, about, state.clock.now()).await;
    shown.map_err(|error| Refused::Unavailable(error.to_string()))?;
    Ok(outcome)
}

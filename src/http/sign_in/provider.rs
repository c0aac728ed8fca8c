//! Sign-in at the OpenID provider: there, back again, and out.
//!
//! What is under way is kept by the browser, in a cookie of its own for ten minutes: a stranger can
//! so not fill the store, and nobody can finish what somebody else has begun.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Asked, PAGE, Page, count, entered, guard, local, to, write_refused};
use crate::access::attempts;
use crate::access::oidc::{Oidc, OidcError, Pending};
use crate::access::sessions::{By, Session};
use crate::http::HttpState;
use crate::http::cookie;
use crate::http::error::Barred;
use crate::http::who::Guard;

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between what is under way and where somebody wanted to go.
const THEN: char = '~';

fn provider(guard: &Guard) -> Result<&Oidc, Barred> {
    guard.oidc.as_ref().ok_or(Barred::Nothing)
}

/// `GET /console/sign-in/oidc`: on the way to the provider.
pub(super) async fn begin(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let (guard, oidc) = match guard(&state).and_then(|guard| Ok((guard, provider(guard)?))) {
        Ok(both) => both,
        Err(barred) => return barred.into_response(),
    };
    let Query(asked) = Query::<Asked>::try_from_uri(request.uri()).unwrap_or_default();
    let wanted = local(&asked.to).unwrap_or("/console");
    let (parts, _) = request.into_parts();
    let begun = match may_try(&state, guard.address(&parts)).await {
        Ok(()) => oidc.begin().await.map_err(Barred::from),
        Err(barred) => Err(barred),
    };
    let (place, pending) = match begun {
        Ok(begun) => begun,
        Err(barred) => return Page::of(guard, wanted).refuse(&barred),
    };
    let value = format!("{}{THEN}{wanted}", pending.text());
    match guard.jar().set(cookie::PENDING, &value, PATIENCE) {
        Some(cookie) => entered(&place, [cookie]),
        None => Page::of(guard, wanted).refuse(&Barred::Unreadable),
    }
}

/// What the provider sends back.
#[derive(Default, Deserialize)]
struct Back {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
}

/// `GET /console/sign-in/oidc/done`: back from the provider.
pub(super) async fn done(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let (guard, oidc) = match guard(&state).and_then(|guard| Ok((guard, provider(guard)?))) {
        Ok(both) => both,
        Err(barred) => return barred.into_response(),
    };
    let Query(back) = Query::<Back>::try_from_uri(request.uri()).unwrap_or_default();
    let (parts, _) = request.into_parts();
    let jar = guard.jar();
    let kept = jar.read(&parts.headers, cookie::PENDING).and_then(|kept| kept.split_once(THEN));
    let wanted = kept.and_then(|(_, wanted)| local(wanted)).unwrap_or("/console");
    let pending = kept.and_then(|(pending, _)| Pending::parse(pending));
    let mut response = match enter(&state, guard, oidc, &parts, pending, back).await {
        Ok(cookie) => entered(wanted, [cookie]),
        Err(barred) => Page::of(guard, wanted).refuse(&barred),
    };
    // It is good for one try.
    if let Some(cookie) = jar.clear(cookie::PENDING) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

async fn enter(
    state: &HttpState,
    guard: &Guard,
    oidc: &Oidc,
    parts: &Parts,
    pending: Option<Pending>,
    back: Back,
) -> Result<axum::http::HeaderValue, Barred> {
    let from = guard.address(parts);
    may_try(state, from).await?;
    let found = match pending {
        None => Err(OidcError::Lost),
        Some(_) if !back.error.is_empty() => {
            let known = |c: &char| c.is_ascii_lowercase() || *c == '_';
            let word: String = back.error.chars().filter(known).take(40).collect();
            Err(OidcError::Refused(word))
        }
        Some(pending) => oidc.finish(pending, &back.state, back.code).await,
    };
    let identity = match found {
        Ok(identity) => identity,
        Err(error) => {
            count(
                "provider",
                if matches!(error, OidcError::Provider(_)) { "error" } else { "wrong" },
            );
            write_refused(state, guard, None, from, &error.to_string()).await;
            return Err(error.into());
        }
    };
    let now = state.clock.now();
    let session = Session {
        name: identity.name,
        access: identity.access,
        by: By::Provider(oidc.stamp()),
        begun: now,
        seen: now,
        shown: BTreeMap::new(),
    };
    super::begin(state, guard, &parts.headers, session, from, "the OpenID provider").await
}

/// `GET /console/sign-in/oidc/out`: out of the provider, too.
pub(super) async fn out(State(state): State<Arc<HttpState>>) -> Response {
    let oidc = match guard(&state).and_then(|guard| provider(guard)) {
        Ok(oidc) => oidc,
        Err(barred) => return barred.into_response(),
    };
    to(&oidc.sign_out(PAGE).await.unwrap_or_else(|| format!("{PAGE}?out=here")))
}

/// A stranger must not have us ask the provider for ever.
async fn may_try(state: &HttpState, from: Option<IpAddr>) -> Result<(), Barred> {
    match attempts::take_from(&*state.store, from).await? {
        None => Ok(()),
        Some(wait) => {
            count("provider", "too_often");
            Err(Barred::TooOften(wait))
        }
    }
}

impl From<OidcError> for Barred {
    fn from(error: OidcError) -> Self {
        let said = error.to_string();
        match error {
            OidcError::Provider(_) => Self::Unavailable(said),
            OidcError::Lost | OidcError::Refused(_) | OidcError::NotAllowed(_) => Self::Wrong(said),
        }
    }
}

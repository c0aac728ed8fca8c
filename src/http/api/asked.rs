//! What a request says: its query, its path and its body, each refused with the place when it makes
//! no sense; and who asks, no more often than anybody may.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::MOST;
use super::problem::Problem;
use crate::http::HttpState;
use crate::http::who::SignedIn;
use crate::model::{Access, Actor, Verb};

/// The largest body, in bytes.
const BODY: usize = 1024 * 1024;

/// The longest value in a query, in characters.
const LONGEST: usize = 200;

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// So many requests a second each may make, and so many at once after a pause.
const RATE: (NonZeroU32, NonZeroU32) =
    (NonZeroU32::new(50).expect("not zero"), NonZeroU32::new(200).expect("not zero"));

/// How often each asks.
pub struct Turnstile(DefaultKeyedRateLimiter<String>);

impl Default for Turnstile {
    fn default() -> Self {
        let (rate, burst) = RATE;
        Self(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)))
    }
}

impl Turnstile {
    /// Lets somebody through; otherwise says how many seconds to wait.
    fn pass(&self, actor: &Actor) -> Result<(), u64> {
        let turn = self.0.check_key(&actor.name);
        turn.map_err(|not_yet| not_yet.wait_time_from(DefaultClock::default().now()).as_secs() + 1)
    }
}

/// Whoever asks.
pub(super) struct Caller(pub(super) Actor);

impl FromRequestParts<Arc<HttpState>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, Problem> {
        let refused = |_| Problem::no_path();
        let SignedIn(actor) = SignedIn::from_request_parts(parts, state).await.map_err(refused)?;
        state.turnstile.pass(&actor).map_err(Problem::too_many)?;
        Ok(Self(actor))
    }
}

/// The query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<HttpState>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<HttpState>) -> Result<Self, Problem> {
        let bad = |error: QueryRejection| Problem::bad(error.body_text());
        let Query(all) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(bad)?;
        for (name, value) in &all {
            // An empty condition would fit nothing, or everything: nobody means that.
            if value.is_empty() || value.chars().count() > LONGEST {
                let told = format!("{name:?}: expected 1 to {LONGEST} characters, or leave it out");
                return Err(Problem::bad(told));
            }
        }
        let Query(asked) = Query::try_from_uri(&parts.uri).map_err(bad)?;
        Ok(Self(asked))
    }
}

/// The variable parts of the path.
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<HttpState>> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(error) => Err(Problem::bad(error.body_text())),
        }
    }
}

/// The body, of JSON.
pub(super) struct Told<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<HttpState>> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<HttpState>) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::media());
        }
        let read = axum::body::to_bytes(request.into_body(), BODY);
        let bytes: Bytes = match tokio::time::timeout(BODY_TIME, read).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(Problem::large(BODY)),
            Err(_) => return Err(Problem::bad("the body did not arrive in time")),
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let told = format!("the body: {error}");
            if error.is_data() { Problem::unfit(told) } else { Problem::bad(told) }
        })
    }
}

/// A number of entries in one answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Limit(pub(super) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u64> for Limit {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        usize::try_from(number)
            .ok()
            .filter(|number| (1..=MOST).contains(number))
            .map(Self)
            .ok_or_else(|| format!("limit: expected a number from 1 to {MOST}"))
    }
}

/// Whether this caller sees personal data in this answer: they asked for it, which is written down,
/// and may.
pub(super) async fn sees(
    state: &HttpState,
    actor: &Actor,
    asked: bool,
    about: impl FnOnce() -> String,
) -> Result<bool, Problem> {
    if !asked {
        return Ok(false);
    }
    let verb = Verb::Unmask { about: about() };
    state.act(actor, verb).await?;
    Ok(actor.access >= Access::Operator)
}

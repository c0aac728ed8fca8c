//! The access token: fetched with the client credentials, kept for its hour, and renewed by one
//! caller at a time while the others wait for the result, good or bad.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use super::road::{Raw, Road};
use super::wire;
use crate::clock::Deadline;
use crate::targets::TargetError;

/// The call that fetches a token; also its name in metrics.
const ENDPOINT: &str = "POST /oauth2/token";

/// How long a token lasts when the answer does not say: an hour, as documented.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A token is renewed so long before it expires, or after three quarters of a short life.
const MARGIN: Duration = Duration::from_secs(60);

/// What calls carry in their `Authorization` header.
#[derive(Clone)]
pub(super) struct Bearer {
    /// The header's value; marked as sensitive, so it never prints.
    pub value: HeaderValue,
    /// Which token it is: the first is 1.
    pub number: u64,
}

#[derive(Default)]
struct State {
    token: Option<(Bearer, Deadline)>,
    /// Tokens that were fetched.
    fetched: u64,
    /// Tries that ended, in a token or not.
    tries: u64,
    /// How the last try ended, if not in a token.
    failure: Option<Failure>,
}

/// Keeps the token.
pub(super) struct Token {
    road: Road,
    url: Url,
    client_id: String,
    client_secret: SecretString,
    state: Mutex<State>,
    /// Held by the one who fetches.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    grant_type: &'static str,
    client_id: &'a str,
    client_secret: &'a str,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    /// Documented as a number and shown as a text.
    #[serde(default)]
    expires_in: Value,
}

impl Grant {
    fn lifetime(&self) -> Duration {
        let seconds = match &self.expires_in {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        seconds
            .filter(|seconds| *seconds >= 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map_or(LIFETIME, |time| time.min(24 * LIFETIME))
    }
}

impl Token {
    pub fn new(road: Road, url: Url, client_id: String, client_secret: SecretString) -> Self {
        Self {
            road,
            url,
            client_id,
            client_secret,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        }
    }

    /// A token that has not expired and is newer than the one that was `refused`.
    pub async fn get(&self, refused: u64, deadline: Deadline) -> Result<Bearer, TargetError> {
        let tries = {
            let state = self.state();
            if let Some(bearer) = state.usable(refused) {
                return Ok(bearer);
            }
            state.tries
        };
        let Ok(_flight) = tokio::time::timeout(deadline.left(), self.flight.lock()).await else {
            return Err(TargetError::OutOfTime);
        };
        {
            let state = self.state();
            if let Some(bearer) = state.usable(refused) {
                return Ok(bearer);
            }
            // Another caller's try ended while we waited for our turn: its failure is ours too, or
            // a hundred callers would try one after the other.
            if let (true, Some(failure)) = (state.tries > tries, &state.failure) {
                return Err(failure.clone().into());
            }
        }
        // All who wait share the end of this call, so it gets its full time or is not begun.
        if deadline.left() < self.road.timeout() {
            return Err(TargetError::OutOfTime);
        }
        let end = self.fetch(deadline).await?;
        let mut state = self.state();
        state.tries += 1;
        match end {
            Ok((value, lifetime)) => {
                state.fetched += 1;
                state.failure = None;
                let bearer = Bearer { value, number: state.fetched };
                let fresh = lifetime.saturating_sub(MARGIN.min(lifetime / 4));
                state.token = Some((bearer.clone(), Deadline::after(fresh)));
                Ok(bearer)
            }
            Err(failure) => {
                state.failure = Some(failure.clone());
                Err(failure.into())
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The inner result is told to all who wait; the outer error concerns this caller alone.
    async fn fetch(
        &self,
        deadline: Deadline,
    ) -> Result<Result<(HeaderValue, Duration), Failure>, TargetError> {
        let body = wire::body(&Credentials {
            grant_type: "client_credentials",
            client_id: &self.client_id,
            client_secret: self.client_secret.expose_secret(),
        });
        let request = self
            .road
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body));
        match self.road.exchange(ENDPOINT, request, deadline).await {
            Ok(raw) => Ok(judge(&raw)),
            Err(TargetError::Again(why)) => Ok(Err(Failure::Again(why))),
            Err(other) => Err(other),
        }
    }
}

impl State {
    fn usable(&self, refused: u64) -> Option<Bearer> {
        let (bearer, fresh) = self.token.as_ref()?;
        (bearer.number > refused && !fresh.left().is_zero()).then(|| bearer.clone())
    }
}

fn judge(raw: &Raw) -> Result<(HeaderValue, Duration), Failure> {
    match raw.status {
        StatusCode::OK | StatusCode::CREATED => {
            let grant: Grant = wire::read(ENDPOINT, &raw.body)
                .map_err(|error| Failure::Again(error.to_string()))?;
            let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", grant.access_token))
            else {
                return Err(Failure::Again(
                    "360Learning issued a token that cannot be used in a header".into(),
                ));
            };
            value.set_sensitive(true);
            Ok((value, grant.lifetime()))
        }
        StatusCode::TOO_MANY_REQUESTS => Err(Failure::Wait(raw.retry_after())),
        StatusCode::REQUEST_TIMEOUT => Err(Failure::Again(raw.trouble(ENDPOINT))),
        status if status.is_server_error() => Err(Failure::Again(raw.trouble(ENDPOINT))),
        status => {
            let advice = match wire::code(&raw.body).as_deref() {
                Some("invalid_client") => {
                    "check target.client_id and target.client_secret: they must be API v2 \
                     credentials of this platform, made in its API v2 admin panel (those of API v1 \
                     do not work) and neither deleted nor renewed since"
                }
                Some("invalid_request" | "unsupported_grant_type" | "non_existing_user") => {
                    "check that target.client_id and target.client_secret are complete and that \
                     target.base_url is the address of your platform"
                }
                _ => {
                    "check target.base_url (https://app.360learning.com in Europe, \
                     https://app.us.360learning.com in the United States) and any proxy on the way"
                }
            };
            let code = wire::code(&raw.body).map(|code| format!(" {code}")).unwrap_or_default();
            Err(Failure::Hold(format!(
                "360Learning gives no access token ({}{code}): {advice}",
                status.as_u16()
            )))
        }
    }
}

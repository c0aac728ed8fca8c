//! Why a request is refused, and the one place where that becomes a status code.
//!
//! An answer says what the sender can do about it; about a signature it says nothing at all.

use std::time::Duration;

use axum::http::header::{CONNECTION, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::model::Refused;
use crate::store::StoreError;

/// Why a webhook is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such source is configured.
    #[error("no such source; the path ends with the name in [source.NAME]")]
    UnknownSource,
    /// Too many in a second.
    #[error("too many webhooks; try again in {} s", .0.as_secs())]
    RateLimited(Duration),
    /// More bytes than the limit.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body did not come in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke inside the body.
    #[error("the body broke off")]
    BrokenOff,
    /// Too much is under way already.
    #[error("too much is under way; try again soon")]
    Busy,
    /// None of our secrets made this signature, or there is none.
    #[error("the signature is missing or wrong")]
    BadSignature,
    /// It says itself that it is not JSON.
    #[error("only JSON is taken")]
    NotJsonType,
    /// It cannot be parsed.
    #[error("{0}")]
    NotJson(String),
    /// The store could not take it.
    #[error("it cannot be stored at the moment; try again soon")]
    Store(#[source] StoreError),
    /// The store did not answer in time; it may have it or not. A repeat does no harm.
    #[error("it could not be stored in time; try again soon")]
    StoreTooSlow,
}

impl Refusal {
    /// The word under which it is counted and logged.
    pub fn word(&self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::RateLimited(_) => "rate_limited",
            Self::TooLarge(_) => "too_large",
            Self::TooSlow => "too_slow",
            Self::BrokenOff => "broken_off",
            Self::Busy => "busy",
            Self::BadSignature => "bad_signature",
            Self::NotJsonType => "not_json_type",
            Self::NotJson(_) => "not_json",
            Self::Store(_) | Self::StoreTooSlow => "store_unavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BadSignature => StatusCode::UNAUTHORIZED,
            Self::NotJsonType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BrokenOff | Self::NotJson(_) => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Store(_) | Self::StoreTooSlow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When to come again, in seconds.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited(wait) => Some(wait.as_secs().max(1)),
            Self::Busy | Self::Store(_) | Self::StoreTooSlow => Some(5),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let leaves_body = matches!(self, Self::TooLarge(_) | Self::TooSlow | Self::BrokenOff);
        let mut response = match self {
            Self::BadSignature => self.status().into_response(),
            _ => (self.status(), format!("{self}\n")).into_response(),
        };
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if leaves_body {
            // Said, so that nobody sends the next request on a connection that is about to close.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The status of a deed that was not done, or of a question without an answer.
pub(super) fn status_of_refused(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Forbidden(_) => StatusCode::FORBIDDEN,
        Refused::NotFound(_) => StatusCode::NOT_FOUND,
        Refused::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Conflict(_) => StatusCode::CONFLICT,
        Refused::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Why nobody is let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// There is no console, or no API.
    #[error("there is nothing here: see [console] in the configuration")]
    Nothing,
    /// Nobody signs in, for it is open to all: go on to the console.
    #[error("nobody signs in here: go on to /console")]
    NeedNot,
    /// Asked under a name that is not this machine's, in the demo.
    #[error("this console answers under localhost and 127.0.0.1 only")]
    OtherHost,
    /// Another site's page sent it.
    #[error("this came from another site's page, and nothing was done: use the console's own page")]
    OtherSite,
    /// Nobody is signed in.
    #[error("sign in first: /console/sign-in")]
    NotSignedIn,
    /// No token, or one that does not count.
    #[error("give a token that counts: Authorization: Bearer instep_...")]
    NoToken,
    /// Not the right name and password, or the provider's word against them.
    #[error("{0}")]
    Wrong(String),
    /// Too many tries.
    #[error("too many tries: come back in {}", in_words(*.0))]
    TooOften(Duration),
    /// What was sent cannot be read.
    #[error("what was sent cannot be read: fill in the form again")]
    Unreadable,
    /// The store or the provider is not available.
    #[error("{0}")]
    Unavailable(String),
}

impl Barred {
    /// The status that says so.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Nothing => StatusCode::NOT_FOUND,
            Self::NeedNot => StatusCode::SEE_OTHER,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::OtherSite | Self::Wrong(_) => StatusCode::FORBIDDEN,
            Self::NotSignedIn | Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// With its status and what goes with it around this body.
    pub(super) fn around(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.status(), body).into_response();
        if let Self::TooOften(wait) = self {
            let wait = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, wait);
        }
        if *self == Self::NeedNot {
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/console"));
        }
        if *self == Self::NoToken {
            let how = HeaderValue::from_static("Bearer realm=\"instep\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, how);
        }
        response
    }
}

impl IntoResponse for Barred {
    fn into_response(self) -> Response {
        self.around(format!("{self}\n"))
    }
}

fn in_words(wait: Duration) -> String {
    match wait.as_secs() {
        seconds @ 0..=90 => format!("{} seconds", seconds.max(2)),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// Whether this process can take work in, for [`health`](super::health).
pub(super) fn ready(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

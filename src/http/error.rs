//! Why a request is refused, and the one place where that becomes a status code.
//!
//! An answer says what the sender can do about it; about a signature it says nothing at all.

use std::time::Duration;

use axum::http::header::{CONNECTION, RETRY_AFTER};
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

/// Whether this process can take work in, for [`health`](super::health).
pub(super) fn ready(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

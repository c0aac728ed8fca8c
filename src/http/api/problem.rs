//! A refusal, as RFC 9457 writes it: what is wrong, and what to do.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::error::status_of_refused;
use crate::model::Refused;
use crate::store::StoreError;

/// The longest detail that is taken over, in bytes.
const LONGEST_DETAIL: usize = 4096;

/// So long a program waits before it asks again, in seconds.
const AGAIN: u64 = 5;

/// Why a request was not answered.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// When to come again, in seconds.
    again: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), again: None }
    }

    /// The request cannot be understood.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is nothing of that name.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// There is no such path.
    pub(super) fn no_path() -> Self {
        Self::not_found("there is no such path: /api/v1/openapi.json lists them")
    }

    /// The path has other methods.
    pub(super) fn method() -> Self {
        let detail = "this path has another method: /api/v1/openapi.json says which";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    /// The body is not JSON.
    pub(super) fn media() -> Self {
        let detail = "send JSON, with the header Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// The body is JSON, but not what is expected here.
    pub(super) fn unfit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// The body is too large.
    pub(super) fn large(most: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has {most} bytes at most"))
    }

    /// Too many requests.
    pub(super) fn too_many(seconds: u64) -> Self {
        let detail = "too many requests: wait as the header Retry-After says";
        let again = Some(seconds);
        Self { again, ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let again = matches!(refused, Refused::Unavailable(_)).then_some(AGAIN);
        Self { again, ..Self::new(status_of_refused(&refused), refused.to_string()) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "a question has no answer");
        Refused::Unavailable(format!("{error}: try again soon")).into()
    }
}

/// Gives what is refused before it comes here, for want of a token say, the shape of everything else.
pub async fn in_one_shape(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let is_plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_plain {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let detail = axum::body::to_bytes(body, LONGEST_DETAIL).await.unwrap_or_default();
    let detail = String::from_utf8_lossy(&detail).trim().to_owned();
    let (shaped, body) = Problem::new(status, detail).into_response().into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(shaped.headers);
    Response::from_parts(parts, body)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Refused");
        let body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.again {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

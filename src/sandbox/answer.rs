//! What a double answers, before it becomes bytes on a connection.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

const JSON: &str = "application/json; charset=utf-8";

/// The page that a wrong path gets from the real service.
const PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome</title></head><body></body></html>";

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The content type; none for an empty answer.
    pub kind: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// What follows the body, made while it is sent; then nobody knows its length beforehand.
    pub more: Option<More>,
    /// How many bytes the body claims to have beyond those it has: then the connection ends.
    pub missing: u64,
}

/// A body that is made while it is sent, a portion at a time.
pub(super) struct More(Box<dyn Iterator<Item = Bytes> + Send>);

impl fmt::Debug for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("More")
    }
}

impl Answer {
    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, kind: None, headers: Vec::new(), body: Bytes::new(), more: None, missing: 0 }
    }

    /// A JSON body that is made while it is sent.
    pub fn flowing(status: u16, body: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { kind: Some(JSON), more: Some(More(Box::new(body))), ..Self::empty(status) }
    }

    /// A JSON body.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { kind: Some(JSON), body: body.into(), ..Self::empty(status) },
            Err(_) => Self::empty(500),
        }
    }

    /// A web page, where JSON was expected.
    pub fn html(status: u16) -> Self {
        let kind = Some("text/html; charset=utf-8");
        Self { kind, body: Bytes::from_static(PAGE.as_bytes()), ..Self::empty(status) }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// For the wire.
    pub fn into_response(self) -> Response<Payload> {
        let payload = Payload { rest: Some(self.body), more: self.more, missing: self.missing };
        let mut response = Response::new(payload);
        *response.status_mut() =
            hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::OK);
        let headers = response.headers_mut();
        if let Some(kind) = self.kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A body that may promise more than it holds.
pub(super) struct Payload {
    rest: Option<Bytes>,
    more: Option<More>,
    missing: u64,
}

impl Body for Payload {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let portion = |more: &mut Option<More>| more.as_mut()?.0.next();
        match self.rest.take().filter(|rest| !rest.is_empty()).or_else(|| portion(&mut self.more)) {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            _ if self.missing > 0 => {
                self.missing = 0;
                Poll::Ready(Some(Err(std::io::Error::other("cut on command"))))
            }
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.missing == 0 && self.more.is_none() && self.rest.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        if self.more.is_some() {
            return SizeHint::default();
        }
        let held = self.rest.as_ref().map_or(0, Bytes::len) as u64;
        SizeHint::with_exact(held + self.missing)
    }
}

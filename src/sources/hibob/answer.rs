//! Makes one call to HiBob and judges the answer.
//!
//! Promises: an answer is believed only when it is a 200 of type `application/json` that was read
//! and parsed to its end; everything else is an error that says what the caller must do. Bodies are
//! parsed while they arrive, and no body can be larger than its limit. Nothing of a body is ever
//! quoted.

use std::borrow::Cow;
use std::error::Error as _;
use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use metrics::{counter, histogram};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::sync::mpsc;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use super::limits;
use super::wire::Unusable;
use crate::clock::Deadline;
use crate::sources::SourceError;

/// Error bodies are small; more of them is not read.
const ERROR_BODY: usize = 64 * 1024;

/// One kind of call.
pub(super) struct Call<'a> {
    /// Its name in metrics and sentences: `people/search`.
    pub endpoint: &'static str,
    /// The source's name.
    pub source: &'a str,
    /// Who calls, for sentences.
    pub service_user: &'a str,
    /// The field ids that were asked for, for sentences.
    pub fields: &'a [String],
    /// How long it may take altogether.
    pub time: Duration,
    /// The largest body, in bytes.
    pub limit: usize,
}

/// What came of a call.
pub(super) struct Answered<T> {
    /// The answer.
    pub result: Result<T, SourceError>,
    /// The far end wants no further call of this kind for so long.
    pub rest: Option<Duration>,
}

impl Call<'_> {
    /// Makes the call, and counts it. `parse` reads the body, on a thread of its own.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
        parse: impl FnOnce(Body) -> Result<T, Unusable> + Send + 'static,
    ) -> Answered<T> {
        let before = deadline.left();
        let span = info_span!(target: "instep::trace", "hibob", side = "client",
            called = format_args!("hibob {}", self.endpoint), status = Empty, failed = Empty);
        let call = async {
            match request.timeout(self.time).send().await {
                Err(error) => {
                    let result = Err(SourceError::Again(self.failed(&error)));
                    (word(&error), Answered { result, rest: None })
                }
                Ok(response) => self.judge(response, parse).await,
            }
        };
        let (status, answered) = call.instrument(span.clone()).await;
        span.record("status", &*status);
        span.record("failed", answered.result.is_err());
        drop(span);
        let took = before.saturating_sub(deadline.left());
        let labels = [("far_end", "hibob"), ("endpoint", self.endpoint)];
        histogram!("instep_far_end_call_seconds", &labels).record(took.as_secs_f64());
        counter!("instep_far_end_calls_total", "far_end" => "hibob", "endpoint" => self.endpoint, "status" => status)
            .increment(1);
        answered
    }

    async fn judge<T: Send + 'static>(
        &self,
        response: Response,
        parse: impl FnOnce(Body) -> Result<T, Unusable> + Send + 'static,
    ) -> (Cow<'static, str>, Answered<T>) {
        let status = response.status();
        let mut rest = limits::window_spent(response.headers());
        let mut label = Cow::Owned(status.as_str().to_owned());
        let result = match status {
            StatusCode::OK => match self.body(response, parse).await {
                Ok(value) => Ok(value),
                Err(Fault::Transport(error)) => {
                    label = word(&error);
                    Err(SourceError::Again(self.failed(&error)))
                }
                Err(Fault::Rubbish(why)) => Err(SourceError::Again(format!(
                    "HiBob answered {} with something that cannot be believed: {why}. Nothing \
                     was concluded from it.",
                    self.endpoint
                ))),
            },
            StatusCode::TOO_MANY_REQUESTS => {
                let after = limits::wait(response.headers());
                rest = Some(after);
                Err(SourceError::Wait { source_name: self.source.to_owned(), after })
            }
            StatusCode::UNAUTHORIZED => Err(SourceError::Hold(format!(
                "HiBob does not accept the service user {} (401). Check `service_user` and `token` \
                 of this source. Calls are held, because HiBob's firewall blocks an address that is \
                 refused again and again.",
                self.service_user
            ))),
            StatusCode::FORBIDDEN => Err(SourceError::Hold(format!(
                "HiBob forbids {} to the service user {} (403). In Bob, look at the permission group \
                 of the service user (the feature, and \"Access data for\"), and whether the company \
                 allows API calls from this address; after many refusals it can also be HiBob's \
                 firewall. Calls are held, because more refusals would make that worse.",
                self.endpoint, self.service_user
            ))),
            StatusCode::BAD_REQUEST => Err(SourceError::Hold(self.refused(response).await)),
            StatusCode::NOT_FOUND => Err(SourceError::Again(format!(
                "HiBob knows no {} (404). If it stays so, check `base_url` of this source.",
                self.endpoint
            ))),
            status => Err(SourceError::Again(format!(
                "HiBob answered {} with status {}.",
                self.endpoint,
                status.as_u16()
            ))),
        };
        (label, Answered { result, rest })
    }

    /// Hands the body to the parser on a thread of its own, piece by piece.
    async fn body<T: Send + 'static>(
        &self,
        mut response: Response,
        parse: impl FnOnce(Body) -> Result<T, Unusable> + Send + 'static,
    ) -> Result<T, Fault> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Fault::Rubbish(
                "its content type is not application/json, as when `base_url` is wrong".to_owned(),
            ));
        }
        let (pieces, arriving) = mpsc::channel(8);
        let parsing =
            tokio::task::spawn_blocking(move || parse(Body { arriving, piece: Bytes::new() }));
        let mut size = 0_usize;
        loop {
            match response.chunk().await {
                Ok(None) => break,
                Ok(Some(piece)) => {
                    size = size.saturating_add(piece.len());
                    if size > self.limit {
                        let most = self.limit / (1024 * 1024);
                        return Err(Fault::Rubbish(format!("it is larger than {most} MiB")));
                    }
                    if pieces.send(piece).await.is_err() {
                        break; // The parser has seen enough and says why.
                    }
                }
                Err(error) => return Err(Fault::Transport(error)),
            }
        }
        drop(pieces);
        match parsing.await {
            Ok(parsed) => parsed.map_err(|unusable| Fault::Rubbish(unusable.to_string())),
            Err(_) => Err(Fault::Rubbish("reading it failed".to_owned())),
        }
    }

    /// A sentence for 400. HiBob's own sentence is not quoted; but the fields it names are.
    async fn refused(&self, mut response: Response) -> String {
        let mut body = Vec::new();
        while body.len() < ERROR_BODY
            && let Ok(Some(piece)) = response.chunk().await
        {
            body.extend_from_slice(&piece);
        }
        let body = String::from_utf8_lossy(&body);
        let blamed = self.fields.iter().filter(|field| body.contains(field.as_str()));
        let blamed: Vec<_> = blamed.map(|field| format!("`{field}`")).collect();
        let what = if blamed.is_empty() {
            let asked: Vec<_> = self.fields.iter().map(|field| format!("`{field}`")).collect();
            format!("one of the fields it asks for ({})", asked.join(", "))
        } else {
            blamed.join(", ")
        };
        format!(
            "HiBob says that our {} is wrong for this company (400): look at {what} in the rules. \
             `instep check --connect` names fields that HiBob does not have.",
            self.endpoint
        )
    }

    /// A sentence for a call without a usable answer.
    fn failed(&self, error: &reqwest::Error) -> String {
        let mut cause = error.source();
        while let Some(deeper) = cause.and_then(|cause| cause.source()) {
            cause = Some(deeper);
        }
        let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        let endpoint = self.endpoint;
        if error.is_timeout() {
            format!("HiBob did not answer {endpoint} in time.")
        } else if error.is_connect() {
            format!("HiBob cannot be reached for {endpoint}{cause}.")
        } else {
            format!("The call to HiBob's {endpoint} broke off{cause}.")
        }
    }
}

/// Why a 200 is not believed.
enum Fault {
    Transport(reqwest::Error),
    Rubbish(String),
}

/// How a call without a usable answer is counted.
fn word(error: &reqwest::Error) -> Cow<'static, str> {
    Cow::Borrowed(if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "unreachable"
    } else {
        "broken"
    })
}

/// A body as it arrives, to be read on a thread that may block. It ends where the pieces end.
pub(super) struct Body {
    arriving: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.arriving.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let size = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..size]);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a 200 with this many bytes of white space when a MiB is allowed.
    async fn sized(bytes: usize) -> String {
        let response = axum::http::Response::builder()
            .header("content-type", "application/json")
            .body(vec![b' '; bytes])
            .expect("a response");
        let call = Call {
            endpoint: "people/search",
            source: "bob",
            service_user: "SERVICE-1234",
            fields: &[],
            time: Duration::from_secs(60),
            limit: 1024 * 1024,
        };
        let people = crate::sources::hibob::wire::people;
        let (_, Answered { result, .. }) = call.judge(Response::from(response), people).await;
        result.expect_err("white space is no answer").to_string()
    }

    #[tokio::test]
    async fn an_answer_larger_than_its_limit_is_not_taken() {
        let said = sized(1024 * 1024).await;
        assert!(said.contains("it breaks off"), "{said}");
        let said = sized(1024 * 1024 + 1).await;
        assert!(said.contains("larger than 1 MiB"), "{said}");
    }
}

//! One HTTP exchange with 360Learning: bounded in time and size, counted in the metrics, and never
//! repeated. What an answer means is decided elsewhere.

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use metrics::{counter, histogram};
use reqwest::header::{HeaderMap, LINK, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use crate::clock::Deadline;
use crate::targets::TargetError;

/// The largest answer that is read. A page of 5,000 external ids takes about one megabyte.
const BODY_LIMIT: usize = 16 << 20;

/// How long to wait after a 429 that does not say; 360Learning's guide advises about a second.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest wait that a 429 can impose on us.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The way to 360Learning; clones share one pool of connections.
#[derive(Clone)]
pub(super) struct Road {
    http: Client,
    timeout: Duration,
}

/// An answer that was read to its end.
pub(super) struct Raw {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Road {
    /// `plain`: whether plain http is allowed (to loopback, as the configuration's check demands).
    pub fn new(timeout: Duration, plain: bool) -> Result<Self, TargetError> {
        Client::builder()
            .user_agent(concat!("instep/", env!("CARGO_PKG_VERSION")))
            .https_only(!plain)
            // A token must never follow a redirect to another host, nor a POST become a GET.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // A write whose end is unknown is looked up by the caller, never sent twice.
            .retry(reqwest::retry::never())
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .pool_idle_timeout(Duration::from_secs(20))
            .tcp_nodelay(true)
            .build()
            .map(|http| Self { http, timeout })
            .map_err(|error| {
                TargetError::Hold(format!(
                    "the HTTP client for 360Learning cannot be set up ({}): check this machine's \
                     certificates and proxy settings",
                    root(&error)
                ))
            })
    }

    /// How long one exchange may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    pub fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url)
    }

    /// Sends a request and reads the answer. `endpoint` is its name in metrics and errors.
    pub async fn exchange(
        &self,
        endpoint: &'static str,
        request: RequestBuilder,
        deadline: Deadline,
    ) -> Result<Raw, TargetError> {
        let left = deadline.left();
        if left.is_zero() {
            return Err(TargetError::OutOfTime);
        }
        let span = info_span!(target: "instep::trace", "360learning", side = "client",
            called = format_args!("360learning {endpoint}"), status = Empty, failed = Empty);
        let call = async {
            match request.timeout(self.timeout.min(left)).send().await {
                Ok(response) => read(response).await,
                Err(error) => Err(Broken::Http(error)),
            }
        };
        let end = call.instrument(span.clone()).await;
        let took = left.saturating_sub(deadline.left());
        match &end {
            Ok(raw) => {
                span.record("status", raw.status.as_u16());
                span.record("failed", !raw.status.is_success());
            }
            Err(broken) => {
                span.record("status", broken.word());
                span.record("failed", true);
            }
        }
        drop(span);
        let (end, status) = match end {
            Ok(raw) => {
                let status = label(raw.status);
                (Ok(raw), status)
            }
            Err(broken) => (Err(broken.explain(endpoint)), Label::Word(broken.word())),
        };
        histogram!("instep_far_end_call_seconds", "far_end" => "360learning", "endpoint" => endpoint)
            .record(took);
        let count = match status {
            Label::Word(word) => counter!("instep_far_end_calls_total",
                "far_end" => "360learning", "endpoint" => endpoint, "status" => word),
            Label::Number(number) => counter!("instep_far_end_calls_total",
                "far_end" => "360learning", "endpoint" => endpoint, "status" => number.to_string()),
        };
        count.increment(1);
        end
    }
}

impl Raw {
    /// How long a 429 asks us to wait.
    pub fn retry_after(&self) -> Duration {
        self.headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map_or(PAUSE, |seconds| Duration::from_secs(seconds).clamp(PAUSE, LONGEST_PAUSE))
    }

    /// The address of the next page, as given.
    pub fn next(&self) -> Option<&str> {
        self.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(
            |links| {
                // Each is `<URL>; rel="next"; …`; a URL can hold commas, so it is cut at the brackets.
                let mut rest = links;
                while let Some((_, after)) = rest.split_once('<') {
                    let (url, after) = after.split_once('>')?;
                    let parameters = after.split_once('<').map_or(after, |(before, _)| before);
                    let next = parameters.split([';', ',']).any(|parameter| {
                        parameter.split_once('=').is_some_and(|(name, value)| {
                            name.trim().eq_ignore_ascii_case("rel")
                                && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
                        })
                    });
                    if next {
                        return Some(url);
                    }
                    rest = after;
                }
                None
            },
        )
    }

    /// The sentence about an answer that says the far end has trouble.
    pub fn trouble(&self, endpoint: &str) -> String {
        format!("360Learning answered {} to {endpoint}: it has trouble", self.status.as_u16())
    }
}

async fn read(mut response: Response) -> Result<Raw, Broken> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let Some(first) = response.chunk().await.map_err(Broken::Http)? else {
        return Ok(Raw { status, headers, body: Bytes::new() });
    };
    let mut body = first;
    let mut whole = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Broken::Http)? {
        if whole.is_empty() {
            whole.extend_from_slice(&body);
        }
        whole.extend_from_slice(&chunk);
        if whole.len() > BODY_LIMIT {
            return Err(Broken::TooLarge);
        }
    }
    if !whole.is_empty() {
        body = whole.freeze();
    }
    if body.len() > BODY_LIMIT {
        return Err(Broken::TooLarge);
    }
    Ok(Raw { status, headers, body })
}

/// Why there is no answer.
enum Broken {
    Http(reqwest::Error),
    TooLarge,
}

impl Broken {
    /// The `status` of the metrics.
    fn word(&self) -> &'static str {
        match self {
            Self::Http(error) if error.is_timeout() => "timeout",
            Self::Http(error) if error.is_connect() => "unreachable",
            Self::Http(_) => "broken",
            Self::TooLarge => "too_large",
        }
    }

    fn explain(&self, endpoint: &str) -> TargetError {
        TargetError::Again(match self {
            Self::Http(error) if error.is_timeout() => {
                format!("360Learning did not answer {endpoint} in time")
            }
            Self::Http(error) if error.is_connect() => {
                format!("360Learning cannot be reached ({})", root(error))
            }
            Self::Http(error) => {
                format!("the connection to 360Learning broke during {endpoint} ({})", root(error))
            }
            Self::TooLarge => {
                format!("360Learning answered {endpoint} with more than {} MiB", BODY_LIMIT >> 20)
            }
        })
    }
}

/// The innermost cause: "Connection refused", "invalid peer certificate". The outer ones can show
/// the address of the call, and with it somebody's mail.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = match error.source() {
        Some(source) => source,
        None => return "no reason given".into(),
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

enum Label {
    Word(&'static str),
    Number(u16),
}

/// The common statuses without an allocation.
fn label(status: StatusCode) -> Label {
    Label::Word(match status.as_u16() {
        200 => "200",
        201 => "201",
        204 => "204",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        429 => "429",
        500 => "500",
        503 => "503",
        other => return Label::Number(other),
    })
}

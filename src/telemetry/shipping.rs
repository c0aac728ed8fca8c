//! Sends finished spans to the collector: some at a time, a few times when it is away, and never at
//! the cost of anything else.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::otlp::{self, Finished, Value};
use super::traces::Gathering;
use crate::clock::Deadline;
use crate::config::OtlpSettings;

/// So many spans wait at most; further ones are lost.
const ROOM: usize = 8_192;

/// So many are sent together.
const TOGETHER: usize = 512;

/// For so long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(2);

/// Of one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// The rests between the tries of one batch.
const AGAIN: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10)];

/// How long the last spans may take when the program ends.
const LAST: Duration = Duration::from_secs(3);

/// Traces on their way; to be finished before the program ends.
#[must_use]
pub struct Traces(Option<(JoinHandle<()>, CancellationToken)>);

impl Traces {
    /// There are none.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Sends what is left, if that does not take long.
    pub async fn finish(self) {
        if let Some((sending, stop)) = self.0 {
            stop.cancel();
            if timeout(LAST, sending).await.is_err() {
                tracing::warn!("the last traces did not reach their collector in time");
            }
        }
    }
}

/// Begins to send; what is given is to be gathered from.
///
/// # Errors
/// When the client cannot be set up or a header cannot be sent.
pub(super) fn start(settings: &OtlpSettings) -> anyhow::Result<(Gathering, Traces)> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| anyhow::anyhow!("telemetry.otlp_headers: {name} cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    let http = Client::builder()
        .user_agent(concat!("instep/", env!("CARGO_PKG_VERSION")))
        // What the headers hold must not follow a redirect.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()?;
    let (out, spans) = mpsc::channel(ROOM);
    let stop = CancellationToken::new();
    let instance = uuid::Uuid::now_v7().to_string();
    let text = |text: &str| Value::Text(text.to_owned());
    let resource = vec![
        ("service.name", text("instep")),
        ("service.version", text(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", Value::Text(instance)),
    ];
    let shipping = Shipping { http, url: settings.endpoint.clone(), headers, resource };
    let sending = tokio::spawn(shipping.run(spans, stop.clone()));
    Ok((Gathering::new(settings.sample_percent, out), Traces(Some((sending, stop)))))
}

struct Shipping {
    http: Client,
    url: Url,
    headers: HeaderMap,
    resource: Vec<(&'static str, Value)>,
}

impl Shipping {
    async fn run(self, mut spans: mpsc::Receiver<Finished>, stop: CancellationToken) {
        let mut well = true;
        let mut batch = Vec::with_capacity(TOGETHER);
        while gather(&mut spans, &mut batch, &stop).await {
            let count = batch.len() as u64;
            let sent = self.send(otlp::request(&self.resource, &batch), &stop).await;
            batch.clear();
            let outcome = if sent.is_ok() { "sent" } else { "dropped" };
            metrics::counter!("instep_trace_spans_total", "outcome" => outcome).increment(count);
            match sent {
                // Told once, for it may go on for long.
                Err(why) if well => {
                    well = false;
                    tracing::warn!(why, "traces do not reach their collector: otlp_endpoint");
                }
                Ok(()) if !well => {
                    well = true;
                    tracing::info!("traces reach their collector again");
                }
                _ => {}
            }
        }
    }

    async fn send(&self, body: Vec<u8>, stop: &CancellationToken) -> Result<(), String> {
        let body = bytes::Bytes::from(body);
        let mut why = String::new();
        for rest in [Duration::ZERO].into_iter().chain(AGAIN) {
            if !why.is_empty() && stop.is_cancelled() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled(), if !rest.is_zero() => {}
            }
            let request = self.http.post(self.url.clone()).headers(self.headers.clone());
            let request = request.header(CONTENT_TYPE, "application/x-protobuf");
            match request.body(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    why = format!("it answered {}", answer.status().as_u16());
                    if !may_help(answer.status()) {
                        break;
                    }
                }
                Err(error) if error.is_timeout() => {
                    "it did not answer in time".clone_into(&mut why);
                }
                Err(_) => "it cannot be reached".clone_into(&mut why),
            }
        }
        Err(why)
    }
}

/// Whether another try may help; OTLP names these.
fn may_help(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// Waits for spans and gathers more of them for a moment. Whether there are any: no more come once
/// it is told to stop and all are taken.
async fn gather(
    spans: &mut mpsc::Receiver<Finished>,
    batch: &mut Vec<Finished>,
    stop: &CancellationToken,
) -> bool {
    let mut until = None;
    while batch.len() < TOGETHER {
        let more = TOGETHER - batch.len();
        if stop.is_cancelled() {
            spans.close();
            spans.recv_many(batch, more).await;
            break;
        }
        let left = until.map_or(Duration::MAX, Deadline::left);
        tokio::select! {
            _ = spans.recv_many(batch, more) => {
                until.get_or_insert_with(|| Deadline::after(GATHER));
            }
            () = tokio::time::sleep(left) => break,
            () = stop.cancelled() => {}
        }
    }
    !batch.is_empty()
}

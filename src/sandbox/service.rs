//! The front of a double: one HTTP listener that counts, misbehaves on command and answers.
//!
//! Both doubles stand behind this front. It knows paths, faults and counters; what a call means is
//! the double's own business ([`Double`]). A cut connection ends without a single byte of answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Payload};
use super::faults::{DropAt, Fault, Faults, When};

/// The largest body that is read: a bulk submission of 20,000 memberships is about 2 MB, a storm of
/// changes posted at once may be larger.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// How many requests are remembered for each endpoint.
const REMEMBERED: usize = 100;

/// One documented operation: `PATCH /api/v2/users/{userId}`.
pub(super) struct Endpoint<Op> {
    /// The method.
    pub method: &'static str,
    /// The path; a segment in braces stands for a parameter.
    pub path: &'static str,
    /// What the double calls it.
    pub op: Op,
}

/// A request that was read in full.
pub(super) struct Call {
    /// The method.
    pub method: Method,
    /// The path as it came.
    pub path: String,
    /// The query as it came, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The values of the path's parameters, in order.
    pub params: Vec<String>,
}

impl Call {
    /// A path parameter; empty when there is none, which no id equals.
    pub fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the body is announced as JSON.
    pub fn is_json(&self) -> bool {
        self.header(CONTENT_TYPE.as_str())
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    /// Where the caller thinks we are: `127.0.0.1:9002`.
    pub fn host(&self) -> &str {
        self.header(HOST.as_str()).unwrap_or("localhost")
    }
}

/// What differs between the two doubles.
pub(super) trait Double: Send + Sync + 'static {
    /// The double's names of its operations.
    type Op: Copy + Send + Sync + 'static;
    /// Every operation; literal paths stand before those with parameters.
    const ENDPOINTS: &'static [Endpoint<Self::Op>];

    /// Does what the call asks for, or refuses it as the real service would. `at` is the place in
    /// [`Self::ENDPOINTS`].
    fn answer(&self, at: usize, call: &Call, fault: Option<&Fault>) -> Answer;

    /// A path that the real service does not have.
    fn nowhere(&self, call: &Call) -> Answer;

    /// How the real service words a status that a fault asks for.
    fn refusal(&self, status: u16) -> Answer;

    /// The double's own control calls; `None` for one it does not have.
    fn control(&self, call: &Call, ledger: &Ledger) -> Option<Answer>;
}

/// A request as it is remembered.
#[derive(Clone, Serialize)]
struct Remembered<Body> {
    path: String,
    query: String,
    body: Body,
    /// Absent when the connection was cut.
    status: Option<u16>,
}

/// Who called what, how often, and the last requests.
pub(super) struct Ledger {
    names: Vec<String>,
    counts: Vec<AtomicU64>,
    lost: AtomicU64,
    last: Vec<Mutex<VecDeque<Remembered<Bytes>>>>,
}

impl Ledger {
    fn new<Op>(endpoints: &[Endpoint<Op>]) -> Self {
        Self {
            names: endpoints.iter().map(|e| format!("{} {}", e.method, e.path)).collect(),
            counts: endpoints.iter().map(|_| AtomicU64::new(0)).collect(),
            lost: AtomicU64::new(0),
            last: endpoints.iter().map(|_| Mutex::default()).collect(),
        }
    }

    /// How often each endpoint was called; endpoints that nobody called are left out.
    pub fn calls(&self) -> BTreeMap<&str, u64> {
        self.names
            .iter()
            .zip(&self.counts)
            .map(|(name, count)| (name.as_str(), count.load(Ordering::Relaxed)))
            .chain([("unknown path", self.lost.load(Ordering::Relaxed))])
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn remember(&self, at: usize, call: &Call, status: Option<u16>) {
        let mut last = self.last[at].lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= REMEMBERED {
            last.pop_front();
        }
        let (path, query) = (call.path.clone(), call.query.clone());
        last.push_back(Remembered { path, query, body: call.body.clone(), status });
    }

    fn requests(&self) -> BTreeMap<&str, Vec<Remembered<Value>>> {
        let mut all = BTreeMap::new();
        for (name, last) in self.names.iter().zip(&self.last) {
            let last = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if !last.is_empty() {
                let shown = last.into_iter().map(|request| Remembered {
                    body: serde_json::from_slice(&request.body)
                        .unwrap_or_else(|_| String::from_utf8_lossy(&request.body).into()),
                    path: request.path,
                    query: request.query,
                    status: request.status,
                });
                all.insert(name.as_str(), shown.collect());
            }
        }
        all
    }
}

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut on command")]
struct Cut;

/// A double behind its front.
pub(super) struct Front<D> {
    /// The double.
    pub double: D,
    ledger: Ledger,
    faults: Mutex<Faults>,
}

impl<D: Double> Front<D> {
    /// Puts a front before a double.
    pub fn new(double: D) -> Self {
        Self { double, ledger: Ledger::new(D::ENDPOINTS), faults: Mutex::default() }
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Payload>, Cut> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Cut)?.to_bytes();
        let mut call = Call {
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            method: head.method,
            headers: head.headers,
            body,
            params: Vec::new(),
        };
        if call.path.starts_with("/_sandbox") {
            // Some of these answer with everything there is: not on a thread that serves others.
            let answer = tokio::task::spawn_blocking(move || self.control(&call)).await;
            return Ok(answer.unwrap_or_else(|_| Answer::empty(500)).into_response());
        }
        let Some((at, params)) = route(D::ENDPOINTS, call.method.as_str(), &call.path) else {
            self.ledger.lost.fetch_add(1, Ordering::Relaxed);
            return Ok(self.double.nowhere(&call).into_response());
        };
        call.params = params;
        self.ledger.counts[at].fetch_add(1, Ordering::Relaxed);
        let fault = self.faults().take(call.method.as_str(), D::ENDPOINTS[at].path, &call.path);
        let Some(fault) = fault else {
            let answer = self.double.answer(at, &call, None);
            self.ledger.remember(at, &call, Some(answer.status));
            return Ok(answer.into_response());
        };
        let (call, fault) = (Arc::new(call), Arc::new(fault));
        let answer = Arc::clone(&self).misbehave(at, Arc::clone(&call), fault).await;
        self.ledger.remember(at, &call, answer.as_ref().ok().map(|answer| answer.status));
        answer.map(Answer::into_response)
    }

    async fn misbehave(
        self: Arc<Self>,
        at: usize,
        call: Arc<Call>,
        fault: Arc<Fault>,
    ) -> Result<Answer, Cut> {
        let pause = Duration::from_millis(fault.latency_ms);
        let front = Arc::clone(&self);
        let order = Arc::clone(&fault);
        let effect =
            async move { order.has_effect().then(|| front.double.answer(at, &call, Some(&order))) };
        if fault.when == Some(When::Late) {
            // A task of its own: when the caller hangs up, this future ends and the task does not.
            let late = tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                effect.await
            });
            let effect = late.await.map_err(|_| Cut)?;
            return Ok(fault.spoil(effect, |status| self.double.refusal(status)));
        }
        if fault.when == Some(When::Before) {
            tokio::time::sleep(pause).await;
        }
        if fault.drop == Some(DropAt::Before) {
            return Err(Cut);
        }
        let effect = effect.await;
        if fault.when != Some(When::Before) {
            tokio::time::sleep(pause).await;
        }
        if fault.drop == Some(DropAt::After) {
            return Err(Cut);
        }
        Ok(fault.spoil(effect, |status| self.double.refusal(status)))
    }

    fn control(&self, call: &Call) -> Answer {
        let known = match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/_sandbox/faults") => Some(self.set_faults(&call.body)),
            ("GET", "/_sandbox/faults") => Some(Answer::json(200, &*self.faults())),
            ("GET", "/_sandbox/requests") => Some(Answer::json(200, &self.ledger.requests())),
            _ => self.double.control(call, &self.ledger),
        };
        known.unwrap_or_else(|| {
            let known = "GET state stats requests faults settings; \
                POST people webhook accounts groups custom-fields faults limits settings revoke";
            Answer::json(404, &json!({"error": "no such control call", "known": known}))
        })
    }

    fn set_faults(&self, body: &[u8]) -> Answer {
        let known = |method: &str, path: &str| route(D::ENDPOINTS, method, path).is_some();
        let done = self.faults().set(body, known);
        match done {
            Ok(()) => Answer::json(200, &*self.faults()),
            Err(problem) => {
                let endpoints: Vec<_> = self.ledger.names.iter().collect();
                Answer::json(400, &json!({"error": problem, "endpoints": endpoints}))
            }
        }
    }

    /// Serves until `stop`; then open calls get a moment to end.
    ///
    /// # Errors
    /// When the address cannot be taken.
    pub async fn serve(
        self: Arc<Self>,
        address: SocketAddr,
        stop: CancellationToken,
    ) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let graceful = GracefulShutdown::new();
            let mut connections = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = stop.cancelled() => break,
                };
                while connections.try_join_next().is_some() {}
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let front = Arc::clone(&self);
                let service = hyper::service::service_fn(move |request| {
                    let front = Arc::clone(&front);
                    front.handle(request)
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service);
                // A broken connection is the caller's affair, and often our own doing.
                connections.spawn(graceful.watch(connection));
            }
            drop(listener);
            let _ = tokio::time::timeout(Duration::from_millis(500), graceful.shutdown()).await;
            connections.shutdown().await;
        });
        Ok((bound, task))
    }
}

/// Finds the endpoint of a path, and the path's parameters. Also takes a template for a path.
fn route<Op>(endpoints: &[Endpoint<Op>], method: &str, path: &str) -> Option<(usize, Vec<String>)> {
    endpoints.iter().enumerate().find_map(|(at, endpoint)| {
        if endpoint.method != method {
            return None;
        }
        fit(endpoint.path, path).map(|params| (at, params.into_iter().map(decode).collect()))
    })
}

/// Whether a path fits a template, and the values of its parameters.
pub(super) fn fit<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut params = Vec::new();
    let mut parts = path.split('/');
    for expected in template.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            if part.is_empty() {
                return None;
            }
            params.push(part);
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(params)
}

/// Undoes percent-encoding; what is not well encoded stays as it is.
pub(super) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match (bytes[at], hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

//! What comes in by HTTP. It takes in and looks; it never changes a target.
//!
//! - [`webhooks`]: `POST /webhooks/{source}`: raw bytes, verified, stored durably, then 200.
//! - [`console`]: pages for people; [`who`] says who is asking, and what they do goes to the
//!   [`desk`](self::desk::Desk).
//! - [`api`]: the same questions and deeds for programs.
//! - [`shield`] stands before them, whoever asks; `sign_in` is where people become known.
//! - [`health`]: `/health/live` and `/health/ready`, for whoever restarts or routes to us.
//! - [`signatures`]: which secrets sign, for whoever tells people that one is about to fail.
//! - [`metrics`]: `/metrics`, for Prometheus, with what the store (`figures`) and the operating
//!   system (`process`) say at that moment.
//! - [`error`]: the one file with status codes.
//! - [`server`]: the accept loop, with a limit on everything a stranger can make us hold.
//!
//! Names model, sources (to verify), store and clock; not targets, not worker.

pub mod api;
pub mod client;
pub mod console;
pub mod cookie;
pub mod desk;
pub mod error;
mod exposition;
mod figures;
pub mod health;
pub mod metrics;
mod process;
pub mod server;
pub mod shield;
mod sign_in;
pub mod signatures;
mod unmask;
pub mod webhooks;
pub mod who;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::tz::TimeZone;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use self::signatures::Signatures;
use crate::clock::Clock;
use crate::model::SourceName;
use crate::sources::hibob::webhook::Verifier;
use crate::store::Store;
use crate::store::newest::Newest;

pub use server::serve;

/// How much a stranger can make us hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body of a webhook, in bytes; more is answered 413.
    pub body: usize,
    /// Webhooks that one source may send in a second, twice as many in a burst; more is answered
    /// 429. Zero counts as one.
    pub webhooks_per_second: u32,
    /// Connections open at once; further ones wait in the listener's backlog.
    pub connections: usize,
    /// All webhooks that are under way together hold at most so many bytes; more is answered 503.
    /// Each counts as [`webhooks::SHARE`] at least.
    pub room: usize,
    /// How long a request's head may take, and how long a connection may stay idle.
    pub head_time: Duration,
    /// How long a body may take; longer is answered 408.
    pub body_time: Duration,
    /// How long the store may take for one webhook; longer is answered 503. `HiBob` waits 10 s.
    pub store_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            webhooks_per_second: 500,
            connections: 1024,
            room: 16 * 1024 * 1024,
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(10),
            store_time: Duration::from_secs(5),
        }
    }
}

/// Where one source's webhooks come in.
struct Door {
    source: SourceName,
    company: Option<String>,
    verifier: Verifier,
    signatures: Arc<Signatures>,
    rate: DefaultDirectRateLimiter,
    wake: Arc<Notify>,
}

/// What the handlers share. Built with [`HttpState::new`] and [`HttpState::source`].
pub struct HttpState {
    store: Arc<dyn Store>,
    clock: Clock,
    limits: Limits,
    doors: HashMap<String, Door>,
    room: Arc<Semaphore>,
    health: health::Health,
    figures: figures::Figures,
    recorder: PrometheusHandle,
    newest: Arc<Newest>,
    roles: Vec<&'static str>,
    desk: Option<desk::Desk>,
    gate: who::Gate,
    turnstile: api::Turnstile,
    zone: TimeZone,
    streams: console::Seats,
}

impl HttpState {
    /// Without any source yet. `recorder` is what `/metrics` renders; once `shutdown` is cancelled
    /// `/health/ready` says so.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        recorder: PrometheusHandle,
        shutdown: CancellationToken,
        limits: Limits,
    ) -> Self {
        Self {
            health: health::Health::new(Arc::clone(&store), shutdown),
            room: Arc::new(Semaphore::new(limits.room.min(Semaphore::MAX_PERMITS))),
            doors: HashMap::new(),
            figures: figures::Figures::default(),
            store,
            clock,
            limits,
            recorder,
            newest: Arc::default(),
            roles: Vec::new(),
            desk: None,
            gate: who::Gate::default(),
            turnstile: api::Turnstile::default(),
            zone: TimeZone::UTC,
            streams: console::Seats::default(),
        }
    }

    /// People come in by this gate, and what they want is done at this desk.
    #[must_use]
    pub fn people(self, desk: desk::Desk, gate: who::Gate) -> Self {
        Self { desk: Some(desk), gate, ..self }
    }

    /// People are shown times in this zone.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// What is taken in is remembered here.
    #[must_use]
    pub fn remembering(self, newest: &Arc<Newest>) -> Self {
        Self { newest: Arc::clone(newest), ..self }
    }

    /// `/health/ready` says that the process plays these roles.
    #[must_use]
    pub fn playing(self, roles: Vec<&'static str>) -> Self {
        Self { roles, ..self }
    }

    /// Opens `/webhooks/{name}`. Any of the `secrets` may have signed. Events of another company
    /// than `company` are kept and ignored. `wake` is notified when there is new work to lease.
    #[must_use]
    pub fn source(
        mut self,
        name: &SourceName,
        secrets: &[SecretString],
        company: Option<&str>,
        wake: Arc<Notify>,
    ) -> Self {
        let rate = NonZeroU32::new(self.limits.webhooks_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        let door = Door {
            source: name.clone(),
            company: company.map(str::to_owned),
            verifier: Verifier::new(secrets),
            signatures: Arc::default(),
            rate: RateLimiter::direct(Quota::per_second(rate).allow_burst(burst)),
            wake,
        };
        self.doors.insert(name.as_str().to_owned(), door);
        self
    }

    /// What is heard of signatures at each source's door.
    pub fn signatures(&self) -> Vec<(SourceName, Arc<Signatures>)> {
        let doors = self.doors.values();
        doors.map(|door| (door.source.clone(), Arc::clone(&door.signatures))).collect()
    }
}

/// Everything that is answered by HTTP.
pub fn router(state: HttpState) -> Router {
    let state = Arc::new(state);
    let known = middleware::from_fn_with_state(state.clone(), who::admit);
    let shield = middleware::from_fn_with_state(state.clone(), shield::shield);
    let people = console::router().merge(unmask::router()).route_layer(known);
    let people = people.merge(sign_in::router()).route_layer(shield.clone());
    let tokens = middleware::from_fn_with_state(state.clone(), who::admit_token);
    let programs = api::router().route_layer(tokens).route_layer(shield);
    let programs = programs.layer(middleware::from_fn(api::in_one_shape));
    Router::new()
        .route("/", get(about))
        .route("/webhooks/{source}", post(webhooks::receive))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::render))
        .merge(people)
        .merge(programs)
        .merge(console::assets())
        .with_state(state)
}

/// `GET /`: what this is, for whoever finds the port.
async fn about() -> &'static str {
    concat!(
        "Instep ",
        env!("CARGO_PKG_VERSION"),
        ": keeps a Learning Management System in step with HR.\n\n",
        "POST /webhooks/{source}   webhooks of a configured source\n",
        "GET  /health/live         does the process answer\n",
        "GET  /health/ready        can it take webhooks in\n",
        "GET  /metrics             numbers for Prometheus\n",
    )
}

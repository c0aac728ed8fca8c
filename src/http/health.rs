//! `/health/live` and `/health/ready`: may this process be restarted, may it be sent webhooks.
//!
//! Ready means that the store answers and no shutdown has begun. Holds are shown and do not make it
//! unready: while a far end is down we go on taking webhooks in. The store is asked at most every
//! [`FRESH`], however many ask us.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::HttpState;
use super::error;
use crate::clock::Deadline;
use crate::store::{Depth, Hold, Store, StoreError};

/// How long an answer of the store is good.
pub const FRESH: Duration = Duration::from_secs(2);

/// How long the store may take to be called well.
const QUICK: Duration = Duration::from_secs(2);

/// What the store said of itself.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// How it may lose data.
    pub warnings: Vec<String>,
    /// What is on hold.
    pub holds: Vec<Hold>,
    /// How much there is.
    pub depth: Depth,
}

/// What it said, or why it did not, in a sentence.
type Answer = Result<Arc<Said>, String>;

/// Asks the store, and remembers the answer for a moment.
pub(super) struct Health {
    store: Arc<dyn Store>,
    pub(super) shutdown: CancellationToken,
    last: Mutex<Option<(Deadline, Answer)>>,
}

impl Health {
    pub(super) fn new(store: Arc<dyn Store>, shutdown: CancellationToken) -> Self {
        Self { store, shutdown, last: Mutex::new(None) }
    }

    /// What the store says, [`FRESH`] old at most.
    pub(super) async fn store(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some((_, fresh)) = last.as_ref().filter(|(until, _)| !until.left().is_zero()) {
            return fresh.clone();
        }
        let answer = match timeout(QUICK, self.ask()).await {
            Ok(Ok(said)) => Ok(Arc::new(said)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store did not answer within {} s", QUICK.as_secs())),
        };
        *last = Some((Deadline::after(FRESH), answer.clone()));
        answer
    }

    async fn ask(&self) -> Result<Said, StoreError> {
        Ok(Said {
            warnings: self.store.check().await?,
            holds: self.store.holds().await?,
            depth: self.store.depth().await?,
        })
    }
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// `GET /health/ready`: it can take webhooks in.
pub(super) async fn ready(State(state): State<Arc<HttpState>>) -> Response {
    let stopping = state.health.shutdown.is_cancelled();
    let store = state.health.store().await;
    let ready = store.is_ok() && !stopping;
    let holds = store.as_ref().map_or(&[][..], |said| &said.holds);
    let store = match &store {
        Ok(said) => json!({ "ready": true, "warnings": said.warnings }),
        Err(why) => json!({ "ready": false, "reason": why }),
    };
    let server = if stopping {
        json!({ "ready": false, "reason": "this process is shutting down" })
    } else {
        json!({ "ready": true })
    };
    let body = json!({
        "ready": ready,
        "parts": { "server": server, "store": store },
        "holds": holds,
        "version": env!("CARGO_PKG_VERSION"),
        "roles": state.roles,
    });
    (error::ready(ready), Json(body)).into_response()
}

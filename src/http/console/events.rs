//! `/console/events`: says that there is something new, so that pages that are open look again.
//!
//! An event holds nothing but a number: what is new is read from the page by whoever may see it. A
//! stream ends when the process stops and after some minutes anyhow, so that whoever is signed out
//! hears nothing more; the browser opens the next one by itself.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;

use super::visit::Visit;
use crate::clock::Deadline;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Actor, Question};

/// So many streams are open at once; further ones are answered 503.
pub const STREAMS: usize = 100;

/// How often it is looked whether something is new.
const LOOK: Duration = Duration::from_secs(2);

/// So many of the newest runs can have news.
const RUNS: usize = 10;

/// How long one stream lasts.
const LASTING: Duration = Duration::from_secs(600);

/// How often something is sent when nothing is new, so that nothing in between closes the
/// connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One open stream.
struct Listening {
    state: Arc<HttpState>,
    actor: Actor,
    until: Deadline,
    last: Option<u64>,
    /// Given back when the stream ends.
    _seat: OwnedSemaphorePermit,
}

/// `GET /console/events`
pub(super) async fn stream(State(state): State<Arc<HttpState>>, visit: Visit) -> Response {
    let Ok(seat) = Arc::clone(&state.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open").into_response();
    };
    let until = Deadline::after(LASTING);
    let listening = Listening { state, actor: visit.actor, until, last: None, _seat: seat };
    let events = stream::unfold(listening, |mut listening| async move {
        let event = listening.next().await?;
        Some((Ok::<_, Infallible>(event), listening))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

impl Listening {
    /// Waits until something is new; nothing when the stream is to end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let seen = self.look().await;
            let is_new = seen.is_some() && self.last.is_some() && seen != self.last;
            self.last = seen.or(self.last);
            if is_new {
                return Some(Event::default().data("new"));
            }
            if self.until.left().is_zero() {
                return None;
            }
            tokio::select! {
                () = self.state.health.shutdown.cancelled() => return None,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// What can be new, as a number; nothing while the store is away.
    async fn look(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        let said = self.state.health.store().await;
        match &said {
            Ok(said) => format!("{:?} {:?}", said.depth, said.holds).hash(&mut hasher),
            Err(why) => why.hash(&mut hasher),
        }
        // What a page of this person would show: how far runs are, what needs a person.
        if let Ok(Answer::Pulse(pulse)) = self.state.ask(&self.actor, Question::Pulse).await {
            format!("{:?} {:?}", pulse.needs, pulse.syncs).hash(&mut hasher);
        }
        if let Ok(runs) = self.state.store.runs(None, RUNS).await {
            for run in runs {
                (run.id, run.revision).hash(&mut hasher);
            }
        }
        Some(hasher.finish())
    }
}

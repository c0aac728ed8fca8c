//! `/console/events`: says that there is something new, so that pages that are open look again.
//!
//! An event holds nothing but a number: what is new is read from the page by whoever may see it. A
//! stream ends when the process stops and after some minutes anyhow, so that whoever is signed out
//! hears nothing more; the browser opens the next one by itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::visit::Visit;
use crate::clock::Deadline;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Actor, Question};
use crate::store::Runs;

/// So many streams are open at once; further ones are answered 503.
const STREAMS: usize = 100;

/// So many of them are one person's: nobody can take all of them.
const EACH: usize = 20;

/// How often it is looked whether something is new.
const LOOK: Duration = Duration::from_secs(2);

/// So many of the newest runs can have news.
const RUNS: usize = 10;

/// How long one stream lasts.
const LASTING: Duration = Duration::from_secs(600);

/// How often something is sent when nothing is new, so that nothing in between closes the
/// connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Whose the streams are that are open, and how many each has.
#[derive(Clone, Debug, Default)]
pub struct Seats(Arc<Mutex<HashMap<String, usize>>>);

impl Seats {
    /// A seat for one more stream of somebody, if there is one.
    fn take(&self, name: &str) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = taken.get(name).copied().unwrap_or_default();
        if theirs >= EACH || taken.values().sum::<usize>() >= STREAMS {
            return None;
        }
        taken.insert(name.to_owned(), theirs + 1);
        Some(Seat { seats: self.clone(), name: name.to_owned() })
    }
}

/// Given back when it is dropped.
struct Seat {
    seats: Seats,
    name: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.name) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(taken.remove(&self.name)),
        }
    }
}

/// One open stream.
struct Listening {
    state: Arc<HttpState>,
    actor: Actor,
    until: Deadline,
    last: Option<u64>,
    /// Given back when the stream ends.
    _seat: Seat,
}

/// `GET /console/events`
pub(super) async fn stream(State(state): State<Arc<HttpState>>, visit: Visit) -> Response {
    let Some(seat) = state.streams.take(&visit.actor.name) else {
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
        if let Ok(runs) = self.state.store.runs(None, Runs::All, RUNS).await {
            for run in runs {
                (run.id, run.revision).hash(&mut hasher);
            }
        }
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::{EACH, STREAMS, Seats};

    #[test]
    fn nobody_takes_all_the_seats() {
        let seats = Seats::default();
        let mut taken: Vec<_> = (0..EACH).map(|_| seats.take("ann").expect("a seat")).collect();
        assert!(seats.take("ann").is_none());
        for other in 1..STREAMS / EACH {
            taken.extend((0..EACH).map(|_| seats.take(&format!("ben{other}")).expect("a seat")));
        }
        assert!(seats.take("cem").is_none(), "all together are bounded");
        taken.remove(0);
        assert!(seats.take("cem").is_some() && seats.take("ann").is_some());
        drop(taken);
        assert!(seats.0.lock().expect("a count").is_empty());
    }
}

//! A budget of calls that all processes share: HiBob's 50 searches a minute, 360Learning's 10
//! writes a second. Live work is served before bulk work within one process.
//!
//! The store is asked for as many calls as the rate allows in a hundredth of a second, one at least,
//! so that a high rate does not wait for the store at each call. What is left of them after that
//! time is lost: a call comes that much later than it was granted at most, as if the network were
//! slow. With the limits of HiBob and 360Learning it is always one call.

use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::{Instrument as _, info_span};

use super::{Store, StoreError};
use crate::clock::Deadline;
use crate::model::Lane;

/// For how long calls are taken from the store at once, and how long they are good.
const AT_ONCE: Duration = Duration::from_millis(10);

/// How many calls a budget allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls in `per`.
    pub calls: u32,
    /// The period.
    pub per: Duration,
    /// How many of them may come at once after a pause. At most `calls`. In any `per` there are
    /// never more than `calls`: the steady flow is `calls - burst` in each `per`.
    pub burst: u32,
}

/// What a budget granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// So many calls may be made now (at least one, at most what was asked).
    Calls(u32),
    /// None; ask again after this.
    Wait(Duration),
}

/// Hands out calls.
pub struct Budget {
    store: Arc<dyn Store>,
    name: String,
    rate: Rate,
    /// How many calls the store is asked for.
    want: u32,
    /// Calls that the store granted and nobody has made, and until when they are good.
    granted: Lock<(u32, Deadline)>,
    /// How long a single call may take: none is handed out when less is left of the deadline.
    call: Duration,
    /// Live callers wait here…
    live: Mutex<()>,
    /// …and bulk callers here first, so that at most one of them competes with the live ones.
    bulk: Mutex<()>,
}

/// Why there is no call.
#[derive(Debug, thiserror::Error)]
pub enum NoCall {
    /// The deadline would pass before the call could end.
    #[error("the time of this lease is used up")]
    OutOfTime,
    /// The store that keeps the budget is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Budget {
    /// A budget under this name, for calls that last `call` at most.
    pub fn new(store: Arc<dyn Store>, name: impl Into<String>, rate: Rate, call: Duration) -> Self {
        let share = AT_ONCE.as_secs_f64() / rate.per.max(AT_ONCE).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a u32 is a u32"
        )]
        let want = (f64::from(rate.calls) * share) as u32;
        Self {
            store,
            name: name.into(),
            rate,
            want: want.max(1),
            granted: Lock::new((0, Deadline::after(Duration::ZERO))),
            call,
            live: Mutex::new(()),
            bulk: Mutex::new(()),
        }
    }

    /// Waits for one call; `Ok` is the right to make it now.
    ///
    /// # Errors
    /// [`NoCall::OutOfTime`] when it could not end before the deadline.
    pub async fn take(&self, lane: Lane, deadline: Deadline) -> Result<(), NoCall> {
        let wait = async {
            let _queue = match lane {
                Lane::Live => None,
                Lane::Bulk => Some(self.bulk.lock().await),
            };
            let mut turn = self.live.lock().await;
            loop {
                if self.take_granted() {
                    return Ok(());
                }
                let good_until = Deadline::after(AT_ONCE);
                match self.store.grant(&self.name, self.rate, self.want).await? {
                    Grant::Calls(calls) => {
                        *self.granted() = (calls.saturating_sub(1), good_until);
                        return Ok(());
                    }
                    // A live caller keeps its turn until it has its call: turns are given in the
                    // order of asking, and a bulk caller would always be before it again.
                    Grant::Wait(time) if lane == Lane::Live => tokio::time::sleep(time).await,
                    Grant::Wait(time) => {
                        drop(turn);
                        tokio::time::sleep(time).await;
                        turn = self.live.lock().await;
                    }
                }
            }
        };
        let before = deadline.left();
        let got = match before.checked_sub(self.call) {
            Some(spare) => {
                let span = info_span!(target: "instep::trace", "budget", budget = self.name);
                let wait = tokio::time::timeout(spare, wait).instrument(span);
                wait.await.unwrap_or(Err(NoCall::OutOfTime))
            }
            None => Err(NoCall::OutOfTime),
        };
        let waited = before.saturating_sub(deadline.left());
        let budget = || self.name.clone();
        metrics::histogram!("instep_budget_wait_seconds", "budget" => budget()).record(waited);
        match &got {
            Ok(()) => {
                metrics::counter!("instep_budget_granted_total", "budget" => budget()).increment(1);
            }
            Err(NoCall::OutOfTime) => {
                metrics::counter!("instep_budget_out_of_time_total", "budget" => budget())
                    .increment(1);
            }
            // Counted where the store is asked.
            Err(NoCall::Store(_)) => {}
        }
        got
    }

    /// The far end told us to wait.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn pause(&self, time: Duration) -> Result<(), StoreError> {
        self.granted().0 = 0;
        metrics::counter!("instep_budget_paused_total", "budget" => self.name.clone()).increment(1);
        self.store.pause(&self.name, time).await
    }

    /// Takes one of the calls that were granted together with an earlier one.
    fn take_granted(&self) -> bool {
        let (left, good_until) = &mut *self.granted();
        let good = *left > 0 && !good_until.left().is_zero();
        *left = if good { *left - 1 } else { 0 };
        good
    }

    fn granted(&self) -> MutexGuard<'_, (u32, Deadline)> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

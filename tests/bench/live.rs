//! Live changes at a steady pace, and how long each takes from its receipt until it is applied.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use instep::clock::Clock;
use instep::model::DeliveryState;
use instep::store::sqlite::SqliteStore;
use instep::store::{Filter, Store};
use jiff::Timestamp;

use crate::Bench;
use crate::company::Company;

/// Changes a second.
pub const PACE: u32 = 20;

/// How much slower live work may be beside something else.
pub const RATIO: f64 = 1.10;

/// How long the last changes are waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// For how many seconds changes are made.
pub fn seconds(bench: &Bench) -> u64 {
    if bench.quick { 5 } else { 60 }
}

/// Changes somebody every now and then, each time somebody else.
pub struct Live<'c> {
    company: &'c Company,
    next: usize,
}

/// Changes that were made one after the other.
pub struct Span {
    since: Timestamp,
    until: Timestamp,
    /// How many.
    pub changes: usize,
}

impl<'c> Live<'c> {
    /// Nobody has changed yet.
    pub fn of(company: &'c Company) -> Self {
        Self { company, next: 0 }
    }

    /// Changes people at the pace for as long as `go_on` says, which is told for how long it has
    /// been going on.
    ///
    /// # Errors
    /// When somebody cannot be changed.
    pub fn go(&mut self, mut go_on: impl FnMut(Duration) -> bool) -> anyhow::Result<Span> {
        let (clock, began) = (Clock::system(), Instant::now());
        let (since, mut changes) = (clock.now(), 0);
        while go_on(began.elapsed()) {
            let due = began + Duration::from_secs(1) / PACE * u32::try_from(changes)?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.company.change(self.next, 1, &format!("Live{}", self.next))?;
            self.next += 1;
            changes += 1;
        }
        let waited = Instant::now();
        while self.company.sandbox.webhooks().waiting > 0 {
            ensure!(waited.elapsed() < PATIENCE, "not every webhook was taken in");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Span { since, until: clock.now(), changes })
    }

    /// The time within which 99 of 100 changes of a span were applied, in seconds, and how many
    /// there were. Waits until all of them are settled.
    ///
    /// # Errors
    /// When some are not settled, or the store does not answer.
    pub fn slowest(&self, span: &Span) -> anyhow::Result<(f64, usize)> {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&self.company.file(), Clock::system())?);
        let found = |state: DeliveryState| {
            let filter = Filter {
                state: Some(state),
                since: Some(span.since),
                until: Some(span.until),
                kind: Some("employee.updated".to_owned()),
                ..Filter::default()
            };
            self.company.runtime.block_on(store.deliveries(&filter, 1_000_000))
        };
        let began = Instant::now();
        loop {
            let settled = found(DeliveryState::Done)?.len();
            if settled == span.changes && found(DeliveryState::Waiting)?.is_empty() {
                break;
            }
            ensure!(began.elapsed() < PATIENCE, "{settled} of {} are settled", span.changes);
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut took: Vec<f64> = found(DeliveryState::Done)?
            .iter()
            .filter(|it| it.history.iter().any(|attempt| !attempt.done.is_empty()))
            .map(|it| it.due.duration_since(it.received_at).as_secs_f64())
            .collect();
        took.sort_unstable_by(f64::total_cmp);
        let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
        ensure!(!took.is_empty(), "nothing was applied");
        Ok((took[at], took.len()))
    }
}

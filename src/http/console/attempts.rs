//! What happened to a delivery, attempt by attempt, in a line of time.

use super::address;
use super::frame::{Frame, Moment};
use super::plain::plain;
use crate::model::{Attempt, Delivery, DeliveryState};

/// So many attempts of a delivery are shown beside others; its own page shows all that are kept.
const FEW: usize = 3;

/// A delivery in a line of time.
pub struct Line {
    pub path: String,
    pub kind: String,
    pub state: &'static str,
    pub badge: &'static str,
    pub received: Moment,
    pub reason: String,
    pub code: String,
    /// Newest first.
    pub attempts: Vec<Told>,
    /// So many are not shown.
    pub more: usize,
}

impl Line {
    pub fn of(delivery: &Delivery, frame: &Frame) -> Self {
        Self {
            path: address::of_delivery(&delivery.id),
            kind: plain(&delivery.kind),
            state: delivery.state.word(),
            badge: badge(delivery.state),
            received: frame.time(delivery.received_at),
            reason: plain(delivery.reason.as_deref().unwrap_or_default()),
            code: plain(delivery.code.as_deref().unwrap_or_default()),
            attempts: told(delivery, frame).take(FEW).collect(),
            more: delivery.history.len().saturating_sub(FEW),
        }
    }
}

/// One attempt.
pub struct Told {
    pub at: Moment,
    pub took: u64,
    /// `good`, `warn` or `bad`.
    pub class: &'static str,
    pub outcome: String,
    pub decided: String,
    pub rules: String,
    pub read: String,
    pub done: Vec<String>,
}

/// A delivery's attempts, newest first.
pub fn told(delivery: &Delivery, frame: &Frame) -> impl Iterator<Item = Told> {
    delivery.history.iter().rev().map(|attempt| {
        let Attempt { at, took_ms, read, rules, decided, done, outcome } = attempt;
        // A settled attempt's outcome says what was done, in whatever words.
        let class = match outcome.split([' ', ':']).next() {
            Some("dead") => "bad",
            Some("again" | "held" | "hold" | "given") => "warn",
            _ => "good",
        };
        Told {
            at: frame.time(at),
            took: *took_ms,
            class,
            outcome: plain(outcome),
            decided: plain(decided),
            rules: plain(rules),
            read: plain(&read.join(", ")),
            done: done.iter().map(|step| plain(step)).collect(),
        }
    })
}

/// How a state is shown.
pub fn badge(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "warn",
        DeliveryState::Dead => "bad",
        DeliveryState::Done => "good",
        DeliveryState::Ignored => "quiet",
    }
}

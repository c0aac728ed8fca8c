//! A delivery: one event on its way to the target, with all that was tried.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, EmployeeId, EventId, Person, SourceName};

/// What stands between a step that was carried out together with other people's and the target's id
/// of the operation that did it.
pub const IN_BULK: &str = " by the bulk operation ";

/// Which queue a delivery stands in. Live work goes before bulk work; bulk work gets a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Someone changed just now.
    Live,
    /// Runs and replays.
    Bulk,
}

impl Lane {
    /// The word that people read and type.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bulk => "bulk",
        }
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be done when it is due; perhaps leased right now.
    Waiting,
    /// Settled: the target is as it should be, or there was nothing to do.
    Done,
    /// A dead letter: it needs a person.
    Dead,
    /// Kept to be seen; nothing to do.
    Ignored,
}

impl DeliveryState {
    /// All states, in the order in which people want to see them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Dead, Self::Done, Self::Ignored];

    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Ignored => "ignored",
        }
    }
}

/// One event on its way to the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// The event it carries.
    pub event: EventId,
    /// The source the event came from.
    pub source: SourceName,
    /// Whom it is about; nobody for an event that names no one.
    pub employee: Option<EmployeeId>,
    /// The event's kind: `employee.updated`.
    pub kind: String,
    /// Its queue.
    pub lane: Lane,
    /// When the event was received.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it may be leased (while waiting), else when it was settled.
    pub due: Timestamp,
    /// Attempts that were spent.
    pub attempts: u32,
    /// Reads that showed nothing new: the base of the second look.
    pub looks: u32,
    /// Complete answers in a row that did not contain the person.
    #[serde(default)]
    pub absences: u32,
    /// How often a worker died while it held this delivery. Counted by the store.
    #[serde(default)]
    pub kills: u32,
    /// How often a person asked for it again.
    #[serde(default)]
    pub replays: u32,
    /// One sentence: why it stands where it stands.
    pub reason: Option<String>,
    /// A short code for the cause, by which failures are grouped: `mailAlreadyUsed`.
    #[serde(default)]
    pub code: Option<String>,
    /// The last attempts, oldest first, [`Delivery::HISTORY`] at most.
    pub history: Vec<Attempt>,
}

impl Delivery {
    /// How many attempts are remembered.
    pub const HISTORY: usize = 20;

    /// The person it is about.
    pub fn person(&self) -> Option<Person> {
        self.employee.clone().map(|employee| Person { source: self.source.clone(), employee })
    }

    /// Its code, if that is a word that can be shown anywhere: far ends make codes, and anything may
    /// stand in a far end's answer. Otherwise `other`.
    pub fn cause(&self) -> &str {
        let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let is_word = |code: &&str| (1..=60).contains(&code.len()) && code.chars().all(known);
        self.code.as_deref().filter(is_word).unwrap_or("other")
    }

    /// Adds an attempt to the history; the oldest goes when there are too many.
    pub fn remember(&mut self, attempt: Attempt) {
        if self.history.len() >= Self::HISTORY {
            self.history.remove(0);
        }
        self.history.push(attempt);
    }
}

/// One attempt: what was read (names of fields, never values), decided and done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Which fields the record had, by name.
    pub read: Vec<String>,
    /// The version of the rules that decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rules: String,
    /// What was decided: `update first_name, job`.
    pub decided: String,
    /// What was done, call by call.
    pub done: Vec<String>,
    /// How it ended: `done`, `again in 25 s: nothing new yet`, `dead: mailAlreadyUsed`.
    pub outcome: String,
}

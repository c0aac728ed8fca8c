//! How things are: what the first page of the console shows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RunId, SourceName};

/// How things are with this process and the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// What needs a person, the gravest first.
    pub needs: Vec<Need>,
    /// The last hours, the oldest first. What this process settled, and what waited in the store.
    pub spans: Vec<Span>,
    /// What the far ends allow and what this process has used.
    pub budgets: Vec<BudgetUse>,
    /// The full syncs of each source.
    pub syncs: Vec<SyncPulse>,
}

/// Something that needs a person. It holds ids and counts, no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// What kind of thing: `brake`, `hold`, `dead letters`.
    pub topic: String,
    /// In one line.
    pub title: String,
    /// More, in sentences.
    pub lines: Vec<String>,
    /// What to do.
    pub todo: Option<String>,
    /// The run that says more.
    pub run: Option<RunId>,
    /// The code of the deliveries that say more.
    pub code: Option<String>,
}

/// A short span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When it began.
    pub at: Timestamp,
    /// The most deliveries that waited; unknown when the store was away.
    pub waiting: Option<u64>,
    /// The age of the oldest of them in milliseconds.
    pub oldest_ms: u64,
    /// How many deliveries this process settled.
    pub settled: u64,
    /// From the receipt of an event to its end, in milliseconds; nothing when none ended.
    pub latency: Option<Latency>,
}

/// So long half of them took, 95 of 100, 99 of 100: in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them.
    pub p50: u64,
    /// 95 of 100.
    pub p95: u64,
    /// 99 of 100.
    pub p99: u64,
}

/// What a far end allows, and what this process has used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetUse {
    /// Whose: `bob searches`, `target writes`.
    pub name: String,
    /// Calls in the last minute.
    pub calls: u64,
    /// Calls that are allowed in a minute.
    pub allowed: u64,
    /// For how many milliseconds calls waited for their turn in the last minute, all together.
    pub waited_ms: u64,
}

/// The full syncs of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPulse {
    /// Which source.
    pub source: SourceName,
    /// When the next one is due.
    pub next: Option<Timestamp>,
    /// Who asked for one that has not begun.
    pub asked: Option<String>,
    /// The one that is under way.
    pub going: Option<Going>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// Which.
    pub run: Option<RunId>,
    /// In words: `applying: 120 of 430`.
    pub words: String,
    /// How much of it, and how much there is; nothing when that is not known yet.
    pub share: Option<(u64, u64)>,
}

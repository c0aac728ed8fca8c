//! A run: many deliveries made together, from the comparison that found them to the report.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ChangeKind, EmployeeId, Event, EventId, Item, ItemState, Rejection, RunId, Selection, Slice,
    SourceName, Which,
};

/// The kind of a run's event about somebody whom HR showed.
pub const SYNC: &str = "sync";

/// The kind of a run's event about somebody whom HR did not show, though its answer was complete or
/// a human approved.
pub const SYNC_ABSENT: &str = "sync.absent";

/// The name of the note in which each run leaves how many people of a source are linked.
pub fn linked_note(source: &SourceName) -> String {
    format!("linked:{source}")
}

/// What a run orders for one person: the raw body of its event. The same order is the same event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which run.
    pub run: RunId,
    /// Whom it is about.
    #[serde(rename = "employeeId")]
    pub employee: EmployeeId,
    /// The kind of change that the brake let pass, or a human approved; none when only the link is
    /// to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeKind>,
    /// What the account holds in custom fields, and who manages it, differs from what was applied:
    /// it is looked at before anything is planned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closely: bool,
}

impl Order {
    /// The event that carries it.
    pub fn event(&self, source: &SourceName, kind: &str, now: Timestamp) -> Event {
        let raw = serde_json::to_vec(self).unwrap_or_default();
        Event {
            id: EventId::of(source, &raw),
            source: source.clone(),
            kind: kind.to_owned(),
            company: None,
            employee: Some(self.employee.clone()),
            received_at: now,
            raw: raw.into(),
        }
    }

    /// Reads what an event carries; nothing when a run did not make it.
    pub fn of(event: &Event) -> Option<Self> {
        let is_ours = matches!(event.kind.as_str(), SYNC | SYNC_ABSENT);
        is_ours.then(|| serde_json::from_slice(&event.raw).ok()).flatten()
    }
}

/// What a run is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there are few runs")]
pub enum RunKind {
    /// Everybody is compared.
    #[default]
    FullSync,
    /// These deliveries are looked at again; what doing them again would change waits for a human.
    Replay {
        /// Which.
        which: Which,
        /// Why, in the words of whoever asked for it.
        #[serde(alias = "why")]
        reason: String,
        /// So many people a minute are queued at most.
        per_minute: u32,
    },
}

/// Many deliveries of one source made together: a full sync, or a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// What it is made for.
    #[serde(default)]
    pub kind: RunKind,
    /// Who paused it; nothing more is queued until it is resumed.
    #[serde(default)]
    pub paused_by: Option<String>,
    /// Counts the writes, from 1: a write that does not follow the last one is refused, so that two
    /// writers never overwrite each other.
    pub revision: u64,
    /// Whose people.
    pub source: SourceName,
    /// Who or what asked for it, in words: `the schedule`, `ann`, `the store was emptied`.
    pub asked_by: String,
    /// It only looks: nothing is queued.
    pub plan_only: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far it is.
    pub state: RunState,
    /// The version of the rules that decided.
    pub rules: String,
    /// Whether HR's answer was complete.
    pub certificate: Certificate,
    /// How many people HR showed.
    pub people: u64,
    /// How many accounts the LMS showed.
    pub accounts: u64,
    /// How many people are linked to an account.
    pub linked: u64,
    /// How many people are as they should be.
    pub in_step: u64,
    /// How many people were changed so far. The items say it too; this is kept when they are gone.
    #[serde(default)]
    pub changed: u64,
    /// How many people's deliveries are dead letters so far.
    #[serde(default)]
    pub failed: u64,
    /// How many deliveries a replay is about.
    #[serde(default)]
    pub deliveries: u64,
    /// How many people will fail again, as a replay's preview says, by code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fails: BTreeMap<String, u64>,
    /// How many people each filter said no to, by its key.
    pub filtered: BTreeMap<String, u64>,
    /// The changes by kind, with the brake's judgement.
    pub slices: Vec<Slice>,
    /// The calls made for it, by far end and kind: `hibob searches`, `360learning writes`.
    pub calls: BTreeMap<String, u64>,
    /// Milliseconds spent waiting, by whom: `hibob budget`.
    pub waited_ms: BTreeMap<String, u64>,
    /// What went less than perfectly, in sentences.
    pub remarks: Vec<String>,
    /// What was approved and is not queued yet: whoever follows the run queues it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// Of a replay whose preview nobody confirms any more: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<Unconfirmed>,
}

/// Why nothing of a preview is done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unconfirmed {
    /// Nobody decided in time.
    Expired,
    /// Somebody said no.
    Rejected(Rejection),
}

/// What somebody approved of one kind of change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Which kind.
    pub kind: ChangeKind,
    /// For whom.
    pub whom: Selection,
}

impl Approval {
    /// Whether it lets this item go on: one that is held.
    pub fn lets(&self, item: &Item) -> bool {
        item.kind == Some(self.kind)
            && item.state == ItemState::Held
            && item.employee.as_ref().is_some_and(|employee| self.whom.has(employee))
    }
}

/// How much personal data may be told about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personal {
    /// Ids only: whoever may know who that is looks it up.
    #[default]
    None,
    /// Names too.
    Names,
    /// Names, and what fields and groups held and hold.
    Values,
}

impl Run {
    /// Whether it does deliveries again; else it compares everybody.
    pub fn is_replay(&self) -> bool {
        matches!(self.kind, RunKind::Replay { .. })
    }

    /// What the brake holds, or in a run that only looks: would hold.
    pub fn held(&self) -> impl Iterator<Item = &Slice> {
        self.slices.iter().filter(|slice| slice.is_held())
    }

    /// Whether somebody has yet to go on with it or to decide: it has not ended, or something is held.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none() || !self.plan_only && self.held().next().is_some()
    }

    /// Whether it is a preview that nobody confirms any more: its time is over.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        match self.state {
            RunState::Previewed { until } => until <= now,
            _ => self.unconfirmed == Some(Unconfirmed::Expired),
        }
    }

    /// A run that has just begun and has seen nothing yet.
    pub fn begun(id: RunId, source: SourceName, asked_by: &str, started_at: Timestamp) -> Self {
        Self {
            id,
            kind: RunKind::default(),
            paused_by: None,
            revision: 1,
            source,
            asked_by: asked_by.to_owned(),
            plan_only: false,
            started_at,
            ended_at: None,
            state: RunState::Comparing,
            rules: String::new(),
            certificate: Certificate::default(),
            people: 0,
            accounts: 0,
            linked: 0,
            in_step: 0,
            changed: 0,
            failed: 0,
            deliveries: 0,
            fails: BTreeMap::new(),
            filtered: BTreeMap::new(),
            slices: Vec::new(),
            calls: BTreeMap::new(),
            waited_ms: BTreeMap::new(),
            remarks: Vec::new(),
            approvals: Vec::new(),
            unconfirmed: None,
        }
    }
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// HR and the LMS are read and compared.
    Comparing,
    /// A replay's preview is there; nothing of it is done until a human confirms it.
    Previewed {
        /// Until when it can be confirmed.
        until: Timestamp,
    },
    /// Its deliveries are worked on.
    Applying,
    /// Everything that was not held has ended.
    Done,
    /// Somebody stopped it.
    Cancelled {
        /// Who.
        by: String,
    },
    /// It could not be carried through.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// The proof that HR's answer was complete. Without it nobody is deactivated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What was missing, in sentences; it is complete when there is none.
    pub missing: Vec<String>,
    /// How many people had each field that the rules use.
    pub fields: BTreeMap<String, u64>,
}

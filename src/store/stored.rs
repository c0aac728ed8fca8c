//! Everything that is stored, apart from how: what a store hands out as a whole and takes in again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    AuditEntry, Choice, Delivery, DeliveryId, EmployeeId, Event, EventId, Item, Link, Person, Run,
    RunId, SourceName,
};
use crate::store::Hold;

/// One thing that is stored. Leases are not: whoever had one is gone when the store moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", content = "of", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a few hundred are in hand at once")]
pub enum Stored {
    /// An event.
    Event(StoredEvent),
    /// A delivery, its kills included.
    Delivery(Delivery),
    /// Whose account is whose.
    Link {
        /// Whose.
        person: Person,
        /// What is known of it.
        link: Link,
    },
    /// What a human decided about somebody's account.
    Choice {
        /// Whose.
        person: Person,
        /// What.
        choice: Choice,
    },
    /// A note.
    Note {
        /// Its name.
        name: String,
        /// What it says.
        text: String,
    },
    /// A run.
    Run(Run),
    /// An item of a run; the run comes before it.
    Item {
        /// Of which run.
        run: RunId,
        /// The item.
        item: Item,
    },
    /// A hold.
    Hold(Hold),
    /// Somebody was forgotten.
    Forgotten {
        /// Who.
        person: Person,
        /// When.
        at: Timestamp,
    },
    /// An entry of the audit log.
    Audit(AuditEntry),
}

impl Stored {
    /// The word for things of this kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Event(_) => "events",
            Self::Delivery(_) => "deliveries",
            Self::Link { .. } => "links",
            Self::Choice { .. } => "choices",
            Self::Note { .. } => "notes",
            Self::Run(_) => "runs",
            Self::Item { .. } => "items",
            Self::Hold(_) => "holds",
            Self::Forgotten { .. } => "forgotten people",
            Self::Audit(_) => "audit entries",
        }
    }
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its name.
    pub id: EventId,
    /// Who sent it.
    pub source: SourceName,
    /// The source's word for what happened.
    pub kind: String,
    /// The company it speaks of.
    pub company: Option<String>,
    /// The person it speaks of.
    pub employee: Option<EmployeeId>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The body.
    #[serde(with = "body")]
    pub raw: Vec<u8>,
    /// Deliveries that carried it and need it, the last one at the end.
    pub carriers: Vec<DeliveryId>,
    /// How often the same bytes came again.
    pub repeats: u64,
}

impl StoredEvent {
    /// An event with what the store knows of it.
    pub fn new(event: Event, carriers: Vec<DeliveryId>, repeats: u64) -> Self {
        Self {
            id: event.id,
            source: event.source,
            kind: event.kind,
            company: event.company,
            employee: event.employee,
            received_at: event.received_at,
            raw: event.raw.to_vec(),
            carriers,
            repeats,
        }
    }

    /// The event.
    pub fn event(&self) -> Event {
        Event {
            id: self.id.clone(),
            source: self.source.clone(),
            kind: self.kind.clone(),
            company: self.company.clone(),
            employee: self.employee.clone(),
            received_at: self.received_at,
            raw: self.raw.clone().into(),
        }
    }
}

/// Something that a store handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kept: Stored,
    /// Whether the newest key sealed it, or it is plain as it should be.
    pub newest: bool,
}

/// A part of everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dump {
    /// What is there. While the store changes, one thing can come twice.
    pub found: Vec<Found>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// The place in a walk of everything: which kind, and two words that mean something to the store.
#[derive(Clone, Debug, Default)]
pub(super) struct At {
    pub stage: usize,
    pub a: String,
    pub b: String,
}

impl At {
    /// The place in a text that [`text`](Self::text) made; the beginning when there is none.
    pub fn read(text: Option<&str>) -> Self {
        let mut parts = text.unwrap_or_default().split('\u{1f}');
        let stage = parts.next().and_then(|stage| stage.parse().ok()).unwrap_or(0);
        let mut word = || parts.next().unwrap_or_default().to_owned();
        Self { stage, a: word(), b: word() }
    }

    pub fn text(&self) -> String {
        format!("{}\u{1f}{}\u{1f}{}", self.stage, self.a, self.b)
    }

    /// The beginning of the next kind.
    pub fn turn(&mut self) {
        *self = Self { stage: self.stage + 1, ..Self::default() };
    }
}

/// A body in base64: it is any bytes.
mod body {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

//! An event: a source told us that someone changed. It says who, never what is true.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Delivery, DeliveryId, DeliveryState, EmployeeId, EventId, Lane, Person, SourceName};

/// The kind of our own event that calls somebody's appointment.
pub const APPOINTMENT: &str = "appointment";

/// The kind of our own event that tells somebody that their manager has an account now.
pub const MANAGER_ARRIVED: &str = "manager.arrived";

/// The kind of our own event by which a human asks for one person to be read again now.
pub const ASKED: &str = "asked";

/// The kind of our own event after a turn whose lease was lost: what it wrote may have come after
/// what another worker wrote.
pub const LEASE_LOST: &str = "lease.lost";

/// The kind of event by which HiBob tells that somebody was deleted.
pub const DELETED: &str = "employee.deleted";

/// One event as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The hash of source and raw body.
    pub id: EventId,
    /// Who sent it.
    pub source: SourceName,
    /// The source's own word for what happened: `employee.updated`.
    pub kind: String,
    /// The company it speaks of, when it names one.
    pub company: Option<String>,
    /// The person it speaks of, when it names one.
    pub employee: Option<EmployeeId>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The body, byte for byte.
    pub raw: Bytes,
}

impl Event {
    /// An event that Instep itself tells of somebody. The same words about the same person are the
    /// same event.
    pub fn of_our_own(kind: &str, person: &Person, words: &str, now: Timestamp) -> Self {
        let raw = format!("{{\"{kind}\":\"{words}\",\"employeeId\":\"{}\"}}", person.employee);
        Self {
            id: EventId::of(&person.source, raw.as_bytes()),
            source: person.source.clone(),
            kind: kind.to_owned(),
            company: None,
            employee: Some(person.employee.clone()),
            received_at: now,
            raw: raw.into(),
        }
    }
}

/// Why nothing becomes of an event about somebody who was forgotten.
pub const FORGOTTEN: &str = "this person was forgotten here: `instep forget --undo` lifts it";

/// What shall become of an event that is taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// Work for a worker, in this lane.
    Deliver(Lane),
    /// Kept and visible, but nothing to do, for this reason.
    Ignore(String),
}

/// An event together with its fate: what [`accept`](crate::store::Store::accept) takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The event.
    pub event: Event,
    /// What shall become of it.
    pub fate: Fate,
    /// The id that its delivery will bear, should it be the first of its kind.
    pub delivery: DeliveryId,
}

impl Arrival {
    /// Live work from an event of our own.
    pub fn live(event: Event) -> Self {
        Self { event, fate: Fate::Deliver(Lane::Live), delivery: DeliveryId::fresh() }
    }

    /// As it is kept of somebody who was forgotten: that it came, and nothing of what it said.
    #[must_use]
    pub fn of_the_forgotten(mut self) -> Self {
        self.event.raw = Bytes::new();
        self.fate = Fate::Ignore(FORGOTTEN.to_owned());
        self
    }

    /// The delivery that carries the event, as it is at first. An event that names nobody could
    /// never be leased, so it is ignored whatever its fate.
    pub fn first_delivery(&self) -> Delivery {
        let event = &self.event;
        let (state, lane, reason) = match (&self.fate, &event.employee) {
            (Fate::Deliver(lane), Some(_)) => (DeliveryState::Waiting, *lane, None),
            (Fate::Deliver(lane), None) => {
                (DeliveryState::Ignored, *lane, Some("the event names nobody".to_owned()))
            }
            (Fate::Ignore(reason), _) => (DeliveryState::Ignored, Lane::Live, Some(reason.clone())),
        };
        Delivery {
            id: self.delivery.clone(),
            event: event.id.clone(),
            source: event.source.clone(),
            employee: event.employee.clone(),
            kind: event.kind.clone(),
            lane,
            received_at: event.received_at,
            state,
            due: event.received_at,
            attempts: 0,
            looks: 0,
            absences: 0,
            kills: 0,
            replays: 0,
            reason,
            code: None,
            history: Vec::new(),
        }
    }
}

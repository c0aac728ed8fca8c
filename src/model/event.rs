//! An event: a source told us that someone changed. It says who, never what is true.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Delivery, DeliveryId, DeliveryState, EmployeeId, EventId, Lane, SourceName};

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

//! An event: a source told us that someone changed. It says who, never what is true.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, EmployeeId, EventId, Lane, SourceName};

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

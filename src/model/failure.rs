//! Failures: dead and held deliveries, grouped by what they have in common.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::{Delivery, DeliveryId, DeliveryState, EmployeeId, SourceName};

/// Which deliveries. Every condition that is given must hold; without any, all fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// One of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<DeliveryId>,
    /// Of the cause with this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// In this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// About this employee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee: Option<EmployeeId>,
    /// Of this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of this event type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// With these words in its ids, kind, code or reason, whatever their case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Which {
    /// Whether no condition is given, so that every delivery fits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a delivery is meant.
    pub fn fits(&self, delivery: &Delivery) -> bool {
        let Self { ids, cause, state, source, employee, code, kind, since, until, text } = self;
        (ids.is_empty() || ids.contains(&delivery.id))
            && state.is_none_or(|state| delivery.state == state)
            && source.as_ref().is_none_or(|source| delivery.source == *source)
            && employee.as_ref().is_none_or(|it| delivery.employee.as_ref() == Some(it))
            && code.as_ref().is_none_or(|code| delivery.code.as_ref() == Some(code))
            && kind.as_ref().is_none_or(|kind| delivery.kind == *kind)
            && since.is_none_or(|since| delivery.received_at >= since)
            && until.is_none_or(|until| delivery.received_at < until)
            && text.as_ref().is_none_or(|text| has_words(delivery, text))
            && cause.as_ref().is_none_or(|cause| {
                delivery.state == DeliveryState::Dead && Cause::of(delivery).name == *cause
            })
    }
}

/// Whether each of the words stands somewhere in what a delivery shows.
fn has_words(delivery: &Delivery, text: &str) -> bool {
    let employee = delivery.employee.as_ref().map_or("", EmployeeId::as_str);
    let told = [
        delivery.id.as_str(),
        delivery.event.as_str(),
        delivery.source.as_str(),
        employee,
        &delivery.kind,
        delivery.code.as_deref().unwrap_or_default(),
        delivery.reason.as_deref().unwrap_or_default(),
    ];
    let told = told.join("\n").to_lowercase();
    text.to_lowercase().split_whitespace().all(|word| told.contains(word))
}

/// Dead letters, or deliveries that wait behind a hold, of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The cause's name: short, and the same as long as the cause is: `mailAlreadyUsed-3f2a`.
    pub cause: String,
    /// Where it comes from.
    pub source: SourceName,
    /// The code: `mailAlreadyUsed`.
    pub code: String,
    /// The reason, with what differs from delivery to delivery taken out.
    pub shape: String,
    /// Whether these are dead letters; else they wait.
    pub dead: bool,
    /// How many deliveries.
    pub deliveries: u64,
    /// How many people.
    pub people: u64,
    /// When the first one was received.
    pub first: Timestamp,
    /// When the last one was received.
    pub last: Timestamp,
    /// How many were received in each of the last 24 hours, the oldest first.
    pub trend: Vec<u64>,
    /// What to do, in a sentence or two.
    pub advice: String,
    /// Some of its deliveries, the newest first.
    pub examples: Vec<DeliveryId>,
}

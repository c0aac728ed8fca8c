//! Addresses of pages about things whose names others gave.

use std::fmt::Write as _;

use crate::model::{DeliveryId, Person, RunId};

/// One part of an address: whatever stands in it, it stays one part.
pub fn segment(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            part.push(char::from(byte));
        } else {
            let _ = write!(part, "%{byte:02X}");
        }
    }
    part
}

/// A query out of names and values; those that are empty are left out.
pub fn query(fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// Somebody's page.
pub fn of_person(person: &Person) -> String {
    let (source, employee) = (segment(person.source.as_str()), segment(person.employee.as_str()));
    format!("/console/people/{source}/{employee}")
}

/// A delivery's page.
pub fn of_delivery(id: &DeliveryId) -> String {
    format!("/console/deliveries/{}", segment(id.as_str()))
}

/// A run's page.
pub fn of_run(id: &RunId) -> String {
    format!("/console/runs/{}", segment(id.as_str()))
}

/// The page of a cause.
pub fn of_cause(cause: &str) -> String {
    format!("/console/failures/{}", segment(cause))
}

//! The newest delivery that a process has seen in the store: by it the process notices that the
//! store lost its last writes.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::DeliveryId;

/// Remembers one delivery, the newest.
#[derive(Debug, Default)]
pub struct Newest(Mutex<Option<DeliveryId>>);

impl Newest {
    /// This one was there.
    pub fn note(&self, id: &DeliveryId) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_none_or(|newest| newest < id) {
            *newest = Some(id.clone());
        }
    }

    /// The newest one.
    pub fn get(&self) -> Option<DeliveryId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets this one, if it is still the newest.
    pub fn forget(&self, id: &DeliveryId) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref() == Some(id) {
            *newest = None;
        }
    }
}

/// When a delivery was made, by its id (a UUID version 7 begins with milliseconds).
pub fn made_at(id: &DeliveryId) -> Option<Timestamp> {
    let digits: String = id.as_str().chars().filter(char::is_ascii_hexdigit).take(12).collect();
    Timestamp::from_millisecond(i64::from_str_radix(&digits, 16).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_one_is_remembered() {
        let (newest, older) = (Newest::default(), DeliveryId::fresh());
        let younger = DeliveryId::new("ffffffff-0000-7000-8000-000000000000");
        newest.note(&younger);
        newest.note(&older);
        assert_eq!(newest.get(), Some(younger.clone()));
        newest.forget(&older);
        assert_eq!(newest.get(), Some(younger.clone()), "another one came meanwhile");
        newest.forget(&younger);
        assert_eq!(newest.get(), None);
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let id = DeliveryId::new("019aa3c1-4d00-7000-8000-000000000000");
        let made = made_at(&id).expect("a time");
        assert_eq!(made.as_millisecond(), 0x019a_a3c1_4d00);
        assert_eq!(made_at(&DeliveryId::new("")), None);
    }
}

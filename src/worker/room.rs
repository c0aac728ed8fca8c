//! Room for persons who were read and wait for the target. Live work has room of its own, and goes
//! before bulk work, so that a change of today does not wait behind a sync of everyone.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::model::Lane;
use crate::store::Due;

/// How many persons of one lane may be in hand at once.
const IN_HAND: usize = 100;

/// The room.
pub struct Room {
    /// How many persons may be applied at once.
    at_once: usize,
    slots: Arc<Semaphore>,
    /// Bulk work waits here first, so that at most one of it competes with live work for a slot.
    turn: Mutex<()>,
    live: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
}

/// Whom to lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// So many at most.
    pub persons: usize,
    /// They fill a read.
    pub full: bool,
}

impl Room {
    /// Room for so many at once.
    pub fn new(slots: usize) -> Self {
        let lane = || Arc::new(Semaphore::new(IN_HAND));
        Self {
            at_once: slots,
            slots: Arc::new(Semaphore::new(slots)),
            turn: Mutex::default(),
            live: lane(),
            bulk: lane(),
        }
    }

    /// How many of those that are due to lease, `most` at most: no more than is soon applied, and
    /// not one by one. While others wait for a slot already, only many are worth a read: a few would
    /// wait too, and by then more of their events may have come, which the same read serves.
    pub(super) fn wanted(&self, due: Due, most: usize) -> Option<Wanted> {
        let (live, bulk) = (self.live.available_permits(), self.bulk.available_permits());
        let half = most.div_ceil(2);
        let all_wait = IN_HAND - live >= self.at_once;
        if due.live > 0 && (live < half || (all_wait && due.live < half)) {
            return None;
        }
        if bulk >= half {
            return Some(Wanted { persons: most.min(bulk), full: due.persons >= most });
        }
        // Bulk work has had its share for now: only live work, and the tenth that goes with it.
        let persons = (due.live + due.live / 9 + 1).min(most);
        (due.live > 0).then_some(Wanted { persons, full: due.live >= most })
    }

    /// Takes a place in hand, until it is dropped. One more than there is room for is let in.
    pub(super) fn in_hand(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let places = if lane == Lane::Live { &self.live } else { &self.bulk };
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// Waits for a slot; live work first. `None` never comes: the slots are not closed.
    pub(super) async fn slot(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let _turn = match lane {
            Lane::Live => None,
            Lane::Bulk => Some(self.turn.lock().await),
        };
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(persons: usize, live: usize) -> Due {
        Due { persons, live, next: None }
    }

    #[test]
    fn live_work_has_room_when_bulk_work_has_none() {
        let room = Room::new(16);
        assert_eq!(room.wanted(due(100, 0), 100), Some(Wanted { persons: 100, full: true }));
        assert_eq!(room.wanted(due(3, 3), 100), Some(Wanted { persons: 100, full: false }));
        let _bulk: Vec<_> = (0..60).map(|_| room.in_hand(Lane::Bulk)).collect();
        assert_eq!(room.wanted(due(100, 0), 100), None);
        assert_eq!(room.wanted(due(100, 1), 100), Some(Wanted { persons: 2, full: false }));
        assert_eq!(room.wanted(due(100, 100), 100), Some(Wanted { persons: 100, full: true }));
        assert_eq!(room.wanted(due(100, 9), 100), Some(Wanted { persons: 11, full: false }));
        let _live: Vec<_> = (0..20).map(|_| room.in_hand(Lane::Live)).collect();
        assert_eq!(room.wanted(due(100, 9), 100), None);
        assert_eq!(room.wanted(due(100, 50), 100), Some(Wanted { persons: 56, full: false }));
        let _more: Vec<_> = (0..40).map(|_| room.in_hand(Lane::Live)).collect();
        assert_eq!(room.wanted(due(100, 90), 100), None);
        assert_eq!(room.wanted(due(100, 9), 100), None);
    }

    #[tokio::test]
    async fn at_most_one_of_the_bulk_goes_before_live_work() {
        let room = Room::new(1);
        let taken = room.slot(Lane::Live).await;
        let order = std::sync::Mutex::new(Vec::new());
        let wait = async |lane, name| {
            let _slot = room.slot(lane).await;
            order.lock().expect("order").push(name);
        };
        let free = async { drop(taken) };
        tokio::join!(
            biased;
            wait(Lane::Bulk, "bulk 1"),
            wait(Lane::Bulk, "bulk 2"),
            wait(Lane::Live, "live"),
            free
        );
        assert_eq!(order.into_inner().expect("order"), ["bulk 1", "live", "bulk 2"]);
    }
}

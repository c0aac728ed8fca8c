//! Closing dead letters without doing them again.

use super::Stop;
use super::file::Db;
use super::rows::{self, Written};
use crate::model::{DeliveryId, DeliveryState};
use crate::store::closed;
use jiff::Timestamp;

/// Closes those of the deliveries that are dead letters; says how many.
pub(super) fn close(
    db: &Db,
    ids: &[DeliveryId],
    state: DeliveryState,
    reason: &str,
    at: Timestamp,
) -> Result<u64, Stop> {
    let mut count = 0;
    for id in ids {
        let Some(delivery) = rows::delivery(db, id.as_str())? else { continue };
        if delivery.state == DeliveryState::Dead {
            Written::new(closed(&delivery, state, reason, at), &db.keys).update(db)?;
            count += 1;
        }
    }
    Ok(count)
}

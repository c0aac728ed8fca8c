//! Queues everyone a source shows, so that the one road brings the target in step. It changes
//! nothing itself, and absence proves nothing to it: who is not shown is left alone.

use std::sync::Arc;

use crate::clock::{Clock, Deadline};
use crate::model::{Arrival, DeliveryId, Event, EventId, Fate, Lane, SourceName};
use crate::sources::hibob::client::HiBob;
use crate::store::{Store, StoreError};

/// The kind of the events it makes.
pub const KIND: &str = "reconcile";

/// How long reading everyone may take.
const READING: std::time::Duration = std::time::Duration::from_secs(600);

/// Why everyone could not be queued.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The source did not show everyone.
    #[error(transparent)]
    Source(#[from] crate::sources::SourceError),
    /// The store did not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Queues everyone in the bulk lane; says how many. `occasion` names the reason: the same occasion
/// queues nobody twice.
///
/// # Errors
/// When the source or the store is not available; what was queued stays queued, and the same
/// occasion can be tried again.
pub async fn everyone(
    name: &SourceName,
    source: &HiBob,
    store: &Arc<dyn Store>,
    clock: &Clock,
    occasion: &str,
) -> Result<usize, ReconcileError> {
    let people = source.everyone(Deadline::after(READING)).await?;
    let queued = people.len();
    for (employee, _) in people {
        let raw = format!("{{\"{KIND}\":\"{occasion}\",\"employeeId\":\"{employee}\"}}");
        let event = Event {
            id: EventId::of(name, raw.as_bytes()),
            source: name.clone(),
            kind: KIND.to_owned(),
            company: None,
            employee: Some(employee),
            received_at: clock.now(),
            raw: raw.into(),
        };
        let fate = Fate::Deliver(Lane::Bulk);
        store.accept(Arrival { event, fate, delivery: DeliveryId::fresh() }).await?;
    }
    Ok(queued)
}

//! Queues everyone a source shows, so that the one road brings the target in step. It changes
//! nothing itself, and absence proves nothing to it: who is not shown is left alone.

use std::sync::Arc;

use super::ReconcileError;
use crate::clock::{Clock, Deadline};
use crate::model::{Arrival, DeliveryId, EmployeeId, Event, EventId, Fate, Lane, SourceName};
use crate::sources::hibob::client::HiBob;
use crate::store::{Store, StoreError};

/// The kind of the events it makes.
pub const KIND: &str = "reconcile";

/// How long reading everyone may take.
const READING: std::time::Duration = std::time::Duration::from_secs(600);

/// Whether everyone is still to be queued on this occasion: it was begun and has not ended.
///
/// # Errors
/// When the store is not available.
pub async fn is_unfinished(
    name: &SourceName,
    store: &dyn Store,
    clock: &Clock,
    occasion: &str,
) -> Result<bool, StoreError> {
    let is_there = async |stage| {
        let id = mark(name, clock, occasion, stage).event.id;
        Ok::<_, StoreError>(store.event(&id).await?.is_some())
    };
    Ok(is_there(Stage::Begun).await? && !is_there(Stage::Ended).await?)
}

/// Notes that queueing everyone has begun or ended, so that it is not forgotten when the process
/// ends in between.
///
/// # Errors
/// When the store is not available.
pub async fn note(
    name: &SourceName,
    store: &dyn Store,
    clock: &Clock,
    occasion: &str,
    stage: Stage,
) -> Result<(), StoreError> {
    store.accept(mark(name, clock, occasion, stage)).await.map(drop)
}

/// How far queueing everyone has come.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// It must be done.
    Begun,
    /// Everyone is queued.
    Ended,
}

/// An event about nobody that bears witness.
fn mark(name: &SourceName, clock: &Clock, occasion: &str, stage: Stage) -> Arrival {
    let word = match stage {
        Stage::Begun => "begun",
        Stage::Ended => "ended",
    };
    let raw = format!("{{\"{KIND}\":\"{occasion}\",\"stage\":\"{word}\"}}");
    let event = event(name, clock, raw, None);
    let fate = Fate::Ignore(format!("queueing everyone has {word}"));
    Arrival { event, fate, delivery: DeliveryId::fresh() }
}

fn event(name: &SourceName, clock: &Clock, raw: String, employee: Option<EmployeeId>) -> Event {
    Event {
        id: EventId::of(name, raw.as_bytes()),
        source: name.clone(),
        kind: KIND.to_owned(),
        company: None,
        employee,
        received_at: clock.now(),
        raw: raw.into(),
    }
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
        let event = event(name, clock, raw, Some(employee));
        let fate = Fate::Deliver(Lane::Bulk);
        store.accept(Arrival { event, fate, delivery: DeliveryId::fresh() }).await?;
    }
    Ok(queued)
}

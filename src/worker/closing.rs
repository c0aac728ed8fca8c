//! Dead letters close by themselves when their person is brought in step later: what they were to
//! achieve is achieved, for every delivery only says that somebody is to be looked at.
//!
//! Promises: they close only after a turn that read the person, found what is wanted and left nothing
//! undone; a failure that still holds makes that turn fail, and stays.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Worker;
use super::process::Case;
use crate::clock::Deadline;
use crate::model::{Delivery, DeliveryState};
use crate::store::{Filter, StoreError};

/// How long it is believed that there are no dead letters.
const BELIEVED: Duration = Duration::from_secs(2);

/// So many of somebody's dead letters are closed at once.
const MOST: usize = 500;

/// Whether a source has dead letters at all: as a rule it has none, and then nobody's are looked up.
#[derive(Debug, Default)]
pub struct DeadLetters(Mutex<Option<(Deadline, bool)>>);

impl DeadLetters {
    /// There is one now.
    pub(super) fn note(&self) {
        self.set(true);
    }

    fn set(&self, are_there: bool) {
        let known = Some((Deadline::after(BELIEVED), are_there));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn known(&self) -> Option<bool> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|(until, _)| !until.left().is_zero()).map(|(_, are_there)| are_there)
    }
}

impl Worker {
    /// Closes the dead letters of somebody who is in step now, before the lease ends: so nobody else
    /// has the person in hand. What cannot be closed stays a dead letter.
    pub(super) async fn close_dead_letters(&self, case: &Case) {
        if let Err(error) = self.try_to_close(case).await {
            let (person, error) = (&case.lease.person, &error as &dyn std::error::Error);
            tracing::debug!(%person, error, "their dead letters stay");
        }
    }

    async fn try_to_close(&self, case: &Case) -> Result<(), StoreError> {
        let dead = Filter { state: Some(DeliveryState::Dead), ..Filter::default() };
        let are_there = if let Some(known) = self.dead_letters.known() {
            known
        } else {
            let are_there = !self.store.deliveries(&dead, 1).await?.is_empty();
            self.dead_letters.set(are_there);
            are_there
        };
        let Some(newest) = case.lease.deliveries.last().filter(|_| are_there) else {
            return Ok(());
        };
        let person = &case.lease.person;
        let theirs = Filter {
            source: Some(person.source.clone()),
            employee: Some(person.employee.as_str().to_owned()),
            ..dead
        };
        let theirs = self.store.deliveries(&theirs, MOST).await?;
        if theirs.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = theirs.into_iter().map(|delivery: Delivery| delivery.id).collect();
        let reason =
            format!("closed by itself: delivery {} brought this person in step later", newest.id);
        let now = self.clock.now();
        let closed = self.store.close(&ids, DeliveryState::Done, &reason, now).await?;
        tracing::info!(%person, closed, by = %newest.id, "dead letters closed by themselves");
        Ok(())
    }
}

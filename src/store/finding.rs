//! Finding the deliveries that somebody means, newest first and a portion at a time, so that no call
//! takes long and no memory grows with how many there are.

use std::collections::VecDeque;

use jiff::SignedDuration;

use super::{Filter, Store, StoreError};
use crate::model::{Delivery, DeliveryId, Which};

/// So many deliveries are looked at in one step.
const PORTION: usize = 500;

/// Ids are in the order of their creation, and that is the order of receipt but for so much.
const OUT_OF_ORDER: SignedDuration = SignedDuration::from_mins(1);

/// Looks through deliveries for those that are meant.
#[derive(Clone, Debug)]
pub struct Finding {
    which: Which,
    /// Those that are named and were not looked at yet, the newest first.
    named: Option<VecDeque<DeliveryId>>,
    before: Option<DeliveryId>,
    ended: bool,
}

impl Finding {
    /// From the newest on, or from those that are older than `before`.
    pub fn of(which: Which, before: Option<DeliveryId>) -> Self {
        let mut ids = which.ids.clone();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.dedup();
        ids.retain(|id| before.as_ref().is_none_or(|before| id < before));
        let named = (!which.ids.is_empty()).then(|| ids.into());
        Self { which, named, before, ended: false }
    }

    /// Looks at the next portion and gives what fits of it, perhaps nothing; `None` at the end.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<Delivery>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        if let Some(named) = &mut self.named {
            let mut found = Vec::new();
            for id in named.drain(..PORTION.min(named.len())) {
                found.extend(store.delivery(&id).await?);
                self.before = Some(id);
            }
            self.ended = named.is_empty();
            found.retain(|delivery| self.which.fits(delivery));
            return Ok(Some(found));
        }
        // What no index serves is judged here, so that each step looks at so many and no more.
        let filter = Filter {
            state: self.which.state.or_else(|| {
                self.which.cause.is_some().then_some(crate::model::DeliveryState::Dead)
            }),
            employee: self.which.employee.as_ref().map(|employee| employee.as_str().to_owned()),
            until: self.which.until,
            before: self.before.clone(),
            ..Filter::default()
        };
        let mut found = store.deliveries(&filter, PORTION).await?;
        let Some(last) = found.last() else {
            self.ended = true;
            return Ok(None);
        };
        let too_old = |since| last.received_at + OUT_OF_ORDER < since;
        self.ended = found.len() < PORTION || self.which.since.is_some_and(too_old);
        self.before = Some(last.id.clone());
        found.retain(|delivery| self.which.fits(delivery));
        Ok(Some(found))
    }

    /// Everything up to this one was looked at; none at the end.
    pub fn place(&self) -> Option<DeliveryId> {
        self.before.clone().filter(|_| !self.ended)
    }
}

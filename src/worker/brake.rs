//! The brake of the hour: so many deactivations, by live events and full syncs together, so that a
//! storm of wrong events cannot do what a full sync may not, nor one sync after the other.
//!
//! What it stops of live events becomes a dead letter. What a full sync ordered waits for its turn
//! instead: its run's brake has judged it, and it is only not to be done on top of everything else.
//! Not counted: what a human approved, or confirmed when a replay's preview showed it; and another
//! try of a deactivation that was begun.

use std::time::Duration;

use super::Worker;
use super::process::Case;
use super::retry::{Delays, Verdict};
use crate::model::words::count;
use crate::model::{ChangeKind, Delivery, Link, SliceState, linked_note};
use crate::provisioning::brake;
use crate::store::{Grant, Rate, StoreError};
use crate::targets::TargetError;

/// The code of those who were stopped.
pub(super) const BRAKE: &str = "brake";

const HOUR: Duration = Duration::from_secs(3600);

/// Those who wait for their turn come back within this time of it, not all at once: each time they
/// are read anew.
const SPREAD: Duration = Duration::from_secs(600);

/// What a run said about a deactivation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ordered {
    /// Nothing.
    No,
    /// Its brake let it pass.
    Free,
    /// A human approved it.
    Approved,
}

impl Worker {
    /// Whether an account may be deactivated now; otherwise a human has to look.
    pub(super) async fn may_deactivate(&self, case: &Case, link: &Link) -> Result<(), Verdict> {
        let deliveries = &case.lease.deliveries;
        let was_begun = link.status.is_none() && link.kept.is_some();
        if was_begun {
            return Ok(());
        }
        let store = |error| Verdict::from(TargetError::Store(error));
        let ordered = self.ordered(deliveries).await.map_err(store)?;
        if ordered == Ordered::Approved {
            return Ok(());
        }
        let note = self.store.note(&linked_note(&self.name)).await.map_err(store)?;
        // Without a run that counted them, the floor of the limit is what counts.
        let linked = note.and_then(|note| note.parse().ok()).unwrap_or(0);
        let limit = brake::hourly(&self.brake, linked);
        if limit.most > 0 {
            let rate = Rate { calls: limit.most, per: HOUR, burst: limit.at_once };
            let name = format!("brake:deactivate:{}", self.name);
            match self.store.grant(&name, rate, 1).await.map_err(store)? {
                Grant::Calls(_) => return Ok(()),
                Grant::Wait(turn) if ordered == Ordered::Free => {
                    let spread = Delays { first: SPREAD, longest: SPREAD };
                    return Err(Verdict::Waits {
                        after: turn + spread.after(1),
                        why: format!(
                            "waits for its turn: {} accounts in an hour is the limit, by events \
                             and full syncs together (brake.deactivations_per_hour)",
                            limit.most
                        ),
                    });
                }
                Grant::Wait(_) => {}
            }
        }
        Err(Verdict::Dead {
            code: BRAKE.to_owned(),
            advice: format!(
                "not deactivated: {} in an hour is the limit, {} of them at once \
                 (brake.deactivations_per_hour), and more events than that say that somebody has \
                 left. Look whether that is right, then `instep replay --code {BRAKE}` and confirm",
                count(limit.most.into(), "account", "accounts"),
                limit.at_once
            ),
        })
    }

    /// What runs said about the deactivation of somebody.
    async fn ordered(&self, deliveries: &[Delivery]) -> Result<Ordered, StoreError> {
        let mut ordered = Ordered::No;
        for order in self.orders(deliveries).await? {
            if order.change != Some(ChangeKind::Deactivate) {
                continue;
            }
            let run = self.store.run(&order.run).await?;
            let slices = run.iter().flat_map(|run| &run.slices);
            let mut states = slices
                .filter(|slice| slice.kind == ChangeKind::Deactivate)
                .map(|slice| &slice.state);
            let is_approved = states.any(|state| matches!(state, SliceState::Approved { .. }));
            ordered = ordered.max(if is_approved { Ordered::Approved } else { Ordered::Free });
        }
        Ok(ordered)
    }
}

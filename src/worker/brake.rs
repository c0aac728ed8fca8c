//! The brake of the live road: so many deactivations in an hour, whatever events come, so that a
//! storm of wrong ones cannot do what a full sync may not.
//!
//! Not counted: what a run ordered as a deactivation, for the run's brake has judged it, or a human
//! approved it; and another try of a deactivation that was begun. A replay is counted unless its
//! preview showed the deactivation and a human confirmed it.

use std::time::Duration;

use super::Worker;
use super::process::Case;
use super::retry::Verdict;
use crate::model::{ChangeKind, Link, linked_note};
use crate::provisioning::brake;
use crate::store::{Grant, Rate};
use crate::targets::TargetError;

/// The code of those who were stopped.
pub(super) const BRAKE: &str = "brake";

const HOUR: Duration = Duration::from_secs(3600);

impl Worker {
    /// Whether an account may be deactivated now; otherwise a human has to look.
    pub(super) async fn may_deactivate(&self, case: &Case, link: &Link) -> Result<(), Verdict> {
        let deliveries = &case.lease.deliveries;
        let was_begun = link.status.is_none() && link.kept.is_some();
        if was_begun {
            return Ok(());
        }
        let store = |error| Verdict::from(TargetError::Store(error));
        let orders = self.orders(deliveries).await.map_err(store)?;
        if orders.iter().any(|order| order.change == Some(ChangeKind::Deactivate)) {
            return Ok(());
        }
        let note = self.store.note(&linked_note(&self.name)).await.map_err(store)?;
        // Without a run that counted them, the floor of the limit is what counts.
        let linked = note.and_then(|note| note.parse().ok()).unwrap_or(0);
        let limit = brake::hourly(&self.brake, linked);
        if limit.most > 0 {
            let rate = Rate { calls: limit.most, per: HOUR, burst: limit.at_once };
            let name = format!("brake:deactivate:{}", self.name);
            if let Grant::Calls(_) = self.store.grant(&name, rate, 1).await.map_err(store)? {
                return Ok(());
            }
        }
        Err(Verdict::Dead {
            code: BRAKE.to_owned(),
            advice: format!(
                "not deactivated: {} accounts in an hour is the limit, {} of them at once \
                 (brake.deactivations_per_hour), and more events than that say that somebody has \
                 left. Look whether that is right, then `instep replay --code {BRAKE}` and confirm",
                limit.most, limit.at_once
            ),
        })
    }
}

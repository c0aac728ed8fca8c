//! Persons whose worker was lost: it died with them, or was too slow.
//!
//! Promises: what it may have done is looked up, not believed; and when one person is the reason
//! why workers die, the others who were in the same hands do not end as dead letters with them.

use std::time::Duration;

use super::Worker;
use crate::store::Lease;

/// Whose workers were lost so often is worked on alone, to see who is the reason.
const ALONE_FROM: u32 = 2;

impl Worker {
    /// When a worker died with a person or was too slow, its last call may have changed more than
    /// the link says. What is known of the account's state is then struck out, in the store too,
    /// so that whoever comes next looks at the target.
    pub(super) async fn doubt(&self, lease: &mut Lease) {
        if lease.deliveries.iter().all(|delivery| delivery.kills == 0) {
            return;
        }
        let Some(link) = lease.link.as_mut() else { return };
        if link.status.take().is_none() {
            return;
        }
        let link = link.clone();
        if let Err(error) = self.store.save_link(lease, &link).await {
            let (person, error) = (&lease.person, &error as &dyn std::error::Error);
            tracing::warn!(%person, error, "not noted that the link may be out of date");
        }
    }

    /// Sets apart whose workers were lost more than once: nobody else is in hand with one of them.
    /// They and the others take turns. Says whom to work on, and whether that is one of them.
    pub(super) async fn set_apart(
        &self,
        leases: Vec<Lease>,
        alone_next: &mut bool,
    ) -> (Vec<Lease>, bool) {
        let is_suspect =
            |lease: &Lease| lease.deliveries.iter().any(|delivery| delivery.kills >= ALONE_FROM);
        let (mut suspects, mut others): (Vec<_>, Vec<_>) = leases.into_iter().partition(is_suspect);
        if suspects.is_empty() {
            return (others, false);
        }
        let alone = others.is_empty() || *alone_next;
        *alone_next = !alone;
        if alone {
            others.extend(suspects.drain(1..));
            self.give_back(others, Duration::ZERO, None).await;
            return (suspects, true);
        }
        self.give_back(suspects, Duration::ZERO, None).await;
        (others, false)
    }
}

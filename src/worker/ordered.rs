//! Work that a full sync ordered, or that follows a loss. It is done by what is true when it is done:
//! the account is looked at, whatever the link says, for the link is what was found to be out of step.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::end::End;
use super::process::Case;
use super::retry::Verdict;
use super::turn::lane;
use super::{Live, Worker};
use crate::model::{
    ASKED, Account, AccountId, AccountStatus, Delivery, Desired, FoundBy, LEASE_LOST, Link, Order,
    RunId, RunState, SYNC, SYNC_ABSENT,
};
use crate::store::{Lease, StoreError};
use crate::targets::TargetError;

/// Whether a run ordered this.
pub(super) fn is_ordered(delivery: &Delivery) -> bool {
    matches!(delivery.kind.as_str(), SYNC | SYNC_ABSENT)
}

/// Whether a worker was lost while it had this in hand, or this tells of such a loss.
pub(super) fn is_after_a_loss(delivery: &Delivery) -> bool {
    delivery.kills > 0 || delivery.kind == LEASE_LOST
}

impl Case {
    /// Whether the account is looked at, whatever the link says of it: a run or a human ordered it, or
    /// a worker was lost.
    pub(super) fn sees_account(&self) -> bool {
        let asked = |it: &Delivery| is_ordered(it) || it.kind == ASKED;
        self.lease.deliveries.iter().any(asked) || self.follows_a_loss()
    }

    /// Whether a worker before us died with this person or was too slow. A call of its own may have
    /// taken effect after ours, which the link does not know, or may yet do so.
    pub(super) fn follows_a_loss(&self) -> bool {
        self.lease.deliveries.iter().any(is_after_a_loss)
    }
}

impl Worker {
    /// Corrects custom fields and manager, where a run saw that they were edited by hand, or where a
    /// lost worker may have written them.
    async fn correct_belongings(
        &self,
        case: &Case,
        account: &AccountId,
        link: &mut Link,
    ) -> Result<(), Verdict> {
        let orders = self.orders(&case.lease.deliveries).await.map_err(TargetError::Store)?;
        if !orders.iter().any(|order| order.closely) && !case.follows_a_loss() {
            return Ok(());
        }
        let (target, lease) = (&self.target.target, &case.lease);
        let (lane, deadline) = (lane(lease), lease.deadline);
        let values = if link.custom.is_empty() {
            None
        } else {
            Some(target.custom_values(account, lane, deadline).await?)
        };
        let managers = match &link.manager {
            None => None,
            Some(_) => Some(target.managers(account, lane, deadline).await?),
        };
        link.see_belongings(values.as_ref(), managers.as_deref());
        Ok(())
    }

    /// What runs ordered for somebody, as far as the events are still kept.
    pub(super) async fn orders(&self, deliveries: &[Delivery]) -> Result<Vec<Order>, StoreError> {
        let mut orders = Vec::new();
        for delivery in deliveries.iter().filter(|delivery| is_ordered(delivery)) {
            let kept = self.store.event(&delivery.event).await?;
            orders.extend(kept.and_then(|kept| Order::of(&kept.event)));
        }
        Ok(orders)
    }

    /// What only cancelled runs ordered is settled without doing anything.
    pub(super) async fn without_cancelled(
        &self,
        leases: Vec<Lease>,
        live: &Arc<Live>,
        started: Timestamp,
    ) -> Vec<Lease> {
        let mut known = HashMap::new();
        let mut left = Vec::new();
        for lease in leases {
            match self.cancelled(&lease, &mut known).await {
                Ok(Some(by)) => {
                    let case = Case::unread(lease, Arc::clone(live), started);
                    let why = format!("the run was cancelled by {by}");
                    self.conclude(case, &why, Vec::new(), End::Done(why.clone()), None).await;
                }
                // Whoever cannot be asked about is worked on: what is true is done.
                Ok(None) | Err(_) => left.push(lease),
            }
        }
        left
    }

    /// Who cancelled everything that there is to do.
    async fn cancelled(
        &self,
        lease: &Lease,
        known: &mut HashMap<RunId, Option<String>>,
    ) -> Result<Option<String>, StoreError> {
        if !lease.deliveries.iter().all(|it| is_ordered(it) && it.replays == 0) {
            return Ok(None);
        }
        let orders = self.orders(&lease.deliveries).await?;
        let mut cancelled = None;
        for order in &orders {
            if !known.contains_key(&order.run) {
                let by = match self.store.run(&order.run).await?.map(|run| run.state) {
                    Some(RunState::Cancelled { by }) => Some(by),
                    _ => None,
                };
                known.insert(order.run.clone(), by);
            }
            match known.get(&order.run).cloned().flatten() {
                Some(by) => cancelled = Some(by),
                None => return Ok(None),
            }
        }
        Ok(cancelled.filter(|_| orders.len() == lease.deliveries.len()))
    }

    /// Corrects the link by what the target shows of the account: its groups, and whether it bears
    /// the employee's id.
    pub(super) async fn correct(
        &self,
        case: &Case,
        desired: &Desired,
        account: &Account,
        by: FoundBy,
        link: &mut Link,
    ) -> Result<(), Verdict> {
        let is_known = link.account.as_ref() == Some(&account.id);
        if !case.sees_account() || !is_known || account.status == AccountStatus::Deleted {
            return Ok(());
        }
        if by == FoundBy::Link
            && let Some(held) = case.holds_id
        {
            link.external_id = held.then(|| desired.external_id.clone());
        }
        if !link.groups.is_empty() && desired.active && case.live.rules.needs().groups {
            let lease = &case.lease;
            let roles = self.target.target.roles(&account.id, lane(lease), lease.deadline).await?;
            link.groups.retain(|given| roles.contains(given));
        }
        if desired.active && !link.restoring {
            self.correct_belongings(case, &account.id, link).await?;
        }
        Ok(())
    }
}

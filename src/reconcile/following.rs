//! Queues what a run may change and follows it until all is settled. Each step can be repeated: who
//! goes on with a run of a dead process begins here again.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::watch;

use super::deciding::{self, change};
use super::looking::done;
use super::{Progress, ReconcileError, Reconciler, Stage};
use crate::model::{
    Arrival, DeliveryId, DeliveryState, Drift, Fate, IN_BULK, Item, ItemState, Lane, Order, Run,
    RunState, SYNC, SYNC_ABSENT,
};
use crate::provisioning::drift;
use crate::store::Accepted;

/// So many are queued together.
const TOGETHER: usize = 500;

/// So many deliveries are looked at before the next rest.
const LOOKS: usize = 500;

/// The rest between two looks.
const REST: Duration = Duration::from_millis(500);

/// A person takes so many writes, as a rule.
const WRITES_EACH: u64 = 2;

/// What is followed.
#[derive(Default)]
struct Followed {
    outstanding: VecDeque<Item>,
    settled: u64,
    changed: u64,
    failed: u64,
    /// The bulk operations by which memberships were changed.
    operations: BTreeSet<String>,
}

impl Followed {
    /// One more is settled.
    fn count(&mut self, state: &ItemState) {
        match state {
            ItemState::Done { done } => {
                let by = done.iter().filter_map(|it| Some(it.split_once(IN_BULK)?.1.to_owned()));
                self.operations.extend(by);
                self.settled += 1;
                self.changed += u64::from(!done.is_empty());
            }
            ItemState::Failed { .. } => {
                self.settled += 1;
                self.failed += 1;
            }
            ItemState::Told | ItemState::Held | ItemState::Queued { .. } => {}
        }
    }
}

impl Reconciler<'_> {
    /// Queues and follows until everything is settled and nobody has approved more meanwhile.
    pub(super) async fn follow(
        &self,
        mut run: Run,
        progress: &watch::Sender<Progress>,
    ) -> Result<Run, ReconcileError> {
        loop {
            run = self.let_go(run).await?;
            let seen = run.revision;
            let mut followed = self.outstanding(&run).await?;
            self.queue(&run, &mut followed.outstanding, progress).await?;
            while !followed.outstanding.is_empty() {
                let moved = self.observe(&run, &mut followed).await?;
                self.tell(&followed, progress);
                let now = self.store.run(&run.id).await?;
                let now = now.ok_or_else(|| ReconcileError::NoRun(run.id.clone()))?;
                if matches!(now.state, RunState::Cancelled { .. }) {
                    return Err(ReconcileError::Cancelled(run.id));
                }
                if now.revision != seen {
                    break;
                }
                if !moved && !followed.outstanding.is_empty() {
                    tokio::time::sleep(REST).await;
                }
            }
            let all_settled = followed.outstanding.is_empty();
            let now = self.clock.now();
            let (stored, ended) = change(&**self.store, &run.id, |run| {
                if matches!(run.state, RunState::Cancelled { .. }) {
                    return Err(ReconcileError::Cancelled(run.id.clone()));
                }
                if run.revision != seen || !all_settled {
                    return Ok(None);
                }
                (run.changed, run.failed) = (followed.changed, followed.failed);
                if !followed.operations.is_empty() {
                    let operations = count(followed.operations.len());
                    run.calls.insert("360learning bulk operations".to_owned(), operations);
                }
                run.state = RunState::Done;
                run.ended_at = Some(now);
                Ok(Some(()))
            })
            .await?;
            if ended.is_some() {
                progress.send_modify(|it| it.stage = Stage::Ended);
                return Ok(stored);
            }
            run = stored;
        }
    }

    /// Lets go what was approved since: its items are to be queued. Done again by whoever goes on for
    /// a process that died with it, it finds fewer of them.
    async fn let_go(&self, run: Run) -> Result<Run, ReconcileError> {
        if run.approvals.is_empty() {
            return Ok(run);
        }
        let is_approved = |item: &Item| run.approvals.iter().any(|approval| approval.lets(item));
        let mut approved = deciding::items(&**self.store, &run.id, is_approved).await?;
        for item in &mut approved {
            item.state = ItemState::Queued { delivery: DeliveryId::fresh() };
        }
        self.store.save_items(&run.id, &approved).await?;
        let (run, _) = change(&**self.store, &run.id, |stored| {
            if matches!(stored.state, RunState::Cancelled { .. }) {
                return Err(ReconcileError::Cancelled(stored.id.clone()));
            }
            stored.approvals.retain(|approval| !run.approvals.contains(approval));
            Ok(Some(()))
        })
        .await?;
        Ok(run)
    }

    /// The items whose deliveries are not known to be settled.
    async fn outstanding(&self, run: &Run) -> Result<Followed, ReconcileError> {
        let mut followed = Followed::default();
        let mut after = 0;
        loop {
            let some = self.store.items(&run.id, after, deciding::PORTION).await?;
            let Some(last) = some.last() else { return Ok(followed) };
            after = last.number;
            for item in some {
                followed.count(&item.state);
                if matches!(item.state, ItemState::Queued { .. }) {
                    followed.outstanding.push_back(item);
                }
            }
        }
    }

    /// Makes deliveries of the items; one that is there already stays the same.
    async fn queue(
        &self,
        run: &Run,
        items: &mut VecDeque<Item>,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), ReconcileError> {
        let all = count(items.len());
        let mut queued = 0;
        for some in items.make_contiguous().chunks_mut(TOGETHER) {
            progress.send_modify(|it| it.stage = Stage::Queueing { done: queued, all });
            let arrivals = some.iter().filter_map(|item| self.arrival(run, item)).collect();
            let accepted = self.store.accept_all(arrivals).await?;
            let mut moved = Vec::new();
            for (item, accepted) in some.iter_mut().zip(accepted) {
                if let Accepted::Repeat(delivery) = accepted {
                    item.state = ItemState::Queued { delivery };
                    moved.push(item.clone());
                }
            }
            if !moved.is_empty() {
                self.store.save_items(&run.id, &moved).await?;
            }
            queued += count(some.len());
        }
        Ok(())
    }

    fn arrival(&self, run: &Run, item: &Item) -> Option<Arrival> {
        let (Some(employee), ItemState::Queued { delivery }) = (&item.employee, &item.state) else {
            return None;
        };
        let order = Order {
            run: run.id.clone(),
            employee: employee.clone(),
            change: item.kind,
            closely: item.drift.iter().any(drift::is_belonging),
        };
        let kind = if item.drift.contains(&Drift::NotShown) { SYNC_ABSENT } else { SYNC };
        Some(Arrival {
            event: order.event(self.name, kind, self.clock.now()),
            fate: Fate::Deliver(Lane::Bulk),
            delivery: delivery.clone(),
        })
    }

    /// Looks at some deliveries; says whether one was settled.
    async fn observe(&self, run: &Run, followed: &mut Followed) -> Result<bool, ReconcileError> {
        let mut settled = Vec::new();
        for _ in 0..followed.outstanding.len().min(LOOKS) {
            let Some(mut item) = followed.outstanding.pop_front() else { break };
            let ItemState::Queued { delivery } = &item.state else { continue };
            match self.end_of(delivery).await? {
                None => followed.outstanding.push_back(item),
                Some(state) => {
                    item.state = state;
                    settled.push(item);
                }
            }
        }
        self.store.save_items(&run.id, &settled).await?;
        for item in &settled {
            followed.count(&item.state);
        }
        Ok(!settled.is_empty())
    }

    /// How a delivery ended; `None` while it has not.
    async fn end_of(&self, id: &DeliveryId) -> Result<Option<ItemState>, ReconcileError> {
        let Some(delivery) = self.store.delivery(id).await? else {
            // It was settled so long ago that it was let go, or the store was emptied.
            return Ok(Some(ItemState::Done { done: Vec::new() }));
        };
        Ok(match delivery.state {
            DeliveryState::Waiting => None,
            DeliveryState::Done | DeliveryState::Ignored => {
                Some(ItemState::Done { done: done(&delivery) })
            }
            DeliveryState::Dead => Some(ItemState::Failed {
                delivery: id.clone(),
                code: delivery.code.unwrap_or_default(),
                reason: delivery.reason.unwrap_or_default(),
            }),
        })
    }

    fn tell(&self, followed: &Followed, progress: &watch::Sender<Progress>) {
        let left = count(followed.outstanding.len());
        let writes = u64::from(self.writes_per_second.max(1));
        let (settled, failed) = (followed.settled, followed.failed);
        let all = settled + left;
        let seconds_left = Some((left * WRITES_EACH).div_ceil(writes));
        let stage = Stage::Applying { settled, all, failed, seconds_left };
        progress.send_modify(|it| it.stage = stage);
    }

    /// Writes the items of a comparison, in the place of those of one that was broken off.
    pub(super) async fn write_items(
        &self,
        run: &Run,
        items: &[Item],
    ) -> Result<(), ReconcileError> {
        let numbers: BTreeSet<u64> = items.iter().map(|item| item.number).collect();
        let is_old = |item: &Item| !numbers.contains(&item.number);
        let mut old = deciding::items(&**self.store, &run.id, is_old).await?;
        for item in &mut old {
            // Nothing was queued then, and it does not differ any more.
            item.kind = None;
            item.state = ItemState::Done { done: Vec::new() };
        }
        self.store.save_items(&run.id, &old).await?;
        self.store.save_items(&run.id, items).await?;
        Ok(())
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

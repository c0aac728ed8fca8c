//! Feeds what was confirmed of a replay to the workers: at its own rate, in the bulk lane, as long as
//! nobody pauses or cancels it, and follows it to its end.
//!
//! Each step can be repeated. A delivery that was settled at another time than the preview saw has
//! been dealt with since, by us before this process took over or by somebody else: it is followed,
//! not queued once more.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;

use super::deciding::{PORTION, change};
use super::{Progress, ReconcileError, Replayer, Stage};
use crate::clock::Deadline;
use crate::model::{
    Again, Arrival, ChangeKind, Delivery, DeliveryId, DeliveryState, Fate, Item, ItemState, Lane,
    Order, Run, RunKind, RunState, SYNC,
};
use crate::store::{Store, StoreError};

/// No more people are queued and not settled: more would only make the queue longer.
const AHEAD: usize = 2_000;

/// So many deliveries are looked at before the next rest.
const LOOKS: usize = 500;

/// The longest rest between two looks.
const REST: Duration = Duration::from_millis(500);

/// The shortest.
const BREATH: Duration = Duration::from_millis(50);

/// What is fed and followed.
#[derive(Default)]
struct Fed {
    /// Read from the store and not queued yet.
    next: VecDeque<Item>,
    /// The last item that was read.
    after: u64,
    read_all: bool,
    /// Queued and not known to be settled.
    outstanding: VecDeque<Item>,
    /// Confirmed, settled ones included.
    all: u64,
    /// Confirmed and not queued yet, as far as is known.
    left: u64,
    settled: u64,
    changed: u64,
    failed: u64,
}

/// Where somebody stands.
enum Standing {
    /// The workers have it.
    Waits,
    /// The store did not take it: it is queued once more.
    NotTaken,
    Settled(ItemState),
}

impl Fed {
    fn count(&mut self, state: &ItemState) {
        match state {
            ItemState::Done { done } => {
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

    fn has_ended(&self) -> bool {
        self.read_all && self.next.is_empty() && self.outstanding.is_empty()
    }
}

impl Replayer<'_> {
    /// Feeds and follows until everything that was confirmed is settled.
    pub(super) async fn feed(
        &self,
        mut run: Run,
        progress: &watch::Sender<Progress>,
    ) -> Result<Run, ReconcileError> {
        let mut pace = Deadline::after(Duration::ZERO);
        loop {
            let seen = run.revision;
            let mut fed = self.standing(&run).await?;
            loop {
                if run.paused_by.is_none() && pace.left().is_zero() {
                    let queued = self.feed_some(&run, &mut fed).await?;
                    pace = Deadline::after(rest_after(queued, &run));
                }
                let moved = self.observe(&run, &mut fed).await?;
                tell(&run, &fed, progress);
                let now = self.store.run(&run.id).await?;
                let now = now.ok_or_else(|| ReconcileError::NoRun(run.id.clone()))?;
                if matches!(now.state, RunState::Cancelled { .. }) {
                    return Err(ReconcileError::Cancelled(run.id));
                }
                if now.revision != seen || fed.has_ended() {
                    break;
                }
                if !moved {
                    let feeds = run.paused_by.is_none() && !(fed.read_all && fed.next.is_empty());
                    let rest = if feeds { pace.left().clamp(BREATH, REST) } else { REST };
                    tokio::time::sleep(rest).await;
                }
            }
            let (ended, now) = (fed.has_ended(), self.clock.now());
            let (stored, done) = change(&**self.store, &run.id, |run| {
                if matches!(run.state, RunState::Cancelled { .. }) {
                    return Err(ReconcileError::Cancelled(run.id.clone()));
                }
                if run.revision != seen || !ended {
                    return Ok(None);
                }
                (run.changed, run.failed) = (fed.changed, fed.failed);
                run.state = RunState::Done;
                run.paused_by = None;
                run.ended_at = Some(now);
                Ok(Some(()))
            })
            .await?;
            run = stored;
            if done.is_some() {
                return Ok(run);
            }
        }
    }

    /// How far it is.
    async fn standing(&self, run: &Run) -> Result<Fed, ReconcileError> {
        let (mut fed, mut after) = (Fed::default(), 0);
        loop {
            let some = self.store.items(&run.id, after, PORTION).await?;
            let Some(last) = some.last() else { return Ok(fed) };
            after = last.number;
            for item in some.iter().filter(|item| !item.again.is_empty()) {
                fed.count(&item.state);
                fed.left += u64::from(matches!(item.state, ItemState::Queued { .. }));
                fed.all = fed.settled + fed.left;
            }
        }
    }

    /// Queues so many people as a second allows, one at least; says how many there were.
    async fn feed_some(&self, run: &Run, fed: &mut Fed) -> Result<u32, ReconcileError> {
        let most = usize::try_from(per_minute(run) / 60).unwrap_or(usize::MAX).clamp(1, PORTION);
        let (mut orders, mut ids, mut queued) = (Vec::new(), Vec::new(), 0);
        let mut looked = 0;
        while queued < most && looked < PORTION && fed.outstanding.len() < AHEAD {
            let Some(item) = self.next(run, fed).await? else { break };
            looked += 1;
            fed.left = fed.left.saturating_sub(1);
            let mut waits = Vec::new();
            for again in &item.again {
                if is_as_it_was(&**self.store, again).await?.is_some() {
                    waits.push(again.delivery.clone());
                }
            }
            if !waits.is_empty() {
                orders.extend(self.order(run, &item));
                ids.extend(waits);
                queued += 1;
            }
            fed.outstanding.push_back(item);
        }
        if !orders.is_empty() {
            self.store.accept_all(orders).await?;
        }
        if !ids.is_empty() {
            self.store.replay(&ids, Lane::Bulk, self.clock.now()).await?;
        }
        Ok(u32::try_from(queued).unwrap_or(u32::MAX))
    }

    /// The next item that was confirmed and not queued yet.
    async fn next(&self, run: &Run, fed: &mut Fed) -> Result<Option<Item>, ReconcileError> {
        while fed.next.is_empty() && !fed.read_all {
            let some = self.store.items(&run.id, fed.after, PORTION).await?;
            match some.last() {
                Some(last) => fed.after = last.number,
                None => fed.read_all = true,
            }
            let is_confirmed = |item: &Item| {
                !item.again.is_empty() && matches!(item.state, ItemState::Queued { .. })
            };
            fed.next.extend(some.into_iter().filter(is_confirmed));
        }
        Ok(fed.next.pop_front())
    }

    /// Whose deactivation a human confirmed gets it as an order, beside what is done again: the
    /// order says to the worker that the brake has been asked.
    fn order(&self, run: &Run, item: &Item) -> Option<Arrival> {
        let employee =
            item.employee.clone().filter(|_| item.kind == Some(ChangeKind::Deactivate))?;
        let order = Order { run: run.id.clone(), employee, change: item.kind, closely: false };
        Some(Arrival {
            event: order.event(self.name, SYNC, self.clock.now()),
            fate: Fate::Deliver(Lane::Bulk),
            delivery: DeliveryId::fresh(),
        })
    }

    /// Looks at some deliveries; says whether one was settled.
    async fn observe(&self, run: &Run, fed: &mut Fed) -> Result<bool, ReconcileError> {
        let mut settled = Vec::new();
        for _ in 0..fed.outstanding.len().min(LOOKS) {
            let Some(mut item) = fed.outstanding.pop_front() else { break };
            match self.standing_of(&item).await? {
                Standing::Waits => fed.outstanding.push_back(item),
                Standing::NotTaken => fed.next.push_back(item),
                Standing::Settled(state) => {
                    item.state = state;
                    settled.push(item);
                }
            }
        }
        if settled.is_empty() {
            return Ok(false);
        }
        self.store.save_items(&run.id, &settled).await?;
        for item in &settled {
            fed.count(&item.state);
        }
        Ok(true)
    }

    async fn standing_of(&self, item: &Item) -> Result<Standing, ReconcileError> {
        let mut done = Vec::new();
        for again in &item.again {
            let Some(delivery) = self.store.delivery(&again.delivery).await? else {
                // It was settled so long ago that it was let go, or the store was emptied.
                continue;
            };
            match delivery.state {
                DeliveryState::Waiting => return Ok(Standing::Waits),
                _ if delivery.due == again.settled => return Ok(Standing::NotTaken),
                DeliveryState::Dead => {
                    return Ok(Standing::Settled(ItemState::Failed {
                        delivery: delivery.id,
                        code: delivery.code.unwrap_or_default(),
                        reason: delivery.reason.unwrap_or_default(),
                    }));
                }
                DeliveryState::Done | DeliveryState::Ignored => {
                    for what in done_since(&delivery, again) {
                        if !done.contains(&what) {
                            done.push(what);
                        }
                    }
                }
            }
        }
        Ok(Standing::Settled(ItemState::Done { done }))
    }
}

/// What was done for a delivery since a preview saw it, call by call.
fn done_since(delivery: &Delivery, again: &Again) -> Vec<String> {
    let since = delivery.history.iter().filter(|attempt| attempt.at >= again.settled);
    since.flat_map(|attempt| attempt.done.iter().cloned()).collect()
}

/// The delivery, if nobody has dealt with it since the preview.
async fn is_as_it_was(store: &dyn Store, again: &Again) -> Result<Option<Delivery>, StoreError> {
    let delivery = store.delivery(&again.delivery).await?;
    Ok(delivery.filter(|it| it.state != DeliveryState::Waiting && it.due == again.settled))
}

/// What was confirmed of a cancelled replay and never queued is said to be held: it is as it was.
pub(super) async fn leave(store: &dyn Store, run: &Run) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let some = store.items(&run.id, after, PORTION).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = last.number;
        let mut left = Vec::new();
        for mut item in some {
            let ItemState::Queued { .. } = item.state else { continue };
            let mut is_left = !item.again.is_empty();
            for again in &item.again {
                is_left = is_left && is_as_it_was(store, again).await?.is_some();
            }
            if is_left {
                item.state = ItemState::Held;
                left.push(item);
            }
        }
        store.save_items(&run.id, &left).await?;
    }
}

/// How many people a minute are queued at most.
fn per_minute(run: &Run) -> u32 {
    match &run.kind {
        RunKind::Replay { per_minute, .. } => (*per_minute).max(1),
        RunKind::FullSync => u32::MAX,
    }
}

/// How long to wait after so many people were queued.
fn rest_after(queued: u32, run: &Run) -> Duration {
    Duration::from_secs(60) * queued / per_minute(run)
}

fn tell(run: &Run, fed: &Fed, progress: &watch::Sender<Progress>) {
    let Fed { all, settled, failed, left, .. } = *fed;
    let seconds_left = Some((left * 60).div_ceil(u64::from(per_minute(run))));
    progress.send_modify(|it| it.stage = Stage::Applying { settled, all, failed, seconds_left });
}

//! A replay: the deliveries that somebody named are counted and previewed, by what is true now, and
//! wait for a human; what is confirmed is fed to the workers.
//!
//! Promises: the preview changes nothing and needs little memory, however many there are; nothing is
//! done that no human confirmed; what full syncs ordered is never done again, for their proof was of
//! another day.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::claim::Claim;
use super::deciding::{self, PORTION, change};
use super::{Progress, ReconcileError, Stage};
use crate::clock::Clock;
use crate::config::BrakeSettings;
use crate::model::words;
use crate::model::{
    AccountId, Again, Certificate, ChangeKind, DELETED, Delivery, DeliveryId, DeliveryState, Drift,
    EmployeeId, Item, ItemState, Run, RunId, RunKind, RunState, SYNC, SYNC_ABSENT, Slice,
    SliceState, SourceName, Unconfirmed, Which, linked_note,
};
use crate::provisioning::brake;
use crate::sources::SourceError;
use crate::store::finding::Finding;
use crate::store::{Store, StoreError};
use crate::targets::TargetError;

/// So many people are previewed together.
const TOGETHER: usize = 100;

/// So many deliveries of one person are done again by one replay.
const MOST_EACH: usize = 1_000;

/// How often a far end is asked again that did not answer.
const TRIES: u32 = 5;

/// The rest before that; it grows with each try.
const REST: Duration = Duration::from_secs(3);

/// How often a far end may ask us to wait.
const WAITS: u32 = 1_000;

/// Somebody whose deliveries are to be done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Somebody {
    /// Who.
    pub employee: EmployeeId,
    /// One of the deliveries says that HR deleted the person.
    pub deleted: bool,
}

/// What doing somebody's deliveries again would come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// Who.
    pub employee: EmployeeId,
    /// As the rules or the account name them; empty when neither does.
    pub name: String,
    /// Their account, when there is one.
    pub account: Option<AccountId>,
    /// What it would come to.
    pub then: Then,
}

/// What it would come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// There is nothing to do; because of this filter, when it is one.
    Nothing(Option<String>),
    /// This would change.
    Change(ChangeKind, Vec<Drift>),
    /// It would fail again.
    Fails {
        /// The code.
        code: String,
        /// Why, and what to do.
        reason: String,
    },
}

/// What is being foreseen.
pub type Pending<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<Foreseen>, ReconcileError>> + Send + 'a>>;

/// Foresees what becomes of people: reads them, decides, finds and plans, as a worker does, and stops
/// there. One answer for each, in their order.
pub type Foresee<'a> = dyn Fn(Vec<Somebody>) -> Pending<'a> + Send + Sync + 'a;

/// Carries replays out.
pub struct Replayer<'a> {
    /// Whose people.
    pub name: &'a SourceName,
    /// The version of the rules that decide.
    pub rules: &'a str,
    /// Foresees what becomes of people.
    pub foresee: &'a Foresee<'a>,
    /// What must survive a restart.
    pub store: &'a Arc<dyn Store>,
    /// `[brake]`
    pub brake: &'a BrakeSettings,
    /// The time.
    pub clock: &'a Clock,
}

/// Whether a replay leaves a delivery alone, and why: `that wait already`.
pub fn is_left_alone(delivery: &Delivery) -> Option<&'static str> {
    if delivery.employee.is_none() {
        return Some("that name nobody");
    }
    if delivery.state == DeliveryState::Waiting {
        return Some("that wait already");
    }
    // Its order would pass the brake, and its proof of an absence was of another day.
    matches!(delivery.kind.as_str(), SYNC | SYNC_ABSENT)
        .then_some("of full syncs, which the next full sync looks at again")
}

/// Lets a preview expire that nobody confirmed in time.
///
/// # Errors
/// When the store is not available.
pub async fn expire_preview(
    store: &dyn Store,
    clock: &Clock,
    run: &Run,
) -> Result<(), ReconcileError> {
    let now = clock.now();
    let is_over = |run: &Run| matches!(run.state, RunState::Previewed { until } if until <= now);
    deciding::expire(store, clock, run).await?;
    if !is_over(run) {
        return Ok(());
    }
    change(store, &run.id, |run| {
        if !is_over(run) {
            return Ok(None);
        }
        run.unconfirmed = Some(Unconfirmed::Expired);
        run.state = RunState::Done;
        run.ended_at = Some(now);
        Ok(Some(()))
    })
    .await?;
    Ok(())
}

/// What a preview has come to so far.
#[derive(Default)]
struct Preview {
    /// The number of the last item.
    number: u64,
    deliveries: u64,
    in_step: u64,
    filtered: BTreeMap<String, u64>,
    fails: BTreeMap<String, u64>,
    plan: BTreeMap<ChangeKind, u64>,
    left_alone: BTreeMap<&'static str, u64>,
}

/// Somebody with the deliveries that are to be done again, the oldest first.
type Person = (Somebody, Vec<Again>);

impl Replayer<'_> {
    /// Carries a replay on from wherever it is, until its preview is there or all that was confirmed
    /// is settled.
    ///
    /// # Errors
    /// [`ReconcileError::Busy`] when another process has it in hand; when the store is not available.
    /// Should a far end not answer, the run itself says so, in its state.
    pub async fn carry_on(
        &self,
        id: &RunId,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Run, ReconcileError> {
        let found =
            || async { self.store.run(id).await?.ok_or_else(|| ReconcileError::NoRun(id.clone())) };
        let run = found().await?;
        let claim = Claim::take_replay(self.store, self.clock, &run).await?;
        progress.send_modify(|it| *it = Progress { run: Some(id.clone()), ..Progress::default() });
        let work = async {
            // Somebody may have had it in hand until just now.
            let run = found().await?;
            match run.state {
                RunState::Comparing => Box::pin(self.preview(run, progress)).await,
                RunState::Applying => Box::pin(self.feed(run, progress)).await,
                _ => Ok(run),
            }
        };
        let end = claim.during(work, progress, stop).await;
        claim.release().await;
        end
    }

    /// Counts, previews, and writes down what came of it.
    async fn preview(
        &self,
        run: Run,
        progress: &watch::Sender<Progress>,
    ) -> Result<Run, ReconcileError> {
        let RunKind::Replay { which, .. } = run.kind.clone() else { return Ok(run) };
        let which = Which { source: Some(self.name.clone()), ..which };
        let id = run.id.clone();
        let mut preview = Preview::default();
        let looked = self.look(&id, &which, &mut preview, progress).await;
        let reason = match looked {
            Ok(()) => None,
            Err(ReconcileError::Source(error)) if !matches!(error, SourceError::Store(_)) => {
                Some(format!("HR did not answer: {error}"))
            }
            Err(ReconcileError::Target(error)) if !matches!(error, TargetError::Store(_)) => {
                Some(format!("the LMS did not answer: {error}"))
            }
            Err(error) => return Err(error),
        };
        self.blank(&id, preview.number).await?;
        let linked = self.store.note(&linked_note(self.name)).await?;
        let linked = linked.and_then(|note| note.parse().ok()).unwrap_or(0);
        let now = self.clock.now();
        let (run, _) = change(&**self.store, &id, |run| {
            if matches!(run.state, RunState::Cancelled { .. }) {
                return Err(ReconcileError::Cancelled(id.clone()));
            }
            let Preview { number, deliveries, in_step, filtered, fails, plan, left_alone } =
                &preview;
            (run.people, run.deliveries, run.in_step) = (*number, *deliveries, *in_step);
            (run.filtered, run.fails) = (filtered.clone(), fails.clone());
            (run.linked, run.rules) = (linked, self.rules.to_owned());
            run.remarks = left_alone
                .iter()
                .map(|(why, many)| {
                    format!("Left alone: {} {why}.", words::count(*many, "delivery", "deliveries"))
                })
                .collect();
            if let Some(reason) = &reason {
                let reason = format!("{reason}. Nothing was changed; try again");
                run.state = RunState::Failed { reason };
                run.ended_at = Some(now);
                return Ok(Some(()));
            }
            let until = self.until(now);
            run.slices = self.slices(plan, linked, until, now);
            // Whom the preview saw fail again is left as he is.
            let failing: u64 = fails.values().sum();
            run.state = if *number == failing {
                run.ended_at = Some(now);
                RunState::Done
            } else {
                RunState::Previewed { until }
            };
            Ok(Some(()))
        })
        .await?;
        Ok(run)
    }

    /// Looks at all deliveries that are meant, person by person.
    async fn look(
        &self,
        run: &RunId,
        which: &Which,
        preview: &mut Preview,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), ReconcileError> {
        let store = &**self.store;
        let (mut finding, mut all) = (Finding::of(which.clone(), None), 0);
        // Those that are named, person by person.
        let mut named: HashMap<EmployeeId, Vec<DeliveryId>> = HashMap::new();
        progress.send_modify(|it| it.stage = Stage::Previewing { done: 0, all });
        while let Some(found) = finding.next(store).await? {
            all += count(found.len());
            progress.send_modify(|it| it.stage = Stage::Previewing { done: 0, all });
            for delivery in found.into_iter().filter(|_| !which.ids.is_empty()) {
                if let Some(employee) = delivery.employee {
                    named.entry(employee).or_default().push(delivery.id);
                }
            }
        }
        let (mut seen, mut people) = (HashSet::new(), Vec::new());
        let mut finding = Finding::of(which.clone(), None);
        while let Some(found) = finding.next(store).await? {
            for delivery in found {
                if let Some(why) = is_left_alone(&delivery) {
                    *preview.left_alone.entry(why).or_default() += 1;
                    continue;
                }
                let Some(employee) = delivery.employee.clone() else { continue };
                if seen.insert(employee.clone()) {
                    let ids = named.remove(&employee).unwrap_or_default();
                    let theirs = Which { ids, employee: Some(employee.clone()), ..which.clone() };
                    people.push(self.somebody(theirs, employee).await?);
                }
                if people.len() >= TOGETHER {
                    let some = std::mem::take(&mut people);
                    self.preview_some(run, some, preview).await?;
                    let done = preview.deliveries;
                    progress.send_modify(|it| it.stage = Stage::Previewing { done, all });
                }
            }
        }
        self.preview_some(run, people, preview).await
    }

    /// One person, with all deliveries of theirs that are meant.
    async fn somebody(
        &self,
        theirs: Which,
        employee: EmployeeId,
    ) -> Result<Person, ReconcileError> {
        let mut finding = Finding::of(theirs, None);
        let (mut again, mut deleted) = (Vec::new(), false);
        while let Some(found) = finding.next(&**self.store).await? {
            for delivery in found.iter().filter(|it| is_left_alone(it).is_none()) {
                deleted |= delivery.kind == DELETED;
                again.push(Again { delivery: delivery.id.clone(), settled: delivery.due });
            }
            if again.len() >= MOST_EACH {
                // All of a person's deliveries come to the same: one read, one plan.
                again.truncate(MOST_EACH);
                break;
            }
        }
        again.reverse();
        Ok((Somebody { employee, deleted }, again))
    }

    /// Previews some people and writes their items.
    async fn preview_some(
        &self,
        run: &RunId,
        people: Vec<Person>,
        preview: &mut Preview,
    ) -> Result<(), ReconcileError> {
        // Who was dealt with meanwhile has nothing left.
        let people: Vec<Person> =
            people.into_iter().filter(|(_, again)| !again.is_empty()).collect();
        if people.is_empty() {
            return Ok(());
        }
        let asked = people.iter().map(|(somebody, _)| somebody.clone()).collect();
        let foreseen = self.patiently(asked).await?;
        let mut items = Vec::with_capacity(people.len());
        for ((_, again), foreseen) in people.into_iter().zip(foreseen) {
            preview.number += 1;
            preview.deliveries += count(again.len());
            items.push(preview.item(foreseen, again));
        }
        self.store.save_items(run, &items).await?;
        if let Some(now) = self.store.run(run).await?
            && matches!(now.state, RunState::Cancelled { .. })
        {
            return Err(ReconcileError::Cancelled(run.clone()));
        }
        Ok(())
    }

    /// Foresees, and asks a far end again that did not answer.
    async fn patiently(&self, people: Vec<Somebody>) -> Result<Vec<Foreseen>, ReconcileError> {
        let (mut tried, mut waited) = (0, 0);
        loop {
            let error = match (self.foresee)(people.clone()).await {
                Ok(foreseen) => return Ok(foreseen),
                Err(error) => error,
            };
            let rest = match &error {
                ReconcileError::Source(SourceError::Wait { after, .. })
                | ReconcileError::Target(TargetError::Wait { after })
                    if waited < WAITS =>
                {
                    waited += 1;
                    *after
                }
                ReconcileError::Source(SourceError::Again(_) | SourceError::OutOfTime)
                | ReconcileError::Target(TargetError::Again(_) | TargetError::OutOfTime)
                    if tried + 1 < TRIES =>
                {
                    tried += 1;
                    tracing::warn!(source = %self.name, %error, "a preview has to wait");
                    REST * tried
                }
                _ => return Err(error),
            };
            tokio::time::sleep(rest).await;
        }
    }

    /// Takes out what a preview that was broken off left behind the last item.
    async fn blank(&self, run: &RunId, last: u64) -> Result<(), StoreError> {
        let mut after = last;
        loop {
            let mut old = self.store.items(run, after, PORTION).await?;
            let Some(newest) = old.last() else { return Ok(()) };
            after = newest.number;
            for item in &mut old {
                (item.kind, item.state) = (None, ItemState::Told);
                item.again.clear();
                item.drift.clear();
            }
            self.store.save_items(run, &old).await?;
        }
    }

    /// When a preview expires that is there now.
    fn until(&self, now: Timestamp) -> Timestamp {
        let approval = jiff::SignedDuration::try_from(self.brake.approval).ok();
        approval.and_then(|approval| now.checked_add(approval).ok()).unwrap_or(Timestamp::MAX)
    }

    /// Every slice is held until a human confirms it, and says what the brake thinks of it.
    fn slices(
        &self,
        plan: &BTreeMap<ChangeKind, u64>,
        linked: u64,
        until: Timestamp,
        now: Timestamp,
    ) -> Vec<Slice> {
        let mut slices = brake::judge(plan, linked, &Certificate::default(), self.brake, now);
        for slice in &mut slices {
            let judgement = match &slice.state {
                SliceState::Held { reason, .. } => reason.clone(),
                _ => format!("The brake would let so many pass (up to {}).", slice.limit),
            };
            let reason = format!("{judgement} It waits until somebody confirms it.");
            slice.state = SliceState::Held { reason, until };
        }
        slices
    }
}

impl Preview {
    /// The next item; counts it.
    fn item(&mut self, foreseen: Foreseen, again: Vec<Again>) -> Item {
        let Foreseen { employee, name, account, then } = foreseen;
        let (kind, drift, state, again) = match then {
            Then::Nothing(filter) => {
                self.in_step += 1;
                if let Some(filter) = filter {
                    *self.filtered.entry(filter).or_default() += 1;
                }
                (None, Vec::new(), ItemState::Held, again)
            }
            Then::Change(kind, drift) => {
                *self.plan.entry(kind).or_default() += 1;
                (Some(kind), drift, ItemState::Held, again)
            }
            Then::Fails { code, reason } => {
                *self.fails.entry(code.clone()).or_default() += 1;
                let delivery = again.last().map(|again| again.delivery.clone());
                let state = match delivery {
                    Some(delivery) => ItemState::Failed { delivery, code, reason },
                    None => ItemState::Told,
                };
                (None, Vec::new(), state, Vec::new())
            }
        };
        let employee = Some(employee);
        Item {
            number: self.number,
            employee,
            name,
            account,
            kind,
            drift,
            blame: None,
            state,
            again,
        }
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

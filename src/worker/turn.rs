//! The worker's loop: when to lease, whom, and one read for all of them.
//!
//! A read is spent as well as possible: at once when little is going on, but not more than one in
//! [`PACE`] unless it would be full, so that bursts are collapsed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use super::hold::{Failure, LONGEST_REST, claim_probe, tell_if_failed};
use super::process::Case;
use super::retry::Verdict;
use super::trace;
use super::{Live, Worker};
use crate::clock::Deadline;
use crate::model::{Answer, Candidate, Choice, EmployeeId, Lane, PauseScope, Pauses, Probe};
use crate::store::{Hold, Lease, LeaseRequest, StoreError};
use crate::targets::TargetError;

/// The least time between two reads that are not full.
const PACE: Duration = Duration::from_secs(1);

/// How often the store is asked for work that another process may have taken in.
const POLL: Duration = Duration::from_millis(250);

/// How long the loop rests when the store is away.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// How long nobody else is begun beside somebody whose workers were lost again and again.
const ALONE: Duration = Duration::from_secs(5);

/// What the loop remembers from turn to turn.
#[derive(Default)]
struct Rhythm {
    /// No read that is not full before this has passed.
    last_read: Option<Deadline>,
    /// It is the turn of those whose workers were lost again and again.
    alone_next: bool,
    /// What was paused, and until when that is believed.
    pauses: Option<(Deadline, Pauses)>,
    /// What was said of them last.
    paused: Option<PauseScope>,
}

/// Tells the worker to end.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Lease nothing more; finish what is in hand.
    pub leasing: CancellationToken,
    /// Give back what is in hand, now.
    pub working: CancellationToken,
}

impl Worker {
    /// Works until it is told to stop and everything in hand is finished or given back.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let tasks = TaskTracker::new();
        let mut rhythm = Rhythm::default();
        while !stop.leasing.is_cancelled() {
            match self.turn(&stop, &tasks, &mut rhythm).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the store is away");
                    self.rest(&stop, STORE_AWAY).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Leases, reads and hands out once; or rests, when there is nothing to do.
    async fn turn(
        self: &Arc<Self>,
        stop: &Stop,
        tasks: &TaskTracker,
        rhythm: &mut Rhythm,
    ) -> Result<(), StoreError> {
        let most = self.people_per_search;
        let Some(without) = self.pauses(stop, rhythm).await? else { return Ok(()) };
        let Some(hold) = self.hold(stop).await? else { return Ok(()) };
        let probing = hold.is_some();
        let mut due = self.store.due(&self.name, most).await?;
        if without == Some(Lane::Bulk) {
            // Whose lease ran out may be among the others: somebody is asked for in any case.
            due.persons = due.persons.min(due.live.max(1));
        }
        if due.persons == 0 {
            if let (Some(hold), None) = (&hold, due.next) {
                // Nobody waits any more: whoever comes next will show whether it is over.
                self.store.release(&hold.scope).await?;
                tracing::info!(scope = hold.scope, "hold ended: nobody waits to probe with");
            }
            let until = due.next.map_or(POLL, |next| {
                Duration::try_from(next.duration_since(self.clock.now())).unwrap_or_default()
            });
            self.rest(stop, until.min(POLL)).await;
            return Ok(());
        }
        let Some(wanted) = self.target.room.wanted(due, most) else {
            self.rest_quietly(stop, POLL / 10).await;
            return Ok(());
        };
        let pace = rhythm.last_read.map_or(Duration::ZERO, Deadline::left);
        if !wanted.full && !pace.is_zero() {
            self.rest_quietly(stop, pace.min(POLL)).await;
            return Ok(());
        }
        if let Some(hold) = &hold
            && !claim_probe(&*self.store, &self.clock, hold).await?
        {
            self.rest(stop, POLL).await;
            return Ok(());
        }
        let request = LeaseRequest {
            source: &self.name,
            persons: if probing { 1 } else { wanted.persons },
            lasting: self.settings.lease,
            without,
        };
        let leases = self.store.lease(request).await?;
        if leases.is_empty() {
            // Nobody to probe with: whoever has somebody may do it at once.
            if let Some(hold) = hold {
                self.store.hold(&hold).await?;
            }
            if without.is_some() {
                // Those who are due are due in the lane that is paused.
                self.rest(stop, POLL).await;
            }
            return Ok(());
        }
        rhythm.last_read = Some(Deadline::after(PACE));
        let (leases, alone) = self.set_apart(leases, &mut rhythm.alone_next).await;
        let started = self.clone().hand_out(leases, probing, stop, tasks).await;
        if alone {
            for task in started {
                // Who has brought nobody down by then will not.
                let _ = tokio::time::timeout(ALONE, task).await;
            }
        }
        Ok(())
    }

    /// Rests while everything of this source is paused. `Some(Some(lane))`: that lane is.
    async fn pauses(
        &self,
        stop: &Stop,
        rhythm: &mut Rhythm,
    ) -> Result<Option<Option<Lane>>, StoreError> {
        if rhythm.pauses.as_ref().is_none_or(|(believed, _)| believed.left().is_zero()) {
            let text = self.store.note(Pauses::NOTE).await?;
            let unreadable = |why| StoreError::Unreadable { what: "pause", why };
            let pauses = Pauses::read(text.as_deref()).map_err(unreadable)?;
            rhythm.pauses = Some((Deadline::after(POLL), pauses));
        }
        let Some((_, pauses)) = &rhythm.pauses else { return Ok(Some(None)) };
        let now = self.clock.now();
        let (stops, lane) = (pauses.stops(&self.name, now), pauses.lane(now));
        let rests = stops.map(|pause| pause.scope.clone()).or(lane.map(PauseScope::Lane));
        if rests != rhythm.paused {
            if let Some(scope) = &rests {
                tracing::info!(source = %self.name, %scope, "paused");
            } else {
                tracing::info!(source = %self.name, "resumed");
            }
            rhythm.paused = rests;
        }
        if stops.is_some() {
            self.rest_quietly(stop, POLL).await;
            return Ok(None);
        }
        Ok(Some(lane))
    }

    /// Rests while somebody is on hold. `Some(Some(hold))`: its probe is due; `Some(None)`: no hold.
    async fn hold(&self, stop: &Stop) -> Result<Option<Option<Hold>>, StoreError> {
        let mine = [&self.far_end, &self.target.far_end];
        let holds = self.store.holds().await?;
        for far_end in mine {
            let scope = far_end.scope().to_string();
            far_end.observe(holds.iter().find(|hold| hold.scope == scope));
        }
        let is_mine = |hold: &Hold| mine.iter().any(|mine| mine.scope().to_string() == hold.scope);
        let latest = holds.into_iter().filter(is_mine);
        let Some(hold) = latest.max_by_key(|hold| hold.probe_at) else { return Ok(Some(None)) };
        let left = Duration::try_from(hold.probe_at.duration_since(self.clock.now()));
        match left {
            // No hold rests longer than that: a later time comes from a clock that was ahead.
            Ok(left) if !left.is_zero() && left <= LONGEST_REST => {
                self.rest_quietly(stop, left.min(POLL)).await;
                Ok(None)
            }
            _ => Ok(Some(Some(hold))),
        }
    }

    /// Reads all leased persons together, decides, and starts a task for each, which takes a place
    /// in the room. Gives the tasks.
    async fn hand_out(
        self: Arc<Self>,
        mut leases: Vec<Lease>,
        probing: bool,
        stop: &Stop,
        tasks: &TaskTracker,
    ) -> Vec<JoinHandle<()>> {
        let started = self.clock.now();
        for lease in &mut leases {
            self.doubt(lease).await;
        }
        let (leases, worn): (Vec<_>, Vec<_>) =
            leases.into_iter().partition(|lease| !Self::is_worn(lease));
        for lease in worn {
            self.bury(lease).await;
        }
        let live = self.live();
        let leases = self.without_ignored(leases, &live, started).await;
        let leases = self.without_cancelled(leases, &live, started).await;
        let Some(deadline) = leases.iter().map(|lease| lease.deadline).min_by_key(|d| d.left())
        else {
            return Vec::new();
        };
        let any_live = leases.iter().any(|lease| lane(lease) == Lane::Live);
        let lane = if any_live { Lane::Live } else { Lane::Bulk };
        let ids: Vec<EmployeeId> =
            leases.iter().map(|lease| lease.person.employee.clone()).collect();
        let spans: Vec<Span> = leases.iter().map(|lease| trace::attempt(lease, started)).collect();
        let firsts = trace::firsts(leases.iter());
        let reading = trace::shared("read", &spans[0], &firsts);
        let read = tokio::select! {
            () = stop.working.cancelled() => None,
            read = live.source.employees(&ids, lane, deadline).instrument(reading) => Some(read),
        };
        for span in spans.iter().skip(1) {
            trace::shared_with("read", span, &firsts, started);
        }
        let mut answers = match read {
            Some(Ok(answers)) => answers,
            None => {
                self.give_back(leases, Duration::ZERO, None).await;
                return Vec::new();
            }
            Some(Err(error)) => {
                self.unread(leases, &live, error.into(), probing).await;
                return Vec::new();
            }
        };
        let mut cases: Vec<Case> = leases
            .into_iter()
            .zip(spans)
            .map(|(lease, span)| {
                let answer = answers.remove(&lease.person.employee).unwrap_or(Answer::Absent);
                Self::judge(lease, &live, &answer, (started, span), probing)
            })
            .collect();
        self.count_judged(&mut cases, probing).await;
        self.find_together(&mut cases, lane, deadline, stop).await;
        let start = |case: Case| {
            let worker = self.clone();
            let stop = stop.working.clone();
            let in_hand = self.target.room.in_hand(self::lane(&case.lease));
            let span = case.span.clone();
            let process = async move {
                worker.process(case, stop).await;
                drop(in_hand);
            };
            tasks.spawn(process.instrument(span))
        };
        cases.into_iter().map(start).collect()
    }

    /// Whom a human said to leave alone is not even read.
    async fn without_ignored(
        &self,
        leases: Vec<Lease>,
        live: &Arc<Live>,
        started: Timestamp,
    ) -> Vec<Lease> {
        let is_ignored = |lease: &Lease| lease.choice == Some(Choice::Ignore);
        let (ignored, leases): (Vec<_>, Vec<_>) = leases.into_iter().partition(is_ignored);
        for lease in ignored {
            let case = Case::unread(lease, Arc::clone(live), started);
            self.process(case, CancellationToken::new()).await;
        }
        leases
    }

    /// An answer by which somebody could be judged shows that the source is well.
    async fn count_judged(&self, cases: &mut [Case], probing: bool) {
        let judged = cases.iter().filter(|case| !case.lacks_fields()).count();
        if judged == 0 {
            return;
        }
        for case in cases {
            case.others_judged = true;
            if !case.lacks_fields() {
                self.far_end.went_well(&case.lease.person);
            }
        }
        tell_if_failed(self.far_end.succeeded(&*self.store, probing).await);
    }

    /// Looks up, in as few calls as possible, the accounts of all who are not linked.
    async fn find_together(&self, cases: &mut [Case], lane: Lane, deadline: Deadline, stop: &Stop) {
        let (mut probes, mut whose) = (Vec::new(), Vec::new());
        for (index, case) in cases.iter().enumerate() {
            let Some(probe) = self.probe_if_unknown(case) else { continue };
            if case.sees_account() && probe.account.is_some() && probe.external_id.is_some() {
                // Found by its id in the target alone: whether it bears the person's is seen so.
                let external_id = probe.external_id.clone();
                probes.push(Probe { external_id, ..Probe::default() });
                whose.push(Whose { case: index, by_id: true });
            }
            probes.push(probe);
            whose.push(Whose { case: index, by_id: false });
        }
        if probes.is_empty() || self.target.far_end.is_down() {
            return;
        }
        let platform = self.platform();
        let mut of: Vec<usize> = whose.iter().map(|whose| whose.case).collect();
        of.dedup();
        let firsts = trace::firsts(of.iter().map(|at| &cases[*at].lease));
        let finding = trace::shared("find", &cases[of[0]].span, &firsts);
        let began = self.clock.now();
        let find = self.target.target.find(&platform, &probes, lane, deadline);
        let found: Result<Vec<Vec<Candidate>>, TargetError> = tokio::select! {
            () = stop.working.cancelled() => return,
            found = find.instrument(finding) => found,
        };
        for at in of.iter().skip(1) {
            trace::shared_with("find", &cases[*at].span, &firsts, began);
        }
        if found.is_ok() {
            let probing = cases.iter().any(|case| case.probing);
            tell_if_failed(self.target.far_end.answered(&*self.store, probing).await);
        }
        // An error is not lost: each person looks again alone, and meets it alone.
        for (whose, candidates) in whose.into_iter().zip(found.unwrap_or_default()) {
            let case = &mut cases[whose.case];
            if whose.by_id {
                let link = case.lease.link.as_ref();
                let account = link.and_then(|link| link.account.as_ref());
                let held = candidates.iter().any(|it| Some(&it.account.id) == account);
                case.holds_id = Some(held);
            } else {
                case.candidates = Some(candidates);
            }
        }
    }

    /// The read failed: for everybody, unless somebody else's reads succeed.
    async fn unread(&self, leases: Vec<Lease>, live: &Arc<Live>, verdict: Verdict, probing: bool) {
        let (reason, refused) = match verdict {
            Verdict::GiveBack(after) => return self.give_back(leases, after, None).await,
            Verdict::Waits { after, why } => {
                return self.give_back(leases, after, Some(&why)).await;
            }
            Verdict::Refused(reason) => (reason, true),
            Verdict::Failed(reason) => (reason, false),
            Verdict::LookAgain { code, advice } | Verdict::Dead { code, advice } => {
                (format!("{code}: {advice}"), false)
            }
        };
        let mut common = Vec::new();
        // Only a read for one person can be that person's own fault.
        let alone = leases.len() == 1;
        for lease in leases {
            if alone && self.far_end.is_own_fault(&lease.person) {
                self.retry_unread(lease, live, &reason).await;
            } else {
                common.push(lease);
            }
        }
        if common.is_empty() {
            return;
        }
        let failure = Failure { reason: reason.clone(), refused, probing };
        let rest = self.far_end.hold(&*self.store, &self.clock, failure).await;
        self.give_back(common, rest.unwrap_or(STORE_AWAY), Some(&reason)).await;
    }

    /// Waits for work, but no longer than this.
    async fn rest(&self, stop: &Stop, time: Duration) {
        tokio::select! {
            () = stop.leasing.cancelled() => {}
            () = self.wake.notified() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Waits, whatever comes in.
    async fn rest_quietly(&self, stop: &Stop, time: Duration) {
        tokio::select! {
            () = stop.leasing.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// Whom a probe is for.
struct Whose {
    /// Which case.
    case: usize,
    /// It asks by the external id alone.
    by_id: bool,
}

/// The most urgent lane of a lease.
pub(super) fn lane(lease: &Lease) -> Lane {
    lease.deliveries.iter().map(|delivery| delivery.lane).min().unwrap_or(Lane::Live)
}

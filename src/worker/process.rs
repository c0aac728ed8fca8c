//! One person's turn: judge what was read, carry the plan out, and see to its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Span, info_span};

use super::Live;
use super::Worker;
use super::bring::LEFT_ALONE;
use super::carry::NOT_DONE;
use super::end::End;
use super::hold::tell_if_failed;
use super::retry::Verdict;
use super::trace;
use super::turn::lane;
use super::whose::is_chosen_anew;
use crate::model::{
    APPOINTMENT, Answer, Appointment, Candidate, DELETED, Delivery, Desired, Link, Miss, Probe,
    SYNC_ABSENT,
};
use crate::provisioning::blame::OUT_OF_SCOPE;
use crate::provisioning::planning;
use crate::provisioning::resolving::Resolved;
use crate::provisioning::rules::{Decision, Ruling};
use crate::store::Lease;

/// How far the clocks of two processes may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// One leased person with what was read and decided.
pub(super) struct Case {
    pub(super) lease: Lease,
    /// The rules by which it is judged, and nothing newer.
    pub(super) live: Arc<Live>,
    pub(super) started: Timestamp,
    /// Where the attempt stands in its delivery's trace.
    pub(super) span: Span,
    pub(super) probing: bool,
    /// Others in the same answer could be judged.
    pub(super) others_judged: bool,
    /// Names of the fields that the record had.
    pub(super) read: Vec<String>,
    pub(super) judgement: Judgement,
    /// What the rules say beside the judgement; nothing where they were not asked.
    pub(super) beside: Option<Beside>,
    /// The accounts that could be the person's, when they were looked up already.
    pub(super) candidates: Option<Vec<Candidate>>,
    /// Whether the account that we know bears the person's id in the target, when that was looked up.
    pub(super) holds_id: Option<bool>,
    /// The place at the target that the person has.
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

/// What the rules say of a person, whatever is decided.
pub(super) struct Beside {
    /// When they will say something else.
    pub(super) appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub(super) misses: Vec<Miss>,
}

impl Case {
    /// Nothing is known of the person yet.
    pub(super) fn unread(lease: Lease, live: Arc<Live>, started: Timestamp) -> Self {
        let span = trace::attempt(&lease, started);
        Self::begun(lease, live, started, span)
    }

    /// The same of an attempt whose span has begun.
    fn begun(lease: Lease, live: Arc<Live>, started: Timestamp, span: Span) -> Self {
        Self {
            lease,
            live,
            started,
            span,
            probing: false,
            others_judged: false,
            read: Vec::new(),
            judgement: Judgement::Ignored,
            beside: None,
            candidates: None,
            holds_id: None,
            place: Mutex::default(),
        }
    }

    /// Gives the place at the target to others.
    pub(super) fn leave_place(&self) {
        self.take_place(None);
    }

    /// A place at the target.
    pub(super) fn take_place(&self, place: Option<OwnedSemaphorePermit>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// What is known of the person's account, with what the rules say of the person: the next
    /// appointment, and none that has passed.
    pub(super) fn link(&self) -> Link {
        let mut link = self.lease.link.clone().unwrap_or_default();
        let moment = moment(&self.lease, self.started);
        if let Some(beside) = &self.beside {
            link.appointment.clone_from(&beside.appointment);
            link.misses.clone_from(&beside.misses);
        }
        // One that has come is over, however this turn ends: its delivery stands for it.
        link.appointment.take_if(|appointment| appointment.at <= moment);
        link
    }

    /// The link, if it is to be written. One that turned out to be wrong is written down as none.
    pub(super) fn changed(&self, link: Link) -> Option<Link> {
        (self.lease.link.clone().unwrap_or_default() != link).then_some(link)
    }

    /// The record lacks a field without which nobody can be judged.
    pub(super) fn lacks_fields(&self) -> bool {
        matches!(&self.judgement, Judgement::Unknown { missing, .. } if !missing.is_empty())
    }
}

/// What the record says.
pub(super) enum Judgement {
    /// A human said to leave the person alone.
    Ignored,
    /// The account stays as it is until a date, for this reason.
    AsItIs(String),
    /// A value cannot be used, and a human must act.
    Refused { code: &'static str, reason: String },
    /// The person is not synchronised, because of this filter.
    OutOfScope(String),
    /// A rule cannot be judged.
    Unknown { rule: String, missing: Vec<String> },
    /// A complete answer lacks the person, and that proves nothing yet.
    Absent,
    /// The account should be like this. `gone`: HiBob deleted the person, for certain.
    Wanted { desired: Desired, remarks: Vec<String>, gone: bool },
}

impl Worker {
    /// What the answer says of a leased person.
    pub(super) fn judge(
        lease: Lease,
        live: &Arc<Live>,
        answer: &Answer,
        (started, span): (Timestamp, Span),
        probing: bool,
    ) -> Case {
        let deciding = info_span!(target: "instep::trace", parent: &span, "decide");
        let _deciding = deciding.enter();
        let departed = |lease: &Lease| {
            let desired = planning::departed(lease.link.as_ref(), &lease.person.employee);
            Judgement::Wanted { desired, remarks: Vec::new(), gone: true }
        };
        let case = Case::begun(lease, Arc::clone(live), started, span);
        let mut case = Case { probing, ..case };
        let record = match answer {
            Answer::Present(record) => record,
            Answer::Absent => {
                case.judgement = if is_deleted_for_certain(&case.lease.deliveries) {
                    departed(&case.lease)
                } else {
                    Judgement::Absent
                };
                return case;
            }
        };
        let seen = |field: &String| record.see(field) != crate::model::Seen::Missing;
        case.read = live.rules.reads().into_iter().filter(seen).collect();
        let Ruling { decision, appointment, misses } =
            live.rules.decide(record, moment(&case.lease, started));
        case.beside = Some(Beside { appointment, misses });
        case.judgement = match decision {
            Decision::OutOfScope { deactivate: true, .. } if is_known(&case.lease) => {
                departed(&case.lease)
            }
            Decision::OutOfScope { filter, .. } => Judgement::OutOfScope(filter),
            Decision::Unknown { rule, missing } => Judgement::Unknown { rule, missing },
            Decision::AsItIs { why } => Judgement::AsItIs(why),
            Decision::Refused { code, reason } => Judgement::Refused { code, reason },
            Decision::Wanted { desired, remarks } => {
                Judgement::Wanted { desired, remarks, gone: false }
            }
        };
        case
    }

    /// What to look for, when the link does not say enough.
    pub(super) fn probe_if_unknown(&self, case: &Case) -> Option<Probe> {
        let Judgement::Wanted { desired, .. } = &case.judgement else { return None };
        let none = Link::default();
        let link = case.lease.link.as_ref();
        // What of groups and fields is wanted makes no difference to whether the account is known.
        let resolved = Resolved::default();
        let known = link
            .and_then(|link| planning::from_link(desired, &resolved, link, &self.target.policy))
            .filter(|_| !is_chosen_anew(case, link.unwrap_or(&none)));
        (known.is_none() || case.sees_account()).then(|| case.search(desired, link).probe())
    }

    /// Carries a person's plan out and settles. Never fails: every end is a settlement, or a lease
    /// that runs out and is taken back.
    pub(super) async fn process(&self, mut case: Case, stop: CancellationToken) {
        let mut link = case.link();
        let mut done = Vec::new();
        let (mut failed, mut in_step) = (false, false);
        let (decided, end) = match &case.judgement {
            Judgement::Ignored => {
                let why = "ignored by a human's choice".to_owned();
                (why.clone(), End::Done(why))
            }
            Judgement::AsItIs(why) => {
                let why = format!("left as it is: {why}");
                (why.clone(), self.nothing(&case, &why))
            }
            Judgement::Refused { code, reason } => {
                let end = End::Dead { code: (*code).to_owned(), reason: reason.clone() };
                ("refused".to_owned(), end)
            }
            Judgement::OutOfScope(filter) => {
                let why = format!("{OUT_OF_SCOPE} ({filter})");
                (why.clone(), self.nothing(&case, &why))
            }
            Judgement::Unknown { rule, missing } => {
                ("cannot decide".to_owned(), self.cannot_judge(&case, rule, missing).await)
            }
            Judgement::Absent => ("not shown by HiBob".to_owned(), self.absent(&case.lease).await),
            Judgement::Wanted { desired, remarks, gone } => {
                let (desired, gone) = (desired.clone(), *gone);
                done.extend(remarks.iter().cloned());
                let candidates = case.candidates.take();
                let work = async {
                    // Who waited until nothing can be done any more would lose the lease for
                    // nothing, and that counts as a worker that died.
                    let most = case.lease.deadline.left() / 2;
                    let slot = self.target.room.slot(lane(&case.lease));
                    let Ok(place) = timeout(most, slot).await else {
                        let verdict = Verdict::GiveBack(Duration::ZERO);
                        return ("no place was free".to_owned(), Err(verdict));
                    };
                    case.take_place(place);
                    let (decided, brought) = self
                        .bring_about(&case, &desired, gone, candidates, &mut link, &mut done)
                        .await;
                    if matches!(brought, Err(Verdict::GiveBack(_) | Verdict::Waits { .. })) {
                        return (decided, brought);
                    }
                    let told = self.tell_who_waits(&case, &desired, &mut link).await;
                    (decided, told.and(brought))
                };
                let result = tokio::select! {
                    biased;
                    result = work => Some(result),
                    () = stop.cancelled() => None,
                };
                case.leave_place();
                if let Some((decided, Ok(_))) = &result {
                    self.target.far_end.went_well(&case.lease.person);
                    in_step = is_in_step(decided, &done);
                }
                match result {
                    None => ("interrupted".to_owned(), End::GiveBack(Duration::ZERO, None)),
                    Some((decided, Ok(None))) => {
                        let mut why = vec![decided.clone()];
                        why.extend(done.iter().cloned());
                        (decided, self.nothing(&case, &why.join("; ")))
                    }
                    Some((decided, Ok(Some(outcome)))) => (decided, self.changed(&case, outcome)),
                    Some((decided, Err(verdict))) => {
                        failed = matches!(verdict, Verdict::Failed(_) | Verdict::Refused(_));
                        (decided, self.ended(&case, verdict).await)
                    }
                }
            }
        };
        if case.probing && !failed {
            let end = self.target.far_end.was_not_asked(&*self.store, &self.clock).await;
            tell_if_failed(end);
        }
        if in_step && matches!(end, End::Done(_) | End::DoneSoFar(..)) {
            self.close_dead_letters(&case).await;
        }
        let link = case.changed(link);
        self.conclude(case, &decided, done, end, link).await;
    }
}

/// Whether a turn that went well left nothing undone: a step that the target refused, or an account
/// that is never changed.
fn is_in_step(decided: &str, done: &[String]) -> bool {
    decided != LEFT_ALONE && !done.iter().any(|told| told.starts_with(NOT_DONE))
}

/// Whether an account is known to be this person's.
fn is_known(lease: &Lease) -> bool {
    lease.link.as_ref().is_some_and(|link| link.account.is_some())
}

/// The moment at which a person is judged. Whoever called an appointment saw its moment come, even
/// if this process's clock is a little behind.
fn moment(lease: &Lease, started: Timestamp) -> Timestamp {
    let called = lease.deliveries.iter().any(|delivery| delivery.kind == APPOINTMENT);
    let appointment = lease.link.as_ref().and_then(|link| link.appointment.as_ref());
    let at = appointment.filter(|_| called).map(|appointment| appointment.at);
    let near = at.filter(|at| at.duration_since(started) <= CLOCKS_APART);
    near.map_or(started, |at| at.max(started))
}

/// Whether a person whom the answer lacks is gone: HR said so and this is the second answer that
/// lacks them, or they were lacking in a run's complete answer too and its brake let that pass.
fn is_deleted_for_certain(deliveries: &[Delivery]) -> bool {
    deliveries.iter().any(|delivery| {
        delivery.kind == SYNC_ABSENT || (delivery.kind == DELETED && delivery.absences > 0)
    })
}

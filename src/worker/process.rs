//! One person's turn: judge what was read, carry the plan out, settle.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::hold::Failure;
use super::retry::Verdict;
use super::turn::lane;
use super::{Settled, Worker};
use crate::clock::elapsed_ms;
use crate::model::{
    Answer, Attempt, Candidate, Delivery, DeliveryState, Desired, Field, Lane, Link, Probe,
};
use crate::provisioning::planning;
use crate::provisioning::rules::Decision;
use crate::store::{Filter, Lease, StoreError};

/// A delivery whose workers died so often is a dead letter.
const MOST_KILLS: u32 = 5;

/// A person whom HiBob does not show is looked for so often before a human is asked.
const MOST_ABSENCES: u32 = 3;

/// Second looks are gathered on a grid of so many to the time between two looks, so that one read
/// serves many.
const LOOK_GRID: u32 = 5;

/// How many attempts something gets that looking again did not solve.
const MOST_SECOND_FINDS: u32 = 3;

/// The kind of event that, with two complete answers that lack the person, proves a deletion.
const DELETED: &str = "employee.deleted";

/// One leased person with what was read and decided.
pub(super) struct Case {
    pub(super) lease: Lease,
    pub(super) started: Timestamp,
    pub(super) probing: bool,
    /// Others in the same answer could be judged.
    pub(super) others_judged: bool,
    /// Names of the fields that the record had.
    pub(super) read: Vec<String>,
    pub(super) judgement: Judgement,
    /// The accounts that could be the person's, when they were looked up already.
    pub(super) candidates: Option<Vec<Candidate>>,
}

impl Case {
    /// The record lacks a field without which nobody can be judged.
    pub(super) fn lacks_fields(&self) -> bool {
        matches!(&self.judgement, Judgement::Unknown { missing, .. } if !missing.is_empty())
    }
}

/// What the record says.
pub(super) enum Judgement {
    /// The person is not synchronised, because of this filter.
    OutOfScope(String),
    /// A rule cannot be judged.
    Unknown { rule: String, missing: Vec<String> },
    /// A complete answer lacks the person, and that proves nothing yet.
    Absent,
    /// The account should be like this. `gone`: HiBob deleted the person, for certain.
    Wanted { desired: Desired, remarks: Vec<String>, gone: bool },
}

/// How a person's turn ended.
#[derive(Debug)]
pub(super) enum End {
    /// All is as it should be.
    Done(String),
    /// Done, as far as HiBob showed it: the newest looks again after this, at no attempt.
    DoneSoFar(Duration, String),
    /// Nothing to see yet: look again after this, at no attempt.
    LookLater(Duration, String),
    /// A complete answer lacks the person: look again after this, at no attempt.
    LookForAgain(Duration),
    /// Failed, and the failure is this person's own: try again later.
    Retry { code: String, reason: String, most: u32 },
    /// Given back: nobody's fault, no attempt.
    GiveBack(Duration, Option<String>),
    /// A human is needed.
    Dead { code: String, reason: String },
}

impl Worker {
    /// What the answer says of a leased person.
    pub(super) fn judge(
        &self,
        lease: Lease,
        answer: &Answer,
        started: Timestamp,
        probing: bool,
    ) -> Case {
        let mut read = Vec::new();
        let judgement = match answer {
            Answer::Present(record) => {
                let seen = |field: &String| record.see(field) != crate::model::Seen::Missing;
                read = self.rules.reads().into_iter().filter(seen).collect();
                match self.rules.decide(record) {
                    Decision::OutOfScope { deactivate: true, .. } if is_known(&lease) => {
                        let desired =
                            planning::departed(lease.link.as_ref(), &lease.person.employee);
                        Judgement::Wanted { desired, remarks: Vec::new(), gone: true }
                    }
                    Decision::OutOfScope { filter, .. } => Judgement::OutOfScope(filter),
                    Decision::Unknown { rule, missing } => Judgement::Unknown { rule, missing },
                    Decision::Wanted { desired, remarks } => {
                        Judgement::Wanted { desired, remarks, gone: false }
                    }
                }
            }
            Answer::Absent if is_deleted_for_certain(&lease.deliveries) => {
                let desired = planning::departed(lease.link.as_ref(), &lease.person.employee);
                Judgement::Wanted { desired, remarks: Vec::new(), gone: true }
            }
            Answer::Absent => Judgement::Absent,
        };
        Case { lease, started, probing, others_judged: false, read, judgement, candidates: None }
    }

    /// What to look for, when the link does not say enough.
    pub(super) fn probe_if_unknown(&self, case: &Case) -> Option<Probe> {
        let Judgement::Wanted { desired, gone, .. } = &case.judgement else { return None };
        let link = case.lease.link.as_ref();
        let known = link.and_then(|link| planning::from_link(desired, link, &self.target.policy));
        known.is_none().then(|| probe(desired, link, *gone))
    }

    /// Carries a person's plan out and settles. Never fails: every end is a settlement, or a lease
    /// that runs out and is taken back.
    pub(super) async fn process(&self, mut case: Case, stop: CancellationToken) {
        let mut link = case.lease.link.clone().unwrap_or_default();
        let mut done = Vec::new();
        let mut failed = false;
        let (decided, end) = match &case.judgement {
            Judgement::OutOfScope(filter) => {
                let why = format!("out of scope ({filter})");
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
                    let Ok(_slot) = timeout(most, slot).await else {
                        let verdict = Verdict::GiveBack(Duration::ZERO);
                        return ("no place was free".to_owned(), Err(verdict));
                    };
                    self.bring_about(&case, &desired, gone, candidates, &mut link, &mut done).await
                };
                let result = tokio::select! {
                    biased;
                    result = work => Some(result),
                    () = stop.cancelled() => None,
                };
                if matches!(result, Some((_, Ok(_)))) {
                    self.target.far_end.went_well(&case.lease.person);
                }
                match result {
                    None => ("interrupted".to_owned(), End::GiveBack(Duration::ZERO, None)),
                    Some((decided, Ok(None))) => (decided.clone(), self.nothing(&case, &decided)),
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
        // A link that turned out to be wrong is written down as none, too.
        let before = case.lease.link.clone().unwrap_or_default();
        let link = (before != link).then_some(link);
        self.conclude(case, &decided, done, end, link).await;
    }

    /// Those whose change HiBob may not have shown yet.
    fn fresh<'c>(&self, case: &'c Case) -> impl Iterator<Item = &'c Delivery> {
        let look = self.settings.second_look.as_millis();
        case.lease.deliveries.iter().filter(move |delivery| {
            delivery.lane == Lane::Live
                && delivery.looks == 0
                && u128::from(elapsed_ms(delivery.received_at, case.started)) < look
        })
    }

    /// Whether a worker before us died with this person or was too slow. A call of its own may still
    /// be under way and take effect after ours: that gets one more look too.
    fn follows_a_loss(&self, case: &Case) -> bool {
        let mut deliveries = case.lease.deliveries.iter();
        !self.settings.second_look.is_zero()
            && deliveries.any(|delivery| delivery.kills > 0 && delivery.looks == 0)
    }

    /// Something was done. Of several changes that were read together HiBob may have shown only the
    /// first: then there is one more look. Events of the same type mean several changes.
    fn changed(&self, case: &Case, outcome: String) -> End {
        let mut kinds = HashSet::new();
        if self.follows_a_loss(case) {
            let why = format!("{outcome}; a worker was lost before, so one more look");
            End::LookLater(self.settings.second_look, why)
        } else if self.fresh(case).all(|delivery| kinds.insert(&delivery.kind)) {
            End::Done(outcome)
        } else {
            End::DoneSoFar(self.settings.second_look, outcome)
        }
    }

    /// Nothing was to be done. An event so fresh that HiBob may not show its change yet gets one
    /// second look.
    fn nothing(&self, case: &Case, why: &str) -> End {
        let look = self.settings.second_look;
        if self.fresh(case).next().is_some() {
            End::LookLater(look, format!("{why}; HiBob may show a change late, so one more look"))
        } else if self.follows_a_loss(case) {
            End::LookLater(look, format!("{why}; a worker was lost before, so one more look"))
        } else {
            End::Done(why.to_owned())
        }
    }

    /// A rule that decides over the person lacks a field: nobody is judged by that.
    async fn cannot_judge(&self, case: &Case, rule: &str, missing: &[String]) -> End {
        if missing.is_empty() {
            let reason = format!(
                "{rule} has no result for this record: try it with other data or make it tolerate \
                 empty fields, then replay"
            );
            return End::Dead { code: "ruleFailed".to_owned(), reason };
        }
        let reason = format!(
            "HiBob's answer lacks {}, which {rule} needs. Grant the service user the right to view \
             it (its category, and the person's life-cycle state under 'Access data for')",
            missing.join(", ")
        );
        if case.others_judged || self.far_end.is_own_fault(&case.lease.person) {
            let most = self.settings.attempts.min(MOST_SECOND_FINDS);
            return End::Retry { code: "fieldMissing".to_owned(), reason, most };
        }
        let failure = Failure { reason: reason.clone(), refused: false, probing: case.probing };
        let rest = self.far_end.hold(&*self.store, &self.clock, failure).await;
        End::GiveBack(rest.unwrap_or(Duration::from_secs(1)), Some(reason))
    }

    /// What follows from a failure at the target.
    async fn ended(&self, case: &Case, verdict: Verdict) -> End {
        let far_end = &self.target.far_end;
        let (reason, refused) = match verdict {
            Verdict::GiveBack(after) => return End::GiveBack(after, None),
            Verdict::Dead { code, advice } => return End::Dead { code, reason: advice },
            Verdict::LookAgain { code, advice } => {
                return End::Retry { code, reason: advice, most: MOST_SECOND_FINDS };
            }
            Verdict::Refused(reason) => (reason, true),
            Verdict::Failed(reason) => (reason, false),
        };
        if !refused && far_end.is_own_fault(&case.lease.person) {
            let code = "targetFailed".to_owned();
            return End::Retry { code, reason, most: self.settings.attempts };
        }
        let failure = Failure { reason: reason.clone(), refused, probing: case.probing };
        let rest = far_end.hold(&*self.store, &self.clock, failure).await;
        End::GiveBack(rest.unwrap_or(Duration::from_secs(1)), Some(reason))
    }

    /// A complete answer lacks the person.
    async fn absent(&self, lease: &Lease) -> End {
        let absences = lease.deliveries.iter().map(|delivery| delivery.absences).max().unwrap_or(0);
        if absences < MOST_ABSENCES {
            return End::LookForAgain(self.look() * 2u32.pow(absences));
        }
        // What happened before somebody was deleted needs nobody's attention any more.
        let deletion = Filter {
            state: Some(DeliveryState::Done),
            source: Some(lease.person.source.clone()),
            employee: Some(lease.person.employee.to_string()),
            kind: Some(DELETED.to_owned()),
            ..Filter::default()
        };
        let since = lease.deliveries.iter().map(|delivery| delivery.received_at).max();
        match self.store.deliveries(&deletion, 1).await {
            Ok(found) if found.iter().any(|deletion| Some(deletion.received_at) >= since) => {
                return End::Done("HiBob has deleted this person since".to_owned());
            }
            Ok(_) => {}
            Err(_) => return End::LookForAgain(self.look()),
        }
        End::Dead {
            code: "notVisible".to_owned(),
            reason: "HiBob does not show this person. Nothing was changed. Check the service \
                     user's 'Access data for' audience (Hired, Employed and Terminated must be in \
                     it), then replay"
                .to_owned(),
        }
    }

    /// The read of this one person failed while others' succeed.
    pub(super) async fn retry_unread(&self, lease: Lease, reason: &str) {
        let started = self.clock.now();
        let end = End::Retry {
            code: "sourceFailed".to_owned(),
            reason: reason.to_owned(),
            most: self.settings.attempts,
        };
        let case = Case {
            lease,
            started,
            probing: true,
            others_judged: true,
            read: Vec::new(),
            judgement: Judgement::Absent,
            candidates: None,
        };
        self.conclude(case, "not read", Vec::new(), end, None).await;
    }

    /// Whether some delivery has killed its worker too often.
    pub(super) fn is_worn(lease: &Lease) -> bool {
        lease.deliveries.iter().any(|delivery| delivery.kills >= MOST_KILLS)
    }

    /// Makes dead letters of those deliveries; the others of the lease go on.
    pub(super) async fn bury(&self, mut lease: Lease) {
        let now = self.clock.now();
        let mut deliveries = std::mem::take(&mut lease.deliveries);
        for delivery in deliveries.iter_mut().filter(|delivery| delivery.kills >= MOST_KILLS) {
            delivery.state = DeliveryState::Dead;
            delivery.due = now;
            delivery.code = Some("workerDied".to_owned());
            delivery.reason = Some(format!(
                "its worker died {} times: look for crashes in the log, then replay",
                delivery.kills
            ));
        }
        tracing::error!(person = %lease.person, "dead: its worker died too often");
        self.write_down(lease, deliveries, None).await;
    }

    /// Gives leases back as they were, due again after this; no attempt is spent.
    pub(super) async fn give_back(&self, leases: Vec<Lease>, after: Duration, why: Option<&str>) {
        for mut lease in leases {
            let mut deliveries = std::mem::take(&mut lease.deliveries);
            rest(&mut deliveries, self.clock.now(), after, why);
            self.write_down(lease, deliveries, None).await;
        }
    }

    /// Writes the end of a person's turn into its deliveries, settles, and tells about it.
    async fn conclude(
        &self,
        mut case: Case,
        decided: &str,
        done: Vec<String>,
        end: End,
        link: Option<Link>,
    ) {
        let now = self.clock.now();
        let mut deliveries = std::mem::take(&mut case.lease.deliveries);
        if let End::GiveBack(after, why) = &end {
            rest(&mut deliveries, now, *after, why.as_deref());
            self.write_down(case.lease, deliveries, link).await;
            return;
        }
        let mut outcome = String::new();
        let newest = deliveries.len().saturating_sub(1);
        for (index, delivery) in deliveries.iter_mut().enumerate() {
            let end = match &end {
                End::DoneSoFar(after, why) if index == newest => {
                    &End::LookLater(*after, format!("{why}; HiBob may show a later change late"))
                }
                end => end,
            };
            let ended = self.stand(delivery, end, now);
            delivery.remember(Attempt {
                at: case.started,
                took_ms: elapsed_ms(case.started, now),
                read: case.read.clone(),
                decided: decided.to_owned(),
                done: done.clone(),
                outcome: ended.clone(),
            });
            outcome = ended;
        }
        let settled = settled(&case, &deliveries, decided, done, outcome, now);
        if self.write_down(case.lease, deliveries, link).await {
            self.tell(settled);
        }
    }

    /// Where one delivery stands after this end; says so in a sentence.
    fn stand(&self, delivery: &mut Delivery, end: &End, now: Timestamp) -> String {
        delivery.due = now;
        delivery.absences = match end {
            End::LookForAgain(_) => delivery.absences + 1,
            _ => 0,
        };
        let (state, code, reason, ended) = match end {
            End::Done(why) | End::DoneSoFar(_, why) => {
                (DeliveryState::Done, None, why.clone(), why.clone())
            }
            End::LookLater(after, why) => {
                delivery.looks += 1;
                delivery.due = on_grid(now + *after, *after);
                (DeliveryState::Waiting, None, why.clone(), format!("again in {after:?}: {why}"))
            }
            End::LookForAgain(after) => {
                delivery.due = on_grid(now + *after, *after);
                let why = "HiBob's answer does not contain this person, which proves nothing yet";
                (DeliveryState::Waiting, None, why.into(), format!("again in {after:?}: {why}"))
            }
            End::Retry { code, reason, most } => {
                delivery.attempts += 1;
                if delivery.attempts >= *most {
                    let told = format!("dead after {} attempts: {reason}", delivery.attempts);
                    (DeliveryState::Dead, Some(code.clone()), reason.clone(), told)
                } else {
                    let after = self.delays().after(delivery.attempts);
                    delivery.due = now + after;
                    let told = format!("again in {:.1} s: {reason}", after.as_secs_f64());
                    (DeliveryState::Waiting, Some(code.clone()), reason.clone(), told)
                }
            }
            End::Dead { code, reason } => {
                delivery.attempts += 1;
                let told = format!("dead: {code}");
                (DeliveryState::Dead, Some(code.clone()), reason.clone(), told)
            }
            End::GiveBack(..) => return String::new(),
        };
        delivery.state = state;
        delivery.code = code;
        delivery.reason = Some(reason);
        ended
    }

    /// Settles, patiently: a store that is away for a moment must not cost the lease. Says whether
    /// it was written.
    async fn write_down(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> bool {
        let person = lease.person.clone();
        match self.store.settle(lease, deliveries, link).await {
            Ok(()) => true,
            Err(StoreError::LeaseLost) => {
                tracing::warn!(%person, "lease lost before settling: another worker goes on");
                false
            }
            Err(error) => {
                // The lease runs out, is taken back, and the same plan finds its work done.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%person, error, "not settled");
                false
            }
        }
    }

    fn tell(&self, settled: Settled) {
        let Settled { person, deliveries, decided, outcome, latency, state, .. } = &settled;
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        match state {
            DeliveryState::Dead => {
                tracing::error!(%person, deliveries, decided, outcome, "dead letter");
            }
            DeliveryState::Waiting => {
                tracing::info!(%person, deliveries, decided, outcome, "again");
            }
            _ => tracing::info!(%person, deliveries, decided, outcome, latency_ms, "settled"),
        }
        metrics::counter!("instep_attempts_total", "outcome" => state.word()).increment(1);
        if *state == DeliveryState::Done && !settled.done.is_empty() {
            metrics::histogram!("instep_received_to_applied_seconds").record(latency.as_secs_f64());
        }
        // Nobody may be listening.
        let _ = self.told.send(settled);
    }

    /// The time between two looks, also where the second look is switched off.
    fn look(&self) -> Duration {
        if self.settings.second_look.is_zero() {
            Duration::from_secs(25)
        } else {
            self.settings.second_look
        }
    }
}

/// What the store could not do about a hold is done later.
pub(super) fn tell_if_failed(end: Result<(), StoreError>) {
    if let Err(error) = end {
        tracing::warn!(error = &error as &dyn std::error::Error, "a hold was not changed");
    }
}

/// Lets deliveries rest where they are; no attempt is spent.
fn rest(deliveries: &mut [Delivery], now: Timestamp, after: Duration, why: Option<&str>) {
    for delivery in deliveries {
        if !after.is_zero() {
            delivery.due = now + after;
        }
        if let Some(why) = why {
            delivery.reason = Some(why.to_owned());
        }
    }
}

/// What is told of a settled turn.
fn settled(
    case: &Case,
    deliveries: &[Delivery],
    decided: &str,
    done: Vec<String>,
    outcome: String,
    now: Timestamp,
) -> Settled {
    let mut kinds: Vec<String> = deliveries.iter().map(|d| d.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let oldest = deliveries.iter().map(|d| d.received_at).min().unwrap_or(now);
    Settled {
        person: case.lease.person.clone(),
        kinds,
        deliveries: deliveries.len(),
        decided: decided.to_owned(),
        done,
        state: deliveries.first().map_or(DeliveryState::Done, |delivery| delivery.state),
        outcome,
        latency: Duration::from_millis(elapsed_ms(oldest, now)),
    }
}

/// What to look for.
pub(super) fn probe(desired: &Desired, link: Option<&Link>, gone: bool) -> Probe {
    let field = |field| desired.fields.get(&field).cloned().flatten();
    let began = link.and_then(|link| link.creating.as_ref());
    Probe {
        account: link.and_then(|link| link.account.clone()),
        external_id: Some(desired.external_id.clone()),
        // A create that was begun is looked for by what it was made with.
        email: began
            .and_then(|intent| intent.email.clone())
            .or(field(Field::Email).filter(|_| !gone)),
        username: began
            .and_then(|intent| intent.username.clone())
            .or(field(Field::Username).filter(|_| !gone)),
    }
}

/// Whether an account is known to be this person's.
fn is_known(lease: &Lease) -> bool {
    lease.link.as_ref().is_some_and(|link| link.account.is_some())
}

fn is_deleted_for_certain(deliveries: &[Delivery]) -> bool {
    deliveries.iter().any(|delivery| delivery.kind == DELETED && delivery.absences > 0)
}

/// The next moment on the grid of looks that are so long apart.
fn on_grid(at: Timestamp, apart: Duration) -> Timestamp {
    let grid = i64::try_from((apart / LOOK_GRID).as_millis()).unwrap_or(i64::MAX).max(1);
    let ms = at.as_millisecond();
    Timestamp::from_millisecond(ms + (grid - ms.rem_euclid(grid)) % grid).unwrap_or(at)
}

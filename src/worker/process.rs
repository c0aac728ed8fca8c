//! One person's turn: judge what was read, carry the plan out, and see to its end.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::end::End;
use super::hold::tell_if_failed;
use super::retry::Verdict;
use super::turn::lane;
use crate::model::{Answer, Candidate, Delivery, Desired, Probe};
use crate::provisioning::rules::Decision;
use crate::provisioning::{matching, planning};
use crate::store::Lease;

/// The kind of event that, with two complete answers that lack the person, proves a deletion.
pub(super) const DELETED: &str = "employee.deleted";

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
                match self.rules.decide(record, started).decision {
                    Decision::OutOfScope { deactivate: true, .. } if is_known(&lease) => {
                        let desired =
                            planning::departed(lease.link.as_ref(), &lease.person.employee);
                        Judgement::Wanted { desired, remarks: Vec::new(), gone: true }
                    }
                    Decision::OutOfScope { filter, .. } => Judgement::OutOfScope(filter),
                    Decision::Unknown { rule, missing } => Judgement::Unknown { rule, missing },
                    Decision::AsItIs { why } => Judgement::OutOfScope(why),
                    Decision::Refused { reason, .. } => Judgement::OutOfScope(reason),
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
        let Judgement::Wanted { desired, .. } = &case.judgement else { return None };
        let link = case.lease.link.as_ref();
        let known = link.and_then(|link| {
            planning::from_link(
                desired,
                &crate::provisioning::resolving::Resolved::default(),
                link,
                &self.target.policy,
            )
        });
        known.is_none().then(|| {
            matching::Search { desired, link, rules: &matching::USUAL, choice: None }.probe()
        })
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
}

/// Whether an account is known to be this person's.
fn is_known(lease: &Lease) -> bool {
    lease.link.as_ref().is_some_and(|link| link.account.is_some())
}

fn is_deleted_for_certain(deliveries: &[Delivery]) -> bool {
    deliveries.iter().any(|delivery| delivery.kind == DELETED && delivery.absences > 0)
}

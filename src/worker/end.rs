//! How a person's turn ended, and what follows: done, look again, try again, give back, or ask a
//! human.

use std::collections::HashSet;
use std::time::Duration;

use super::Worker;
use super::hold::Failure;
use super::ordered::is_after_a_loss;
use super::process::Case;
use super::retry::Verdict;
use super::swap::SWAPPING;
use crate::clock::elapsed_ms;
use crate::model::{
    APPOINTMENT, DELETED, Delivery, DeliveryState, LEASE_LOST, Lane, MANAGER_ARRIVED,
};
use crate::store::{Filter, Lease};

/// A person whom HiBob does not show is looked for so often before a human is asked.
const MOST_ABSENCES: u32 = 3;

/// How many attempts something gets that looking again did not solve.
const MOST_SECOND_FINDS: u32 = 3;

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
    /// Those whose change HiBob may not have shown yet.
    fn fresh<'c>(&self, case: &'c Case) -> impl Iterator<Item = &'c Delivery> {
        let look = self.settings.second_look.as_millis();
        case.lease.deliveries.iter().filter(move |delivery| {
            delivery.lane == Lane::Live
                // Of what we tell ourselves HiBob has nothing to show.
                && !matches!(delivery.kind.as_str(), APPOINTMENT | LEASE_LOST | MANAGER_ARRIVED)
                && delivery.looks == 0
                && u128::from(elapsed_ms(delivery.received_at, case.started)) < look
        })
    }

    /// How long until HiBob shows the change of the newest of those. Counted from its receipt: so
    /// one read serves everybody whose events came together, however long the target took.
    fn until_shown(&self, case: &Case) -> Duration {
        let look = self.settings.second_look;
        let newest = self.fresh(case).map(|delivery| delivery.received_at).max();
        newest.map_or(look, |received| {
            look.saturating_sub(Duration::from_millis(elapsed_ms(received, self.clock.now())))
        })
    }

    /// Whether there is one more look after a loss: a call of the lost worker may be under way still.
    fn looks_after_loss(&self, case: &Case) -> bool {
        let is_first = |it: &Delivery| is_after_a_loss(it) && it.looks == 0;
        !self.settings.second_look.is_zero() && case.lease.deliveries.iter().any(is_first)
    }

    /// Something was done. Of several changes that were read together HiBob may have shown only the
    /// first: then there is one more look. Events of the same type mean several changes.
    pub(super) fn changed(&self, case: &Case, outcome: String) -> End {
        let mut kinds = HashSet::new();
        if self.looks_after_loss(case) {
            let why = format!("{outcome}; a worker was lost before, so one more look");
            End::LookLater(self.settings.second_look, why)
        } else if self.fresh(case).all(|delivery| kinds.insert(&delivery.kind)) {
            End::Done(outcome)
        } else {
            End::DoneSoFar(self.until_shown(case), outcome)
        }
    }

    /// Nothing was to be done. An event so fresh that HiBob may not show its change yet gets one
    /// second look.
    pub(super) fn nothing(&self, case: &Case, why: &str) -> End {
        if self.looks_after_loss(case) {
            let look = self.settings.second_look;
            End::LookLater(look, format!("{why}; a worker was lost before, so one more look"))
        } else if self.fresh(case).next().is_some() {
            let why = format!("{why}; HiBob may show a change late, so one more look");
            End::LookLater(self.until_shown(case), why)
        } else {
            End::Done(why.to_owned())
        }
    }

    /// A rule that decides over the person lacks a field: nobody is judged by that.
    pub(super) async fn cannot_judge(&self, case: &Case, rule: &str, missing: &[String]) -> End {
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
    pub(super) async fn ended(&self, case: &Case, verdict: Verdict) -> End {
        let far_end = &self.target.far_end;
        let (reason, refused) = match verdict {
            Verdict::GiveBack(after) => return End::GiveBack(after, None),
            Verdict::Waits { after, why } => return End::GiveBack(after, Some(why)),
            Verdict::Dead { code, advice } => return End::Dead { code, reason: advice },
            Verdict::LookAgain { code, advice } => {
                // A swap is given time: the account stands where nobody finds it.
                let patient = code == SWAPPING;
                let most = if patient { self.settings.attempts } else { MOST_SECOND_FINDS };
                return End::Retry { code, reason: advice, most };
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
    pub(super) async fn absent(&self, lease: &Lease) -> End {
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

    /// The time between two looks, also where the second look is switched off.
    pub(super) fn look(&self) -> Duration {
        if self.settings.second_look.is_zero() {
            Duration::from_secs(25)
        } else {
            self.settings.second_look
        }
    }
}

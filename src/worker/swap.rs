//! Two people who swap their mails: neither can move while the other stands there, so the first who
//! notices steps aside to an address that leads nowhere, until the other has moved.
//!
//! Only on proof: the other account is a known employee's, HR gives that employee exactly the mail
//! that is to be left, and an event of theirs waits to be carried out.

use std::collections::BTreeMap;

use super::Worker;
use super::process::Case;
use super::retry::Verdict;
use super::turn::lane;
use crate::model::{
    Answer, Candidate, Change, DeliveryState, Desired, EmployeeId, Field, FoundBy, Link, Person,
    Probe,
};
use crate::provisioning::rules::Decision;
use crate::store::Filter;

/// The code that says so.
pub(super) const MAIL_TAKEN: &str = "mailAlreadyUsed";

/// The code of a swap that is under way.
pub(super) const SWAPPING: &str = "mailSwap";

/// Where nobody ever gets mail: the domain is reserved.
const NOWHERE: &str = "swapping.invalid";

/// What follows from having stepped aside.
pub(super) fn verdict() -> Verdict {
    Verdict::LookAgain {
        code: SWAPPING.to_owned(),
        advice: "two people swap their mails, and the other one's account has not left the mail \
                 yet: until then this account stands at an address that leads nowhere. See to the \
                 other person's deliveries, then replay"
            .to_owned(),
    }
}

/// Whether a swap is under way.
pub(super) fn is_swap(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::LookAgain { code, .. } if code == SWAPPING)
}

impl Worker {
    /// Leaves the person's mail to the one who shall have it, if this is a swap. Says whether it
    /// did; what fails on the way means that it did not.
    pub(super) async fn step_aside(
        &self,
        case: &Case,
        desired: &Desired,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> bool {
        self.aside(case, desired, link, done).await.is_some()
    }

    async fn aside(
        &self,
        case: &Case,
        desired: &Desired,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Option<()> {
        let account = link.account.clone()?;
        let wanted = desired.fields.get(&Field::Email)?.clone()?;
        let (lane, deadline) = (lane(&case.lease), case.lease.deadline);
        let (platform, target) = (self.platform(), &self.target.target);
        let probe = Probe {
            account: Some(account.clone()),
            email: Some(wanted.clone()),
            ..Probe::default()
        };
        let found = target.find(&platform, &[probe], lane, deadline).await.ok()?.pop()?;
        let mine = found.iter().find(|found| found.by == FoundBy::Link)?;
        let mine = mine.account.fields.get(&Field::Email)?;
        let theirs = found.iter().find(|found| found.by == FoundBy::Email)?;
        let other = self.whose(theirs).await?;
        if other == case.lease.person || !self.wants(&other, mine, case).await? {
            return None;
        }
        let nowhere = Some(format!("{account}@{NOWHERE}"));
        let step = Change::Update(BTreeMap::from([(Field::Email, nowhere.clone())]));
        target.apply(&platform, Some(&account), &step, lane, deadline).await.ok()?;
        link.applied.insert(Field::Email, nowhere);
        done.push(format!("left the mail to {other}, with whom it is swapped"));
        Some(())
    }

    async fn whose(&self, found: &Candidate) -> Option<Person> {
        if let Ok(Some(person)) = self.store.owner(&found.account.id).await {
            return Some(person);
        }
        let employee = EmployeeId::new(found.claimed_by.clone()?);
        Some(Person { source: self.name.clone(), employee })
    }

    /// Whether HR gives this mail to this person, and that is about to be carried out.
    async fn wants(&self, person: &Person, mail: &str, case: &Case) -> Option<bool> {
        if person.source != self.name {
            return None;
        }
        let waiting = Filter {
            state: Some(DeliveryState::Waiting),
            source: Some(person.source.clone()),
            employee: Some(person.employee.to_string()),
            ..Filter::default()
        };
        if self.store.deliveries(&waiting, 1).await.ok()?.is_empty() {
            return Some(false);
        }
        let id = person.employee.clone();
        let (lane, deadline) = (lane(&case.lease), case.lease.deadline);
        let mut answers =
            case.live.source.employees(std::slice::from_ref(&id), lane, deadline).await.ok()?;
        let Some(Answer::Present(record)) = answers.remove(&id) else { return Some(false) };
        let Decision::Wanted { desired, .. } =
            case.live.rules.decide(&record, self.clock.now()).decision
        else {
            return Some(false);
        };
        let wants = desired.fields.get(&Field::Email).and_then(Option::as_deref);
        Some(desired.active && wants.is_some_and(|it| it.to_lowercase() == mail.to_lowercase()))
    }
}

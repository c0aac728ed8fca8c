//! Carries a plan out, step by step, and keeps the link true at every instant.
//!
//! Before an account is made, the intent is written down; right after, the account. Whoever takes
//! over after a crash therefore looks for the account instead of making a second one.

use std::time::Duration;

use super::Worker;
use super::hold::tell_if_failed;
use super::process::Case;
use super::retry::Verdict;
use super::swap::{self, MAIL_TAKEN};
use super::turn::lane;
use crate::model::{
    AccountId, AccountStatus, Candidate, Change, Desired, Done, Field, FoundBy, Intent, Link,
};
use crate::provisioning::matching::{self, Match, Search};
use crate::provisioning::planning::{self, Plan};
use crate::provisioning::resolving::Resolved;
use crate::store::StoreError;
use crate::targets::TargetError;

/// How often one attempt looks for the account again when it is not as thought.
const MOST_FINDS: usize = 3;

/// How long work rests when the source does not say who shares a mail.
const SOURCE_REST: Duration = Duration::from_secs(5);

/// What was decided, and the end: `Ok(None)` when nothing was to be done.
pub(super) type Brought = (String, Result<Option<String>, Verdict>);

impl Worker {
    /// Brings the account to what is desired: plans, carries out, and plans again from what the
    /// target shows when it is not as thought.
    pub(super) async fn bring_about(
        &self,
        case: &Case,
        desired: &Desired,
        gone: bool,
        mut candidates: Option<Vec<Candidate>>,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Brought {
        let mut decided = "nothing yet".to_owned();
        if self.target.far_end.is_down() && !case.probing {
            return (decided, Err(Verdict::GiveBack(Duration::from_secs(1))));
        }
        let mut last = None;
        for _ in 0..=MOST_FINDS {
            let found = candidates.take();
            let planned = if found.is_none() && last.is_none() && !self.may_be_protected(link) {
                planning::from_link(desired, &Resolved::default(), link, &self.target.policy)
                    .map(Planned::Steps)
            } else {
                None
            };
            let planned = match planned {
                Some(planned) => Ok(planned),
                None => self.plan(case, desired, gone, link, found).await,
            };
            let plan = match planned {
                Ok(Planned::Steps(plan)) => plan,
                Ok(Planned::LeftAlone(why)) => return ("leave alone".into(), Ok(Some(why))),
                Err(verdict) => return (decided, Err(verdict)),
            };
            decided = plan.words();
            match self.carry_out(case, &plan, link, done).await {
                Ok(()) if plan.steps.is_empty() => return (decided, Ok(None)),
                Ok(()) => {
                    let outcome = done.join("; ");
                    return (decided, Ok(Some(outcome)));
                }
                Err(Verdict::LookAgain { code, advice }) => {
                    done.push(format!("looked again: {code}"));
                    let swapping = last.is_none()
                        && code == MAIL_TAKEN
                        && self.step_aside(case, desired, link, done).await;
                    last = Some(if swapping {
                        swap::verdict()
                    } else {
                        last.filter(swap::is_swap).unwrap_or(Verdict::LookAgain { code, advice })
                    });
                }
                Err(verdict) => return (decided, Err(verdict)),
            }
        }
        (decided, Err(last.unwrap_or(Verdict::GiveBack(Duration::ZERO))))
    }

    /// Whether the account that we know is listed as protected now: then it is looked at first.
    fn may_be_protected(&self, link: &Link) -> bool {
        let mail = link.applied.get(&Field::Email).and_then(Option::as_deref);
        let id = link.account.as_ref().map(AccountId::as_str);
        mail.into_iter().chain(id).any(|id_or_mail| self.target.target.is_listed(id_or_mail))
    }

    async fn find(
        &self,
        case: &Case,
        desired: &Desired,
        _gone: bool,
        link: &Link,
    ) -> Result<Vec<Candidate>, TargetError> {
        let probes =
            [Search { desired, link: Some(link), rules: &matching::USUAL, choice: None }.probe()];
        let lease = &case.lease;
        let platform = self.platform();
        let found = self.target.target.find(&platform, &probes, lane(lease), lease.deadline);
        let mut found = found.await?;
        tell_if_failed(self.target.far_end.answered(&*self.store, case.probing).await);
        Ok(found.pop().unwrap_or_default())
    }

    /// Judges the candidates, looked up now if they were not before, and plans from the account as
    /// it is.
    async fn plan(
        &self,
        case: &Case,
        desired: &Desired,
        gone: bool,
        link: &mut Link,
        candidates: Option<Vec<Candidate>>,
    ) -> Result<Planned, Verdict> {
        let candidates = match candidates {
            Some(candidates) => candidates,
            None => self.find(case, desired, gone, link).await?,
        };
        let found = Search { desired, link: Some(link), rules: &matching::USUAL, choice: None }
            .judge(&candidates);
        let found = match found {
            Match::Protected(why) => return Ok(Planned::LeftAlone(why)),
            Match::Disputed(advice) | Match::InTheWay { reason: advice, .. } => {
                return Err(Verdict::Dead { code: "disputed".to_owned(), advice });
            }
            // The account of a create that was begun is our own work, and nobody else's.
            Match::Account(..)
                if !desired.active
                    && link.creating.is_none()
                    && matching::only_resembles(&found) =>
            {
                if gone || self.shares_mail(case, desired).await? {
                    return Ok(Planned::LeftAlone(
                        "inactive; an account has the same mail, but it may be somebody else's"
                            .to_owned(),
                    ));
                }
                found
            }
            found => found,
        };
        let plan = if let Match::Account(account, by) = found {
            if link.account.as_ref() != Some(&account.id) {
                *link = Link { account: Some(account.id.clone()), ..Link::default() };
                // Before anything is written: another person may have linked it meanwhile.
                self.save(case, link).await?;
            }
            let plan = planning::from_account(
                desired,
                &Resolved::default(),
                Some(link),
                Some((&account, by)),
                &self.target.policy,
            );
            link.creating = None;
            link.status = Some(account.status);
            if by == FoundBy::ExternalId {
                link.external_id = Some(desired.external_id.clone());
            }
            for (field, value) in &desired.fields {
                if account.fields.get(field) == value.as_ref() {
                    link.applied.insert(*field, value.clone());
                } else {
                    link.applied.remove(field);
                }
            }
            plan
        } else {
            *link = Link::default();
            planning::from_account(desired, &Resolved::default(), None, None, &self.target.policy)
        };
        plan.map(Planned::Steps).map_err(|none| Verdict::Dead {
            code: "noIdentity".to_owned(),
            advice: format!("{none}: fill one of them in HR or change rules.fields, then replay"),
        })
    }

    /// Whether another employee has the mail by which an account was found.
    async fn shares_mail(&self, case: &Case, desired: &Desired) -> Result<bool, Verdict> {
        let Some(Some(email)) = desired.fields.get(&Field::Email) else { return Ok(true) };
        let lease = &case.lease;
        let holders = self.source.with_email(email, lane(lease), lease.deadline).await;
        // The source's failure must not be taken for the target's; the next read meets it.
        let holders = holders.map_err(|_| Verdict::GiveBack(SOURCE_REST))?;
        Ok(holders.iter().any(|id| *id != lease.person.employee))
    }

    async fn carry_out(
        &self,
        case: &Case,
        plan: &Plan,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Result<(), Verdict> {
        let platform = self.platform();
        let lease = &case.lease;
        for step in &plan.steps {
            let words = planning::words(step, plan.account.as_ref());
            if let Change::Create { fields, .. } = step {
                link.creating = Some(Intent {
                    email: fields.get(&Field::Email).cloned(),
                    username: fields.get(&Field::Username).cloned(),
                    at: self.clock.now(),
                });
                link.restoring = plan.account.is_some();
                self.save(case, link).await?;
            }
            let target = &self.target.target;
            let account = link.account.clone();
            if let (Change::Deactivate, Some(account)) = (step, &account) {
                // Written down before it is taken away: the answer, or this process, may be lost.
                let had = target.belongings(account, lane(lease), lease.deadline).await?;
                let Some(had) = had else {
                    tell_if_failed(self.target.far_end.answered(&*self.store, case.probing).await);
                    done.push(format!("deactivated already ({account})"));
                    link.status = Some(AccountStatus::Deleted);
                    continue;
                };
                // Until it is known whether it is done, nobody shall believe the account active.
                link.status = None;
                // What an unfinished restore still owes is more than what the account has now.
                if !link.restoring || link.kept.is_none() {
                    link.kept = Some(had);
                }
                self.save(case, link).await?;
            }
            if let Change::Update(fields) = step {
                // Nor that a field still has what it had.
                link.applied.retain(|field, _| !fields.contains_key(field));
            }
            let result = target
                .apply(&platform, account.as_ref(), step, lane(lease), lease.deadline)
                .await?;
            tell_if_failed(self.target.far_end.succeeded(&*self.store, case.probing).await);
            let account = result.account.as_ref().map(|account| account.id.clone());
            done.push(said(&words, account.as_ref().or(link.account.as_ref())));
            done.extend(result.remarks.iter().cloned());
            self.note(case, plan, step, result, link).await?;
        }
        link.restoring = false;
        Ok(())
    }

    /// Writes into the link what a step has changed.
    async fn note(
        &self,
        case: &Case,
        plan: &Plan,
        step: &Change,
        result: Done,
        link: &mut Link,
    ) -> Result<(), Verdict> {
        match step {
            Change::Create { fields, .. } => {
                let Some(account) = result.account else {
                    let why = "360Learning did not say which account it made".to_owned();
                    return Err(Verdict::LookAgain { code: "noAccount".to_owned(), advice: why });
                };
                let expected = plan.account.as_ref();
                link.creating = None;
                link.account = Some(account.id.clone());
                link.status = Some(account.status);
                link.restoring = result.restored;
                link.applied.clear();
                if !result.restored {
                    // A new account has what it was made with, and its other fields are empty.
                    let made = Field::ALL.map(|field| (field, fields.get(&field).cloned()));
                    link.applied.extend(made);
                }
                self.save(case, link).await?;
                if result.restored != expected.is_some()
                    || expected.is_some_and(|expected| *expected != account.id)
                {
                    let why = "a deleted account came back (or a new one was made) unexpectedly";
                    return Err(Verdict::LookAgain {
                        code: "unexpectedRestore".to_owned(),
                        advice: why.to_owned(),
                    });
                }
            }
            Change::Activate => link.status = Some(AccountStatus::Active),
            Change::Update(fields) => {
                if result.account.is_some_and(|a| a.status == AccountStatus::Deleted) {
                    link.status = Some(AccountStatus::Deleted);
                    return Err(Verdict::LookAgain {
                        code: "userDeleted".to_owned(),
                        advice: "the account was deactivated in 360Learning".to_owned(),
                    });
                }
                link.applied.extend(fields.clone());
            }
            Change::ClaimExternalId(id) => link.external_id = Some(id.clone()),
            Change::PutBack(_) => link.kept = None,
            Change::MakeGroup { .. }
            | Change::Join { .. }
            | Change::Leave { .. }
            | Change::SetCustom(_)
            | Change::SetManager { .. } => {}
            Change::Deactivate => link.status = Some(AccountStatus::Deleted),
        }
        Ok(())
    }

    /// Saves the link. When the account turns out to be another person's, nothing of it stays: with
    /// it the lease could never be settled.
    async fn save(&self, case: &Case, link: &mut Link) -> Result<(), Verdict> {
        match self.store.save_link(&case.lease, link).await {
            Ok(()) => Ok(()),
            Err(StoreError::AccountTaken(other)) => {
                let verdict = taken(link.account.as_ref(), &other.to_string());
                *link = case.lease.link.clone().unwrap_or_default();
                Err(verdict)
            }
            Err(error) => Err(TargetError::Store(error).into()),
        }
    }
}

/// What to do about an account.
enum Planned {
    Steps(Plan),
    LeftAlone(String),
}

fn taken(account: Option<&AccountId>, other: &str) -> Verdict {
    let account = account.map_or("?", AccountId::as_str);
    Verdict::Dead {
        code: "disputed".to_owned(),
        advice: format!(
            "account {account} is already linked to {other}: two employees, one account. Correct \
             the mail in HR, then replay"
        ),
    }
}

fn said(words: &str, account: Option<&AccountId>) -> String {
    account.map_or_else(|| words.to_owned(), |account| format!("{words} ({account})"))
}

//! Carries a plan out, step by step, and keeps the link true at every instant.
//!
//! Before an account is made, the intent is written down; right after, the account. Whoever takes
//! over after a crash therefore looks for the account instead of making a second one. A group, a
//! manager that the target refuses is told, and the rest goes on.

use std::collections::VecDeque;

use super::Worker;
use super::hold::tell_if_failed;
use super::process::Case;
use super::retry::Verdict;
use super::swap::MAIL_TAKEN;
use super::turn::lane;
use crate::model::{AccountId, AccountStatus, Change, Done, Field, GroupId, IN_BULK, Intent, Link};
use crate::provisioning::drift::ends_soon;
use crate::provisioning::planning::{self, Plan};
use crate::provisioning::resolving::Resolved;
use crate::store::StoreError;
use crate::targets::TargetError;

/// How it begins to be told of a step that the target refused, after which the rest went on.
pub(super) const NOT_DONE: &str = "not done:";

impl Worker {
    pub(super) async fn carry_out(
        &self,
        case: &Case,
        plan: &Plan,
        resolved: &Resolved,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Result<(), Verdict> {
        let platform = self.platform();
        let lease = &case.lease;
        let mut manager_refused = false;
        let mut ahead = VecDeque::new();
        let mut operation = String::new();
        for (at, step) in plan.steps.iter().enumerate() {
            let words = planning::words(step, plan.account.as_ref());
            if !self.prepare(case, plan, step, link, done).await? {
                continue;
            }
            let making = match step {
                Change::MakeGroup { path } => match self.begin_making(case, path).await? {
                    None => continue,
                    making => making,
                },
                _ => None,
            };
            let (target, account) = (&self.target.target, link.account.clone());
            if ahead.is_empty() && matches!(step, Change::Join { .. } | Change::Leave { .. }) {
                let next = self.together(case, &plan.steps[at..], account.as_ref()).await?;
                (ahead, operation) = (next.done.into(), next.operation);
            }
            let together = ahead.pop_front().unwrap_or(false);
            let result = if together {
                Ok(Done::default())
            } else {
                target.apply(&platform, account.as_ref(), step, lane(lease), lease.deadline).await
            };
            if let Some(making) = making {
                self.end_making(making).await;
            }
            let result = match result {
                Ok(result) => result,
                Err(error) => {
                    // This call made no account for certain; one with the mail may be an earlier's.
                    if let (Change::Create { .. }, Some(code)) = (step, code(&error))
                        && code != MAIL_TAKEN
                    {
                        link.creating = None;
                    }
                    let told = go_on(step, error)?;
                    manager_refused |= matches!(step, Change::SetManager { .. });
                    done.push(told);
                    continue;
                }
            };
            tell_if_failed(self.target.far_end.succeeded(&*self.store, case.probing).await);
            let account = result.account.as_ref().map(|account| account.id.clone());
            let mut said = said(&words, account.as_ref().or(link.account.as_ref()));
            if together {
                said.push_str(IN_BULK);
                said.push_str(&operation);
            }
            done.push(said);
            done.extend(result.remarks.iter().cloned());
            self.note(case, plan, step, result, resolved, link).await?;
        }
        let was_restored = std::mem::take(&mut link.restoring);
        if let (Some(wanted), false) = (&resolved.manager, manager_refused) {
            // Also the one who was in place already, under another key or put back.
            link.manager.clone_from(wanted);
            if wanted.is_some() {
                link.awaits = None;
            }
        }
        if was_restored {
            // The end may be as it was when the turn began, and then it is not written: what was
            // saved in between says otherwise.
            self.save(case, link).await?;
        }
        Ok(())
    }

    /// What must be so before a step. Says whether the step is still to be done.
    async fn prepare(
        &self,
        case: &Case,
        plan: &Plan,
        step: &Change,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Result<bool, Verdict> {
        match step {
            Change::Create { fields, .. } => {
                link.creating = Some(Intent {
                    email: fields.get(&Field::Email).cloned(),
                    username: fields.get(&Field::Username).cloned(),
                    at: self.clock.now(),
                });
                link.restoring = plan.account.is_some();
                self.save(case, link).await?;
            }
            Change::Deactivate => return self.write_down_belongings(case, link, done).await,
            Change::Update(fields) => {
                let before = link.applied.get(&Field::DeactivateAt).and_then(Option::as_deref);
                let is_new = link.restoring
                    || plan.steps.iter().any(|step| matches!(step, Change::Create { .. }));
                if !is_new && ends_soon(fields, before, self.clock.now()) {
                    self.may_deactivate(case, link).await?;
                }
                // Until it is known whether it is done, nobody shall believe what the link says.
                link.applied.retain(|field, _| !fields.contains_key(field));
            }
            Change::SetCustom(values) => link.custom.retain(|field, _| !values.contains_key(field)),
            _ => {}
        }
        Ok(true)
    }

    /// What a deactivation will take away is written down before: the answer, or this process, may
    /// be lost.
    async fn write_down_belongings(
        &self,
        case: &Case,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Result<bool, Verdict> {
        let (target, lease) = (&self.target.target, &case.lease);
        let Some(account) = link.account.clone() else { return Ok(true) };
        let had = target.belongings(&account, lane(lease), lease.deadline).await?;
        let Some(had) = had else {
            tell_if_failed(self.target.far_end.answered(&*self.store, case.probing).await);
            done.push(format!("deactivated already ({account})"));
            link.status = Some(AccountStatus::Deleted);
            return Ok(false);
        };
        self.may_deactivate(case, link).await?;
        // Until it is known whether it is done, nobody shall believe the account active.
        link.status = None;
        // What an unfinished restore still owes is more than what the account has now.
        if !link.restoring || link.kept.is_none() {
            link.kept = Some(had);
        }
        self.save(case, link).await?;
        Ok(true)
    }

    /// Writes into the link what a step has changed.
    async fn note(
        &self,
        case: &Case,
        plan: &Plan,
        step: &Change,
        result: Done,
        resolved: &Resolved,
        link: &mut Link,
    ) -> Result<(), Verdict> {
        match step {
            Change::Create { .. } => self.note_create(case, plan, step, result, link).await?,
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
            Change::PutBack(kept) => {
                link.kept = None;
                link.groups.retain(|given| kept.roles.contains(given));
                link.custom = planning::custom_values(kept);
                link.manager.take_if(|given| !kept.managers.contains(&given.account));
            }
            Change::MakeGroup { .. } => {}
            Change::Join { group, role, .. } => {
                // The group is not named where the platform does not have the role.
                if let Some(group) = result.group.or_else(|| group.clone()) {
                    link.groups.insert((group, role.clone()));
                }
            }
            Change::Leave { group, role } => {
                link.groups.remove(&(group.clone(), role.clone()));
                let falls = |other: &GroupId| resolved.falls_with(other, group);
                // What fell with it is missing until it is joined again.
                link.groups.retain(|(other, its)| its != role || !falls(other));
            }
            Change::SetCustom(values) => link.custom.extend(values.clone()),
            Change::SetManager { add, .. } => {
                let wanted = resolved.manager.clone().flatten();
                link.manager = wanted.filter(|given| add.as_ref() == Some(&given.account));
            }
            Change::Deactivate => link.status = Some(AccountStatus::Deleted),
        }
        Ok(())
    }

    /// An account was made, or one that was deactivated came back.
    async fn note_create(
        &self,
        case: &Case,
        plan: &Plan,
        step: &Change,
        result: Done,
        link: &mut Link,
    ) -> Result<(), Verdict> {
        let (Change::Create { fields, .. }, Some(account)) = (step, result.account) else {
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
        if link.kept.is_none() || expected != Some(&account.id) {
            link.forget_belongings();
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
        Ok(())
    }

    /// Saves the link. When the account turns out to be another person's, nothing of it stays: with
    /// it the lease could never be settled.
    pub(super) async fn save(&self, case: &Case, link: &mut Link) -> Result<(), Verdict> {
        match self.store.save_link(&case.lease, link).await {
            Ok(()) => Ok(()),
            Err(StoreError::AccountTaken(other)) => {
                let verdict = taken(link.account.as_ref(), &other.to_string());
                *link = Link {
                    appointment: link.appointment.take(),
                    misses: std::mem::take(&mut link.misses),
                    ..case.lease.link.clone().unwrap_or_default()
                };
                Err(verdict)
            }
            Err(error) => Err(TargetError::Store(error).into()),
        }
    }
}

/// What is told of a refusal after which the rest of the plan goes on; what follows, where it does
/// not.
fn go_on(step: &Change, error: TargetError) -> Result<String, Verdict> {
    let told = format!("{NOT_DONE} {} ({error})", planning::words(step, None));
    match (step, error) {
        // A group that is refused hits everybody whom a rule puts there, and a manager is awaited.
        (
            Change::MakeGroup { .. }
            | Change::Join { .. }
            | Change::Leave { .. }
            | Change::SetManager { .. },
            TargetError::Refused { .. },
        ) => Ok(told),
        (Change::SetManager { .. }, TargetError::LookAgain { code, .. })
            if matches!(code.as_str(), "managerNotFound" | "managerDeleted") =>
        {
            Ok(told)
        }
        // What the field may hold is not what was read: read again, and judged by the rule.
        (Change::SetCustom(_), TargetError::Refused { code, advice })
            if matches!(code.as_str(), "unauthorizedValue" | "wrongTypeValue") =>
        {
            Err(Verdict::LookAgain { code, advice })
        }
        (_, error) => Err(error.into()),
    }
}

fn code(error: &TargetError) -> Option<&str> {
    match error {
        TargetError::LookAgain { code, .. } | TargetError::Refused { code, .. } => Some(code),
        _ => None,
    }
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

//! The plan: the fewest steps from the account as it is to the account as it should be.
//!
//! The steps of a usable account, in this order: make or restore it, put back what the deactivation
//! took away, fields, activation, external id, custom fields, groups that are missing, joins, leaves,
//! joins of what a leave took along, the manager. Joins stand before leaves, so that nobody is ever
//! in no group at all.
//!
//! A custom field that is written `if_empty` is written when the account is made or restored, and
//! where we know to have cleared it. What stands in the custom fields of an account that was there
//! before is not read for that: it is taken for filled.

mod belongings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::belongings::custom_values;
use self::belongings::{Known, belongings, still_wanted};
use super::resolving::Resolved;
use crate::model::{
    Account, AccountId, AccountStatus, Change, Desired, EmployeeId, Field, FoundBy, GroupId, Link,
    Strength,
};

/// What the administrator chose for all accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Accounts become usable at once.
    pub activate: bool,
    /// The group that every new account joins.
    pub group: GroupId,
}

/// The steps for one person, in order; none when all is as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The account they change; none when the first step makes it.
    pub account: Option<AccountId>,
    /// The steps.
    pub steps: Vec<Change>,
}

/// A new account needs a mail or a user name, and the rules give neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rules give neither an email nor a username, and an account needs one of them")]
pub struct NoIdentity;

/// The account of someone who has left HR, or the scope: not to be used, and otherwise as it is.
pub fn departed(link: Option<&Link>, employee: &EmployeeId) -> Desired {
    let known = link.and_then(|link| link.external_id.clone());
    let external_id = known.unwrap_or_else(|| employee.to_string());
    Desired { active: false, external_id, ..Desired::default() }
}

/// The user name with its number: `j.smith2`; the first has none.
pub fn numbered(username: &str, number: Option<u32>) -> String {
    number.map_or_else(|| username.to_owned(), |number| format!("{username}{number}"))
}

/// Plans from what we last applied, without looking at the target. `None` when that is not known
/// well enough and the account has to be found first.
pub fn from_link(
    desired: &Desired,
    resolved: &Resolved,
    link: &Link,
    policy: &Policy,
) -> Option<Plan> {
    let account = link.account.clone()?;
    if link.creating.is_some() || link.restoring {
        return None;
    }
    let steps = match (desired.active, link.status?) {
        (false, AccountStatus::Deleted) => Vec::new(),
        (false, _) => vec![Change::Deactivate],
        (true, AccountStatus::Deleted) => return None,
        (true, status) => {
            let differing = desired
                .fields
                .iter()
                .filter(|(field, value)| link.applied.get(field) != Some(value))
                .map(|(field, value)| (*field, value.clone()))
                .collect();
            let held = link.external_id.as_deref() == Some(desired.external_id.as_str());
            let is_empty = |field: Field| link.applied.get(&field) == Some(&None);
            let mut steps = Vec::from_iter(fields(differing, &is_empty, desired));
            steps.extend(usable(status, held, desired, policy));
            steps.extend(belongings(&Known::of(link), resolved, policy));
            steps
        }
    };
    Some(Plan { account: Some(account), steps })
}

/// Plans from the account as the target shows it; `None` when the person has none.
///
/// # Errors
/// [`NoIdentity`] when an account would have to be made without a mail and a user name.
pub fn from_account(
    desired: &Desired,
    resolved: &Resolved,
    link: Option<&Link>,
    found: Option<(&Account, FoundBy)>,
    policy: &Policy,
) -> Result<Plan, NoIdentity> {
    let Some((account, by)) = found else {
        let number = link.and_then(|link| link.username_number);
        return if desired.active {
            create(desired, resolved, number, policy)
        } else {
            Ok(Plan::default())
        };
    };
    let held = by == FoundBy::ExternalId
        || link.is_some_and(|link| link.external_id.as_deref() == Some(&desired.external_id));
    let restoring = link.is_some_and(|link| link.restoring);
    let is_empty = |field: Field| !account.fields.contains_key(&field);
    let none = Link::default();
    let link = link.unwrap_or(&none);
    // A restored account is written in full: what the platform brings back by itself is uncertain.
    let in_full = |link: &Link, status| {
        let kept = link.kept.as_ref().map(|kept| still_wanted(kept, link, resolved));
        let mut steps = Vec::from_iter(kept.clone().map(Change::PutBack));
        steps.extend(fields(desired.fields.clone(), &is_empty, desired));
        steps.extend(usable(status, held, desired, policy));
        let known = match &kept {
            Some(kept) => Known::with(kept),
            None => Known::half_restored(link),
        };
        steps.extend(belongings(&known, resolved, policy));
        steps
    };
    let steps = match (desired.active, account.status) {
        (false, AccountStatus::Deleted) => Vec::new(),
        (false, _) => vec![Change::Deactivate],
        (true, AccountStatus::Deleted) => {
            // The create must name the deleted account by what it has now; the rest follows.
            let identity: BTreeMap<Field, String> = [Field::Email, Field::Username]
                .into_iter()
                .filter_map(|field| Some((field, account.fields.get(&field)?.clone())))
                .collect();
            if identity.is_empty() {
                return create(desired, resolved, link.username_number, policy);
            }
            let mut steps = vec![Change::Create { fields: identity, group: policy.group.clone() }];
            if link.kept.is_none() {
                // What the link says was so before it was deactivated, by whomever.
                let mut unknown = link.clone();
                unknown.forget_belongings();
                steps.extend(in_full(&unknown, AccountStatus::Invited));
            } else {
                steps.extend(in_full(link, AccountStatus::Invited));
            }
            steps
        }
        // Some of it may be put back already; the link then says so.
        (true, status) if restoring => in_full(link, status),
        (true, status) => {
            let differing = desired
                .fields
                .iter()
                .filter(|(field, value)| account.fields.get(field) != value.as_ref())
                .map(|(field, value)| (*field, value.clone()))
                .collect();
            let mut steps = Vec::from_iter(fields(differing, &is_empty, desired));
            steps.extend(usable(status, held, desired, policy));
            steps.extend(belongings(&Known::of(link), resolved, policy));
            steps
        }
    };
    Ok(Plan { account: Some(account.id.clone()), steps })
}

fn create(
    desired: &Desired,
    resolved: &Resolved,
    number: Option<u32>,
    policy: &Policy,
) -> Result<Plan, NoIdentity> {
    let mut fields: BTreeMap<Field, String> =
        desired.fields.iter().filter_map(|(field, value)| Some((*field, value.clone()?))).collect();
    if !fields.contains_key(&Field::Email) && !fields.contains_key(&Field::Username) {
        return Err(NoIdentity);
    }
    if let Some(username) = fields.get_mut(&Field::Username) {
        *username = numbered(username, number);
    }
    let mut steps = vec![Change::Create { fields, group: policy.group.clone() }];
    steps.extend(usable(AccountStatus::Invited, false, desired, policy));
    steps.extend(belongings(&Known::nothing(), resolved, policy));
    Ok(Plan { account: None, steps })
}

/// The fields to write, in one step.
fn fields(
    mut differing: BTreeMap<Field, Option<String>>,
    is_empty: &dyn Fn(Field) -> bool,
    desired: &Desired,
) -> Option<Change> {
    // A sign-in name is never cleared: that would lock the person out.
    differing.retain(|field, value| {
        value.is_some() || !matches!(field, Field::Email | Field::Username | Field::Lang)
    });
    // One that may bear a number is chosen once, when the account is made.
    differing.retain(|field, _| !(desired.number_username && *field == Field::Username));
    differing.retain(|field, value| match desired.strength(*field) {
        Strength::Always => true,
        Strength::OnCreate => false,
        Strength::IfEmpty => value.is_some() && is_empty(*field),
    });
    (!differing.is_empty()).then_some(Change::Update(differing))
}

/// What makes an account usable, and known to be this person's.
fn usable(
    status: AccountStatus,
    external_id_held: bool,
    desired: &Desired,
    policy: &Policy,
) -> Vec<Change> {
    let mut steps = Vec::new();
    if status == AccountStatus::Invited && policy.activate {
        steps.push(Change::Activate);
    }
    if !external_id_held {
        steps.push(Change::ClaimExternalId(desired.external_id.clone()));
    }
    steps
}

impl Plan {
    /// The plan in a few words, without values: `update first_name, job`.
    pub fn words(&self) -> String {
        if self.steps.is_empty() {
            return "nothing to do".to_owned();
        }
        let words: Vec<String> =
            self.steps.iter().map(|step| words(step, self.account.as_ref())).collect();
        words.join("; ")
    }
}

/// One step in a few words, without values.
pub fn words(step: &Change, account: Option<&AccountId>) -> String {
    match step {
        Change::Create { .. } if account.is_some() => "restore".to_owned(),
        Change::Create { .. } => "create".to_owned(),
        Change::Activate => "activate".to_owned(),
        Change::Update(fields) => {
            let fields: Vec<&str> = fields.keys().map(|field| field.word()).collect();
            format!("update {}", fields.join(", "))
        }
        Change::ClaimExternalId(_) => "record the employee id".to_owned(),
        Change::PutBack(_) => "put back groups, managers and custom fields".to_owned(),
        Change::MakeGroup { path } => format!("create group {}", path.join("/")),
        Change::Join { path, role, .. } => format!("add to {} as {role}", path.join("/")),
        Change::Leave { group, role } => format!("remove from group {group} as {role}"),
        Change::SetCustom(_) => "custom fields".to_owned(),
        Change::SetManager { add: None, .. } => "remove the manager".to_owned(),
        Change::SetManager { .. } => "manager".to_owned(),
        Change::Deactivate => "deactivate".to_owned(),
    }
}

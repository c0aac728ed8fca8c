//! Who is out of step, and in what: the account as it should be against the account as it is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::planning::Plan;
use crate::model::{
    Account, AccountStatus, Catalogue, Change, ChangeKind, Desired, Drift, Field, GroupId, Link,
    Strength,
};

/// The name under which it is told that the target does not hold the employee's id.
pub const EXTERNAL_ID: &str = "external_id";

/// The name under which it is told that an account is known to be nobody's, though it is somebody's.
pub const LINK: &str = "link";

/// What an update writes.
type Wishes = BTreeMap<Field, Option<String>>;

/// An end that comes within this time is as good as a deactivation: 360Learning carries it out by
/// itself, and hardly anybody would notice before.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a plan would put right: each difference with what is there and what should be.
pub fn differences(
    plan: &Plan,
    account: Option<&Account>,
    link: &Link,
    catalogue: &Catalogue,
) -> Vec<Drift> {
    let group = |id: &GroupId, role: &str| {
        let path = catalogue.path(id);
        let path = if path.is_empty() { id.to_string() } else { path.join("/") };
        format!("{path} as {role}")
    };
    let mut drift = Vec::new();
    for step in &plan.steps {
        match step {
            Change::Create { .. } if account.is_none() => drift.push(Drift::MissingAccount),
            Change::Create { .. } => drift.push(Drift::ShouldBeActive),
            // A new account is told as such.
            Change::Activate if !drift.iter().any(is_arrival) => drift.push(Drift::ShouldBeActive),
            Change::Update(fields) => {
                // Whoever comes back gets all fields written, and is out of step in few of them.
                let old = |field| account.and_then(|account| account.fields.get(field).cloned());
                let differing = fields.iter().filter(|(field, new)| old(field) != **new);
                drift.extend(differing.map(|(field, new)| Drift::Field {
                    name: field.word().to_owned(),
                    old: old(field),
                    new: new.clone(),
                }));
            }
            Change::ClaimExternalId(id) if account.is_some() => drift.push(Drift::Field {
                name: EXTERNAL_ID.to_owned(),
                old: None,
                new: Some(id.clone()),
            }),
            Change::Join { group: Some(id), role, .. } => {
                drift.push(Drift::NotInGroup { group: group(id, role) });
            }
            Change::Join { group: None, path, role } => {
                drift.push(Drift::NotInGroup { group: format!("{} as {role}", path.join("/")) });
            }
            Change::Leave { group: id, role } => {
                drift.push(Drift::InGroup { group: group(id, role) });
            }
            Change::SetCustom(values) => {
                let old = |id| link.custom.get(id).cloned().flatten();
                let differing = values.iter().filter(|(id, new)| old(id) != **new);
                drift.extend(differing.map(|(id, new)| {
                    let field = catalogue.custom_fields.iter().find(|field| field.id == *id);
                    Drift::Field {
                        name: field.map_or_else(|| id.to_string(), |field| field.name.clone()),
                        old: old(id),
                        new: new.clone(),
                    }
                }));
            }
            Change::SetManager { add, remove } => {
                drift.push(Drift::Manager { old: remove.clone(), new: add.clone() });
            }
            Change::Deactivate => drift.push(Drift::ShouldBeInactive),
            Change::Activate
            | Change::ClaimExternalId(_)
            | Change::MakeGroup { .. }
            | Change::PutBack(_) => {}
        }
    }
    drift
}

/// Whether it is about a custom field or the manager, which the target does not list.
pub fn is_belonging(drift: &Drift) -> bool {
    match drift {
        Drift::Manager { .. } => true,
        Drift::Field { name, .. } => {
            name != LINK
                && name != EXTERNAL_ID
                && Field::ALL.into_iter().all(|field| field.word() != name)
        }
        _ => false,
    }
}

/// Whether it says that the account is not there, or not in use.
fn is_arrival(drift: &Drift) -> bool {
    matches!(drift, Drift::MissingAccount | Drift::ShouldBeActive)
}

/// The gravest change of a plan; none when there is nothing to do.
pub fn gravest(plan: &Plan, account: Option<&Account>, now: Timestamp) -> Option<ChangeKind> {
    let kind = |step: &Change| match step {
        Change::Deactivate => ChangeKind::Deactivate,
        Change::Create { .. } if account.is_none() => ChangeKind::Create,
        Change::Create { .. } => ChangeKind::Reactivate,
        Change::Update(fields) if account.is_some_and(|it| ends(fields, it, now)) => {
            ChangeKind::Deactivate
        }
        Change::Update(fields) if fields.contains_key(&Field::Email) => ChangeKind::ChangeMail,
        Change::Leave { .. } => ChangeKind::LeaveGroup,
        _ => ChangeKind::Update,
    };
    plan.steps.iter().map(kind).min()
}

/// Whether this update makes the target deactivate an account that is in use.
fn ends(fields: &Wishes, account: &Account, now: Timestamp) -> bool {
    let before = account.fields.get(&Field::DeactivateAt);
    account.status != AccountStatus::Deleted && ends_soon(fields, before.map(String::as_str), now)
}

/// Whether an update has the target deactivate an account by itself soon, and sooner than it would
/// have. `before`: the end that the account has.
pub fn ends_soon(fields: &Wishes, before: Option<&str>, now: Timestamp) -> bool {
    let moment = |text: &str| text.parse::<Timestamp>().ok();
    let Some(end) = fields.get(&Field::DeactivateAt).and_then(|end| moment(end.as_deref()?)) else {
        return false;
    };
    end.duration_since(now) <= SOON && before.and_then(moment).is_none_or(|before| end < before)
}

/// How one person's account differs from what the rules want, in words without values; nothing
/// when it is in step.
pub fn drift(desired: &Desired, account: Option<&Account>) -> Vec<String> {
    let usable = account.filter(|account| account.status != AccountStatus::Deleted);
    match (desired.active, usable) {
        (true, None) if account.is_some() => vec!["should be active".to_owned()],
        (true, None) => vec!["has no account".to_owned()],
        (false, Some(_)) => vec!["should be deactivated".to_owned()],
        (false, None) => Vec::new(),
        (true, Some(account)) => desired
            .fields
            .iter()
            .filter(|(field, value)| differs(desired, **field, value.as_ref(), account))
            .map(|(field, _)| format!("{} differs", field.word()))
            .collect(),
    }
}

fn differs(desired: &Desired, field: Field, wanted: Option<&String>, account: &Account) -> bool {
    match desired.strength(field) {
        Strength::Always => {}
        Strength::OnCreate => return false,
        Strength::IfEmpty => return wanted.is_some() && !account.fields.contains_key(&field),
    }
    // A user name that may bear a number is chosen once.
    if desired.number_username && field == Field::Username {
        return false;
    }
    // A sign-in name is never cleared.
    let kept = wanted.is_none() && matches!(field, Field::Email | Field::Username);
    !kept && account.fields.get(&field) != wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    #[test]
    fn an_end_that_is_near_is_a_deactivation() {
        let now: Timestamp = "2026-03-02T02:30:00Z".parse().unwrap();
        let kind = |end: Option<&str>, before: Option<&str>, status| {
            let fields = before.map(|before| (Field::DeactivateAt, before.to_owned()));
            let id = AccountId::new("a");
            let account = Account { id, status, fields: fields.into_iter().collect() };
            let wish = (Field::DeactivateAt, end.map(str::to_owned));
            let plan = Plan {
                account: Some(account.id.clone()),
                steps: vec![Change::Update([wish].into())],
            };
            gravest(&plan, Some(&account), now)
        };
        let (active, deleted) = (AccountStatus::Active, AccountStatus::Deleted);
        let (near, nearer, far) =
            ("2026-03-09T02:30:00Z", "2026-03-03T00:00:00Z", "2026-03-09T02:30:01Z");
        let (ends, update) = (Some(ChangeKind::Deactivate), Some(ChangeKind::Update));
        for (end, before, status, expected) in [
            (Some(near), None, active, ends),
            (Some(near), None, AccountStatus::Invited, ends),
            (Some(far), None, active, update),
            (Some(nearer), Some(near), active, ends),
            (Some(near), Some(far), active, ends),
            // Later than it would have been, or not at all any more.
            (Some(near), Some(nearer), active, update),
            (None, Some(near), active, update),
            (Some(near), None, deleted, update),
        ] {
            assert_eq!(kind(end, before, status), expected, "{end:?} {before:?}");
        }
    }

    #[test]
    fn drift_is_told_in_words() {
        let account = |status| Account {
            id: AccountId::new("a"),
            status,
            fields: [(Field::Email, "a@example.test".to_owned())].into(),
        };
        let desired = |active, job: Option<&str>| Desired {
            active,
            fields: [(Field::Job, job.map(str::to_owned)), (Field::Email, None)].into(),
            strengths: std::collections::BTreeMap::new(),
            external_id: "1".into(),
            ..Desired::default()
        };
        let (active, deleted) = (account(AccountStatus::Active), account(AccountStatus::Deleted));
        assert_eq!(drift(&desired(true, None), Some(&active)), [""; 0]);
        assert_eq!(drift(&desired(true, Some("Cook")), Some(&active)), ["job differs"]);
        assert_eq!(drift(&desired(true, None), Some(&deleted)), ["should be active"]);
        assert_eq!(drift(&desired(true, None), None), ["has no account"]);
        assert_eq!(drift(&desired(false, None), Some(&active)), ["should be deactivated"]);
        assert_eq!(drift(&desired(false, None), Some(&deleted)), [""; 0]);
    }
}

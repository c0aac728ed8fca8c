//! The plan: the fewest steps from the account as it is to the account as it should be.

use std::collections::BTreeMap;

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

/// Plans from what we last applied, without looking at the target. `None` when that is not known
/// well enough and the account has to be found first.
pub fn from_link(desired: &Desired, link: &Link, policy: &Policy) -> Option<Plan> {
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
            settle(status, differing, &is_empty, held, desired, policy)
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
    link: Option<&Link>,
    found: Option<(&Account, FoundBy)>,
    policy: &Policy,
) -> Result<Plan, NoIdentity> {
    let Some((account, by)) = found else {
        return if desired.active { create(desired, policy) } else { Ok(Plan::default()) };
    };
    let held = by == FoundBy::ExternalId
        || link.is_some_and(|link| link.external_id.as_deref() == Some(&desired.external_id));
    let put_back = link.and_then(|link| link.kept.clone()).map(Change::PutBack);
    let restoring = link.is_some_and(|link| link.restoring);
    let everything = || desired.fields.clone();
    let is_empty = |field: Field| !account.fields.contains_key(&field);
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
                return create(desired, policy);
            }
            let mut steps = vec![Change::Create { fields: identity, group: policy.group.clone() }];
            steps.extend(put_back);
            steps.extend(settle(
                AccountStatus::Invited,
                everything(),
                &is_empty,
                held,
                desired,
                policy,
            ));
            steps
        }
        (true, status) if restoring => {
            let mut steps = Vec::from_iter(put_back);
            steps.extend(settle(status, everything(), &is_empty, held, desired, policy));
            steps
        }
        (true, status) => {
            let differing = desired
                .fields
                .iter()
                .filter(|(field, value)| account.fields.get(field) != value.as_ref())
                .map(|(field, value)| (*field, value.clone()))
                .collect();
            settle(status, differing, &is_empty, held, desired, policy)
        }
    };
    Ok(Plan { account: Some(account.id.clone()), steps })
}

fn create(desired: &Desired, policy: &Policy) -> Result<Plan, NoIdentity> {
    let fields: BTreeMap<Field, String> =
        desired.fields.iter().filter_map(|(field, value)| Some((*field, value.clone()?))).collect();
    if !fields.contains_key(&Field::Email) && !fields.contains_key(&Field::Username) {
        return Err(NoIdentity);
    }
    let mut steps = vec![Change::Create { fields, group: policy.group.clone() }];
    steps.extend(settle(
        AccountStatus::Invited,
        BTreeMap::new(),
        &|_| true,
        false,
        desired,
        policy,
    ));
    Ok(Plan { account: None, steps })
}

/// The steps that every usable account needs.
fn settle(
    status: AccountStatus,
    mut differing: BTreeMap<Field, Option<String>>,
    is_empty: &dyn Fn(Field) -> bool,
    external_id_held: bool,
    desired: &Desired,
    policy: &Policy,
) -> Vec<Change> {
    // A sign-in name is never cleared: that would lock the person out.
    differing.retain(|field, value| {
        value.is_some() || !matches!(field, Field::Email | Field::Username | Field::Lang)
    });
    differing.retain(|field, value| match desired.strength(*field) {
        Strength::Always => true,
        Strength::OnCreate => false,
        Strength::IfEmpty => value.is_some() && is_empty(*field),
    });
    let mut steps = Vec::new();
    if !differing.is_empty() {
        steps.push(Change::Update(differing));
    }
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
        Change::SetManager { .. } => "manager".to_owned(),
        Change::Deactivate => "deactivate".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Intent, Kept};

    fn policy() -> Policy {
        Policy { activate: true, group: GroupId::new("g") }
    }

    fn desired(active: bool, fields: &[(Field, Option<&str>)]) -> Desired {
        Desired {
            active,
            fields: fields.iter().map(|(f, v)| (*f, v.map(str::to_owned))).collect(),
            strengths: BTreeMap::new(),
            external_id: "17".into(),
            ..Desired::default()
        }
    }

    fn account(status: AccountStatus) -> Account {
        let fields = [(Field::Email, "old@example.test".to_owned()), (Field::Job, "Cook".into())];
        Account { id: AccountId::new("a"), status, fields: fields.into() }
    }

    fn linked(status: AccountStatus) -> Link {
        let applied = [(Field::Email, Some("a@example.test".to_owned())), (Field::Job, None)];
        Link {
            account: Some(AccountId::new("a")),
            status: Some(status),
            applied: applied.into(),
            external_id: Some("17".into()),
            ..Link::default()
        }
    }

    #[test]
    fn an_unchanged_person_costs_no_step() {
        let same = desired(true, &[(Field::Email, Some("a@example.test")), (Field::Job, None)]);
        let plan = from_link(&same, &linked(AccountStatus::Active), &policy()).expect("known");
        assert_eq!(plan.steps, []);
        assert_eq!(plan.words(), "nothing to do");
    }

    #[test]
    fn a_changed_field_is_one_step_that_names_only_it() {
        let moved =
            desired(true, &[(Field::Email, Some("a@example.test")), (Field::Job, Some("Chef"))]);
        let plan = from_link(&moved, &linked(AccountStatus::Active), &policy()).expect("known");
        assert_eq!(plan.steps, [Change::Update([(Field::Job, Some("Chef".into()))].into())]);
        assert_eq!(plan.words(), "update job");
    }

    #[test]
    fn what_is_not_surely_known_is_looked_up() {
        let wanted = desired(true, &[]);
        let mut creating = linked(AccountStatus::Active);
        creating.creating =
            Some(Intent { email: None, username: None, at: jiff::Timestamp::UNIX_EPOCH });
        let mut restoring = linked(AccountStatus::Active);
        restoring.restoring = true;
        for link in [Link::default(), creating, restoring, linked(AccountStatus::Deleted)] {
            assert_eq!(from_link(&wanted, &link, &policy()), None, "{link:?}");
        }
    }

    #[test]
    fn a_newcomer_is_created_activated_and_claimed() {
        let wanted = desired(true, &[(Field::Email, Some("n@example.test")), (Field::Phone, None)]);
        let plan = from_account(&wanted, None, None, &policy()).expect("has a mail");
        assert_eq!(plan.words(), "create; activate; record the employee id");
        let Change::Create { fields, .. } = &plan.steps[0] else { panic!() };
        assert_eq!(fields.len(), 1, "empty fields are left out");
        assert_eq!(from_account(&desired(true, &[]), None, None, &policy()), Err(NoIdentity));
        assert_eq!(from_account(&desired(false, &[]), None, None, &policy()), Ok(Plan::default()));
    }

    #[test]
    fn a_rehire_is_restored_under_the_old_mail_and_gets_everything_back() {
        let wanted =
            desired(true, &[(Field::Email, Some("new@example.test")), (Field::Job, Some("Cook"))]);
        let kept = Kept { managers: vec![AccountId::new("m")], ..Kept::default() };
        let link = Link { kept: Some(kept.clone()), ..linked(AccountStatus::Deleted) };
        let account = account(AccountStatus::Deleted);
        let plan = from_account(&wanted, Some(&link), Some((&account, FoundBy::Link)), &policy())
            .expect("plans");
        let Change::Create { fields, .. } = &plan.steps[0] else { panic!("{plan:?}") };
        assert_eq!(fields[&Field::Email], "old@example.test");
        assert_eq!(plan.steps[1], Change::PutBack(kept));
        assert_eq!(
            plan.steps[2],
            Change::Update(wanted.fields.clone()),
            "all fields, changed or not"
        );
        assert_eq!(plan.steps[3], Change::Activate);
        assert_eq!(plan.steps.len(), 4);
    }

    #[test]
    fn an_interrupted_restore_is_finished() {
        let wanted = desired(true, &[(Field::Job, Some("Cook"))]);
        let link =
            Link { kept: Some(Kept::default()), restoring: true, ..linked(AccountStatus::Invited) };
        let account = account(AccountStatus::Active);
        let plan = from_account(&wanted, Some(&link), Some((&account, FoundBy::Link)), &policy())
            .expect("plans");
        assert_eq!(plan.words(), "put back groups, managers and custom fields; update job");
    }

    #[test]
    fn a_leaver_is_deactivated_once_and_a_sign_in_name_is_never_cleared() {
        let gone = desired(false, &[(Field::Job, Some("Chef"))]);
        let plan = from_link(&gone, &linked(AccountStatus::Active), &policy()).expect("known");
        assert_eq!(plan.steps, [Change::Deactivate]);
        let plan = from_link(&gone, &linked(AccountStatus::Deleted), &policy()).expect("known");
        assert_eq!(plan.steps, []);
        let nameless = desired(true, &[(Field::Email, None)]);
        let plan = from_link(&nameless, &linked(AccountStatus::Active), &policy()).expect("known");
        assert_eq!(plan.steps, []);
    }

    #[test]
    fn a_weak_field_is_written_once_or_only_where_nothing_stands() {
        let mut wanted = desired(true, &[(Field::Job, Some("Chef")), (Field::Phone, Some("+441"))]);
        let account = account(AccountStatus::Active);
        let found = Some((&account, FoundBy::ExternalId));
        let plan = |wanted: &Desired| from_account(wanted, None, found, &policy()).expect("plans");
        assert_eq!(plan(&wanted).words(), "update job, phone");
        wanted.strengths =
            [(Field::Job, Strength::IfEmpty), (Field::Phone, Strength::IfEmpty)].into();
        assert_eq!(plan(&wanted).words(), "update phone", "the job is taken");
        wanted.strengths =
            [(Field::Job, Strength::IfEmpty), (Field::Phone, Strength::OnCreate)].into();
        assert_eq!(plan(&wanted).words(), "nothing to do");
        let mut link = linked(AccountStatus::Active);
        let known = |link: &Link| from_link(&wanted, link, &policy()).expect("known").words();
        assert_eq!(known(&link), "update job", "it is known to be empty");
        link.applied.remove(&Field::Job);
        assert_eq!(known(&link), "nothing to do", "nothing is known of it");
        wanted.fields.insert(Field::Email, Some("n@example.test".into()));
        let made = from_account(&wanted, None, None, &policy()).expect("plans");
        let Change::Create { fields, .. } = &made.steps[0] else { panic!("{made:?}") };
        assert_eq!(fields.len(), 3, "a new account gets them all");
    }
}

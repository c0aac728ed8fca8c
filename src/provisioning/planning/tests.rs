//! Plans, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::resolving::{WantedGroup, WantedValue};
use super::*;
use crate::model::{Catalogue, CustomFieldId, GivenManager, Group, Intent, Kept, Role};

const LEARNER: &str = "learner";

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
    let plan = from_link(&same, &none(), &linked(AccountStatus::Active), &policy()).expect("known");
    assert_eq!(plan.steps, []);
    assert_eq!(plan.words(), "nothing to do");
}

#[test]
fn a_changed_field_is_one_step_that_names_only_it() {
    let moved =
        desired(true, &[(Field::Email, Some("a@example.test")), (Field::Job, Some("Chef"))]);
    let plan =
        from_link(&moved, &none(), &linked(AccountStatus::Active), &policy()).expect("known");
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
        assert_eq!(from_link(&wanted, &none(), &link, &policy()), None, "{link:?}");
    }
}

#[test]
fn a_newcomer_is_created_activated_and_claimed() {
    let wanted = desired(true, &[(Field::Email, Some("n@example.test")), (Field::Phone, None)]);
    let plan = from_account(&wanted, &none(), None, None, &policy()).expect("has a mail");
    assert_eq!(plan.words(), "create; activate; record the employee id");
    let Change::Create { fields, .. } = &plan.steps[0] else { panic!() };
    assert_eq!(fields.len(), 1, "empty fields are left out");
    assert_eq!(from_account(&desired(true, &[]), &none(), None, None, &policy()), Err(NoIdentity));
    assert_eq!(
        from_account(&desired(false, &[]), &none(), None, None, &policy()),
        Ok(Plan::default())
    );
}

#[test]
fn a_rehire_is_restored_under_the_old_mail_and_gets_everything_back() {
    let wanted =
        desired(true, &[(Field::Email, Some("new@example.test")), (Field::Job, Some("Cook"))]);
    let kept = Kept { managers: vec![AccountId::new("m")], ..Kept::default() };
    let link = Link { kept: Some(kept.clone()), ..linked(AccountStatus::Deleted) };
    let account = account(AccountStatus::Deleted);
    let plan =
        from_account(&wanted, &none(), Some(&link), Some((&account, FoundBy::Link)), &policy())
            .expect("plans");
    let Change::Create { fields, .. } = &plan.steps[0] else { panic!("{plan:?}") };
    assert_eq!(fields[&Field::Email], "old@example.test");
    assert_eq!(plan.steps[1], Change::PutBack(kept));
    assert_eq!(plan.steps[2], Change::Update(wanted.fields.clone()), "all fields, changed or not");
    assert_eq!(plan.steps[3], Change::Activate);
    assert_eq!(plan.steps.len(), 4);
}

#[test]
fn an_interrupted_restore_is_finished() {
    let wanted = desired(true, &[(Field::Job, Some("Cook"))]);
    let link =
        Link { kept: Some(Kept::default()), restoring: true, ..linked(AccountStatus::Invited) };
    let account = account(AccountStatus::Active);
    let plan =
        from_account(&wanted, &none(), Some(&link), Some((&account, FoundBy::Link)), &policy())
            .expect("plans");
    assert_eq!(plan.words(), "put back groups, managers and custom fields; update job");
}

#[test]
fn a_leaver_is_deactivated_once_and_a_sign_in_name_is_never_cleared() {
    let gone = desired(false, &[(Field::Job, Some("Chef"))]);
    let plan = from_link(&gone, &none(), &linked(AccountStatus::Active), &policy()).expect("known");
    assert_eq!(plan.steps, [Change::Deactivate]);
    let plan =
        from_link(&gone, &none(), &linked(AccountStatus::Deleted), &policy()).expect("known");
    assert_eq!(plan.steps, []);
    let nameless = desired(true, &[(Field::Email, None)]);
    let plan =
        from_link(&nameless, &none(), &linked(AccountStatus::Active), &policy()).expect("known");
    assert_eq!(plan.steps, []);
}

#[test]
fn a_weak_field_is_written_once_or_only_where_nothing_stands() {
    let mut wanted = desired(true, &[(Field::Job, Some("Chef")), (Field::Phone, Some("+441"))]);
    let account = account(AccountStatus::Active);
    let found = Some((&account, FoundBy::ExternalId));
    let plan =
        |wanted: &Desired| from_account(wanted, &none(), None, found, &policy()).expect("plans");
    assert_eq!(plan(&wanted).words(), "update job, phone");
    wanted.strengths = [(Field::Job, Strength::IfEmpty), (Field::Phone, Strength::IfEmpty)].into();
    assert_eq!(plan(&wanted).words(), "update phone", "the job is taken");
    wanted.strengths = [(Field::Job, Strength::IfEmpty), (Field::Phone, Strength::OnCreate)].into();
    assert_eq!(plan(&wanted).words(), "nothing to do");
    let mut link = linked(AccountStatus::Active);
    let known = |link: &Link| from_link(&wanted, &none(), link, &policy()).expect("known").words();
    assert_eq!(known(&link), "update job", "it is known to be empty");
    link.applied.remove(&Field::Job);
    assert_eq!(known(&link), "nothing to do", "nothing is known of it");
    wanted.fields.insert(Field::Email, Some("n@example.test".into()));
    let made = from_account(&wanted, &none(), None, None, &policy()).expect("plans");
    let Change::Create { fields, .. } = &made.steps[0] else { panic!("{made:?}") };
    assert_eq!(fields.len(), 3, "a new account gets them all");
}

fn group(id: &str, name: &str, parent: Option<&str>) -> Group {
    let (id, parent) = (GroupId::new(id), parent.map(GroupId::new));
    Group { id, name: name.to_owned(), parent, public: true }
}

fn none() -> Resolved {
    Resolved { groups_known: true, ..Resolved::default() }
}

/// Wants these groups (`~` before the name of one that must be made), this value and manager.
fn resolved(groups: &[&str], cost: Option<&str>, manager: Option<&str>) -> Resolved {
    let wanted = |name: &&str| {
        let (id, name) = match name.strip_prefix('~') {
            Some(name) => (None, name),
            None => (Some(GroupId::new(*name)), *name),
        };
        let path: Vec<String> = name.split('/').map(str::to_owned).collect();
        WantedGroup { id, exist: 1, path, role: LEARNER.to_owned() }
    };
    let value = WantedValue {
        value: cost.map(str::to_owned),
        strength: Strength::Always,
        on_bad: crate::model::OnBad::Refuse,
    };
    let given =
        |id: &str| GivenManager { key: format!("employee:{id}"), account: AccountId::new(id) };
    let catalogue = Catalogue {
        groups: vec![
            group("r", "R", None),
            group("old", "Old", Some("r")),
            group("old-team", "Team", Some("old")),
        ],
        custom_fields: Vec::new(),
    };
    Resolved {
        groups: groups.iter().map(wanted).collect(),
        groups_known: true,
        custom: [(CustomFieldId::new("cost"), value)].into(),
        manager: Some(manager.map(given)),
        catalogue: Arc::new(catalogue),
        ..Resolved::default()
    }
}

fn learner(group: &str) -> (GroupId, Role) {
    (GroupId::new(group), LEARNER.to_owned())
}

fn given(groups: &[&str], cost: Option<&str>, manager: Option<&str>) -> Link {
    let manager = resolved(&[], None, manager).manager.flatten();
    Link {
        groups: groups.iter().map(|group| learner(group)).collect(),
        custom: [(CustomFieldId::new("cost"), cost.map(str::to_owned))].into(),
        manager,
        ..linked(AccountStatus::Active)
    }
}

fn known(resolved: &Resolved, link: &Link) -> String {
    from_link(&desired(true, &[]), resolved, link, &policy()).expect("known").words()
}

#[test]
fn a_newcomer_gets_custom_fields_groups_and_the_manager() {
    let wanted = desired(true, &[(Field::Email, Some("n@example.test"))]);
    let resolved = resolved(&["sales", "~Teams/East/One"], Some("CC-1"), Some("boss"));
    let plan = from_account(&wanted, &resolved, None, None, &policy()).expect("has a mail");
    assert_eq!(
        plan.words(),
        "create; activate; record the employee id; custom fields; create group Teams/East; \
         create group Teams/East/One; add to sales as learner; add to Teams/East/One as \
         learner; manager"
    );
}

#[test]
fn only_what_a_rule_gave_is_taken_away() {
    let link = given(&["g", "old", "sales"], Some("CC-1"), Some("boss"));
    let same = resolved(&["sales", "old"], Some("CC-1"), Some("boss"));
    assert_eq!(known(&same, &link), "nothing to do", "everybody stays in the default group");
    let moved = resolved(&["east"], Some("CC-2"), Some("other"));
    let told = "custom fields; add to east as learner; remove from group old as learner; remove \
                from group sales as learner; manager";
    assert_eq!(known(&moved, &link), told);
    let unsure = Resolved { groups_known: false, ..moved };
    assert!(!known(&unsure, &link).contains("remove"), "{}", known(&unsure, &link));
    let nothing = Resolved { custom: BTreeMap::new(), manager: None, ..same };
    assert_eq!(known(&nothing, &link), "nothing to do", "what no rule names stays");
    assert_eq!(
        known(&resolved(&["sales", "old"], None, None), &link),
        "custom fields; remove the manager"
    );
}

#[test]
fn what_a_leave_takes_along_is_joined_again() {
    let link = given(&["old", "old-team"], None, None);
    let plan = known(&resolved(&["old-team"], None, None), &link);
    assert_eq!(plan, "remove from group old as learner; add to old-team as learner");
}

#[test]
fn a_restore_puts_back_what_is_still_wanted() {
    let wanted = desired(true, &[(Field::Job, Some("Cook"))]);
    let kept = Kept {
        roles: vec![learner("old"), learner("sales"), learner("by-hand")],
        managers: vec![AccountId::new("boss"), AccountId::new("mentor")],
        custom_values: vec![
            serde_json::json!({"customFieldId": "cost", "type": "string", "value": "CC-1"}),
        ],
        ..Kept::default()
    };
    let link = Link {
        kept: Some(kept),
        status: Some(AccountStatus::Deleted),
        ..given(&["old", "sales"], Some("CC-1"), Some("boss"))
    };
    let account = account(AccountStatus::Deleted);
    let plan = |resolved: &Resolved, link: &Link| {
        let found = Some((&account, FoundBy::Link));
        from_account(&wanted, resolved, Some(link), found, &policy()).expect("plans")
    };
    let moved = plan(&resolved(&["sales", "east"], Some("CC-1"), Some("other")), &link);
    let Change::PutBack(put) = &moved.steps[1] else { panic!("{moved:?}") };
    assert_eq!(put.roles, [learner("sales"), learner("by-hand")]);
    assert_eq!(put.managers, [AccountId::new("mentor")]);
    assert_eq!(
        moved.words(),
        "restore; put back groups, managers and custom fields; update job; activate; custom \
         fields; add to east as learner; manager"
    );
    // An on_create value that is put back stays; without anything kept all is written.
    let mut weak = resolved(&["sales"], Some("CC-9"), Some("boss"));
    for value in weak.custom.values_mut() {
        value.strength = Strength::OnCreate;
    }
    assert!(!plan(&weak, &link).words().contains("; custom fields"));
    let lost = Link { kept: None, ..link };
    assert_eq!(
        plan(&weak, &lost).words(),
        "restore; update job; activate; custom fields; add to sales as learner; manager"
    );
}

#[test]
fn a_weak_custom_field_is_written_where_it_is_known_to_be_empty() {
    let strength = |strength| {
        let mut resolved = resolved(&[], Some("CC-1"), None);
        resolved.custom.values_mut().for_each(|value| value.strength = strength);
        resolved
    };
    let (never_seen, cleared) = (linked(AccountStatus::Active), given(&[], None, None));
    for (how, link, told) in [
        (Strength::Always, &never_seen, "custom fields"),
        (Strength::OnCreate, &never_seen, "nothing to do"),
        (Strength::IfEmpty, &never_seen, "nothing to do"),
        (Strength::IfEmpty, &cleared, "custom fields"),
        (Strength::OnCreate, &cleared, "nothing to do"),
    ] {
        assert_eq!(known(&strength(how), link), told, "{how:?}");
    }
}

#[test]
fn a_numbered_user_name_is_chosen_once() {
    let wanted =
        Desired { number_username: true, ..desired(true, &[(Field::Username, Some("j.smith"))]) };
    let link = Link { username_number: Some(2), ..Link::default() };
    let plan = from_account(&wanted, &none(), Some(&link), None, &policy()).expect("plans");
    let Change::Create { fields, .. } = &plan.steps[0] else { panic!("{plan:?}") };
    assert_eq!(fields[&Field::Username], "j.smith2");
    let plan = from_link(&wanted, &none(), &linked(AccountStatus::Active), &policy());
    assert_eq!(plan.expect("known").words(), "nothing to do");
}

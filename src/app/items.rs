//! A plan item by item, for people and programs: what is added, changed and taken away, under names
//! instead of ids.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::preview::{Preview, Verdict};
use crate::model::story::{Item, Kind, Sign};
use crate::model::{AccountId, Change, CustomFieldId, Field, GroupId};
use crate::provisioning::planning::Plan;

/// What a plan comes to.
pub fn kind(plan: &Plan) -> Kind {
    match plan.steps.first() {
        None => Kind::Unchanged,
        Some(Change::Deactivate) => Kind::Deactivate,
        Some(_) => {
            let mut creates = plan.steps.iter().map(|step| matches!(step, Change::Create { .. }));
            match creates.any(|it| it) {
                false => Kind::Update,
                true if plan.account.is_some() => Kind::Restore,
                true => Kind::Create,
            }
        }
    }
}

/// The items of somebody's plan, in its order; none when there is no plan.
pub fn items(preview: &Preview) -> Vec<Item> {
    let Verdict::Planned { plan, .. } = &preview.verdict else { return Vec::new() };
    let mut items = Vec::new();
    let mut empty = false;
    for step in &plan.steps {
        empty = empty || (matches!(step, Change::Create { .. }) && plan.account.is_none());
        items.extend(of_step(preview, step, empty));
    }
    items
}

/// `empty`: the account is new, so that it had nothing before.
fn of_step(preview: &Preview, step: &Change, empty: bool) -> Vec<Item> {
    match step {
        Change::Create { fields, group } => {
            let mut items: Vec<Item> =
                fields.iter().map(|(field, value)| add(field.word(), value.clone())).collect();
            items.push(add("group", format!("{} as learner", group_name(preview, group, &[]))));
            items
        }
        Change::Activate => vec![add("status", "active".to_owned())],
        Change::Update(fields) => fields
            .iter()
            .map(|(field, value)| {
                change(field.word(), before(preview, *field, empty), value.as_ref())
            })
            .collect(),
        Change::ClaimExternalId(id) => vec![add("external_id", id.clone())],
        Change::MakeGroup { path } => vec![add("new group", path.join("/"))],
        Change::Join { group, path, role } => {
            let name = match group {
                Some(group) => group_name(preview, group, path),
                None => path.join("/"),
            };
            vec![add("group", format!("{name} as {role}"))]
        }
        Change::Leave { group, role } => {
            vec![take("group", format!("{} as {role}", group_name(preview, group, &[])))]
        }
        Change::SetCustom(values) => values
            .iter()
            .map(|(field, value)| {
                let name = preview.catalogue.custom_fields.iter().find(|it| it.id == *field);
                let name = name.map_or_else(|| field.to_string(), |it| it.name.clone());
                change(&name, custom_before(preview, field, empty), value.as_ref())
            })
            .collect(),
        Change::SetManager { add: to, remove } => manager(preview, to.as_ref(), remove.as_ref()),
        Change::PutBack(kept) => kept
            .roles
            .iter()
            .map(|(group, role)| {
                add("group", format!("{} as {role} (put back)", group_name(preview, group, &[])))
            })
            .chain(custom_put_back(kept.custom_values.len()))
            .chain(
                kept.managers
                    .iter()
                    .map(|id| add("manager", format!("{} (put back)", manager_name(preview, id)))),
            )
            .collect(),
        Change::Deactivate => vec![take("status", "active".to_owned())],
    }
}

fn custom_put_back(values: usize) -> Option<Item> {
    (values > 0).then(|| add("custom fields", format!("{values} (put back)")))
}

fn add(what: &str, value: String) -> Item {
    Item { sign: Sign::Add, what: what.to_owned(), before: None, after: Some(value.into()) }
}

fn take(what: &str, value: String) -> Item {
    Item { sign: Sign::Take, what: what.to_owned(), before: Some(value.into()), after: None }
}

fn change(what: &str, before: Option<Value>, after: Option<&String>) -> Item {
    let after = Some(Value::from(after.cloned()));
    Item { sign: Sign::Change, what: what.to_owned(), before, after }
}

/// What a field was: as the account shows it, or else as we last applied it.
fn before(preview: &Preview, field: Field, empty: bool) -> Option<Value> {
    if empty {
        return Some(Value::Null);
    }
    if let Some(account) = &preview.account {
        return Some(account.fields.get(&field).cloned().into());
    }
    Some(preview.link.as_ref()?.applied.get(&field)?.clone().into())
}

/// The same for a custom field.
fn custom_before(preview: &Preview, field: &CustomFieldId, empty: bool) -> Option<Value> {
    if empty {
        return Some(Value::Null);
    }
    if let Some(had) = &preview.belongings {
        let held = had.custom_values.iter().find(|it| it["customFieldId"] == field.as_str());
        return Some(held.map_or(Value::Null, |held| held["value"].clone()));
    }
    Some(preview.link.as_ref()?.custom.get(field)?.clone().into())
}

fn manager(preview: &Preview, add: Option<&AccountId>, remove: Option<&AccountId>) -> Vec<Item> {
    let named = |id: &AccountId| manager_name(preview, id);
    let what = "manager".to_owned();
    let sign = match (add, remove) {
        (Some(_), Some(_)) => Sign::Change,
        (Some(_), None) => Sign::Add,
        (None, Some(_)) => Sign::Take,
        (None, None) => return Vec::new(),
    };
    let (before, after) = (remove.map(|id| named(id).into()), add.map(|id| named(id).into()));
    vec![Item { sign, what, before, after }]
}

/// A manager's account for people.
pub fn manager_name(preview: &Preview, id: &AccountId) -> String {
    preview.managers.get(id).cloned().unwrap_or_else(|| format!("account {id}"))
}

/// A group for people: its path, or else its id.
pub fn group_name(preview: &Preview, group: &GroupId, path: &[String]) -> String {
    let known = preview.catalogue.path(group);
    let path = if known.is_empty() { path } else { &known };
    if path.is_empty() { group.to_string() } else { path.join("/") }
}

/// How many people would get which change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Accounts that are made.
    pub create: usize,
    /// Accounts that change.
    pub update: usize,
    /// Accounts that are deactivated.
    pub deactivate: usize,
    /// Deactivated accounts that come back.
    pub restore: usize,
    /// Groups that are made, each once, whoever is the first to need it.
    pub new_groups: BTreeSet<String>,
    /// Memberships that are given.
    pub joins: usize,
    /// Memberships that are taken away.
    pub leaves: usize,
    /// People whose account is as it should be, or stays as it is.
    pub unchanged: usize,
    /// People who are not synchronised.
    pub out_of_scope: usize,
    /// People whose account is protected, or whom a human chose to leave alone.
    pub left_alone: usize,
    /// People whom a human should look at, by why.
    pub look: BTreeMap<&'static str, usize>,
}

impl Totals {
    /// Counts one person.
    pub fn count(&mut self, preview: &Preview) {
        match &preview.verdict {
            Verdict::OutOfScope { .. } => self.out_of_scope += 1,
            Verdict::AsItIs(_) => self.unchanged += 1,
            Verdict::NotShown => self.look("not shown"),
            Verdict::Unknown { .. } => self.look("cannot be judged"),
            Verdict::Refused { .. } => self.look("refused"),
            Verdict::Disputed(_) => self.look("disputed"),
            Verdict::LeftAlone(_) => self.left_alone += 1,
            Verdict::Planned { plan, .. } => {
                *match kind(plan) {
                    Kind::Create => &mut self.create,
                    Kind::Restore => &mut self.restore,
                    Kind::Update => &mut self.update,
                    Kind::Deactivate => &mut self.deactivate,
                    Kind::Unchanged => &mut self.unchanged,
                } += 1;
                self.new_groups.extend(plan.steps.iter().filter_map(|step| match step {
                    Change::MakeGroup { path } => Some(path.join("/")),
                    _ => None,
                }));
                let count = |of: fn(&Change) -> bool| plan.steps.iter().filter(|it| of(it)).count();
                self.joins += count(|step| matches!(step, Change::Join { .. }));
                self.leaves += count(|step| matches!(step, Change::Leave { .. }));
            }
        }
    }

    fn look(&mut self, why: &'static str) {
        *self.look.entry(why).or_default() += 1;
    }
}

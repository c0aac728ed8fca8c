//! What an account should hold: fields, custom fields, groups and the manager, from the rules.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use minijinja::Value;
use minijinja::value::ValueKind;

use super::compile::Rule;
use super::complaints::Complaints;
use super::days;
use super::person::{NoResult, Person, text};
use crate::model::{
    CustomWish, Desired, EmployeeId, Field, ManagerKey, Membership, OnBad, Role, Strength,
};
use crate::provisioning::{filters, language};

/// The rules that say so.
pub(super) struct AccountRules {
    pub(super) fields: Vec<(Field, Holding)>,
    /// By the field's name in the target.
    pub(super) custom: Vec<(String, Holding)>,
    pub(super) groups: Vec<GroupRule>,
    pub(super) manager: Option<Rule>,
    pub(super) number_username: bool,
}

/// What one field holds.
pub(super) struct Holding {
    pub(super) rule: Rule,
    pub(super) write: Strength,
    pub(super) on_bad: OnBad,
}

/// Who is in which group.
pub(super) struct GroupRule {
    pub(super) name: String,
    pub(super) when: Option<Rule>,
    pub(super) path: Rule,
    pub(super) role: Role,
    pub(super) create: bool,
}

/// What a group rule gives somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// This group.
    Group(Vec<String>),
    /// No group: it is not for this person.
    NotMeant,
    /// No group: the path, or a name in it, is empty.
    NoName,
}

/// A value that a field cannot hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Nothing is given where something must stand: the field is left alone.
    Nothing(&'static str),
    /// It is wrong.
    Bad(String),
}

impl From<&str> for Unfit {
    fn from(why: &str) -> Self {
        Self::Bad(why.to_owned())
    }
}

impl Unfit {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Nothing(why) => why,
            Self::Bad(why) => why,
        }
    }
}

impl AccountRules {
    /// Fills in what the account of somebody should hold. `zone` is asked where a day is given and a
    /// moment is needed. What cannot be used is complained of.
    pub(super) fn fill(
        &self,
        person: &Person<'_>,
        zone: &dyn Fn() -> Result<TimeZone, NoResult>,
        desired: &mut Desired,
        complaints: &mut Complaints,
    ) {
        let mut strengths = BTreeMap::new();
        for (field, holding) in &self.fields {
            if holding.write != Strength::Always {
                strengths.insert(*field, holding.write);
            }
            let result = person.text(&holding.rule).map(|text| settle(*field, text, person, zone));
            match result {
                Ok(Ok(value)) => {
                    desired.fields.insert(*field, value);
                }
                Ok(Err(Unfit::Nothing(why))) => complaints.left_alone(field.word(), why),
                Ok(Err(Unfit::Bad(why))) => complaints.bad(field.word(), holding, &why),
                Err(no) => complaints.no_field(field.word(), holding, &no),
            }
        }
        desired.strengths = strengths;
        desired.number_username = self.number_username;
        // Whoever is deactivated keeps the rest as it is.
        if !desired.active {
            desired.groups_certain = self.groups.is_empty();
            return;
        }
        for (name, holding) in &self.custom {
            match person.text(&holding.rule) {
                Ok(value) => {
                    let (strength, on_bad) = (holding.write, holding.on_bad);
                    desired.custom.insert(name.clone(), CustomWish { value, strength, on_bad });
                }
                Err(no) => complaints.no_field(&format!("custom field {name}"), holding, &no),
            }
        }
        for group in &self.groups {
            match group.give(person) {
                Ok(Given::Group(path)) => join(&mut desired.groups, group, path),
                Ok(Given::NotMeant | Given::NoName) => {}
                Err((rule, no)) => {
                    desired.groups_certain = false;
                    complaints.no_result(&format!("group rule {}", group.name), rule, &no);
                }
            }
        }
        if let Some(rule) = &self.manager {
            match person.text(rule) {
                Ok(key) => desired.manager = Some(key.map(manager)),
                Err(no) => complaints.no_result("manager", rule, &no),
            }
        }
    }

    /// Every rule, in the order in which people are shown them.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        let fields = self.fields.iter().map(|(_, holding)| &holding.rule);
        let custom = self.custom.iter().map(|(_, holding)| &holding.rule);
        let groups = self.groups.iter().flat_map(|group| group.when.iter().chain([&group.path]));
        fields.chain(custom).chain(groups).chain(&self.manager)
    }
}

impl GroupRule {
    /// What it gives somebody; or the rule that has no result, and why.
    pub(super) fn give(&self, person: &Person<'_>) -> Result<Given, (&Rule, NoResult)> {
        if let Some(when) = &self.when
            && !person.holds(when).map_err(|no| (when, no))?
        {
            return Ok(Given::NotMeant);
        }
        let value = person.result(&self.path).map_err(|no| (&self.path, no))?;
        let path = path(&value).map_err(|no| {
            let of_a_name = no == NoResult::Missing(Vec::new());
            let no = if of_a_name { NoResult::Missing(person.missing(&self.path)) } else { no };
            (&self.path, no)
        })?;
        Ok(path.map_or(Given::NoName, Given::Group))
    }
}

/// The names of a path; `None` when it, or one of them, is empty.
pub(super) fn path(value: &Value) -> Result<Option<Vec<String>>, NoResult> {
    let names: Vec<Option<String>> = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let names = value.try_iter().map_err(|_| NoResult::Failed("no list".to_owned()))?;
            names.map(|name| text(&name)).collect::<Result<_, _>>()?
        }
        _ => {
            let path = text(value)?.unwrap_or_default();
            path.split('/').map(|name| Some(name.trim().to_owned())).collect()
        }
    };
    let names: Option<Vec<String>> =
        names.into_iter().map(|name| name.filter(|name| !name.is_empty())).collect();
    Ok(names.filter(|names| !names.is_empty()))
}

/// Adds a membership; one that two rules give is one, and is made when either makes it.
fn join(groups: &mut Vec<Membership>, given_by: &GroupRule, path: Vec<String>) {
    let (role, create) = (given_by.role.clone(), given_by.create);
    if let Some(same) = groups.iter_mut().find(|it| it.path == path && it.role == role) {
        same.create |= create;
    } else {
        groups.push(Membership { path, role, create });
    }
}

fn manager(key: String) -> ManagerKey {
    if key.contains('@') {
        ManagerKey::Email(key)
    } else {
        ManagerKey::Employee(EmployeeId::new(key))
    }
}

/// What a field can hold: languages are reduced to the target's codes and are never cleared, mails
/// look like mails, and a deactivation lies in the future.
pub(super) fn settle(
    field: Field,
    value: Option<String>,
    person: &Person<'_>,
    zone: &dyn Fn() -> Result<TimeZone, NoResult>,
) -> Result<Option<String>, Unfit> {
    let Some(value) = value else {
        return match field {
            Field::Lang => Err(Unfit::Nothing("no language is given, and it cannot be cleared")),
            _ => Ok(None),
        };
    };
    match field {
        Field::Lang => match language::code(&value) {
            Some(code) => Ok(Some(code.to_owned())),
            None => Err("360Learning does not know this language".into()),
        },
        Field::Email => {
            filters::email::check(&value)?;
            Ok(Some(value))
        }
        Field::DeactivateAt => {
            let zone = || zone().map_err(|no| format!("its time zone is not known: {}", no.why()));
            let end = days::end(&value, zone).map_err(Unfit::Bad)?;
            Ok(end.filter(|end| *end > person.now).map(|end| end.to_string()))
        }
        _ => Ok(Some(value)),
    }
}

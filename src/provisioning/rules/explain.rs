//! Why somebody's account should be as it should: each rule with what it saw and what it gave.

use jiff::Timestamp;
use minijinja::Value;
use serde::Serialize;

use super::account::{Given, Holding, settle};
use super::compile::Rule;
use super::person::{Person, text};
use super::{Decision, Rules};
use crate::model::{Appointment, Miss, OnBad, Record, Role, Seen, Strength};

/// What the rules say about one record at one moment, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// What is to be, and which rule says so.
    pub conclusion: Conclusion,
    /// When that will change, though nobody changes anything.
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub misses: Vec<Miss>,
    /// Every rule, in the order in which they are judged.
    pub rules: Vec<Explained>,
}

/// What is to be, and which rule says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// What.
    pub says: Says,
    /// The rule: `rules.leaver.end_date`; none when it follows from the values of several.
    pub rule: Option<String>,
    /// More, in a sentence without values, where there is more to say.
    pub why: Option<String>,
}

/// What is to be of somebody's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It can be used.
    Active,
    /// It cannot be used.
    Inactive,
    /// It stays as it is until the appointment.
    AsItIs,
    /// The person is not synchronised.
    OutOfScope,
    /// It cannot be said.
    Unknown,
    /// A value stands in the way.
    Refused,
}

/// One rule on one record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Which: `rules.active`.
    pub rule: String,
    /// Its text.
    pub expression: String,
    /// The fields that it reads, and what the record says of each.
    pub inputs: Vec<(String, Input)>,
    /// What it gives, or why it gives nothing.
    pub result: Result<serde_json::Value, String>,
    /// What it is for.
    pub part: Part,
    /// Why what it gives is not used, or is used otherwise than it stands there.
    pub remark: Option<String>,
}

/// What a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Whether the person is synchronised.
    Scope,
    /// Whether the account can be used, and from when until when.
    Status,
    /// The id under which the target shall know the person.
    ExternalId,
    /// What a field holds.
    Field {
        /// `always`, `on_create`, `if_empty`
        write: &'static str,
        /// `refuse`, `skip`
        on_bad: &'static str,
    },
    /// What a custom field holds.
    CustomField {
        /// Its name in the target.
        name: String,
        /// `always`, `on_create`, `if_empty`
        write: &'static str,
        /// `refuse`, `skip`
        on_bad: &'static str,
    },
    /// For whom a group is.
    GroupWhen {
        /// The group rule's name.
        name: String,
    },
    /// Which group it is.
    Group {
        /// The group rule's name.
        name: String,
        /// The role in the group.
        role: Role,
        /// The names from below the root, when the rule gives the person one.
        path: Option<Vec<String>>,
    },
    /// Who the manager is.
    Manager,
}

/// What a record says of a field that a rule reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// This.
    Value(serde_json::Value),
    /// It is empty.
    Empty,
    /// Nothing: not permitted, misspelt or left out.
    Missing,
}

impl From<Seen<'_>> for Input {
    fn from(seen: Seen<'_>) -> Self {
        match seen {
            Seen::Value(value) => Self::Value(value.clone()),
            Seen::Empty => Self::Empty,
            Seen::Missing => Self::Missing,
        }
    }
}

impl Rules {
    /// What each rule says of a record, and from which values: for a person who wants to know why.
    pub fn explain(&self, record: &Record, now: Timestamp) -> Explanation {
        let ruling = self.decide(record, now);
        let person = Person::new(&self.env, record, now);
        let plain = |rule: &Rule, part: Part| explained(&person, rule, part, &|_| None);
        let mut rules: Vec<Explained> =
            self.scope.iter().map(|rule| plain(rule, Part::Scope)).collect();
        rules.extend(self.status.rules().map(|rule| plain(rule, Part::Status)));
        rules.push(plain(&self.external_id, Part::ExternalId));
        let zone = || self.status.zone(&person);
        for (field, holding) in &self.account.fields {
            let (write, on_bad) = words(holding);
            let remark = |value: &Value| match text(value) {
                Err(no) => Some(no.why()),
                Ok(text) => match settle(*field, text.clone(), &person, &zone) {
                    Err(unfit) => Some(unfit.why().to_owned()),
                    Ok(None) if text.is_some() => Some("it becomes empty".to_owned()),
                    Ok(Some(settled)) if text.as_ref() != Some(&settled) => {
                        Some(format!("it becomes {settled}"))
                    }
                    Ok(_) => None,
                },
            };
            rules.push(explained(&person, &holding.rule, Part::Field { write, on_bad }, &remark));
        }
        let not_a_text = |value: &Value| text(value).err().map(|no| no.why());
        for (name, holding) in &self.account.custom {
            let (write, on_bad) = words(holding);
            let part = Part::CustomField { name: name.clone(), write, on_bad };
            rules.push(explained(&person, &holding.rule, part, &not_a_text));
        }
        for group in &self.account.groups {
            let name = || group.name.clone();
            rules.extend(
                group.when.iter().map(|rule| plain(rule, Part::GroupWhen { name: name() })),
            );
            let (path, remark) = match group.give(&person) {
                Ok(Given::Group(path)) => (Some(path), None),
                Ok(Given::NotMeant) => (None, Some("the group is not for this person")),
                Ok(Given::NoName) => (None, Some("no group: the path, or a name in it, is empty")),
                Err(_) => (None, Some("nobody leaves a group while this is not known")),
            };
            let part = Part::Group { name: name(), role: group.role.clone(), path };
            let mut explained = plain(&group.path, part);
            explained.remark = remark.map(str::to_owned);
            rules.push(explained);
        }
        let manager = self.account.manager.iter();
        rules.extend(manager.map(|rule| explained(&person, rule, Part::Manager, &not_a_text)));
        let conclusion = self.conclusion(&person, ruling.decision);
        Explanation { conclusion, appointment: ruling.appointment, misses: ruling.misses, rules }
    }

    fn conclusion(&self, person: &Person<'_>, decision: Decision) -> Conclusion {
        let judged = self.status.judge(person).ok();
        let by = judged.as_ref().map(|judged| judged.by.clone());
        let (says, rule, why) = match decision {
            Decision::OutOfScope { filter, .. } => (Says::OutOfScope, Some(filter), None),
            Decision::Unknown { rule, missing } => {
                let lacks = format!("HiBob's answer lacks {}", missing.join(", "));
                (Says::Unknown, Some(rule), (!missing.is_empty()).then_some(lacks))
            }
            Decision::AsItIs { why } => (Says::AsItIs, by, Some(why)),
            Decision::Refused { reason, .. } => (Says::Refused, None, Some(reason)),
            Decision::Wanted { desired, .. } => {
                (if desired.active { Says::Active } else { Says::Inactive }, by, None)
            }
        };
        Conclusion { says, rule, why }
    }
}

fn explained(
    person: &Person<'_>,
    rule: &Rule,
    part: Part,
    remark: &dyn Fn(&Value) -> Option<String>,
) -> Explained {
    let input = |field: &String| (field.clone(), person.record.see(field).into());
    let result = person.result(rule);
    Explained {
        rule: rule.key.clone(),
        expression: rule.text.clone(),
        inputs: rule.uses.iter().map(input).collect(),
        remark: result.as_ref().ok().and_then(remark),
        result: result
            .map(|value| serde_json::to_value(&value).unwrap_or_default())
            .map_err(|no| no.why()),
        part,
    }
}

/// When a field is written, and what follows from a value that cannot be used.
fn words(holding: &Holding) -> (&'static str, &'static str) {
    let write = match holding.write {
        Strength::Always => "always",
        Strength::OnCreate => "on_create",
        Strength::IfEmpty => "if_empty",
    };
    let on_bad = match holding.on_bad {
        OnBad::Refuse => "refuse",
        OnBad::Skip => "skip",
    };
    (write, on_bad)
}

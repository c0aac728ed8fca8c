//! Why somebody's account should be as it should: each rule with what it saw and what it gave.

use jiff::Timestamp;
use minijinja::Value;

use super::account::{Given, Holding, settle};
use super::compile::Rule;
use super::person::{Person, text};
use super::{Decision, Rules};
use crate::model::explanation::{Conclusion, Explained, Explanation, Part, Says};
use crate::model::{OnBad, Record, Strength};

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

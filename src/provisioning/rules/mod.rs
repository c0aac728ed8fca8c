//! The rules: expressions over the employee record, compiled once.
//!
//! An expression sees the record's fields by their HiBob ids (`work.site`, `root.email`, or `email`
//! for short) and the labels of list values under `label` (`label.work.title`). A field that is
//! missing from the record is not the same as an empty one: an expression that needs it has no
//! result, and nobody is judged by it.

mod compile;
mod context;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use self::compile::compile;
use self::context::Context;
use super::{filters, language};
use jiff::Timestamp;

use crate::config::{Expression, OutOfScope, RuleSettings};
use crate::model::{Appointment, Desired, Field, Miss, Needs, Record, Seen, Strength};

/// How many steps one evaluation may take.
const FUEL: u64 = 10_000;

/// Compiled rules.
pub struct Rules {
    env: Environment<'static>,
    /// All must hold; the first that does not is named.
    scope: Vec<Rule>,
    out_of_scope: OutOfScope,
    active: Rule,
    external_id: Rule,
    fields: BTreeMap<Field, Rule>,
    strengths: BTreeMap<Field, Strength>,
    version: String,
}

struct Rule {
    key: String,
    text: String,
    /// The HiBob ids of the fields it reads.
    uses: BTreeSet<String>,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// Whose: `rules.active`.
    pub key: String,
    /// Where in the expression's text, in bytes, when known.
    pub range: Option<Range<usize>>,
    /// What, and what to do.
    pub message: String,
}

/// What the rules say about one record at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What is to be.
    pub decision: Decision,
    /// When that will change, though nobody changes anything.
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub misses: Vec<Miss>,
}

/// What is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The person is not synchronised.
    OutOfScope {
        /// Which filter said no: `rules.filters.no_contractors`.
        filter: String,
        /// Whether an account that is known to be theirs shall be deactivated.
        deactivate: bool,
    },
    /// A rule that decides over the person cannot be judged.
    Unknown {
        /// Which rule.
        rule: String,
        /// Which fields of the record were missing; empty when the rule failed otherwise.
        missing: Vec<String>,
    },
    /// The account stays as it is until the appointment: not yet begun, or leaving with grace.
    AsItIs {
        /// Which rule says so, and by which date.
        why: String,
    },
    /// A value cannot be used, and nothing is applied until a human has acted.
    Refused {
        /// The cause, by which failures are grouped: `unmapped`, `badValue`.
        code: &'static str,
        /// Which rule, what is wrong with the value (without the value), and what to do.
        reason: String,
    },
    /// The account should be like this.
    Wanted {
        /// The account.
        desired: Desired,
        /// Fields that were left alone, and why.
        remarks: Vec<String>,
    },
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

/// Why an expression has no result.
enum NoResult {
    Missing(Vec<String>),
    Failed(String),
}

impl Rules {
    /// Compiles all expressions.
    ///
    /// # Errors
    /// Every expression that does not compile, with its place.
    pub fn compile(settings: &RuleSettings) -> Result<Self, Vec<RuleProblem>> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(64);
        filters::register(&mut env);
        let mut problems = Vec::new();
        let mut compile = |expression: &Expression| {
            compile(&env, expression).map_err(|found| problems.extend(found)).ok()
        };
        let filters = std::iter::once(&settings.in_scope).chain(&settings.filters);
        let scope: Vec<Rule> = filters.filter_map(&mut compile).collect();
        let active = compile(&settings.active);
        let external_id = compile(&settings.external_id);
        let mut fields = BTreeMap::new();
        for (field, rule) in &settings.fields {
            fields.extend(compile(&rule.value).map(|rule| (*field, rule)));
        }
        let out_of_scope = settings.out_of_scope;
        match (active, external_id) {
            (Some(active), Some(external_id)) if problems.is_empty() => {
                let written = settings.fields.iter().map(|(field, rule)| (*field, rule.write));
                let strengths =
                    written.filter(|(_, strength)| *strength != Strength::Always).collect();
                let version = settings.version.clone();
                let decide = Self {
                    env,
                    scope,
                    out_of_scope,
                    active,
                    external_id,
                    fields,
                    strengths,
                    version,
                };
                Ok(decide)
            }
            _ => Err(problems),
        }
    }

    /// The HiBob ids of all fields that some rule reads: what is to be asked for, nothing more.
    pub fn reads(&self) -> Vec<String> {
        let mut all: BTreeSet<&String> = BTreeSet::new();
        for rule in self.deciding() {
            all.extend(&rule.uses);
        }
        all.extend(self.fields.values().flat_map(|rule| &rule.uses));
        all.into_iter().cloned().collect()
    }

    /// The rules without which nothing can be said of anybody.
    fn deciding(&self) -> impl Iterator<Item = &Rule> {
        self.scope.iter().chain([&self.active, &self.external_id])
    }

    /// Names what the rules say, tables included.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the rules need to know of the target besides accounts.
    pub fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Decides about one record at this moment.
    pub fn decide(&self, record: &Record, _now: Timestamp) -> Ruling {
        Ruling { decision: self.decision(record), appointment: None, misses: Vec::new() }
    }

    fn decision(&self, record: &Record) -> Decision {
        let context = Value::from_object(Context::new(record));
        let judge = |rule: &Rule| self.result(rule, record, &context);
        let unknown = |rule: &Rule, no: NoResult| Decision::Unknown {
            rule: rule.key.clone(),
            missing: match no {
                NoResult::Missing(fields) => fields,
                NoResult::Failed(_) => Vec::new(),
            },
        };
        for filter in &self.scope {
            match judge(filter) {
                Ok(verdict) if verdict.is_true() => {}
                Ok(_) => {
                    let deactivate = self.out_of_scope == OutOfScope::Deactivate;
                    return Decision::OutOfScope { filter: filter.key.clone(), deactivate };
                }
                Err(no) => return unknown(filter, no),
            }
        }
        let active = match judge(&self.active) {
            Ok(verdict) => verdict.is_true(),
            Err(no) => return unknown(&self.active, no),
        };
        let external_id = match judge(&self.external_id).map(|value| text(&value)) {
            Ok(Ok(Some(id))) => id,
            Ok(_) => return unknown(&self.external_id, NoResult::Missing(Vec::new())),
            Err(no) => return unknown(&self.external_id, no),
        };
        let mut remarks = Vec::new();
        let mut fields = BTreeMap::new();
        for (&field, rule) in &self.fields {
            let why = match judge(rule) {
                Ok(value) => match text(&value).and_then(|text| settle(field, text)) {
                    Ok(value) => {
                        fields.insert(field, value);
                        continue;
                    }
                    Err(why) => why,
                },
                Err(NoResult::Missing(missing)) => {
                    format!("HiBob's answer lacks {}", missing.join(", "))
                }
                Err(NoResult::Failed(why)) => why,
            };
            remarks.push(format!("{} left alone: {why}", field.word()));
        }
        let strengths = self.strengths.clone();
        let desired = Desired { active, fields, strengths, external_id, ..Desired::default() };
        Decision::Wanted { desired, remarks }
    }

    /// What each rule says of a record, and from which values: for a person who wants to know why.
    pub fn explain(&self, record: &Record) -> Vec<Explained> {
        let context = Value::from_object(Context::new(record));
        let explain = |rule: &Rule| Explained {
            rule: rule.key.clone(),
            expression: rule.text.clone(),
            inputs: rule
                .uses
                .iter()
                .map(|field| (field.clone(), record.see(field).into()))
                .collect(),
            result: self.result(rule, record, &context).map(|value| shown(&value)).map_err(|no| {
                match no {
                    NoResult::Missing(fields) => {
                        format!("HiBob's answer lacks {}", fields.join(", "))
                    }
                    NoResult::Failed(why) => why,
                }
            }),
        };
        self.deciding().chain(self.fields.values()).map(explain).collect()
    }

    fn result(&self, rule: &Rule, record: &Record, context: &Value) -> Result<Value, NoResult> {
        let missing = || -> Vec<String> {
            rule.uses.iter().filter(|field| record.see(field) == Seen::Missing).cloned().collect()
        };
        let result = self
            .env
            .compile_expression_owned(rule.text.clone())
            .and_then(|expression| expression.eval(context.clone()));
        match result {
            Ok(value) if value.is_undefined() => Err(NoResult::Missing(missing())),
            Ok(value) => Ok(value),
            Err(error) if error.kind() == ErrorKind::UndefinedError && !missing().is_empty() => {
                Err(NoResult::Missing(missing()))
            }
            // The detail of an error can hold values of the record; a filter's own words and the
            // kind of an error cannot.
            Err(error) => Err(NoResult::Failed(
                filters::reason(&error)
                    .unwrap_or_else(|| format!("the rule failed ({})", error.kind())),
            )),
        }
    }
}

/// A result for a person to see.
fn shown(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

/// A value as text for the target: trimmed, `None` when it is empty.
fn text(value: &Value) -> Result<Option<String>, String> {
    let text = match value.kind() {
        ValueKind::None => return Ok(None),
        ValueKind::String | ValueKind::Number | ValueKind::Bool => value.to_string(),
        other => return Err(format!("the rule gives a {other}, not a text")),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// What a field can hold: languages are reduced to the target's codes and are never cleared.
fn settle(field: Field, value: Option<String>) -> Result<Option<String>, String> {
    match (field, value) {
        (Field::Lang, Some(tag)) => language::code(&tag)
            .map(|code| Some(code.to_owned()))
            .ok_or_else(|| "360Learning does not know this language".to_owned()),
        (Field::Lang, None) => Err("no language is given, and it cannot be cleared".to_owned()),
        (_, value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::FieldRule;
    use crate::model::OnBad;

    fn settings(in_scope: &str, active: &str, fields: &[(&str, &str)]) -> RuleSettings {
        let expression =
            |key: &str, text: &str| Expression { key: key.into(), text: text.into(), at: 0 };
        let strengths = [(Field::Lang, Strength::OnCreate), (Field::Phone, Strength::IfEmpty)];
        let strengths = BTreeMap::from(strengths);
        let rule = |(name, text): &(&str, &str)| {
            let field = Field::ALL.into_iter().find(|field| field.word() == *name)?;
            let value = expression(&format!("rules.fields.{name}"), text);
            let write = strengths.get(&field).copied().unwrap_or_default();
            Some((field, FieldRule { value, write, on_bad: OnBad::Refuse }))
        };
        RuleSettings {
            filters: vec![expression("rules.filters.named", "email != 'nobody@example.test'")],
            fields: fields.iter().filter_map(rule).collect(),
            ..RuleSettings::of(
                expression("rules.in_scope", in_scope),
                expression("rules.active", active),
                expression("rules.fields.external_id", "root.id"),
            )
        }
    }

    fn rules(fields: &[(&str, &str)]) -> Rules {
        Rules::compile(&settings(
            "work.site in ['London', 'Paris']",
            "internal.status == 'Active'",
            fields,
        ))
        .unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn nadia() -> Record {
        Record(json!({
            "id": "4000000000000000017", "email": "nadia@example.test", "surname": "  Brisk ",
            "work": {"site": "London", "title": "255", "workPhone": null,
                     "reportsTo": {"id": "2", "email": "owen@example.test"}},
            "internal": {"status": "Active"},
            "humanReadable": {"work": {"title": "Data Analyst", "site": "London HQ"}}
        }))
    }

    #[test]
    fn the_fields_to_ask_for_are_those_that_rules_use() {
        let rules = rules(&[
            ("job", "label.work.title"),
            ("email", "email"),
            ("phone", "work.reportsTo.email"),
        ]);
        assert_eq!(
            rules.reads(),
            [
                "internal.status",
                "root.email",
                "root.id",
                "work.reportsTo",
                "work.site",
                "work.title"
            ]
        );
    }

    #[test]
    fn a_record_becomes_the_desired_account() {
        let rules = rules(&[
            ("email", "root.email"),
            ("last_name", "surname"),
            ("job", "label.work.title"),
            ("phone", "work.workPhone"),
            ("lang", "'en-GB'"),
            ("organization", "work.reportsTo.email"),
            ("first_name", "root.firstName"),
        ]);
        let Decision::Wanted { desired, remarks } = rules.decision(&nadia()) else { panic!() };
        assert!(desired.active);
        assert_eq!(desired.external_id, "4000000000000000017");
        let field = |field| desired.fields.get(&field).map(|value| value.as_deref());
        assert_eq!(field(Field::Email), Some(Some("nadia@example.test")));
        assert_eq!(field(Field::LastName), Some(Some("Brisk")), "trimmed");
        assert_eq!(field(Field::Job), Some(Some("Data Analyst")), "the label, not the id");
        assert_eq!(field(Field::Phone), Some(None), "known to be empty: cleared");
        assert_eq!(field(Field::Lang), Some(Some("en")));
        assert_eq!(field(Field::Organization), Some(Some("owen@example.test")));
        assert_eq!(field(Field::FirstName), None, "missing: left alone");
        let strengths = [Field::Lang, Field::Phone, Field::Job].map(|it| desired.strength(it));
        assert_eq!(strengths, [Strength::OnCreate, Strength::IfEmpty, Strength::Always]);
        assert_eq!(remarks, ["first_name left alone: HiBob's answer lacks root.firstName"]);
    }

    #[test]
    fn a_missing_field_never_decides() {
        let mut record = nadia();
        record.0["internal"] = json!({});
        let unknown = Decision::Unknown {
            rule: "rules.active".into(),
            missing: vec!["internal.status".into()],
        };
        assert_eq!(rules(&[]).decision(&record), unknown);
        let negated = Rules::compile(&settings("true", "not internal.status", &[]))
            .unwrap_or_else(|_| panic!());
        assert_eq!(negated.decision(&record), unknown, "not even when it is negated");
        record.0["internal"] = json!({"status": null});
        let Decision::Wanted { desired, .. } = rules(&[]).decision(&record) else { panic!() };
        assert!(!desired.active, "an empty one does");
        record.0["work"]["site"] = json!("Rome");
        let out = |filter: &str| Decision::OutOfScope { filter: filter.into(), deactivate: false };
        assert_eq!(rules(&[]).decision(&record), out("rules.in_scope"));
        record.0["work"]["site"] = json!("Paris");
        record.0["email"] = json!("nobody@example.test");
        assert_eq!(rules(&[]).decision(&record), out("rules.filters.named"));
    }

    #[test]
    fn mistakes_are_all_told_with_their_places() {
        let wrong = settings("work.site in [", "internal.status|shout", &[("email", "  a ~")]);
        let problems = Rules::compile(&wrong).err().expect("three mistakes");
        let told: Vec<_> = problems
            .iter()
            .map(|p| (p.key.as_str(), p.range.clone(), p.message.as_str()))
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[1].0, "rules.active");
        assert_eq!(told[1].1, Some(16..21).or(told[1].1.clone()), "{told:?}");
        assert!(told[1].2.contains("there is no filter shout"), "{told:?}");
        assert!(told[2].1.is_some(), "{told:?}");
    }

    #[test]
    fn no_expression_can_hang_or_exhaust_the_process() {
        for hostile in [
            "-".repeat(1000) + "1",
            "(".repeat(1000),
            "not ".repeat(250) + "x",
            "a".to_owned() + &".b".repeat(500),
            "'x'*1000000000".into(),
            "range(100000000)".into(),
            "x".repeat(2000),
        ] {
            if let Ok(rules) = Rules::compile(&settings("true", &hostile, &[])) {
                let _ = rules.decision(&nadia());
            }
        }
    }
}

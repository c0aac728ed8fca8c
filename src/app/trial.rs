//! Rules on trial: one expression on somebody's real record, and examples that must hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::compile;
use super::preview::{PreviewError, Previewer};
use crate::clock::Clock;
use crate::config::{Expression, RuleSettings, Settings};
use crate::model::{Field, Person, Record};
use crate::provisioning::rules::{Decision, Explained, Rules};
use crate::store::Store;

/// Evaluates an expression on the records of those whom a key names.
///
/// # Errors
/// [`BuildError::Rules`](super::BuildError::Rules) when it does not compile; when the source does not answer.
pub async fn try_expression(
    settings: &Settings,
    store: &Arc<dyn Store>,
    text: &str,
    key: &str,
) -> Result<Vec<(Person, Explained)>, PreviewError> {
    let expression =
        |key: &str, text: &str| Expression { key: key.to_owned(), text: text.to_owned(), at: 0 };
    let rules = RuleSettings::of(
        expression("expression", text),
        expression("active", "true"),
        expression("external_id", "root.id"),
    );
    let mut tried = Vec::new();
    for previewer in Previewer::with_rules(settings, Some(&rules), store)? {
        let ids = previewer.who(key).await?;
        for (person, record) in previewer.records(&ids).await? {
            tried.extend(
                previewer.explain(&record).into_iter().take(1).map(|it| (person.clone(), it)),
            );
        }
    }
    Ok(tried)
}

/// A file of examples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    #[serde(default)]
    example: Vec<Example>,
}

/// A record, and what the rules must make of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    /// The record as HiBob nests it; a field that is left out is empty.
    record: Value,
    expect: Expected,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    /// The filter that says no, or whether everyone of them says yes.
    in_scope: Option<bool>,
    out_of_scope_by: Option<String>,
    active: Option<bool>,
    /// Fields that must have these values; an empty text stands for a cleared field.
    fields: BTreeMap<String, String>,
    /// Fields that must be left alone.
    left_alone: Vec<String>,
}

/// What came of one example.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Each difference in a line: what, expected, found. None when it holds.
    pub differences: Vec<String>,
}

/// Runs the examples of a file's text against the rules.
///
/// # Errors
/// What is wrong with the file or the rules.
pub fn run_examples(rules: &RuleSettings, text: &str) -> Result<Vec<Outcome>, String> {
    let rules =
        compile(rules).map_err(|_| "the rules do not compile: see instep check".to_owned())?;
    let examples: Examples = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(examples.example.into_iter().map(|example| run(&rules, example)).collect())
}

fn run(rules: &Rules, example: Example) -> Outcome {
    let record = Record(completed(example.record, &rules.reads()));
    let expect = example.expect;
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: Option<String>, found: &str| {
        if let Some(expected) = expected.filter(|expected| expected != found) {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let in_scope = expect.in_scope.map(|it| it.to_string());
    match rules.decide(&record, Clock::system().now()).decision {
        Decision::OutOfScope { filter, .. } => {
            compare("in_scope", in_scope, "false");
            compare("out_of_scope_by", expect.out_of_scope_by, &filter);
            compare("active", expect.active.map(|it| it.to_string()), "nothing: out of scope");
            for (field, value) in expect.fields {
                compare(&field, Some(format!("{value:?}")), "nothing: out of scope");
            }
        }
        Decision::AsItIs { why } => compare("in_scope", in_scope, &why),
        Decision::Refused { reason, .. } => compare("in_scope", in_scope, &reason),
        Decision::Unknown { rule, .. } => {
            compare(&rule, Some("a result".to_owned()), "none");
        }
        Decision::Wanted { desired, remarks } => {
            compare("in_scope", in_scope, "true");
            compare("out_of_scope_by", expect.out_of_scope_by, "nobody: in scope");
            compare("active", expect.active.map(|it| it.to_string()), &desired.active.to_string());
            let found = |name: &str| {
                let field = Field::ALL.into_iter().find(|field| field.word() == name);
                let value = match (name, field) {
                    ("external_id", _) => Some(desired.external_id.clone()),
                    (_, Some(field)) => {
                        desired.fields.get(&field).map(|value| value.clone().unwrap_or_default())
                    }
                    (_, None) => return "no such field".to_owned(),
                };
                value.map_or_else(
                    || {
                        let lead = format!("{name} left alone");
                        let why = remarks.iter().find(|remark| remark.starts_with(&lead));
                        why.map_or_else(|| format!("{lead}: it has no rule"), Clone::clone)
                    },
                    |value| format!("{value:?}"),
                )
            };
            for (field, value) in &expect.fields {
                compare(field, Some(format!("{value:?}")), &found(field));
            }
            for field in &expect.left_alone {
                let found = found(field);
                let left = found.starts_with(&format!("{field} left alone"));
                compare(
                    field,
                    Some("left alone".to_owned()),
                    if left { "left alone" } else { &found },
                );
            }
        }
    }
    Outcome { name: example.name, differences }
}

/// The record with every field that the rules read: one that is left out is empty.
fn completed(mut record: Value, reads: &[String]) -> Value {
    for field in reads {
        let mut at = &mut record;
        for part in field.strip_prefix("root.").unwrap_or(field).split('.') {
            if at.is_null() {
                *at = Value::Object(serde_json::Map::new());
            }
            let Some(members) = at.as_object_mut() else { break };
            at = members.entry(part).or_insert(Value::Null);
        }
    }
    record
}

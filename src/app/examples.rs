//! Examples beside the rules: a record in, the desired account out. They are how rules are tested
//! before they go live; nothing is asked of any far end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::compile;
use crate::config::RuleSettings;
use crate::model::{Desired, Field, ManagerKey, Membership, Record};
use crate::provisioning::rules::{Decision, Rules, Ruling};

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
    /// The day on which it is judged, at noon UTC: then it is that day nearly everywhere.
    #[serde(default, deserialize_with = "day")]
    today: Option<civil::Date>,
    /// The record as HiBob nests it; a field that is left out is empty.
    #[serde(deserialize_with = "record")]
    record: Value,
    expect: Expected,
}

/// What must come out; what is not said is not compared.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    /// Whether every filter says yes.
    in_scope: Option<bool>,
    /// The filter that says no.
    out_of_scope_by: Option<String>,
    active: Option<bool>,
    status: Option<Standing>,
    /// The code under which the person is refused: `unmapped`.
    refused: Option<String>,
    /// Fields that must have these values; an empty text stands for a cleared field.
    fields: BTreeMap<String, String>,
    /// The same for custom fields, by their names in the LMS.
    custom_fields: BTreeMap<String, String>,
    /// All groups: `Departments/Finance`, `Sites/London as coach`.
    groups: Option<Vec<String>>,
    /// The manager's id or mail; an empty text stands for none.
    manager: Option<String>,
    /// Fields and custom fields that must be left alone.
    left_alone: Vec<String>,
    /// The day in the person's time zone, or the moment, at which the rules will say something else;
    /// `none` when there must be no such day.
    #[serde(deserialize_with = "text_or_date")]
    appointment: Option<String>,
}

/// What becomes of somebody's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Active,
    Inactive,
    AsItIs,
    OutOfScope,
    Refused,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::AsItIs => "as_it_is",
            Self::OutOfScope => "out_of_scope",
            Self::Refused => "refused",
        }
    }
}

/// What came of one example.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Where it does not hold; empty when it does.
    pub mismatches: Vec<Mismatch>,
}

/// One thing that is not as it was expected.
#[derive(Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What: `in_scope`, `email`, `groups`.
    pub what: String,
    /// As it was expected; nothing for a group that is too many.
    pub expected: Option<String>,
    /// As it is; nothing for a group that is not there.
    pub found: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_nothing = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        let (expected, found) = (or_nothing(&self.expected), or_nothing(&self.found));
        write!(f, "{}: expected {expected}, found {found}", self.what)
    }
}

/// Runs the examples of a file's text against the rules; those that name no day are judged `now`.
///
/// # Errors
/// What is wrong with the file or the rules.
pub fn run_examples(
    rules: &RuleSettings,
    text: &str,
    now: Timestamp,
) -> Result<Vec<Outcome>, String> {
    let rules =
        compile(rules).map_err(|_| "the rules do not compile: see instep check".to_owned())?;
    let examples: Examples = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(examples.example.into_iter().map(|example| run(&rules, example, now)).collect())
}

fn run(rules: &Rules, example: Example, now: Timestamp) -> Outcome {
    let record = Record(completed(example.record, &rules.reads()));
    let noon = example.today.map(|day| day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC));
    let now = noon.and_then(Result::ok).map_or(now, |noon| noon.timestamp());
    let ruling = rules.decide(&record, now);
    let mut comparison = Comparison { mismatches: Vec::new() };
    comparison.standing(&example.expect, &ruling.decision);
    comparison.account(&example.expect, &ruling.decision);
    comparison.appointment(&example.expect, &ruling, || zone(rules, &record, now));
    Outcome { name: example.name, mismatches: comparison.mismatches }
}

/// Gathers what differs.
struct Comparison {
    mismatches: Vec<Mismatch>,
}

impl Comparison {
    fn compare(&mut self, what: &str, expected: Option<String>, found: &str) {
        if let Some(expected) = expected.filter(|expected| expected != found) {
            let (what, found) = (what.to_owned(), Some(found.to_owned()));
            self.mismatches.push(Mismatch { what, expected: Some(expected), found });
        }
    }

    /// Scope and status.
    fn standing(&mut self, expect: &Expected, decision: &Decision) {
        let (standing, why) = match decision {
            Decision::OutOfScope { filter, .. } => (Standing::OutOfScope, filter.as_str()),
            Decision::AsItIs { why } => (Standing::AsItIs, why.as_str()),
            Decision::Refused { code, .. } => (Standing::Refused, *code),
            Decision::Wanted { desired, .. } if desired.active => (Standing::Active, ""),
            Decision::Wanted { .. } => (Standing::Inactive, ""),
            Decision::Unknown { rule, .. } => {
                return self.compare(rule, Some("a result".to_owned()), "none");
            }
        };
        let in_scope = standing != Standing::OutOfScope;
        self.compare("in_scope", expect.in_scope.map(|it| it.to_string()), &in_scope.to_string());
        let filter = if in_scope { "nobody: in scope" } else { why };
        self.compare("out_of_scope_by", expect.out_of_scope_by.clone(), filter);
        let status = expect.status.map(|status| status.word().to_owned());
        self.compare("status", status, standing.word());
        let active = match standing {
            Standing::Active => "true".to_owned(),
            Standing::Inactive => "false".to_owned(),
            _ => nothing(decision),
        };
        self.compare("active", expect.active.map(|it| it.to_string()), &active);
        // Somebody who is refused unexpectedly fails the example, whatever else it says.
        let refused = expect.refused.clone();
        match decision {
            Decision::Refused { code, reason } if refused.as_deref() != Some(*code) => {
                let expected = refused.unwrap_or_else(|| "nobody refused".to_owned());
                self.compare("refused", Some(expected), &format!("{code} ({reason})"));
            }
            Decision::Refused { .. } => {}
            _ => self.compare("refused", refused, "nobody refused"),
        }
    }

    /// What the account holds.
    fn account(&mut self, expect: &Expected, decision: &Decision) {
        let Decision::Wanted { desired, remarks } = decision else {
            // That a rule has no result was said already.
            if !matches!(decision, Decision::Unknown { .. }) {
                self.no_account(expect, &nothing(decision));
            }
            return;
        };
        for (field, value) in &expect.fields {
            self.compare(field, Some(quoted(value)), &field_of(desired, remarks, field));
        }
        for (name, value) in &expect.custom_fields {
            self.compare(name, Some(quoted(value)), &custom_field_of(desired, remarks, name));
        }
        for name in &expect.left_alone {
            let custom = desired.custom.contains_key(name);
            let found = match field_of(desired, remarks, name) {
                _ if custom => custom_field_of(desired, remarks, name),
                found if found == NO_SUCH_FIELD => left_alone(name, remarks),
                found => found,
            };
            let left = found.starts_with(&format!("{name} left alone"));
            let expected = Some("left alone".to_owned());
            self.compare(name, expected, if left { "left alone" } else { &found });
        }
        if let Some(groups) = &expect.groups {
            let expected: BTreeSet<String> =
                groups.iter().map(|group| with_role(group.trim())).collect();
            let found: BTreeSet<String> = desired.groups.iter().map(membership).collect();
            for group in expected.difference(&found) {
                let what = "groups".to_owned();
                self.mismatches.push(Mismatch { what, expected: Some(group.clone()), found: None });
            }
            for group in found.difference(&expected) {
                let what = "groups".to_owned();
                self.mismatches.push(Mismatch { what, expected: None, found: Some(group.clone()) });
            }
        }
        let manager = match &desired.manager {
            None => "no rule says".to_owned(),
            Some(None) => quoted(""),
            Some(Some(ManagerKey::Employee(id))) => quoted(id.as_str()),
            Some(Some(ManagerKey::Email(mail))) => quoted(mail),
        };
        self.compare("manager", expect.manager.as_deref().map(quoted), &manager);
    }

    fn no_account(&mut self, expect: &Expected, nothing: &str) {
        for (name, value) in expect.fields.iter().chain(&expect.custom_fields) {
            self.compare(name, Some(quoted(value)), nothing);
        }
        let groups = expect.groups.as_ref().filter(|groups| !groups.is_empty());
        self.compare("groups", groups.map(|groups| groups.join(", ")), nothing);
        self.compare("manager", expect.manager.as_deref().map(quoted), nothing);
    }

    fn appointment(&mut self, expect: &Expected, ruling: &Ruling, zone: impl Fn() -> TimeZone) {
        let Some(expected) = &expect.appointment else { return };
        let found = match &ruling.appointment {
            None => "none".to_owned(),
            Some(it) if expected.parse::<Timestamp>().is_ok_and(|at| at == it.at) => return,
            Some(it) if expected.parse::<Timestamp>().is_ok() => it.at.to_string(),
            Some(it) => it.at.to_zoned(zone()).date().to_string(),
        };
        self.compare("appointment", Some(expected.clone()), &found);
    }
}

/// Why there is no account to compare with.
fn nothing(decision: &Decision) -> String {
    match decision {
        Decision::OutOfScope { .. } => "nothing: out of scope".to_owned(),
        Decision::AsItIs { why } => format!("nothing: the account stays as it is ({why})"),
        Decision::Refused { code, .. } => format!("nothing: refused ({code})"),
        Decision::Unknown { rule, .. } => format!("nothing: {rule} has no result"),
        Decision::Wanted { .. } => String::new(),
    }
}

/// What is found for a name that no field has.
const NO_SUCH_FIELD: &str = "no such field";

fn field_of(desired: &Desired, remarks: &[String], name: &str) -> String {
    let field = Field::ALL.into_iter().find(|field| field.word() == name);
    let value = match (name, field) {
        ("external_id", _) => Some(desired.external_id.clone()),
        (_, Some(field)) => {
            desired.fields.get(&field).map(|value| value.clone().unwrap_or_default())
        }
        (_, None) => return NO_SUCH_FIELD.to_owned(),
    };
    value.map_or_else(|| left_alone(name, remarks), |value| quoted(&value))
}

fn custom_field_of(desired: &Desired, remarks: &[String], name: &str) -> String {
    match desired.custom.get(name) {
        Some(wish) => quoted(wish.value.as_deref().unwrap_or_default()),
        None => left_alone(name, remarks),
    }
}

fn left_alone(name: &str, remarks: &[String]) -> String {
    let lead = format!("{name} left alone");
    let why = remarks.iter().find_map(|remark| Some(&remark[remark.find(&lead)?..]));
    why.map_or_else(|| format!("{lead}: it has no rule"), str::to_owned)
}

fn quoted(value: &str) -> String {
    format!("{value:?}")
}

fn membership(membership: &Membership) -> String {
    format!("{} as {}", membership.path.join("/"), membership.role)
}

/// A group as an example names it, with the role that is meant when none is named.
fn with_role(group: &str) -> String {
    if group.contains(" as ") { group.to_owned() } else { format!("{group} as learner") }
}

/// The zone in which the person's dates are meant.
fn zone(rules: &Rules, record: &Record, now: Timestamp) -> TimeZone {
    let explained = rules.explain(record, now).rules;
    let rule = explained.iter().find(|explained| explained.rule.ends_with("time_zone"));
    let name = rule.and_then(|rule| rule.result.as_ref().ok()?.as_str().map(str::to_owned));
    name.and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC)
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

/// A record; a date that stands there without quotes is a text for HiBob.
fn record<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    fn json(value: toml::Value) -> Value {
        match value {
            toml::Value::String(text) => Value::from(text),
            toml::Value::Integer(number) => Value::from(number),
            toml::Value::Float(number) => Value::from(number),
            toml::Value::Boolean(flag) => Value::from(flag),
            toml::Value::Datetime(date) => Value::from(date.to_string()),
            toml::Value::Array(list) => list.into_iter().map(json).collect(),
            toml::Value::Table(table) => {
                table.into_iter().map(|(key, value)| (key, json(value))).collect()
            }
        }
    }
    toml::Value::deserialize(from).map(json)
}

fn text_or_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::String(text) => Ok(Some(text)),
        toml::Value::Datetime(date) => Ok(Some(date.to_string())),
        _ => Err(serde::de::Error::custom("expected a day, as in 2026-12-01, or \"none\"")),
    }
}

fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<civil::Date>, D::Error> {
    let text = text_or_date(from)?.unwrap_or_default();
    let wrong = || serde::de::Error::custom("expected a day, as in 2026-12-01");
    text.parse().map(Some).map_err(|_| wrong())
}

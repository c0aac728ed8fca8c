//! The rules, through `Rules::decide`: what each part of the settings makes of a record.

mod account;
mod dates;
mod deciding;
mod explaining;
mod mistakes;
mod tables;

use instep::config::{Expression, FieldRule, GroupRule, LookupTable, OnMiss, RuleSettings};
use instep::model::{Desired, Field, OnBad, Record, Strength};
use instep::provisioning::rules::{Decision, Rules, Ruling};
use serde_json::{Value, json};

fn expression(key: &str, text: &str) -> Expression {
    Expression { key: key.to_owned(), text: text.to_owned(), at: 0 }
}

/// Everybody is in scope and active, and known by `root.id`.
fn settings() -> RuleSettings {
    RuleSettings::of(
        expression("rules.in_scope", "true"),
        expression("rules.active", "internal.status == 'Active'"),
        expression("rules.fields.external_id", "root.id"),
    )
}

fn field_rule(key: &str, text: &str, on_bad: OnBad) -> FieldRule {
    FieldRule { value: expression(key, text), write: Strength::Always, on_bad }
}

/// Those settings with these fields, of which `on_bad` says what a bad value does.
fn with_fields(on_bad: OnBad, fields: &[(Field, &str)]) -> RuleSettings {
    let rule = |(field, text): &(Field, &str)| {
        (*field, field_rule(&format!("rules.fields.{}", field.word()), text, on_bad))
    };
    RuleSettings { fields: fields.iter().map(rule).collect(), ..settings() }
}

fn group(name: &str, when: Option<&str>, path: &str) -> GroupRule {
    GroupRule {
        name: name.to_owned(),
        when: when.map(|when| expression(&format!("rules.groups.{name}.when"), when)),
        path: expression(&format!("rules.groups.{name}.path"), path),
        role: "learner".to_owned(),
        create: false,
    }
}

/// A table whose first `keys` columns are looked up.
fn table(on_miss: OnMiss, keys: usize, lines: &[&str]) -> LookupTable {
    let cells = |line: &&str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
    let rows = lines[1..].iter().enumerate().map(|(at, line)| (at + 2, cells(line)));
    LookupTable {
        file: "table.csv".into(),
        on_miss,
        keys,
        columns: cells(&lines[0]),
        rows: rows.collect(),
    }
}

fn compiled(settings: &RuleSettings) -> Rules {
    Rules::compile(settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Every problem: its key, the piece of the text that it points at, and what it says.
fn problems(settings: &RuleSettings) -> Vec<(String, String, String)> {
    let text = |key: &str| {
        let found = settings.expressions().find(|expression| expression.key == key);
        found.map_or("", |expression| expression.text.as_str())
    };
    let problems = Rules::compile(settings).err().expect("something is wrong");
    problems
        .into_iter()
        .map(|problem| {
            let at = problem.range.map_or("", |range| &text(&problem.key)[range]).to_owned();
            (problem.key, at, problem.message)
        })
        .collect()
}

/// Somebody who works, with these members on top.
fn somebody(more: &Value) -> Record {
    let mut record = json!({
        "id": "17", "email": "nadia@example.test", "surname": "Brisk",
        "work": {"site": "London", "department": "23", "title": "255", "workPhone": null,
                 "reportsTo": {"id": "2", "email": "owen@example.test"}},
        "internal": {"status": "Active", "lifecycleStatus": "employed", "terminationDate": null},
        "humanReadable": {"work": {"title": "Data Analyst", "department": "Finance"}},
    });
    merge(&mut record, more);
    Record(record)
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn at(moment: &str) -> jiff::Timestamp {
    moment.parse().expect("a point in time")
}

/// What is decided in the middle of 2026.
fn decide(settings: &RuleSettings, record: &Record) -> Ruling {
    compiled(settings).decide(record, at("2026-06-15T12:00:00Z"))
}

/// The account that is wanted, and the remarks.
fn wanted(settings: &RuleSettings, record: &Record) -> (Desired, Vec<String>) {
    match decide(settings, record).decision {
        Decision::Wanted { desired, remarks } => (desired, remarks),
        other => panic!("{other:?}"),
    }
}

/// The code and the reason of a refusal.
fn refused(settings: &RuleSettings, record: &Record) -> (&'static str, String) {
    match decide(settings, record).decision {
        Decision::Refused { code, reason } => (code, reason),
        other => panic!("{other:?}"),
    }
}

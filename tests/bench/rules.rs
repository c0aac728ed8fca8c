//! Deciding about people by the rules of a company, on one core and without any far end.
//!
//! The floor is the expression library alone: the same expressions, compiled by it and evaluated one
//! after the other on the same records; nothing is decided and no account is put together.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use instep::config::{
    Expression, FieldRule, GroupRule, Joiner, Leaver, LookupTable, OnMiss, RuleSettings,
};
use instep::model::{Field, OnBad, Record, Strength};
use instep::provisioning::filters;
use instep::provisioning::filters::lookup::Tables;
use instep::provisioning::rules::{Decision, Rules};
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use crate::Bench;
use crate::machine;
use crate::table::Row;

/// People who are decided about.
const PEOPLE: usize = 100_000;
/// Records that differ.
const RECORDS: usize = 1_000;
/// What one person may cost, in microseconds.
const EACH: f64 = 50.0;
/// What all may take, in seconds.
const ALL: f64 = 5.0;
/// In so many parts they are timed: the machine may be disturbed during some of them.
const PARTS: usize = 50;
/// How much more memory may be held afterwards, in KiB.
const MORE: u64 = 1024;

const FILTERS: [&str; 4] = [
    "root.email|or_else('') != ''",
    "payroll.contract != 'contractor'",
    "work.department not in ['Board', 'Guests']",
    "not work.isTemporary",
];

const FIELDS: [(Field, &str); 9] = [
    (Field::Email, "root.email|email"),
    (Field::Username, "(root.firstName ~ '.' ~ root.surname)|slug"),
    (Field::FirstName, "root.firstName|tidy|name"),
    (Field::LastName, "root.surname|tidy|name"),
    (Field::Job, "label.work.title"),
    (Field::Lang, "work.site|lookup('sites', 'language')"),
    (Field::Organization, "label.work.department|or_else('Norvane')"),
    (Field::Phone, "work.workPhone|tidy"),
    (Field::DeactivateAt, "internal.terminationDate"),
];

const CUSTOM: [&str; 11] = [
    "work.costCentre",
    "work.startDate|date",
    "work.site|upper",
    "first_of(work.office, work.site)",
    "work.site|lookup('sites', 'country')",
    "'full time' if payroll.hours == 40 else 'part time'",
    "root.id|replace_re('^EMP-0*', '')",
    "payroll.contract",
    "label.work.title|lower",
    "work.department",
    "[root.firstName, root.surname]|join(' ')",
];

/// Conditions and paths.
const GROUPS: [(&str, &str); 10] = [
    ("true", "['Sites', work.site]"),
    ("true", "'Departments/' ~ label.work.department"),
    ("work.site == 'Paris'", "'Languages/French'"),
    ("label.work.title|matches('Lead$')", "'Programmes/Team leads'"),
    ("true", "label.work.department|lookup('academies', 'academy', work.site)"),
    ("payroll.hours < 40", "'Part time'"),
    ("work.department == 'Sales'", "'Academies/Sales'"),
    ("work.startDate >= '2026-01-01'", "'Welcome'"),
    ("work.site in ['London', 'Berlin']", "['Offices', work.office]"),
    ("payroll.contract == 'apprentice'", "'Apprentices'"),
];

fn expression(key: &str, text: &str) -> Expression {
    Expression { key: key.to_owned(), text: text.to_owned(), at: 0 }
}

fn field(key: &str, text: &str) -> FieldRule {
    FieldRule { value: expression(key, text), write: Strength::Always, on_bad: OnBad::Refuse }
}

fn table(keys: usize, on_miss: OnMiss, lines: &[&str]) -> LookupTable {
    let cells = |line: &&str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
    let rows = lines[1..].iter().enumerate().map(|(at, line)| (at + 2, cells(line))).collect();
    LookupTable { file: "table.csv".into(), on_miss, keys, columns: cells(&lines[0]), rows }
}

fn settings() -> RuleSettings {
    let sites = [
        "site,language,time zone,country",
        "London,en,Europe/London,GB",
        "Paris,fr,Europe/Paris,FR",
        "Berlin,de,Europe/Berlin,DE",
    ];
    let academies = ["department,site,academy", "Sales,*,Academies/Sales", "*,*,Academies/All"];
    let filters = FILTERS.iter().enumerate();
    let custom = CUSTOM.iter().enumerate();
    let groups = GROUPS.iter().enumerate();
    RuleSettings {
        filters: filters.map(|(n, text)| expression(&format!("filter {n}"), text)).collect(),
        time_zone: expression("time_zone", "work.site|lookup('sites', 'time zone')"),
        joiner: Some(Joiner {
            who: expression("who", "internal.lifecycleStatus == 'hired'"),
            start_date: expression("start_date", "work.startDate"),
            days_before: 7,
        }),
        leaver: Some(Leaver {
            end_date: expression("end_date", "internal.terminationDate"),
            grace_days: 3,
        }),
        fields: FIELDS.iter().map(|(of, text)| (*of, field(of.word(), text))).collect(),
        custom_fields: custom
            .map(|(n, text)| (format!("C{n}"), field(&format!("custom {n}"), text)))
            .collect(),
        groups: groups
            .map(|(n, (when, path))| GroupRule {
                name: n.to_string(),
                when: Some(expression(&format!("when {n}"), when)),
                path: expression(&format!("path {n}"), path),
                role: "learner".to_owned(),
                create: true,
            })
            .collect(),
        manager: Some(expression("manager", "work.reportsTo.id")),
        tables: [
            ("sites".to_owned(), table(1, OnMiss::Refuse, &sites)),
            ("academies".to_owned(), table(2, OnMiss::Default, &academies)),
        ]
        .into(),
        ..RuleSettings::of(
            expression("in_scope", "work.site in ['London', 'Paris', 'Berlin']"),
            expression("active", "internal.status == 'Active'"),
            expression("external_id", "root.id"),
        )
    }
}

fn record(n: usize) -> Value {
    let site = ["London", "Paris", "Berlin"][n % 3];
    let department = ["Sales", "Finance", "Engineering", "People & Culture", "Care"][n % 5];
    let title = if n.is_multiple_of(7) { "Team Lead" } else { "Analyst" };
    let ends = n.is_multiple_of(20).then_some("2027-03-31");
    json!({
        "id": format!("EMP-{n:06}"), "email": format!("Person.{n}@example.test"),
        "firstName": " MARIE ", "surname": format!("o'neil-{n}"), "displayName": "Marie O'Neil",
        "work": {
            "site": site, "department": department, "title": "255", "office": null,
            "workPhone": "+44 20 7946 0958", "costCentre": n % 40, "startDate": "2024-02-29",
            "isTemporary": false,
            "reportsTo": {"id": "EMP-000001", "email": "boss@example.test"},
        },
        "payroll": {"contract": "permanent", "hours": if n.is_multiple_of(4) { 20 } else { 40 }},
        "internal": {"status": "Active", "lifecycleStatus": "employed", "terminationDate": ends},
        "humanReadable": {"work": {"department": department, "title": title, "site": site}},
    })
}

/// What one person costs, in microseconds: in the middle one of all parts, when they are sorted.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn each<R>(records: &[R], people: usize, mut work: impl FnMut(&R)) -> f64 {
    let part = people / PARTS;
    let mut all = records.iter().cycle();
    let mut parts: Vec<f64> = (0..PARTS)
        .map(|_| {
            let began = Instant::now();
            all.by_ref().take(part).for_each(&mut work);
            began.elapsed().as_secs_f64() * 1e6 / part as f64
        })
        .collect();
    parts.sort_unstable_by(f64::total_cmp);
    parts[PARTS / 2]
}

/// The expression library alone, in microseconds for one person.
fn library(settings: &RuleSettings, records: &[Value], people: usize) -> anyhow::Result<f64> {
    let tables = Tables::of(&settings.tables).map_err(|_| anyhow!("the tables are wrong"))?;
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(10_000));
    filters::register(&mut env, tables);
    let mut compiled = Vec::new();
    for expression in settings.expressions() {
        compiled.push(env.compile_expression_owned(expression.text.clone())?);
    }
    // The record under the names that expressions use.
    let named = |record: &Value| {
        let mut named = record.clone();
        named["root"] = record.clone();
        named["label"] = json!({"work": record["humanReadable"]["work"]});
        minijinja::Value::from(Serde(&named))
    };
    let records: Vec<minijinja::Value> = records.iter().map(named).collect();
    Ok(each(&records, people, |record| {
        for expression in &compiled {
            let _ = black_box(expression.eval(record.clone()));
        }
    }))
}

/// Everybody is decided about, again and again.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub fn decide(bench: &mut Bench) -> anyhow::Result<()> {
    let people = bench.many(PEOPLE);
    let settings = settings();
    let rules = Rules::compile(&settings).map_err(|problems| anyhow!("{problems:?}"))?;
    let values: Vec<Value> = (0..RECORDS).map(record).collect();
    let floor = library(&settings, &values, people)?;
    let records: Vec<Record> = values.into_iter().map(Record).collect();
    let now: Timestamp = "2026-06-15T12:00:00Z".parse()?;
    for record in &records {
        let decision = rules.decide(record, now).decision;
        let Decision::Wanted { desired, remarks } = &decision else {
            return Err(anyhow!("{decision:?}"));
        };
        ensure!(remarks.is_empty(), "{remarks:?}");
        ensure!(desired.fields.len() == FIELDS.len() && desired.custom.len() == CUSTOM.len());
        ensure!(desired.groups_certain && desired.groups.len() > 2, "{:?}", desired.groups);
    }
    let before = machine::resident().context("/proc/self/status")?;
    let began = Instant::now();
    let each = each(&records, people, |record| {
        black_box(rules.decide(record, now));
    });
    let took = began.elapsed().as_secs_f64();
    let more = machine::resident().context("/proc/self/status")?.saturating_sub(before);
    bench.table.row(Row {
        what: "rules for one person: 20 fields, 5 filters, 10 groups, dates, manager".to_owned(),
        measured: format!("{each:.1} µs"),
        floor: format!("{floor:.1} µs"),
        ratio: Some(each / floor),
        target: format!("under {EACH:.0} µs"),
        met: each < EACH,
    });
    bench.table.row(Row {
        what: format!("rules for {people} people, one core"),
        measured: format!("{took:.2} s"),
        floor: format!("{:.2} s", floor * people as f64 / 1e6),
        ratio: None,
        target: format!("under {ALL:.0} s"),
        met: took < ALL,
    });
    bench.table.row(Row {
        what: format!("memory held more after {people} people"),
        measured: format!("{more} KiB"),
        floor: String::new(),
        ratio: None,
        target: format!("under {MORE} KiB"),
        met: more < MORE,
    });
    bench.table.note(
        "Floor of the rules: the expression library alone, with the same expressions, filters and \
         records; it decides nothing.",
    );
    Ok(())
}

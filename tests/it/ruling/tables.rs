//! Lookup tables: which row counts, and what a value that is in none does.

use std::collections::BTreeMap;

use instep::config::{OnMiss, RuleSettings};
use instep::model::{Field, ManagerKey, Miss, OnBad};
use instep::provisioning::rules::Decision;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SITES: [&str; 4] =
    ["site,language,zone", "London,en,Europe/London", " PARIS ,fr,Europe/Paris", "Oslo,,"];

const PLACES: [&str; 8] = [
    "site,department,group",
    "London,Finance,London Finance",
    "London,*,London",
    "*,Finance,Finance",
    "Paris,*,Paris",
    "Berlin,Sales,Berlin Sales",
    ",Sales,Sales without a site",
    "*,*,Everybody",
];

fn asking(job: &str, on_miss: OnMiss) -> RuleSettings {
    let tables = BTreeMap::from([
        ("sites".to_owned(), table(on_miss, 1, &SITES)),
        ("places".to_owned(), table(OnMiss::Default, 2, &PLACES)),
    ]);
    RuleSettings { tables, ..with_fields(OnBad::Refuse, &[(Field::Job, job)]) }
}

fn at_site(site: impl Into<Value>, department: impl Into<Value>) -> Record {
    let (site, department) = (site.into(), department.into());
    somebody(&json!({
        "work": {"site": site, "department": department},
        "humanReadable": {"work": {"department": department}},
    }))
}

/// What the job becomes, `-` when it is left alone; and what was missed.
fn job(settings: &RuleSettings, record: &Record) -> (String, Vec<Vec<String>>) {
    let ruling = decide(settings, record);
    let Decision::Wanted { desired, .. } = ruling.decision else { panic!("{ruling:?}") };
    let job = match desired.fields.get(&Field::Job) {
        None => "-".to_owned(),
        Some(value) => value.clone().unwrap_or_default(),
    };
    (job, ruling.misses.into_iter().map(|miss| miss.keys).collect())
}

#[test]
fn the_row_with_the_most_exact_keys_counts_and_of_those_the_leftmost() {
    let rule = "work.site|lookup('places', 'group', label.work.department)";
    for (site, department, expected, missed) in [
        (json!("London"), json!("Finance"), "London Finance", false),
        (json!("  LONDON\u{a0}"), json!("finance"), "London Finance", false),
        (json!("London"), json!("Sales"), "London", false),
        (json!("Rome"), json!("Finance"), "Finance", false),
        // Both `Paris,*` and `*,Finance` fit, with one exact key each.
        (json!("Paris"), json!("Finance"), "Paris", false),
        (json!("Berlin"), json!("Sales"), "Berlin Sales", false),
        (json!(null), json!("Sales"), "Sales without a site", false),
        (json!("Rome"), json!("Sales"), "Everybody", true),
        (json!(null), json!(null), "Everybody", true),
        (json!("*"), json!("*"), "Everybody", true),
    ] {
        let record = at_site(site.clone(), department.clone());
        let (given, misses) = job(&asking(rule, OnMiss::Refuse), &record);
        assert_eq!(given, expected, "{site} {department}");
        assert_eq!(!misses.is_empty(), missed, "{site} {department}: {misses:?}");
    }
}

#[test]
fn a_miss_does_what_the_table_says_and_is_noted_once() {
    let rule = "work.site|lookup('sites', 'language')";
    let rome = at_site(json!(" Rome "), json!(null));
    let noted = vec![vec!["Rome".to_owned()]];
    assert_eq!(
        job(&asking(rule, OnMiss::Keep), &rome),
        ("Rome".to_owned(), noted.clone()),
        "kept as it is"
    );
    let skipping = asking(rule, OnMiss::Skip);
    assert_eq!(job(&skipping, &rome), ("-".to_owned(), noted.clone()));
    assert_eq!(
        wanted(&skipping, &rome).1,
        ["job left alone: the table sites has no row for this value"]
    );
    let refusing = asking(rule, OnMiss::Refuse);
    assert_eq!(
        refused(&refusing, &rome),
        (
            "unmapped",
            "rules.fields.job: the table sites has no row for this value (add one)".to_owned()
        )
    );
    assert_eq!(decide(&refusing, &rome).misses.len(), 1);
    let london = at_site(json!("london"), json!(null));
    assert_eq!(job(&refusing, &london), ("en".to_owned(), vec![]));
    assert_eq!(job(&refusing, &at_site(json!("PARIS"), json!(null))).0, "fr");
    assert_eq!(job(&refusing, &at_site(json!("Oslo"), json!(null))).0, "", "an empty cell");
    let no_site = at_site(json!(null), json!(null));
    assert_eq!(
        decide(&skipping, &no_site).misses,
        [Miss { table: "sites".into(), keys: vec![String::new()] }],
        "an empty value is looked up too"
    );
    let default = ["site,language", "*,en"];
    let mut defaulting = asking(rule, OnMiss::Skip);
    defaulting.tables.insert("sites".into(), table(OnMiss::Default, 1, &default));
    assert_eq!(job(&defaulting, &rome), ("en".to_owned(), noted));
}

#[test]
fn no_expression_hides_a_miss() {
    let rome = at_site(json!("Rome"), json!(null));
    for rule in [
        "work.site|lookup('sites', 'language')|default('x')",
        "first_of('x', work.site|lookup('sites', 'language'))",
        "work.site|lookup('sites', 'language')|or_else('x')",
        "work.site|lookup('sites', 'language') ~ work.site|lookup('sites', 'zone')",
        "[work.site, work.site]|map('lookup', 'sites', 'language')|join",
        "'Rome'|lookup('sites', 'language')",
    ] {
        for on_miss in [OnMiss::Keep, OnMiss::Skip, OnMiss::Refuse] {
            let ruling = decide(&asking(rule, on_miss), &rome);
            assert_eq!(ruling.misses.len(), 1, "{rule} {on_miss:?}");
            let refused = matches!(ruling.decision, Decision::Refused { code: "unmapped", .. });
            assert_eq!(refused, on_miss == OnMiss::Refuse, "{rule} {on_miss:?}");
        }
    }
    let lazy =
        asking("'x' if work.site == 'Rome' else work.site|lookup('sites', 'zone')", OnMiss::Refuse);
    assert_eq!(job(&lazy, &rome), ("x".to_owned(), vec![]), "it was not looked up");
}

#[test]
fn a_miss_decides_over_the_person_only_by_refusing() {
    let rome = at_site(json!("Rome"), json!(null));
    let scoped = |on_miss| RuleSettings {
        in_scope: expression("rules.in_scope", "work.site|lookup('sites', 'language') == 'en'"),
        ..asking("'x'", on_miss)
    };
    assert_eq!(
        refused(&scoped(OnMiss::Refuse), &rome),
        (
            "unmapped",
            "rules.in_scope: the table sites has no row for this value (add one)".to_owned()
        )
    );
    let unknown = Decision::Unknown { rule: "rules.in_scope".into(), missing: vec![] };
    assert_eq!(decide(&scoped(OnMiss::Skip), &rome).decision, unknown);
    let mut gone = rome.clone();
    gone.0["internal"]["status"] = json!("Inactive");
    let (desired, remarks) =
        wanted(&asking("work.site|lookup('sites', 'language')", OnMiss::Refuse), &gone);
    assert!(!desired.active, "nobody is kept active by a field");
    assert_eq!(remarks, ["job left alone: the table sites has no row for this value"]);
}

#[test]
fn groups_and_managers_are_left_alone_by_a_miss_or_refused() {
    let rome = at_site(json!("Rome"), json!(null));
    let of = |on_miss| RuleSettings {
        groups: vec![
            group("sites", None, "work.site|lookup('sites', 'zone')"),
            group("all", None, "'All'"),
        ],
        manager: Some(expression("rules.manager", "work.site|lookup('sites', 'zone')")),
        ..asking("'x'", on_miss)
    };
    let (desired, remarks) = wanted(&of(OnMiss::Skip), &rome);
    assert!(!desired.groups_certain && desired.groups.len() == 1 && desired.manager.is_none());
    assert_eq!(
        remarks,
        [
            "group rule sites left alone: the table sites has no row for this value",
            "manager left alone: the table sites has no row for this value",
        ]
    );
    assert_eq!(
        refused(&of(OnMiss::Refuse), &rome).1,
        "rules.groups.sites.path: the table sites has no row for this value (add one); \
         rules.manager: the table sites has no row for this value (add one)"
    );
    let kept = wanted(&of(OnMiss::Keep), &rome).0;
    assert_eq!(
        kept.manager,
        Some(Some(ManagerKey::Employee(instep::model::EmployeeId::new("Rome"))))
    );
}

#[test]
fn mistakes_in_the_use_of_a_table_are_told_at_once() {
    for (rule, at, message) in [
        (
            "work.site|lookup('sits', 'language')",
            "sits",
            "lookup: there is no table sits; sites was perhaps meant",
        ),
        (
            "work.site|lookup('countries', 'language')",
            "countries",
            "lookup: there is no table countries; there is places, sites",
        ),
        (
            "'x' if work.site else work.site|lookup('sites', 'langauge')",
            "langauge",
            "lookup: there is no column of the table sites called langauge; language was perhaps meant",
        ),
        (
            "work.site|lookup('sites', 'site')",
            "site",
            "lookup: the column site of the table sites is looked up, so it is no result",
        ),
        (
            "work.site|lookup('places', 'group')",
            "lookup",
            "lookup: the table places is looked up by site, department: one more value stands in the \
             brackets",
        ),
        (
            "work.site|lookup('sites', 'zone', label.work.department|tidy)",
            "lookup",
            "lookup: the table sites is looked up by site: nothing more stands in the brackets",
        ),
        (
            "work.site|lookup('sites')",
            "lookup",
            "lookup: it is written lookup('table', 'column'), with a value for each further key",
        ),
        (
            "work.site|lookup(work.department, 'zone')",
            "lookup",
            "lookup: it is written lookup('table', 'column'), with a value for each further key",
        ),
        (
            "[work.site]|map('lookup', 'sits', 'zone')|first",
            "sits",
            "lookup: there is no table sits; sites was perhaps meant",
        ),
    ] {
        let told = problems(&asking(rule, OnMiss::Skip));
        let expected = ("rules.fields.job".to_owned(), at.to_owned(), message.to_owned());
        assert_eq!(told, [expected], "{rule}");
    }
    let none = with_fields(OnBad::Skip, &[(Field::Job, "work.site|lookup('sites', 'zone')")]);
    assert_eq!(problems(&none)[0].2, "lookup: there is no table sites; there is none at all");
}

#[test]
fn a_table_that_leaves_doubts_is_refused() {
    let twice = table(OnMiss::Skip, 1, &["site,x", "London,1", "Paris,2", " LONDON ,3"]);
    let no_default = table(OnMiss::Default, 2, &["site,department,x", "London,*,1", "*,Sales,2"]);
    let wide = table(OnMiss::Skip, 9, &["a,b,c,d,e,f,g,h,i,j"]);
    let tables = [("twice", twice), ("wide", wide), ("without", no_default)];
    let tables = tables.map(|(name, table)| (name.to_owned(), table)).into();
    let told = problems(&RuleSettings { tables, ..settings() });
    let told: Vec<(&str, &str)> =
        told.iter().map(|(key, _, message)| (key.as_str(), message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("rules.tables.twice", "lines 2 and 4 have the same keys; keep one of them"),
            ("rules.tables.wide", "a table has 1 to 8 key columns, and this has 9"),
            (
                "rules.tables.without",
                "on_miss = \"default\" takes the row whose every key is *, and there is none; add \
                 it, or say keep, skip or refuse"
            ),
        ]
    );
}

#[test]
fn what_cannot_be_a_key_is_told_without_the_value() {
    let settings = asking("work.site|lookup('sites', 'zone')", OnMiss::Skip);
    let remark = |site: Value| refused(&settings, &at_site(site, json!(null))).1;
    let advice = "(correct work.site in HiBob, or set on_bad = \"skip\" to apply the rest)";
    assert_eq!(
        remark(json!(["secret"])),
        format!("rules.fields.job: lookup: it takes a text, not a list {advice}")
    );
    assert_eq!(
        remark(json!("x".repeat(20_000))),
        format!("rules.fields.job: lookup: the text is longer than 10000 bytes {advice}")
    );
    let many: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let list = asking("work.site|map('lookup', 'sites', 'zone')|join", OnMiss::Keep);
    assert_eq!(decide(&list, &at_site(json!(many), json!(null))).misses.len(), 100, "bounded");
}

/// The row that counts, found by looking at all of them.
fn slow(rows: &[Vec<String>], keys: &[String]) -> Option<String> {
    let fits = |row: &&Vec<String>| {
        row.iter()
            .zip(keys)
            .all(|(cell, key)| cell == "*" || cell.to_lowercase() == key.to_lowercase())
    };
    let rank = |row: &&Vec<String>| {
        let exact: Vec<bool> = row[..keys.len()].iter().map(|cell| cell != "*").collect();
        (exact.iter().filter(|it| **it).count(), exact)
    };
    rows.iter().filter(fits).max_by_key(rank).map(|row| row[keys.len()].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A lookup finds what a look at every row finds.
    #[test]
    fn a_lookup_is_as_good_as_a_search(
        rows in proptest::collection::btree_set(proptest::collection::vec("[ab*]|[éß]", 3), 0..20),
        keys in proptest::collection::vec("[abABcéÉß]|", 3),
    ) {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .enumerate()
            .map(|(at, mut row)| { row.push(format!("row {at}")); row })
            .collect();
        let mut lines = vec!["a,b,c,x".to_owned()];
        lines.extend(rows.iter().map(|row| row.join(",")));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut settings = with_fields(OnBad::Refuse, &[(Field::Job, "a|lookup('t', 'x', b, c)")]);
        settings.tables.insert("t".to_owned(), table(OnMiss::Skip, 3, &lines));
        let record = somebody(&json!({"a": keys[0], "b": keys[1], "c": keys[2]}));
        let expected = slow(&rows, &keys).unwrap_or_else(|| "-".to_owned());
        prop_assert_eq!(job(&settings, &record).0, expected);
    }

    /// No text is more than a value.
    #[test]
    fn any_value_may_be_looked_up(site: String) {
        let settings = asking("work.site|lookup('places', 'group', work.site)", OnMiss::Skip);
        let given = job(&settings, &at_site(json!(site), json!(null)));
        prop_assert!(given.0.len() > 1, "{}", given.0);
    }
}

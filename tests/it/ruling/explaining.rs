//! What a person is told who asks why: every rule with what it saw, and which one decided.

use instep::config::{Joiner, Leaver, OnMiss, RuleSettings};
use instep::model::explanation::{Conclusion, Says};
use instep::model::{Field, OnBad, Strength};
use serde_json::json;

use super::*;

fn settings() -> RuleSettings {
    let mut settings = RuleSettings {
        filters: vec![expression("rules.filters.has_site", "work.site")],
        time_zone: expression("rules.time_zone", "'Europe/Paris'"),
        joiner: Some(Joiner {
            who: expression("rules.joiner.who", "internal.lifecycleStatus == 'hired'"),
            start_date: expression("rules.joiner.start_date", "work.startDate"),
            days_before: 0,
        }),
        leaver: Some(Leaver {
            end_date: expression("rules.leaver.end_date", "internal.terminationDate"),
            grace_days: 0,
        }),
        groups: vec![
            group("sites", Some("work.site"), "['Sites', work.site]"),
            group("teams", None, "work.team"),
        ],
        manager: Some(expression("rules.manager", "work.reportsTo.id")),
        custom_fields: [("C".to_owned(), field_rule("rules.custom_fields.C", "list", OnBad::Skip))]
            .into(),
        ..with_fields(
            OnBad::Refuse,
            &[(Field::Lang, "'en-GB'"), (Field::Phone, "work.site|lookup('phones', 'phone')")],
        )
    };
    settings.fields.get_mut(&Field::Lang).expect("it is there").write = Strength::OnCreate;
    let phones = table(OnMiss::Skip, 1, &["site,phone", "Paris,+33"]);
    settings.tables.insert("phones".to_owned(), phones);
    settings
}

fn record(more: &Value) -> Record {
    let mut record = somebody(&json!({"work": {"team": "", "startDate": null}, "list": []}));
    merge(&mut record.0, more);
    record
}

#[test]
fn every_rule_is_shown_with_what_it_saw() {
    let record = record(&json!({"internal": {"terminationDate": "2026-12-31"}}));
    let explained = compiled(&settings()).explain(&record, at("2026-06-15T12:00:00Z"));
    let shown = serde_json::to_value(&explained).expect("it can be stored");
    let rule = |key: &str| {
        let rules = shown["rules"].as_array().expect("a list");
        rules.iter().find(|rule| rule["rule"] == key).cloned().unwrap_or_else(|| panic!("{key}"))
    };
    let keys: Vec<&str> = explained.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(
        keys,
        [
            "rules.in_scope",
            "rules.filters.has_site",
            "rules.active",
            "rules.time_zone",
            "rules.joiner.who",
            "rules.joiner.start_date",
            "rules.leaver.end_date",
            "rules.fields.external_id",
            "rules.fields.lang",
            "rules.fields.phone",
            "rules.custom_fields.C",
            "rules.groups.sites.when",
            "rules.groups.sites.path",
            "rules.groups.teams.path",
            "rules.manager",
        ]
    );
    assert_eq!(shown["conclusion"], json!({"says": "active", "rule": "rules.active", "why": null}));
    assert_eq!(
        shown["appointment"],
        json!({"at": "2026-12-31T23:00:00Z", "why": "rules.leaver.end_date is 2026-12-31"})
    );
    assert_eq!(shown["misses"], json!([{"table": "phones", "keys": ["London"]}]));
    assert_eq!(
        rule("rules.fields.lang"),
        json!({
            "rule": "rules.fields.lang", "expression": "'en-GB'", "inputs": [],
            "result": {"Ok": "en-GB"},
            "part": {"field": {"write": "on_create", "on_bad": "refuse"}},
            "remark": "it becomes en",
        })
    );
    assert_eq!(
        rule("rules.fields.phone")["result"],
        json!({"Err": "the table phones has no row for this value"})
    );
    assert_eq!(rule("rules.joiner.start_date")["inputs"], json!([["work.startDate", "empty"]]));
    let custom = rule("rules.custom_fields.C");
    assert_eq!(custom["inputs"], json!([["root.list", {"value": []}]]), "an empty list is a value");
    assert_eq!(custom["remark"], "the rule gives a sequence, not a text");
    assert_eq!(
        rule("rules.groups.sites.path")["part"],
        json!({"group": {"name": "sites", "role": "learner", "path": ["Sites", "London"]}})
    );
    assert_eq!(
        rule("rules.groups.teams.path")["remark"],
        "no group: the path, or a name in it, is empty"
    );
    let mut hidden = record;
    hidden.0["work"].as_object_mut().expect("a record").remove("team");
    let explained = compiled(&settings()).explain(&hidden, at("2026-06-15T12:00:00Z"));
    let teams = &explained.rules[13];
    assert_eq!(json!(teams.inputs), json!([["work.team", "missing"]]));
    assert_eq!(teams.result, Err("HiBob's answer lacks work.team".to_owned()));
    assert_eq!(teams.remark.as_deref(), Some("nobody leaves a group while this is not known"));
}

#[test]
fn the_rule_that_decided_is_named() {
    let of = |more: &Value| {
        let explained = compiled(&settings()).explain(&record(more), at("2026-06-15T12:00:00Z"));
        let Conclusion { says, rule, why } = explained.conclusion;
        (says, rule.unwrap_or_default(), why.unwrap_or_default())
    };
    let told = |says, rule: &str, why: &str| (says, rule.to_owned(), why.to_owned());
    assert_eq!(
        of(&json!({"work": {"site": null}})),
        told(Says::OutOfScope, "rules.filters.has_site", "")
    );
    assert_eq!(
        of(&json!({"internal": {"terminationDate": "2026-01-01"}})),
        told(Says::Inactive, "rules.leaver.end_date", "")
    );
    assert_eq!(
        of(&json!({"internal": {"status": "Left"}})),
        told(Says::Inactive, "rules.active", "")
    );
    let hired =
        json!({"internal": {"lifecycleStatus": "hired"}, "work": {"startDate": "2026-07-01"}});
    let why = "rules.joiner.start_date is 2026-07-01: the account stays as it is until 2026-07-01";
    assert_eq!(of(&hired), told(Says::AsItIs, "rules.joiner.start_date", why));
    let begun =
        json!({"internal": {"lifecycleStatus": "hired"}, "work": {"startDate": "2026-06-01"}});
    assert_eq!(of(&begun), told(Says::Active, "rules.joiner.start_date", ""));
    assert_eq!(
        of(&json!({"internal": 5})),
        told(Says::Unknown, "rules.joiner.who", "HiBob's answer lacks internal.lifecycleStatus")
    );
    let bad = of(&json!({"internal": {"terminationDate": "soon"}}));
    assert_eq!((bad.0, bad.1.as_str()), (Says::Refused, ""));
    assert!(bad.2.starts_with("rules.leaver.end_date: this is not a date"), "{}", bad.2);
}

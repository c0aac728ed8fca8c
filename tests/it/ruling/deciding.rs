//! Scope, status and the id: the rules without which nothing is said of anybody.

use instep::config::{OutOfScope, RuleSettings};
use instep::model::{Field, OnBad, Strength};
use instep::provisioning::rules::Decision;
use serde_json::json;

use super::*;

fn unknown(rule: &str, missing: &[&str]) -> Decision {
    let missing = missing.iter().map(|field| (*field).to_owned()).collect();
    Decision::Unknown { rule: rule.to_owned(), missing }
}

#[test]
fn a_record_becomes_the_desired_account() {
    let fields = [
        (Field::Email, "root.email"),
        (Field::LastName, "'  ' ~ surname ~ ' '"),
        (Field::Job, "label.work.title"),
        (Field::Phone, "work.workPhone"),
        (Field::Lang, "'en-GB'"),
        (Field::Organization, "work.reportsTo.email"),
        (Field::FirstName, "root.firstName"),
    ];
    let mut settings = with_fields(OnBad::Refuse, &fields);
    settings.fields.get_mut(&Field::Lang).expect("it is there").write = Strength::OnCreate;
    settings.fields.get_mut(&Field::Phone).expect("it is there").write = Strength::IfEmpty;
    settings.number_username = true;
    let (desired, remarks) = wanted(&settings, &somebody(&json!({})));
    assert!(desired.active && desired.number_username && desired.groups_certain);
    assert_eq!(desired.external_id, "17");
    let field = |field| desired.fields.get(&field).map(|value| value.as_deref());
    assert_eq!(field(Field::Email), Some(Some("nadia@example.test")));
    assert_eq!(field(Field::LastName), Some(Some("Brisk")), "trimmed");
    assert_eq!(field(Field::Job), Some(Some("Data Analyst")), "the label, not the id");
    assert_eq!(field(Field::Phone), Some(None), "known to be empty: cleared");
    assert_eq!(field(Field::Lang), Some(Some("en")));
    assert_eq!(field(Field::Organization), Some(Some("owen@example.test")));
    assert_eq!(field(Field::FirstName), None, "missing: left alone, whatever on_bad says");
    let strengths = [Field::Lang, Field::Phone, Field::Job].map(|it| desired.strength(it));
    assert_eq!(strengths, [Strength::OnCreate, Strength::IfEmpty, Strength::Always]);
    assert_eq!(remarks, ["first_name left alone: HiBob's answer lacks root.firstName"]);
    assert_eq!(desired.manager, None, "no rule says who");
}

#[test]
fn a_missing_field_never_decides() {
    let without = somebody(&json!({"internal": 5}));
    let lacks = unknown("rules.active", &["internal.status"]);
    assert_eq!(decide(&settings(), &without).decision, lacks);
    let negated = expression("rules.active", "not internal.status");
    let negated = RuleSettings { active: negated, ..settings() };
    assert_eq!(decide(&negated, &without).decision, lacks, "not even when it is negated");
    let (desired, _) = wanted(&settings(), &somebody(&json!({"internal": {"status": null}})));
    assert!(!desired.active, "an empty one does");
    let nameless = somebody(&json!({"id": null}));
    let nameless = decide(&settings(), &nameless).decision;
    assert_eq!(nameless, unknown("rules.fields.external_id", &[]));
    let filters = vec![expression("rules.filters.odd", "x|date('DD/MM/YYYY') == ''")];
    let odd = RuleSettings { filters, ..settings() };
    assert_eq!(
        decide(&odd, &somebody(&json!({}))).decision,
        unknown("rules.filters.odd", &["root.x"])
    );
    let failing = decide(&odd, &somebody(&json!({"x": "soon"}))).decision;
    assert_eq!(
        failing,
        unknown("rules.filters.odd", &[]),
        "a rule that fails does not decide either"
    );
}

#[test]
fn the_filter_that_says_no_is_named() {
    let mut settings = RuleSettings {
        in_scope: expression("rules.in_scope", "work.site in ['London', 'Paris']"),
        filters: vec![expression("rules.filters.named", "email != 'nobody@example.test'")],
        ..settings()
    };
    let out = |filter: &str, deactivate| Decision::OutOfScope { filter: filter.into(), deactivate };
    let in_rome = somebody(&json!({"work": {"site": "Rome"}}));
    assert_eq!(decide(&settings, &in_rome).decision, out("rules.in_scope", false));
    let nobody = somebody(&json!({"email": "nobody@example.test"}));
    assert_eq!(decide(&settings, &nobody).decision, out("rules.filters.named", false));
    settings.out_of_scope = OutOfScope::Deactivate;
    assert_eq!(decide(&settings, &nobody).decision, out("rules.filters.named", true));
}

#[test]
fn the_fields_to_ask_for_are_those_that_rules_use() {
    let settings = RuleSettings {
        filters: vec![expression("rules.filters.a", "a.b")],
        time_zone: expression("rules.time_zone", "work.site"),
        joiner: Some(instep::config::Joiner {
            who: expression("rules.joiner.who", "c.d"),
            start_date: expression("rules.joiner.start_date", "work.startDate"),
            days_before: 7,
        }),
        leaver: Some(instep::config::Leaver {
            end_date: expression("rules.leaver.end_date", "internal.terminationDate"),
            grace_days: 0,
        }),
        custom_fields: [(
            "Cost centre".to_owned(),
            field_rule("rules.custom_fields.Cost centre", "e.f", OnBad::Refuse),
        )]
        .into(),
        groups: vec![group("g", Some("g.h"), "['Sites', label.i.j]")],
        manager: Some(expression("rules.manager", "work.reportsTo.email")),
        version: "abc".to_owned(),
        ..with_fields(OnBad::Skip, &[(Field::Job, "label.work.title"), (Field::Email, "email")])
    };
    let rules = compiled(&settings);
    assert_eq!(
        rules.reads(),
        [
            "a.b",
            "c.d",
            "e.f",
            "g.h",
            "i.j",
            "internal.status",
            "internal.terminationDate",
            "root.email",
            "root.id",
            "work.reportsTo",
            "work.site",
            "work.startDate",
            "work.title",
        ]
    );
    assert_eq!(rules.version(), "abc");
    let needs = rules.needs();
    assert!(needs.groups && needs.custom_fields.contains("Cost centre"));
    let needs = compiled(&super::settings()).needs();
    assert!(!needs.groups && needs.custom_fields.is_empty());
}

#[test]
fn no_expression_can_hang_or_exhaust_the_process() {
    for hostile in [
        "-".repeat(1000) + "1",
        "(".repeat(1000),
        "(".repeat(140) + "1" + &")".repeat(140),
        "not ".repeat(250) + "x",
        "a".to_owned() + &".b".repeat(500),
        "a".to_owned() + &"~a".repeat(500),
        "[a ~ ".repeat(100) + "1" + &"]".repeat(100),
        "'x'*1000000000".into(),
        "range(100000000)".into(),
        "x".repeat(2000),
        "'%}{{ x }}{%' ~ a".into(),
        "1) %}{% set x = (2".into(),
    ] {
        let active = expression("rules.active", &hostile);
        if let Ok(rules) = Rules::compile(&RuleSettings { active, ..settings() }) {
            let _ = rules.decide(&somebody(&json!({"a": "x"})), at("2026-06-15T12:00:00Z"));
        }
    }
}

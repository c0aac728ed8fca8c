//! What is wrong with rules is found before the first person, all of it at once, each in its place;
//! and what they name at the far ends is listed, to be checked there.

use instep::config::{Joiner, Leaver, RuleSettings};
use instep::model::{Field, OnBad};
use instep::provisioning::rules::Mentioned;
use serde_json::json;

use super::*;

#[test]
fn every_expression_is_checked() {
    let wrong = RuleSettings {
        in_scope: expression("rules.in_scope", "work.site in ["),
        filters: vec![expression("rules.filters.a", "  a|shout")],
        active: expression("rules.active", "a|map('tidi')|join"),
        time_zone: expression("rules.time_zone", " 'Europe/Pariss'"),
        joiner: Some(Joiner {
            who: expression("rules.joiner.who", "a is nonne"),
            start_date: expression("rules.joiner.start_date", "a|dat"),
            days_before: 0,
        }),
        leaver: Some(Leaver { end_date: expression("rules.leaver.end_date", ""), grace_days: 0 }),
        external_id: expression("rules.fields.external_id", "a ~"),
        custom_fields: [(
            "C".to_owned(),
            field_rule("rules.custom_fields.C", "a.strip()", OnBad::Skip),
        )]
        .into(),
        groups: vec![group("g", Some("a|emial"), "b|select('stringg')|join")],
        manager: Some(expression("rules.manager", &"x".repeat(1025))),
        ..with_fields(OnBad::Skip, &[(Field::Job, "frist_of(a)")])
    };
    let told = problems(&wrong);
    let told: Vec<(&str, &str, &str)> = told
        .iter()
        .map(|(key, at, message)| (key.as_str(), at.as_str(), message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("rules.in_scope", "[", "syntax error: unexpected end of input, expected expression"),
            ("rules.filters.a", "shout", "there is no filter shout"),
            ("rules.active", "tidi", "there is no filter tidi; tidy was perhaps meant"),
            (
                "rules.time_zone",
                "'Europe/Pariss'",
                "there is no time zone Europe/Pariss; Europe/Paris was perhaps meant"
            ),
            ("rules.joiner.who", "nonne", "there is no test nonne; none was perhaps meant"),
            ("rules.joiner.start_date", "dat", "there is no filter dat; date was perhaps meant"),
            ("rules.leaver.end_date", "", "the expression is empty"),
            (
                "rules.fields.external_id",
                "~",
                "syntax error: unexpected end of input, expected expression"
            ),
            (
                "rules.fields.job",
                "frist_of",
                "there is no function frist_of; first_of was perhaps meant"
            ),
            (
                "rules.custom_fields.C",
                "strip",
                "there are no methods here; write it as a filter: |tidy"
            ),
            ("rules.groups.g.when", "emial", "there is no filter emial; email was perhaps meant"),
            (
                "rules.groups.g.path",
                "stringg",
                "there is no test stringg; string was perhaps meant"
            ),
            (
                "rules.manager",
                "",
                "the expression has 1025 bytes; 1024 are allowed. Split it into several rules"
            ),
        ]
    );
}

#[test]
fn what_rules_name_at_the_far_ends_is_listed() {
    let settings = RuleSettings {
        custom_fields: [
            (
                "Company".to_owned(),
                field_rule("rules.custom_fields.Company", " 'Norvane'", OnBad::Skip),
            ),
            ("Cost".to_owned(), field_rule("rules.custom_fields.Cost", "x", OnBad::Skip)),
        ]
        .into(),
        groups: vec![
            instep::config::GroupRule { create: true, ..group("a", Some("x"), "['A', 'B']") },
            group("b", None, "'C/D'"),
            group("c", None, "'Sites/' ~ work.site"),
        ],
        ..with_fields(
            OnBad::Skip,
            &[(Field::Job, "  first_of(label.work .title, 'email', root.email)")],
        )
    };
    let mentions = compiled(&settings).mentions();
    let text = |key: &str| {
        let mut all = settings.expressions();
        all.find(|it| it.key == key).map_or("", |it| it.text.as_str())
    };
    let told: Vec<(String, String)> = mentions
        .iter()
        .map(|mention| {
            let at = mention.range.clone().map_or("-", |range| &text(&mention.key)[range]);
            (format!("{} {at}", mention.key), format!("{:?}", mention.what))
        })
        .collect();
    let expected = [
        ("rules.active internal.status", Mentioned::Field("internal.status".into())),
        ("rules.fields.external_id root.id", Mentioned::Field("root.id".into())),
        ("rules.fields.job root.email", Mentioned::Field("root.email".into())),
        ("rules.fields.job label.work .title", Mentioned::Field("work.title".into())),
        ("rules.custom_fields.Cost x", Mentioned::Field("root.x".into())),
        ("rules.groups.a.when x", Mentioned::Field("root.x".into())),
        ("rules.groups.c.path work.site", Mentioned::Field("work.site".into())),
        ("rules.custom_fields.Company -", Mentioned::CustomField("Company".into())),
        (
            "rules.custom_fields.Company 'Norvane'",
            Mentioned::CustomValue { field: "Company".into(), value: "Norvane".into() },
        ),
        ("rules.custom_fields.Cost -", Mentioned::CustomField("Cost".into())),
        (
            "rules.groups.a.path ['A', 'B']",
            Mentioned::Group { path: vec!["A".into(), "B".into()], create: true },
        ),
        (
            "rules.groups.b.path 'C/D'",
            Mentioned::Group { path: vec!["C".into(), "D".into()], create: false },
        ),
    ];
    let expected: Vec<(String, String)> =
        expected.into_iter().map(|(at, what)| (at.to_owned(), format!("{what:?}"))).collect();
    assert_eq!(told, expected);
    assert_eq!(json!(compiled(&settings).needs().custom_fields), json!(["Company", "Cost"]));
}

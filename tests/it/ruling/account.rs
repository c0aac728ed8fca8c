//! Fields, custom fields, groups and the manager: what the account should hold, and what follows
//! from values that it cannot hold.

use instep::config::RuleSettings;
use instep::model::{CustomWish, EmployeeId, Field, ManagerKey, Membership, OnBad, Strength};
use instep::provisioning::rules::Decision;
use serde_json::json;

use super::*;

const BAD: [(Field, &str); 4] = [
    (Field::Email, "root.email"),
    (Field::Job, "work.title|date"),
    (Field::Lang, "work.site"),
    (Field::Phone, "5 + work.title"),
];

#[test]
fn bad_values_are_refused_all_at_once_or_skipped() {
    let record =
        somebody(&json!({"email": "secret", "work": {"title": "secret", "site": "secret"}}));
    let (code, reason) = refused(&with_fields(OnBad::Refuse, &BAD), &record);
    assert_eq!(code, "badValue");
    let all = [
        "rules.fields.email: a mail address has an @ (correct root.email in HiBob",
        "rules.fields.job: date: this is not a date such as 2026-11-21; if it is one in another form, \
         say which: date('DD/MM/YYYY') (correct work.title in HiBob",
        "rules.fields.lang: 360Learning does not know this language (correct work.site in HiBob",
        "rules.fields.phone: the rule failed (invalid operation) (correct work.title in HiBob",
    ];
    assert_eq!(
        reason,
        all.map(|it| format!("{it}, or set on_bad = \"skip\" to apply the rest)")).join("; ")
    );
    assert!(!reason.contains("secret"));
    let (desired, remarks) = wanted(&with_fields(OnBad::Skip, &BAD), &record);
    assert!(desired.active && desired.fields.is_empty());
    assert_eq!(
        remarks,
        [
            "email left alone: a mail address has an @",
            "job left alone: date: this is not a date such as 2026-11-21; if it is one in another \
             form, say which: date('DD/MM/YYYY')",
            "lang left alone: 360Learning does not know this language",
            "phone left alone: the rule failed (invalid operation)",
        ]
    );
    let mut gone = record;
    gone.0["internal"]["status"] = json!("Inactive");
    let (desired, remarks) = wanted(&with_fields(OnBad::Refuse, &BAD), &gone);
    assert!(!desired.active && remarks.len() == 4, "nobody is kept active by a field");
}

#[test]
fn what_is_not_there_is_no_bad_value() {
    let fields = [(Field::Lang, "x"), (Field::Job, "y"), (Field::Email, "z")];
    let record = somebody(&json!({"x": null, "z": null}));
    let (desired, remarks) = wanted(&with_fields(OnBad::Refuse, &fields), &record);
    assert_eq!(desired.fields, [(Field::Email, None)].into());
    assert_eq!(
        remarks,
        [
            "job left alone: HiBob's answer lacks root.y",
            "lang left alone: no language is given, and it cannot be cleared",
        ]
    );
    let constant = with_fields(OnBad::Refuse, &[(Field::Lang, "'Klingon'")]);
    assert_eq!(
        refused(&constant, &record).1,
        "rules.fields.lang: 360Learning does not know this language (correct the rule, or set \
         on_bad = \"skip\" to apply the rest)"
    );
}

#[test]
fn an_empty_operand_of_a_tilde_leaves_no_trace() {
    for (rule, expected) in [
        ("x ~ 'a'", Some("a")),
        ("surname ~ x ~ '!'", Some("Brisk!")),
        ("x ~ x", None),
        ("'a' if x ~ x == '' else 'b'", Some("a")),
        ("[x ~ 'b', 'c']|join('-') ~ (x ~ 'd')|upper", Some("b-cD")),
        ("x ~ 2 * 3 ~ -1", Some("6-1")),
        ("none ~ 1", Some("1")),
    ] {
        let settings = with_fields(OnBad::Refuse, &[(Field::Job, rule)]);
        let (desired, _) = wanted(&settings, &somebody(&json!({"x": null})));
        assert_eq!(desired.fields[&Field::Job].as_deref(), expected, "{rule}");
        let (_, remarks) = wanted(&settings, &somebody(&json!({})));
        let is_missing = remarks == ["job left alone: HiBob's answer lacks root.x"];
        assert_eq!(is_missing, rule.contains('x'), "{rule}: {remarks:?}");
    }
}

#[test]
fn a_deactivation_is_a_moment_that_lies_in_the_future() {
    let settings = RuleSettings {
        time_zone: expression("rules.time_zone", "'Europe/Paris'"),
        ..with_fields(OnBad::Refuse, &[(Field::DeactivateAt, "end")])
    };
    let of = |end: Value| {
        let (desired, _) = wanted(&settings, &somebody(&json!({"end": end})));
        desired.fields[&Field::DeactivateAt].clone()
    };
    for (end, expected) in [
        (json!("2026-12-31"), Some("2026-12-31T22:59:59Z")),
        (json!("2026-07-31"), Some("2026-07-31T21:59:59Z")),
        (json!("2026-12-31T10:00:00.5+01:00"), Some("2026-12-31T09:00:00Z")),
        (json!("2026-12-31T10:00:00"), Some("2026-12-31T09:00:00Z")),
        (json!("2026-06-15"), Some("2026-06-15T21:59:59Z")),
        (json!("2026-06-14"), None),
        (json!("2026-06-15T12:00:00Z"), None),
        (json!("9999-12-31"), None),
        (json!(null), None),
    ] {
        assert_eq!(of(end.clone()).as_deref(), expected, "{end}");
    }
    let advice = "(correct root.end in HiBob, or set on_bad = \"skip\" to apply the rest)";
    for (end, why) in [
        ("soon", "this is not a date such as 2026-11-21"),
        ("2026-12-31Tonight", "this is neither a date such as 2026-11-21 nor a point in time"),
    ] {
        let record = somebody(&json!({"end": end}));
        let expected = format!("rules.fields.deactivate_at: {why} {advice}");
        assert_eq!(refused(&settings, &record), ("badValue", expected));
    }
    let unzoned =
        RuleSettings { time_zone: expression("rules.time_zone", "work.site"), ..settings.clone() };
    assert_eq!(
        refused(&unzoned, &somebody(&json!({"end": "2026-12-31"}))).1,
        format!(
            "rules.fields.deactivate_at: its time zone is not known: this is no time zone such as \
             Europe/Paris {advice}"
        )
    );
}

#[test]
fn custom_fields_are_wished_for_by_name() {
    let mut settings = settings();
    let mut add = |name: &str, text: &str, write, on_bad| {
        let value = expression(&format!("rules.custom_fields.{name}"), text);
        let rule = instep::config::FieldRule { value, write, on_bad };
        settings.custom_fields.insert(name.to_owned(), rule);
    };
    add("Cost centre", "x", Strength::IfEmpty, OnBad::Skip);
    add("First day", "work.startDate|date", Strength::Always, OnBad::Refuse);
    add("Badge", "y", Strength::Always, OnBad::Refuse);
    let record = somebody(&json!({"x": " 4711 ", "work": {"startDate": null}}));
    let (desired, remarks) = wanted(&settings, &record);
    let wish = |value: Option<&str>, strength, on_bad| CustomWish {
        value: value.map(str::to_owned),
        strength,
        on_bad,
    };
    let expected = [
        ("Cost centre".to_owned(), wish(Some("4711"), Strength::IfEmpty, OnBad::Skip)),
        ("First day".to_owned(), wish(None, Strength::Always, OnBad::Refuse)),
    ];
    assert_eq!(desired.custom, expected.into());
    assert_eq!(remarks, ["custom field Badge left alone: HiBob's answer lacks root.y"]);
    let wrong = somebody(&json!({"x": ["a"], "work": {"startDate": "secret"}}));
    assert_eq!(
        refused(&settings, &wrong).1,
        "rules.custom_fields.First day: date: this is not a date such as 2026-11-21; if it is one in \
         another form, say which: date('DD/MM/YYYY') (correct work.startDate in HiBob, or set on_bad \
         = \"skip\" to apply the rest)",
        "Cost centre is skipped"
    );
}

fn membership(path: &[&str], role: &str, create: bool) -> Membership {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    Membership { path, role: role.to_owned(), create }
}

#[test]
fn groups_come_from_paths_lists_and_ids() {
    let creating = |mut rule: instep::config::GroupRule| {
        rule.create = true;
        rule
    };
    let leading =
        instep::config::GroupRule { role: "groupAdmin".into(), ..group("d", None, "'A/B'") };
    let groups = vec![
        group("a", None, "' A / B '"),
        creating(group("b", Some("work.site == 'London'"), "['A', 'B']")),
        group("c", Some("work.site == 'Paris'"), "'C'"),
        leading,
        creating(group("e", None, "['Departments', label.work.department ~ ' A/S']")),
        group("f", None, "'65f0c1d20000070000000002'"),
        group("g", None, "'G/' ~ work.workPhone"),
        group("h", None, "['H', work.workPhone]"),
        group("i", None, "work.workPhone"),
        group("j", None, "[]"),
        group("k", None, "'/K'"),
        group("l", Some("work.workPhone"), "hidden.field"),
    ];
    let (desired, remarks) = wanted(&RuleSettings { groups, ..settings() }, &somebody(&json!({})));
    assert_eq!(
        desired.groups,
        [
            membership(&["A", "B"], "learner", true),
            membership(&["A", "B"], "groupAdmin", false),
            membership(&["Departments", "Finance A/S"], "learner", true),
            membership(&["65f0c1d20000070000000002"], "learner", false),
        ]
    );
    assert!(desired.groups_certain && remarks.is_empty(), "{remarks:?}");
}

#[test]
fn nobody_leaves_a_group_because_of_what_is_not_known() {
    for (rule, why) in [
        (group("x", Some("hidden.field == 'a'"), "'A'"), "HiBob's answer lacks hidden.field"),
        (group("x", None, "hidden.field"), "HiBob's answer lacks hidden.field"),
        (group("x", None, "['Sites', hidden.field]"), "HiBob's answer lacks hidden.field"),
        (group("x", None, "5 + work.site"), "the rule failed (invalid operation)"),
        (group("x", None, "work"), "the rule gives a map, not a text"),
        (group("x", None, "[work]"), "the rule gives a map, not a text"),
    ] {
        let groups = vec![rule, group("all", None, "'All'")];
        let (desired, remarks) =
            wanted(&RuleSettings { groups, ..settings() }, &somebody(&json!({})));
        assert!(!desired.groups_certain);
        assert_eq!(desired.groups, [membership(&["All"], "learner", false)]);
        assert_eq!(remarks, [format!("group rule x left alone: {why}")]);
    }
    let groups = vec![group("all", None, "'All'")];
    let gone = somebody(&json!({"internal": {"status": "Inactive"}}));
    let (desired, _) = wanted(&RuleSettings { groups, ..settings() }, &gone);
    assert!(desired.groups.is_empty() && !desired.groups_certain, "who goes takes nothing along");
}

#[test]
fn a_manager_is_an_id_a_mail_nobody_or_unknown() {
    let of = |rule: &str, record: &Record| {
        let manager = Some(expression("rules.manager", rule));
        let (desired, remarks) = wanted(&RuleSettings { manager, ..settings() }, record);
        (desired.manager, remarks)
    };
    let record = somebody(&json!({}));
    let by_id = ManagerKey::Employee(EmployeeId::new("2"));
    assert_eq!(of("work.reportsTo.id", &record), (Some(Some(by_id)), vec![]));
    let by_mail = ManagerKey::Email("owen@example.test".into());
    assert_eq!(of("work.reportsTo.email", &record), (Some(Some(by_mail)), vec![]));
    let boss = somebody(&json!({"work": {"reportsTo": null}}));
    assert_eq!(of("work.reportsTo", &boss), (Some(None), vec![]));
    let hidden = "manager left alone: HiBob's answer lacks hidden.field".to_owned();
    assert_eq!(of("hidden.field", &record), (None, vec![hidden]));
    let wrong = "manager left alone: the rule gives a map, not a text".to_owned();
    assert_eq!(of("work.reportsTo", &record), (None, vec![wrong]));
}

#[test]
fn a_refusal_keeps_the_appointment() {
    let settings = RuleSettings {
        leaver: Some(instep::config::Leaver {
            end_date: expression("rules.leaver.end_date", "internal.terminationDate"),
            grace_days: 0,
        }),
        ..with_fields(OnBad::Refuse, &BAD)
    };
    let record = somebody(&json!({"email": "x", "internal": {"terminationDate": "2026-07-01"}}));
    let ruling = decide(&settings, &record);
    assert!(matches!(ruling.decision, Decision::Refused { .. }));
    let appointment = ruling.appointment.expect("the person leaves all the same");
    assert_eq!(appointment.at, at("2026-07-02T00:00:00Z"));
}

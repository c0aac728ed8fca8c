//! Who begins and who leaves: by which day, in which zone, and when to look again.

use instep::config::{Joiner, Leaver, RuleSettings};
use instep::model::Appointment;
use instep::provisioning::rules::Decision;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn joiner(days_before: u32) -> Joiner {
    Joiner {
        who: expression("rules.joiner.who", "internal.lifecycleStatus == 'hired'"),
        start_date: expression("rules.joiner.start_date", "work.startDate"),
        days_before,
    }
}

fn leaver(grace_days: u32) -> Leaver {
    let end_date = expression("rules.leaver.end_date", "internal.terminationDate");
    Leaver { end_date, grace_days }
}

/// Joiners a week early, leavers with this grace, in Paris.
fn dated(grace_days: u32) -> RuleSettings {
    RuleSettings {
        time_zone: expression("rules.time_zone", "'Europe/Paris'"),
        joiner: Some(joiner(7)),
        leaver: Some(leaver(grace_days)),
        ..settings()
    }
}

/// Somebody with a lifecycle status, a status, a start and an end.
fn person(lifecycle: &str, status: &str, start: &Value, end: &Value) -> Record {
    somebody(&json!({
        "work": {"startDate": start},
        "internal": {"lifecycleStatus": lifecycle, "status": status, "terminationDate": end},
    }))
}

/// `active`, `inactive`, or why the account stays as it is; and the appointment.
fn judged(
    settings: &RuleSettings,
    record: &Record,
    now: &str,
) -> (String, Option<(String, String)>) {
    let ruling = compiled(settings).decide(record, at(now));
    let says = match ruling.decision {
        Decision::Wanted { desired, .. } if desired.active => "active".to_owned(),
        Decision::Wanted { .. } => "inactive".to_owned(),
        Decision::AsItIs { why } => why,
        other => panic!("{other:?}"),
    };
    (says, ruling.appointment.map(|Appointment { at, why }| (at.to_string(), why)))
}

/// A moment, what is said then, and the appointment with its reason.
type Step<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

fn check(settings: &RuleSettings, record: &Record, steps: &[Step<'_>]) {
    for (now, says, appointment) in steps {
        let appointment = appointment.map(|(at, why)| (at.to_owned(), why.to_owned()));
        assert_eq!(judged(settings, record, now), ((*says).to_owned(), appointment), "{now}");
    }
}

#[test]
fn a_joiner_waits_and_then_is_active_whatever_the_status_says() {
    let wait = "rules.joiner.start_date is 2026-04-01: the account stays as it is until 2026-03-25";
    let look = Some(("2026-03-24T23:00:00Z", "rules.joiner.start_date is 2026-04-01"));
    let hired = person("hired", "Inactive", &json!("2026-04-01"), &json!(null));
    check(
        &dated(0),
        &hired,
        &[
            ("2026-01-01T00:00:00Z", wait, look),
            ("2026-03-24T22:59:59Z", wait, look),
            ("2026-03-24T23:00:00Z", "active", None),
            ("2026-04-01T12:00:00Z", "active", None),
            // HR is late with the status.
            ("2026-04-05T12:00:00Z", "active", None),
        ],
    );
    let begun = person("employed", "Inactive", &json!("2026-04-01"), &json!(null));
    check(&dated(0), &begun, &[("2026-03-01T00:00:00Z", "inactive", None)]);
    let undated = person("hired", "Active", &json!(null), &json!(null));
    check(&dated(0), &undated, &[("2026-03-01T00:00:00Z", "active", None)]);
    let never = person("hired", "Inactive", &json!("9999-12-31"), &json!(null));
    check(&dated(0), &never, &[("2026-03-01T00:00:00Z", "inactive", None)]);
    let far = person("hired", "Inactive", &json!("9998-12-31"), &json!(null));
    assert!(judged(&dated(0), &far, "2026-03-01T00:00:00Z").1.is_some());
}

#[test]
fn a_leaver_goes_when_the_last_day_is_over() {
    let leaving = person("employed", "Active", &json!("2020-01-01"), &json!("2026-03-28"));
    let look = Some(("2026-03-28T23:00:00Z", "rules.leaver.end_date is 2026-03-28"));
    check(
        &dated(0),
        &leaving,
        &[
            ("2026-01-01T00:00:00Z", "active", look),
            ("2026-03-28T22:59:59Z", "active", look),
            ("2026-03-28T23:00:00Z", "inactive", None),
            ("2027-01-01T00:00:00Z", "inactive", None),
        ],
    );
    let early = person("employed", "Inactive", &json!("2020-01-01"), &json!("2026-03-28"));
    check(&dated(0), &early, &[("2026-01-01T00:00:00Z", "inactive", look)]);
    let at_once = person("employed", "Inactive", &json!("2020-01-01"), &json!(null));
    check(&dated(9), &at_once, &[("2026-01-01T00:00:00Z", "inactive", None)]);
    let stamped = person("employed", "Active", &json!(null), &json!("2026-03-28T23:59:59Z"));
    check(&dated(0), &stamped, &[("2026-01-01T00:00:00Z", "active", look)]);
}

#[test]
fn during_the_grace_the_account_stays_as_it_is() {
    let leaving = person("employed", "Inactive", &json!("2020-01-01"), &json!("2024-02-27"));
    let look = Some(("2024-03-01T23:00:00Z", "rules.leaver.end_date is 2024-02-27"));
    let grace = "rules.leaver.end_date was 2024-02-27: the account stays as it is until 2024-03-02";
    // The grace goes over a leap day and over the end of the month.
    check(
        &dated(3),
        &leaving,
        &[
            ("2024-02-27T22:59:59Z", "inactive", look),
            ("2024-02-27T23:00:00Z", grace, look),
            ("2024-02-29T12:00:00Z", grace, look),
            ("2024-03-01T22:59:59Z", grace, look),
            ("2024-03-01T23:00:00Z", "inactive", None),
        ],
    );
}

#[test]
fn an_end_before_the_start_is_of_an_older_employment() {
    let back = person("employed", "Active", &json!("2026-03-01"), &json!("2025-12-31"));
    check(&dated(0), &back, &[("2026-06-01T00:00:00Z", "active", None)]);
    let hired_again = person("hired", "Inactive", &json!("2026-03-01"), &json!("2025-12-31"));
    check(
        &dated(0),
        &hired_again,
        &[(
            "2026-01-01T00:00:00Z",
            "rules.joiner.start_date is 2026-03-01: the account stays as it is until 2026-02-22",
            Some(("2026-02-21T23:00:00Z", "rules.joiner.start_date is 2026-03-01")),
        )],
    );
    // For one day, or for a season: the next change comes first.
    let season = person("hired", "Inactive", &json!("2026-03-01"), &json!("2026-03-01"));
    let end = "rules.leaver.end_date is 2026-03-01";
    check(
        &dated(0),
        &season,
        &[
            (
                "2026-01-01T00:00:00Z",
                "rules.joiner.start_date is 2026-03-01: the account stays as it is until 2026-02-22",
                Some(("2026-02-21T23:00:00Z", "rules.joiner.start_date is 2026-03-01")),
            ),
            ("2026-02-25T00:00:00Z", "active", Some(("2026-03-01T23:00:00Z", end))),
            ("2026-03-02T00:00:00Z", "inactive", None),
        ],
    );
}

#[test]
fn days_begin_where_the_person_works() {
    let zoned = RuleSettings { time_zone: expression("rules.time_zone", "work.site"), ..dated(0) };
    let leaving = |zone: &str, end: &str| {
        let mut record = person("employed", "Active", &json!(null), &json!(end));
        merge(&mut record.0, &json!({"work": {"site": zone}}));
        record
    };
    for (zone, end, gone) in [
        ("Pacific/Kiritimati", "2026-12-31", "2026-12-31T10:00:00Z"),
        ("America/Los_Angeles", "2026-12-31", "2027-01-01T08:00:00Z"),
        ("Europe/London", "2026-03-28", "2026-03-29T00:00:00Z"),
        ("Europe/London", "2026-03-29", "2026-03-29T23:00:00Z"),
        ("America/Havana", "2026-10-31", "2026-11-01T04:00:00Z"),
        ("Asia/Kolkata", "2028-02-28", "2028-02-28T18:30:00Z"),
        ("UTC", "2028-02-29", "2028-03-01T00:00:00Z"),
    ] {
        let (_, appointment) = judged(&zoned, &leaving(zone, end), "2026-01-01T00:00:00Z");
        assert_eq!(appointment.map(|(at, _)| at).as_deref(), Some(gone), "{zone}");
    }
    let reason = |zone: Value| {
        let record = leaving("UTC", "2026-12-31");
        let mut record = record;
        merge(&mut record.0, &json!({"work": {"site": zone}}));
        refused(&zoned, &record)
    };
    assert_eq!(
        reason(json!("London")),
        (
            "badValue",
            "rules.time_zone: this is no time zone such as Europe/Paris (correct work.site in HiBob)"
                .to_owned()
        )
    );
    assert_eq!(
        reason(json!(null)),
        (
            "badValue",
            "rules.time_zone: no time zone is given, and dates need one (correct work.site in HiBob)"
                .to_owned()
        )
    );
    let staying = somebody(&json!({"work": {"site": "London", "startDate": null}}));
    assert!(wanted(&zoned, &staying).0.active, "who has no date needs no zone");
    let mut hidden = leaving("UTC", "2026-12-31");
    hidden.0["work"] = json!({"startDate": null});
    let missing = vec!["work.site".to_owned()];
    let unknown = Decision::Unknown { rule: "rules.time_zone".into(), missing };
    assert_eq!(decide(&zoned, &hidden).decision, unknown);
}

#[test]
fn what_is_no_date_is_refused_and_what_is_not_permitted_is_not_guessed() {
    for (end, why) in [
        (json!("31/12/2026"), "this is not a date such as 2026-11-21"),
        (json!("2026-02-30"), "this is not a date such as 2026-11-21"),
        (json!(20_261_231), "this is not a date such as 2026-11-21"),
        (json!(["2026-12-31"]), "the rule gives a sequence, not a text"),
        (json!("1900-01-01"), "a date before 1901 is meant for none, but nobody can be sure"),
    ] {
        let reason =
            format!("rules.leaver.end_date: {why} (correct internal.terminationDate in HiBob)");
        let person = person("employed", "Active", &json!(null), &end);
        assert_eq!(refused(&dated(0), &person), ("badValue", reason), "{end}");
    }
    let spelt = Leaver {
        end_date: expression(
            "rules.leaver.end_date",
            "internal.terminationDate|date('DD/MM/YYYY')",
        ),
        grace_days: 0,
    };
    let spelt = RuleSettings { leaver: Some(spelt), ..dated(0) };
    assert_eq!(
        refused(&spelt, &person("employed", "Active", &json!(null), &json!("soon"))).1,
        "rules.leaver.end_date: date: this is not a date in the form that the rule says (correct \
         internal.terminationDate in HiBob)"
    );
    let mut hidden = person("employed", "Active", &json!(null), &json!(null));
    hidden.0["internal"].as_object_mut().expect("a record").remove("terminationDate");
    let missing = vec!["internal.terminationDate".to_owned()];
    let unknown = Decision::Unknown { rule: "rules.leaver.end_date".into(), missing };
    assert_eq!(decide(&dated(0), &hidden).decision, unknown);
}

/// Zones with changes of many kinds.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Paris",
    "America/Havana",
    "America/Asuncion",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Asia/Gaza",
    "Pacific/Kiritimati",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the dates, the zone and the policy: at the appointment, and not a second before, the
    /// rules say something else, or the next appointment is later.
    #[test]
    fn an_appointment_is_when_it_changes(
        zone in 0..ZONES.len(),
        (start, end) in (proptest::option::of(0_i64..40_000), proptest::option::of(0_i64..40_000)),
        now in 0_i64..40_000 * 86_400,
        (days_before, grace_days) in (0_u32..60, 0_u32..60),
        hired: bool,
    ) {
        let first: jiff::civil::Date = "1990-01-01".parse().expect("a date");
        let date = |days: Option<i64>| json!(days.map(|days| {
            first.saturating_add(jiff::Span::new().days(days)).to_string()
        }));
        let settings = RuleSettings {
            time_zone: expression("rules.time_zone", &format!("'{}'", ZONES[zone])),
            joiner: Some(joiner(days_before)),
            leaver: Some(leaver(grace_days)),
            ..settings()
        };
        let rules = compiled(&settings);
        let lifecycle = if hired { "hired" } else { "employed" };
        let record = person(lifecycle, "Active", &date(start), &date(end));
        let now = at("1990-01-01T00:00:00Z") + jiff::SignedDuration::from_secs(now);
        let mut ruling = rules.decide(&record, now);
        let mut last = now;
        let mut rounds = 0;
        while let Some(appointment) = ruling.appointment.take() {
            prop_assert!(appointment.at > last, "{} is not after {last}", appointment.at);
            let before = rules.decide(&record, appointment.at - jiff::SignedDuration::from_secs(1));
            prop_assert_eq!(before.appointment.map(|it| it.at), Some(appointment.at));
            last = appointment.at;
            ruling = rules.decide(&record, last);
            prop_assert_ne!(&before.decision, &ruling.decision);
            rounds += 1;
            prop_assert!(rounds < 4);
        }
    }
}

//! The tables of the full sync: their defaults, and each mistake with its message.

use std::time::Duration;

use instep::config::{BrakeSettings, CertificateSettings, Limit, Missed, SyncSettings};
use instep::model::ChangeKind;

use super::{edited, parse, problems};

/// The configuration with these lines before the rules.
fn with(lines: &str) -> String {
    edited("[rules]\n", &format!("{lines}\n[rules]\n"))
}

fn sync(lines: &str) -> SyncSettings {
    parse(&with(lines)).unwrap().settings.sync
}

/// One mistake in line 14, the second of these.
#[track_caller]
fn mistake(lines: &str, expected: &str) {
    assert_eq!(problems(&with(lines)), [expected], "{lines}");
}

fn limit(percent: u32, least: u32) -> Limit {
    Limit { percent, least, most: None }
}

#[test]
fn without_a_word_the_defaults_protect() {
    let SyncSettings { schedule, certificate, brake, replay } = sync("");
    assert_eq!(replay.per_minute, 600);
    assert_eq!(schedule.full_sync.unwrap().to_string(), "30 2 * * *");
    assert_eq!((schedule.time_zone.iana_name(), schedule.missed), (Some("UTC"), Missed::Once));
    assert_eq!(schedule.closer_looks, 1000);
    let shares =
        CertificateSettings { people_percent: 90, fields_percent: 90, absent: limit(5, 3) };
    assert_eq!(certificate, shares);
    let limits = [
        (ChangeKind::Deactivate, limit(2, 5)),
        (ChangeKind::Create, limit(10, 20)),
        (ChangeKind::Reactivate, limit(5, 5)),
        (ChangeKind::ChangeMail, limit(5, 5)),
        (ChangeKind::LeaveGroup, limit(10, 20)),
        (ChangeKind::Update, limit(50, 50)),
    ];
    let approval = Duration::from_secs(72 * 3600);
    let wanted = BrakeSettings { limits: limits.into(), per_hour: limit(2, 20), approval };
    assert_eq!(brake, wanted);
}

#[test]
fn what_is_said_counts_and_the_rest_stays() {
    let schedule = sync(
        "[schedule]\nfull_sync = \"0 3 * * MON-FRI\"\ntime_zone = \"Europe/London\"\nmissed = \"skip\"",
    )
    .schedule;
    assert_eq!(schedule.full_sync.unwrap().to_string(), "0 3 * * 1-5");
    assert_eq!(schedule.time_zone.iana_name(), Some("Europe/London"));
    assert_eq!(schedule.missed, Missed::Skip);
    assert!(sync("[schedule]\nfull_sync = \"never\"").schedule.full_sync.is_none());
    let brake = sync("[brake]\ndeactivate = { percent = 1, most = 100 }\ncreate.least = 7").brake;
    let deactivate = Limit { percent: 1, least: 5, most: Some(100) };
    assert_eq!(brake.limits[&ChangeKind::Deactivate], deactivate);
    assert_eq!(brake.limits[&ChangeKind::Create], limit(10, 7));
}

#[test]
fn each_mistake_is_named_with_what_to_do() {
    let unknown = "14:13 schedule.full_sync: \"nightly\" is not a time: expected minute, hour, day of \
                   the month, month and day of the week, as in \"30 2 * * *\" for every night at half \
                   past two, or \"never\"";
    mistake("[schedule]\nfull_sync = \"nightly\"", unknown);
    mistake(
        "[schedule]\nfull_sync = \"0 0 31 2 *\"",
        "14:13 schedule.full_sync: \"0 0 31 2 *\" is never: there is no such day. Write \"never\" if \
         that is meant",
    );
    mistake(
        "[schedule]\nfull_sync = 3",
        "14:13 schedule.full_sync: expected text, found the number 3: put it in quotes",
    );
    mistake(
        "[schedule]\ntime_zone = \"London\"",
        "14:13 schedule.time_zone: unknown time zone \"London\": expected a name of the IANA database, \
         as in \"Europe/London\" or \"UTC\"",
    );
    mistake(
        "[schedule]\ntime_zone = 1",
        "14:13 schedule.time_zone: expected text, found the number 1: put it in quotes",
    );
    mistake(
        "[schedule]\nmissed = \"twice\"",
        "14:10 schedule.missed: expected \"once\" or \"skip\"",
    );
    mistake(
        "[brake]\ndeactivate = { percent = 200 }",
        "14:26 brake.deactivate.percent: expected a whole number from 0 to 100, found 200",
    );
    mistake(
        "[brake]\ndeactivate = { most = \"few\" }",
        "14:23 brake.deactivate.most: expected a whole number from 0 to 10000000, found the text \"few\"",
    );
    mistake(
        "[brake]\ndeactivate = { most = 3 }",
        "14:23 brake.deactivate.most: 3 is less than `least`, which is 5",
    );
    mistake("[brake]\ndeactivate = 5", "14:14 brake.deactivate: expected a table, found a number");
    mistake(
        "[brake]\ndeactivat = { percent = 2 }",
        "14:1 brake.deactivat: unknown key `deactivat`, did you mean `deactivate`?",
    );
    mistake(
        "[brake]\napproval_hours = 0",
        "14:18 brake.approval_hours: expected a whole number from 1 to 8760, found 0",
    );
    mistake(
        "[certificate]\npeople_percent = 0.9",
        "14:18 certificate.people_percent: expected a whole number from 0 to 100, found 0.9",
    );
}

#[test]
fn a_run_is_kept_longer_than_what_it_holds_can_be_approved() {
    mistake(
        "[brake]\napproval_hours = 2160",
        "14:18 store.keep_deliveries_days: runs are kept for 90 days and no longer, and a held change \
         can be approved for 2160 hours: keep them longer, or lower [brake] approval_hours",
    );
    mistake(
        "[store]\nkeep_deliveries_days = 3",
        "14:24 store.keep_deliveries_days: runs are kept for 3 days and no longer, and a held change \
         can be approved for 72 hours: keep them longer, or lower [brake] approval_hours",
    );
    assert!(parse(&with("[store]\nkeep_deliveries_days = 4")).is_ok());
}

#[test]
fn last_days_and_the_public_address_may_be_left_out() {
    let settings = parse(&with("")).unwrap().settings;
    let server = &settings.server;
    assert_eq!((&server.public_url, settings.target.client_secret_expires), (&None, None));
    let lines = "[server]\npublic_url = \"https://instep.norvane.example/hr/\"\n[notify]\nexpires_days = 30";
    let settings = parse(&with(lines)).unwrap().settings;
    assert_eq!(settings.server.public_url.as_deref(), Some("https://instep.norvane.example/hr"));
    assert_eq!(settings.notify.expires, Duration::from_secs(30 * 86_400));
    mistake(
        "[server]\npublic_url = \"instep\"",
        "14:14 server.public_url: is not an address of the web: where people reach the console, as in \
         \"https://instep.example.com\"",
    );
    mistake(
        "[server]\npublic_url = \"https://ann:pw@instep.norvane.example\"",
        "14:14 server.public_url: must hold no user, no password, and nothing after ? or #",
    );
    for (given, found) in [("\"soon\"", "the text \"soon\""), ("7", "7")] {
        let text = edited("token =", &format!("token_expires = {given}\ntoken ="));
        let wrong = format!(
            "5:17 source.bob.token_expires: expected a day, as in 2027-03-31, found {found}"
        );
        assert_eq!(problems(&text), [wrong]);
    }
    let day = jiff::civil::date(2027, 3, 31);
    for given in ["2027-03-31", "\"2027-03-31\""] {
        let text = edited("token =", &format!("token_expires = {given}\ntoken ="));
        assert_eq!(parse(&text).unwrap().settings.sources["bob"].token_expires, Some(day));
    }
}

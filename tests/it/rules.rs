//! Examples beside the rules: they hold, and a difference is told so that it can be read.

use std::path::Path;

use instep::app::{Outcome, run_examples};
use instep::config::{self, RuleSettings};

const EXAMPLES: &str = include_str!("../../deploy/instep.tests.example.toml");

/// The rules of the example configuration, with its placeholders filled in.
fn rules() -> RuleSettings {
    let text = config::EXAMPLE
        .replace("SERVICE-00000", "SERVICE-1234")
        .replace("your-client-id", "client")
        .replace("\"000000000000000000000000\"", "\"65f0c1d20000070000000002\"");
    let env = |_: &str| Some("secret".to_owned());
    let loaded = config::parse(Path::new("instep.toml"), &text, &env);
    loaded.expect("the example is in order").settings.sources["bob"].rules.clone()
}

fn run(examples: &str) -> Result<Vec<Outcome>, String> {
    run_examples(&rules(), examples, "2026-11-21T12:00:00Z".parse().expect("a time"))
}

/// What does not hold, in a line each.
fn told(examples: &str) -> Vec<String> {
    let outcomes = run(examples).expect("they can be read").into_iter();
    outcomes.flat_map(|outcome| outcome.mismatches).map(|it| it.to_string()).collect()
}

#[test]
fn the_examples_of_the_example_hold() {
    let outcomes = run(EXAMPLES).expect("they can be read");
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        assert_eq!(outcome.mismatches, [], "{}", outcome.name);
    }
}

#[test]
fn a_difference_says_what_was_expected_and_what_was_found() {
    let examples = r#"
        [[example]]
        name = "wrong in every way"
        record = { id = "1", work = { site = "Rome" } }
        expect = { in_scope = true, active = true, fields = { email = "a@example.test" } }

        [[example]]
        name = "wrong values"
        record = { id = "1", email = "b@example.test", work = { site = "Paris" }, internal = { status = "Active" } }
        expect = { active = false, fields = { email = "a@example.test", username = "a", hat = "x" }, left_alone = ["phone"] }
    "#;
    let told = told(examples);
    assert_eq!(
        told,
        [
            "in_scope: expected true, found false",
            "active: expected true, found nothing: out of scope",
            "email: expected \"a@example.test\", found nothing: out of scope",
            "active: expected false, found true",
            "email: expected \"a@example.test\", found \"b@example.test\"",
            "hat: expected \"x\", found no such field",
            "username: expected \"a\", found username left alone: it has no rule",
            "phone: expected left alone, found \"\"",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_says_where() {
    let error = run("[[example]]\nname = 'x'\nrecrod = {}\n").expect_err("typo");
    assert!(error.contains("line 3") && error.contains("recrod"), "{error}");
}

/// Rules with everything that examples can speak of.
const RICH: &str = r#"
in_scope = "work.site != 'Rome'"
active = "internal.status == 'Active'"
time_zone = "'Asia/Tokyo'"
manager = "work.manager"

[joiner]
who = "internal.lifecycleStatus == 'hired'"
start_date = "work.startDate"
days_before = 7

[leaver]
end_date = "internal.terminationDate"

[fields]
email = "root.email|email"
external_id = "root.id"

[custom_fields]
"Cost centre" = "work.costCentre"

[groups.sites]
path = "['Sites', work.site]"
create = true

[groups.leads]
when = "work.isManager"
path = "'Team leads'"
role = "coach"
"#;

/// A person of theirs, with this more, and what must come out.
fn example(today: &str, more: &str, expect: &str) -> String {
    format!(
        "[[example]]\nname = \"x\"\ntoday = {today}\n[example.record]\nid = \"17\"\nemail = \
         \"a@example.test\"\n{more}\n[example.expect]\n{expect}\n"
    )
}

/// What does not hold of the rich rules.
fn rich(example: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, RICH).expect("written");
    let rules = config::load_rules(&path).expect("in order");
    let outcomes = run_examples(&rules, example, "2030-01-01T12:00:00Z".parse().expect("a time"));
    let outcomes = outcomes.expect("they can be read").into_iter();
    outcomes.flat_map(|outcome| outcome.mismatches).map(|it| it.to_string()).collect()
}

const LEAD: &str = "work = { site = \"Paris\", costCentre = \"7\", manager = \"2\", isManager = true \
                    }\ninternal = { status = \"Active\" }";

#[test]
fn groups_custom_fields_and_managers_can_be_expected() {
    let right = "status = \"active\"\ncustom_fields = { \"Cost centre\" = \"7\" }\ngroups = \
                 [\"Team leads as coach\", \"Sites/Paris\"]\nmanager = \"2\"\nappointment = \"none\"";
    assert_eq!(rich(&example("2026-11-21", LEAD, right)), [""; 0]);
    let wrong = "status = \"inactive\"\ncustom_fields = { \"Cost centre\" = \"8\", Hat = \"x\" }\n\
                 groups = [\"Team leads\", \"Sites/Paris\"]\nmanager = \"\"\nappointment = \
                 2026-12-01\nleft_alone = [\"phone\", \"Cost centre\"]";
    assert_eq!(
        rich(&example("2026-11-21", LEAD, wrong)),
        [
            "status: expected inactive, found active",
            "Cost centre: expected \"8\", found \"7\"",
            "Hat: expected \"x\", found Hat left alone: it has no rule",
            "Cost centre: expected left alone, found \"7\"",
            "groups: expected Team leads as learner, found nothing",
            "groups: expected nothing, found Team leads as coach",
            "manager: expected \"\", found \"2\"",
            "appointment: expected 2026-12-01, found none",
        ]
    );
}

#[test]
fn dates_are_judged_on_the_examples_own_day() {
    let hired = "work = { site = \"Paris\", startDate = 2026-12-01 }\ninternal = { status = \
                 \"Active\", lifecycleStatus = \"hired\" }";
    let early = "status = \"as_it_is\"\nin_scope = true\nappointment = 2026-11-24";
    assert_eq!(rich(&example("2026-11-21", hired, early)), [""; 0]);
    // Midnight in Tokyo is nine hours before midnight in UTC.
    let moment = "appointment = \"2026-11-23T15:00:00Z\"";
    assert_eq!(rich(&example("2026-11-21", hired, moment)), [""; 0]);
    let late = "status = \"as_it_is\"\nfields = { email = \"a@example.test\" }";
    assert_eq!(
        rich(&example("2026-11-25", hired, late)),
        ["status: expected as_it_is, found active"]
    );
    let told = rich(&example("2026-11-21", hired, "active = true\ngroups = [\"Sites/Paris\"]"));
    assert!(
        told[0].starts_with("active: expected true, found nothing: the account stays as it is")
    );
    assert!(told[1].starts_with("groups: expected Sites/Paris, found nothing:"), "{told:?}");
}

#[test]
fn who_is_refused_fails_an_example_that_does_not_expect_it() {
    let spoilt = |expect: &str| {
        example("2026-11-21", LEAD, expect).replace("a@example.test", "not an address")
    };
    assert_eq!(rich(&spoilt("refused = \"badValue\"\nstatus = \"refused\"")), [""; 0]);
    let told = rich(&spoilt("in_scope = true"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("refused: expected nobody refused, found badValue ("), "{told:?}");
    let told = rich(&example("2026-11-21", LEAD, "refused = \"badValue\""));
    assert_eq!(told, ["refused: expected badValue, found nobody refused"]);
}

#[test]
fn a_day_that_is_none_is_told_with_its_line() {
    let error = run(&example("\"soon\"", LEAD, "active = true")).expect_err("no day");
    assert!(error.contains("line 3") && error.contains("as in 2026-12-01"), "{error}");
}

#[test]
fn the_examples_of_the_worked_example_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/example");
    let rules = config::load_rules(&folder.join("rules.toml")).expect("in order");
    let examples = std::fs::read_to_string(folder.join("rules.tests.toml")).expect("a file");
    // Each names its own day, so that the day of the test says nothing.
    let outcomes = run_examples(&rules, &examples, "1999-01-01T12:00:00Z".parse().expect("a time"));
    let outcomes = outcomes.expect("they can be read");
    assert!(outcomes.len() > 5, "{outcomes:?}");
    for outcome in outcomes {
        assert_eq!(outcome.mismatches, [], "{}", outcome.name);
    }
}

//! Examples beside the rules: they hold, and a difference is told so that it can be read.

use std::path::Path;

use instep::app::run_examples;
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

#[test]
fn the_examples_of_the_example_hold() {
    let outcomes = run_examples(&rules(), EXAMPLES).expect("they can be read");
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        assert_eq!(outcome.differences, [""; 0], "{}", outcome.name);
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
    let outcomes = run_examples(&rules(), examples).expect("they can be read");
    let told: Vec<String> = outcomes.into_iter().flat_map(|outcome| outcome.differences).collect();
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
    let error = run_examples(&rules(), "[[example]]\nname = 'x'\nrecrod = {}\n").expect_err("typo");
    assert!(error.contains("line 3") && error.contains("recrod"), "{error}");
}

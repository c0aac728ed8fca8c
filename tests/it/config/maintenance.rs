//! Maintenance windows: what they say, and each mistake with its message.

use std::time::Duration;

use super::{edited, parse, problems};

const WINDOW: [&str; 3] = ["scope = \"target\"", "begins = \"0 22 * * SAT\"", "minutes = 120"];

fn with(lines: &[&str]) -> String {
    let lines = lines.join("\n");
    edited("[rules]\n", &format!("[maintenance.release]\n{lines}\n[rules]\n"))
}

/// What is wrong when one line of a window says something else.
fn wrong(line: usize, instead: &str) -> String {
    let mut lines = WINDOW;
    lines[line] = instead;
    problems(&with(&lines)).join("; ")
}

#[test]
fn a_window_says_what_when_and_for_how_long() {
    assert!(parse(&edited("", "")).unwrap().settings.windows.is_empty());
    let windows = parse(&with(&WINDOW)).unwrap().settings.windows;
    assert_eq!(windows.len(), 1);
    let window = &windows[0];
    assert_eq!((window.name.as_str(), window.scope.to_string().as_str()), ("release", "target"));
    assert_eq!(window.begins.to_string(), "0 22 * * 6");
    assert_eq!(window.lasting, Duration::from_secs(2 * 3600));
    assert_eq!(window.reason, "a maintenance window");
}

#[test]
fn each_mistake_is_named() {
    for (line, instead, told) in [
        (0, "scope = \"weather\"", "expected `all`, `source NAME`, `target`"),
        (0, "scope = \"source nobody\"", "there is no table [source.nobody]"),
        (0, "", "scope: is missing"),
        (1, "begins = \"at ten\"", "\"at ten\" is not a time"),
        (1, "", "begins: is missing"),
        (2, "minutes = 0", "expected a whole number from 1 to 10080, found 0"),
        (2, "", "`minutes` is missing"),
        (2, "minutes = 5\nreason = \"\"", "expected 1 to 200 characters"),
        (2, "minutes = 5\nuntill = 7", "unknown key `untill`"),
    ] {
        let found = wrong(line, instead);
        assert!(found.contains(told), "{instead}: {found}");
    }
}

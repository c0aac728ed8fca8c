//! The runbook has a chapter for each alert; what it and the README link to and tell people to type
//! is there.

use clap::Command;

use super::{alerts, file, read};

#[test]
fn each_alert_has_a_chapter_and_names_it() {
    let (book, rules) = (read("deploy/runbook.md"), read("deploy/prometheus/alerts.yaml"));
    let chapters: Vec<&str> = book.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let alerts = alerts();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        let anchor = format!("runbook.md#{}\"", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} names its chapter");
        assert!(chapters.contains(&alert.as_str()), "{alert} has a chapter");
        let chapter = book.split(&format!("\n## {alert}\n")).nth(1).unwrap_or_default();
        let chapter = chapter.split("\n## ").next().unwrap_or_default();
        for part in ["**Means.**", "**Look.**", "**Do.**"] {
            assert!(chapter.contains(part), "{part} of {alert}");
        }
    }
    for chapter in chapters.iter().filter(|chapter| chapter.starts_with("Instep")) {
        assert!(alerts.iter().any(|alert| alert == chapter), "{chapter} is an alert");
    }
}

/// What people read, and the folder that its links start from.
const BOOKS: [(&str, &str); 2] = [("README.md", ""), ("deploy/runbook.md", "deploy")];

#[test]
fn links_lead_somewhere() {
    for (name, folder) in BOOKS {
        let book = read(name);
        let mut fenced = false;
        let text: Vec<&str> = book
            .lines()
            .filter(|line| {
                let is_fence = line.trim_start().starts_with("```");
                fenced ^= is_fence;
                !fenced && !is_fence
            })
            .collect();
        let anchors: Vec<String> = text.iter().filter_map(|line| anchor(line)).collect();
        let text = text.join("\n");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            match link.strip_prefix('#') {
                Some(to) => assert!(anchors.iter().any(|it| it == to), "{name}: {link}"),
                None => assert!(file(folder).join(link).exists(), "{name}: {link} is not there"),
            }
        }
    }
}

/// The anchor of a heading.
fn anchor(line: &str) -> Option<String> {
    let (marks, title) = line.split_once(' ')?;
    (!marks.is_empty() && marks.bytes().all(|byte| byte == b'#')).then(|| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}

#[test]
fn commands_are_ones_that_there_are() {
    for (name, _) in BOOKS {
        let book = read(name);
        let (mut whole, mut fenced) = (0, false);
        for line in book.lines() {
            if line.starts_with("```") {
                fenced = !fenced;
            } else if fenced && line.starts_with("instep ") {
                let words = words(line.split(" #").next().unwrap_or_default());
                let parsed = instep::cli::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{name}: {line}: {}", parsed.expect_err("an error"));
                whole += 1;
            }
        }
        assert!(whole > 15, "{name}: {whole} commands");
        // Parts of commands, in running text.
        let text = book.replace('\n', " ");
        let spans = text.split('`').filter(|span| span.starts_with("instep "));
        for span in spans {
            let words = words(span);
            known(span, &words[1..]);
        }
    }
}

#[test]
fn the_commands_of_the_readme_are_ones_that_there_are() {
    let book = read("README.md");
    let (mut whole, mut fenced) = (0, false);
    for line in book.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.strip_prefix("$ ").unwrap_or(line);
        // What a redirection or a pipe follows is the shell's.
        let line = [" | ", " > ", "; "]
            .iter()
            .fold(line, |line, cut| line.split(cut).next().unwrap_or_default());
        if !fenced || !line.starts_with("instep ") || line.contains("...`") {
            continue;
        }
        let line = line.split(" #").next().unwrap_or_default();
        let parsed = instep::cli::command().try_get_matches_from(words(line));
        assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("an error"));
        whole += 1;
    }
    assert!(whole > 40, "{whole} commands");
}

#[test]
fn what_is_no_command_is_found() {
    let wrong = ["frobnicate", "runs approve --nonsense"];
    for span in wrong {
        assert!(std::panic::catch_unwind(|| known(span, &words(span))).is_err(), "{span}");
    }
    known("fits", &words("runs approve last --slice deactivate"));
}

/// Whether the words name a command, and flags that it has.
#[track_caller]
fn known(span: &str, words: &[String]) {
    let mut command: Command = instep::cli::command();
    // Gives each command the flags that all have.
    command.build();
    let mut at_command = true;
    for word in words {
        if let Some(flag) = word.strip_prefix("--") {
            let has = command.get_arguments().any(|arg| arg.get_long() == Some(flag));
            assert!(has, "`{span}`: no flag {word}");
            at_command = false;
        } else if at_command {
            match command.find_subcommand(word) {
                Some(found) => command = found.clone(),
                // From here on they are arguments.
                None if command.get_positionals().next().is_some() => at_command = false,
                None => panic!("`{span}`: no command {word}"),
            }
        }
    }
}

/// Words as a shell would cut them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

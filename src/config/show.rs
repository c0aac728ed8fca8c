//! Shows problems to a person: where, what, and the line they stand in, without any secret.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, floor, place};
use super::secret::{is_path, is_variable};

/// Keys whose values can be seen by anyone. Every other value is hidden: that of a mistyped key may
/// be a secret.
const PLAIN: [&str; 41] = [
    "listen",
    "body_limit",
    "webhooks_per_second",
    "connections",
    "shutdown_seconds",
    "namespace",
    "keep_events_days",
    "keep_deliveries_days",
    "lease_seconds",
    "concurrency",
    "attempts",
    "first_retry_seconds",
    "longest_retry_seconds",
    "second_look_seconds",
    "type",
    "base_url",
    "service_user",
    "company_id",
    "searches_per_minute",
    "people_per_search",
    "timeout_seconds",
    "client_id",
    "default_group",
    "activate",
    "send_invitation",
    "writes_per_second",
    "reads_per_second",
    "in_scope",
    "out_of_scope",
    "only_on_create",
    "only_if_empty",
    "active",
    "email",
    "username",
    "first_name",
    "last_name",
    "job",
    "lang",
    "organization",
    "phone",
    "external_id",
];

/// Keys whose values are hidden: secrets, and mails of people.
const HIDDEN: [&str; 5] = ["url", "token", "webhook_secrets", "client_secret", "protected"];

/// Whether it was decided if this key's value can be seen.
#[cfg(test)]
pub(super) fn is_known(key: &str) -> bool {
    PLAIN.contains(&key) || HIDDEN.contains(&key)
}

/// What stands where a value is hidden.
const MASK: &str = "***";

/// Shows each problem with its place and its line, one below the other. `text` is the
/// configuration's text; no secret of it is shown.
pub fn show(path: &Path, text: Option<&str>, problems: &[Problem], color: bool) -> String {
    render(path, text, problems, "", color.then_some(AnsiColor::Red))
}

/// Shows warnings like [`show`] shows problems.
pub fn show_warnings(path: &Path, text: &str, warnings: &[Problem], color: bool) -> String {
    render(path, Some(text), warnings, "warning: ", color.then_some(AnsiColor::Yellow))
}

fn render(
    path: &Path,
    text: Option<&str>,
    problems: &[Problem],
    label: &str,
    color: Option<AnsiColor>,
) -> String {
    let bold = color.map_or(Style::new(), |_| Style::new().bold());
    let mark = color.map_or(Style::new(), |color| color.on_default().bold());
    let veil = text.map(Veil::over).unwrap_or_default();
    let mut out = String::new();
    for problem in problems {
        let Problem { key, span, message } = problem;
        let mut key = key.replace(char::is_control, " ");
        if !key.is_empty() {
            key.push_str(": ");
        }
        let Some((text, span)) = text.zip(span.clone()) else {
            let _ = writeln!(out, "{bold}{}:{bold:#} {label}{key}{message}\n", path.display());
            continue;
        };
        let (line, column) = place(text, span.start);
        let (shown, under) = excerpt(text, &span, &veil);
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let at = format!("{}:{line}:{column}:", path.display());
        let _ = writeln!(out, "{bold}{at}{bold:#} {label}{key}{message}");
        let _ = writeln!(out, "{margin} |\n{number} | {shown}");
        let _ = writeln!(out, "{margin} | {mark}{under}{mark:#}\n");
    }
    out
}

/// The line in which `span` begins, and the carets that go under it.
fn excerpt(text: &str, span: &Range<usize>, veil: &Veil) -> (String, String) {
    let start = text[..floor(text, span.start)].rfind('\n').map_or(0, |n| n + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let (mut shown, mut under) = (String::new(), String::new());
    let mut masked = None;
    for (at, char) in line.char_indices().map(|(at, char)| (start + at, char)) {
        if veil.comments.iter().any(|comment| comment.contains(&at)) {
            break;
        }
        let inside = veil.values.iter().find(|hidden| hidden.contains(&at));
        match inside {
            // One mask for the whole of it, so that not even its length shows.
            Some(range) if masked == Some(range) => {}
            Some(range) => {
                let touches = span.start < range.end && range.start < span.end.max(span.start + 1);
                shown.push_str(MASK);
                under.push_str(if touches { "^^^" } else { "   " });
            }
            None => {
                shown.push(if char.is_control() { ' ' } else { char });
                under.push(if span.contains(&at) { '^' } else { ' ' });
            }
        }
        masked = inside;
    }
    if !under.contains('^') {
        // The end of the line, or a place between two characters.
        let column = text[start..floor(text, span.start)].chars().count();
        let column = column.min(shown.chars().count());
        under = format!("{}^", " ".repeat(column));
    }
    (shown.trim_end().to_owned(), under.trim_end().to_owned())
}

/// The parts of a text that nobody may see.
#[derive(Default)]
struct Veil {
    /// Shown as a mask.
    values: Vec<Range<usize>>,
    /// Left away: they may hold what was once a value.
    comments: Vec<Range<usize>>,
}

impl Veil {
    fn over(text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Self { values: hidden_by_line(text), comments: Vec::new() };
        }
        let (mut leaves, mut values) = (Vec::new(), Vec::new());
        for (key, value) in table.get_ref() {
            walk(key.get_ref(), value, false, &mut |span, hidden| {
                leaves.push(span.clone());
                if hidden {
                    values.push(span);
                }
            });
        }
        Self { values, comments: comments(text, &leaves) }
    }
}

/// Calls `leaf` for each value that holds no others, and says whether it is hidden. `secret`: it
/// belongs to the value of a hidden key.
fn walk(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    secret: bool,
    leaf: &mut dyn FnMut(Range<usize>, bool),
) {
    match value.get_ref() {
        DeValue::Table(table) => {
            let secret = secret || HIDDEN.contains(&key);
            for (name, value) in table {
                // The names in this table are free; its values are expressions.
                let name = if key == "filters" { "in_scope" } else { name.get_ref() };
                walk(name, value, secret, leaf);
            }
        }
        DeValue::Array(list) => list.iter().for_each(|value| walk(key, value, secret, leaf)),
        one => {
            let text = one.as_str().unwrap_or_default();
            let plain = match key {
                "env" if secret => is_variable(text),
                "file" if secret => is_path(text),
                // An address may hold a password where it must not.
                "base_url" => !secret && !text.contains(['@', '?']),
                _ => !secret && PLAIN.contains(&key),
            };
            leaf(value.span(), !plain);
        }
    }
}

/// Where comments stand: behind a `#` outside of every value.
fn comments(text: &str, values: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('#').map(|found| at + found) {
        at = if let Some(value) = values.iter().find(|value| value.contains(&found)) {
            value.end
        } else {
            let end = text[found..].find('\n').map_or(text.len(), |end| found + end);
            comments.push(found..end);
            end
        };
    }
    comments
}

/// For a text that is not TOML: hides everything but table headers and the lines of plain keys.
fn hidden_by_line(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let shown = shown_of(content);
        let value = &content[shown..];
        if !value.is_empty() {
            let from = start + shown + (value.len() - value.trim_start().len());
            hidden.push(from..start + content.len());
        }
        start += line.len();
    }
    hidden
}

/// How many bytes of a line can be seen when it is not certain what the line is.
fn shown_of(line: &str) -> usize {
    if line.starts_with('[') {
        let header = line.chars().all(|c| c.is_ascii_alphanumeric() || "[]._- ".contains(c));
        return if header { line.len() } else { 0 };
    }
    let Some((key, value)) = line.split_once('=') else { return 0 };
    let name = key.trim();
    // Two lines may have become one.
    let pure = !value.contains(['{', '#', '@', '?']) && !HIDDEN.iter().any(|k| value.contains(k));
    match (PLAIN.contains(&name), HIDDEN.contains(&name)) {
        (true, _) if pure => line.len(),
        (false, false) => 0,
        _ => key.len() + 1,
    }
}

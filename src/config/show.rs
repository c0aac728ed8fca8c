//! Shows problems to a person: where, what, and the line they stand in, without any secret.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::problem::{Beside, Problem, floor, place};
use super::veil::Veil;

/// What stands where a value is hidden.
const MASK: &str = "***";

/// Shows each problem with its place and its line, one below the other. `path` and `text` are the
/// configuration's; problems in files beside it are shown there. No secret is shown.
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
        let Problem { file, key, span, message } = problem;
        let mut key = key.replace(char::is_control, " ");
        if !key.is_empty() {
            key.push_str(": ");
        }
        let path = file.as_ref().map_or(path, Beside::path).display();
        let beside;
        let (text, veil) = match file {
            None => (text, &veil),
            Some(Beside::Rules(origin)) => {
                beside = Veil::over(&origin.text);
                (Some(origin.text.as_str()), &beside)
            }
            Some(Beside::Table { line, column, .. }) => {
                let at = format!("{path}:{line}:{column}:");
                let _ = writeln!(out, "{bold}{at}{bold:#} {label}{key}{message}\n");
                continue;
            }
        };
        let Some((text, span)) = text.zip(span.clone()) else {
            let _ = writeln!(out, "{bold}{path}:{bold:#} {label}{key}{message}\n");
            continue;
        };
        let (line, column) = place(text, span.start);
        let (shown, under) = excerpt(text, &span, veil);
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let at = format!("{path}:{line}:{column}:");
        let _ = writeln!(out, "{bold}{at}{bold:#} {label}{key}{message}");
        let _ = writeln!(out, "{margin} |\n{number} | {shown}");
        let _ = writeln!(out, "{margin} | {mark}{under}{mark:#}\n");
    }
    out
}

/// A text with a mask over each value that may be a secret, and without its comments.
pub fn veiled(text: &str) -> String {
    let Veil { values, comments } = Veil::over(text);
    let mut parts: Vec<(Range<usize>, &str)> =
        values.into_iter().map(|range| (range, MASK)).collect();
    parts.extend(comments.into_iter().map(|range| (range, "")));
    parts.sort_by_key(|(range, _)| range.start);
    let (mut out, mut at) = (String::new(), 0);
    for (range, shown) in parts {
        // One value may lie inside another.
        if range.start < at {
            continue;
        }
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(shown);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    let mut told: Vec<&str> = Vec::new();
    for line in lines {
        // Where comments stood, empty lines would pile up.
        if !(line.is_empty() && told.last().is_none_or(|last| last.is_empty())) {
            told.push(line);
        }
    }
    told.join("\n").trim_end().to_owned()
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

//! What is wrong with a configuration, and where in the file it stands.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::Origin;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file beside the configuration in which it stands; none for the configuration itself.
    pub file: Option<Beside>,
    /// The key: `source.bob.token`. Empty for what concerns the whole file.
    pub key: String,
    /// Where in the file, in bytes.
    pub span: Option<Range<usize>>,
    /// What is wrong and what to do. Never the value of a secret.
    pub message: String,
}

/// A file that the configuration names, and the place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Rules; the problem's span is a place in them.
    Rules(Arc<Origin>),
    /// A lookup table. Its cells may be about people, so its lines are never shown.
    Table {
        /// Where it is.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
    },
}

impl Beside {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Rules(origin) => &origin.path,
            Self::Table { path, .. } => path,
        }
    }
}

/// A problem for programs: `instep check --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding<'p> {
    /// The file; absent when it is the one that is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1; absent for what concerns the whole file.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// The key.
    pub key: &'p str,
    /// What is wrong and what to do.
    pub message: &'p str,
}

impl Problem {
    /// A problem in the configuration itself.
    pub(super) fn new(key: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        Self { file: None, key: key.to_owned(), span, message: message.into() }
    }

    /// The order in which problems are shown: the configuration first, each file from its beginning.
    pub(super) fn order(&self) -> impl Ord + use<> {
        let file = self.file.as_ref().map(|file| file.path().to_owned());
        let at = match &self.file {
            Some(Beside::Table { line, column, .. }) => (*line, *column),
            _ => (self.span.as_ref().map_or(usize::MAX, |span| span.start), 0),
        };
        (file, at)
    }

    /// The problem with its line and column; `text` is the configuration's text.
    pub fn finding<'p>(&'p self, text: Option<&str>) -> Finding<'p> {
        let at = |text: Option<&str>| Some(place(text?, self.span.as_ref()?.start));
        let place = match &self.file {
            None => at(text),
            Some(Beside::Rules(origin)) => at(Some(&origin.text)),
            Some(Beside::Table { line, column, .. }) => Some((*line, *column)),
        };
        Finding {
            file: self.file.as_ref().map(|file| file.path().display().to_string()),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            key: &self.key,
            message: &self.message,
        }
    }
}

/// What is wrong with the TOML itself: the first error of each line, since one begets others.
pub(super) fn of_syntax(text: &str, errors: &[toml::de::Error]) -> Vec<Problem> {
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    for error in errors {
        let line = error.span().map(|span| place(text, span.start).0);
        if !lines.contains(&line) {
            lines.push(line);
            let message = format!("this is not TOML: {}", error.message());
            problems.push(Problem::new("", error.span(), message));
        }
    }
    problems
}

/// The beginning of the character that byte `byte` belongs to.
pub(super) fn floor(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The line and the column of a byte, both from 1.
pub(super) fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..floor(text, byte)];
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The key it is the value of: `rules.fields.email`.
    pub key: String,
    /// The text.
    pub text: String,
    /// Where the text begins in the file, in bytes, quotes excluded; for pointing at an error. The
    /// place of the table's header when the expression is a default.
    pub at: usize,
}

impl Expression {
    /// A problem with bytes `range` of this expression, pointing into the configuration's text
    /// `file`.
    pub fn problem(&self, file: &str, range: Range<usize>, message: impl Into<String>) -> Problem {
        let start = self.in_file(file, range.start);
        let end = self.in_file(file, range.end).max(start);
        Problem::new(&self.key, Some(start..end), message)
    }

    /// Where byte `offset` of the text stands in the file: escapes are longer there.
    fn in_file(&self, file: &str, offset: usize) -> usize {
        let Some((before, rest)) = file.split_at_checked(self.at) else { return self.at };
        let opening = before.strip_suffix('\n').unwrap_or(before);
        let opening = opening.strip_suffix('\r').unwrap_or(opening);
        if !opening.ends_with('"') {
            return (self.at + offset).min(file.len());
        }
        let (mut seen, mut raw) = (0, 0);
        while seen < offset {
            let Some(char) = rest[raw..].chars().next() else { break };
            let (in_text, in_file) = match (char, rest[raw + char.len_utf8()..].chars().next()) {
                ('\\', Some('x')) => (escaped(rest, raw + 2, 2), 4),
                ('\\', Some('u')) => (escaped(rest, raw + 2, 4), 6),
                ('\\', Some('U')) => (escaped(rest, raw + 2, 8), 10),
                ('\\', Some(' ' | '\t' | '\r' | '\n')) => {
                    let after = &rest[raw + 1..];
                    (0, 1 + after.len() - after.trim_start().len())
                }
                ('\\', Some(_)) => (1, 2),
                _ => (char.len_utf8(), char.len_utf8()),
            };
            seen += in_text;
            raw += in_file;
            if raw >= rest.len() {
                break;
            }
        }
        floor(rest, raw) + self.at
    }
}

/// How many bytes the character written as `digits` hexadecimal digits takes.
fn escaped(text: &str, at: usize, digits: usize) -> usize {
    text.get(at..at + digits)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .and_then(char::from_u32)
        .map_or(1, char::len_utf8)
}

//! `instep check`: names everything that is wrong with a configuration, at once.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::app::Tried;
use crate::config::{self, Finding, Loaded, Problem};

/// What `instep check --json` prints.
#[derive(Serialize)]
struct Report<'r> {
    file: String,
    ok: bool,
    problems: Vec<Finding<'r>>,
    warnings: Vec<Finding<'r>>,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a person; with colour or without.
    Text {
        /// With colour.
        color: bool,
    },
    /// One JSON document.
    Json,
}

/// Checks the configuration at `path` and prints what was found to `out`. `rules` checks what this
/// part cannot: it compiles the expressions. Returns the configuration if it is in order.
///
/// # Errors
/// `out` cannot be written to.
pub fn run(
    path: &Path,
    form: Form,
    rules: &dyn Fn(&Loaded) -> Vec<Problem>,
    out: &mut dyn Write,
) -> io::Result<Option<Loaded>> {
    let (loaded, text, problems) = match config::load(path) {
        Ok(loaded) => {
            let problems = rules(&loaded);
            let text = Some(loaded.text.clone());
            (Some(loaded), text, problems)
        }
        Err(failed) => (None, failed.text, failed.problems),
    };
    let loaded = loaded.filter(|_| problems.is_empty());
    let warnings = loaded.as_ref().map_or(&[][..], |loaded| &loaded.warnings);
    let text = text.as_deref();
    match form {
        Form::Json => {
            let report = Report {
                file: path.display().to_string(),
                ok: loaded.is_some(),
                problems: problems.iter().map(|problem| problem.finding(text)).collect(),
                warnings: warnings.iter().map(|problem| problem.finding(text)).collect(),
            };
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
        Form::Text { color } => {
            write!(out, "{}", config::show(path, text, &problems, color))?;
            write!(
                out,
                "{}",
                config::show_warnings(path, text.unwrap_or_default(), warnings, color)
            )?;
            let verdict = match (problems.len(), warnings.len()) {
                (0, 0) => "is in order".to_owned(),
                (0, 1) => "is in order, with 1 warning".to_owned(),
                (0, many) => format!("is in order, with {many} warnings"),
                (1, _) => "has 1 problem".to_owned(),
                (many, _) => format!("has {many} problems"),
            };
            writeln!(out, "{} {verdict}", path.display())?;
        }
    }
    Ok(loaded)
}

/// Prints what a try of everything outside showed.
///
/// # Errors
/// `out` cannot be written to.
pub fn tell(
    path: &Path,
    text: &str,
    tried: &Tried,
    form: Form,
    out: &mut dyn Write,
) -> io::Result<()> {
    match form {
        Form::Json => {
            for finding in &tried.findings {
                writeln!(out, "{}", serde_json::to_string(finding)?)?;
            }
            for problem in &tried.misnamed {
                let mut found = serde_json::to_value(problem.finding(Some(text)))?;
                found["part"] = "rules".into();
                found["failed"] = true.into();
                writeln!(out, "{found}")?;
            }
        }
        Form::Text { color } => {
            for finding in &tried.findings {
                writeln!(out, "{finding}")?;
            }
            write!(out, "{}", config::show(path, Some(text), &tried.misnamed, color))?;
        }
    }
    Ok(())
}

//! `instep rules test`: runs the examples beside the rules. It asks neither a store nor a far end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::super::USAGE;
use super::super::colours::{BAD, BOLD, DIM, GOOD};
use super::super::deliveries::table::plain;
use super::file_of;
use crate::app::{self, Mismatch, Outcome};
use crate::clock::Clock;
use crate::config::{RuleSettings, Settings};

#[derive(Debug, clap::Args)]
pub(super) struct TestArgs {
    /// The file of examples; without it, NAME.tests.toml beside the rules NAME.toml.
    file: Option<PathBuf>,
    /// Only the rules of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// The examples that belong to a file of rules.
pub(super) fn examples_of(rules: &Path) -> PathBuf {
    rules.with_extension("tests.toml")
}

pub(super) fn run(args: &TestArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    let (mut hold, mut fail) = (0_usize, 0_usize);
    for (file, rules) in rules(args, settings)? {
        let examples = args.file.clone().unwrap_or_else(|| examples_of(&file));
        let shown = examples.display();
        let text = std::fs::read_to_string(&examples).with_context(|| {
            format!("{shown} cannot be read; it holds the examples of {}", file.display())
        })?;
        let outcomes = match app::run_examples(rules, &text, now) {
            Ok(outcomes) => outcomes,
            Err(why) => {
                anstream::eprintln!("{BAD}{shown}{BAD:#}: {why}");
                return Ok(ExitCode::from(USAGE));
            }
        };
        anstream::println!("{BOLD}{shown}{BOLD:#}");
        for outcome in &outcomes {
            show(outcome);
            *if outcome.mismatches.is_empty() { &mut hold } else { &mut fail } += 1;
        }
    }
    if fail > 0 {
        anstream::println!("\n{DIM}- is what was expected, + is what the rules give{DIM:#}");
    }
    println!("\n{hold} examples hold, {fail} do not");
    Ok(if fail == 0 && hold > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rules to test with their files: those that several sources share, once.
fn rules<'s>(
    args: &TestArgs,
    settings: &'s Settings,
) -> anyhow::Result<Vec<(PathBuf, &'s RuleSettings)>> {
    let mut found: Vec<(PathBuf, &RuleSettings)> = Vec::new();
    for (name, source) in &settings.sources {
        if args.source.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let file = file_of(&source.rules, settings);
        if !found.iter().any(|(known, _)| *known == file) {
            found.push((file, &source.rules));
        }
    }
    if let (true, Some(only)) = (found.is_empty(), &args.source) {
        bail!("there is no source {} in the configuration", plain(only));
    }
    if args.file.is_some() && found.len() > 1 {
        bail!("the sources have rules of their own: say with --source whose rules are meant");
    }
    Ok(found)
}

fn show(outcome: &Outcome) {
    let (style, word) = if outcome.mismatches.is_empty() { (GOOD, "ok") } else { (BAD, "FAILED") };
    anstream::println!("{style}{word:<7}{style:#} {}", plain(&outcome.name));
    let wide = outcome.mismatches.iter().map(|it| it.what.chars().count()).max().unwrap_or(0);
    for Mismatch { what, expected, found } in &outcome.mismatches {
        let mut what = what.as_str();
        if let Some(expected) = expected {
            anstream::println!("        {what:<wide$}  {BAD}- {}{BAD:#}", plain(expected));
            what = "";
        }
        if let Some(found) = found {
            anstream::println!("        {what:<wide$}  {GOOD}+ {}{GOOD:#}", plain(found));
        }
    }
}

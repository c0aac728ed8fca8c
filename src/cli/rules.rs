//! `instep rules`: tries an expression on somebody, runs the examples beside the rules, lists values
//! that tables lack, and says which rules there are.

mod misses;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;

use self::misses::MissesArgs;
use self::test::TestArgs;
use super::colours::{BAD, BOLD, DIM, GOOD, WARN};
use super::deliveries::table::plain;
use crate::app::{self, BuildError, PreviewError};
use crate::config::{RuleSettings, Settings};
use crate::model::explanation::Input;
use crate::model::story::VEIL;
use crate::model::words::count_of;
use crate::store::Store;

/// What `instep rules` takes.
#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Evaluates an expression on somebody's real record.
    Try {
        /// The expression: "label.work.title|upper"
        expression: String,
        /// Somebody, by id, mail or full name.
        #[arg(long)]
        employee: String,
    },
    /// Runs examples: a record in, the desired account out. Exit code 1 when one does not hold.
    Test(TestArgs),
    /// Lists values that were not in a lookup table. Exit code 1 when there are some.
    Misses(MissesArgs),
    /// Says where the rules of each source stand, and their version.
    Show,
}

/// Runs the command; `open` opens the store for those that need it.
///
/// # Errors
/// When a source or the store does not answer, or a file cannot be read.
pub async fn run(
    args: RulesArgs,
    settings: &Settings,
    open: impl AsyncFnOnce() -> anyhow::Result<Arc<dyn Store>>,
) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Try { expression, employee } => {
            try_out(settings, &open().await?, &expression, &employee).await
        }
        Command::Test(args) => test::run(&args, settings),
        Command::Misses(args) => misses::run(&args, settings, &*open().await?).await,
        Command::Show => {
            for (name, source) in &settings.sources {
                show(name, &source.rules, settings);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The file in which rules stand.
fn file_of(rules: &RuleSettings, settings: &Settings) -> PathBuf {
    let path = &rules.origin.path;
    if path == Path::new("") { settings.path.clone() } else { path.clone() }
}

fn show(name: &str, rules: &RuleSettings, settings: &Settings) {
    anstream::println!("{BOLD}{name}{BOLD:#}");
    let say = |what: &str, said: String| anstream::println!("  {DIM}{what:<13}{DIM:#} {said}");
    let file = file_of(rules, settings);
    say("file", file.display().to_string());
    say("version", rules.version.clone());
    say("filters", (rules.filters.len() + 1).to_string());
    say("fields", rules.fields.len().to_string());
    say("custom fields", rules.custom_fields.len().to_string());
    say("groups", rules.groups.len().to_string());
    for (name, table) in &rules.tables {
        let rows = count_of(table.rows.len(), "row", "rows");
        say("table", format!("{name}: {rows}, {}", table.file.display()));
    }
    let examples = test::examples_of(&file);
    let there = if examples.exists() { "" } else { " (there is none)" };
    say("examples", format!("{}{there}", examples.display()));
}

async fn try_out(
    settings: &Settings,
    store: &Arc<dyn Store>,
    expression: &str,
    employee: &str,
) -> anyhow::Result<ExitCode> {
    let tried = match app::try_expression(settings, store, expression, employee).await {
        Err(PreviewError::Build(BuildError::Rules(problems))) => {
            anstream::eprintln!("{expression}");
            for problem in problems {
                let at = problem.range.map_or(0..1, |range| range);
                let before = expression.get(..at.start).unwrap_or_default().chars().count();
                let carets = at.len().max(1);
                anstream::eprintln!("{}{}", " ".repeat(before), "^".repeat(carets));
                anstream::eprintln!("{BAD}{}{BAD:#}", problem.message);
            }
            return Ok(ExitCode::from(super::USAGE));
        }
        tried => tried?,
    };
    if tried.is_empty() {
        bail!("nobody is found: give the id, the mail exactly as HiBob has it, or the full name");
    }
    for tried in tried {
        anstream::println!("{}", tried.person);
        for (field, input) in tried.explained.inputs {
            let shown = match input {
                Input::Value(value) => plain(&value.to_string()),
                Input::Empty => "empty".to_owned(),
                Input::Veiled => VEIL.to_owned(),
                Input::Missing => "missing: not permitted, or no such field".to_owned(),
            };
            anstream::println!("  {field:<26} {shown}");
        }
        for miss in tried.misses {
            let (table, keys) = (plain(&miss.table), plain(&miss.keys.join(", ")));
            anstream::println!("  {WARN}not in table {table}: {keys}{WARN:#}");
        }
        match tried.explained.result {
            Ok(value) => anstream::println!("  {GOOD}= {}{GOOD:#}", plain(&value.to_string())),
            Err(why) => anstream::println!("  {BAD}no result: {}{BAD:#}", plain(&why)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

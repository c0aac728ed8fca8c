//! `instep rules`: tries an expression on somebody, and runs the examples beside the rules.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, bail};

use crate::app::{self, BuildError, Input, PreviewError};
use crate::config::Settings;
use crate::store::Store;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

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
    /// Runs examples: a record in, the desired account out.
    Test {
        /// The file of examples; without it, instep.tests.toml beside instep.toml.
        file: Option<PathBuf>,
    },
}

/// Runs the command. Exit code 1 when an example does not hold or nobody is found.
///
/// # Errors
/// When the source does not answer or the file cannot be read.
pub async fn run(
    args: RulesArgs,
    config: &Path,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Try { expression, employee } => {
            try_out(settings, store, &expression, &employee).await
        }
        Command::Test { file } => test(config, settings, file),
    }
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
    for (person, explained) in tried {
        anstream::println!("{person}");
        for (field, input) in explained.inputs {
            let shown = match input {
                Input::Value(value) => value.to_string(),
                Input::Empty => "empty".to_owned(),
                Input::Missing => "missing: not permitted, or no such field".to_owned(),
            };
            anstream::println!("  {field:<26} {shown}");
        }
        match explained.result {
            Ok(value) => anstream::println!("  {GOOD}= {value}{GOOD:#}"),
            Err(why) => anstream::println!("  {BAD}no result: {why}{BAD:#}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn test(config: &Path, settings: &Settings, file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let file = file.unwrap_or_else(|| config.with_extension("tests.toml"));
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let mut outcomes = Vec::new();
    for source in settings.sources.values() {
        let these = app::run_examples(&source.rules, &text)
            .map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
        outcomes.extend(these);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count();
    for outcome in &outcomes {
        let (style, word) =
            if outcome.differences.is_empty() { (GOOD, "ok") } else { (BAD, "FAILED") };
        anstream::println!("{style}{word:<7}{style:#} {}", outcome.name);
        for difference in &outcome.differences {
            anstream::println!("          {difference}");
        }
    }
    println!("\n{} examples hold, {failed} do not", outcomes.len() - failed);
    Ok(if failed == 0 && !outcomes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

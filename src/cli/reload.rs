//! `instep reload`: new rules for every process that serves, if they check.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::USAGE;
use super::colours::{BAD, BOLD, GOOD, WARN};
use super::deliveries::table::plain;
use crate::app::{self, Answer, Desk, Purpose};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::{Actor, Refused, Verb};

/// What `instep reload` takes.
#[derive(Debug, clap::Args)]
pub struct ReloadArgs {
    /// Does not ask HiBob and 360Learning whether they have what the rules name.
    #[arg(long)]
    offline: bool,
}

/// Checks the rules and has every serving process on the same store take them. Exit code 2 when
/// they do not check; 1 when some process refused, or none answered.
///
/// # Errors
/// When a far end or the store does not answer.
pub async fn run(args: ReloadArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let Some(loaded) = super::load(config) else { return Ok(ExitCode::from(USAGE)) };
    let clock = Clock::system();
    let store = app::open_store(&loaded.settings.store, Purpose::Looking, &clock).await?;
    if !args.offline {
        let problems = app::misnamed(&loaded.settings, &store).await.map_err(|error| {
            anyhow::anyhow!("{error}; to leave the far ends out of it: --offline")
        })?;
        if !problems.is_empty() {
            super::tell_problems(config, Some(&loaded.text), &problems);
            anstream::eprintln!("{BAD}Nothing was reloaded.{BAD:#}");
            return Ok(ExitCode::from(USAGE));
        }
    }
    let by = super::runs::who(None).unwrap_or_else(|| "somebody at a terminal".to_owned());
    let settings = Arc::new(loaded.settings);
    let desk = Desk::new(settings.clone(), store.clone(), clock).checked();
    let done = desk.act(&Actor::at_the_command_line(&by), Verb::Reload).await;
    if let Err(Refused::Wrong(_) | Refused::Unavailable(_)) = &done {
        done?;
        return Ok(ExitCode::FAILURE);
    }
    let nobody = matches!(&done, Err(Refused::Conflict(said)) if said == app::NOBODY_ANSWERED);
    let answers = if nobody { Vec::new() } else { app::last_answers(&*store).await? };
    for answer in &answers {
        let process = plain(&answer.process);
        if answer.refused.is_empty() {
            anstream::println!("{GOOD}{process} took the rules{GOOD:#}");
        } else {
            anstream::println!("{BAD}{process} refused{BAD:#}");
            for why in &answer.refused {
                anstream::println!("  {}", plain(why));
            }
        }
    }
    Ok(tell(&answers, &settings))
}

fn tell(answers: &[Answer], settings: &Settings) -> ExitCode {
    for (name, source) in &settings.sources {
        let version = &source.rules.version;
        let live = |answer: &&Answer| {
            answer.versions.iter().any(|(of, is)| of.as_str() == name && is == version)
        };
        let (took, all) = (answers.iter().filter(live).count(), answers.len());
        anstream::println!(
            "{BOLD}{name}{BOLD:#}: rules {version} are live in {took} of {all} processes that \
             answered"
        );
    }
    let restart: BTreeSet<&String> = answers.iter().flat_map(|answer| &answer.restart).collect();
    for key in restart {
        anstream::println!(
            "{WARN}{} has changed and counts only after a restart{WARN:#}",
            plain(key)
        );
    }
    if answers.is_empty() {
        anstream::eprintln!(
            "No process answered: does `instep serve` run on this store? The next one to start uses \
             these rules."
        );
    }
    let refused = answers.iter().any(|answer| !answer.refused.is_empty());
    if refused || answers.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

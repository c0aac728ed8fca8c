//! `instep failures`: dead and held deliveries by their causes, and what to do about each.
//!
//! Exit codes: 0 there are none, or the one that was asked for is shown; 1 there are some, or there is
//! no such cause.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use super::deliveries::filter::{When, when};
use super::deliveries::table::{BOLD, DIM, plain, time};
use super::deliveries::{Exit, Terminal};
use crate::app::Desk;
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::question::Answer;
use crate::model::{Actor, Delivery, Failure, Question, Which};
use crate::report::{self, number};
use crate::store::Store;
use crate::store::finding::Finding;

/// So many different reasons of one cause are shown in full.
const REASONS: usize = 5;

/// So many people of a cause are named.
const PEOPLE: usize = 20;

/// The bars of a trend.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Lists causes, dead letters first.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FailuresArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// Of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// With a delivery that was received since then: 2h, 3d, 2026-11-20.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<When>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One cause: who, why, and what to do.
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The cause's name, or enough of its beginning.
    #[arg(value_name = "CAUSE")]
    cause: String,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command on the real terminal.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: FailuresArgs,
    settings: Settings,
    store: Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::new(Arc::new(settings), Arc::clone(&store), clock.clone());
    let (store, clock) = (store.as_ref(), clock.clone());
    Terminal::real(async |terminal| match &args.command {
        None => list(&args, &desk, &clock, terminal).await,
        Some(Command::Show(args)) => show(args, &desk, store, terminal).await,
    })
    .await
}

async fn ask(desk: &Desk) -> anyhow::Result<Vec<Failure>> {
    let actor = Actor::at_the_command_line("");
    match desk.ask(&actor, Question::Failures).await? {
        Answer::Failures(failures) => Ok(failures),
        _ => Ok(Vec::new()),
    }
}

async fn list(
    args: &FailuresArgs,
    desk: &Desk,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let since = args.since.as_ref().map(|when| when.at(clock.now())).transpose()?;
    let mut failures = ask(desk).await?;
    failures.retain(|failure| {
        args.source.as_ref().is_none_or(|source| failure.source.as_str() == source)
            && since.is_none_or(|since| failure.last >= since)
    });
    if failures.is_empty() {
        terminal.note("Nothing failed that needs a person, and nothing waits behind a hold.")?;
        return Ok(Exit::Done);
    }
    if args.json {
        for failure in &failures {
            terminal.line(&serde_json::to_string(failure)?)?;
        }
        return Ok(Exit::Nothing);
    }
    for failure in &failures {
        terminal.text(&summary(failure))?;
    }
    terminal.note("One of them: instep failures show CAUSE")?;
    Ok(Exit::Nothing)
}

/// A cause in three lines.
fn summary(failure: &Failure) -> String {
    let mut text = String::new();
    let what = if failure.dead { "dead" } else { "waiting" };
    let (deliveries, people) = (number(failure.deliveries), report::people(failure.people));
    let name = plain(&failure.cause);
    let _ = writeln!(
        text,
        "{BOLD}{name}{BOLD:#}  {deliveries} {what}, {people}, {}  {DIM}{}{DIM:#}",
        plain(failure.source.as_str()),
        bars(&failure.trend),
    );
    let _ = writeln!(text, "  {}", plain(&failure.shape));
    let (first, last) = (time(failure.first), time(failure.last));
    let _ = writeln!(text, "  {DIM}first {first}, last {last} UTC{DIM:#}");
    let _ = writeln!(text, "  {}", plain(&failure.advice));
    text
}

/// The last 24 hours as bars; nothing when nothing came.
fn bars(trend: &[u64]) -> String {
    let most = trend.iter().copied().max().unwrap_or_default();
    if most == 0 {
        return String::new();
    }
    let bar = |value: &u64| match value {
        0 => ' ',
        value => {
            let height = (value * 8).div_ceil(most).clamp(1, 8);
            BARS[usize::try_from(height - 1).unwrap_or_default()]
        }
    };
    format!("24 h |{}|", trend.iter().map(bar).collect::<String>())
}

async fn show(
    args: &ShowArgs,
    desk: &Desk,
    store: &dyn Store,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let wanted = args.cause.trim();
    let mut failures = ask(desk).await?;
    if failures.iter().any(|failure| failure.cause == wanted) {
        failures.retain(|failure| failure.cause == wanted);
    } else {
        failures.retain(|failure| failure.cause.starts_with(wanted));
    }
    let [failure] = failures.as_slice() else {
        let name = plain(wanted);
        terminal.note(&match failures.len() {
            0 => format!("There is no cause {name} (any more): instep failures"),
            _ => format!("Several causes begin with {name}: give more of the name."),
        })?;
        return Ok(Exit::Nothing);
    };
    let found = examples(failure, store).await?;
    let replay = format!("instep replay --cause {}", failure.cause);
    let discard = format!("instep deliveries discard --cause {} --reason \"...\"", failure.cause);
    if args.json {
        let mut shown = serde_json::to_value(failure)?;
        shown["people_named"] = serde_json::json!(people(&found));
        shown["reasons"] = serde_json::json!(reasons(&found));
        if failure.dead {
            shown["replay"] = replay.into();
            shown["discard"] = discard.into();
        }
        terminal.line(&shown.to_string())?;
        return Ok(Exit::Done);
    }
    let mut text = summary(failure);
    let _ = writeln!(text, "\n{BOLD}Reasons{BOLD:#}");
    for reason in reasons(&found) {
        let _ = writeln!(text, "  {}", plain(&reason));
    }
    let _ = writeln!(text, "\n{BOLD}People{BOLD:#}, those of the newest deliveries");
    for person in people(&found) {
        let _ = writeln!(text, "  {}", plain(&person));
    }
    let _ = writeln!(text, "\n{BOLD}Deliveries{BOLD:#}, the newest");
    for id in &failure.examples {
        let _ = writeln!(text, "  instep deliveries show {id}");
    }
    if failure.dead {
        let _ = writeln!(text, "\n{BOLD}When the cause is gone{BOLD:#}");
        let _ = writeln!(text, "  $ {replay}  {DIM}# shows what would change, and asks{DIM:#}");
        let _ = writeln!(text, "  $ {discard}  {DIM}# closes them for good{DIM:#}");
    }
    terminal.text(&text)?;
    Ok(Exit::Done)
}

/// The newest deliveries of a cause.
async fn examples(failure: &Failure, store: &dyn Store) -> anyhow::Result<Vec<Delivery>> {
    if !failure.dead {
        let mut found = Vec::new();
        for id in &failure.examples {
            found.extend(store.delivery(id).await?);
        }
        return Ok(found);
    }
    let which = Which {
        cause: Some(failure.cause.clone()),
        source: Some(failure.source.clone()),
        ..Which::default()
    };
    let (mut finding, mut found) = (Finding::of(which, None), Vec::new());
    while found.len() < PEOPLE {
        let Some(some) = finding.next(store).await? else { break };
        found.extend(some);
    }
    Ok(found)
}

fn people(found: &[Delivery]) -> Vec<String> {
    let mut people: Vec<String> = Vec::new();
    for person in found.iter().filter_map(Delivery::person) {
        let person = person.to_string();
        if !people.contains(&person) && people.len() < PEOPLE {
            people.push(person);
        }
    }
    people
}

fn reasons(found: &[Delivery]) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for reason in found.iter().filter_map(|delivery| delivery.reason.clone()) {
        if !reasons.contains(&reason) && reasons.len() < REASONS {
            reasons.push(reason);
        }
    }
    reasons
}

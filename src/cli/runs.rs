//! `instep runs`: what full syncs and replays found and did; `show` one, `watch` it, decide on what
//! waits for a human.
//!
//! Exit codes: 0 done, 1 not found or not done, 2 asked wrongly. What is found goes to stdout,
//! everything else to stderr.

mod decide;
mod find;
mod people;
pub(super) mod progress;
mod show;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) use show::screen;

use super::deliveries::table::plain;
use super::deliveries::{Exit, Terminal};
use crate::app::Desk;
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::{Personal, Run, RunState, Verb};
use crate::store::{Runs, Store};

/// Lists runs, newest first.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only those that are under way or have something to be decided on, however old.
    #[arg(long)]
    open: bool,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What a run found and did, and what it holds.
    Show(show::ShowArgs),
    /// Shows how far a run is, until it has ended.
    Watch(watch::WatchArgs),
    /// Has held slices applied, or a part of one; confirms a replay.
    Approve(decide::ApproveArgs),
    /// Leaves everything in held slices as it is.
    Reject(decide::RejectArgs),
    /// Stops a run: what no worker has begun is not applied any more.
    Cancel(decide::CancelArgs),
    /// Queues nothing more of a replay until it is resumed.
    Pause(decide::CancelArgs),
    /// Goes on with a paused replay.
    Resume(decide::CancelArgs),
}

/// How much personal data is shown.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(super) enum Shown {
    /// Ids only.
    None,
    /// Names too.
    Names,
    /// Names, and what fields and groups held and hold.
    #[default]
    Values,
}

impl From<Shown> for Personal {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::None => Self::None,
            Shown::Names => Self::Names,
            Shown::Values => Self::Values,
        }
    }
}

/// Runs the command on the real terminal.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: RunsArgs,
    settings: Settings,
    store: Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let zone = settings.sync.schedule.time_zone.clone();
    let desk = &Desk::new(Arc::new(settings), Arc::clone(&store), clock.clone());
    let store = store.as_ref();
    Terminal::real(async |terminal| match args.command {
        None => list(&args, store, clock, &zone, terminal).await,
        Some(Command::Show(args)) => show::show(&args, store, zone, terminal).await,
        Some(Command::Watch(args)) => watch::watch(&args, store, clock, zone, terminal).await,
        Some(Command::Approve(args)) => decide::approve(&args, desk, store, terminal).await,
        Some(Command::Reject(args)) => decide::reject(&args, desk, store, terminal).await,
        Some(Command::Cancel(args)) => {
            decide::simply(&args, |run| Verb::Cancel { run }, desk, store, terminal).await
        }
        Some(Command::Pause(args)) => {
            decide::simply(&args, |run| Verb::PauseRun { run }, desk, store, terminal).await
        }
        Some(Command::Resume(args)) => {
            decide::simply(&args, |run| Verb::ResumeRun { run }, desk, store, terminal).await
        }
    })
    .await
}

async fn list(
    args: &RunsArgs,
    store: &dyn Store,
    clock: &Clock,
    zone: &TimeZone,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let limit = args.limit;
    let which = if args.open { Runs::Open } else { Runs::All };
    let mut runs = store.runs(None, which, limit.saturating_add(1)).await?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    if runs.is_empty() {
        terminal.note(match which {
            Runs::Open => "No run is under way, and none has anything to be decided on.",
            _ => "There was no run yet. `instep sync --plan` looks, `instep sync` acts.",
        })?;
        return Ok(Exit::Nothing);
    }
    if args.json {
        for run in &runs {
            terminal.line(&serde_json::to_string(run)?)?;
        }
    } else {
        terminal.text(&table(&runs, zone, clock.now()))?;
        terminal.note("One of them: instep runs show ID, or instep runs show last")?;
    }
    if more {
        terminal.note(&format!("There are more: --limit {}", limit.saturating_mul(4)))?;
    }
    Ok(Exit::Done)
}

/// A line for each run.
fn table(runs: &[Run], zone: &TimeZone, now: Timestamp) -> String {
    let head = ["run", "begun", "source", "asked for by", "state", "changed", "held", "failed"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(runs.iter().map(|run| {
        let begun = run.started_at.to_zoned(zone.clone());
        [
            run.id.to_string(),
            begun.strftime("%Y-%m-%d %H:%M").to_string(),
            plain(run.source.as_str()),
            plain(&run.asked_by),
            state(run, now).to_owned(),
            run.changed.to_string(),
            held(run).to_string(),
            run.failed.to_string(),
        ]
    }));
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(widths).enumerate().map(|(at, (cell, width))| {
            // The last three are numbers.
            if at >= 5 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Where a run stands, in a word.
fn state(run: &Run, now: Timestamp) -> &'static str {
    match &run.state {
        _ if run.has_expired(now) => "expired",
        RunState::Comparing if run.is_replay() => "previewing",
        RunState::Comparing => "comparing",
        RunState::Previewed { .. } => "waits for a human",
        RunState::Applying if run.paused_by.is_some() => "paused",
        RunState::Applying => "applying",
        RunState::Done if run.plan_only => "plan",
        RunState::Done if held(run) > 0 => "held in part",
        RunState::Done => "done",
        RunState::Cancelled { .. } => "cancelled",
        RunState::Failed { .. } => "not carried through",
    }
}

/// How many people's changes wait for an approval.
fn held(run: &Run) -> u64 {
    run.held().map(|slice| slice.people).sum()
}

/// Whether somebody must look: something is held or failed, HR's answer was not complete, or the
/// run was not carried through.
pub(super) fn needs_a_look(run: &Run) -> bool {
    held(run) > 0
        || run.failed > 0
        || !run.certificate.missing.is_empty()
        || matches!(run.state, RunState::Failed { .. } | RunState::Cancelled { .. })
}

/// Who decides: as said, or the login name of the system.
pub(in crate::cli) fn who(by: Option<&str>) -> Option<String> {
    let said = by.map(str::to_owned).into_iter();
    let login = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    said.chain(login).map(|name| name.trim().to_owned()).find(|name| !name.is_empty())
}

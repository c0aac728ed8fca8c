//! `instep sync`: the full sync by hand; `--plan` only looks.
//!
//! Exit codes: 0 everybody is in step, or will be: what differed was applied; 1 something was held,
//! failed or not complete, or is still under way; 2 asked wrongly.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::deliveries::{Exit, Terminal};
use super::runs::progress::Line;
use super::runs::{Shown, needs_a_look, screen, who};
use crate::app::{Desk, FullSync, Progress, ReconcileError, Stage, ToldRun, stage_words as words};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::words::people;
use crate::model::{Actor, AuditEntry, EmployeeId, Person, Refused, Run, RunId, SourceName, Verb};
use crate::report;
use crate::store::Store;

/// How often what is shown is brought up to date.
const LOOK: Duration = Duration::from_millis(250);

/// What `instep sync` takes.
#[derive(Debug, clap::Args)]
pub struct SyncArgs {
    /// Only looks: says what would change, and queues nothing.
    #[arg(long)]
    plan: bool,
    /// Only this source.
    #[arg(long)]
    source: Option<String>,
    /// Only this person, at once: the id in the source, or SOURCE/ID. A process that serves does it.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["plan", "no_wait", "json"])]
    person: Option<String>,
    /// Ends when everything is queued; the processes that serve apply it.
    #[arg(long, conflicts_with = "plan")]
    no_wait: bool,
    /// One JSON document for each source.
    #[arg(long)]
    json: bool,
    /// How much personal data is shown.
    #[arg(long, value_enum, default_value_t)]
    personal: Shown,
    /// Who asks for it; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Compares HR with the LMS and queues who is out of step; the workers of `instep serve` bring them
/// in step.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: SyncArgs,
    settings: Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    if let Some(key) = &args.person {
        return Terminal::real(async |terminal| {
            one_person(key, &args, settings, store, clock, terminal).await
        })
        .await;
    }
    let mut syncs = FullSync::all(&settings, store, clock)?;
    if let Some(only) = &args.source {
        syncs.retain(|sync| sync.name().as_str() == only);
    }
    let stop = CancellationToken::new();
    super::serve::stop_on_signal(stop.clone())?;
    Terminal::real(async |terminal| {
        if syncs.is_empty() {
            terminal.note("there is no such source in the configuration")?;
            return Ok(Exit::Usage);
        }
        let mut exit = Exit::Done;
        for sync in &syncs {
            if stop.is_cancelled() {
                return Ok(Exit::Nothing);
            }
            if one(&args, sync, &settings, (store, clock), &stop, terminal).await? == Exit::Nothing
            {
                exit = Exit::Nothing;
            }
        }
        Ok(exit)
    })
    .await
}

/// Asks for one person to be read again now.
async fn one_person(
    key: &str,
    args: &SyncArgs,
    settings: Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let mut sources = settings.sources.keys();
    let only = sources.next().filter(|_| sources.next().is_none());
    let (source, id) = match (key.split_once('/'), args.source.as_ref().or(only)) {
        (Some((source, id)), _) => (source.to_owned(), id),
        (None, Some(source)) => (source.clone(), key),
        (None, None) => {
            terminal.note("There are several sources: say SOURCE/ID.")?;
            return Ok(Exit::Usage);
        }
    };
    let by = who(args.by.as_deref()).unwrap_or_else(|| "somebody at a terminal".to_owned());
    let person = Person { source: SourceName::new(source), employee: EmployeeId::new(id.trim()) };
    let desk = Desk::new(Arc::new(settings), Arc::clone(store), clock.clone());
    match desk.act(&Actor::at_the_command_line(&by), Verb::SyncPerson { person }).await {
        Ok(outcome) => {
            terminal.line(&outcome.said)?;
            for delivery in &outcome.deliveries {
                terminal.note(&format!("What came of it: instep deliveries show {delivery}"))?;
            }
            Ok(Exit::Done)
        }
        Err(refused) => {
            terminal.note(&refused.to_string())?;
            Ok(if matches!(refused, Refused::Wrong(_)) { Exit::Usage } else { Exit::Nothing })
        }
    }
}

/// How one source's run ended for whoever waits for it.
enum Ended {
    Run(Box<Run>),
    /// Everything is queued, and nobody waits.
    Queued(RunId, u64),
    /// Others carry it on.
    Left(ReconcileError),
}

async fn one(
    args: &SyncArgs,
    sync: &FullSync,
    settings: &Settings,
    (store, clock): (&Arc<dyn Store>, &Clock),
    stop: &CancellationToken,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let by = who(args.by.as_deref()).unwrap_or_else(|| "somebody at a terminal".to_owned());
    // It is done here and not at the desk, so it is written down here.
    let verb = Verb::Sync { source: Some(sync.name().clone()), plan: args.plan };
    let actor = Actor::at_the_command_line(&by);
    let mut entry = AuditEntry::begun(&actor, verb.word(), verb.about(), clock.now());
    store.write_audit(&entry).await?;
    let ended = follow(args, sync, &by, stop).await;
    entry.refused = matches!(ended, Err(_) | Ok(Ended::Left(_)));
    entry.outcome = Some(match &ended {
        Ok(Ended::Run(run)) => format!("run {} has ended", run.id),
        Ok(Ended::Queued(id, people)) => format!("run {id}: {people} people queued"),
        Ok(Ended::Left(error)) => error.to_string(),
        Err(error) => error.to_string(),
    });
    store.write_audit(&entry).await?;
    let run = match ended? {
        Ended::Run(run) => *run,
        Ended::Queued(id, 0) => {
            terminal.note(&format!(
                "{}: nothing is left to apply: instep runs show {id}",
                sync.name()
            ))?;
            return Ok(Exit::Done);
        }
        Ended::Queued(id, all) => {
            let name = sync.name();
            terminal.note(&format!("{name}: {} queued: instep runs watch {id}", people(all)))?;
            return Ok(Exit::Done);
        }
        Ended::Left(error) => {
            terminal.note(&error.to_string())?;
            return Ok(Exit::Nothing);
        }
    };
    let exit = if needs_a_look(&run) { Exit::Nothing } else { Exit::Done };
    let told = ToldRun::read(store.as_ref(), run).await?;
    let report = told.report(args.personal.into(), settings.sync.schedule.time_zone.clone());
    if args.json {
        terminal.line(&serde_json::to_string_pretty(&report::json(&report))?)?;
    } else {
        let text = report::terminal(&report, screen(terminal));
        terminal.text(&text)?;
    }
    Ok(exit)
}

/// Makes the run and shows how far it is.
async fn follow(
    args: &SyncArgs,
    sync: &FullSync,
    by: &str,
    stop: &CancellationToken,
) -> anyhow::Result<Ended> {
    let (progress, told) = watch::channel(Progress::default());
    // Whoever does not wait lets go of the run as soon as everything is queued.
    let letting_go = stop.child_token();
    let reconciler = sync.reconciler();
    let run = reconciler.run(by, args.plan, &progress, &letting_go);
    tokio::pin!(run);
    let (mut line, mut queued) = (Line::real(), 0);
    let ended = loop {
        tokio::select! {
            ended = &mut run => break ended,
            () = tokio::time::sleep(LOOK) => {}
        }
        let Progress { stage, .. } = told.borrow().clone();
        let name = sync.name();
        line.show(&format!("{name}: {}", words(&stage)), &stage);
        if let Stage::Applying { all, .. } = stage {
            queued = all;
            if args.no_wait {
                letting_go.cancel();
            }
        }
    };
    line.end();
    match ended {
        Ok(run) => Ok(Ended::Run(Box::new(run))),
        Err(ReconcileError::Stopped(id)) if args.no_wait && !stop.is_cancelled() => {
            Ok(Ended::Queued(id, queued))
        }
        Err(ReconcileError::Store(error)) => Err(error.into()),
        Err(error) => Ok(Ended::Left(error)),
    }
}

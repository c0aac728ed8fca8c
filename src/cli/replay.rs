//! `instep replay`: does deliveries again, by what is true now. It counts them, shows what would
//! change, asks, and watches what was confirmed to its end.
//!
//! Nothing is ever sent again: each person is read again. Exit codes: 0 done, 1 nothing fits, it
//! waits for a human, or something failed, 2 asked wrongly.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::deliveries::filter::FilterArgs;
use super::deliveries::{Exit, Terminal, which};
use super::runs::progress::Line;
use super::runs::{Shown, needs_a_look, screen, who};
use crate::app::{self, Desk, Progress, ReconcileError, Replaying, ToldRun, stage_words as words};
use crate::clock::{Clock, Deadline};
use crate::config::Settings;
use crate::model::words;
use crate::model::{Actor, Refused, Run, RunId, RunState, Selection, Verb};
use crate::report;
use crate::store::Store;

/// How often what is shown is brought up to date.
const LOOK: Duration = Duration::from_millis(250);

/// How long a process that serves is waited for before this one makes the preview itself.
const OTHERS: Duration = Duration::from_secs(4);

/// How long somebody who carries on what was confirmed is waited for.
const NOBODY: Duration = Duration::from_secs(15);

/// Which deliveries, and how.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// Ids of deliveries, or enough of their beginnings.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Why, for those who read the run later.
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    reason: String,
    /// So many people a minute at most; else as `[replay] per_minute` says.
    #[arg(long, value_name = "N")]
    per_minute: Option<u32>,
    /// Only shows what would change; it can be confirmed later.
    #[arg(long, alias = "plan-only", conflicts_with = "yes")]
    preview: bool,
    /// Confirms everything without asking.
    #[arg(long)]
    yes: bool,
    /// One JSON document for each source: the run with its items.
    #[arg(long)]
    json: bool,
    /// How much personal data is shown.
    #[arg(long, value_enum, default_value_t)]
    personal: Shown,
    /// Who asks for it; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Everything that the command works with.
struct Work<'a> {
    args: &'a ReplayArgs,
    settings: &'a Arc<Settings>,
    store: &'a Arc<dyn Store>,
    clock: &'a Clock,
    stop: &'a CancellationToken,
    desk: Desk,
    actor: Actor,
}

/// Runs the command on the real terminal.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: ReplayArgs,
    settings: Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let settings = Arc::new(settings);
    let stop = CancellationToken::new();
    super::serve::stop_on_signal(stop.clone())?;
    let by = who(args.by.as_deref()).unwrap_or_else(|| "somebody at a terminal".to_owned());
    let work = Work {
        args: &args,
        settings: &settings,
        store,
        clock,
        stop: &stop,
        desk: Desk::new(Arc::clone(&settings), Arc::clone(store), clock.clone()),
        actor: Actor::at_the_command_line(&by),
    };
    Terminal::real(async |terminal| Box::pin(work.all(terminal)).await).await
}

impl Work<'_> {
    async fn all(&self, terminal: &mut Terminal<'_>) -> anyhow::Result<Exit> {
        let args = self.args;
        let (now, store) = (self.clock.now(), self.store.as_ref());
        let which = match which(&args.ids, &args.filter, store, now).await? {
            Ok(which) => which,
            Err((exit, sentence)) => {
                terminal.note(&format!("{sentence} Nothing was replayed."))?;
                return Ok(exit);
            }
        };
        let verb = Verb::Replay { which, reason: args.reason.clone(), per_minute: args.per_minute };
        let runs = match self.desk.act(&self.actor, verb).await {
            Ok(outcome) => outcome.runs,
            Err(refused) => return told(&refused, terminal),
        };
        let mut previews = Vec::new();
        for id in &runs {
            let Some(run) = self.previewed(id, terminal).await? else { return Ok(Exit::Nothing) };
            if !args.json {
                self.show(run.clone(), terminal).await?;
            }
            previews.push(run);
        }
        let waits = |run: &&Run| matches!(run.state, RunState::Previewed { .. });
        let open: Vec<&Run> = previews.iter().filter(waits).collect();
        if open.is_empty() || !self.is_confirmed(&open, terminal)? {
            if args.json {
                for run in &previews {
                    self.show(run.clone(), terminal).await?;
                }
            }
            for run in open {
                terminal.note(&format!(
                    "Nothing is done before somebody confirms it: instep runs approve {}",
                    run.id
                ))?;
            }
            return Ok(if args.preview { Exit::Done } else { Exit::Nothing });
        }
        let mut exit = Exit::Done;
        for run in open {
            let verb =
                Verb::Approve { run: run.id.clone(), slice: None, whom: Selection::default() };
            if let Err(refused) = self.desk.act(&self.actor, verb).await {
                exit = told(&refused, terminal)?;
                continue;
            }
            match self.ended(&run.id, terminal).await? {
                Some(run) => {
                    if needs_a_look(&run) || !run.fails.is_empty() {
                        exit = Exit::Nothing;
                    }
                    self.show(run, terminal).await?;
                }
                None => exit = Exit::Nothing,
            }
        }
        Ok(exit)
    }

    /// Waits for the preview, and makes it here when nobody serves.
    async fn previewed(
        &self,
        id: &RunId,
        terminal: &mut Terminal<'_>,
    ) -> anyhow::Result<Option<Run>> {
        let (mut line, others) = (Line::real(), Deadline::after(OTHERS));
        let run = loop {
            let Some(run) = self.store.run(id).await? else {
                anyhow::bail!("run {id} is gone from the store");
            };
            if run.state != RunState::Comparing {
                break run;
            }
            if self.stop.is_cancelled() {
                terminal.note(&format!("The preview goes on where Instep serves: {}", show(id)))?;
                return Ok(None);
            }
            match app::watched_run(self.store.as_ref(), self.clock, &run).await? {
                Some(progress) => line.show(&words(&progress.stage), &progress.stage),
                None if others.left().is_zero() => match self.carry_on(&run, &mut line).await {
                    Ok(()) | Err(ReconcileError::Busy { .. }) => {}
                    Err(error) => {
                        line.end();
                        terminal.note(&error.to_string())?;
                        return Ok(None);
                    }
                },
                None => {}
            }
            tokio::time::sleep(LOOK).await;
        };
        line.end();
        Ok(Some(run))
    }

    /// Makes the preview in this process.
    async fn carry_on(&self, run: &Run, line: &mut Line) -> Result<(), ReconcileError> {
        let made = Replaying::of(&run.source, self.settings, self.store, self.clock);
        let Some(replaying) = made.map_err(ReconcileError::from)? else { return Ok(()) };
        let (progress, told) = watch::channel(Progress::default());
        let work = replaying.carry_on(&run.id, &progress, self.stop);
        tokio::pin!(work);
        loop {
            tokio::select! {
                ended = &mut work => return ended.map(drop),
                () = tokio::time::sleep(LOOK) => {}
            }
            let stage = told.borrow().stage.clone();
            line.show(&words(&stage), &stage);
        }
    }

    /// Whether a human wants it.
    fn is_confirmed(&self, open: &[&Run], terminal: &mut Terminal<'_>) -> anyhow::Result<bool> {
        if self.args.preview {
            return Ok(false);
        }
        if self.args.yes {
            return Ok(true);
        }
        if self.args.json {
            return Ok(false);
        }
        let fails: u64 = open.iter().flat_map(|run| run.fails.values()).sum();
        let people = open.iter().map(|run| run.people).sum::<u64>() - fails;
        let people = words::people(people);
        let answer = terminal
            .ask(&format!("Do it for {people}? Each is judged once more by what is true then."))?;
        Ok(answer.unwrap_or(false))
    }

    /// Watches a confirmed replay to its end; nothing when nobody carries it on.
    async fn ended(&self, id: &RunId, terminal: &mut Terminal<'_>) -> anyhow::Result<Option<Run>> {
        let (mut line, mut nobody) = (Line::real(), Deadline::after(NOBODY));
        loop {
            let Some(run) = self.store.run(id).await? else {
                anyhow::bail!("run {id} is gone from the store");
            };
            if run.ended_at.is_some() {
                line.end();
                return Ok(Some(run));
            }
            match app::watched_run(self.store.as_ref(), self.clock, &run).await? {
                Some(progress) => {
                    nobody = Deadline::after(NOBODY);
                    line.show(&words(&progress.stage), &progress.stage);
                }
                None if nobody.left().is_zero() || self.stop.is_cancelled() => {
                    line.end();
                    terminal.note(&format!(
                        "It is confirmed, and carried on where `instep serve` runs: instep runs \
                         watch {id}"
                    ))?;
                    return Ok(None);
                }
                None => {}
            }
            if self.stop.is_cancelled() {
                line.end();
                terminal.note(&format!("It goes on without you: instep runs watch {id}"))?;
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn show(&self, run: Run, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
        let zone = self.settings.sync.schedule.time_zone.clone();
        let told = ToldRun::read(self.store.as_ref(), run).await?;
        let report = told.report(self.args.personal.into(), zone);
        if self.args.json {
            terminal.line(&serde_json::to_string_pretty(&report::json(&report))?)?;
        } else {
            let text = report::terminal(&report, screen(terminal));
            terminal.text(&text)?;
        }
        Ok(())
    }
}

fn show(id: &RunId) -> String {
    format!("instep runs show {id}")
}

/// Says why it was not done.
fn told(refused: &Refused, terminal: &mut Terminal<'_>) -> anyhow::Result<Exit> {
    terminal.note(&refused.to_string())?;
    Ok(if matches!(refused, Refused::Wrong(_)) { Exit::Usage } else { Exit::Nothing })
}

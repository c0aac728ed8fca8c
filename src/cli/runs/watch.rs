//! `instep runs watch`: how far a run is, from any process, until it has ended.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::progress::Line;
use super::{Shown, find, needs_a_look, show};
use crate::app::{self, ToldRun, stage_words as words};
use crate::cli::deliveries::table::plain;
use crate::cli::deliveries::{Exit, Terminal};
use crate::clock::Clock;
use crate::model::RunState;
use crate::report;
use crate::store::Store;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// What `instep runs watch` takes.
#[derive(Debug, clap::Args)]
pub(super) struct WatchArgs {
    /// The run: its id, a beginning of it, or `last`.
    #[arg(value_name = "ID", default_value = "last")]
    id: String,
    /// How much personal data is shown.
    #[arg(long, value_enum, default_value_t)]
    personal: Shown,
}

pub(super) async fn watch(
    args: &WatchArgs,
    store: &dyn Store,
    clock: &Clock,
    zone: TimeZone,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let mut found = find::find(store, &args.id).await?;
    let mut line = Line::real();
    let run = loop {
        let run = match found {
            Ok(run) => run,
            Err(sentence) => {
                terminal.note(&sentence)?;
                return Ok(Exit::Nothing);
            }
        };
        if run.ended_at.is_some() {
            break run;
        }
        if let RunState::Previewed { until } = &run.state {
            line.end();
            terminal.note(&format!(
                "It waits until somebody confirms it, until {until}: instep runs approve {}",
                run.id
            ))?;
            break run;
        }
        match app::watched_run(store, clock, &run).await? {
            Some(progress) if run.paused_by.is_some() => {
                let by = run.paused_by.as_deref().unwrap_or_default();
                line.note(&format!("{}, paused by {}", words(&progress.stage), plain(by)));
            }
            Some(progress) => line.show(&words(&progress.stage), &progress.stage),
            None => line.note("nobody has it in hand: `instep serve` carries it on"),
        }
        tokio::time::sleep(LOOK).await;
        let again = store.run(&run.id).await?;
        found = again.ok_or_else(|| format!("Run {} is gone from the store.", run.id));
    };
    line.end();
    let exit = if needs_a_look(&run) { Exit::Nothing } else { Exit::Done };
    let told = ToldRun::read(store, run).await?;
    let report = told.report(args.personal.into(), zone);
    terminal.text(&report::terminal(&report, show::screen(terminal)))?;
    Ok(exit)
}

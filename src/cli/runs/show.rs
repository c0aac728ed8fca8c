//! `instep runs show`: a run in each of its shapes.

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::{Shown, find};
use crate::app::ToldRun;
use crate::cli::deliveries::{Exit, Terminal};
use crate::report::{self, Screen};
use crate::store::Store;

/// What `instep runs show` takes.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The run: its id, a beginning of it, or `last`.
    #[arg(value_name = "ID")]
    id: String,
    /// Everybody who was out of step, step by step.
    #[arg(long)]
    items: bool,
    /// Writes the spreadsheets into this folder.
    #[arg(long, value_name = "FOLDER")]
    csv: Option<PathBuf>,
    /// Writes the report as a page into this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// As one JSON document.
    #[arg(long, conflicts_with = "items")]
    json: bool,
    /// How much personal data is shown and written.
    #[arg(long, value_enum, default_value_t)]
    personal: Shown,
}

pub(super) async fn show(
    args: &ShowArgs,
    store: &dyn Store,
    zone: TimeZone,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let run = match find::find(store, &args.id).await? {
        Ok(run) => run,
        Err(sentence) => {
            terminal.note(&sentence)?;
            return Ok(Exit::Nothing);
        }
    };
    let told = ToldRun::read(store, run).await?;
    let report = told.report(args.personal.into(), zone);
    if let Some(folder) = &args.csv {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let files = report::attachments(&report);
        if files.is_empty() {
            terminal.note("Nothing was out of step: there is no spreadsheet to write.")?;
        }
        for file in files {
            let path = folder.join(file.name);
            std::fs::write(&path, file.content).with_context(|| path.display().to_string())?;
            terminal.note(&format!("{} is written", path.display()))?;
        }
    }
    if let Some(path) = &args.html {
        let page = report::html(&report);
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
        terminal.note(&format!("{} is written", path.display()))?;
    }
    let screen = screen(terminal);
    if args.json {
        terminal.line(&serde_json::to_string_pretty(&report::json(&report))?)?;
    } else if args.items {
        terminal.text(&report::items(&report, screen))?;
    } else if args.csv.is_none() && args.html.is_none() {
        terminal.text(&report::terminal(&report, screen))?;
    }
    Ok(Exit::Done)
}

/// What this terminal can show.
pub(in crate::cli) fn screen(terminal: &Terminal<'_>) -> Screen {
    Screen { width: terminal.width(), color: terminal.width().is_some() }
}

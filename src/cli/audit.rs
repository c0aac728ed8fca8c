//! `instep audit`: who did what, from where, and what came of it.

use std::path::Path;
use std::process::ExitCode;

use jiff::tz::TimeZone;

use super::deliveries::filter::{When, when};
use super::deliveries::table::plain;
use super::deliveries::{Exit, Terminal};
use super::tokens::table;
use crate::clock::Clock;
use crate::model::{AuditEntry, AuditId};
use crate::store::Store;

/// So many entries are read at once.
const PAGE: usize = 500;

/// What `instep audit` takes.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// Of whoever has this name.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Of this deed: `approve`, `sign_in`, `unmask`.
    #[arg(long, value_name = "WORD")]
    verb: Option<String>,
    /// About something that has this in it: `person bob/17`, a run's id.
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// Only what was refused.
    #[arg(long)]
    refused: bool,
    /// Since then: 2h, 3d, 2026-11-20, 2026-11-20T08:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<When>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

impl AuditArgs {
    fn fits(&self, entry: &AuditEntry) -> bool {
        let same = |wanted: &Option<String>, is: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.trim().eq_ignore_ascii_case(is))
        };
        same(&self.who, &entry.who)
            && same(&self.verb, &entry.verb)
            && self.about.as_ref().is_none_or(|wanted| entry.about.contains(wanted.trim()))
            && (!self.refused || entry.refused)
    }
}

/// Shows them, newest first.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(args: AuditArgs, config: &Path) -> anyhow::Result<ExitCode> {
    super::with_store(config, async |loaded, store, clock| {
        let zone = loaded.settings.sync.schedule.time_zone;
        show(args, &*store, &clock, zone).await
    })
    .await
}

async fn show(
    args: AuditArgs,
    store: &dyn Store,
    clock: &Clock,
    zone: TimeZone,
) -> anyhow::Result<ExitCode> {
    let since = args.since.as_ref().map(|since| since.at(clock.now())).transpose()?;
    let mut found: Vec<AuditEntry> = Vec::new();
    let mut before: Option<AuditId> = None;
    'all: loop {
        let page = store.audit(before.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        for entry in page {
            if since.is_some_and(|since| entry.at < since) || found.len() > args.limit {
                break 'all;
            }
            if args.fits(&entry) {
                found.push(entry);
            }
        }
    }
    let more = found.len() > args.limit;
    found.truncate(args.limit);
    Terminal::real(async |terminal| {
        if found.is_empty() {
            terminal.note("Nothing fits. Leave out a condition, or look further back.")?;
            return Ok(Exit::Nothing);
        }
        if args.json {
            for entry in &found {
                terminal.line(&serde_json::to_string(entry)?)?;
            }
        } else {
            let head = ["when", "who", "came by", "did", "about", "what came of it"];
            terminal.text(&table(head, &found, |entry| row(entry, &zone)))?;
        }
        if more {
            terminal.note(&format!("There are more: --limit {}", args.limit.saturating_mul(4)))?;
        }
        Ok(Exit::Done)
    })
    .await
}

fn row(entry: &AuditEntry, zone: &TimeZone) -> [String; 6] {
    let at = entry.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let from = entry.from.as_ref().map(|from| format!(" {from}")).unwrap_or_default();
    let outcome = entry.outcome.as_deref().unwrap_or("it did not end: its process died, or works");
    let refused = if entry.refused { "REFUSED: " } else { "" };
    let reason = entry.reason.as_ref().map(|it| format!(" (reason: {it})")).unwrap_or_default();
    [
        at,
        plain(&format!("{} ({})", entry.who, entry.access.word())),
        plain(&format!("{}{from}", entry.via.word())),
        plain(&entry.verb),
        plain(&entry.about),
        plain(&format!("{refused}{outcome}{reason}")),
    ]
}

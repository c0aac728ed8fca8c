//! `instep deliveries`: what came in and what became of it; `show` one, `discard` dead letters.
//!
//! Exit codes: 0 done, 1 nothing found or not done, 2 asked wrongly. What is found goes to stdout,
//! everything else to stderr. Ids and field names are printed, values never.

mod discard;
pub(super) mod filter;
mod show;
pub(super) mod table;
pub(super) mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::app::Desk;
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::{Delivery, DeliveryId};
use crate::store::finding::Finding;
use crate::store::{Filter, Store, StoreError};

pub(super) use discard::which;
use filter::FilterArgs;
pub(super) use terminal::{Exit, Terminal};

/// Shows deliveries, newest first. Times are UTC.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DeliveriesArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    filter: FilterArgs,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One delivery: its event, each attempt, and what to do next.
    Show(show::ShowArgs),
    /// Closes dead letters without doing them again; asks first.
    Discard(Box<discard::DiscardArgs>),
}

/// Runs the command on the real terminal.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: DeliveriesArgs,
    settings: Settings,
    store: Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let (now, clock) = (clock.now(), clock.clone());
    let desk = Desk::new(Arc::new(settings), Arc::clone(&store), clock);
    Terminal::real(async |terminal| act(args, &desk, store.as_ref(), now, terminal).await).await
}

async fn act(
    args: DeliveriesArgs,
    desk: &Desk,
    store: &dyn Store,
    now: Timestamp,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    match args.command {
        None => list(&args, store, now, terminal).await,
        Some(Command::Show(args)) => show::show(&args, store, now, terminal).await,
        Some(Command::Discard(args)) => discard::discard(&args, desk, store, now, terminal).await,
    }
}

async fn list(
    args: &DeliveriesArgs,
    store: &dyn Store,
    now: Timestamp,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let which = args.filter.which(now)?;
    let is_all = which.is_empty();
    let (mut finding, mut found) = (Finding::of(which, None), Vec::new());
    while found.len() <= args.limit {
        let Some(some) = finding.next(store).await? else { break };
        found.extend(some);
    }
    let more = found.len() > args.limit;
    found.truncate(args.limit);
    if found.is_empty() {
        terminal.note(if is_all {
            "No deliveries are kept. Did a webhook come in? See instep_webhooks_total in /metrics."
        } else {
            "No delivery fits. Leave out a condition, or look further back with --since."
        })?;
        return Ok(Exit::Nothing);
    }
    if args.json {
        for delivery in &found {
            terminal.line(&serde_json::to_string(delivery)?)?;
        }
    } else {
        terminal.text(&table::table(&found, terminal.width()))?;
        if !more {
            terminal.note("One of them: instep deliveries show ID")?;
        }
    }
    if more {
        let (shown, next) = (found.len(), args.limit.saturating_mul(4));
        terminal.note(&format!(
            "More than {shown} fit. To see them: --limit {next}, or narrow it down with --state, \
             --person, --since, --code. One of them: instep deliveries show ID"
        ))?;
    }
    Ok(Exit::Done)
}

/// Reads what fits a filter in pages, newest first.
struct Pages {
    filter: Filter,
    ended: bool,
}

impl Pages {
    /// How many deliveries are read at once.
    const PAGE: usize = 500;

    fn of(filter: Filter) -> Self {
        Self { filter, ended: false }
    }

    /// The next ones, `most` at most; empty at the end.
    async fn next(&mut self, store: &dyn Store, most: usize) -> Result<Vec<Delivery>, StoreError> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = store.deliveries(&self.filter, most.min(Self::PAGE)).await?;
        match page.last() {
            Some(last) => self.filter.before = Some(last.id.clone()),
            None => self.ended = true,
        }
        Ok(page)
    }
}

/// Finds one delivery by its id or by the beginning of it; `Err` is a sentence for the person who
/// asked.
pub(super) async fn find(
    store: &dyn Store,
    text: &str,
) -> anyhow::Result<Result<Delivery, String>> {
    let text = text.trim().to_ascii_lowercase();
    if let Some(delivery) = store.delivery(&DeliveryId::new(text.clone())).await? {
        return Ok(Ok(delivery));
    }
    let Some((since, until)) = made_between(&text) else {
        return Ok(Err(none(&text)));
    };
    let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
    let (mut pages, mut read) = (Pages::of(filter), 0);
    let mut fit: Vec<Delivery> = Vec::new();
    while fit.len() < 2 {
        let page = pages.next(store, Pages::PAGE).await?;
        if page.is_empty() {
            break;
        }
        read += page.len();
        fit.extend(page.into_iter().filter(|delivery| delivery.id.as_str().starts_with(&text)));
        if read > LOOKED_THROUGH {
            let many = "too many deliveries came at that time to look for the beginning of an id";
            return Ok(Err(format!("{text}: {many}. Give the whole id.")));
        }
    }
    Ok(match fit.len() {
        0 => Err(none(&text)),
        1 => Ok(fit.remove(0)),
        _ => Err(format!("Several deliveries begin with {text}: give more of the id.")),
    })
}

/// How many deliveries are looked through for the beginning of an id.
const LOOKED_THROUGH: usize = 10_000;

/// The shortest beginning of an id that is looked up.
const SHORTEST: usize = 6;

fn none(text: &str) -> String {
    format!("There is no delivery {}. `instep deliveries` lists them.", table::plain(text))
}

/// When a delivery whose id begins so was received. An id begins with the milliseconds of its
/// making (UUID version 7); that clock and ours may be a minute apart.
fn made_between(text: &str) -> Option<(Timestamp, Timestamp)> {
    if text.len() < SHORTEST || !text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let ms = |fill: &str| {
        let padded = format!("{digits}{}", fill.repeat(12 - digits.len()));
        Timestamp::from_millisecond(i64::from_str_radix(&padded, 16).ok()?).ok()
    };
    let minute = SignedDuration::from_mins(1);
    Some((ms("0")?.checked_sub(minute).ok()?, ms("f")?.checked_add(minute).ok()?))
}

#[cfg(test)]
pub(super) mod tests;

//! `instep runs approve`, `reject` and `cancel`: what people decide about a run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{find, people, who};
use crate::app::{self, ToldRun};
use crate::cli::deliveries::{Exit, Terminal};
use crate::clock::Clock;
use crate::model::{ChangeKind, EmployeeId, Run, Selection, SliceState};
use crate::store::Store;

/// So many ids are named in a refusal.
const NAMED: usize = 10;

/// Which run, and who decides.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The run: its id, a beginning of it, or `last`.
    #[arg(value_name = "ID")]
    id: String,
    /// Who decides; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// What `instep runs approve` takes.
#[derive(Debug, clap::Args)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    which: Which,
    /// The kind of change: `deactivate`.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    slice: ChangeKind,
    /// Only those in this file: one id per line, or a spreadsheet of `runs show --csv`.
    #[arg(long, value_name = "FILE", conflicts_with = "except")]
    only: Option<PathBuf>,
    /// Everybody but these.
    #[arg(long, value_name = "KEY", num_args = 1..)]
    except: Vec<String>,
}

/// What `instep runs reject` takes.
#[derive(Debug, clap::Args)]
pub(super) struct RejectArgs {
    #[command(flatten)]
    which: Which,
    /// The kind of change: `deactivate`.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    slice: ChangeKind,
    /// Why, for those who read the run later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What `instep runs cancel` takes.
#[derive(Debug, clap::Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    which: Which,
}

fn kind(text: &str) -> Result<ChangeKind, String> {
    let text = text.trim().to_ascii_lowercase().replace('-', "_");
    let known = ChangeKind::ALL.map(ChangeKind::word).join(", ");
    let found = ChangeKind::ALL.into_iter().find(|kind| kind.word() == text);
    found.ok_or_else(|| format!("one of {known}"))
}

/// The run and who decides, or how the command ends.
async fn which(
    which: &Which,
    store: &dyn Store,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Result<(Run, String), Exit>> {
    let Some(by) = who(which.by.as_deref()) else {
        terminal.note("Who decides is not known: say it with --by NAME.")?;
        return Ok(Err(Exit::Usage));
    };
    Ok(match find::find(store, &which.id).await? {
        Ok(run) => Ok((run, by)),
        Err(sentence) => {
            terminal.note(&sentence)?;
            Err(Exit::Nothing)
        }
    })
}

pub(super) async fn approve(
    args: &ApproveArgs,
    store: &dyn Store,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let (run, by) = match which(&args.which, store, terminal).await? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let whom = match selection(args, &run) {
        Ok(whom) => whom,
        Err(sentence) => {
            terminal.note(&format!("Nobody is approved: {sentence}."))?;
            return Ok(Exit::Usage);
        }
    };
    if let Selection::Only(these) | Selection::Except(these) = &whom {
        let strangers = strangers(store, &run, args.slice, these).await?;
        if !strangers.is_empty() {
            terminal.note(&strange(args.slice, &strangers))?;
            return Ok(Exit::Usage);
        }
    }
    let (id, slice) = (run.id, args.slice);
    let run = match app::approve(store, clock, &id, slice, &whom, &by).await {
        Ok(run) => run,
        Err(error) => return refused(&error, terminal),
    };
    let approved = run.slices.iter().find(|one| one.kind == slice).map(|one| &one.state);
    let people = match approved {
        Some(SliceState::Approved { people, .. }) => format!(" for {people} people"),
        _ => String::new(),
    };
    let word = slice.word();
    terminal.line(&format!("{word} is approved{people}; each is judged once more before that"))?;
    terminal.note(&format!("How it fares: instep runs watch {id}"))?;
    Ok(Exit::Done)
}

fn selection(args: &ApproveArgs, run: &Run) -> Result<Selection, String> {
    if let Some(path) = &args.only {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        return people::of_file(&text, &run.source).map(Selection::Only);
    }
    if args.except.is_empty() {
        return Ok(Selection::All);
    }
    people::of_keys(args.except.iter().map(String::as_str), &run.source).map(Selection::Except)
}

/// Who is named and is not in the slice: with one digit wrong, somebody would be left out or let in
/// whom nobody meant.
async fn strangers(
    store: &dyn Store,
    run: &Run,
    slice: ChangeKind,
    named: &BTreeSet<EmployeeId>,
) -> anyhow::Result<BTreeSet<EmployeeId>> {
    let mut strangers = named.clone();
    for item in ToldRun::items(store, run).await? {
        if let Some(employee) = item.employee.filter(|_| item.kind == Some(slice)) {
            strangers.remove(&employee);
        }
    }
    Ok(strangers)
}

fn strange(slice: ChangeKind, strangers: &BTreeSet<EmployeeId>) -> String {
    let some: Vec<&str> = strangers.iter().take(NAMED).map(EmployeeId::as_str).collect();
    let more = strangers.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (some, word) = (some.join(", "), slice.word());
    format!("Nobody is approved: {some}{more} not in this run's slice {word}.")
}

pub(super) async fn reject(
    args: &RejectArgs,
    store: &dyn Store,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let (run, by) = match which(&args.which, store, terminal).await? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let reason = args.reason.trim();
    if reason.is_empty() {
        terminal.note("A reason is needed, for those who read the run later: --reason TEXT")?;
        return Ok(Exit::Usage);
    }
    match app::reject(store, clock, &run.id, args.slice, reason, &by).await {
        Ok(_) => {
            let word = args.slice.word();
            terminal.line(&format!("{word} is rejected: nothing of it is applied by this run"))?;
            Ok(Exit::Done)
        }
        Err(error) => refused(&error, terminal),
    }
}

pub(super) async fn cancel(
    args: &CancelArgs,
    store: &dyn Store,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let (run, by) = match which(&args.which, store, terminal).await? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    match app::cancel(store, clock, &run.id, &by).await {
        Ok(_) => {
            terminal.line("cancelled: what no worker has begun is not applied any more")?;
            Ok(Exit::Done)
        }
        Err(error) => refused(&error, terminal),
    }
}

/// What cannot be decided (any more) is told; that the store is away is an error.
fn refused(error: &app::ReconcileError, terminal: &mut Terminal<'_>) -> anyhow::Result<Exit> {
    terminal.note(&error.to_string())?;
    Ok(Exit::Nothing)
}

//! `instep runs approve`, `reject`, `cancel`, `pause` and `resume`: what people decide about a run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{find, people, who};
use crate::app::{Desk, ToldRun};
use crate::cli::deliveries::{Exit, Terminal};
use crate::model::words;
use crate::model::{
    Actor, ChangeKind, EmployeeId, Refused, Run, RunId, Selection, SliceState, Verb,
};
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
    /// The kind of change: `deactivate`. Without it, everything that is held.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    slice: Option<ChangeKind>,
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
    /// The kind of change: `deactivate`. Without it, everything that is held.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    slice: Option<ChangeKind>,
    /// Why, for those who read the run later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What `instep runs cancel`, `pause` and `resume` take.
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
    desk: &Desk,
    store: &dyn Store,
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
    let (id, slice, is_replay) = (run.id.clone(), args.slice, run.is_replay());
    let verb = Verb::Approve { run: id.clone(), slice, whom };
    let said = match desk.act(&Actor::at_the_command_line(&by), verb).await {
        Ok(outcome) => outcome.said,
        Err(refused) => return told(&refused, terminal),
    };
    let approved = slice.filter(|_| !is_replay);
    let now = store.run(&id).await?.unwrap_or(run);
    let state = approved.and_then(|kind| now.slices.iter().find(|one| one.kind == kind));
    match (approved, state.map(|slice| &slice.state)) {
        (Some(kind), Some(SliceState::Approved { people, .. })) => {
            let word = kind.word();
            terminal.line(&format!(
                "{word} is approved for {}; each is judged once more before that",
                words::people(*people)
            ))?;
        }
        _ => terminal.line(&said)?,
    }
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
    slice: Option<ChangeKind>,
    named: &BTreeSet<EmployeeId>,
) -> anyhow::Result<BTreeSet<EmployeeId>> {
    let mut strangers = named.clone();
    for item in ToldRun::items(store, run).await? {
        if let Some(employee) = item.employee.filter(|_| slice.is_none() || item.kind == slice) {
            strangers.remove(&employee);
        }
    }
    Ok(strangers)
}

fn strange(slice: Option<ChangeKind>, strangers: &BTreeSet<EmployeeId>) -> String {
    let some: Vec<&str> = strangers.iter().take(NAMED).map(EmployeeId::as_str).collect();
    let more = strangers.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let some = some.join(", ");
    let place = slice.map_or_else(String::new, |kind| format!("'s slice {}", kind.word()));
    format!("Nobody is approved: {some}{more} not in this run{place}.")
}

pub(super) async fn reject(
    args: &RejectArgs,
    desk: &Desk,
    store: &dyn Store,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let (run, by) = match which(&args.which, store, terminal).await? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let verb = Verb::Reject { run: run.id, slice: args.slice, reason: args.reason.clone() };
    act(verb, &by, desk, terminal).await
}

/// A deed that needs nothing but the run.
pub(super) async fn simply(
    args: &CancelArgs,
    verb: impl FnOnce(RunId) -> Verb,
    desk: &Desk,
    store: &dyn Store,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    match which(&args.which, store, terminal).await? {
        Ok((run, by)) => act(verb(run.id), &by, desk, terminal).await,
        Err(exit) => Ok(exit),
    }
}

async fn act(
    verb: Verb,
    by: &str,
    desk: &Desk,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    match desk.act(&Actor::at_the_command_line(by), verb).await {
        Ok(outcome) => {
            terminal.line(&outcome.said)?;
            Ok(Exit::Done)
        }
        Err(refused) => told(&refused, terminal),
    }
}

/// Says why it was not done.
fn told(refused: &Refused, terminal: &mut Terminal<'_>) -> anyhow::Result<Exit> {
    terminal.note(&refused.to_string())?;
    Ok(if matches!(refused, Refused::Wrong(_)) { Exit::Usage } else { Exit::Nothing })
}

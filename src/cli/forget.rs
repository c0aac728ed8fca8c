//! `instep forget`: erases a person everywhere in the store, and lifts that again.

use std::process::ExitCode;
use std::sync::Arc;

use super::deliveries::table::plain;
use super::deliveries::{Exit, Terminal};
use super::runs::who;
use crate::app::{self, Desk};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::{Actor, EmployeeId, Person, SourceName, Verb};
use crate::store::Store;

/// What `instep forget` takes.
#[derive(Debug, clap::Args)]
pub struct ForgetArgs {
    /// The person's id in the source, or SOURCE/ID.
    #[arg(value_name = "EMPLOYEE")]
    employee: String,
    /// The source, when there are several.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Why, for the audit log. Name nobody in it.
    #[arg(long, value_name = "TEXT", conflicts_with = "undo")]
    reason: Option<String>,
    /// Lifts it: they are kept in step again.
    #[arg(long)]
    undo: bool,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    /// Who does it, for the audit log; else the login name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Runs the command on the real terminal. Exit code 1 when it was not done, 2 when it was asked
/// wrongly.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: ForgetArgs,
    settings: Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let sources: Vec<SourceName> = settings.sources.keys().map(SourceName::new).collect();
    let copies = app::copies_of_store(&settings.store);
    let desk = Desk::new(Arc::new(settings), store.clone(), clock.clone());
    Terminal::real(async |terminal| {
        let exit = act(&args, &desk, &sources, &**store, terminal).await?;
        if exit == Exit::Done && !args.undo {
            for copy in copies {
                let copy = plain(&copy.display().to_string());
                terminal.note(&format!("An upgrade left a copy that may hold them: {copy}"))?;
            }
        }
        Ok(exit)
    })
    .await
}

async fn act(
    args: &ForgetArgs,
    desk: &Desk,
    sources: &[SourceName],
    store: &dyn Store,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let person = match person(args, sources) {
        Ok(person) => person,
        Err(sentence) => {
            terminal.note(&sentence)?;
            return Ok(Exit::Usage);
        }
    };
    let Some(by) = who(args.by.as_deref()) else {
        terminal.note("Who does it is not known: say it with --by NAME.")?;
        return Ok(Exit::Usage);
    };
    let shown = plain(&person.to_string());
    let verb = if args.undo {
        Verb::LiftForgetting { person }
    } else {
        let link = store.link(&person).await?;
        let account = link.and_then(|link| link.account).map_or_else(
            || "no account is linked to them".to_owned(),
            |account| {
                format!("their account {} in the LMS stays as it is", plain(account.as_str()))
            },
        );
        let question = format!(
            "Everything that is stored of {shown} is erased for good, and nothing new is kept or done \
             until it is lifted; {account}. Do it?"
        );
        if !args.yes {
            match terminal.ask(&question)? {
                Some(true) => {}
                Some(false) => {
                    terminal.note("Nobody was forgotten.")?;
                    return Ok(Exit::Nothing);
                }
                None => {
                    terminal.note("There is no terminal to ask on: add --yes.")?;
                    return Ok(Exit::Usage);
                }
            }
        }
        Verb::Forget { person, reason: args.reason.clone() }
    };
    match desk.act(&Actor::at_the_command_line(&by), verb).await {
        Ok(outcome) => {
            terminal.line(&format!("{}.", plain(&outcome.said)))?;
            Ok(Exit::Done)
        }
        Err(refused) => {
            terminal.note(&format!("{}.", plain(&refused.to_string())))?;
            Ok(Exit::Nothing)
        }
    }
}

/// Who is meant: nothing is guessed where somebody is erased.
fn person(args: &ForgetArgs, sources: &[SourceName]) -> Result<Person, String> {
    let key = args.employee.trim();
    let (source, employee) = match (key.split_once('/'), &args.source) {
        (Some((source, employee)), None) => (SourceName::new(source), employee),
        (_, Some(source)) => (SourceName::new(source), key),
        (None, None) => match sources {
            [one] => (one.clone(), key),
            _ => return Err("There are several sources: say which with --source NAME.".into()),
        },
    };
    if !sources.contains(&source) {
        return Err(format!("There is no source {} in the configuration.", plain(source.as_str())));
    }
    if employee.is_empty() {
        return Err("Whom? EMPLOYEE is the id in the source, or SOURCE/ID.".into());
    }
    Ok(Person { source, employee: EmployeeId::new(employee) })
}

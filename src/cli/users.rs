//! `instep users`: who signs in with a password of ours, and what they may do.
//!
//! A password is asked for without being shown, or read from standard input; it is never an
//! argument, which others on the machine could see and the shell would remember.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;

use super::colours::{GOOD, WARN};
use super::deliveries::table::plain;
use super::tokens::{access, actor, day, lines, none, table, tell};
use crate::access::{name_problem, password, users};
use crate::app::Desk;
use crate::model::{Access, Proof, Verb};
use crate::store::Store;

/// Lists them.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct UsersArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a user, and asks for the password (or reads it from standard input).
    Add {
        /// The name by which they sign in: a mail address, or a-z 0-9 . @ -.
        name: String,
        /// viewer, operator or administrator.
        #[arg(long, value_parser = access)]
        access: Access,
    },
    /// Changes what a user may do; they sign in again.
    Set {
        /// Who.
        name: String,
        /// viewer, operator or administrator.
        #[arg(long, value_parser = access)]
        access: Access,
    },
    /// Gives a user another password; they sign in again.
    Password {
        /// Who.
        name: String,
    },
    /// Takes a user away, and ends their sessions.
    Remove {
        /// Who.
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the store is not available or there is no password to read.
pub async fn run(args: UsersArgs, config: &Path) -> anyhow::Result<ExitCode> {
    super::with_store(config, async |loaded, store, clock| {
        let desk = Desk::new(Arc::new(loaded.settings), store.clone(), clock);
        carry_out(args, &*store, &desk).await
    })
    .await
}

async fn carry_out(args: UsersArgs, store: &dyn Store, desk: &Desk) -> anyhow::Result<ExitCode> {
    let named = |name: &str| name.trim().to_lowercase();
    let verb = match args.command {
        None => return list(store, args.json).await,
        Some(Command::Add { name, access }) => {
            let name = named(&name);
            if let Some(problem) = name_problem(&name) {
                return Ok(refused(problem));
            }
            if users::user(store, &name).await?.is_some() {
                let what = format!(
                    "there is a user {name} already: instep users set {name} --access {}, or \
                     instep users password {name}",
                    access.word()
                );
                return Ok(refused(&what));
            }
            Verb::SaveUser { password: Some(ask(&name)?), name, access }
        }
        Some(Command::Set { name, access }) => {
            let name = named(&name);
            if users::user(store, &name).await?.is_none() {
                return Ok(refused(&nobody(&name)));
            }
            Verb::SaveUser { name, access, password: None }
        }
        Some(Command::Password { name }) => {
            let name = named(&name);
            let Some(user) = users::user(store, &name).await? else {
                return Ok(refused(&nobody(&name)));
            };
            Verb::SaveUser { password: Some(ask(&name)?), name, access: user.access }
        }
        Some(Command::Remove { name }) => Verb::RemoveUser { name: named(&name) },
    };
    Ok(tell(desk.act(&actor(), verb).await))
}

fn nobody(name: &str) -> String {
    format!("there is no user {name}: `instep users` lists them")
}

/// Says why nothing was done.
pub(super) fn refused(why: &str) -> ExitCode {
    anstream::eprintln!("{WARN}{}{WARN:#}", plain(why));
    ExitCode::FAILURE
}

/// A new password, as what it is checked against.
fn ask(name: &str) -> anyhow::Result<Proof> {
    let password = if io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("New password for {name}: "))?;
        if let Some(problem) = password::problem(&first, name) {
            bail!("{problem}");
        }
        if rpassword::prompt_password("The same once more: ")? != first {
            bail!("the two were not the same: nothing was changed");
        }
        first
    } else {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if let Some(problem) = password::problem(&password, name) {
        bail!("{problem}");
    }
    password::hash(&password).map_err(|error| anyhow::anyhow!("no hash can be made: {error}"))
}

async fn list(store: &dyn Store, json: bool) -> anyhow::Result<ExitCode> {
    let users = users::users(store).await?;
    if json {
        lines(&users, |user| {
            let can = user.password.is_some();
            serde_json::json!({
                "name": user.name, "access": user.access, "since": user.since, "password": can,
            })
        });
    } else if users.is_empty() {
        none("user", "instep users add NAME --access administrator");
    } else {
        let rows = table(["name", "access", "since", "signs in"], &users, |user| {
            let can =
                if user.password.is_some() { "has a password" } else { "has no password yet" };
            [plain(&user.name), user.access.word().to_owned(), day(user.since), can.to_owned()]
        });
        anstream::print!("{rows}");
        anstream::eprintln!("{GOOD}{} in all{GOOD:#}", users.len());
    }
    Ok(ExitCode::SUCCESS)
}

//! `instep tokens`: what programs show to the API. A token is printed once, when it is made; nobody
//! can see it again.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::USAGE;
use super::colours::{BAD, BOLD, GOOD, WARN};
use super::deliveries::table::plain;
use super::runs::who;
use crate::access::tokens;
use crate::app::Desk;
use crate::clock::Clock;
use crate::model::{Access, Actor, Outcome, Refused, Verb};
use crate::store::Store;

/// Lists them.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TokensArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a token and prints it, once.
    Make {
        /// Its name: what it is for.
        name: String,
        /// viewer, operator or administrator.
        #[arg(long, value_parser = access, default_value = "viewer")]
        access: Access,
        /// For how many days.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=731))]
        days: u32,
    },
    /// Takes a token away: it does not count any more.
    Revoke {
        /// Which.
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the store is not available.
pub async fn run(args: TokensArgs, config: &Path) -> anyhow::Result<ExitCode> {
    super::with_store(config, async |loaded, store, clock| {
        let desk = Desk::new(Arc::new(loaded.settings), store.clone(), clock.clone());
        carry_out(args, &*store, &desk, &clock).await
    })
    .await
}

async fn carry_out(
    args: TokensArgs,
    store: &dyn Store,
    desk: &Desk,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    match args.command {
        None => list(store, args.json, clock.now()).await,
        Some(Command::Revoke { name }) => {
            let name = name.trim().to_lowercase();
            Ok(tell(desk.act(&actor(), Verb::RevokeToken { name }).await))
        }
        Some(Command::Make { name, access, days }) => {
            let name = name.trim().to_lowercase();
            let fresh = tokens::fresh(&name)?;
            let now = clock.now();
            let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
            let expires = now + Duration::from_secs(u64::from(days) * 86_400);
            let proof = Some(fresh.proof);
            let verb = Verb::MakeToken { name, access, expires, proof };
            match desk.act(&actor(), verb).await {
                Ok(outcome) => {
                    anstream::eprintln!("{GOOD}{}{GOOD:#}", plain(&outcome.said));
                    anstream::eprintln!("This is the only time that it is shown:");
                    anstream::println!("{}", fresh.text.expose_secret());
                    Ok(ExitCode::SUCCESS)
                }
                refused => Ok(tell(refused)),
            }
        }
    }
}

async fn list(store: &dyn Store, json: bool, now: Timestamp) -> anyhow::Result<ExitCode> {
    let tokens = tokens::tokens(store).await?;
    if json {
        lines(&tokens, |token| {
            serde_json::json!({
                "name": token.name, "access": token.access, "by": token.by,
                "since": token.since, "expires": token.expires, "used": token.used,
            })
        });
    } else if tokens.is_empty() {
        none("token", "instep tokens make NAME --access operator --days 90");
    } else {
        let head = ["name", "access", "made by", "since", "until", "last used"];
        let rows = table(head, &tokens, |token| {
            let over = if token.expires <= now { " (over)" } else { "" };
            [
                plain(&token.name),
                token.access.word().to_owned(),
                plain(&token.by),
                day(token.since),
                format!("{}{over}", day(token.expires)),
                token.used.map_or_else(|| "never".to_owned(), day),
            ]
        });
        anstream::print!("{rows}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever types.
pub(super) fn actor() -> Actor {
    Actor::at_the_command_line(who(None).as_deref().unwrap_or("unknown"))
}

/// Reads what somebody may do.
pub(super) fn access(text: &str) -> Result<Access, String> {
    let text = text.trim().to_ascii_lowercase();
    let known = Access::ALL.map(Access::word).join(", ");
    let found = Access::ALL.into_iter().find(|access| access.word() == text);
    found.ok_or_else(|| format!("expected one of {known}"))
}

/// Says what came of a deed.
pub(super) fn tell(done: Result<Outcome, Refused>) -> ExitCode {
    match done {
        Ok(outcome) => {
            anstream::println!("{GOOD}{}{GOOD:#}", plain(&outcome.said));
            ExitCode::SUCCESS
        }
        Err(refused @ Refused::Wrong(_)) => {
            anstream::eprintln!("{WARN}{}{WARN:#}", plain(&refused.to_string()));
            ExitCode::from(USAGE)
        }
        Err(refused) => {
            anstream::eprintln!("{BAD}{}{BAD:#}", plain(&refused.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// A day.
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// One JSON object per line.
pub(super) fn lines<T>(all: &[T], whole: impl Fn(&T) -> serde_json::Value) {
    for one in all {
        anstream::println!("{}", whole(one));
    }
}

/// Says that there is nothing to list, and how that changes.
pub(super) fn none(what: &str, how: &str) {
    anstream::eprintln!("There is no {what} yet. The first: {BOLD}{how}{BOLD:#}");
}

/// Rows under a head, in columns.
pub(super) fn table<T, const N: usize>(
    head: [&str; N],
    all: &[T],
    row: impl Fn(&T) -> [String; N],
) -> String {
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(all.iter().map(row)).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

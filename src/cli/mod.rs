//! How people reach Instep: one file a command.
//!
//! Exit codes: 0 done (for `demo`: and in step; for `matches` and `rules misses`: and there are
//! none), 1 it failed or there is something to look at, 2 the command or the configuration is wrong,
//! or rules do not check.

pub mod audit;
pub mod check;
mod colours;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod failures;
pub mod forget;
pub mod init;
pub mod matches;
pub mod moving;
pub mod pause;
pub mod person;
pub mod plan;
mod progress;
pub mod reload;
pub mod replay;
pub mod rules;
pub mod runs;
pub mod sandbox;
pub mod serve;
pub mod sync;
pub mod tokens;
pub mod users;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::colours::WARN;
use self::deliveries::table::plain;
use crate::app::{self, Purpose, RuleProblem};
use crate::clock::Clock;
use crate::config::{self, Loaded, RuleSettings};
use crate::model::SourceName;
use crate::store::Store;

/// The command or the configuration is wrong.
const USAGE: u8 = 2;

/// Keeps a Learning Management System in step with HR.
#[derive(Debug, Parser)]
#[command(name = "instep", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration file.
    #[arg(long, global = true, env = "INSTEP_CONFIG", default_value = "instep.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows a whole company at work, with nothing set up: HR, LMS and Instep on this machine.
    Demo(demo::DemoArgs),
    /// Takes webhooks in and keeps the LMS in step.
    Serve(serve::ServeArgs),
    /// Names everything that is wrong with the configuration, at once.
    Check(CheckArgs),
    /// Examines everything, and prints a verdict that can be shown to anybody.
    Doctor(doctor::DoctorArgs),
    /// Writes a commented configuration to start from.
    Init(InitArgs),
    /// Shows what would change, and changes nothing.
    Plan(plan::PlanArgs),
    /// Explains why somebody's account is as it is, from the record to the plan.
    Explain(explain::ExplainArgs),
    /// Tries an expression on somebody, or runs the examples beside the rules.
    Rules(rules::RulesArgs),
    /// Lists everybody whose account a human must point out.
    Matches(matches::MatchesArgs),
    /// Points out whose account it is.
    Match(matches::MatchArgs),
    /// Has every serving process take new rules, if they check.
    Reload(reload::ReloadArgs),
    /// Compares HR with the LMS and brings everybody in step; `--plan` only looks.
    Sync(sync::SyncArgs),
    /// Lists and shows full syncs and replays, and decides on what waits for a human.
    Runs(runs::RunsArgs),
    /// Begins nothing more for a while; what comes in waits. Lists what is paused.
    Pause(pause::PauseArgs),
    /// Ends a pause.
    Resume(pause::ResumeArgs),
    /// Pauses everything and waits until nothing is in hand: before an upgrade.
    Drain(pause::DrainArgs),
    /// Lists, shows and discards deliveries.
    Deliveries(deliveries::DeliveriesArgs),
    /// Shows what failed by its causes, and what to do about each.
    Failures(failures::FailuresArgs),
    /// Does deliveries again, by what is true now: shows what would change, and asks.
    Replay(Box<replay::ReplayArgs>),
    /// Shows what is known of one person.
    Person(person::PersonArgs),
    /// Lists who signs in with a password of ours, and says who may.
    Users(users::UsersArgs),
    /// Lists the API's tokens, makes and revokes them.
    Tokens(tokens::TokensArgs),
    /// Shows who did what, from where, and what came of it.
    Audit(audit::AuditArgs),
    /// Erases a person everywhere in the store; `--undo` lifts it.
    Forget(forget::ForgetArgs),
    /// Writes everything that the store holds into a file.
    Export(moving::ExportArgs),
    /// Takes a file of `export` in, into an empty store.
    Import(moving::ImportArgs),
    /// Seals everything that is stored with the key of `[store]`.
    Reseal,
    /// Runs a HiBob and a 360Learning to practise on.
    Sandbox(sandbox::SandboxArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Also tries the store, the sources and the target.
    #[arg(long)]
    connect: bool,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct InitArgs {
    /// The name of the source.
    #[arg(long, default_value = "bob")]
    source: String,
}

/// The command line as it is described: every command and its arguments.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The only provider that is compiled in; a second call would find it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(cli.command, &cli.config)));
    result.unwrap_or_else(|error| {
        anstream::eprintln!("instep: {error:#}");
        ExitCode::FAILURE
    })
}

#[expect(clippy::too_many_lines, reason = "one arm a command")]
async fn run(command: Command, config: &Path) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Init(args) => {
            init::run(config, &args.source, &mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(args) => check(config, &args).await,
        Command::Serve(args) => serve::run(args, config).await,
        Command::Doctor(args) => doctor::run(args, config).await,
        Command::Plan(args) => {
            with_store(config, async |loaded, store, _| {
                plan::run(args, &loaded.settings, &store).await
            })
            .await
        }
        Command::Rules(args) => {
            let Some(loaded) = load(config) else { return Ok(ExitCode::from(USAGE)) };
            let store = &loaded.settings.store;
            let open =
                async || Ok(app::open_store(store, Purpose::Looking, &Clock::system()).await?);
            rules::run(args, &loaded.settings, open).await
        }
        Command::Explain(args) => {
            with_store(config, async |loaded, store, _| {
                explain::run(args, &loaded.settings, &store).await
            })
            .await
        }
        Command::Reload(args) => reload::run(args, config).await,
        Command::Matches(args) => {
            with_store(config, async |loaded, store, _| {
                matches::list(args, &loaded.settings, &store).await
            })
            .await
        }
        Command::Match(args) => {
            with_store(config, async |loaded, store, clock| {
                Box::pin(matches::decide(args, loaded.settings, &store, &clock)).await
            })
            .await
        }
        Command::Sync(args) => {
            with_store(config, async |loaded, store, clock| {
                Box::pin(sync::run(args, loaded.settings, &store, &clock)).await
            })
            .await
        }
        Command::Runs(args) => {
            with_store(config, async |loaded, store, clock| {
                runs::run(args, loaded.settings, store, &clock).await
            })
            .await
        }
        Command::Pause(args) => {
            with_store(config, async |loaded, store, clock| {
                pause::pause(args, Arc::new(loaded.settings), store, &clock).await
            })
            .await
        }
        Command::Resume(args) => {
            with_store(config, async |loaded, store, clock| {
                pause::resume(args, Arc::new(loaded.settings), store, &clock).await
            })
            .await
        }
        Command::Drain(args) => {
            with_store(config, async |loaded, store, clock| {
                pause::drain(args, Arc::new(loaded.settings), store, &clock).await
            })
            .await
        }
        Command::Deliveries(args) => {
            with_store(config, async |loaded, store, clock| {
                deliveries::run(args, loaded.settings, store, &clock).await
            })
            .await
        }
        Command::Failures(args) => {
            with_store(config, async |loaded, store, clock| {
                failures::run(args, loaded.settings, store, &clock).await
            })
            .await
        }
        Command::Replay(args) => {
            with_store(config, async |loaded, store, clock| {
                Box::pin(replay::run(*args, loaded.settings, &store, &clock)).await
            })
            .await
        }
        Command::Users(args) => users::run(args, config).await,
        Command::Tokens(args) => tokens::run(args, config).await,
        Command::Audit(args) => audit::run(args, config).await,
        Command::Forget(args) => {
            with_store(config, async |loaded, store, clock| {
                forget::run(args, loaded.settings, &store, &clock).await
            })
            .await
        }
        Command::Export(args) => moving::export(args, config).await,
        Command::Import(args) => moving::import(args, config).await,
        Command::Reseal => moving::reseal_all(config).await,
        Command::Person(args) => {
            with_store(config, async |loaded, store, clock| {
                let sources: Vec<SourceName> =
                    loaded.settings.sources.keys().map(SourceName::new).collect();
                person::run(args, store, &clock, &sources).await
            })
            .await
        }
    }
}

/// Loads the configuration and opens its store for a command that looks at it or replays.
async fn with_store(
    config: &Path,
    command: impl AsyncFnOnce(Loaded, Arc<dyn Store>, Clock) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load(config) else { return Ok(ExitCode::from(USAGE)) };
    let clock = Clock::system();
    if let Some(path) = app::missing_store(&loaded.settings.store) {
        let path = plain(&path.display().to_string());
        anstream::eprintln!(
            "{WARN}There is no store at {path} yet: a new, empty one is made. Should there be one, \
             write its whole path in [store] url; a part of it counts from the folder you are \
             in.{WARN:#}"
        );
    }
    let store = app::open_store(&loaded.settings.store, Purpose::Looking, &clock).await?;
    command(loaded, store, clock).await
}

/// Loads the configuration, or shows everything that is wrong with it, rules included.
fn load(path: &Path) -> Option<Loaded> {
    let (text, problems) = match config::load(path) {
        Ok(loaded) => match app::rule_problems(&loaded.settings) {
            problems if problems.is_empty() => return Some(loaded),
            problems => (Some(loaded.text), problems),
        },
        Err(failed) => (failed.text, failed.problems),
    };
    tell_problems(path, text.as_deref(), &problems);
    None
}

/// Loads rules on trial, a file of them or those of a whole configuration, or shows everything that
/// is wrong with them.
fn load_rules(path: &Path) -> Option<RuleSettings> {
    let (text, problems) = match config::load_rules(path) {
        Ok(rules) => {
            let found = app::compile(&rules).err().unwrap_or_default();
            if found.is_empty() {
                return Some(rules);
            }
            let place =
                |RuleProblem { key, range, message }| rules.problem(&key, range, message, path);
            (Some(rules.origin.text.clone()), found.into_iter().map(place).collect())
        }
        Err(failed) => (failed.text, failed.problems),
    };
    tell_problems(path, text.as_deref(), &problems);
    None
}

/// Shows what is wrong with a file on stderr.
fn tell_problems(path: &Path, text: Option<&str>, problems: &[config::Problem]) {
    let color = std::io::stderr().is_terminal();
    anstream::eprint!("{}", config::show(path, text, problems, color));
}

async fn check(path: &Path, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let color = std::io::stdout().is_terminal();
    let form = if args.json { check::Form::Json } else { check::Form::Text { color } };
    let mut out = anstream::stdout();
    let Some(loaded) =
        check::run(path, form, &|loaded| app::rule_problems(&loaded.settings), &mut out)?
    else {
        return Ok(ExitCode::from(USAGE));
    };
    if !args.connect {
        return Ok(ExitCode::SUCCESS);
    }
    let tried = app::try_connections(&loaded.settings, &Clock::system()).await;
    let failed = tried.findings.iter().any(|finding| finding.failed) || !tried.misnamed.is_empty();
    check::tell(path, &loaded.text, &tried, form, &mut out)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

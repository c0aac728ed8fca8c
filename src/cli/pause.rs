//! `instep pause`, `resume` and `drain`: nothing more is begun for a while; what comes in is taken in
//! and waits.
//!
//! Exit codes: 0 done, 1 it could not be done or (for `drain`) work is still in hand, 2 asked wrongly.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Span, Timestamp};

use super::deliveries::{Exit, Terminal};
use crate::app::Desk;
use crate::clock::{Clock, Deadline};
use crate::config::Settings;
use crate::model::words::people;
use crate::model::{Actor, Pause, PauseScope, Refused, Verb};
use crate::store::Store;

/// How often `drain` looks.
const LOOK: Duration = Duration::from_millis(200);

/// What `instep pause` takes.
#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// What: all, `source NAME`, target, `lane bulk` or `lane live`. Without it, what is paused now
    /// is listed.
    #[arg(value_name = "SCOPE", num_args = 0..=2)]
    scope: Vec<String>,
    /// Why, for those who wonder.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// For so long: 30m, 2h. Without it, until somebody resumes it.
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Span>,
    /// Who does it; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// The list as one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// What `instep resume` takes.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// What was paused: all, `source NAME`, target, `lane bulk` or `lane live`.
    #[arg(value_name = "SCOPE", required = true, num_args = 1..=2)]
    scope: Vec<String>,
    /// Who does it; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// What `instep drain` takes.
#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    /// The pause ends by itself after so long, should nobody resume it.
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    lasting: Span,
    /// How long to wait for what is in hand.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    timeout: Span,
    /// Who does it; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Pauses something, or lists what is paused.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn pause(
    args: PauseArgs,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::new(settings, store, clock.clone());
    Terminal::real(async |terminal| {
        if args.scope.is_empty() {
            return list(&desk, args.json, terminal).await;
        }
        let scope = match args.scope.join(" ").parse::<PauseScope>() {
            Ok(scope) => scope,
            Err(why) => return refuse(terminal, &why),
        };
        let Some(reason) = args.reason.clone() else {
            return refuse(terminal, "say why with --reason TEXT: others will wonder");
        };
        let until = match args.lasting.map(|span| after(clock, span)).transpose() {
            Ok(until) => until,
            Err(why) => return refuse(terminal, &why),
        };
        act(&desk, args.by.as_deref(), Verb::Pause { scope, reason, until }, terminal).await
    })
    .await
}

/// Ends a pause.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn resume(
    args: ResumeArgs,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::new(settings, store, clock.clone());
    Terminal::real(async |terminal| match args.scope.join(" ").parse::<PauseScope>() {
        Ok(scope) => act(&desk, args.by.as_deref(), Verb::Resume { scope }, terminal).await,
        Err(why) => refuse(terminal, &why),
    })
    .await
}

/// Pauses everything, and waits until nothing is in hand.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn drain(
    args: DrainArgs,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::new(settings, store.clone(), clock.clone());
    Terminal::real(async |terminal| {
        let (until, timeout) = match (after(clock, args.lasting), length(args.timeout)) {
            (Ok(until), Ok(timeout)) => (until, timeout),
            (Err(why), _) | (_, Err(why)) => return refuse(terminal, &why),
        };
        let reason = "drained before an upgrade".to_owned();
        let verb = Verb::Pause { scope: PauseScope::All, reason, until: Some(until) };
        let paused = act(&desk, args.by.as_deref(), verb, terminal).await?;
        if paused != Exit::Done {
            return Ok(paused);
        }
        let deadline = Deadline::after(timeout);
        loop {
            let leased = store.depth().await?.leased;
            if leased == 0 {
                terminal.line(
                    "Nothing is in hand. Stop, upgrade and start; webhooks that come while a \
                     receiver runs are taken in. Then: instep resume all",
                )?;
                return Ok(Exit::Done);
            }
            if deadline.left().is_zero() {
                terminal.note(&format!(
                    "Still in hand: {}. Wait with `instep drain` once more, or \
                     stop: what is in hand is given back or done again, and nothing is lost.",
                    people(leased)
                ))?;
                return Ok(Exit::Nothing);
            }
            tokio::time::sleep(LOOK).await;
        }
    })
    .await
}

async fn list(desk: &Desk, json: bool, terminal: &mut Terminal<'_>) -> anyhow::Result<Exit> {
    let pauses = match desk.pauses().await {
        Ok(pauses) => pauses,
        Err(refused) => return told(terminal, &refused),
    };
    if json {
        for pause in &pauses {
            terminal.line(&serde_json::to_string(pause)?)?;
        }
    } else if pauses.is_empty() {
        terminal.note("Nothing is paused.")?;
    } else {
        for pause in &pauses {
            terminal.line(&line(pause))?;
        }
    }
    Ok(Exit::Done)
}

fn line(pause: &Pause) -> String {
    let Pause { scope, by, reason, since, until, .. } = pause;
    let end = until.map_or_else(
        || format!("until `instep resume {scope}`"),
        |until| format!("until {until:.0}"),
    );
    format!("{scope}  since {since:.0} {end}, by {by}: {reason}")
}

async fn act(
    desk: &Desk,
    by: Option<&str>,
    verb: Verb,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let Some(by) = super::runs::who(by) else {
        return refuse(terminal, "who does it is not known: say it with --by NAME");
    };
    match desk.act(&Actor::at_the_command_line(&by), verb).await {
        Ok(outcome) => {
            terminal.line(&outcome.said)?;
            Ok(Exit::Done)
        }
        Err(refused) => told(terminal, &refused),
    }
}

fn told(terminal: &mut Terminal<'_>, refused: &Refused) -> anyhow::Result<Exit> {
    terminal.note(&refused.to_string())?;
    Ok(if matches!(refused, Refused::Wrong(_)) { Exit::Usage } else { Exit::Nothing })
}

fn refuse(terminal: &mut Terminal<'_>, why: &str) -> anyhow::Result<Exit> {
    terminal.note(why)?;
    Ok(Exit::Usage)
}

fn after(clock: &Clock, span: Span) -> Result<Timestamp, String> {
    length(span).map(|length| clock.now() + length)
}

/// A length of time as people type it: days have 24 hours.
fn length(span: Span) -> Result<Duration, String> {
    let length = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .ok()
        .filter(|length| *length > SignedDuration::ZERO && *length <= LONGEST)
        .and_then(|length| Duration::try_from(length).ok());
    length.ok_or_else(|| "say for how long, as in 30m, 2h or 3d; 90 days at most".to_owned())
}

/// A longer pause has no end.
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

//! `instep serve`: takes webhooks in and keeps the LMS in step, until it is told to stop.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::{self, Instep, Purpose, Roles};
use crate::clock::Clock;
use crate::telemetry::{self, LogForm};

/// What `instep serve` takes.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// What this process does; others may do the rest on the same Redis.
    #[arg(long, value_delimiter = ',', default_value = "receiver,worker,scheduler")]
    role: Vec<Role>,
    /// How logs are written.
    #[arg(long, value_enum, default_value_t)]
    log: LogForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Takes webhooks in.
    Receiver,
    /// Reads HR and applies changes to the LMS.
    Worker,
    /// Trims what is past its retention and watches the store.
    Scheduler,
}

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the store, the address or a part cannot be set up.
pub async fn run(args: ServeArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let Some(loaded) = super::load(config) else { return Ok(ExitCode::from(super::USAGE)) };
    let traces = telemetry::start(args.log, &loaded.settings.telemetry)?;
    for warning in &loaded.warnings {
        tracing::warn!(key = warning.key, "{}", warning.message);
    }
    let settings = loaded.settings;
    let clock = Clock::system();
    let has = |role| args.role.contains(&role);
    let roles = Roles {
        receiver: has(Role::Receiver),
        worker: has(Role::Worker),
        scheduler: has(Role::Scheduler),
    };
    let store =
        app::open_store(&settings.store, Purpose::Serving, &clock).await.context("the store")?;
    // A store that is away is waited for later.
    anyhow::ensure!(
        !matches!(app::is_half_imported(&*store).await, Ok(true)),
        "an import into this store was not finished, so it holds a part of what it should: name a new \
         file or namespace in [store], or empty it, and do `instep import` again"
    );
    let listen = settings.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: choose another server.listen"))?;
    tracing::info!(address = %listener.local_addr()?, ?roles, "listening");
    let instep = Instep::build(settings, store, clock)?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    ring_on_hangup(instep.reload_bell())?;
    let served = instep.serve(listener, roles, stop).await;
    traces.finish().await;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// Rings on each SIGHUP: new rules.
fn ring_on_hangup(bell: Arc<Notify>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            bell.notify_one();
        }
    });
    Ok(())
}

/// Cancels the token on SIGTERM or Ctrl-C; a second signal ends the process at once.
///
/// # Errors
/// When signals cannot be listened to.
pub(super) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            stop.cancel();
        }
    });
    Ok(())
}

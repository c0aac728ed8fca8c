//! `instep sync`: a full sync by hand.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::Store;

/// What `instep sync` takes.
#[derive(Debug, clap::Args)]
pub struct SyncArgs {
    /// Only this source.
    #[arg(long)]
    source: Option<String>,
    /// Only look: nothing is queued.
    #[arg(long)]
    plan: bool,
}

/// Compares everyone and queues those who differ; the workers of `instep serve` bring them in step.
/// Ends when they have.
///
/// # Errors
/// When a run is under way already, or the store is not available.
pub async fn run(
    args: SyncArgs,
    settings: &Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let (progress, _) = watch::channel(app::Progress::default());
    let mut found = false;
    for sync in app::FullSync::all(settings, store, clock)? {
        if args.source.as_ref().is_some_and(|only| only != sync.name().as_str()) {
            continue;
        }
        found = true;
        let stop = CancellationToken::new();
        let run = sync.reconciler().run("instep sync", args.plan, &progress, &stop).await?;
        println!("{}: run {}: {:?}", sync.name(), run.id, run.state);
    }
    if !found {
        anyhow::bail!("there is no such source in the configuration");
    }
    Ok(ExitCode::SUCCESS)
}

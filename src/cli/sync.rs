//! `instep sync`: queues everyone whom a source shows.

use std::process::ExitCode;
use std::sync::Arc;

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
}

/// Queues everyone in the bulk lane; the workers of `instep serve` bring them in step. Nobody is
/// deactivated for not being shown.
///
/// # Errors
/// When a source or the store is not available.
pub async fn run(
    args: SyncArgs,
    settings: &Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let occasion = format!("sync {}", clock.now());
    let mut found = false;
    for (name, source) in app::sources(settings, store)? {
        if args.source.as_ref().is_some_and(|only| only != name.as_str()) {
            continue;
        }
        found = true;
        let queued = app::queue_everyone(&name, &source, store, clock, &occasion).await?;
        println!("{name}: {queued} people queued; `instep deliveries` shows how they fare");
    }
    if !found {
        anyhow::bail!("there is no such source in the configuration");
    }
    Ok(ExitCode::SUCCESS)
}

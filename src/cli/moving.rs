//! `instep export`, `instep import` and `instep reseal`: the store as a whole.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::progress::Progress;
use super::{USAGE, load};
use crate::app::{self, Moved, Purpose};
use crate::clock::Clock;
use crate::model::words::count;
use crate::store::reseal::reseal;

/// What `instep export` takes.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The file to write; it must not be there yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What `instep import` takes.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// A file that `instep export` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Writes everything that the store holds into a file. Nothing may serve from the store meanwhile.
///
/// # Errors
/// When the store or the file does not do it; then there is no file.
pub async fn export(args: ExportArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load(config) else { return Ok(ExitCode::from(USAGE)) };
    let (settings, clock) = (loaded.settings.store, Clock::system());
    let store = app::open_store(&settings, Purpose::Serving, &clock).await?;
    let keys = app::store_keys(&settings)?;
    let path = &args.file;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).with_context(|| path.display().to_string())?;
    let note = Progress::note("Writing");
    let exported = app::export(&*store, &keys, &file, clock.now(), |count| {
        note.so_far("records", number(count));
    })
    .await;
    drop(note);
    let exported = match exported {
        Ok(moved) => file.sync_all().map(|()| moved).context("the file"),
        Err(error) => Err(error.into()),
    };
    match exported {
        Ok(moved) => {
            println!("{} holds {}.", path.display(), told(&moved));
            if keys.is_none() {
                anstream::eprintln!(
                    "It is not sealed, because [store] has no key: whoever reads it reads everything."
                );
            } else {
                anstream::eprintln!("It is sealed with the key of [store]: it opens only with it.");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

/// Takes a file in, into an empty store.
///
/// # Errors
/// When the store is not empty, or it or the file does not do it.
pub async fn import(args: ImportArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load(config) else { return Ok(ExitCode::from(USAGE)) };
    let (settings, clock) = (loaded.settings.store, Clock::system());
    let file = File::open(&args.file).with_context(|| args.file.display().to_string())?;
    let store = app::open_store(&settings, Purpose::Serving, &clock).await?;
    let keys = app::store_keys(&settings)?;
    let note = Progress::note("Taking in");
    let moved =
        app::import(&*store, &keys, file, |done, _| note.so_far("records", number(done))).await?;
    drop(note);
    println!("The store holds {} now.", told(&moved));
    Ok(ExitCode::SUCCESS)
}

/// Seals everything with the newest key.
///
/// # Errors
/// When the store does not answer, or something in it cannot be read.
pub async fn reseal_all(config: &Path) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load(config) else { return Ok(ExitCode::from(USAGE)) };
    let (settings, clock) = (loaded.settings.store, Clock::system());
    if settings.key.is_none() {
        anstream::eprintln!("There is nothing to seal with: [store] has no key.");
        return Ok(ExitCode::from(USAGE));
    }
    let store = app::open_store(&settings, Purpose::Looking, &clock).await?;
    let note = Progress::note("Sealing");
    let tell = |done: crate::store::reseal::Resealed| note.so_far("records", number(done.looked));
    let mut sealed = 0;
    // A second walk sees whether another process still seals with an old key.
    let mut done = reseal(&*store, tell).await?;
    sealed += done.sealed;
    if !done.complete {
        done = reseal(&*store, tell).await?;
        sealed += done.sealed;
    }
    drop(note);
    println!("{sealed} of {} sealed anew.", count(done.looked, "record", "records"));
    if !done.complete {
        anstream::eprintln!(
            "Another process still writes with an old key or with none: restart all of them with the \
             new configuration, then do this again. Keep old_keys until then."
        );
        return Ok(ExitCode::FAILURE);
    }
    store.wipe().await?;
    println!("Everything is sealed with the key of [store]; old_keys are not needed any more.");
    for copy in app::copies_of_store(&settings) {
        let copy = copy.display();
        anstream::eprintln!("An upgrade left a copy that stays as it was sealed, or not: {copy}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A count as a terminal shows it.
fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn told(moved: &Moved) -> String {
    let all: Vec<String> = moved.iter().map(|(what, count)| format!("{count} {what}")).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

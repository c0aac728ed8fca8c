//! A replay of everything that was settled in some days: what live work feels of it.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use instep::clock::Clock;
use instep::model::{Run, RunState};
use instep::store::sqlite::SqliteStore;
use instep::store::{Runs, Store};

use crate::Bench;
use crate::company::Company;
use crate::live::{self, Live};
use crate::past;
use crate::program::Program;
use crate::sync::{LARGE, update_limit};
use crate::table::Row;

/// Deliveries that are done again.
const DELIVERIES: usize = 100_000;
/// People a minute: more than can be done, so that the replay takes all that live work leaves.
const PER_MINUTE: &str = "100000";
/// How long it may take at most.
const PATIENCE: Duration = Duration::from_mins(15);

/// How long live changes take from their receipt until they are applied, alone and while a replay of
/// a large past goes from its first look to its end.
pub fn beside_live(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 3_000 } else { LARGE };
    let deliveries = bench.many(DELIVERIES);
    let seconds = live::seconds(bench);
    let mut company = Company::of(people)?;
    company.configuration.set("brake", "update", update_limit());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&company.file(), Clock::system())?);
    company.runtime.block_on(past::write(&*store, &company.people, deliveries, 0))?;
    drop(store);
    let folder = company.folder.path().to_owned();
    let program = Program::start(&mut company.configuration, "receiver,worker,scheduler", &folder)?;
    company.sandbox.send_webhooks_to(format!("http://{}/webhooks/bob", program.address));

    let until = Clock::system().now();
    let mut live = Live::of(&company);
    let for_a_while = |so_long: Duration| so_long < Duration::from_secs(seconds);
    // The first ones find a program that has just started.
    live.go(for_a_while)?;
    let alone = live.go(for_a_while)?;
    let (alone, few) = live.slowest(&alone)?;
    let began = Instant::now();
    let mut replaying = Command::new(env!("CARGO_BIN_EXE_instep"))
        .arg("--config")
        .arg(folder.join("instep.toml"))
        .args(["replay", "--source", "bob", "--until"])
        .arg(until.to_string())
        .args([
            "--yes",
            "--per-minute",
            PER_MINUTE,
            "--reason",
            "a benchmark",
            "--personal",
            "none",
        ])
        .current_dir(&folder)
        .env_remove("INSTEP_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("instep")?;
    let beside =
        live.go(|so_long| so_long < PATIENCE && matches!(replaying.try_wait(), Ok(None)))?;
    let took = began.elapsed();
    let ended = replaying.try_wait()?;
    if ended.is_none() {
        replaying.kill()?;
        replaying.wait()?;
    }
    let store = SqliteStore::open(&company.file(), Clock::system())?;
    let runs = company.runtime.block_on(store.runs(None, Runs::All, 10))?;
    let run = runs.iter().find(|run| run.is_replay()).context("the replay")?;
    check(run, deliveries)?;
    let (with, many) = live.slowest(&beside)?;
    let ratio = with / alone;
    bench.table.row(Row {
        what: format!(
            "live p99 beside a replay of {} deliveries, received to applied",
            run.deliveries
        ),
        measured: format!("{:.0} ms", with * 1000.0),
        floor: format!("{:.0} ms: alone", alone * 1000.0),
        ratio: Some(ratio),
        target: format!("at most {} of it", live::RATIO),
        met: ratio <= live::RATIO,
    });
    bench.table.note(format!(
        "replay: {} real changes a second by webhook, {seconds} s alone ({few}) and for as long as \
         the replay took, {:.0} s ({many}): instep replay --yes --per-minute {PER_MINUTE}, {} people \
         previewed and done again; SQLite, no rate limits; the same process serves both, and held \
         {} MiB at most",
        live::PACE,
        took.as_secs_f64(),
        run.people,
        program.most_memory()? / 1024,
    ));
    program.stop()?;
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

/// The replay went from its beginning to its end, and all of it was done again.
fn check(run: &Run, deliveries: usize) -> anyhow::Result<()> {
    ensure!(run.state == RunState::Done, "the replay is {:?} after {PATIENCE:?}", run.state);
    ensure!(run.failed == 0 && run.fails.is_empty(), "{} failed, {:?}", run.failed, run.fails);
    let done = usize::try_from(run.deliveries)?;
    ensure!(done == deliveries, "{done} of {deliveries} deliveries were done again");
    Ok(())
}

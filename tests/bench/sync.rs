//! The full sync: what comparing a large company costs, and what live work feels of it.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::Bench;
use crate::company::Company;
use crate::live::{self, Live};
use crate::program::Program;
use crate::table::Row;

/// People of a large company, and of a very large one.
pub const LARGE: usize = 100_000;
const VERY_LARGE: usize = 1_000_000;
/// The promises of a comparison of a large company.
const CPU: f64 = 10.0;
const MEMORY: f64 = 600.0;
const MORE_CALLS: f64 = 1.05;

/// What a process cost from its start to its end.
pub struct Cost {
    cpu: f64,
    mib: f64,
    time: Duration,
    run: Value,
}

/// Runs `instep sync` and measures it; gives the run that it made.
pub fn sync(company: &Company, args: &[&str]) -> anyhow::Result<Cost> {
    let before = cpu_of_children()?;
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_instep"))
        .arg("--config")
        .arg(company.folder.path().join("instep.toml"))
        .args(["sync", "--json"])
        .args(args)
        .current_dir(company.folder.path())
        .env_remove("INSTEP_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("instep")?;
    let mut output = child.stdout.take().context("its output")?;
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut output, &mut text).map(|_| text)
    });
    let mut kib = 0;
    while child.try_wait()?.is_none() {
        kib = kib.max(crate::program::most_memory(child.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    let time = began.elapsed();
    let text = reading.join().map_err(|_| anyhow::anyhow!("reading"))??;
    let document: Value = serde_json::from_str(&text).context("one document")?;
    #[expect(clippy::cast_precision_loss, reason = "a process has less than 2^53 KiB")]
    let mib = kib as f64 / 1024.0;
    let run = document["run"].clone();
    ensure!(run["state"] == "done", "the run is {}", run["state"]);
    Ok(Cost { cpu: cpu_of_children()? - before, mib, time, run })
}

/// The CPU seconds of all children that have ended.
fn cpu_of_children() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name may hold spaces; the fields are counted behind it.
    let fields: Vec<&str> = stat.rsplit_once(')').context("a name")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    let (user, system) = (ticks(13).context("cutime")?, ticks(14).context("cstime")?);
    // USER_HZ is 100 on every Linux that this runs on.
    Ok((user + system) / 100.0)
}

fn number(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
fn share(of: usize, all: usize) -> f64 {
    of as f64 / all.max(1) as f64
}

/// 100,000 people against their accounts, of whom one in a hundred has changed; then nobody.
pub fn large(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 3_000 } else { LARGE };
    let mut company = Company::of(people)?;
    let changed = company.people.len() / 100;
    company.change(0, changed, "Changed")?;
    company.configuration.set("brake", "update", update_limit());
    let program =
        Program::start(&mut company.configuration, "worker,scheduler", company.folder.path())?;

    let planned = sync(&company, &["--plan"])?;
    let found = number(&planned.run["slices"][0]["people"]);
    ensure!(found == changed, "{found} of {changed} were found");
    let (calls, fewest) =
        (number(&planned.run["calls"]["360learning reads"]), company.fewest_reads());
    let accounts = company.in_use + company.deactivated;
    let name = format!("compare {people} people with {accounts} accounts, 1 % changed");
    let row = |what: &str, measured: String, floor: String, ratio, target: String, met| Row {
        what: format!("{name}: {what}"),
        measured,
        floor,
        ratio,
        target,
        met,
    };
    let table = &mut bench.table;
    let cpu = format!("{:.1} s", planned.cpu);
    table.row(row("CPU", cpu, String::new(), None, format!("under {CPU:.0} s"), planned.cpu < CPU));
    let (mib, target) = (format!("{:.0} MiB", planned.mib), format!("under {MEMORY:.0} MiB"));
    table.row(row("memory", mib, String::new(), None, target, planned.mib < MEMORY));
    let (ratio, floor) = (share(calls, fewest), format!("{fewest}: full pages"));
    let target = format!("at most {MORE_CALLS} of it");
    table.row(row("LMS calls", calls.to_string(), floor, Some(ratio), target, ratio <= MORE_CALLS));
    let searches = number(&planned.run["calls"]["hibob searches"]);
    table.row(row(
        "HiBob calls",
        searches.to_string(),
        String::new(),
        None,
        "1".into(),
        searches == 1,
    ));

    let acted = sync(&company, &[])?;
    let mended = number(&acted.run["changed"]);
    ensure!(mended == changed, "{mended} of {changed} were changed");
    let writes = company.sandbox.writes();
    let second = sync(&company, &[])?;
    let more = company.sandbox.writes() - writes;
    let slices = second.run["slices"].as_array().map_or(0, Vec::len);
    let (found, met) =
        (format!("{slices} kinds of change, {more} writes"), slices == 0 && more == 0);
    bench.table.row(Row {
        what: format!("{name}: a second run"),
        measured: found,
        floor: String::new(),
        ratio: None,
        target: "nothing, 0 writes".to_owned(),
        met,
    });
    bench.table.note(format!(
        "compare: instep sync --plan took {:.1} s; instep sync, {changed} people changed by a worker \
         beside it, {:.1} s ({writes} writes); the second one {:.1} s; SQLite; the doubles without \
         limits share the cores",
        planned.time.as_secs_f64(),
        acted.time.as_secs_f64(),
        second.time.as_secs_f64(),
    ));
    program.stop()?;
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

/// Everybody may be updated: what is measured is not the brake.
pub fn update_limit() -> toml::Value {
    toml::Value::Table([("percent".to_owned(), toml::Value::Integer(100))].into_iter().collect())
}

/// A million people: it works, and costs this.
pub fn very_large(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 6_000 } else { VERY_LARGE };
    let company = Company::of(people)?;
    let changed = company.people.len() / 100;
    company.change(0, changed, "Changed")?;
    company.configuration.write(company.folder.path())?;
    let planned = sync(&company, &["--plan"])?;
    let found = number(&planned.run["slices"][0]["people"]);
    let accounts = company.in_use + company.deactivated;
    let (calls, fewest) =
        (number(&planned.run["calls"]["360learning reads"]), company.fewest_reads());
    bench.table.row(Row {
        what: format!("compare {people} people with {accounts} accounts, 1 % changed"),
        measured: format!(
            "{:.1} s of CPU, {:.0} MiB, {:.0} s",
            planned.cpu,
            planned.mib,
            planned.time.as_secs_f64()
        ),
        floor: format!("{calls} calls to the LMS of {fewest}"),
        ratio: Some(share(calls, fewest)),
        target: "works".to_owned(),
        met: found == changed,
    });
    #[expect(clippy::cast_precision_loss, reason = "a process has less than 2^53 KiB")]
    let mib = crate::program::most_memory(std::process::id())? as f64 / 1024.0;
    bench.table.note(format!(
        "million: SQLite; both doubles, which hold {people} people and {accounts} accounts, live in \
         the process of the benchmarks, which held {mib:.0} MiB at most"
    ));
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

/// How long live changes take from their receipt until they are applied, alone and beside full syncs
/// of a large company.
pub fn beside_live(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 3_000 } else { LARGE };
    let seconds = live::seconds(bench);
    let mut company = Company::of(people)?;
    company.configuration.set("brake", "update", update_limit());
    let folder = company.folder.path().to_owned();
    let program = Program::start(&mut company.configuration, "receiver,worker,scheduler", &folder)?;
    company.sandbox.send_webhooks_to(format!("http://{}/webhooks/bob", program.address));
    let mut live = Live::of(&company);
    let for_a_while = |so_long: Duration| so_long < Duration::from_secs(seconds);
    // The first ones find a program that has just started.
    live.go(for_a_while)?;
    let alone = live.go(for_a_while)?;
    let stop = AtomicBool::new(false);
    let (beside, runs) = std::thread::scope(|threads| {
        let (stop, company) = (&stop, &company);
        let syncing = threads.spawn(move || -> anyhow::Result<usize> {
            let mut runs = 0;
            while !stop.load(Ordering::Relaxed) {
                sync(company, &[])?;
                runs += 1;
            }
            Ok(runs)
        });
        let beside = live.go(for_a_while);
        stop.store(true, Ordering::Relaxed);
        let runs = syncing.join().map_err(|_| anyhow::anyhow!("the syncs panicked"))??;
        anyhow::Ok((beside?, runs))
    })?;
    let (alone, few) = live.slowest(&alone)?;
    let (with, many) = live.slowest(&beside)?;
    let ratio = with / alone;
    bench.table.row(Row {
        what: format!("live p99 beside full syncs of {people}, received to applied"),
        measured: format!("{:.0} ms", with * 1000.0),
        floor: format!("{:.0} ms: alone", alone * 1000.0),
        ratio: Some(ratio),
        target: format!("at most {} of it", live::RATIO),
        met: ratio <= live::RATIO,
    });
    bench.table.note(format!(
        "live: {} real changes a second for {seconds} s by webhook ({few} alone, {many} beside {runs} \
         full syncs one after the other); SQLite, no rate limits; the same process serves both",
        live::PACE
    ));
    program.stop()?;
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

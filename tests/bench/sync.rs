//! The full sync: what comparing a large company costs, and what live work feels of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use instep::clock::Clock;
use instep::model::{AccountId, AccountStatus, DeliveryState, Field, Link};
use instep::sandbox::{Change, Options, Sandbox};
use instep::store::sqlite::SqliteStore;
use instep::store::{Filter, record};
use instep::targets::learning360::member;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::program::{Configuration, Program};
use crate::table::Row;

/// People of a large company, and of a very large one.
const LARGE: usize = 100_000;
const VERY_LARGE: usize = 1_000_000;
/// A rate that limits nothing.
const UNLIMITED: i64 = 1_000_000;
/// The promises of a comparison of a large company.
const CPU: f64 = 10.0;
const MEMORY: f64 = 600.0;
const MORE_CALLS: f64 = 1.05;
/// Live events a second, and for how long, alone and beside a run.
const LIVE_PACE: u32 = 20;
const LIVE_SECONDS: usize = 60;
/// How much slower live work may be beside a run.
const LIVE_RATIO: f64 = 1.10;

/// A company whose LMS is in step, without limits on either side.
struct Company {
    runtime: Runtime,
    sandbox: Sandbox,
    configuration: Configuration,
    folder: TempDir,
    /// How many accounts are in use, and how many are deactivated.
    in_use: usize,
    deactivated: usize,
    /// Those whose accounts are in use.
    people: Vec<String>,
}

impl Company {
    /// So many people, all of whose accounts are linked in a SQLite file.
    fn of(people: usize) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let options = Options {
            people,
            in_step: true,
            platform: Some("instep-bob".to_owned()),
            limits: false,
            ..Options::default()
        };
        let sandbox = runtime.block_on(Sandbox::start(options, Clock::system()))?;
        let folder = TempDir::new()?;
        let mut configuration = Configuration::of(&sandbox)?;
        let file = folder.path().join("instep.db");
        configuration.set("store", "url", format!("sqlite:{}", file.display()));
        configuration.set("source.bob", "searches_per_minute", UNLIMITED);
        configuration.set("source.bob", "timeout_seconds", 60);
        configuration.set("target", "reads_per_second", UNLIMITED);
        configuration.set("target", "writes_per_second", UNLIMITED);
        configuration.set("worker", "lease_seconds", 300);
        configuration.set("worker", "concurrency", 64);
        let accounts = sandbox.accounts();
        let links = linked(&accounts)?;
        let deactivated = accounts.iter().filter(|it| it["status"] == "deleted").count();
        let people = links
            .iter()
            .filter(|(_, link)| link.status != Some(AccountStatus::Deleted))
            .map(|(employee, _)| employee.clone())
            .collect();
        write_links(&file, &links)?;
        let in_use = accounts.len() - deactivated;
        Ok(Self { runtime, sandbox, configuration, folder, in_use, deactivated, people })
    }

    /// The surnames of so many people change in HR, from this one on; nobody is told.
    fn change(&self, from: usize, many: usize, surname: &str) -> anyhow::Result<()> {
        for id in self.people.iter().cycle().skip(from).take(many) {
            let merge = json!({"surname": surname});
            let change = Change { id: Some(id.clone()), merge, ..Change::default() };
            self.sandbox.change(&change).map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// The calls that reading the LMS takes at least, from the sizes of its pages.
    fn fewest_reads(&self) -> usize {
        let pages = |rows: usize, size: usize| rows.div_ceil(size).max(1);
        pages(self.in_use, 500)
            + pages(self.deactivated, 500)
            + pages(self.in_use + self.deactivated, 5000)
    }
}

/// A link for each account that bears an employee's id, as a worker would have left it.
fn linked(accounts: &[Value]) -> anyhow::Result<Vec<(String, Link)>> {
    let written = [
        Field::Email,
        Field::FirstName,
        Field::LastName,
        Field::Job,
        Field::Organization,
        Field::Phone,
        Field::Lang,
    ];
    let mut links = Vec::with_capacity(accounts.len());
    for account in accounts {
        let Some(employee) = account["externalIds"][0]["value"].as_str() else { continue };
        let value = |field| account[member(field)].as_str().map(str::to_owned);
        let applied: BTreeMap<Field, Option<String>> =
            written.into_iter().map(|field| (field, value(field))).collect();
        let link = Link {
            account: account["_id"].as_str().map(AccountId::new),
            status: Some(serde_json::from_value(account["status"].clone())?),
            applied,
            external_id: Some(employee.to_owned()),
            ..Link::default()
        };
        links.push((employee.to_owned(), link));
    }
    Ok(links)
}

/// A company that was linked long ago: linking it here would take longer than what is measured.
fn write_links(file: &Path, links: &[(String, Link)]) -> anyhow::Result<()> {
    drop(SqliteStore::open(file, Clock::system())?);
    let mut db = rusqlite::Connection::open(file)?;
    let all = db.transaction()?;
    {
        let sql = "INSERT INTO link (source, employee, account, record) VALUES ('bob', ?1, ?2, ?3)";
        let mut write = all.prepare(sql)?;
        for (employee, link) in links {
            let account = link.account.as_ref().map(AccountId::as_str);
            write.execute((employee, account, record::write(link)))?;
        }
    }
    all.commit()?;
    Ok(())
}

/// What a process cost from its start to its end.
struct Cost {
    cpu: f64,
    mib: f64,
    time: Duration,
    run: Value,
}

/// Runs `instep sync` and measures it; gives the run that it made.
fn sync(company: &Company, args: &[&str]) -> anyhow::Result<Cost> {
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
fn update_limit() -> toml::Value {
    toml::Value::Table([("percent".to_owned(), toml::Value::Integer(100))].into_iter().collect())
}

/// A million people: it works, and costs this.
pub fn very_large(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 6_000 } else { VERY_LARGE };
    let mut company = Company::of(people)?;
    let changed = company.people.len() / 100;
    company.change(0, changed, "Changed")?;
    let began = Program::start(&mut company.configuration, "receiver", company.folder.path())?;
    began.stop()?;
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
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

/// How long live changes take from their receipt until they are applied, alone and beside full syncs
/// of a large company.
pub fn beside_live(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 3_000 } else { LARGE };
    let seconds = if bench.quick { 5 } else { LIVE_SECONDS };
    let mut company = Company::of(people)?;
    company.configuration.set("brake", "update", update_limit());
    let folder = company.folder.path().to_owned();
    let program = Program::start(&mut company.configuration, "receiver,worker,scheduler", &folder)?;
    company.sandbox.send_webhooks_to(format!("http://{}/webhooks/bob", program.address));
    let half = company.people.len() / 2;
    let live = |round: usize| -> anyhow::Result<(jiff::Timestamp, jiff::Timestamp)> {
        let (clock, began) = (Clock::system(), Instant::now());
        let since = clock.now();
        for at in 0..seconds * LIVE_PACE as usize {
            let due = began + Duration::from_secs(1) / LIVE_PACE * u32::try_from(at)?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            company.change(
                round * seconds * LIVE_PACE as usize + at,
                1,
                &format!("Live{round}"),
            )?;
        }
        Ok((since, clock.now()))
    };
    live(2)?;
    let alone = live(0)?;
    let mut runs = 0;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let beside = std::thread::scope(|threads| {
        let (stop, company) = (&stop, &company);
        let syncing = threads.spawn(move || -> anyhow::Result<usize> {
            let mut runs = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                sync(company, &[])?;
                runs += 1;
            }
            Ok(runs)
        });
        let beside = live(1);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        runs = syncing.join().map_err(|_| anyhow::anyhow!("the syncs panicked"))??;
        beside
    })?;
    let (alone, few) = slowest(&company, alone)?;
    let (with, many) = slowest(&company, beside)?;
    ensure!(half > 0 && few > 0 && many > 0, "{few} and {many} events");
    let ratio = with / alone;
    bench.table.row(Row {
        what: format!("live p99 beside full syncs of {people}, received to applied"),
        measured: format!("{:.0} ms", with * 1000.0),
        floor: format!("{:.0} ms: alone", alone * 1000.0),
        ratio: Some(ratio),
        target: format!("at most {LIVE_RATIO} of it"),
        met: ratio <= LIVE_RATIO,
    });
    bench.table.note(format!(
        "live: {LIVE_PACE} real changes a second for {seconds} s by webhook ({few} alone, {many} \
         beside {runs} full syncs one after the other); SQLite, no rate limits; the same process \
         serves both"
    ));
    bench.held(program.most_memory()?, "live beside full syncs");
    program.stop()?;
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

/// The time within which 99 of 100 events of a span were applied, and how many events there were.
fn slowest(
    company: &Company,
    (since, until): (jiff::Timestamp, jiff::Timestamp),
) -> anyhow::Result<(f64, usize)> {
    let file = company.folder.path().join("instep.db");
    let store = SqliteStore::open(&file, Clock::system())?;
    let filter = Filter {
        state: Some(DeliveryState::Done),
        since: Some(since),
        until: Some(until),
        kind: Some("employee.updated".to_owned()),
        ..Filter::default()
    };
    let store: Arc<dyn instep::store::Store> = Arc::new(store);
    let deliveries = company.runtime.block_on(store.deliveries(&filter, 1_000_000))?;
    let mut took: Vec<f64> = deliveries
        .iter()
        .filter(|it| it.history.iter().any(|attempt| !attempt.done.is_empty()))
        .map(|it| it.due.duration_since(it.received_at).as_secs_f64())
        .collect();
    took.sort_unstable_by(f64::total_cmp);
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    Ok((took.get(at).copied().unwrap_or_default(), took.len()))
}

//! The pages of the console and the lists of the API over a store in which much has happened: how
//! long each takes.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use instep::clock::Clock;
use instep::model::DeliveryState;
use instep::model::cause::Cause;
use instep::store::sqlite::SqliteStore;
use instep::store::{Filter, Runs, Store};
use jiff::ToSpan as _;
use reqwest::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::company::Company;
use crate::past::{self, Past};
use crate::program::Program;
use crate::redis_server::Server;
use crate::sync::{LARGE, sync, update_limit};
use crate::table::Row;

/// Settled deliveries, and entries of the audit log.
const DELIVERIES: usize = 100_000;
const ENTRIES: usize = 20_000;
/// Full syncs that only looked.
const RUNS: usize = 5;
/// How often each page is asked for.
const TIMES: usize = 50;
/// The promise.
const LIMIT: Duration = Duration::from_millis(100);
/// How long a program that has just started reads everybody at most.
const PATIENCE: Duration = Duration::from_mins(2);
/// The search that finds somebody.
const KNOWN: &str = "API people";
/// Who signs in.
const NAME: &str = "operator@example.test";
const PASSWORD: &str = "three words and a half";

/// Each page, on SQLite and on Redis.
pub fn all(bench: &mut Bench) -> anyhow::Result<()> {
    let people = if bench.quick { 3_000 } else { LARGE };
    let (deliveries, entries) = (bench.many(DELIVERIES), bench.many(ENTRIES));
    let mut company = Company::of(people)?;
    company.configuration.set("brake", "update", update_limit());
    company.configuration.set("console", "local_accounts", true);
    company.configuration.set("console", "api", true);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&company.file(), Clock::system())?);
    let past =
        company.runtime.block_on(past::write(&*store, &company.people, deliveries, entries))?;
    drop(store);
    company.change(0, company.people.len() / 100, "Changed")?;
    let folder = company.folder.path().to_owned();
    company.configuration.write(&folder)?;
    for _ in 0..RUNS {
        sync(&company, &["--plan"])?;
    }
    instep(&folder, &["users", "add", NAME, "--access", "operator"], PASSWORD)?;
    let token = instep(&folder, &["tokens", "make", "bench", "--access", "operator"], "")?;
    let token = token.split_whitespace().find(|word| word.len() > 30).context("a token")?;
    let employee = company.people.get(company.people.len() / 2).context("somebody")?.clone();
    let pages = pages(&company, &past, &employee)?;
    instep(&folder, &["export", "all.instep"], "")?;

    let program = Program::start(&mut company.configuration, "receiver,worker,scheduler", &folder)?;
    let took = ask_all(&company.runtime, program.address, token, &employee, &pages)?;
    tell(bench, "SQLite", deliveries, program.most_memory()?, took);
    program.stop()?;

    let (redis, other) = (Server::single(), TempDir::new()?);
    company.configuration.set("store", "url", redis.url());
    company.configuration.write(other.path())?;
    let file = folder.join("all.instep");
    instep(other.path(), &["import", &file.display().to_string()], "")?;
    let program =
        Program::start(&mut company.configuration, "receiver,worker,scheduler", other.path())?;
    let took = ask_all(&company.runtime, program.address, token, &employee, &pages)?;
    tell(bench, "Redis", deliveries, program.most_memory()?, took);
    program.stop()?;
    company.runtime.block_on(company.sandbox.stop());
    Ok(())
}

/// A page: what it is, and its address.
type Page = (&'static str, String);

/// Every page of the console, and the lists of the API.
fn pages(company: &Company, past: &Past, employee: &str) -> anyhow::Result<Vec<Page>> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&company.file(), Clock::system())?);
    let (mut mail, mut name) = (String::new(), String::new());
    company.sandbox.each_account(|account| {
        if account["externalIds"][0]["value"] == employee {
            let text = |member: &str| account[member].as_str().unwrap_or_default().to_owned();
            (mail, name) = (text("mail"), text("lastName"));
        }
    });
    let (cause, run) = company.runtime.block_on(async {
        let dead = store.delivery(&past.dead).await?.context("a dead letter")?;
        ensure!(dead.state == DeliveryState::Dead, "it is {}", dead.state.word());
        let run = store.runs(None, Runs::All, 1).await?.pop().context("a run")?;
        let waits = Filter { state: Some(DeliveryState::Waiting), ..Filter::default() };
        ensure!(store.deliveries(&waits, 1).await?.is_empty(), "something waits");
        anyhow::Ok((Cause::of(&dead).name, run.id))
    })?;
    let (dead, middle) = (past.dead.as_str(), past.middle.as_str());
    let day = Clock::system().now() - 72.hours();
    let day = day.strftime("%Y-%m-%d").to_string();
    let list = |query: &str| format!("/console/deliveries?{query}");
    let api = |rest: &str| format!("/api/v1{rest}");
    Ok(vec![
        ("Now", "/console".to_owned()),
        ("People", "/console/people".to_owned()),
        ("People by id", format!("/console/people?q={employee}")),
        ("People by mail", format!("/console/people?q={mail}")),
        ("People by name", format!("/console/people?q={name}")),
        ("People whom nobody knows", "/console/people?q=nobodyiscalledthis".to_owned()),
        ("a person", format!("/console/people/bob/{employee}")),
        ("Deliveries", "/console/deliveries".to_owned()),
        ("Deliveries, a later page", list(&format!("before={middle}"))),
        ("Deliveries, dead", list("state=dead")),
        ("Deliveries of a code", list("code=mailInvalid")),
        ("Deliveries of a cause", list(&format!("cause={cause}"))),
        ("Deliveries of a person", list(&format!("employee={employee}"))),
        ("Deliveries of a kind", list("kind=employee.joined")),
        ("Deliveries of a kind that never came", list("kind=employee.deleted")),
        ("Deliveries until a day", list(&format!("until={day}"))),
        ("Deliveries with a text", list("text=correct+it+in+HR")),
        ("Deliveries with an id as text", list(&format!("text={}", &middle[24..]))),
        ("Deliveries with a text that never came", list("text=nobody+wrote+this")),
        ("a delivery", format!("/console/deliveries/{middle}")),
        ("a dead letter", format!("/console/deliveries/{dead}")),
        ("Failures", "/console/failures".to_owned()),
        ("a cause", format!("/console/failures/{cause}")),
        ("Runs", "/console/runs".to_owned()),
        ("a run", format!("/console/runs/{run}")),
        ("a slice of a run", format!("/console/runs/{run}/slices/update")),
        ("Rules", "/console/rules".to_owned()),
        ("Audit", "/console/audit".to_owned()),
        ("Audit of somebody", "/console/audit?who=operator3".to_owned()),
        ("Audit of nothing", "/console/audit?about=nobodydidthis".to_owned()),
        ("API now", api("/now")),
        (KNOWN, api(&format!("/people?q={mail}"))),
        ("API deliveries", api("/deliveries")),
        ("API deliveries, dead", api("/deliveries?state=dead")),
        ("API deliveries with a text", api("/deliveries?text=correct+it+in+HR")),
        ("API failures", api("/failures")),
        ("API runs", api("/runs")),
        ("API audit", api("/audit")),
    ])
}

/// Runs a command with this on its standard input; gives what it printed.
fn instep(folder: &Path, args: &[&str], input: &str) -> anyhow::Result<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_instep"))
        .arg("--config")
        .arg(folder.join("instep.toml"))
        .args(args)
        .current_dir(folder)
        .env_remove("INSTEP_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("instep")?;
    writeln!(child.stdin.take().context("its input")?, "{input}")?;
    let ended = child.wait_with_output()?;
    let (said, why) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    ensure!(ended.status.success(), "instep {}: {said}{why}", args.join(" "));
    Ok(said.into_owned())
}

/// How long each page took: of its fifty times the 48th.
fn ask_all(
    runtime: &Runtime,
    address: SocketAddr,
    token: &str,
    employee: &str,
    pages: &[Page],
) -> anyhow::Result<Vec<(&'static str, Duration)>> {
    runtime.block_on(async {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build()?;
        let there = |path: &str| format!("http://{address}{path}");
        let form =
            format!("name={}&password={}", NAME.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let entered = http
            .post(there("/console/sign-in"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?;
        let cookie = entered.headers().get(SET_COOKIE).context("nobody could sign in")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        // Whoever is searched by name is found once everybody has been read.
        let (_, people) = pages.iter().find(|(what, _)| *what == KNOWN).context("a search")?;
        let patience = Instant::now();
        loop {
            let asked = http.get(there(people)).header(AUTHORIZATION, format!("Bearer {token}"));
            let found = asked.send().await?.error_for_status()?.text().await?;
            if found.contains(employee) {
                break;
            }
            ensure!(patience.elapsed() < PATIENCE, "{employee} is not found by name: {found}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut all = Vec::new();
        for (what, path) in pages {
            let mut took = Vec::with_capacity(TIMES);
            while took.len() < TIMES {
                let asked = http.get(there(path)).header(COOKIE, &cookie);
                let asked = asked.header(AUTHORIZATION, format!("Bearer {token}"));
                let began = Instant::now();
                let answer = asked.send().await?;
                let status = answer.status();
                let text = answer.text().await?;
                if status == 429 {
                    // A token may ask 50 times a second.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                took.push(began.elapsed());
                ensure!(status == 200, "{what} ({path}) was answered {status}: {text}");
            }
            took.sort_unstable();
            all.push((*what, took[(TIMES * 95).div_ceil(100) - 1]));
        }
        Ok(all)
    })
}

/// A row for the slowest page, and a line with all of them.
fn tell(
    bench: &mut Bench,
    on: &str,
    deliveries: usize,
    kib: u64,
    mut took: Vec<(&'static str, Duration)>,
) {
    took.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (what, slowest) = took.first().copied().unwrap_or_default();
    bench.table.row(Row {
        what: format!("pages over {deliveries} deliveries on {on}, 95 of 100 within, the slowest"),
        measured: format!("{:.1} ms: {what}", ms(slowest)),
        floor: String::new(),
        ratio: None,
        target: format!("under {} ms", LIMIT.as_millis()),
        met: slowest < LIMIT,
    });
    let each: Vec<_> = took.iter().map(|(what, time)| format!("{what} {:.1}", ms(*time))).collect();
    bench.table.note(format!(
        "pages on {on}, ms, each asked {TIMES} times, of a process that held {} MiB at most: {}",
        kib / 1024,
        each.join("; ")
    ));
}

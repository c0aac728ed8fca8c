//! Storms: many events cost few searches, and one write for each real change.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use instep::app;
use instep::clock::Clock;
use instep::sandbox::{Change, Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::load::{post, webhooks};
use crate::program::{Configuration, Program};
use crate::redis_server::Server;
use crate::table::Row;

/// How long a storm may take to settle at most.
const PATIENCE: Duration = Duration::from_mins(4);

/// How often a storm changes its people, spread over its length.
const WAVES: usize = 3;

/// What a storm is made of.
struct Storm {
    name: &'static str,
    people: usize,
    events: usize,
    waves: usize,
    /// Writes a second that the LMS allows and the program is told of; the default if none.
    writes_per_second: Option<u32>,
    most_searches: u64,
}

/// What it cost.
struct Cost {
    searches: u64,
    writes: u64,
    changes: usize,
    time: Duration,
}

/// 10,000 events for 100 people, who change three times meanwhile.
pub fn few_people(bench: &mut Bench) -> anyhow::Result<()> {
    let events = bench.many(10_000);
    let storm = Storm {
        name: "storm",
        people: 100,
        events,
        waves: WAVES,
        writes_per_second: None,
        most_searches: 10,
    };
    let cost = run(bench, &storm)?;
    judge(bench, &storm, &cost);
    bench.table.note(format!(
        "storm of {events}: all default limits on both sides (50 searches a minute, 10 writes and \
         50 reads a second), second looks included; everybody changes {WAVES} times during the \
         storm; settled after {:.0} s",
        cost.time.as_secs_f64()
    ));
    Ok(())
}

/// 5,000 events for 5,000 people, each of whom has changed.
pub fn many_people(bench: &mut Bench) -> anyhow::Result<()> {
    let people = bench.many(5_000);
    let rate = 1_000;
    let storm = Storm {
        name: "wide",
        people,
        events: people,
        waves: 1,
        writes_per_second: Some(rate),
        most_searches: 60,
    };
    let cost = run(bench, &storm)?;
    judge(bench, &storm, &cost);
    bench.table.note(format!(
        "storm of {people}: HiBob's default limit of 50 searches a minute on both sides; the LMS \
         allows {rate} reads and writes a second; settled after {:.0} s",
        cost.time.as_secs_f64()
    ));
    Ok(())
}

fn judge(bench: &mut Bench, storm: &Storm, cost: &Cost) {
    let Cost { searches, writes, changes, .. } = cost;
    let (events, people) = (storm.events, storm.people);
    bench.table.row(Row {
        what: format!("storm, {events} events for {people} people: searches"),
        measured: searches.to_string(),
        floor: format!("{}: each person once", people.div_ceil(100)),
        ratio: None,
        target: format!("at most {}", storm.most_searches),
        met: *searches <= storm.most_searches,
    });
    let most = u64::try_from(*changes).unwrap_or(u64::MAX);
    bench.table.row(Row {
        what: format!("storm, {events} events for {people} people: LMS writes"),
        measured: writes.to_string(),
        floor: format!("{people}: each person's last change"),
        ratio: None,
        target: format!("at most {changes}, one for each change"),
        met: *writes <= most,
    });
}

fn run(bench: &mut Bench, storm: &Storm) -> anyhow::Result<Cost> {
    let runtime = Runtime::new()?;
    // Some are out of scope, or have left: they do not take part.
    let options = Options {
        people: storm.people * 2 + 50,
        in_step: true,
        platform: Some("instep-bob".to_owned()),
        ..Options::default()
    };
    let sandbox = runtime.block_on(Sandbox::start(options, Clock::system()))?;
    let (redis, folder) = (Server::single(), TempDir::new()?);
    let mut configuration = Configuration::of(&sandbox)?;
    configuration.set("store", "url", redis.url());
    if let Some(rate) = storm.writes_per_second {
        let rates = json!({"reads_per_second": rate, "writes_per_second": rate});
        runtime.block_on(control(&sandbox.lms_url(), "limits", Some(&rates)))?;
        configuration.set("target", "reads_per_second", i64::from(rate));
        configuration.set("target", "writes_per_second", i64::from(rate));
        configuration.set("worker", "concurrency", 32);
    }
    let rules = configuration.rules()?;
    let people = in_scope(&sandbox, storm.people)?;
    let secret = sandbox.credentials().webhook_secret.clone();

    let program = Program::start(&mut configuration, "receiver,worker,scheduler", folder.path())?;
    let began = Instant::now();
    let mut changes = 0;
    let part = storm.events / storm.waves;
    for wave in 0..storm.waves {
        for id in &people {
            let merge = json!({"surname": format!("Storm-{wave}")});
            let change = Change { id: Some(id.clone()), merge, ..Change::default() };
            let applied = sandbox.change(&change).map_err(anyhow::Error::msg)?;
            changes += usize::from(!applied.events.is_empty());
        }
        let last = wave + 1 == storm.waves;
        let count = if last { storm.events - wave * part } else { part };
        let events = webhooks(&people, &secret, wave * part, count);
        post(program.address, &events, None)?;
    }
    let time = program.until_done(&redis, storm.events, began, PATIENCE)?;
    bench.held(program.most_memory()?, storm.name);
    program.stop()?;
    let compared = app::compare(
        &sandbox.people(),
        &sandbox.accounts(),
        &rules,
        instep::clock::Clock::system().now(),
    );
    ensure!(compared.in_step(), "{} are out of step", compared.out_of_step.len());
    let stats = runtime.block_on(control(&sandbox.hibob_url(), "stats", None))?;
    let searches = stats["calls"]["POST /v1/people/search"].as_u64().context("searches")?;
    let writes = sandbox.writes();
    runtime.block_on(sandbox.stop());
    Ok(Cost { searches, writes, changes, time })
}

/// So many people who have an account that they may use.
fn in_scope(sandbox: &Sandbox, count: usize) -> anyhow::Result<Vec<String>> {
    let accounts = sandbox.accounts();
    let people: Vec<String> = accounts
        .iter()
        .filter(|account| account["status"] == "active")
        .filter_map(|account| Some(account["externalIds"][0]["value"].as_str()?.to_owned()))
        .take(count)
        .collect();
    ensure!(people.len() == count, "only {} people are in scope", people.len());
    Ok(people)
}

/// A control call of a double.
async fn control(double: &str, what: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{double}/_sandbox/{what}");
    let request = match body {
        Some(body) => client.post(url).json(body),
        None => client.get(url),
    };
    Ok(request.send().await?.error_for_status()?.json().await?)
}

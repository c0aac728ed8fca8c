//! Working a full queue off: everybody is new, and both doubles answer as fast as they can.

use std::time::{Duration, Instant};

use anyhow::ensure;
use instep::app;
use instep::clock::Clock;
use instep::sandbox::{Options, Sandbox};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::floor::{self, Calls};
use crate::load::{post, webhooks};
use crate::program::{Configuration, Program};
use crate::redis_server::Server;
use crate::table::Row;

/// Events, each about another person.
const PEOPLE: usize = 20_000;
/// People applied at once.
const CONCURRENCY: usize = 64;
/// A rate that limits nothing.
const UNLIMITED: i64 = 1_000_000;
/// How long it may take at most.
const PATIENCE: Duration = Duration::from_mins(3);

/// A company whose LMS is empty, without limits; and so many of its people, who have a mail.
fn company(runtime: &Runtime, count: usize) -> anyhow::Result<(Sandbox, Vec<Value>)> {
    // Some have just been hired and have none yet.
    let options = Options { people: count * 11 / 10, limits: false, ..Options::default() };
    let sandbox = runtime.block_on(Sandbox::start(options, Clock::system()))?;
    let has_mail = |person: &Value| person["email"].as_str().is_some_and(|mail| !mail.is_empty());
    let people: Vec<Value> = sandbox.people().into_iter().filter(has_mail).take(count).collect();
    ensure!(people.len() == count, "only {} people have a mail", people.len());
    Ok((sandbox, people))
}

fn ids(people: &[Value]) -> Vec<String> {
    people.iter().filter_map(|person| Some(person["id"].as_str()?.to_owned())).collect()
}

/// Everybody is created, activated and given the external id.
pub fn drain(bench: &mut Bench) -> anyhow::Result<()> {
    let count = bench.many(PEOPLE);
    let runtime = Runtime::new()?;
    let (sandbox, people) = company(&runtime, count)?;
    let (redis, folder) = (Server::single(), TempDir::new()?);
    let mut configuration = Configuration::of(&sandbox)?;
    configuration.set("store", "url", redis.url());
    configuration.set("source.bob", "searches_per_minute", UNLIMITED);
    configuration.set("target", "reads_per_second", UNLIMITED);
    configuration.set("target", "writes_per_second", UNLIMITED);
    configuration.set("worker", "concurrency", i64::try_from(CONCURRENCY)?);
    configuration.set("rules", "in_scope", "true");
    configuration.set("rules", "active", "true");

    let receiver = Program::start(&mut configuration, "receiver", folder.path())?;
    let events = webhooks(&ids(&people), &sandbox.credentials().webhook_secret, 0, count);
    post(receiver.address, &events, None)?;
    bench.held(receiver.most_memory()?, "drain");
    receiver.stop()?;

    let began = Instant::now();
    let worker = Program::begin(&mut configuration, "worker,scheduler", folder.path())?;
    let time = worker.until_done(&redis, count, began, PATIENCE)?;
    bench.held(worker.most_memory()?, "drain");
    worker.stop()?;
    let compared = app::compare(
        &people,
        &sandbox.accounts(),
        &configuration.rules()?,
        instep::clock::Clock::system().now(),
    );
    ensure!(compared.in_step(), "{} are out of step", compared.out_of_step.len());
    ensure!(compared.in_scope == count, "only {} in scope", compared.in_scope);
    let writes = sandbox.writes();
    runtime.block_on(sandbox.stop());

    let (sandbox, people) = company(&runtime, count)?;
    let known = sandbox.credentials();
    let calls = Calls {
        hibob: sandbox.hibob_url(),
        lms: sandbox.lms_url(),
        user: known.service_user.clone(),
        token: known.token.clone(),
        client_id: known.client_id.clone(),
        client_secret: known.client_secret.clone(),
        group: known.default_group.clone(),
        people: ids(&people),
        concurrency: CONCURRENCY,
    };
    let bare = floor::calls(&calls)?;
    ensure!(sandbox.writes() == writes, "the floor made {} writes", sandbox.writes());
    runtime.block_on(sandbox.stop());

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    let (measured, floor) = (rate(time), rate(bare));
    bench.table.row(Row {
        what: format!("drain {count} events for {count} people on Redis"),
        measured: format!("{measured:.0} people/s"),
        floor: format!("{floor:.0} people/s: the calls alone"),
        ratio: Some(measured / floor),
        target: "1000 people/s".to_owned(),
        met: measured >= 1000.0,
    });
    bench.table.note(format!(
        "drain: create, activate, external id for each, {writes} writes; from the start of the \
         worker's process until all deliveries are settled and the LMS equals HR; all rates \
         {UNLIMITED}, worker.concurrency {CONCURRENCY}; the floor makes the same calls at the same \
         concurrency"
    ));
    Ok(())
}

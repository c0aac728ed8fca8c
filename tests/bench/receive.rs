//! Taking webhooks in: how many a second, and how soon each is answered.

use std::time::Duration;

use instep::clock::Clock;
use instep::sandbox::{Options, Sandbox};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::floor::{self, Receiver};
use crate::load::{CONNECTIONS, post, webhooks};
use crate::program::{Configuration, Program};
use crate::redis_server::Server;
use crate::table::Row;

/// Each round measures the floor and the program once, one right after the other, because a disk
/// can be ten times slower a minute later; the middle one of all rounds counts.
const ROUNDS: usize = 15;
/// Events in one round.
const EVENTS: usize = 6_000;
/// Posted before the first round, to fill caches and open connections.
const WARM_UP: usize = 2_000;
/// How many people the events are about.
const PEOPLE: u64 = 5_000;
/// The pace at which latencies are measured, a second, and for how many events.
const PACE: u32 = 2_000;
const PACED: usize = 20_000;

/// A program that only receives, what it connects to, and the people that events are about.
struct Receiving {
    _runtime: Runtime,
    configuration: Configuration,
    secret: String,
    people: Vec<String>,
    folder: TempDir,
}

impl Receiving {
    fn prepare() -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let options = Options { people: 10, ..Options::default() };
        let sandbox = runtime.block_on(Sandbox::start(options, Clock::system()))?;
        Ok(Self {
            configuration: Configuration::of(&sandbox)?,
            secret: sandbox.credentials().webhook_secret.clone(),
            people: (0..PEOPLE).map(|n| (4_000_000_000_000_000_000 + n).to_string()).collect(),
            folder: TempDir::new()?,
            _runtime: runtime,
        })
    }

    fn start(&mut self) -> anyhow::Result<Program> {
        Program::start(&mut self.configuration, "receiver", self.folder.path())
    }
}

/// The middle one.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// As fast as possible on Redis, beside a bare receiver.
pub fn on_redis(bench: &mut Bench) -> anyhow::Result<()> {
    let mut receiving = Receiving::prepare()?;
    let (redis, redis_of_floor) = (Server::single(), Server::single());
    receiving.configuration.set("store", "url", redis.url());
    let program = receiving.start()?;
    let bare = Receiver::start(&redis_of_floor.url(), &receiving.secret)?;
    let (mut measured, mut floor, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let count = bench.many(EVENTS);
    let warm_up = webhooks(&receiving.people, &receiving.secret, 0, WARM_UP);
    post(bare.address, &warm_up, None)?;
    post(program.address, &warm_up, None)?;
    for round in 0..ROUNDS {
        let from = WARM_UP + round * count;
        let events = webhooks(&receiving.people, &receiving.secret, from, count);
        let least = post(bare.address, &events, None)?.rate();
        let rate = post(program.address, &events, None)?.rate();
        ratios.push(rate / least);
        floor.push(least);
        measured.push(rate);
    }
    bench.held(program.most_memory()?, "receive");
    program.stop()?;
    let (measured, floor, ratio) = (median(measured), median(floor), median(ratios));
    bench.table.row(Row {
        what: "receive on Redis".to_owned(),
        measured: format!("{measured:.0} events/s"),
        floor: format!("{floor:.0} events/s: axum, HMAC, XADD"),
        ratio: Some(ratio),
        target: "ratio 0.5".to_owned(),
        met: ratio >= 0.5,
    });
    bench.table.note(format!(
        "receive: {count} distinct events about {PEOPLE} people over {CONNECTIONS} keep-alive \
         connections, {ROUNDS} rounds of floor and program in turn, the middle rate of each and the \
         middle ratio; --role receiver"
    ));
    Ok(())
}

/// At a pace on Redis: how long an answer takes.
pub fn paced(bench: &mut Bench) -> anyhow::Result<()> {
    let mut receiving = Receiving::prepare()?;
    let redis = Server::single();
    receiving.configuration.set("store", "url", redis.url());
    let program = receiving.start()?;
    let count = bench.many(PACED);
    let warm_up = webhooks(&receiving.people, &receiving.secret, 0, WARM_UP);
    post(program.address, &warm_up, Some(PACE))?;
    let events = webhooks(&receiving.people, &receiving.secret, WARM_UP, count);
    let taken = post(program.address, &events, Some(PACE))?;
    bench.held(program.most_memory()?, "paced");
    program.stop()?;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let slow = ms(taken.within(990));
    bench.table.row(Row {
        what: format!("receive on Redis at {PACE} events/s, p99"),
        measured: format!("{slow:.1} ms"),
        floor: String::new(),
        ratio: None,
        target: "under 10 ms".to_owned(),
        met: slow < 10.0,
    });
    bench.table.note(format!(
        "at {PACE} events/s: half within {:.1} ms, 999 of 1000 within {:.1} ms, all within \
         {:.1} ms; from the moment when an event was due to be sent; sent {:.0}/s",
        ms(taken.within(500)),
        ms(taken.within(999)),
        ms(taken.within(1000)),
        taken.rate(),
    ));
    Ok(())
}

/// As fast as possible on SQLite, on the disk before each answer, beside plain commits.
pub fn on_sqlite(bench: &mut Bench) -> anyhow::Result<()> {
    let mut receiving = Receiving::prepare()?;
    let program = receiving.start()?;
    let count = bench.many(EVENTS);
    let warm_up = webhooks(&receiving.people, &receiving.secret, 0, WARM_UP);
    post(program.address, &warm_up, None)?;
    let mut measured = Vec::new();
    for round in 0..ROUNDS {
        let from = WARM_UP + round * count;
        let events = webhooks(&receiving.people, &receiving.secret, from, count);
        measured.push(post(program.address, &events, None)?.rate());
    }
    bench.held(program.most_memory()?, "sqlite");
    program.stop()?;
    let (measured, floor) = (median(measured), floor::commits(receiving.folder.path())?);
    bench.table.row(Row {
        what: "receive on SQLite, on the disk before each 200".to_owned(),
        measured: format!("{measured:.0} events/s"),
        floor: format!("{floor:.0} events/s: a commit each"),
        ratio: Some(measured / floor),
        target: format!("8000/s from {CONNECTIONS} connections"),
        met: measured >= 8000.0,
    });
    Ok(())
}

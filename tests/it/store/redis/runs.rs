//! What only Redis can do wrong with runs and with many arrivals: lose an answer, keep what belongs
//! to nothing, make a call for each.

use std::collections::BTreeSet;
use std::time::Duration;

use instep::model::{Fate, Item, Lane, Run, RunId};
use instep::store::{Accepted, Retention, StoreError};
use redis::cmd;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinHandle;

use super::{DURABLE, insist, own};
use crate::harness::redis::Server;
use crate::store::suite::runs::{item, run};
use crate::store::suite::{arrival, bob, ids};

/// Cuts all connections again and again, after so many milliseconds each, until it is told to stop.
fn cut(server: Server, pause: u64) -> (oneshot::Sender<()>, JoinHandle<Server>) {
    let (stop, mut is_over) = oneshot::channel::<()>();
    let cutting = tokio::task::spawn_blocking(move || {
        while is_over.try_recv() == Err(TryRecvError::Empty) {
            server.kill_connections();
            std::thread::park_timeout(Duration::from_millis(pause));
        }
        server
    });
    (stop, cutting)
}

/// Nobody else writes: that the run has another revision can only come of a call made twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_whose_answer_was_lost_was_written() {
    let (server, on) = own(DURABLE);
    let (stop, cutting) = cut(server, 1);
    let mut last: Option<Run> = None;
    let first = run(&on, RunId::fresh(), bob());
    for people in 0..1000 {
        let revision = last.as_ref().map_or(0, |run| run.revision) + 1;
        let now = Run { revision, people, ..first.clone() };
        match on.store.save_run(&now).await {
            Ok(written) => assert!(written, "{people}"),
            // Cut off too often: it says so, and one may look.
            Err(StoreError::Unavailable { .. }) => {
                let there = insist(|| on.store.run(&first.id)).await;
                if there.as_ref() != Some(&now) {
                    assert_eq!(there, last);
                    continue;
                }
            }
            Err(error) => panic!("{error:?}"),
        }
        last = Some(now);
    }
    stop.send(()).unwrap();
    let _server = cutting.await.unwrap();
    assert!(last.is_some());
}

/// Handed in again until it succeeds, as a run does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cut_connections_lose_and_double_nothing_of_many() {
    const MANY: usize = 2_000;
    let (server, on) = own(DURABLE);
    let id = RunId::fresh();
    assert!(on.store.save_run(&run(&on, id.clone(), bob())).await.unwrap());
    let (stop, cutting) = cut(server, 10);
    let arrival = |n: usize| arrival(&on.clock, &n.to_string(), Fate::Deliver(Lane::Bulk));
    let all: Vec<_> = (0..MANY).map(arrival).collect();
    let items: Vec<Item> = (1..=MANY as u64).map(|n| item(n, "Zoë")).collect();
    for (all, items) in all.chunks(100).zip(items.chunks(100)) {
        let accepted = insist(|| on.store.accept_all(all.to_vec())).await;
        let new = all.iter().map(|arrival| Accepted::New(arrival.delivery.clone()));
        assert_eq!(accepted, new.collect::<Vec<_>>(), "never taken for a repeat");
        insist(|| on.store.save_items(&id, items)).await;
    }
    stop.send(()).unwrap();
    let _server = cutting.await.unwrap();
    assert_eq!(insist(|| on.store.items(&id, 0, 2 * MANY)).await, items);
    assert_eq!(on.store.depth().await.unwrap().waiting, MANY as u64);
    let leased: BTreeSet<_> = on.lease(MANY).await.iter().flat_map(ids).collect();
    assert_eq!(leased, all.into_iter().map(|arrival| arrival.delivery).collect());
}

fn calls_of_scripts(server: &Server) -> u64 {
    let info: String = server.ask(cmd("INFO").arg("commandstats"));
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    let lines = info.lines().filter(|line| line.starts_with("cmdstat_eval"));
    lines.filter_map(calls).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_share_a_call() {
    let (server, on) = own("");
    let id = RunId::fresh();
    assert!(on.store.save_run(&run(&on, id.clone(), bob())).await.unwrap());
    let arrival = |n: usize| arrival(&on.clock, &n.to_string(), Fate::Deliver(Lane::Bulk));
    let all: Vec<_> = (0..2_000).map(arrival).collect();
    let items: Vec<Item> = (1..=2_000).map(|n| item(n, "Zoë")).collect();
    server.ask::<()>(cmd("CONFIG").arg("RESETSTAT"));
    on.store.accept_all(all).await.unwrap();
    on.store.save_items(&id, &items).await.unwrap();
    let calls = calls_of_scripts(&server);
    assert!((4..=50).contains(&calls), "{calls} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_run_that_is_gone() {
    let (server, on) = own("");
    for n in 0..60 {
        let mut run = run(&on, RunId::fresh(), bob());
        assert!(on.store.save_run(&run).await.unwrap());
        let items: Vec<Item> = (0..n).map(|n| item(n + 1, "Zoë")).collect();
        on.store.save_items(&run.id, &items).await.unwrap();
        (run.revision, run.ended_at) = (2, Some(on.clock.now()));
        assert!(on.store.save_run(&run).await.unwrap());
    }
    on.pass(1);
    let now = on.clock.now();
    let retention = Retention { events: now, deliveries: now, runs: now, audit: now };
    while on.store.trim(retention).await.unwrap() > 0 {}
    let left: BTreeSet<String> = server.ask(cmd("KEYS").arg("*"));
    assert_eq!(left, BTreeSet::new());
}

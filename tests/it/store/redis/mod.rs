//! The store on real Redis servers: how the suite opens it on a single server, a Cluster and a
//! Sentinel group, and what only Redis can do wrong.

mod checking;
mod failing_over;
mod linking;
mod outages;
mod runs;
mod sharing;

use std::future::{Ready, ready};
use std::sync::Arc;

use instep::clock::Clock;
use instep::store::redis::RedisStore;
use instep::store::seal::Keys;
use instep::store::{Store, StoreError};
use redis::cmd;

use super::suite::{Fixture, Stored, keys};
use crate::harness::redis::{Cluster, Sentinel, Server, namespace, shared};

suite!(on_redis, crate::store::redis::open);
suite!(on_sealed_redis, crate::store::redis::open_sealed);
suite!(on_redis_cluster, crate::store::redis::open_on_cluster);
suite!(on_redis_sentinel, crate::store::redis::open_on_sentinel);

/// An empty store on a single server.
pub fn open() -> Ready<Fixture> {
    ready(fixture(shared().url(), |_| shared(), Keys::none()))
}

/// An empty store on a single server that is sealed.
pub fn open_sealed() -> Ready<Fixture> {
    ready(fixture(shared().url(), |_| shared(), keys(1, &[])))
}

/// An empty store on a Cluster.
pub fn open_on_cluster() -> Ready<Fixture> {
    let cluster = Cluster::shared();
    ready(fixture(cluster.url(), |key| cluster.owner(key), Keys::none()))
}

/// An empty store on a Sentinel group.
pub fn open_on_sentinel() -> Ready<Fixture> {
    let group = Sentinel::shared();
    ready(fixture(group.url(), |_| &group.master, Keys::none()))
}

fn fixture(url: String, owner: impl Fn(&str) -> &'static Server, keys: Keys) -> Fixture {
    let (namespace, clock) = (namespace(), Fixture::clock());
    let tag = format!("{{{namespace}}}");
    let owner = owner(&tag);
    let open = {
        let (namespace, clock) = (namespace.clone(), clock.clone());
        move || connect(&url, &namespace, &clock).sealed_with(keys.clone())
    };
    Fixture {
        store: Arc::new(open()),
        clock,
        open_again: Box::new(move || Box::pin(ready(Arc::new(open()) as Arc<dyn Store>))),
        plant: Box::new(move |stored, text| {
            match stored {
                Stored::Delivery(id) => {
                    let mut write = cmd("HSET");
                    write.arg(format!("{tag}:deliveries")).arg(id.as_str()).arg(text);
                    owner.ask::<()>(&write);
                }
                Stored::Run(id) => {
                    let mut write = cmd("HSET");
                    write.arg(format!("{tag}:runs")).arg(id.as_str()).arg(format!("\x001\0{text}"));
                    owner.ask::<()>(&write);
                }
                Stored::Item(run, number) => {
                    let items = format!("{tag}:items:{run}");
                    let mut remove = cmd("ZREMRANGEBYSCORE");
                    owner.ask::<()>(remove.arg(&items).arg(number).arg(number));
                    owner.ask::<()>(cmd("ZADD").arg(&items).arg(number).arg(text));
                }
            }
            Box::pin(ready(()))
        }),
        guard: Box::new(()),
    }
}

pub fn connect(url: &str, namespace: &str, clock: &Clock) -> RedisStore {
    RedisStore::connect(url, namespace, clock.clone()).expect("a usable url")
}

/// A store on a server of its own.
pub fn own(options: &str) -> (Server, Fixture) {
    own_with(options, Keys::none())
}

/// A store on a server of its own that is sealed.
pub fn own_sealed(keys: Keys) -> (Server, Fixture) {
    own_with("", keys)
}

/// Everything in a server, as it is stored.
pub fn everything(server: &Server) -> Vec<u8> {
    let mut all = Vec::new();
    for key in server.ask::<Vec<String>>(cmd("KEYS").arg("*")) {
        let read = match server.ask::<String>(cmd("TYPE").arg(&key)).as_str() {
            "hash" => cmd("HGETALL").arg(&key).to_owned(),
            "list" => cmd("LRANGE").arg(&key).arg(0).arg(-1).to_owned(),
            "set" => cmd("SMEMBERS").arg(&key).to_owned(),
            "zset" => cmd("ZRANGE").arg(&key).arg(0).arg(-1).to_owned(),
            _ => cmd("MGET").arg(&key).to_owned(),
        };
        for text in server.ask::<Vec<Vec<u8>>>(&read) {
            all.extend_from_slice(&text);
            all.push(b'\n');
        }
    }
    all
}

fn own_with(options: &str, keys: Keys) -> (Server, Fixture) {
    let (server, clock) = (Server::with(options), Fixture::clock());
    let store = Arc::new(connect(&server.url(), "own", &clock).sealed_with(keys));
    let on = Fixture {
        store,
        clock,
        open_again: Box::new(|| unreachable!("not used")),
        plant: Box::new(|_, _| unreachable!("not used")),
        guard: Box::new(()),
    };
    (server, on)
}

/// What a server needs to lose nothing.
const DURABLE: &str = "appendonly yes\nappendfsync always";

/// Goes on trying while the store is not available, as the far end of a webhook would.
async fn insist<T, F>(mut call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, StoreError>>,
{
    let patience = instep::clock::Deadline::after(std::time::Duration::from_secs(30));
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(StoreError::Unavailable { .. }) if !patience.left().is_zero() => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// An error with all its causes.
fn chain(error: &StoreError) -> String {
    let mut texts = vec![format!("{error} {error:?}")];
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        texts.push(format!("{error} {error:?}"));
        cause = error.source();
    }
    texts.join(": ")
}

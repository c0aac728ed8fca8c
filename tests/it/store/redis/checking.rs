//! What the check says of a Redis, and what is never said.

use std::sync::Arc;

use instep::clock::Clock;
use instep::store::redis::RedisStore;
use instep::store::{Store, StoreError};
use redis::cmd;

use super::{DURABLE, chain, connect, own};
use crate::harness::redis::{Cluster, Sentinel, Server, shared, wait_for};
use crate::store::suite::{Fixture, arrival};

async fn warnings(options: &str) -> String {
    let (_server, on) = own(options);
    on.store.check().await.expect("it can be used").join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trustworthy_redis_gets_no_warning() {
    assert_eq!(warnings(DURABLE).await, "");
    let clock = Clock::system();
    let cluster = connect(&Cluster::shared().url(), "checked", &clock);
    assert_eq!(cluster.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_can_lose_is_said() {
    let group = tokio::task::spawn_blocking(Sentinel::steady).await.unwrap();
    let store = connect(&group.url(), "own", &Clock::system());
    let said = store.check().await.unwrap().join("\n");
    assert!(said.contains("min-replicas-to-write") && said.lines().count() == 1, "{said}");
    let set = |value: u8| {
        let mut command = cmd("CONFIG");
        command.arg("SET").arg("min-replicas-to-write").arg(value);
        group.master.ask::<()>(&command);
    };
    set(1);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    set(0);
    group.replica.stop();
    wait_for("the loss to be seen", || {
        let info: String = group.master.ask(cmd("INFO").arg("replication"));
        info.contains("connected_slaves:0")
    });
    let said = store.check().await.unwrap().join("\n");
    assert!(said.contains("nothing can take over"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_lost_is_said() {
    let said = warnings("appendonly no\nmaxmemory-policy allkeys-lru").await;
    assert!(said.contains("Set appendonly to yes") && said.contains("allkeys-lru"), "{said}");
    let said = warnings("appendonly yes\nappendfsync everysec").await;
    assert!(said.contains("up to one second"), "{said}");
    let said = warnings("appendonly yes\nappendfsync no").await;
    assert!(said.contains("appendfsync is no"), "{said}");
    let said = warnings(&format!("{DURABLE}\nrename-command CONFIG \"\"")).await;
    assert!(said.contains("verify by hand") && said.lines().count() == 1, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_cannot_write_is_not_available() {
    let is_unavailable = |result: Result<(), StoreError>, word: &str| match result {
        Err(error @ StoreError::Unavailable { .. }) => {
            assert!(chain(&error).contains(word), "{error:?}");
        }
        other => panic!("{word}: {other:?}"),
    };
    let accept = async |on: &Fixture| {
        let arrival =
            arrival(&on.clock, "7", instep::model::Fate::Deliver(instep::model::Lane::Live));
        on.store.accept(arrival).await.map(drop)
    };
    let (server, on) = own("");
    server.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg("1"));
    is_unavailable(on.store.check().await.map(drop), "OOM");
    is_unavailable(accept(&on).await, "OOM");
    assert_eq!(on.store.depth().await.unwrap().waiting, 0, "one can still look");
    server.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg("0"));
    on.store.check().await.unwrap();

    server.ask::<()>(cmd("REPLICAOF").arg("127.0.0.1").arg("1"));
    is_unavailable(on.store.check().await.map(drop), "ReadOnly");
    is_unavailable(accept(&on).await, "ReadOnly");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_used_and_never_shown() {
    let server = Server::single();
    server.ask::<()>(cmd("CONFIG").arg("SET").arg("requirepass").arg("s3cr+t"));
    let host = format!("127.0.0.1:{}", server.port());
    let clock = Clock::system();
    let store = connect(&format!("redis://:s3cr%2Bt@{host}/1"), "own", &clock);
    store.check().await.unwrap();
    let shown = format!("{store:?}");
    assert!(shown.contains(&host) && !shown.contains("s3cr"), "{shown}");

    for url in [
        format!("redis://:s3cret@{host}"),
        format!("redis://someone:s3cret@{host}"),
        "redis://:s3cret@127.0.0.1:1".to_owned(),
        "redis+cluster://someone:s3cret@127.0.0.1:1,127.0.0.1:2".to_owned(),
        "rediss+cluster://:s3cret@127.0.0.1:1".to_owned(),
        "redis+sentinel://:s3cret@127.0.0.1:1,127.0.0.1:2/mymaster/3?sentinel_password=s3cret"
            .to_owned(),
    ] {
        let store = connect(&url, "own", &clock);
        let error = store.check().await.expect_err("it is refused");
        let said = chain(&error) + &format!("{store:?}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unusable_url_is_refused_with_a_reason() {
    for (url, reason) in [
        ("", "must begin with"),
        ("postgres://:s3cret@db", "must begin with"),
        ("redis://:s3cret@", "cannot be read"),
        ("redis://:s3cret@host/notadb", "cannot be read"),
        ("redis+sentinel://:s3cret@host:26379", "the name under which"),
        ("redis+cluster://", "names no host"),
        ("redis+cluster://:s3cret@host:port", "cannot be read"),
    ] {
        let refused = RedisStore::connect(url, "own", Clock::system());
        let said = chain(&refused.expect_err("it is refused"));
        assert!(said.contains(reason) && !said.contains("s3cret"), "{url}: {said}");
    }
    for namespace in ["", "a}b", "{a}", "a:b c"] {
        let url = shared().url();
        assert!(RedisStore::connect(&url, namespace, Clock::system()).is_err());
    }
}

/// Looking up must work when a name holds what separates the parts of a row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_names_stay_apart() {
    let on = super::open().await;
    let names = ["7", "7\0", "\u{1}", "\0", "\u{1}\u{1}", "\u{1}\u{2}", "", "7\x000", "Zoë\n"];
    for name in names {
        on.accept(name, instep::model::Lane::Live).await;
    }
    let leases = on.lease(100).await;
    let mut found: Vec<_> = leases.iter().map(|lease| lease.person.employee.as_str()).collect();
    found.sort_unstable();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for lease in leases {
        assert_eq!(lease.deliveries.len(), 1);
        on.settle(lease, instep::model::DeliveryState::Done).await;
    }
    let store = Arc::clone(&on.store);
    for name in names {
        let filter = instep::store::Filter {
            employee: Some(name.into()),
            ..instep::store::Filter::default()
        };
        assert_eq!(store.deliveries(&filter, 10).await.unwrap().len(), 1, "{name:?}");
    }
}

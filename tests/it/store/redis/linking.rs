//! What only Redis can do wrong with links and notes: forget where a walk was, answer nobody, keep
//! what belongs to nothing any more.

use std::collections::BTreeSet;
use std::time::Duration;

use instep::model::{Appointment, Choice, DeliveryState, Lane, Link};
use instep::store::StoreError;
use redis::cmd;

use super::{DURABLE, own};
use crate::harness::redis::Server;
use crate::store::suite::{bob, ended, person};

/// Links as the store writes them, past the store.
fn plant(server: &Server, links: usize) {
    let mut command = cmd("HSET");
    command.arg("{own}:links");
    for n in 0..links {
        let link = serde_json::to_string(&Link::default()).unwrap().replacen('{', r#"{"v":1,"#, 1);
        command.arg(format!("bob\0{n}")).arg(format!("\0{link}"));
    }
    server.ask::<()>(&command);
}

/// A place in a hash means something else to another server, and to the same one after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_leaves_out_nothing_when_the_server_changes() {
    const LINKS: usize = 2000;
    let (server, on) = own(DURABLE);
    plant(&server, LINKS);
    let (mut found, mut from, mut parts) = (BTreeSet::new(), None, 0);
    loop {
        let part = on.store.links(&bob(), from.as_deref(), 100).await.unwrap();
        found.extend(part.links.into_iter().map(|(person, _)| person.employee.to_string()));
        parts += 1;
        if parts == 10 {
            assert!(found.len() < LINKS, "the restart comes in the middle");
            server.restart();
        }
        from = part.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), LINKS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_needs_no_right_to_ask_who_answers() {
    const LINKS: usize = 500;
    let (server, on) = own("");
    server.ask::<()>(cmd("ACL").arg("SETUSER").arg("default").arg("-info"));
    plant(&server, LINKS);
    let (mut found, mut from) = (BTreeSet::new(), None);
    loop {
        let part = on.store.links(&bob(), from.as_deref(), 100).await.unwrap();
        found.extend(part.links.into_iter().map(|(person, _)| person.employee.to_string()));
        from = part.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), LINKS);
}

/// Whatever a link waited for, and whatever was decided and noted, goes with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_link_that_is_gone() {
    let (server, on) = own("");
    let link = |n: usize| Link {
        awaits: Some(format!("employee {n}")),
        appointment: Some(Appointment { at: on.later(10), why: "the start date".into() }),
        ..Link::default()
    };
    for n in 0..10 {
        let employee = n.to_string();
        on.store.choose(&person(&employee), Some(&Choice::Ignore)).await.unwrap();
        for again in 0..3 {
            on.accept(&employee, Lane::Live).await;
            let lease = on.lease_one().await;
            let deliveries = ended(&lease, DeliveryState::Done, on.clock.now());
            on.store.settle(lease, deliveries, Some(link(again))).await.unwrap();
        }
        on.store.choose(&person(&employee), None).await.unwrap();
        assert!(on.store.unlink(&person(&employee)).await.unwrap());
    }
    assert!(on.store.put_note("name", None, Some("text")).await.unwrap());
    assert!(on.store.put_note("name", Some("text"), None).await.unwrap());
    let left: BTreeSet<String> = server.ask(cmd("KEYS").arg("*"));
    let known = ["deliveries", "done", "events", "people", "seen", "sources"];
    assert_eq!(left, known.iter().map(|key| format!("{{own}}:{key}")).collect());
}

/// Nobody else writes: that the note is not what it was can only come of a call made twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_note_whose_answer_was_lost_was_written() {
    let (server, on) = own(DURABLE);
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let cut = tokio::task::spawn_blocking(move || {
        let mut is_done = is_done;
        while is_done.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            server.kill_connections();
            std::thread::park_timeout(Duration::from_millis(1));
        }
        server
    });
    let mut before: Option<String> = None;
    for n in 0..1000 {
        let now = n.to_string();
        match on.store.put_note("count", before.as_deref(), Some(&now)).await {
            Ok(written) => assert!(written, "{n}"),
            // Cut off too often: it says so, and one may look.
            Err(StoreError::Unavailable { .. }) => {
                let there = super::insist(|| on.store.note("count")).await;
                if there != Some(now.clone()) {
                    assert_eq!(there, before);
                    continue;
                }
            }
            Err(error) => panic!("{error:?}"),
        }
        before = Some(now);
    }
    done.send(()).unwrap();
    let _server = cut.await.unwrap();
    assert!(before.is_some());
}

//! Full syncs that nobody starts by hand, and what people are told of them.

use instep::model::{Run, SourceName};
use instep::sandbox::Options;
use instep::store::Runs;
use serde_json::{Value, json};

use crate::harness::redis::Server as Redis;
use crate::harness::smtp::{Asks, Server as Mail};
use crate::harness::town::{Kept, Town, as_it_is};

fn stepping(people: usize) -> Options {
    let platform = Some("instep-bob".to_owned());
    Options { people, in_step: true, platform, ..Options::default() }
}

/// The last one was so long ago that one was missed since, whenever the test runs.
async fn miss_one(town: &Town) {
    let last = town.now() - jiff::SignedDuration::from_hours(48);
    let note = json!({ "fired": last }).to_string();
    let store = town.store().await;
    assert!(store.put_note("full sync of bob", None, Some(&note)).await.expect("a store"));
}

async fn runs(town: &Town) -> Vec<Run> {
    let bob = SourceName::new("bob");
    town.store().await.runs(Some(&bob), Runs::All, 20).await.unwrap_or_default()
}

async fn until_ended(town: &Town) {
    let has_ended = async || runs(town).await.iter().any(|run| run.ended_at.is_some());
    town.until("a run has ended", has_ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_processes_makes_up_for_what_was_missed() {
    let town = Town::new(stepping(12), Kept::Redis, as_it_is).await;
    town.sandbox.limit(false);
    let id = &town.actives()[1];
    town.change(id, json!({"surname": "Overnight"}));
    miss_one(&town).await;
    let (first, second) = (town.serve(&[]).await, town.serve(&[]).await);
    until_ended(&town).await;
    assert_eq!(town.account_of(id)["lastName"], "Overnight");
    // Both have looked by then: whoever asks again is heard by one of them.
    first.terminate().await;
    second.terminate().await;
    let made = runs(&town).await;
    assert_eq!(made.len(), 1, "{made:#?}");
    assert_eq!(made[0].asked_by, "the schedule");
    assert!(town.logged().contains("a full sync was missed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_up_for_where_that_is_not_wanted() {
    let skip = |toml: &mut String| toml.push_str("\n[schedule]\nmissed = \"skip\"\n");
    let town = Town::new(stepping(8), Kept::Sqlite, skip).await;
    miss_one(&town).await;
    let serving = town.serve(&[]).await;
    town.until("it is told", async || serving.log().contains("a full sync was missed")).await;
    serving.terminate().await;
    assert!(runs(&town).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_is_mailed_once() {
    let mail = Mail::start(Asks { tls: "none", login: None });
    let port = mail.port;
    let town = Town::new(stepping(12), Kept::Redis, |toml| {
        let mail = format!(
            "\n[mail]\nserver = \"127.0.0.1:{port}\"\ntls = \"none\"\nfrom = \
             \"instep@norvane.example\"\nto = [\"ops@norvane.example\"]\n[report]\nwhen = \
             \"changes\"\n"
        );
        toml.push_str(&mail);
    })
    .await;
    town.sandbox.limit(false);
    town.change(&town.actives()[1], json!({"surname": "Told"}));
    let (first, second) = (town.serve(&[]).await, town.serve(&[]).await);
    town.told(&["sync"]).await;
    let told: Value = mail.mail();
    let text = told.to_string();
    assert!(text.contains("full sync of bob") && text.contains("1 person changed"), "{text}");
    assert!(!text.contains("Told"), "no names unless they are asked for: {text}");
    // Nothing changed in this one; it is dealt with all the same.
    town.told(&["sync"]).await;
    let newest = runs(&town).await[0].id.to_string();
    let is_dealt_with = async || {
        let note = town.store().await.note("reports of bob").await.ok().flatten();
        note.is_some_and(|note| {
            let note: Value = serde_json::from_str(&note).expect("JSON");
            note["upto"] == json!(newest) && note["sending"].is_null()
        })
    };
    town.until("the second is dealt with", is_dealt_with).await;
    first.terminate().await;
    second.terminate().await;
    assert!(mail.is_empty(), "one mail");
}

/// Mails go to this server, and no departure goes on without a human.
fn mailed(port: u16) -> impl FnOnce(&mut String) {
    move |toml| {
        let strict = "[brake]\ndeactivate = { percent = 0, least = 0 }\n";
        let public = "shutdown_seconds = 6\npublic_url = \"https://instep.norvane.example/\"";
        *toml = toml.replace("[brake]\n", strict).replace("shutdown_seconds = 6", public);
        let mail = format!(
            "\n[mail]\nserver = \"127.0.0.1:{port}\"\ntls = \"none\"\nfrom = \
             \"instep@norvane.example\"\nto = [\"ops@norvane.example\"]\n"
        );
        toml.push_str(&mail);
    }
}

/// A slice that is approved after the report was mailed brings a second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_approved_later_is_reported_in_a_second_mail() {
    let mail = Mail::start(Asks { tls: "none", login: None });
    let town = Town::new(stepping(12), Kept::Sqlite, mailed(mail.port)).await;
    town.sandbox.limit(false);
    let _serving = town.serve(&[]).await;
    town.told(&["sync"]).await;
    let leaver = &town.actives()[3];
    town.change(leaver, json!({"internal": {"status": "Inactive"}}));
    assert_eq!(town.cli(&["sync"]).await.status.code(), Some(1), "it is held");
    let held = loop {
        let text = mail.mail().to_string();
        if text.contains("1 deactivation held") {
            break text;
        }
    };
    let run = runs(&town).await.remove(0).id;
    let page = format!("https://instep.norvane.example/console/runs/{run}");
    assert!(held.contains(&page), "{held}");
    town.told(&["runs", "approve", "last", "--slice", "deactivate", "--by", "ann"]).await;
    let approved = mail.mail().to_string();
    assert!(approved.contains("1 person changed"), "{approved}");
    assert!(approved.contains("1 approved") && approved.contains(&page), "{approved}");
    let id = |mail: &str| {
        let from = mail.find(&format!("{run}.")).expect("an id");
        mail[from..].split('@').next().unwrap_or_default().to_owned()
    };
    assert_ne!(id(&held), id(&approved), "mail programs show both");
    assert_eq!(town.account_of(leaver)["status"], "deleted");
    // That is all: nothing has ended since.
    let is_dealt_with = async || {
        let note = town.store().await.note("reports of bob").await.ok().flatten();
        note.is_some_and(|note| note.contains("\"sending\":null"))
    };
    town.until("it is dealt with", is_dealt_with).await;
    assert!(mail.is_empty(), "two mails");
}

/// The process that made the run died before it had told anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ended_and_was_not_reported_is_reported_by_the_next_process() {
    let mail = Mail::start(Asks { tls: "none", login: None });
    let town = Town::new(stepping(12), Kept::Sqlite, mailed(mail.port)).await;
    town.sandbox.limit(false);
    town.change(&town.actives()[1], json!({"surname": "Told"}));
    let worker = town.serve(&["--role", "worker"]).await;
    town.told(&["sync"]).await;
    worker.kill();
    assert!(mail.is_empty(), "nobody was there who tells");
    let _serving = town.serve(&[]).await;
    let told = mail.mail().to_string();
    assert!(told.contains("1 person changed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_the_store_lost_are_noticed() {
    let redis = Redis::single();
    let town = Town::kept_at(stepping(12), &redis.url(), as_it_is).await;
    town.sandbox.limit(false);
    let serving = town.open().await;
    let id = &town.actives()[1];
    town.change(id, json!({"surname": "Before"}));
    town.in_step().await;
    // As after a failover to a copy that had not got it yet.
    let delivery = town.deliveries_of(id).await.remove(0).id;
    let keys: Vec<String> = redis.ask(redis::cmd("KEYS").arg("*deliveries"));
    for key in &keys {
        let _: i64 = redis.ask(redis::cmd("HDEL").arg(key).arg(delivery.as_str()));
    }
    assert_eq!(town.store().await.delivery(&delivery).await.expect("a store"), None);
    town.until("a run was asked for", async || {
        let is_it = |run: &Run| run.asked_by == "the store lost some of its last writes";
        runs(&town).await.iter().any(is_it)
    })
    .await;
    until_ended(&town).await;
    drop(serving);
}

//! Pauses: nothing is leased, what comes in is taken in and waits, and everything goes on afterwards.

use instep::clock::Clock;
use instep::model::DeliveryState;
use instep::store::Filter;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is, patient};

on_both! {
    what_is_paused_waits_and_goes_on
    a_paused_lane_leaves_the_other_one_alone
    a_window_pauses_and_whoever_ends_it_ends_it
    a_drain_waits_for_what_is_in_hand
}

const SEARCH: &str = "POST /v1/people/search";

async fn waiting(town: &Town) -> usize {
    let filter = Filter { state: Some(DeliveryState::Waiting), ..Filter::default() };
    town.deliveries(&filter).await.len()
}

/// Waits until so many lines of the log hold this text.
async fn logged(town: &Town, text: &str, times: usize) {
    let what = format!("{text} is logged {times} times");
    town.until(&what, async || town.logged().matches(text).count() >= times).await;
}

async fn what_is_paused_waits_and_goes_on(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    for (turn, scope) in ["all", "source bob", "target"].into_iter().enumerate() {
        let words: Vec<&str> = scope.split(' ').collect();
        let reason = ["--reason", "the LMS is moved", "--by", "ann"];
        let said = town.told(&[&["pause"], &words[..], &reason].concat()).await;
        assert!(said.contains(&format!("paused: {scope}, until")), "{said}");
        logged(&town, "paused", turn + 1).await;
        let (read, written) = (town.hr_calls().await.of(SEARCH), town.sandbox.writes());
        for id in town.actives().iter().take(3) {
            town.change(id, json!({"surname": format!("Turn{turn}")}));
        }
        town.until("they are taken in", async || waiting(&town).await == 3).await;
        let listed = town.told(&["pause"]).await;
        assert!(listed.contains(scope) && listed.contains("by ann: the LMS is moved"), "{listed}");
        assert_eq!(town.hr_calls().await.of(SEARCH), read, "nobody is read");
        assert_eq!(town.sandbox.writes(), written, "nobody is changed");
        town.told(&[&["resume"], &words[..], &["--by", "ann"]].concat()).await;
        town.in_step().await;
        assert_eq!(waiting(&town).await, 0);
    }
    let nothing = town.cli(&["resume", "all", "--by", "ann"]).await;
    assert_eq!(nothing.status.code(), Some(1));
    for wrong in [
        &["pause", "everything", "--reason", "x", "--by", "ann"][..],
        &["pause", "all", "--by", "ann"],
        &["pause", "all", "--reason", " ", "--by", "ann"],
        &["pause", "all", "--reason", "x", "--for", "-1h", "--by", "ann"],
        &["resume", "lane", "--by", "ann"],
    ] {
        let refused = town.cli(wrong).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(town.told(&["pause", "--json"]).await, "");
    let entries = town.store().await.audit(None, 20).await.expect("the audit log");
    let verbs: Vec<&str> = entries.iter().rev().map(|entry| entry.verb.as_str()).collect();
    let turns = ["pause", "resume"].repeat(3);
    // What was asked wrongly is not even written down.
    assert_eq!(verbs, [&turns[..], &["resume"]].concat());
    assert!(entries[0].refused && !entries[1].refused);
    assert_eq!(entries[6].reason.as_deref(), Some("the LMS is moved"));
}

async fn a_paused_lane_leaves_the_other_one_alone(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let serving = town.serve(&[]).await;
    town.told(&["sync"]).await;
    town.told(&["pause", "lane", "bulk", "--reason", "a test", "--by", "ann"]).await;
    logged(&town, "paused", 1).await;
    let actives = town.actives();
    // Nobody hears of it: only a full sync finds it.
    town.change(&actives[0], json!({"surname": "Unheard"}));
    town.told(&["sync", "--no-wait"]).await;
    town.until("the sync has queued somebody", async || waiting(&town).await == 1).await;
    town.hook_to(&serving);
    town.change(&actives[1], json!({"surname": "Heard"}));
    let heard = async || town.account_of(&actives[1])["lastName"] == json!("Heard");
    town.until("live work is done", heard).await;
    // Its own delivery may look once more.
    town.until("only the sync's waits", async || waiting(&town).await == 1).await;
    assert_ne!(town.account_of(&actives[0])["lastName"], json!("Unheard"));
    town.told(&["resume", "lane", "bulk", "--by", "ann"]).await;
    town.in_step().await;
}

async fn a_window_pauses_and_whoever_ends_it_ends_it(kept: Kept) {
    // It began with this minute, and the next one is an hour away.
    let minute = Clock::system().now().to_zoned(TimeZone::UTC).minute();
    let window = format!(
        "\n[maintenance.release]\nscope = \"target\"\nbegins = \"{minute} * * * *\"\n\
         minutes = 30\nreason = \"the LMS is updated\"\n"
    );
    let town = Town::new(stepping(12), kept, |toml| toml.push_str(&window)).await;
    let _serving = town.open().await;
    // Once by who opens the window, and once by who obeys it.
    logged(&town, "paused", 2).await;
    let listed = town.told(&["pause"]).await;
    assert!(listed.contains("target") && listed.contains("the LMS is updated"), "{listed}");
    assert!(listed.contains("by maintenance release"), "{listed}");
    town.change(&town.actives()[0], json!({"surname": "Patient"}));
    town.until("it is taken in", async || waiting(&town).await == 1).await;
    town.told(&["resume", "target", "--by", "ann"]).await;
    town.in_step().await;
}

async fn a_drain_waits_for_what_is_in_hand(kept: Kept) {
    let town = Town::new(stepping(12), kept, patient).await;
    let serving = town.open().await;
    let slow = json!({"endpoint": "PATCH /api/v2/users/{userId}", "latency_ms": 2000});
    town.lms("/_sandbox/faults", slow).await;
    town.change(&town.actives()[0], json!({"surname": "Slow"}));
    let in_hand = async || town.depth().await.is_some_and(|depth| depth.leased == 1);
    town.until("somebody is in hand", in_hand).await;
    let hasty = town.cli(&["drain", "--timeout", "1ms", "--by", "ann"]).await;
    assert_eq!(hasty.status.code(), Some(1), "somebody is in hand");
    let said = town.told(&["drain", "--by", "ann"]).await;
    assert!(said.contains("Nothing is in hand"), "{said}");
    assert_eq!(town.account_of(&town.actives()[0])["lastName"], json!("Slow"));
    town.change(&town.actives()[1], json!({"surname": "Later"}));
    town.until("it is taken in", async || waiting(&town).await == 1).await;
    let pauses: serde_json::Value =
        serde_json::from_str(&town.told(&["pause", "--json"]).await).expect("one pause");
    let ends: jiff::Timestamp = pauses["until"].as_str().expect("an end").parse().expect("a time");
    assert!(ends <= town.now() + 1.hour(), "it ends by itself");
    serving.terminate().await;
    let _upgraded = town.open().await;
    town.told(&["resume", "all", "--by", "ann"]).await;
    town.in_step().await;
}

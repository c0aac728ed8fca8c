//! A replay that is paused, cancelled, rejected, or whose process dies.

use super::*;
use instep::store::Runs;

fn slowly(toml: &mut String) {
    toml.push_str("\n[replay]\nper_minute = 30\n");
}

/// How many of them are still dead letters.
async fn still_dead(town: &Town, letters: &[DeliveryId]) -> usize {
    let mut many = 0;
    for letter in letters {
        many += usize::from(state(town, letter).await == DeliveryState::Dead);
    }
    many
}

/// As though the process had been silent for too long.
async fn long_silent(town: &Town, run: &str) {
    let (store, name) = (town.store().await, format!("replay:{run}"));
    let note = store.note(&name).await.expect("a store");
    if note.is_some() {
        assert!(store.put_note(&name, note.as_deref(), None).await.expect("a store"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_paused_resumed_and_cancelled() {
    let town = town(20, Kept::Sqlite, slowly).await;
    let mut letters = Vec::new();
    for id in &town.actives()[1..13] {
        letters.push(failed(&town, id).await);
    }
    let _serving = town.serve(&[]).await;
    let id = run_id(&preview(&town, &["--state", "dead"]).await);
    town.told(&["runs", "approve", &id, "--by", "ann"]).await;
    town.until("one is done", async || still_dead(&town, &letters).await < 12).await;
    town.told(&["runs", "pause", &id, "--by", "ben"]).await;
    town.at_rest().await;
    let (code, told) = said(&town, &["runs", "pause", &id, "--by", "ann"]).await;
    assert!(code == Some(1) && told.contains("paused by ben"), "{told}");
    assert!(town.told(&["runs"]).await.contains("paused"));
    let before = still_dead(&town, &letters).await;
    assert!(before > 0, "it was paused in time");
    town.told(&["runs", "resume", &id, "--by", "ben"]).await;
    town.until("it goes on", async || still_dead(&town, &letters).await < before).await;
    town.told(&["runs", "cancel", &id, "--by", "ann"]).await;
    town.at_rest().await;
    let left = still_dead(&town, &letters).await;
    assert!(left > 0, "what was not fed stays as it was");
    let shown = town.told(&["runs", "show", &id]).await;
    assert!(shown.contains("Stopped by ann"), "{shown}");
    let (code, told) = said(&town, &["runs", "approve", &id, "--by", "ann"]).await;
    assert!(code == Some(1) && told.contains("cancelled"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_replay_is_carried_on() {
    let town = town(20, Kept::Redis, slowly).await;
    let mut letters = Vec::new();
    for id in &town.actives()[1..7] {
        letters.push(failed(&town, id).await);
    }
    // Killed while it previews: HR does not answer yet.
    town.hr("/_sandbox/faults", json!({"endpoint": SEARCH, "status": 503})).await;
    let serving = town.serve(&[]).await;
    let asked = tokio::process::Command::new(crate::harness::town::INSTEP)
        .args(["replay", "--state", "dead", "--preview", "--by", "ann"])
        .env("INSTEP_CONFIG", town.config())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut asked = asked.expect("the binary runs");
    town.until("it is in hand", async || {
        let runs = town.store().await.runs(None, Runs::All, 1).await.expect("a store");
        let Some(run) = runs.first() else { return false };
        let note = town.store().await.note(&format!("replay:{}", run.id)).await;
        note.expect("a store").is_some()
    })
    .await;
    let id = last(&town).await.id.as_str().to_owned();
    serving.kill();
    let _ = asked.kill().await;
    assert_eq!(last(&town).await.state, RunState::Comparing);
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    long_silent(&town, &id).await;
    let serving = town.serve(&[]).await;
    town.until("the preview is there", async || {
        matches!(last(&town).await.state, RunState::Previewed { .. })
    })
    .await;
    assert_eq!(last(&town).await.in_step, 6);

    // Killed while it feeds.
    town.told(&["runs", "approve", &id, "--by", "ann"]).await;
    town.until("one is done", async || still_dead(&town, &letters).await < 6).await;
    serving.kill();
    assert!(still_dead(&town, &letters).await > 0, "it was killed in time");
    long_silent(&town, &id).await;
    let _serving = town.serve(&[]).await;
    // Whoever was in hand then is leased until the lease runs out.
    let lease = Duration::from_secs(80);
    let has_ended = async || last(&town).await.ended_at.is_some();
    town.until_within(lease + PATIENCE, "the replay has ended", has_ended).await;
    let ended = last(&town).await;
    assert_eq!((&ended.state, ended.failed), (&RunState::Done, 0), "{ended:#?}");
    for letter in &letters {
        let delivery = town.store().await.delivery(letter).await.expect("a store");
        let delivery = delivery.expect("it is kept");
        assert_eq!((delivery.state, delivery.replays), (DeliveryState::Done, 1), "once each");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rejected_stays_as_it_is() {
    let town = town(12, Kept::Sqlite, |_| {}).await;
    let id = town.actives()[1].clone();
    let letter = failed(&town, &id).await;
    town.change(&id, json!({"surname": "Unwanted"}));
    // Nobody serves: the command makes the preview itself.
    let seen = preview(&town, &[letter.as_str()]).await;
    assert_eq!(seen["run"]["slices"][0]["kind"], "update", "{seen:#}");
    let run = run_id(&seen);
    let (code, told) = said(&town, &["runs", "reject", &run, "--by", "ann", "--reason", " "]).await;
    assert_eq!(code, Some(2), "{told}");
    town.told(&["runs", "reject", &run, "--by", "ann", "--reason", "not today"]).await;
    let shown = town.told(&["runs", "show", &run]).await;
    assert!(shown.contains("not today") && shown.contains("ann"), "{shown}");
    let (code, told) = said(&town, &["runs", "approve", &run, "--by", "ben"]).await;
    assert_eq!(code, Some(1), "{told}");
    let _serving = town.serve(&[]).await;
    town.at_rest().await;
    assert_eq!(state(&town, &letter).await, DeliveryState::Dead);
    assert_eq!(town.sandbox.writes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_far_end_that_refuses_fails_the_preview() {
    let town = town(12, Kept::Sqlite, |_| {}).await;
    let letter = failed(&town, &town.actives()[1]).await;
    town.hr("/_sandbox/faults", json!({"endpoint": SEARCH, "status": 403})).await;
    let _serving = town.serve(&[]).await;
    let (code, told) = said(&town, &["replay", letter.as_str(), "--yes", "--by", "ann"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("HR did not answer"), "{told}");
    assert_eq!(state(&town, &letter).await, DeliveryState::Dead);
}

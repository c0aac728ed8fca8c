//! What a preview shows, and what comes of confirming it, or a part of it.

use super::*;

macro_rules! on_both {
    ($($walk:ident)+) => {$(
        mod $walk {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                Box::pin(super::$walk(crate::harness::town::Kept::Sqlite)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                Box::pin(super::$walk(crate::harness::town::Kept::Redis)).await;
            }
        }
    )+};
}

on_both! {
    a_preview_changes_nothing_and_is_confirmed_in_parts
    the_brake_counts_what_no_human_saw
}

async fn a_preview_changes_nothing_and_is_confirmed_in_parts(kept: Kept) {
    let town = town(20, kept, |_| {}).await;
    let serving = town.serve(&[]).await;
    town.told(&["sync"]).await;
    serving.terminate().await;
    let actives = town.actives();
    let [same, renamed, moved, leaver, hidden] = [1, 2, 3, 4, 5].map(|n| actives[n].as_str());
    let mut letters = Vec::new();
    for id in [same, same, renamed, moved, leaver, hidden] {
        letters.push(failed(&town, id).await);
    }
    let ordered = dead(&town, same, "sync", "targetFailed", "of a full sync").await;
    town.change(renamed, json!({"surname": "Renamed"}));
    town.change(moved, json!({"surname": "Moved"}));
    town.change(leaver, left());
    let hide = json!({"endpoint": SEARCH, "omit_person": [hidden]});
    town.hr("/_sandbox/faults", hide).await;
    let _serving = town.serve(&[]).await;

    let seen = preview(&town, &["--state", "dead", "--reason", "the mail was freed"]).await;
    let run = &seen["run"];
    assert_eq!((&run["deliveries"], &run["people"]), (&json!(6), &json!(5)), "{seen:#}");
    assert_eq!((&run["in_step"], &run["fails"]), (&json!(1), &json!({"notVisible": 1})));
    assert!(run["state"]["previewed"].is_object(), "{run:#}");
    assert_eq!(run["kind"]["replay"]["reason"], "the mail was freed");
    let slices: Vec<_> = run["slices"].as_array().expect("slices").iter().collect();
    let counts: Vec<_> = slices.iter().map(|it| (&it["kind"], &it["people"])).collect();
    let (one, two) = (json!(1), json!(2));
    assert_eq!(counts, [(&json!("deactivate"), &one), (&json!("update"), &two)]);
    assert!(slices.iter().all(|it| {
        let reason = it["state"]["held"]["reason"].as_str().unwrap_or_default();
        reason.contains("brake") && reason.contains("confirms")
    }));
    let text = seen.to_string();
    assert!(text.contains("Renamed") && text.contains("of full syncs"), "{seen:#}");
    let verdict = "6 deliveries of 5 people: 1 nothing to do, 2 updates, 1 deactivation, 1 still \
                   fails.";
    assert_eq!(seen["verdict"], verdict);
    assert_eq!(town.sandbox.writes(), 0, "a preview changes nothing");
    for letter in &letters {
        assert_eq!(state(&town, letter).await, DeliveryState::Dead);
    }

    // Somebody else wants the same.
    let (code, told) = said(&town, &["replay", "--state", "dead", "--preview"]).await;
    assert!(code == Some(1) && told.contains("ann is replaying the same"), "{told}");

    let id = run_id(&seen);
    let approve = ["runs", "approve", &id, "--by", "ben"];
    town.told(&[&approve[..], &["--slice", "update"]].concat()).await;
    let ended = until_ended(&town).await;
    assert_eq!((ended.state, ended.changed, ended.failed), (RunState::Done, 2, 0));
    assert_eq!(town.account_of(renamed)["lastName"], "Renamed");
    assert_eq!(town.account_of(moved)["lastName"], "Moved");
    assert_eq!(town.account_of(leaver)["status"], "active", "nobody confirmed that");
    assert_eq!(state(&town, &letters[0]).await, DeliveryState::Dead, "nor that");
    assert_eq!(state(&town, &letters[2]).await, DeliveryState::Done);

    town.told(&approve).await;
    let ended = until_ended(&town).await;
    assert_eq!((ended.changed, ended.failed), (3, 0));
    assert_eq!(town.account_of(leaver)["status"], "deleted");
    for letter in &letters[..5] {
        assert_eq!(state(&town, letter).await, DeliveryState::Done);
    }
    assert_eq!(state(&town, &letters[5]).await, DeliveryState::Dead, "it would fail again");
    // Their person was brought in step since.
    assert_eq!(state(&town, &ordered).await, DeliveryState::Done);

    let writes = town.sandbox.writes();
    let (code, told) = said(&town, &approve).await;
    assert!(code == Some(1) && told.contains("ben confirmed it"), "{told}");
    town.at_rest().await;
    assert_eq!(town.sandbox.writes(), writes, "confirming again is harmless");
    let audit = town.store().await.audit(None, 20).await.expect("an audit log");
    let done: Vec<_> = audit.iter().rev().map(|it| (it.verb.as_str(), it.refused)).collect();
    let expected = [
        // By which the delivery was ordered that the replay leaves alone.
        ("sync", false),
        ("replay", false),
        ("replay", true),
        ("approve", false),
        ("approve", false),
        ("approve", true),
    ];
    assert_eq!(done, expected, "{audit:#?}");
}

async fn the_brake_counts_what_no_human_saw(kept: Kept) {
    let one = |toml: &mut String| {
        let hourly = "deactivations_per_hour";
        let without: Vec<&str> = toml.lines().filter(|line| !line.starts_with(hourly)).collect();
        let brake = format!("[brake]\n{hourly} = {{ percent = 0, least = 2, most = 2 }}");
        *toml = without.join("\n").replace("[brake]", &brake) + "\n";
    };
    let town = town(20, kept, one).await;
    let actives = town.actives();
    let leavers = &actives[1..6];
    for id in leavers {
        failed(&town, id).await;
    }
    let _serving = town.serve(&[]).await;
    let seen = preview(&town, &["--code", "mailAlreadyUsed"]).await;
    assert_eq!((&seen["run"]["in_step"], &seen["run"]["slices"]), (&json!(5), &json!([])));
    for id in leavers {
        town.change(id, left());
    }
    let gone = || leavers.iter().filter(|id| town.account_of(id)["status"] == "deleted").count();
    town.told(&["runs", "approve", "last", "--by", "ann"]).await;
    let ended = until_ended(&town).await;
    assert!(gone() <= 2 && ended.failed >= 3, "{} gone: {ended:#?}", gone());

    // Shown and confirmed, all of them go.
    let (code, told) = said(&town, &["replay", "--code", "brake", "--yes", "--by", "ann"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(gone(), 5, "{told}");
}

//! A preview that nobody confirms in time: it is over, nothing of it is done, and the same can be
//! asked for again; whether somebody serves or not.

use instep::model::SliceState;

use super::*;

/// The approval's time is over: as it is a day or an hour later.
async fn time_passes(town: &Town) {
    let (store, mut run) = (town.store().await, last(town).await);
    let past = town.now() - jiff::SignedDuration::from_secs(1);
    let RunState::Previewed { until } = &mut run.state else { panic!("{run:#?}") };
    assert!(*until > town.now());
    *until = past;
    for slice in &mut run.slices {
        let SliceState::Held { until, .. } = &mut slice.state else { panic!("{slice:#?}") };
        *until = past;
    }
    run.revision += 1;
    assert!(store.save_run(&run).await.expect("a store"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_that_nobody_confirms_expires() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = town(12, kept, |_| {}).await;
        let [same, renamed] = [1, 2].map(|n| town.actives()[n].clone());
        let letters = [failed(&town, &same).await, failed(&town, &renamed).await];
        town.change(&renamed, json!({"surname": "Renamed"}));
        let which = ["--state", "dead", "--reason", "the mail was freed"];

        // Nobody serves: the command makes the preview, and nobody writes down that it is over.
        let first = run_id(&preview(&town, &which).await);
        let (code, told) = said(&town, &[&["replay", "--preview"], &which[..]].concat()).await;
        assert!(code == Some(1) && told.contains("is replaying the same"), "{told}");
        time_passes(&town).await;
        assert!(town.told(&["runs"]).await.contains("expired"));
        let approve = async |run: &str| said(&town, &["runs", "approve", run, "--by", "ben"]).await;
        let (code, told) = approve(&first).await;
        assert!(code == Some(1) && told.contains("nobody confirmed run"), "{told}");
        let second = run_id(&preview(&town, &which).await);
        assert_ne!(first, second, "it does not stand in the way");

        // Somebody serves, and it is written down.
        time_passes(&town).await;
        let serving = town.serve(&[]).await;
        let ended = until_ended(&town).await;
        assert_eq!((&ended.state, ended.changed), (&RunState::Done, 0), "{ended:#?}");
        let expired = |it: &instep::model::Slice| it.state == SliceState::Expired;
        assert!(ended.slices.len() == 1 && ended.slices.iter().all(expired), "{ended:#?}");
        let words = "Nobody confirmed it in time: nothing was done again.";
        let shown = town.told(&["runs", "show", &second]).await;
        assert!(shown.contains(words), "{shown}");
        assert!(town.told(&["runs"]).await.contains("expired"));
        // Also of those for whom nothing was to be done, who are in no slice, none is done.
        let (code, told) = approve(&second).await;
        assert!(code == Some(1) && told.contains("nobody confirmed run"), "{told}");
        let slice = ["runs", "approve", &second, "--slice", "update", "--by", "ben"];
        assert_eq!(said(&town, &slice).await.0, Some(1));
        town.at_rest().await;
        for letter in &letters {
            assert_eq!(state(&town, letter).await, DeliveryState::Dead);
        }
        assert_eq!(town.sandbox.writes(), 0);

        let third = run_id(&preview(&town, &which).await);
        let (code, told) = approve(&third).await;
        assert_eq!(code, Some(0), "{told}");
        until_ended(&town).await;
        assert_eq!(town.account_of(&renamed)["lastName"], "Renamed");
        for letter in &letters {
            assert_eq!(state(&town, letter).await, DeliveryState::Done);
        }
        serving.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_that_was_rejected_is_confirmed_by_nobody() {
    let town = town(12, Kept::Sqlite, |_| {}).await;
    let letter = failed(&town, &town.actives()[1]).await;
    // There is nothing to do for that person, so there is no slice.
    let run = run_id(&preview(&town, &["--state", "dead"]).await);
    town.told(&["runs", "reject", &run, "--by", "ann", "--reason", "not today"]).await;
    let (code, told) = said(&town, &["runs", "approve", &run, "--by", "ben"]).await;
    assert!(code == Some(1) && told.contains("was rejected"), "{told}");
    assert_eq!(state(&town, &letter).await, DeliveryState::Dead);
}

//! Somebody who was forgotten is left alone by events and by the full sync; the store moves to a
//! file and back, and work goes on.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_person_is_left_alone_until_it_is_lifted() {
    let town = linked(known(12), Kept::Sqlite, |_| {}).await;
    let id = town.actives()[1].clone();
    let account = town.account_of(&id)["_id"].clone();
    let mail = town.account_of(&id)["mail"].as_str().expect("a mail").to_owned();

    let asked = town.cli(&["forget", &id, "--by", "ann"]).await;
    assert_eq!(asked.status.code(), Some(2), "nobody can be asked here");
    let said = town.told(&["forget", &id, "--yes", "--by", "ann"]).await;
    assert!(said.contains("was forgotten") && said.contains("delete it there"), "{said}");
    let shown = town.told(&["person", &id]).await;
    assert!(shown.contains("forgotten") && shown.contains("none is linked"), "{shown}");
    let explained = town.told(&["explain", &id]).await;
    assert!(explained.contains("Forgotten on"), "{explained}");
    let entry = town.store().await.audit(None, 1).await.expect("audit").remove(0);
    assert_eq!((entry.verb.as_str(), entry.who.as_str(), entry.refused), ("forget", "ann", false));

    // HR changes them, and the LMS stays as it is; nor are they told as nobody's.
    town.change(&id, json!({"surname": "Changed"}));
    let (planned, items) = plan(&town).await;
    assert_eq!(planned.filtered.get("forgotten"), Some(&1), "{planned:#?}");
    let text = serde_json::to_string(&items).expect("JSON");
    assert!(!text.contains(&id) && !text.contains(&mail), "{items:#?}");
    let serving = town.serve(&[]).await;
    let body = town.event("employee.updated", &id);
    let signature = town.sign(&body);
    assert_eq!(town.webhook(&serving, &body, &signature).await, 200);
    town.at_rest().await;
    assert_eq!(town.account_of(&id)["_id"], account, "the LMS keeps its account");
    let last = town.deliveries_of(&id).await;
    assert!(last[0].reason.as_deref().is_some_and(|it| it.contains("--undo")), "{last:?}");

    let lifted = town.told(&["forget", &id, "--undo", "--by", "ann"]).await;
    assert!(lifted.contains("in step again"), "{lifted}");
    let run = sync(&town).await;
    assert_eq!((run.state, run.changed), (RunState::Done, 1));
    assert_eq!(town.account_of(&id)["lastName"], "Changed");
    assert!(serving.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_moved_by_a_file() {
    let town = linked(known(8), Kept::Sqlite, |_| {}).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("instep.export");
    let file = file.to_str().expect("a path");
    let said = town.told(&["export", file]).await;
    assert!(said.contains("8 links"), "{said}");
    let twice = town.cli(&["export", file]).await;
    assert!(!twice.status.success(), "nothing is written over");
    let full = town.cli(&["import", file]).await;
    let full = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(full.contains("not empty"), "{full}");

    let serving = town.serve(&[]).await;
    let busy = folder.path().join("busy").display().to_string();
    let refused = town.cli(&["export", &busy]).await;
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("stop it first"), "{refused}");
    assert!(serving.terminate().await.0.success());

    town.rewrite(|toml| {
        let at = toml.find("instep.db").expect("a file");
        toml.replace_range(at..at + "instep.db".len(), "other.db");
    });
    let said = town.told(&["import", file]).await;
    assert!(said.contains("8 links"), "{said}");
    let run = sync_again(&town).await;
    assert_eq!((run.state, run.changed, run.in_step), (RunState::Done, 0, 8));
}

/// A full sync from its beginning to its end by a process on the store that the configuration names
/// now.
async fn sync_again(town: &Town) -> Run {
    let loaded = config::parse(&town.config(), &town.toml(), &|_| None).expect("in order");
    let clock = Clock::system();
    let looking = instep::app::Purpose::Looking;
    let serving = town.serve(&[]).await;
    let store = instep::app::open_store(&loaded.settings.store, looking, &clock).await.expect("it");
    let all = FullSync::all(&loaded.settings, &store, &clock);
    let engine = all.expect("a full sync").pop().expect("a source");
    let (progress, _) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let run = engine.reconciler().run("a test", false, &progress, &stop).await.expect("a run");
    assert!(serving.terminate().await.0.success());
    run
}

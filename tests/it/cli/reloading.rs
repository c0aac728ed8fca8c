//! New rules for processes that serve: by a signal, by a command; refused when they do not check.

use serde_json::json;

use super::{objects, stepping, text};
use crate::harness::town::{Kept, Town, as_it_is};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rules_go_live_in_every_process_if_they_check() {
    for (kept, processes) in [(Kept::Sqlite, 1), (Kept::Redis, 2)] {
        let town = Town::new(stepping(8), kept, as_it_is).await;
        let serving = town.open().await;
        let mut others = Vec::new();
        for _ in 1..processes {
            others.push(town.serve(&["--role", "worker"]).await);
        }
        let id = &town.actives()[0];
        let title = town.account_of(id)["job"].as_str().expect("a job").to_owned();
        town.nudge(id);
        town.in_step().await;

        town.rewrite(|toml| {
            *toml = toml
                .replace("\"label.work.title\"", "\"label.work.title|upper\"")
                .replace("shutdown_seconds = 6", "shutdown_seconds = 7");
        });
        let said = town.told(&["reload"]).await;
        let live = format!("are live in {processes} of {processes} processes that answered");
        assert!(said.contains(&live), "{said}");
        assert!(said.contains("server.shutdown_seconds has changed"), "{said}");
        for process in others.iter().chain([&serving]) {
            assert!(process.log().contains("new rules are live"), "{}", process.log());
        }
        town.nudge(id);
        let loud = title.to_uppercase();
        town.until("the new rules decided", async || town.account_of(id)["job"] == loud.as_str())
            .await;
        let shown = objects(&town.told(&["explain", id, "--json"]).await);
        let version = shown[0]["version"].as_str().expect("a version");
        let attempts = town.deliveries_of(id).await;
        let versions: Vec<&str> =
            attempts.iter().flat_map(|it| &it.history).map(|it| it.rules.as_str()).collect();
        assert!(versions.contains(&version) && versions.iter().any(|it| *it != version));

        // Rules that do not check are refused before anybody is asked.
        town.rewrite(|toml| *toml = toml.replace("|upper", "|uper"));
        let output = town.cli(&["reload"]).await;
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        let said = text(&output.stderr);
        assert!(said.contains("uper") && said.contains("instep.toml:"), "{said}");
        town.rewrite(|toml| *toml = toml.replace("label.work.title|uper", "work.tytle"));
        let output = town.cli(&["reload"]).await;
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.contains("no field `work.tytle`, did you mean `work.title`?"), "{said}");
        assert!(said.contains("Nothing was reloaded"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_reloads_one_process_and_bad_rules_leave_the_old_ones() {
    let town = Town::new(stepping(6), Kept::Sqlite, as_it_is).await;
    let serving = town.open().await;
    let id = &town.actives()[0];
    let good = town.toml();
    town.rewrite(|toml| *toml = toml.replace("\"label.work.title\"", "\"label.work.title|uper\""));
    serving.signal("-HUP");
    town.until("it refuses", async || {
        serving.log().contains("the new rules are refused, the old ones stay")
    })
    .await;
    assert!(serving.log().contains("rules.fields.job"), "{}", serving.log());
    town.change(id, json!({"surname": "Stillhere"}));
    town.in_step().await;

    town.rewrite(|toml| *toml = good.replace("\"label.work.title\"", "\"'Same for all'\""));
    serving.signal("-HUP");
    town.until("they are live", async || serving.log().contains("new rules are live")).await;
    town.nudge(id);
    town.until("they decide", async || town.account_of(id)["job"] == "Same for all").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_anybody_who_serves_that_is_said() {
    let town = Town::new(stepping(4), Kept::Sqlite, as_it_is).await;
    let output = town.cli(&["reload", "--offline"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("No process answered"), "{}", text(&output.stderr));
}

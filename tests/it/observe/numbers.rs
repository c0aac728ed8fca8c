//! `/metrics` as Prometheus wants it, and everything that alerts and the dashboard name is there.
//!
//! `promtool` (deploy/install-tools.sh) is asked where there is one; deploy/check.sh says so when
//! there is none.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use instep::sandbox::Options;
use serde_json::{Value, json};

use super::{file, read};
use crate::harness::town::{Kept, Town, as_it_is};

/// The tool, where it is.
fn promtool() -> Option<PathBuf> {
    let ours = file("target/tools/promtool");
    let answers = |path: &Path| {
        let asked = Command::new(path).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let found = [ours, PathBuf::from("promtool")].into_iter().find(|path| answers(path));
    if found.is_none() {
        eprintln!("NOT CHECKED: there is no promtool; deploy/install-tools.sh promtool");
    }
    found
}

/// The names of metrics that a text of queries holds.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with("instep_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let board: Value = serde_json::from_str(&read("deploy/grafana/instep.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.map(|target| target["expr"].as_str().expect("a query").to_owned()).collect()
}

async fn metrics(town: &Town, url: &str) -> String {
    let answer = town.http().get(url).send().await.expect("an answer");
    answer.text().await.expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_alerts_and_dashboard_name_is_there_and_well_formed() {
    let platform = Some("instep-bob".to_owned());
    let options = Options { people: 24, in_step: true, platform, ..Options::default() };
    let chat = "[notify]\nchat = [{ type = \"slack\", url = \"http://127.0.0.1:1/\" }]\n";
    let town = Town::new(options, Kept::Sqlite, |toml| {
        as_it_is(toml);
        toml.push_str(chat);
    })
    .await;
    town.sandbox.limit(false);
    let serving = town.open().await;
    let actives = town.actives();
    town.change(&actives[0], json!({"surname": "Quillfeather"}));
    town.change(&actives[1], json!({"email": "no address"}));
    town.until("there is a dead letter", async || {
        town.depth().await.is_some_and(|depth| depth.dead > 0)
    })
    .await;
    town.told(&["sync"]).await;
    let url = serving.url("/metrics");
    // What is read less often is there after a moment; what counts no lost lease is never there.
    town.until("the run is told of", async || {
        metrics(&town, &url).await.contains("instep_run_ended_timestamp_seconds{")
    })
    .await;
    let text = metrics(&town, &url).await;

    let mut names: BTreeSet<String> = queries().iter().flat_map(|query| named(query)).collect();
    names.extend(named(&read("deploy/prometheus/alerts.yaml")));
    assert!(names.len() > 35, "{names:?}");
    let rare = ["instep_leases_lost_total", "instep_budget_out_of_time_total"];
    let rare = rare.into_iter().chain(["instep_budget_paused_total"]);
    for name in rare {
        assert!(names.remove(name), "{name} is watched");
        let source = read("src/telemetry/metrics.rs");
        assert!(source.contains(&format!("\"{name}\"")), "{name} is described");
    }
    for name in &names {
        let there = text.contains(&format!("\n{name}{{")) || text.contains(&format!("\n{name} "));
        assert!(there, "{name} is not in:\n{text}");
    }
    for line in [
        "instep_dead_letters{source=\"bob\",code=\"",
        "instep_run_state{source=\"bob\",state=\"done\"} 1",
        "instep_run_certificate_complete{source=\"bob\"} 1",
        "instep_held_people{source=\"bob\",change=\"deactivate\"} 0",
        "instep_build_info{version=\"",
        "instep_due_persons{source=\"bob\"} 0",
        "instep_store_call_seconds_count{call=\"accept\"}",
        "instep_notices_total{channel=\"chat 1\",outcome=\"",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("Quillfeather") && !text.contains(actives[0].as_str()), "{text}");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let told = [Some(name), base].into_iter().flatten();
        let told = told.filter(|name| text.contains(&format!("# HELP {name} "))).count();
        assert!(told > 0, "{name} has no HELP");
    }
    let Some(promtool) = promtool() else { return };
    let said = fed(Command::new(promtool).args(["check", "metrics"]), &text);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn the_dashboard_s_queries_are_queries() {
    let Some(promtool) = promtool() else { return };
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (at, query) in queries().iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$job", ".*");
        let query = query.replace('\'', "''");
        let _ = write!(rules, "      - record: panel:{at}\n        expr: '{query}'\n");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, &rules).expect("written");
    ended_well(Command::new(promtool).args(["check", "rules"]).arg(path));
}

#[test]
fn the_dashboard_s_panels_stand_beside_each_other() {
    let board: Value = serde_json::from_str(&read("deploy/grafana/instep.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} covers another", panel["title"]);
            }
        }
        assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
    }
}

#[test]
fn alerts_load_and_fire_when_they_should() {
    let Some(promtool) = promtool() else { return };
    let path = |name: &str| file("deploy/prometheus").join(name);
    ended_well(Command::new(&promtool).args(["check", "rules"]).arg(path("alerts.yaml")));
    ended_well(Command::new(&promtool).args(["test", "rules"]).arg(path("alerts.tests.yaml")));
}

#[test]
fn each_alert_has_a_test_that_it_fires_and_one_that_it_does_not() {
    let tests = read("deploy/prometheus/alerts.tests.yaml");
    for alert in super::alerts() {
        for what in ["fires", "is silent"] {
            assert!(tests.contains(&format!("- name: {alert} {what}\n")), "{alert} {what}");
        }
    }
}

#[track_caller]
fn ended_well(command: &mut Command) {
    let output = command.output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Runs a command that reads this text.
fn fed(command: &mut Command, text: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("promtool runs");
    let mut stdin = child.stdin.take().expect("its stdin");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

//! The command line, end to end: what each command prints, and by which code it ends.

mod checking;
mod drifting;
mod explaining;
mod matching;
mod planning;
mod reloading;

use instep::sandbox::Options;
use serde_json::{Value, json};

use crate::harness::redis::Server;
use crate::harness::town::{Kept, Town, as_it_is};

fn stepping(people: usize) -> Options {
    let platform = Some("instep-bob".to_owned());
    Options { people, in_step: true, platform, ..Options::default() }
}

/// The lines of what a command printed, as JSON.
fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_finds_what_is_wrong_before_anything_starts() {
    let town = Town::new(stepping(20), Kept::Sqlite, as_it_is).await;
    let said = town.told(&["check"]).await;
    assert!(said.contains("is in order"), "{said}");
    let said = town.told(&["check", "--connect"]).await;
    for well in ["store: works", "source bob: works", "target: works"] {
        assert!(said.contains(well), "{well} is not in:\n{said}");
    }
    let writes = town.sandbox.writes();
    assert_eq!(writes, 0, "a check changes nothing");

    // A permission that is missing: HiBob leaves the field out.
    let hide = json!({"endpoint": "POST /v1/people/search", "omit_field": ["work.workMobile"]});
    town.hr("/_sandbox/faults", hide).await;
    let output = town.cli(&["check", "--connect"]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("work.workMobile"), "{said}");
    assert!(!said.contains("work.title"), "only what is missing: {said}");
    town.hr("/_sandbox/faults", json!({"clear": true})).await;

    // A scope that is missing.
    let scopes = town.lms("/_sandbox/settings", json!({})).await["scopes"].clone();
    let fewer: Value = scopes
        .as_array()
        .expect("scopes")
        .iter()
        .filter(|scope| *scope != "externalIds:write")
        .cloned()
        .collect();
    town.lms("/_sandbox/settings", json!({"scopes": fewer})).await;
    let output = town.cli(&["check", "--connect", "--json"]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("externalIds:write"), "{said}");
    town.lms("/_sandbox/settings", json!({"scopes": scopes})).await;

    // Credentials that are wrong; none of them is printed.
    let token = town.sandbox.credentials().token.clone();
    town.rewrite(|toml| *toml = toml.replace(&token, "not-the-token"));
    let output = town.cli(&["check", "--connect"]).await;
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("401") && !said.contains("not-the-token"), "{said}");

    town.rewrite(|toml| *toml = toml.replace("[rules]", "[rules]\nscop = \"true\""));
    let output = town.cli(&["check"]).await;
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("scop") && said.contains("instep.toml:"), "{said}");
    assert_eq!(town.cli(&["serve"]).await.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_warns_of_a_redis_that_can_lose_data() {
    let careless = Server::with("appendonly no\nmaxmemory-policy allkeys-lru");
    let town = Town::kept_at(stepping(4), &careless.url(), as_it_is).await;
    let said = town.told(&["check", "--connect"]).await;
    let said = said.to_lowercase();
    assert!(said.contains("appendonly") || said.contains("aof"), "{said}");
    assert!(said.contains("maxmemory-policy"), "{said}");
    careless.stop();
    let output = town.cli(&["check", "--connect"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_writes_a_configuration_to_start_from() {
    let town = Town::new(stepping(4), Kept::Sqlite, as_it_is).await;
    let path = town.config().with_file_name("new.toml");
    let shown = path.display().to_string();
    let said = town.told(&["init", "--config", &shown, "--source", "hr"]).await;
    assert!(said.contains("instep check"), "{said}");
    let written = std::fs::read_to_string(&path).expect("the file");
    assert!(written.contains("[source.hr]") && written.contains("HR_TOKEN"));
    let again = town.cli(&["init", "--config", &shown]).await;
    assert_eq!(again.status.code(), Some(1));
    // What is still to be filled in is named, all at once.
    let output = town.cli(&["check", "--config", &shown]).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout) + &text(&output.stderr);
    for missing in ["HR_TOKEN", "HR_WEBHOOK_SECRET", "LMS_CLIENT_SECRET"] {
        assert!(said.contains(missing), "{missing} is not in:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_call_one_finds_what_happened_and_does_it_again() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = Town::new(stepping(12), kept, as_it_is).await;
        let _serving = town.open().await;
        let (id, other) = (&town.actives()[1], &town.actives()[2]);
        town.change(id, json!({"surname": "Fine"}));
        town.change(other, json!({"email": "not an address"}));
        town.at_rest().await;

        let dead = town.told(&["deliveries", "--state", "dead", "--json"]).await;
        let dead: Vec<Value> =
            dead.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(dead.len(), 1, "{dead:?}");
        assert_eq!((&dead[0]["code"], &dead[0]["employee"]), (&json!("badValue"), &json!(other)));
        let shown =
            town.told(&["deliveries", "show", dead[0]["id"].as_str().expect("an id")]).await;
        assert!(shown.contains("badValue") && shown.contains("root.email"), "{shown}");
        assert!(!shown.contains("not an address"), "values are not printed: {shown}");

        let person = town.told(&["person", id]).await;
        let account = town.account_of(id)["_id"].as_str().expect("an id").to_owned();
        assert!(person.contains(&account), "{person}");
        assert_eq!(town.cli(&["person", "4711"]).await.status.code(), Some(1));

        // Without a terminal nothing is replayed unless one says so.
        let asked = town.cli(&["replay", "--state", "dead"]).await;
        assert_eq!(asked.status.code(), Some(1), "{}", text(&asked.stderr));
        assert!(text(&asked.stdout).contains("1 still fails"), "{}", text(&asked.stdout));
        town.change(other, json!({"email": "an.address@example.test"}));
        town.in_step().await;
        // What failed is mended, and needs nobody any more.
        let left = town.cli(&["deliveries", "--state", "dead"]).await;
        assert_eq!(left.status.code(), Some(1), "{}", text(&left.stdout));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_what_the_runbook_asks_for_and_logs_name_nobody() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = Town::new(stepping(40), kept, as_it_is).await;
        let serving = town.serve_with(&["--log", "json"], &[("INSTEP_LOG", "debug")]).await;
        town.hook_to(&serving);
        let actives = town.actives();
        let lost = json!({"endpoint": "PATCH /api/v2/users/{userId}", "drop": "after", "times": 2});
        town.lms("/_sandbox/faults", lost).await;
        for (n, id) in actives.iter().take(20).enumerate() {
            town.change(id, json!({"surname": format!("Metric{n}")}));
        }
        town.change(&actives[21], json!({"email": "wrong address"}));
        town.change(&actives[22], json!({"internal": {"lifecycleStatus": "terminated"}}));
        town.hire(json!({"firstName": "Hortensia", "surname": "Quillfeather"}));
        let body = town.event("employee.updated", &actives[3]);
        for _ in 0..2 {
            town.webhook(&serving, &body, &town.sign(&body)).await;
        }
        town.webhook(&serving, &body, "forged").await;
        town.at_rest().await;

        let metrics = async || {
            let answer = town.http().get(serving.url("/metrics")).send().await.expect("metrics");
            answer.text().await.expect("text")
        };
        let all = metrics().await;
        for name in [
            "instep_webhooks_total{source=\"bob\",outcome=\"accepted\"}",
            "instep_webhooks_total{source=\"bob\",outcome=\"repeat\"} 1",
            "instep_receive_seconds",
            "instep_deliveries{state=\"waiting\"}",
            "instep_deliveries{state=\"dead\"}",
            "instep_oldest_waiting_seconds",
            "instep_received_to_applied_seconds_count{source=\"bob\",lane=\"live\"}",
            "instep_far_end_calls_total{far_end=\"hibob\",endpoint=\"people/search\",status=\"200\"}",
            "instep_far_end_calls_total{far_end=\"360learning\",endpoint=\"PATCH /users/{userId}\"",
            "instep_budget_wait_seconds",
            "instep_hold{scope=\"target\"}",
            "instep_attempts_total{source=\"bob\",lane=\"live\",outcome=\"done\"}",
            "instep_store_up 1",
        ] {
            assert!(all.contains(name), "{name} is not in:\n{all}");
        }

        let told = town.logged() + &all;
        assert!(told.contains(actives[0].as_str()), "ids are how people are found");
        let people = town.sandbox.people();
        let seeded = people.iter().flat_map(|person| {
            ["email", "displayName"].map(|field| person[field].as_str().unwrap_or_default())
        });
        let private = ["Metric1", "wrong address", "Quillfeather", "Hortensia"];
        for value in seeded.chain(private).filter(|value| !value.is_empty()) {
            let at = told.find(value);
            assert!(
                at.is_none(),
                "a log or a metric names {value}: {:?}",
                at.map(|at| told[at.saturating_sub(300)..].chars().take(400).collect::<String>())
            );
        }
        let secrets = town.sandbox.credentials();
        for secret in [&secrets.token, &secrets.webhook_secret, &secrets.client_secret] {
            assert!(!told.contains(secret.as_str()), "a secret is in the log");
        }
    }
}

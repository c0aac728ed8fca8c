//! Marked people: their names, mails and values go by every path, and everything that Instep tells
//! of by itself, or to whoever may not see personal data, is searched for them.

use instep::sandbox::Options;
use serde_json::{Value, json};

use crate::harness::town::{Kept, Town};
use crate::observe::traces::{Collector, table};

/// Stands in each value of the marked people, whatever its case.
const MARK: &str = "zanzibar";

/// A town with the API, the mails of whose rules say more than they need.
async fn open(kept: Kept, collector: &str) -> Town {
    let platform = Some("instep-bob".to_owned());
    let options = Options { people: 30, in_step: true, platform, ..Options::default() };
    let tables = format!("\n[console]\napi = true\n{}", table(collector));
    Town::new(options, kept, |toml| toml.push_str(&tables)).await
}

fn find(told: &str, whence: &str) {
    let lower = told.to_lowercase();
    if let Some(at) = lower.find(MARK) {
        let around: String = lower.chars().skip(at.saturating_sub(200)).take(400).collect();
        panic!("{whence} names somebody: {around}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_anybody_may_see_names_them() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let collector = Collector::default();
        let town = open(kept, &collector.open().await).await;
        let serving = town.serve_with(&["--log", "json"], &[("INSTEP_LOG", "debug")]).await;
        town.hook_to(&serving);
        let actives = town.actives();
        let marked = |n: usize| {
            json!({
                "firstName": format!("Zanzibar{n}"), "surname": format!("Zanzibar-{n}"),
                "displayName": format!("Zanzibar{n} Zanzibar-{n}"),
                "work": {"title": format!("Zanzibar {n}"), "department": format!("Zanzibar {n}")},
            })
        };
        // A change, a hire, somebody whose value is refused, somebody whom the LMS refuses.
        town.change(&actives[0], marked(0));
        let mut hired = marked(1);
        hired["email"] = json!("zanzibar@example.test");
        town.hire(hired);
        let mut broken = marked(2);
        broken["email"] = json!("zanzibar without an address");
        town.change(&actives[2], broken);
        town.at_rest().await;
        let refuse = json!({
            "endpoint": "PATCH /api/v2/users/{userId}", "status": 400, "times": 1000,
            "body": {"error": {"code": "invalidRequest", "message": "zanzibar is no name"}},
        });
        town.lms("/_sandbox/faults", refuse).await;
        town.change(&actives[3], marked(3));
        let dead = async || town.depth().await.is_some_and(|depth| depth.dead >= 2);
        town.until("two are dead letters", dead).await;
        // HR fails, too, in words that name somebody.
        let fail = json!({
            "endpoint": "POST /v1/people/search", "status": 500, "times": 2,
            "body": {"error": "zanzibar"},
        });
        town.hr("/_sandbox/faults", fail).await;
        town.change(&actives[4], marked(4));
        town.at_rest().await;
        town.cli(&["replay", "--state", "dead", "--preview", "--reason", "a test", "--by", "ann"])
            .await;
        town.cli(&["sync", "--by", "ann"]).await;
        town.lms("/_sandbox/faults", json!({"clear": true})).await;

        let metrics = town.http().get(serving.url("/metrics")).send().await.expect("metrics");
        find(&metrics.text().await.expect("text"), "/metrics");
        for path in ["/health/ready", "/health/live", "/"] {
            let answer = town.http().get(serving.url(path)).send().await.expect("an answer");
            find(&answer.text().await.expect("text"), path);
        }
        for args in [
            &["doctor"][..],
            &["doctor", "--json"],
            &["failures"],
            &["failures", "--json"],
            &["deliveries", "--limit", "200"],
            &["deliveries", "--limit", "200", "--json"],
            &["runs", "--json"],
            &["runs", "show", "last", "--personal", "none", "--items"],
            &["runs", "show", "last", "--personal", "none", "--json"],
            &["audit", "--json"],
            &["pause"],
        ] {
            let output = town.cli(args).await;
            find(&String::from_utf8_lossy(&output.stdout), &args.join(" "));
            find(&String::from_utf8_lossy(&output.stderr), &args.join(" "));
        }
        let token = town.told(&["tokens", "make", "looks", "--access", "operator"]).await;
        let token = token.lines().last().expect("a token").trim().to_owned();
        let ask = async |path: &str| {
            let url = serving.url(&format!("/api/v1{path}"));
            let answer = town.http().get(url).bearer_auth(&token).send().await.expect("an answer");
            answer.text().await.expect("text")
        };
        let runs: Value = serde_json::from_str(&ask("/runs").await).expect("JSON");
        let run = runs["runs"][0]["id"].as_str().expect("a run").to_owned();
        for path in [
            "/now".to_owned(),
            "/failures".to_owned(),
            "/deliveries?limit=500".to_owned(),
            "/people?q=4000".to_owned(),
            format!("/people/bob/{}", actives[0]),
            "/runs".to_owned(),
            format!("/runs/{run}/items"),
            "/audit".to_owned(),
        ] {
            let told = ask(&path).await;
            assert!(told.len() > 2, "{path} says something");
            find(&told, &path);
        }
        let logged = town.logged();
        assert!(logged.contains(actives[3].as_str()), "ids are how people are found");
        find(&logged, "the log");
        // All traces are there when it has ended: also of the change, the dead letters, the replay.
        serving.terminate().await;
        for id in [&actives[0], &actives[2], &actives[3], &actives[4]] {
            let delivery = town.deliveries_of(id).await.pop().expect("a delivery");
            assert!(collector.count_of(delivery.id.as_str()) > 2, "{id} has a trace");
        }
        for request in collector.requests() {
            find(&String::from_utf8_lossy(&request), "a trace");
        }
        // They were there to be named.
        let shown = town.told(&["explain", &actives[0]]).await;
        assert!(shown.to_lowercase().contains(MARK), "{shown}");
    }
}

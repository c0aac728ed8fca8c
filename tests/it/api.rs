//! The API, through the binary: who gets in, what is answered, and that nothing hostile gets an
//! answer that is not described or changes anything.

use std::path::Path;

use instep::sandbox::Options;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::town::{Kept, Serving, Town};

/// A process with the API, and a token for each kind of access.
struct Api {
    town: Town,
    serving: Serving,
    viewer: String,
    operator: String,
}

impl Api {
    async fn open(kept: Kept) -> Self {
        let options = Options {
            people: 24,
            in_step: true,
            platform: Some("instep-bob".to_owned()),
            ..Options::default()
        };
        let town =
            Town::new(options, kept, |toml| toml.push_str("\n[console]\napi = true\n")).await;
        let serving = town.open().await;
        let token = async |name: &str, access: &str| {
            let said = town.told(&["tokens", "make", name, "--access", access]).await;
            said.lines().last().expect("a token").trim().to_owned()
        };
        let viewer = token("looks", "viewer").await;
        let operator = token("acts", "operator").await;
        Self { town, serving, viewer, operator }
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<&str>) -> Response {
        let url = self.serving.url(&format!("/api/v1{path}"));
        let mut request = self.town.http().request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        request.send().await.expect("an answer")
    }

    async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        parts(self.send(Method::GET, path, token, None).await).await
    }

    async fn act(&self, token: &str, verb: &Value) -> (StatusCode, Value) {
        let body = verb.to_string();
        parts(self.send(Method::POST, "/deeds", token, Some(&body)).await).await
    }
}

async fn parts(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Somebody whose delivery is a dead letter, and a run.
async fn furnish(api: &Api) -> String {
    let town = &api.town;
    let id = town.actives()[2].clone();
    let refuse = json!({
        "endpoint": "PATCH /api/v2/users/{userId}", "status": 400,
        "body": {"error": {"code": "mailAlreadyUsed", "message": "no"}}, "times": 1000,
    });
    town.lms("/_sandbox/faults", refuse).await;
    town.change(&id, json!({"surname": "Marked-Name"}));
    let dead = async || town.depth().await.is_some_and(|depth| depth.dead > 0);
    town.until("somebody's delivery is a dead letter", dead).await;
    // It finds that person, too, and fails alike: what came right would close the dead letter.
    town.cli(&["sync"]).await;
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_and_personal_data_only_on_request() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let api = Api::open(kept).await;
        let id = furnish(&api).await;
        let (status, now) = api.get("/now", &api.viewer).await;
        assert_eq!(status, 200);
        assert!(now["depth"]["done"].as_u64() > Some(0), "{now:#}");
        let (_, dead) = api.get("/deliveries?state=dead&limit=5", &api.viewer).await;
        let delivery = dead["deliveries"][0]["id"].as_str().expect("a dead letter").to_owned();
        let (status, one) = api.get(&format!("/deliveries/{delivery}"), &api.viewer).await;
        assert_eq!((status, one["id"].as_str()), (StatusCode::OK, Some(delivery.as_str())));
        let event = format!("/deliveries/{delivery}/event");
        assert_eq!(api.get(&event, &api.viewer).await.0, 403, "a raw event takes an operator");
        let (status, event) = api.get(&event, &api.operator).await;
        assert_eq!(status, 200);
        assert_eq!(event["employee"], json!(id));
        let (_, failures) = api.get("/failures", &api.viewer).await;
        let cause = failures["failures"][0]["cause"].as_str().expect("a cause").to_owned();
        let (status, one) = api.get(&format!("/failures/{cause}"), &api.viewer).await;
        assert_eq!((status, &one["people"]), (StatusCode::OK, &json!(1)));

        let (_, runs) = api.get("/runs", &api.viewer).await;
        let run = runs["runs"][0]["id"].as_str().expect("a run").to_owned();
        let (status, _) = api.get(&format!("/runs/{run}"), &api.viewer).await;
        assert_eq!(status, 200);
        let items = format!("/runs/{run}/items");
        let (_, masked) = api.get(&items, &api.operator).await;
        assert!(!masked.to_string().contains("Marked-Name"), "{masked:#}");
        let shown = format!("{items}?personal=true");
        assert_eq!(api.get(&shown, &api.viewer).await.0, 403);
        let (_, shown) = api.get(&shown, &api.operator).await;
        assert!(shown.to_string().contains("Marked-Name"), "{shown:#}");

        let person = format!("/people/bob/{id}");
        let (_, masked) = api.get(&person, &api.viewer).await;
        assert_eq!((&masked["linked"], &masked["link"]), (&json!(true), &Value::Null));
        assert_eq!(api.get(&format!("{person}?personal=true"), &api.viewer).await.0, 403);
        let (_, shown) = api.get(&format!("{person}?personal=true"), &api.operator).await;
        assert!(shown["link"].is_object(), "{shown:#}");
        let (_, audit) = api.get("/audit", &api.operator).await;
        let told = audit["entries"].as_array().expect("entries");
        let unmasked = |about: &str| {
            let about = json!(about);
            told.iter().any(|entry| {
                entry["verb"] == "unmask" && entry["about"] == about && entry["who"] == "acts"
            })
        };
        assert!(unmasked(&format!("person bob/{id}")) && unmasked(&format!("run {run}")));
        for nothing in ["/runs/1", "/deliveries/1", "/people/bob/1", "/failures/1", "/nothing"] {
            let (status, problem) = api.get(nothing, &api.viewer).await;
            assert_eq!((status.as_u16(), &problem["status"]), (404, &json!(404)), "{nothing}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_gets_in() {
    let api = Api::open(Kept::Sqlite).await;
    let garbled = format!("{}x", &api.operator[..api.operator.len() - 1]);
    for token in ["", "x", "instep_", &garbled, &"a".repeat(9000)] {
        let (status, _) = api.get("/now", token).await;
        assert_eq!(status, 401, "{} characters", token.len());
    }
    let bare = api.town.http().get(api.serving.url("/api/v1/now")).send().await.expect("an answer");
    assert_eq!(bare.status(), 401);
    assert!(bare.headers().contains_key("www-authenticate"));
    let pause = json!({"verb": "pause", "scope": "all", "reason": "a test"});
    assert_eq!(api.act(&api.viewer, &pause).await.0, 403);
    let (status, done) = api.act(&api.operator, &pause).await;
    assert_eq!(status, 200, "{done}");
    let resume = json!({"verb": "resume", "scope": "all"});
    assert_eq!(api.act(&api.operator, &resume).await.0, 200);
    assert_eq!(api.act(&api.operator, &resume).await.0, 409, "it is resumed");
    let reload = json!({"verb": "reload"});
    assert_eq!(api.act(&api.operator, &reload).await.0, 403, "that takes an administrator");
    api.town.told(&["tokens", "revoke", "acts"]).await;
    assert_eq!(api.act(&api.operator, &resume).await.0, 401, "it was revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let api = Api::open(Kept::Sqlite).await;
    api.town.at_rest().await;
    let before = api.get("/audit", &api.operator).await.1;
    let deep = "[".repeat(5000);
    let long = json!({"verb": "pause", "scope": "all", "reason": "x".repeat(501)}).to_string();
    let huge = "x".repeat(1024 * 1024 + 1);
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("null", 422),
        ("[]", 422),
        (deep.as_str(), 422),
        (huge.as_str(), 413),
        (r#"{"verb": "destroy"}"#, 422),
        (r#"{"verb": "cancel"}"#, 422),
        (r#"{"verb": "cancel", "run": 7}"#, 422),
        (r#"{"verb": "cancel", "run": ""}"#, 422),
        (r#"{"verb": "cancel", "run": "1\u0000"}"#, 422),
        (r#"{"verb": "cancel", "run": "1", "force": true}"#, 422),
        (r#"{"verb": "pause", "scope": "weather", "reason": "x"}"#, 422),
        (long.as_str(), 422),
    ] {
        let response = api.send(Method::POST, "/deeds", &api.operator, Some(body)).await;
        let (found, problem) = parts(response).await;
        let begins: String = body.chars().take(60).collect();
        assert_eq!(found.as_u16(), status, "{begins}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|told| !told.is_empty()), "{problem}");
    }
    for query in
        ["limit=0", "limit=501", "limit=-1", "state=", "state=gone", "colour=red", "since=x"]
    {
        let (status, _) = api.get(&format!("/deliveries?{query}"), &api.viewer).await;
        assert_eq!(status, 400, "{query}");
    }
    for path in ["/runs/%00", "/runs/..%2f..%2fetc", "/runs/%ff%fe", "/people/%F0%9F%A6%84/1"] {
        let (status, _) = api.get(path, &api.viewer).await;
        assert!(matches!(status.as_u16(), 400 | 404), "{path}: {status}");
    }
    let url = api.serving.url("/api/v1/deeds");
    let plain = api.town.http().post(&url).bearer_auth(&api.operator).body("{}");
    assert_eq!(plain.send().await.expect("an answer").status(), 415);
    assert_eq!(api.send(Method::PUT, "/deeds", &api.operator, Some("{}")).await.status(), 405);
    let after = api.get("/audit", &api.operator).await.1;
    assert_eq!(before, after, "nothing was done, and nothing written down");
}

/// Whoever was forgotten is found no more from that moment on, by whatever process it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_forgotten_is_found_no_more() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let api = Api::open(kept).await;
        let actives = api.town.actives();
        for id in &actives[1..3] {
            api.town.change(id, json!({"firstName": "Xanthippe", "surname": "Vanisher"}));
        }
        api.town.in_step().await;
        let found = async |text: &str| {
            let (status, told) = api.get(&format!("/people?q={text}"), &api.operator).await;
            assert_eq!(status, 200, "{told}");
            told["people"].as_array().expect("people").len()
        };
        api.town.until("the search knows both", async || found("vanisher").await == 2).await;
        let by_cli =
            ["forget", &actives[1], "--yes", "--by", "ann", "--reason", "it was asked for"];
        api.town.told(&by_cli).await;
        assert_eq!((found("vanisher").await, found(&actives[1]).await), (1, 0));

        let forget = json!({
            "verb": "forget", "person": {"source": "bob", "employee": actives[2]},
            "reason": "Xanthippe Vanisher asked for it",
        });
        assert_eq!(api.act(&api.operator, &forget).await.0, 403, "that takes an administrator");
        assert_eq!(found("vanisher").await, 1);
        let root = api.town.told(&["tokens", "make", "root", "--access", "administrator"]).await;
        let root = root.lines().last().expect("a token").trim();
        let (status, done) = api.act(root, &forget).await;
        assert_eq!(status, 200, "{done}");
        assert_eq!((found("vanisher").await, found(&actives[2]).await), (0, 0));
        let (_, audit) = api.get("/audit", &api.operator).await;
        let told = audit.to_string();
        assert!(told.contains("it was asked for") && told.contains(") asked for it"), "{audit:#}");
        let refused = "(forgotten) asked for it";
        assert_eq!(told.matches(refused).count(), 2, "also what was refused: {audit:#}");
        assert!(!told.contains("Xanthippe") && !told.contains("Vanisher"), "{audit:#}");
        let undo = json!({"verb": "lift_forgetting", "person": forget["person"]});
        assert_eq!(api.act(root, &undo).await.0, 200);
        assert_eq!(found("vanisher").await, 0, "nothing of them is left to be found");
    }
}

/// A generic fuzzer reads the description and tries everything that it allows and forbids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fuzzer_finds_nothing() {
    let api = Api::open(Kept::Sqlite).await;
    furnish(&api).await;
    let (_, runs) = api.get("/runs", &api.viewer).await;
    let (_, deliveries) = api.get("/deliveries", &api.viewer).await;
    let folder = tempfile::tempdir().expect("a folder");
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    // What the fuzzer cannot guess.
    let config = format!(
        "[parameters]\n\"path.id\" = [\"{}\", \"{}\", \"nobody\"]\n",
        id(&runs["runs"][0]["id"]),
        id(&deliveries["deliveries"][0]["id"]),
    );
    std::fs::write(folder.path().join("schemathesis.toml"), config).expect("a file");
    fuzz(&api, folder.path(), &["--exclude-operation-id", "act"]).await;
    // A deed can be refused for what it means, which no description can say.
    let meaning = ["--include-operation-id", "act", "--exclude-checks", "positive_data_acceptance"];
    fuzz(&api, folder.path(), &meaning).await;
    assert_eq!(api.get("/now", &api.viewer).await.0, 200, "it is well afterwards");
}

async fn fuzz(api: &Api, folder: &Path, which: &[&str]) {
    let base = api.serving.url("/api/v1");
    let mut command = tokio::process::Command::new(schemathesis());
    command
        .current_dir(folder)
        .args(["run", &format!("{base}/openapi.json"), "--url", &base])
        .args(["--header", &format!("Authorization: Bearer {}", api.operator)])
        .args(["--checks", "all", "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "25", "--seed", "7", "--rate-limit", "45/s"])
        .args(["--continue-on-failure", "--suppress-health-check", "all", "--no-color"])
        .args(which)
        .kill_on_drop(true);
    let tried = command.output().await.expect("schemathesis runs");
    let told = String::from_utf8_lossy(&tried.stdout);
    assert!(tried.status.success(), "{told}\n{}", String::from_utf8_lossy(&tried.stderr));
    assert!(told.contains("Tested:"), "{told}");
}

/// Where `deploy/install-tools.sh` puts it.
fn schemathesis() -> std::path::PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = place.join("target/tools/schemathesis/bin/schemathesis");
    assert!(place.exists(), "deploy/install-tools.sh schemathesis installs what this test needs");
    place
}

//! The console in a real browser: every page in every guise, and what people do on them.
//!
//! The browser is driven by the scripts beside this file, under node. `INSTEP_SHOTS=FOLDER` keeps a
//! picture of each page.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use instep::app::{Instep, Purpose, Roles, open_store};
use instep::clock::{Clock, Deadline};
use instep::config;
use instep::sandbox::Options;
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::town::{Kept, Town};

/// How long a script may take: it looks at each page in six guises, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(400);

/// A process that serves the console to everybody, as the demo does.
struct Open {
    url: String,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Open {
    async fn at(town: &Town, address: &str) -> Self {
        let loaded = config::parse(&town.config(), &town.toml(), &|_| None).expect("in order");
        let clock = Clock::system();
        let store = open_store(&loaded.settings.store, Purpose::Serving, &clock).await;
        let instep = Instep::build(loaded.settings, store.expect("the store"), clock);
        let instep = instep.expect("the parts fit").open_to_all();
        let listener = TcpListener::bind(address).await.expect("an address");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let serve = instep.serve(listener, Roles::ALL, stop.clone());
        let served = tokio::spawn(async move { serve.await.expect("it serves") });
        Self { url, stop, served }
    }

    async fn end(self) {
        self.stop.cancel();
        self.served.await.expect("it ends");
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

/// The brake lets two go.
fn braked(toml: &mut String) {
    *toml = toml.replace("[brake]\n", "[brake]\ndeactivate = { percent = 1, least = 2 }\n");
}

/// A town where a full sync has run, and a second one was held in part; with its id.
async fn held() -> (Town, Open, String) {
    let platform = Some("instep-bob".to_owned());
    let options = Options { people: 40, in_step: true, platform, ..Options::default() };
    let town = Town::new(options, Kept::Sqlite, braked).await;
    town.sandbox.limit(false);
    let open = Open::at(&town, "127.0.0.1:0").await;
    // Some come as events; of the others HR says nothing, so that a full sync finds them.
    town.sandbox.send_webhooks_to(format!("{}/webhooks/bob", open.url));
    for id in town.actives().iter().rev().take(5) {
        town.change(id, json!({"surname": "Married"}));
    }
    town.in_step().await;
    town.sandbox.send_webhooks_to(format!("{}/webhooks/nobody", open.url));
    town.told(&["sync"]).await;
    for id in town.actives().into_iter().skip(1).take(6) {
        town.change(&id, json!({"internal": {"status": "Inactive"}}));
    }
    town.cli(&["sync"]).await;
    let runs = town.told(&["runs", "--json"]).await;
    let newest: Value = serde_json::from_str(runs.lines().next().expect("a run")).expect("JSON");
    let run = newest["id"].as_str().expect("an id").to_owned();
    (town, open, run)
}

/// Starts a script; its last word is whether all is well.
fn script(name: &str, open: &Open, env: &[(&str, &str)]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/tools/console");
    assert!(tools.join("node_modules").exists(), "first: deploy/install-tools.sh console");
    let mut command = Command::new("node");
    command.arg(root.join("tests/it/console").join(name)).env("INSTEP_TOOLS", tools);
    command.env("INSTEP_CONSOLE", &open.url).envs(env.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

async fn all_is_well(name: &str, open: &Open, env: &[(&str, &str)]) {
    let output = tokio::time::timeout(PATIENCE, script(name, open, env).output());
    let output = output.await.expect("it ends in time").expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_well_in_every_guise() {
    let (town, open, run) = held().await;
    let http = client();
    let version = async {
        let rules = text(&http, &open, "/console/rules").await;
        let (_, rest) = rules.split_once("href=\"/console/rules/bob/").expect("a version");
        rest.split('"').next().expect("a version").to_owned()
    };
    let version = version.await;
    let all = text(&http, &open, "/console/runs").await;
    let waiting = text(&http, &open, "/console/runs?open=1").await;
    let rows = |page: &str| page.matches("<tr><td").count();
    assert!(rows(&all) == 2 && rows(&waiting) == 1 && waiting.contains(&run), "{waiting}");
    // One of those who came as events.
    let somebody = town.actives().pop().expect("somebody");
    let delivery = town.deliveries_of(&somebody).await[0].id.clone();
    let pages = json!([
        {"name": "now", "path": "/console"},
        {"name": "runs", "path": "/console/runs"},
        {"name": "run", "path": format!("/console/runs/{run}")},
        {"name": "slice", "path": format!("/console/runs/{run}/slices/deactivate")},
        {"name": "rules", "path": "/console/rules"},
        {"name": "version", "path": format!("/console/rules/bob/{version}")},
        {"name": "audit", "path": "/console/audit"},
        {"name": "people", "path": format!("/console/people?q={}", &somebody[..4])},
        {"name": "person", "path": format!("/console/people/bob/{somebody}")},
        {"name": "explained", "path": format!("/console/people/bob/{somebody}?explain=1&plan=1")},
        {"name": "deliveries", "path": "/console/deliveries"},
        {"name": "failures", "path": "/console/failures"},
        {"name": "delivery", "path": format!("/console/deliveries/{delivery}")},
    ]);
    all_is_well("pages.mjs", &open, &[("INSTEP_PAGES", &pages.to_string())]).await;
    open.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_do_what_they_came_for() {
    let (town, open, run) = held().await;
    let somebody = town.actives()[0].clone();
    town.rewrite(|toml| {
        *toml = toml.replace("\"label.work.title\"", "\"label.work.title|upper\"");
    });
    // What nobody confirms yet: the events of those who married, once more.
    let replay = ["replay", "--state", "done", "--kind", "employee.updated", "--reason"];
    town.cli(&[&replay[..], &["the rules were tried"]].concat()).await;
    let env = [("INSTEP_RUN", run.as_str()), ("INSTEP_SOMEBODY", somebody.as_str())];
    all_is_well("journeys.mjs", &open, &env).await;
    let runs = town.told(&["runs", "--json"]).await;
    let runs: Vec<Value> =
        runs.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let decided = runs.iter().find(|it| it["id"] == run.as_str()).expect("the run");
    let slices = decided["slices"].as_array().expect("slices");
    let state = &slices.iter().find(|it| it["kind"] == "deactivate").expect("it")["state"];
    assert_eq!(state["approved"]["by"], "demo", "{state}");
    assert_eq!(state["approved"]["people"], 2, "{state}");
    assert!(runs.iter().any(|it| it["plan_only"] == true && it["asked_by"] == "demo"), "{runs:#?}");
    open.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_open_survives_a_restart() {
    let (town, open, _) = held().await;
    let address = open.address().to_owned();
    let mut watching = script("restart.mjs", &open, &[]).spawn().expect("node runs");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    let mut said = Vec::new();
    let mut open = Some(open);
    // It says what it has seen, and then waits for what comes next.
    while let Some(line) = lines.next_line().await.expect("text") {
        match line.as_str() {
            "open" => {
                // A stream that is open does not hold the end up.
                let quick = Deadline::after(Duration::from_secs(4));
                open.take().expect("it serves").end().await;
                assert!(!quick.left().is_zero(), "the stream held the end up");
            }
            "lost" => open = Some(Open::at(&town, &address).await),
            _ => {}
        }
        said.push(line);
    }
    let ended = tokio::time::timeout(PATIENCE, watching.wait()).await.expect("in time");
    assert!(ended.expect("it ends").success(), "{said:#?}");
    assert!(said.contains(&"back".to_owned()), "{said:#?}");
    open.expect("it serves").end().await;
}

fn client() -> reqwest::Client {
    let redirect = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().redirect(redirect).build().expect("a client")
}

async fn text(http: &reqwest::Client, open: &Open, path: &str) -> String {
    let answer = http.get(format!("{}{path}", open.url)).send().await.expect("an answer");
    answer.text().await.expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_loads_is_kept_for_good_and_never_stale() {
    let (_town, open, _) = held().await;
    let http = client();
    let page = text(&http, &open, "/console").await;
    let asset = |end: &str| {
        let found = page.split('"').find(|part| part.ends_with(end));
        found.map(str::to_owned).expect("the page loads it")
    };
    for end in ["style.css", "live.js", "icon.svg"] {
        let url = format!("{}{}", open.url, asset(end));
        let answer = http.get(&url).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        let head = answer.headers();
        let keep = head[CACHE_CONTROL].to_str().expect("text");
        assert!(keep.contains("immutable"), "{keep}");
        let again = http.get(&url).header(IF_NONE_MATCH, &head[ETAG]).send().await;
        assert_eq!(again.expect("an answer").status(), StatusCode::NOT_MODIFIED);
        let other = format!("{}/console/assets/other/{end}", open.url);
        let answer = http.get(&other).send().await.expect("an answer");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-cache");
    }
    let answer = http.get(format!("{}/console/assets/x/none.js", open.url)).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::NOT_FOUND);
    open.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_that_make_no_sense_change_nothing() {
    let (town, open, run) = held().await;
    let http = client();
    let huge =
        format!("do=approve&seen=held&slice=deactivate&whom=only&ids={}", "9".repeat(3_000_000));
    let many =
        format!("do=approve&seen=held&slice=deactivate&whom=only&ids={}", "1%0A".repeat(100_000));
    let run_path = format!("/console/runs/{run}");
    let forms: Vec<(&str, &str)> = vec![
        ("/console", "do=pause&scope=everything&reason=x"),
        ("/console", "do=pause&scope=all&reason="),
        ("/console", "do=pause&scope=all&reason=x&hours=9999"),
        ("/console", "do=resume&scope=lane+bulk"),
        ("/console/runs", ""),
        ("/console/runs", "do=explode"),
        ("/console/runs", "do=sync&source=nobody"),
        ("/console/runs", "%ff%fe=%00&&&===="),
        ("/console/rules", "do=try"),
        ("/console/rules", "do=try&expression=%7B%7B&key=1"),
        ("/console/rules", "do=try&expression=1&key=nobody-at-all"),
        ("/console/runs/nothing", "do=cancel"),
        (&run_path, ""),
        (&run_path, "do=approve"),
        (&run_path, "do=approve&slice=deactivate&whom=all"),
        (&run_path, "do=approve&slice=deactivate&whom=all&seen=approved+1"),
        (&run_path, "do=approve&seen=held&slice=deactivate"),
        (&run_path, "do=approve&slice=everything&whom=all"),
        (&run_path, "do=approve&seen=held&slice=deactivate&whom=only"),
        (&run_path, "do=approve&seen=held&slice=deactivate&whom=all&ids=1"),
        (&run_path, "do=approve&seen=held&slice=deactivate&whom=only&ids=4711"),
        (&run_path, "do=approve&seen=held&slice=deactivate&whom=except&ids=4711"),
        (&run_path, "do=reject&seen=held&slice=deactivate&reason=++"),
        (&run_path, "do=reject&slice=<script>&reason=x"),
        (&run_path, &huge),
        (&run_path, &many),
    ];
    for (path, body) in forms {
        let request = http.post(format!("{}{path}", open.url)).body(body.to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.expect("an answer");
        let (status, shown) = (answer.status(), &body[..body.len().min(80)]);
        assert!(status.is_client_error(), "{path} {shown}: {status}");
        let page = answer.text().await.expect("text");
        assert!(!page.contains("<script>"), "{path} {shown}");
        let told = page.contains("role=\"alert\"") || status == StatusCode::PAYLOAD_TOO_LARGE;
        assert!(told, "{path} {shown}: {page}");
    }
    for path in ["/console/runs/%00", "/console/audit?before=%ff", "/console/rules/x/y?did=%3Cb%3E"]
    {
        let page = text(&http, &open, path).await;
        assert!(page.contains("</html>"), "{path}: {page}");
    }
    let slice = town.told(&["runs", "show", &run, "--json"]).await;
    let slice: Value = serde_json::from_str(&slice).expect("JSON");
    let held = slice["run"]["slices"].as_array().expect("slices");
    assert!(held.iter().any(|it| it["state"]["held"].is_object()), "{held:#?}");

    // What came of a deed is shown to whoever did it, and a made-up entry shows nothing.
    let request = http.post(format!("{}/console/runs", open.url)).body("do=plan");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let to = answer.headers()[LOCATION].to_str().expect("text").to_owned();
    assert!(text(&http, &open, &to).await.contains("is asked for: it begins within seconds"));
    let page = text(&http, &open, "/console/runs?did=0199").await;
    assert!(!page.contains("class=\"notice"), "{page}");
    open.end().await;
}

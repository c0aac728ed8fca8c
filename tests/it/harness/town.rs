//! A town for tests: both doubles in the test process, a store, and the real binary as often as
//! wanted. What HR and the LMS hold is compared here by the harness's own rules, never by Instep's.
//!
//! A town is quick (a second look after a second, leases of eight) and each is alone: no two share
//! a port, a file or a Redis namespace. Everything ends with the value that holds it.

mod serving;
mod step;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use instep::app::{Purpose, open_store};
use instep::clock::{Clock, Deadline};
use instep::config;
use instep::model::Delivery;
use instep::sandbox::{Change, Changed, Options, Sandbox, sign};
use instep::store::{Depth, Filter, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OnceCell;

pub use serving::Serving;
pub use step::Differing;

use super::redis;

/// How long a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(25);

/// The binary under test.
pub const INSTEP: &str = env!("CARGO_BIN_EXE_instep");

/// `[worker]` for tests, and as little patience with far ends as fits into its lease.
const QUICK: &str = r"[worker]
lease_seconds = 8
first_retry_seconds = 1
longest_retry_seconds = 2
second_look_seconds = 1
";

/// Where a town keeps what must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A file of its own.
    Sqlite,
    /// A namespace of its own on the shared test server.
    Redis,
}

/// Both doubles, a configuration and a store; the binary is started with [`Town::serve`].
pub struct Town {
    /// HR and the LMS.
    pub sandbox: Sandbox,
    folder: TempDir,
    toml: Mutex<String>,
    http: reqwest::Client,
    clock: Clock,
    store: OnceCell<Arc<dyn Store>>,
    /// The logs of all that were started.
    logs: Mutex<Vec<PathBuf>>,
}

/// Makes calls to far ends patient: for tests that count calls on a busy machine.
pub fn patient(toml: &mut String) {
    *toml = toml
        .replace("timeout_seconds = 1\n", "timeout_seconds = 10\n")
        .replace("lease_seconds = 8\n", "lease_seconds = 80\n");
}

/// Leaves a configuration as it is.
pub fn as_it_is(_: &mut String) {}

impl Town {
    /// A town whose configuration is adjusted before anything starts.
    pub async fn new(options: Options, kept: Kept, adjust: impl FnOnce(&mut String)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let url = match kept {
            Kept::Sqlite => format!("sqlite:{}", folder.path().join("instep.db").display()),
            Kept::Redis => redis::shared().url(),
        };
        Self::at(options, folder, &url, adjust).await
    }

    /// A town that keeps everything at this address: a Redis of its own, a Cluster.
    pub async fn kept_at(options: Options, url: &str, adjust: impl FnOnce(&mut String)) -> Self {
        Self::at(options, TempDir::new().expect("a folder"), url, adjust).await
    }

    async fn at(
        options: Options,
        folder: TempDir,
        url: &str,
        adjust: impl FnOnce(&mut String),
    ) -> Self {
        let clock = Clock::system();
        let sandbox = Sandbox::start(options, clock.clone()).await.expect("a sandbox");
        let store = format!("url = \"{url}\"\nnamespace = \"{}\"", redis::namespace());
        let mut toml = sandbox
            .config_toml()
            .replace(
                "listen = \"127.0.0.1:8080\"",
                "listen = \"127.0.0.1:0\"\nshutdown_seconds = 6",
            )
            .replace("url = \"sqlite:instep.db\"", &store)
            .replace("type = \"hibob\"", "type = \"hibob\"\ntimeout_seconds = 1")
            .replace("[target]\n", &format!("{QUICK}\n[target]\ntimeout_seconds = 1\n"));
        adjust(&mut toml);
        std::fs::write(folder.path().join("instep.toml"), &toml).expect("a configuration");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        Self {
            sandbox,
            folder,
            toml: Mutex::new(toml),
            http: http.expect("a client"),
            clock,
            store: OnceCell::new(),
            logs: Mutex::default(),
        }
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("instep.toml")
    }

    /// What stands in it.
    pub fn toml(&self) -> String {
        self.toml.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes it anew; for those that are started from now on.
    pub fn rewrite(&self, adjust: impl FnOnce(&mut String)) {
        let mut toml = self.toml.lock().unwrap_or_else(PoisonError::into_inner);
        adjust(&mut toml);
        std::fs::write(self.config(), &*toml).expect("a configuration");
    }

    /// Now.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// A client for everything that is asked over HTTP.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Starts `instep serve` with these arguments, and waits until it is ready.
    pub async fn serve(&self, args: &[&str]) -> Serving {
        self.serve_with(args, &[]).await
    }

    /// The same with something in its environment.
    pub async fn serve_with(&self, args: &[&str], env: &[(&str, &str)]) -> Serving {
        self.serve_under(&[], args, env).await
    }

    /// The same under another program that becomes it: `env --ignore-signal=XFSZ`.
    pub async fn serve_under(
        &self,
        program: &[&str],
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Serving {
        let log = {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            let log = self.folder.path().join(format!("serve-{}.log", logs.len()));
            logs.push(log.clone());
            log
        };
        let mut command = Serving::command(program);
        command.arg("serve").args(args).env("INSTEP_CONFIG", self.config());
        command.envs(env.iter().copied());
        let mut serving = Serving::start(command, log, self.clock.clone());
        serving.wait_until_ready(&self.http).await;
        serving
    }

    /// Starts one that does everything, and lets HR send its webhooks there.
    pub async fn open(&self) -> Serving {
        let serving = self.serve(&[]).await;
        self.hook_to(&serving);
        serving
    }

    /// HR sends its webhooks there from now on.
    pub fn hook_to(&self, serving: &Serving) {
        self.sandbox.send_webhooks_to(serving.url("/webhooks/bob"));
    }

    /// Runs one command of the binary.
    pub async fn cli(&self, args: &[&str]) -> Output {
        let mut command = Command::new(INSTEP);
        command.args(args).env("INSTEP_CONFIG", self.config()).env_remove("INSTEP_LOG");
        command.stdin(Stdio::null()).kill_on_drop(true);
        tokio::time::timeout(PATIENCE, command.output())
            .await
            .unwrap_or_else(|_| panic!("instep {args:?} does not end"))
            .expect("the binary runs")
    }

    /// What a command prints; it must end well.
    pub async fn told(&self, args: &[&str]) -> String {
        let output = self.cli(args).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "instep {args:?}: {:?}\n{error}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// Posts this body as a webhook; answers with the status.
    pub async fn webhook(&self, serving: &Serving, body: &[u8], signature: &str) -> u16 {
        let request = self.http.post(serving.url("/webhooks/bob")).body(body.to_vec());
        let request = request.header("content-type", "application/json");
        let answer = request.header("bob-signature", signature).send().await;
        answer.expect("an answer").status().as_u16()
    }

    /// The right signature of a body.
    pub fn sign(&self, body: &[u8]) -> String {
        sign(&self.sandbox.credentials().webhook_secret, body)
    }

    /// What HR would post about someone.
    pub fn event(&self, kind: &str, employee: &str) -> Vec<u8> {
        let body = json!({
            "companyId": 990_017, "type": kind, "triggeredBy": "1", "version": "v2",
            "triggeredAt": self.now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            "data": {"employeeId": employee},
        });
        serde_json::to_vec(&body).expect("JSON")
    }

    /// Tells HiBob's double something: `/_sandbox/faults`.
    pub async fn hr(&self, path: &str, body: Value) -> Value {
        self.control(format!("{}{path}", self.sandbox.hibob_url()), body).await
    }

    /// Tells 360Learning's double something: `/_sandbox/accounts`.
    pub async fn lms(&self, path: &str, body: Value) -> Value {
        self.control(format!("{}{path}", self.sandbox.lms_url()), body).await
    }

    async fn control(&self, url: String, body: Value) -> Value {
        let answer = self.http.post(&url).json(&body).send().await.expect("the sandbox answers");
        let status = answer.status();
        let said: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{url} {body}: {said}");
        said
    }

    /// Calls 360Learning's API as another integration would: `POST`, `/custom-fields`.
    pub async fn lms_api(&self, method: &str, path: &str, body: Value) -> Value {
        let (url, known) = (self.sandbox.lms_url(), self.sandbox.credentials());
        let (id, secret) = (&known.client_id, &known.client_secret);
        let grant = json!({"grant_type": "client_credentials", "client_id": id,
            "client_secret": secret});
        let token = self.http.post(format!("{url}/api/v2/oauth2/token")).json(&grant).send().await;
        let token: Value = token.expect("the sandbox answers").json().await.expect("JSON");
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("{url}/api/v2{path}")).json(&body);
        let request = request.header("360-api-version", "v2.0");
        let request = request.bearer_auth(token["access_token"].as_str().expect("a token"));
        let answer = request.send().await.expect("the sandbox answers");
        let status = answer.status();
        let said: Value = answer.json().await.unwrap_or_default();
        assert!(status.is_success(), "{path}: {status} {said}");
        said
    }

    /// The LMS's groups.
    pub async fn lms_groups(&self) -> Vec<Value> {
        let url = format!("{}/_sandbox/state", self.sandbox.lms_url());
        let answer = self.http.get(url).send().await.expect("the sandbox answers");
        let state: Value = answer.json().await.expect("JSON");
        state["groups"].as_array().cloned().unwrap_or_default()
    }

    /// How often HiBob's double was called, by endpoint.
    pub async fn hr_calls(&self) -> Calls {
        self.calls(self.sandbox.hibob_url()).await
    }

    /// How often 360Learning's double was called, by endpoint.
    pub async fn lms_calls(&self) -> Calls {
        self.calls(self.sandbox.lms_url()).await
    }

    async fn calls(&self, url: String) -> Calls {
        let answer = self.http.get(format!("{url}/_sandbox/stats")).send().await;
        let stats: Value = answer.expect("the sandbox answers").json().await.expect("JSON");
        Calls(stats["calls"].clone())
    }

    /// HR changes someone's record.
    pub fn change(&self, id: &str, merge: Value) -> Changed {
        let id = Some(id.to_owned());
        self.sandbox.change(&Change { id, merge, ..Change::default() }).expect("a change")
    }

    /// HR hires someone; answers with the id.
    pub fn hire(&self, merge: Value) -> String {
        self.sandbox.change(&Change { merge, ..Change::default() }).expect("a hire").id
    }

    /// HR removes someone altogether.
    pub fn delete(&self, id: &str) {
        let id = Some(id.to_owned());
        self.sandbox.change(&Change { id, delete: true, ..Change::default() }).expect("a deletion");
    }

    /// HR sends an event about someone in whom nothing changed.
    pub fn nudge(&self, id: &str) {
        let (id, send) = (Some(id.to_owned()), vec!["employee.updated".to_owned()]);
        self.sandbox.change(&Change { id, send, ..Change::default() }).expect("a nudge");
    }

    /// Someone's record in full.
    pub fn person(&self, id: &str) -> Value {
        let people = self.sandbox.people();
        people.into_iter().find(|person| person["id"] == id).unwrap_or_default()
    }

    /// The ids of those who should have an account, in the order of their arrival.
    pub fn actives(&self) -> Vec<String> {
        let people = self.sandbox.people();
        let active = people.iter().filter(|person| step::is_active(person));
        active.filter_map(|person| Some(person["id"].as_str()?.to_owned())).collect()
    }

    /// The accounts that bear someone's id.
    pub fn accounts_of(&self, id: &str) -> Vec<Value> {
        let bears = |account: &Value| step::external_ids(account).any(|value| value == id);
        self.sandbox.accounts().into_iter().filter(bears).collect()
    }

    /// The one account that bears someone's id; null when there is none.
    pub fn account_of(&self, id: &str) -> Value {
        let mut accounts = self.accounts_of(id);
        assert!(accounts.len() < 2, "{id} has {} accounts: {accounts:#?}", accounts.len());
        accounts.pop().unwrap_or_default()
    }

    /// An administrator makes or edits an account by hand; answers with it.
    pub async fn by_hand(&self, edit: Value) -> Value {
        self.lms("/_sandbox/accounts", edit).await
    }

    /// The town's store, to look at beside those that serve.
    pub async fn store(&self) -> &Arc<dyn Store> {
        let open = async || {
            let loaded = config::parse(&self.config(), &self.toml(), &|_| None).expect("in order");
            let store = open_store(&loaded.settings.store, Purpose::Looking, &self.clock).await;
            store.expect("the store")
        };
        self.store.get_or_init(open).await
    }

    /// How much the store has; nothing while it is away.
    pub async fn depth(&self) -> Option<Depth> {
        self.store().await.depth().await.ok()
    }

    /// Deliveries that fit, newest first.
    pub async fn deliveries(&self, filter: &Filter) -> Vec<Delivery> {
        self.store().await.deliveries(filter, 100_000).await.expect("deliveries")
    }

    /// Someone's deliveries, newest first.
    pub async fn deliveries_of(&self, id: &str) -> Vec<Delivery> {
        let filter = Filter { employee: Some(id.to_owned()), ..Filter::default() };
        self.deliveries(&filter).await
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// When it does not become so in time, with everything that could tell why.
    pub async fn until(&self, what: &str, is_so: impl AsyncFnMut() -> bool) {
        self.until_within(PATIENCE, what, is_so).await;
    }

    /// The same for what takes its time.
    ///
    /// # Panics
    /// When it does not become so in time.
    pub async fn until_within(
        &self,
        patience: Duration,
        what: &str,
        mut is_so: impl AsyncFnMut() -> bool,
    ) {
        let patience = Deadline::after(patience);
        while !is_so().await {
            let late = patience.left().is_zero();
            assert!(!late, "waited too long until {what}\n{}", self.report().await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until every webhook is acknowledged and no delivery waits.
    pub async fn at_rest(&self) {
        self.until("nothing waits", async || self.rests().await).await;
    }

    async fn rests(&self) -> bool {
        self.sandbox.webhooks().waiting == 0
            && self.depth().await.is_some_and(|depth| depth.waiting == 0 && depth.leased == 0)
    }

    /// Waits until nothing waits and the LMS equals HR for everyone in scope.
    pub async fn in_step(&self) {
        self.in_step_within(PATIENCE).await;
    }

    /// The same for what takes its time.
    pub async fn in_step_within(&self, patience: Duration) {
        let is_so = async || self.rests().await && self.differing().is_empty();
        self.until_within(patience, "HR and LMS are in step", is_so).await;
    }

    /// Waits until the LMS equals HR for everyone in scope, whatever still waits.
    pub async fn equal(&self) {
        self.until("the LMS equals HR", async || self.differing().is_empty()).await;
    }

    /// Who differs, and how.
    pub fn differing(&self) -> Vec<Differing> {
        step::differing(&self.sandbox.people(), &self.sandbox.accounts())
    }

    /// Everything that was logged so far, by all.
    pub fn logged(&self) -> String {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.iter().map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect()
    }

    /// What could tell why something did not happen.
    pub async fn report(&self) -> String {
        let store = self.store().await;
        let mut report = format!("webhooks: {:?}", self.sandbox.webhooks());
        let _ =
            write!(report, "\ndepth: {:?}\nholds: {:?}", self.depth().await, store.holds().await);
        let differing = self.differing();
        for person in differing.iter().take(10) {
            let _ = write!(report, "\n{person}");
        }
        let _ = write!(report, "\n{} differ", differing.len());
        let listed = store.deliveries(&Filter::default(), 30).await;
        for delivery in listed.unwrap_or_default() {
            let last = delivery.history.last().map(|attempt| attempt.outcome.as_str());
            let Delivery { id, kind, employee, state, reason, .. } = &delivery;
            let _ = write!(report, "\n{id} {kind} {employee:?} {state:?} {reason:?} last {last:?}");
        }
        let logged = self.logged();
        let lines: Vec<&str> = logged.lines().collect();
        let tail = lines.len().saturating_sub(60);
        report + "\nlog:\n" + &lines[tail..].join("\n")
    }
}

/// How often each endpoint of a double was called.
#[derive(Clone, Debug)]
pub struct Calls(Value);

impl Calls {
    /// How often this one was: `POST /v1/people/search`.
    pub fn of(&self, endpoint: &str) -> u64 {
        self.0[endpoint].as_u64().unwrap_or(0)
    }

    /// How often those were that begin so: `GET `.
    pub fn beginning(&self, start: &str) -> u64 {
        let all = self.0.as_object().into_iter().flatten();
        all.filter(|(name, _)| name.starts_with(start)).filter_map(|(_, n)| n.as_u64()).sum()
    }

    /// Writes to accounts and what belongs to them; a token is none.
    pub fn writes(&self) -> u64 {
        let all = ["POST /api", "PUT /api", "PATCH /api", "DELETE /api"];
        all.iter().map(|start| self.beginning(start)).sum()
    }

    /// Reads.
    pub fn reads(&self) -> u64 {
        self.beginning("GET ")
    }
}

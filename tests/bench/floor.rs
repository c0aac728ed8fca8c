//! The floors: the least that any program would have to do, measured beside ours.
//!
//! The bare receiver and the bare caller run as child processes, as the program does, so that both
//! have the machine to themselves in the same way.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::serve::ListenerExt;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha512;
use tokio::task::JoinSet;

const RECEIVER: &str = "--floor-receiver";
const CALLER: &str = "--floor-caller";

/// How long commits are counted.
const COMMITTING: Duration = Duration::from_secs(2);

/// Whether the argument asks for one of the floors that are processes of their own.
pub fn is_child(argument: &str) -> bool {
    [RECEIVER, CALLER].contains(&argument)
}

/// Runs that floor.
///
/// # Errors
/// When it does not work.
#[tokio::main]
pub async fn child(which: &str, arguments: &[String]) -> anyhow::Result<()> {
    match (which, arguments) {
        (RECEIVER, [redis, secret]) => receive(redis, secret).await,
        (CALLER, []) => call().await,
        _ => bail!("wrong arguments"),
    }
}

/// A bare receiver: HTTP, signature, one write.
pub struct Receiver {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Receiver {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(redis: &str, secret: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([RECEIVER, redis, secret])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().parse()? })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone)]
struct Bare {
    keyed: Hmac<Sha512>,
    redis: MultiplexedConnection,
}

async fn receive(redis: &str, secret: &str) -> anyhow::Result<()> {
    let redis = redis::Client::open(redis)?.get_multiplexed_async_connection().await?;
    let keyed = Hmac::new_from_slice(secret.as_bytes())?;
    let router =
        Router::new().route("/webhooks/{source}", post(take)).with_state(Bare { keyed, redis });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn take(State(mut bare): State<Bare>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("bob-signature").and_then(|value| STANDARD.decode(value).ok());
    bare.keyed.update(&body);
    if bare.keyed.verify_slice(&signature.unwrap_or_default()).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let mut command = redis::cmd("XADD");
    command.arg("events").arg("*").arg("body").arg(&body[..]);
    match command.query_async::<String>(&mut bare.redis).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// How many events a second a plain table takes with one commit for each, on the disk before the
/// next one begins.
///
/// # Errors
/// When the database cannot be written.
pub fn commits(folder: &Path) -> anyhow::Result<f64> {
    let db = rusqlite::Connection::open(folder.join("floor.db"))?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, body BLOB)", [])?;
    let body = [b'x'; 300];
    let mut insert = db.prepare("INSERT INTO event (body) VALUES (?1)")?;
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < COMMITTING {
        insert.execute([&body[..]])?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// What a bare caller is told.
#[derive(Serialize, Deserialize)]
pub struct Calls {
    /// HiBob's base URL.
    pub hibob: String,
    /// 360Learning's base URL.
    pub lms: String,
    /// HiBob's service user.
    pub user: String,
    /// Its token.
    pub token: String,
    /// 360Learning's client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The group that accounts join.
    pub group: String,
    /// Who is to have an account.
    pub people: Vec<String>,
    /// How many people are created at once.
    pub concurrency: usize,
}

/// Lets a bare caller make the calls that a drain needs; says how long it took.
///
/// # Errors
/// When a call fails.
pub fn calls(calls: &Calls) -> anyhow::Result<Duration> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(CALLER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("piped")?;
    input.write_all(&serde_json::to_vec(calls)?)?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the bare caller failed");
    let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    Ok(Duration::from_secs_f64(seconds))
}

/// A client that knows both doubles.
struct Caller {
    http: reqwest::Client,
    told: Calls,
    bearer: String,
}

async fn call() -> anyhow::Result<()> {
    let told: Calls = serde_json::from_reader(std::io::stdin())?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let began = Instant::now();
    let ask = json!({
        "grant_type": "client_credentials",
        "client_id": told.client_id, "client_secret": told.client_secret,
    });
    let url = format!("{}/api/v2/oauth2/token", told.lms);
    let token: Value = http.post(url).json(&ask).send().await?.json().await?;
    let bearer = token["access_token"].as_str().context("a token")?.to_owned();
    let caller = Arc::new(Caller { http, told, bearer });
    let slots = Arc::new(tokio::sync::Semaphore::new(caller.told.concurrency));
    let mut creating = JoinSet::new();
    for people in caller.told.people.chunks(100) {
        for person in caller.read(people).await? {
            let (caller, slot) = (Arc::clone(&caller), Arc::clone(&slots).acquire_owned().await?);
            creating.spawn(async move {
                let created = caller.create(&person).await;
                drop(slot);
                created
            });
        }
    }
    while let Some(created) = creating.join_next().await {
        created??;
    }
    println!("{}", began.elapsed().as_secs_f64());
    Ok(())
}

impl Caller {
    /// The calls for a hundred people: one search, and who has an account already.
    async fn read(&self, people: &[String]) -> anyhow::Result<Vec<Value>> {
        let fields = [
            "root.id",
            "root.email",
            "root.firstName",
            "root.surname",
            "work.title",
            "work.department",
            "work.workMobile",
            "work.site",
        ];
        let search = json!({
            "fields": fields, "showInactive": true, "humanReadable": "APPEND",
            "filters": [{"fieldPath": "root.id", "operator": "equals", "values": people}],
        });
        let request = self
            .http
            .post(format!("{}/v1/people/search", self.told.hibob))
            .basic_auth(&self.told.user, Some(&self.told.token))
            .json(&search);
        let mut found: Value = request.send().await?.error_for_status()?.json().await?;
        let Value::Array(records) = found["employees"].take() else { bail!("no employees") };
        for half in records.chunks(50) {
            let ids = half.iter().filter_map(|record| record["id"].as_str());
            let query: Vec<_> = [("platform[eq]", "instep-bob"), ("type[eq]", "user")]
                .into_iter()
                .chain(ids.map(|id| ("value[in][]", id)))
                .collect();
            self.list("external-ids", &query).await?;
            let mails = half.iter().filter_map(|record| record["email"].as_str());
            let mut query: Vec<_> = mails.map(|mail| ("mail[in][]", mail)).collect();
            self.list("users", &query).await?;
            query.push(("status[eq]", "deleted"));
            self.list("users", &query).await?;
        }
        Ok(records)
    }

    async fn list(&self, what: &str, query: &[(&str, &str)]) -> anyhow::Result<()> {
        let request = self.lms(reqwest::Method::GET, what).query(query);
        let _: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(())
    }

    /// The calls for one person: create, activate, external id.
    async fn create(&self, record: &Value) -> anyhow::Result<()> {
        use reqwest::Method;
        let user = json!({
            "mail": record["email"], "firstName": record["firstName"],
            "lastName": record["surname"], "lang": "en",
            "membership": {"groupId": self.told.group, "role": "learner"},
        });
        let request = self.lms(Method::POST, "users?sendInvitationEmail=false").json(&user);
        let made: Value = request.send().await?.error_for_status()?.json().await?;
        let id = made["_id"].as_str().context("an id")?;
        let activate = self.lms(Method::PUT, &format!("users/{id}/activate"));
        let _: Value = activate.send().await?.error_for_status()?.json().await?;
        let mapping = json!({
            "platform": "instep-bob", "targetType": "user", "targetId": id, "value": record["id"],
        });
        let request = self.lms(Method::POST, "external-ids").json(&mapping);
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }

    fn lms(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/api/v2/{path}", self.told.lms))
            .bearer_auth(&self.bearer)
            .header("360-api-version", "v2.0")
    }
}

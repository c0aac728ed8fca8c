//! Instep with a console, and a browser that keeps its cookies.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use instep::access::password;
use instep::app::{Desk, Instep, Roles};
use instep::clock::Clock;
use instep::config::{self, Settings};
use instep::model::{Access, Actor, AuditEntry, Verb};
use instep::store::Store;
use instep::store::sqlite::SqliteStore;
use reqwest::{Method, StatusCode};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub const PASSWORD: &str = "three words and a half";

/// The configuration; `PUBLIC` stands for where it will be.
pub const SETTINGS: &str = r#"[server]
listen = "127.0.0.1:0"
shutdown_seconds = 2
public_url = "PUBLIC"
[console]
local_accounts = true
trusted_proxies = ["127.0.0.1"]
[source.bob]
type = "hibob"
base_url = "http://127.0.0.1:9"
service_user = "SERVICE-1234"
token = "token"
webhook_secrets = ["hook"]
[target]
type = "360learning"
base_url = "http://127.0.0.1:9"
client_id = "an-id"
client_secret = "secret"
default_group = "507f1f77bcf86cd799439011"
[rules]
in_scope = "true"
active = "true"
fields.email = "root.email"
"#;

/// What a configuration says.
pub fn settings(text: &str) -> Settings {
    let read = config::parse(Path::new("instep.toml"), text, &|_| None);
    read.unwrap_or_else(|failed| panic!("{:?}", failed.problems)).settings
}

/// One process with a console, on a clock that is moved by hand.
pub struct House {
    pub url: String,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub desk: Desk,
    stop: CancellationToken,
    _folder: TempDir,
}

impl House {
    pub async fn open() -> Self {
        Self::with(|_, _| {}, false).await
    }

    /// With a configuration that is adjusted (it is told where it will be), and open to all or not.
    pub async fn with(adjust: impl FnOnce(&mut String, &str), open: bool) -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = Clock::manual(Clock::system().now());
        let store = SqliteStore::open(&folder.path().join("instep.db"), clock.clone());
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut text = SETTINGS.replace("PUBLIC", &url);
        adjust(&mut text, &url);
        let desk = Desk::new(Arc::new(settings(&text)), store.clone(), clock.clone());
        let mut instep =
            Instep::build(settings(&text), store.clone(), clock.clone()).expect("built");
        if open {
            instep = instep.open_to_all();
        }
        let stop = CancellationToken::new();
        let roles = Roles { receiver: true, worker: false, scheduler: false };
        tokio::spawn(instep.serve(listener, roles, stop.clone()));
        Self { url, store, clock, desk, stop, _folder: folder }
    }

    /// A user with the password [`PASSWORD`].
    pub async fn user(&self, name: &str, access: Access) {
        let proof = password::hash(PASSWORD).expect("a hash");
        let verb = Verb::SaveUser { name: name.to_owned(), access, password: Some(proof) };
        self.act(verb).await;
    }

    pub async fn act(&self, verb: Verb) {
        let actor = Actor::at_the_command_line("root");
        self.desk.act(&actor, verb).await.expect("done");
    }

    /// The audit log of signing in and out, the oldest first.
    pub async fn audit(&self) -> Vec<AuditEntry> {
        let mut all = self.store.audit(None, 1000).await.expect("the audit log");
        all.retain(|entry| entry.verb.starts_with("sign_") || entry.verb == "unmask");
        all.reverse();
        all
    }

    pub fn later(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    pub fn browser(&self) -> Browser {
        Browser::at(&self.url)
    }

    /// A browser in which somebody has signed in.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.sign_in(name, PASSWORD).await;
        assert_eq!((page.status, page.to.as_str()), (303, "/console"), "{}", page.body);
        browser
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer as a browser sees it.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// Where it sends the browser.
    pub to: String,
    pub body: String,
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn is_sign_in(&self) -> bool {
        self.status == 303 && self.to.starts_with("/console/sign-in")
    }
}

/// A browser for one host. It goes nowhere by itself.
pub struct Browser {
    pub url: String,
    pub cookies: BTreeMap<String, String>,
    /// Sent with everything.
    pub headers: Vec<(String, String)>,
    http: reqwest::Client,
}

impl Browser {
    pub fn at(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(45))
            .build();
        let (url, http) = (url.to_owned(), http.expect("a client"));
        Self { url, cookies: BTreeMap::new(), headers: Vec::new(), http }
    }

    /// As if it came from there.
    pub fn from(mut self, address: &str) -> Self {
        self.headers.push(("X-Forwarded-For".to_owned(), address.to_owned()));
        self
    }

    pub async fn get(&mut self, place: &str) -> Page {
        self.send(Method::GET, place, None, &[]).await
    }

    pub async fn post(&mut self, place: &str, form: &str) -> Page {
        self.send(Method::POST, place, Some(form.to_owned()), &[]).await
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> Page {
        let form = [("name", name), ("password", password)];
        self.post("/console/sign-in", &encoded(&form)).await
    }

    /// Whether they see the console.
    pub async fn is_in(&mut self) -> bool {
        self.get("/console").await.status == 200
    }

    pub async fn send(
        &mut self,
        method: Method,
        place: &str,
        form: Option<String>,
        headers: &[(&str, &str)],
    ) -> Page {
        let url = if place.starts_with("http") {
            place.to_owned()
        } else {
            format!("{}{place}", self.url)
        };
        let mut request = self.http.request(method, url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        if !cookies.is_empty() {
            request = request.header("Cookie", cookies);
        }
        if let Some(form) = form {
            request =
                request.header("Content-Type", "application/x-www-form-urlencoded").body(form);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{place}");
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("plain");
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            let value = rest.split(';').next().expect("a value");
            let over = cookie.contains("Max-Age=0") || cookie.contains("Jan 1970");
            if over || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let to = headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
        let (status, to) = (status.as_u16(), to.to_owned());
        Page { status, to, headers, body: answer.text().await.expect("a body") }
    }
}

/// Pairs as a form sends them.
pub fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://x").expect("a URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

//! The receiver on a real port, and a client that can be as rude as a stranger.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use instep::clock::Clock;
use instep::http::{HttpState, Limits, router, serve};
use instep::model::{Delivery, SourceName};
use instep::store::{Filter, Store as _};
use instep::telemetry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sick::Sick;
use crate::harness::guarded::Guarded;

pub const SECRET: &str = "test-secret";

/// Long enough for the slowest machine; only reached when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver for one source, whose name no other test uses: metrics are the process's.
pub struct Front {
    pub addr: SocketAddr,
    pub store: Arc<Guarded<Sick>>,
    pub source: SourceName,
    pub wake: Arc<Notify>,
    /// Stops the server.
    pub stop: CancellationToken,
    /// Makes it unready.
    pub unready: CancellationToken,
    pub served: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Front {
    /// With default limits and one secret.
    pub async fn open(source: &str) -> Self {
        Self::with(source, Limits::default(), &[SECRET], Duration::from_secs(20)).await
    }

    pub async fn limited(source: &str, limits: Limits) -> Self {
        Self::with(source, limits, &[SECRET], Duration::from_secs(20)).await
    }

    pub async fn with(source: &str, limits: Limits, secrets: &[&str], deadline: Duration) -> Self {
        let (store, folder) = super::store();
        let store = Arc::new(Sick::of(store));
        let source = SourceName::new(source);
        let (stop, unready) = (CancellationToken::new(), CancellationToken::new());
        let wake = Arc::new(Notify::new());
        let secrets: Vec<_> = secrets.iter().map(|&secret| secret.into()).collect();
        let recorder = telemetry::metrics().expect("a recorder");
        let state =
            HttpState::new(store.clone(), Clock::system(), recorder, unready.clone(), limits)
                .source(&source, &secrets, Some("636192"), wake.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let served = tokio::spawn(serve(listener, router(state), limits, stop.clone(), deadline));
        Self { addr, store, source, wake, stop, unready, served, _folder: folder }
    }

    /// Sends a webhook with its signature.
    pub async fn webhook(&self, body: &str) -> Answer {
        self.post(body, &[("Bob-Signature", &sign(SECRET, body))]).await
    }

    pub async fn post(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        let path = format!("/webhooks/{}", self.source);
        self.ask(&request("POST", &path, headers, body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&request("GET", path, &[], "")).await
    }

    /// Sends bytes and reads the answer to its end.
    pub async fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        Answer::read(&mut stream).await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("a connection")
    }

    pub async fn deliveries(&self) -> Vec<Delivery> {
        self.store.deliveries(&Filter::default(), 500).await.expect("deliveries")
    }

    /// How often this source's webhooks ended so.
    pub async fn counted(&self, outcome: &str) -> u64 {
        let text = self.get("/metrics").await.body;
        let line =
            format!(r#"instep_webhooks_total{{source="{}",outcome="{outcome}"}} "#, self.source);
        let count = text.lines().find_map(|at| at.strip_prefix(&line));
        count.map_or(0, |count| count.parse().expect("a number"))
    }
}

/// An answer, as it stood on the wire.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Reads until the far end closes.
    pub async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A server that refuses a body closes while we still send: what came before counts.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes))
            .await
            .expect("the connection is closed in time");
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(of, _)| *of == name))
            .map(|(_, value)| value)
    }
}

/// A request that asks for the connection to be closed after it.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: instep\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if method != "GET" && !headers.iter().any(|(name, _)| *name == "Transfer-Encoding") {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

/// What `HiBob` puts into `Bob-Signature`.
pub fn sign(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(body.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A change of one person, as `HiBob` writes it.
pub fn changed(employee: &str) -> String {
    format!(
        r#"{{"companyId":636192,"type":"employee.updated","data":{{"employeeId":"{employee}"}}}}"#
    )
}

/// Waits until something is so.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let wait = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

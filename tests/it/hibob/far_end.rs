//! A far end that follows a script byte for byte.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use instep::clock::Deadline;
use instep::config::{Expression, HiBobSettings, RuleSettings};
use instep::model::SourceName;
use instep::sources::hibob::client::HiBob;
use instep::store::budget::Budget;
use instep::store::{Rate, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::budgets::OnlyBudgets;

/// What the far end does with a request.
pub enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes and then nothing more, for ever.
    Stall(Vec<u8>),
}

/// An answer with this status line, header lines and body.
pub fn reply(status: &str, headers: &[&str], body: &str) -> Reply {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    Reply::Bytes(format!("{head}connection: close\r\n\r\n{body}").into_bytes())
}

/// A 200 of type `application/json`.
pub fn json(body: &str) -> Reply {
    reply("200 OK", &["content-type: application/json"], body)
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and headers, in lower case but for their values.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// A far end on loopback.
pub struct FarEnd {
    pub base_url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FarEnd {
    /// Answers one request with each reply, in order; further ones find the door shut.
    pub async fn follow(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut stalled = Vec::new();
            for reply in VecDeque::from(script) {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let request = receive(&mut socket).await;
                seen.lock().expect("not poisoned").push(request);
                match reply {
                    Reply::Bytes(bytes) => {
                        let _ = socket.write_all(&bytes).await;
                        let _ = socket.shutdown().await;
                    }
                    Reply::Stall(bytes) => {
                        let _ = socket.write_all(&bytes).await;
                        stalled.push(socket);
                    }
                }
            }
            drop(listener);
            std::future::pending::<()>().await;
        });
        Self { base_url: format!("http://{address}/v1"), requests }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

async fn receive(socket: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let read = socket.read_buf(&mut bytes).await.expect("a request");
        assert!(read > 0, "the request broke off");
    };
    let text = String::from_utf8(bytes[..head].to_vec()).expect("a head");
    let length = text
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    while bytes.len() < head + length {
        socket.read_buf(&mut bytes).await.expect("a body");
    }
    Request { head: text, body: bytes[head..].to_vec() }
}

/// The settings of a source at `base_url`.
pub fn settings(base_url: &str) -> HiBobSettings {
    let expression = |text: &str| Expression { key: "x".into(), text: text.into(), at: 0 };
    let rules = RuleSettings::of(expression("true"), expression("true"), expression("root.id"));
    HiBobSettings {
        rules,
        base_url: base_url.to_owned(),
        service_user: "SERVICE-1234".to_owned(),
        token_expires: None,
        token: "t0ken".to_owned().into(),
        webhook_secrets: Vec::new(),
        company_id: None,
        searches_per_minute: 50,
        people_per_search: 100,
        timeout: Duration::from_secs(20),
    }
}

/// A client for `settings`, and the store whose budget it uses.
pub fn client(settings: &HiBobSettings, fields: &[&str]) -> (HiBob, Arc<OnlyBudgets>) {
    let store = Arc::new(OnlyBudgets::default());
    let rate = Rate { calls: 50, per: Duration::from_secs(60), burst: 10 };
    let shared: Arc<dyn Store> = Arc::<OnlyBudgets>::clone(&store);
    let budget = Budget::new(shared, "hibob searches", rate, Duration::ZERO);
    let fields = fields.iter().map(|&field| field.to_owned()).collect();
    let hibob = HiBob::new(SourceName::new("bob"), settings, fields, Arc::new(budget));
    (hibob.expect("settings that work"), store)
}

/// Time enough for any call of a test.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

//! Traces, as a collector gets them: the protobuf is read here by its field numbers, with nothing of
//! Instep's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Router, serve};
use instep::sandbox::Options;
use serde_json::json;
use tokio::net::TcpListener;

use crate::harness::town::{Kept, Town};

/// What a field of a message holds.
#[derive(Clone, Debug)]
enum Held<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message, in their order: what every protobuf is made of.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Held<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in 0..10 {
            let (byte, rest) = bytes.split_first().expect("a whole number");
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << (7 * shift);
            if byte & 0x80 == 0 {
                return number;
            }
        }
        panic!("a number without an end")
    }
    fn taken<'b>(bytes: &mut &'b [u8], many: usize) -> &'b [u8] {
        let (taken, rest) = bytes.split_at(many);
        *bytes = rest;
        taken
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let held = match key & 7 {
            0 => Held::Number(varint(&mut bytes)),
            1 => {
                let fixed = taken(&mut bytes, 8).try_into().expect("eight bytes");
                Held::Number(u64::from_le_bytes(fixed))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a length");
                Held::Bytes(taken(&mut bytes, length))
            }
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, held));
    }
    found
}

/// All fields of this number that hold bytes.
fn all(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let is = |(at, held)| match held {
        Held::Bytes(bytes) if at == number => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(is).collect()
}

fn number(bytes: &[u8], number: u64) -> u64 {
    let is = |(at, held)| match held {
        Held::Number(found) if at == number => Some(found),
        _ => None,
    };
    fields(bytes).into_iter().find_map(is).unwrap_or(0)
}

fn text(bytes: &[u8], number: u64) -> String {
    let found = all(bytes, number).first().copied().unwrap_or_default();
    String::from_utf8(found.to_vec()).expect("text")
}

fn hex(bytes: &[u8]) -> String {
    let add = |mut text: String, byte: &u8| {
        let _ = write!(text, "{byte:02x}");
        text
    };
    bytes.iter().fold(String::new(), add)
}

/// A span as the collector knows it.
#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    began: u64,
    ended: u64,
    attributes: BTreeMap<String, String>,
    /// The traces and spans that it is linked with.
    links: Vec<(String, String)>,
}

fn attributes(rows: Vec<&[u8]>) -> BTreeMap<String, String> {
    let one = |row| {
        let value = all(row, 2).first().copied().unwrap_or_default();
        (text(row, 1), text(value, 1))
    };
    rows.into_iter().map(one).collect()
}

fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource in all(request, 1) {
        let origin = attributes(all(all(resource, 1)[0], 1));
        assert_eq!(origin["service.name"], "instep");
        for scope in all(resource, 2) {
            for span in all(scope, 2) {
                let id = |bytes: &[u8], at| hex(all(bytes, at).first().copied().unwrap_or(&[]));
                let links = all(span, 13).into_iter().map(|link| (id(link, 1), id(link, 2)));
                spans.push(Span {
                    trace: id(span, 1),
                    id: id(span, 2),
                    parent: id(span, 4),
                    name: text(span, 5),
                    kind: number(span, 6),
                    began: number(span, 7),
                    ended: number(span, 8),
                    attributes: attributes(all(span, 9)),
                    links: links.collect(),
                });
            }
        }
    }
    spans
}

/// A collector that keeps what it gets.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<Vec<Bytes>>>);

impl Collector {
    /// Begins to listen; gives its address.
    pub(crate) async fn open(&self) -> String {
        async fn take(
            State(collector): State<Collector>,
            headers: HeaderMap,
            body: Bytes,
        ) -> StatusCode {
            let is_known = headers.get("x-key").is_some_and(|key| key == "collector-hunter2");
            if !is_known || headers["content-type"] != "application/x-protobuf" {
                return StatusCode::UNAUTHORIZED;
            }
            collector.0.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            StatusCode::OK
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
        tokio::spawn(async move { serve(listener, router).await });
        format!("http://{address}")
    }

    /// What came, byte for byte.
    pub(crate) fn requests(&self) -> Vec<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spans(&self) -> Vec<Span> {
        self.requests().iter().flat_map(|request| spans(request)).collect()
    }

    /// How many spans of a delivery's trace came.
    pub(crate) fn count_of(&self, delivery: &str) -> usize {
        self.of(delivery).len()
    }

    /// The spans of a delivery's trace.
    fn of(&self, delivery: &str) -> Vec<Span> {
        let trace = delivery.replace('-', "");
        self.spans().into_iter().filter(|span| span.trace == trace).collect()
    }
}

/// The configuration of who sends traces there.
pub(crate) fn table(endpoint: &str) -> String {
    format!(
        "[telemetry]\notlp_endpoint = \"{endpoint}\"\notlp_headers = \"x-key=collector-hunter2\"\n"
    )
}

async fn town(kept: Kept, endpoint: &str) -> Town {
    let platform = Some("instep-bob".to_owned());
    let options = Options { people: 12, in_step: true, platform, ..Options::default() };
    let table = table(endpoint);
    let town = Town::new(options, kept, |toml| toml.push_str(&table)).await;
    town.sandbox.limit(false);
    town
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("{name} is not among {spans:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_one_trace_from_the_webhook_to_the_lms() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let collector = Collector::default();
        let town = town(kept, &collector.open().await).await;
        let serving = town.open().await;
        let person = town.actives()[0].clone();
        town.change(&person, json!({"surname": "Quillfeather"}));
        town.in_step().await;
        let delivery = town.deliveries_of(&person).await.remove(0);
        // What has not been sent yet is sent before it ends.
        serving.terminate().await;
        let spans = collector.of(delivery.id.as_str());

        let webhook = named(&spans, "webhook");
        assert_eq!((webhook.parent.as_str(), webhook.kind), ("", 2), "{webhook:#?}");
        assert_eq!(webhook.attributes["outcome"], "accepted");
        assert_eq!(webhook.attributes["delivery"], delivery.id.as_str());
        let applied: Vec<&Span> = spans.iter().filter(|span| span.name == "attempt").collect();
        let (write, attempt) = applied
            .iter()
            .find_map(|attempt| {
                let is_write = |span: &&Span| {
                    span.parent == attempt.id && span.name == "360learning PATCH /users/{userId}"
                };
                Some((spans.iter().find(is_write)?, attempt))
            })
            .unwrap_or_else(|| panic!("no write: {spans:#?}"));
        assert_eq!((write.kind, attempt.parent.as_str()), (3, webhook.id.as_str()));
        let below = |parent: &Span, name: &str| {
            let found = spans.iter().find(|span| span.parent == parent.id && span.name == name);
            found
                .unwrap_or_else(|| panic!("{name} is not below {}: {spans:#?}", parent.name))
                .clone()
        };
        below(webhook, "accept");
        let read = below(attempt, "read");
        assert_eq!(below(&read, "hibob people/search").kind, 3);
        below(attempt, "decide");
        below(attempt, "settle");
        let begun: BTreeMap<&str, &Span> = spans.iter().map(|span| (&*span.id, span)).collect();
        assert_eq!(begun.len(), spans.len(), "each id is one span's: {spans:#?}");
        for span in &spans {
            assert!(span.began > 0 && span.began <= span.ended, "{span:#?}");
            assert!(span.parent.is_empty() || begun.contains_key(&*span.parent), "{span:#?}");
        }

        let told = collector.requests().concat();
        let told = String::from_utf8_lossy(&told);
        let record = town.person(&person);
        let mail = record["email"].as_str().expect("a mail");
        for hidden in ["Quillfeather", person.as_str(), mail] {
            assert!(!told.contains(hidden), "{hidden} is in a trace");
        }
        let log = town.logged();
        assert!(!log.contains("collector-hunter2") && !log.contains("instep::trace"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_are_settled_together_are_linked_both_ways() {
    let collector = Collector::default();
    let town = town(Kept::Redis, &collector.open().await).await;
    let receiver = town.serve(&["--role", "receiver"]).await;
    let person = town.actives()[0].clone();
    for _ in 0..3 {
        let body = town.event("employee.updated", &person);
        assert_eq!(town.webhook(&receiver, &body, &town.sign(&body)).await, 200);
    }
    let worker = town.serve(&["--role", "worker,scheduler"]).await;
    town.at_rest().await;
    let mut deliveries = town.deliveries_of(&person).await;
    deliveries.reverse();
    worker.terminate().await;
    receiver.terminate().await;
    let [first, second, third] = &deliveries[..] else { panic!("three: {deliveries:#?}") };
    let spans = collector.of(first.id.as_str());
    let attempt = spans.iter().find(|span| span.name == "attempt" && span.links.len() == 2);
    let attempt = attempt.unwrap_or_else(|| panic!("no attempt for three: {spans:#?}"));
    for (other, link) in [second, third].into_iter().zip(&attempt.links) {
        let trace = collector.of(other.id.as_str());
        let webhook = named(&trace, "webhook");
        assert_eq!(*link, (webhook.trace.clone(), webhook.id.clone()));
        let settled = named(&trace, "settled together");
        let root = named(&spans, "webhook");
        assert_eq!(settled.links, [(root.trace.clone(), root.id.clone())]);
        assert_eq!(settled.parent, webhook.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_nothing_but_traces() {
    // Nobody listens there.
    let town = town(Kept::Sqlite, "http://127.0.0.1:9").await;
    let serving = town.open().await;
    town.change(&town.actives()[0], json!({"surname": "Quillfeather"}));
    town.in_step().await;
    let (status, _) = serving.terminate().await;
    assert!(status.success(), "{status}\n{}", town.logged());
}

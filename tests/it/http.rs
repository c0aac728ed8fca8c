//! What comes in by HTTP, over real connections: each answer, each limit, and how it stops.

mod front;
mod sick;
mod signatures;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use instep::clock::Clock;
use instep::http::{Limits, webhooks};
use instep::model::{DeliveryState, EmployeeId};
use instep::store::sqlite::SqliteStore;
use instep::store::{Hold, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use front::{Answer, Front, SECRET, changed, request, sign, until};

fn store() -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("instep.db"), Clock::system());
    (Arc::new(store.expect("a store")), folder)
}

const EMPLOYEE: &str = "3332883894235038421";

#[tokio::test]
async fn every_request_gets_the_answer_it_deserves() {
    let limits = Limits { body: 4096, ..Limits::default() };
    let front = Front::limited("answers", limits).await;
    let good = changed(EMPLOYEE);
    let other_company = good.replace("636192", "1");
    let unknown_type = good.replace("employee.updated", "task.created");
    let nameless = r#"{"companyId":636192,"type":"employee.updated","data":{}}"#.to_owned();
    let large = changed(&"1".repeat(5000));
    let not_json = "{\"secret name\": Zoë".to_owned();
    let signed = |body: &str| sign(SECRET, body);
    let wrong = sign("another secret", &good);

    // The body, its signature, its content type; the status, and how it is counted.
    let none = String::new;
    let cases: [(&str, &String, String, &str, u16, &str); 19] = [
        ("a change", &good, signed(&good), "application/json", 200, "accepted"),
        ("the same bytes", &good, signed(&good), "application/json", 200, "repeat"),
        ("another company", &other_company, signed(&other_company), "", 200, "ignored"),
        ("unknown type", &unknown_type, signed(&unknown_type), "text/plain", 200, "ignored"),
        ("nobody named", &nameless, signed(&nameless), "", 200, "ignored"),
        ("bare ping", &"Ping test".into(), none(), "text/plain", 200, "ping"),
        ("quoted ping", &"\"Ping test\"\n".into(), none(), "", 200, "ping"),
        ("JSON ping", &r#"{"text":"Ping test"}"#.into(), none(), "", 200, "ping"),
        ("ping, bad signature", &"Ping test".into(), wrong.clone(), "image/png", 200, "ping"),
        ("no signature", &good, none(), "application/json", 401, "bad_signature"),
        ("wrong secret", &good, wrong, "application/json", 401, "bad_signature"),
        ("not base64", &good, "%%%".into(), "application/json", 401, "bad_signature"),
        ("another body's", &good, signed(&nameless), "", 401, "bad_signature"),
        ("not even JSON, unsigned", &not_json, none(), "", 401, "bad_signature"),
        ("not JSON", &not_json, signed(&not_json), "application/json", 400, "not_json"),
        ("empty", &none(), signed(""), "", 400, "not_json"),
        ("an image", &good, signed(&good), "image/png", 415, "not_json_type"),
        ("XML", &good, signed(&good), "Application/XML; charset=utf-8", 415, "not_json_type"),
        ("too large", &large, signed(&large), "application/json", 413, "too_large"),
    ];
    for (what, body, signature, content_type, status, outcome) in &cases {
        let mut headers = vec![];
        if !signature.is_empty() {
            headers.push(("bOB-sIGNATURE", signature.as_str()));
        }
        if !content_type.is_empty() {
            headers.push(("Content-Type", *content_type));
        }
        let before = front.counted(outcome).await;
        let answer = front.post(body, &headers).await;
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
        assert_eq!(front.counted(outcome).await, before + 1, "{what} counts as {outcome}");
        if matches!(status, 200 | 401) {
            assert_eq!(answer.body, "", "{what}");
        } else {
            assert!(!answer.body.contains("Zoë") && answer.body.len() > 5, "{what}: {answer:?}");
        }
    }

    let mut states: Vec<_> =
        front.deliveries().await.iter().map(|delivery| delivery.state.word()).collect();
    states.sort_unstable();
    assert_eq!(states, ["ignored", "ignored", "ignored", "waiting"], "and nothing else is kept");
}

#[tokio::test]
async fn what_is_taken_in_is_kept_byte_for_byte_and_wakes_the_worker() {
    let front = Front::open("kept").await;
    let body = format!(" {}\n", changed(EMPLOYEE));
    assert_eq!(front.webhook(&body).await.status, 200);
    tokio::time::timeout(Duration::from_secs(20), front.wake.notified()).await.expect("woken");
    let deliveries = front.deliveries().await;
    let [delivery] = &deliveries[..] else { panic!("one delivery: {deliveries:?}") };
    assert_eq!(delivery.state, DeliveryState::Waiting);
    assert_eq!(delivery.employee.as_ref().map(EmployeeId::as_str), Some(EMPLOYEE));
    let kept = front.store.event(&delivery.event).await.expect("a store").expect("an event");
    assert_eq!(&kept.event.raw[..], body.as_bytes());
}

#[tokio::test]
async fn the_same_bytes_many_times_at_once_make_one_delivery() {
    let front = Arc::new(Front::open("at_once").await);
    let body = changed(EMPLOYEE);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (front, body) = (Arc::clone(&front), body.clone());
        senders.spawn(async move { front.webhook(&body).await.status });
    }
    assert!(senders.join_all().await.into_iter().all(|status| status == 200));
    let deliveries = front.deliveries().await;
    assert_eq!(deliveries.len(), 1);
    let kept = front.store.event(&deliveries[0].event).await.expect("a store").expect("an event");
    assert_eq!(kept.repeats, 63);
    assert_eq!((front.counted("accepted").await, front.counted("repeat").await), (1, 63));
}

#[tokio::test]
async fn either_of_two_secrets_may_sign() {
    let limits = Limits::default();
    let front = Front::with("rotation", limits, &["old", "k3y-ünï"], Duration::from_secs(20)).await;
    for (number, secret, status) in [(1, "old", 200), (2, "k3y-ünï", 200), (3, "older", 401)] {
        let body = changed(&number.to_string());
        let answer = front.post(&body, &[("Bob-Signature", &sign(secret, &body))]).await;
        assert_eq!(answer.status, status, "{secret}");
    }
}

#[tokio::test]
async fn an_unknown_source_is_not_found_and_leaves_no_trace_in_the_metrics() {
    let front = Front::open("known").await;
    for path in ["/webhooks/stranger-7d1", "/webhooks/known/more", "/webhooks", "/nothing"] {
        let answer = front.ask(&request("POST", path, &[], &changed(EMPLOYEE))).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert!(!front.get("/metrics").await.body.contains("stranger-7d1"));
}

#[tokio::test]
async fn a_webhook_is_posted_and_nothing_else() {
    let front = Front::open("methods").await;
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = front.ask(&request(method, "/webhooks/methods", &[], "")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("post")), "{method}");
    }
    let about = front.get("/").await;
    assert!(about.status == 200 && about.body.starts_with("Instep"), "{about:?}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let front = Front::limited("sizes", Limits { body: 1000, ..Limits::default() }).await;
    // Only the head is ever sent.
    let announced = "POST /webhooks/sizes HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n";
    let refused = front.ask(announced).await;
    assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
    let chunk = format!("3e8\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1000));
    let chunked = [("Transfer-Encoding", "chunked")];
    assert_eq!(front.post(&chunk, &chunked).await.status, 413);
    let exact = format!("{}{}", " ".repeat(1000 - changed("1").len()), changed("1"));
    assert_eq!(front.webhook(&exact).await.status, 200);
}

#[tokio::test]
async fn too_many_in_a_second_are_told_when_to_come_again() {
    let front =
        Front::limited("rate", Limits { webhooks_per_second: 1, ..Limits::default() }).await;
    for sent in 0..100 {
        let answer = front.webhook(&changed(&sent.to_string())).await;
        if answer.status == 429 {
            assert!(sent >= 2, "a burst of two is free");
            let wait: u64 =
                answer.header("retry-after").and_then(|s| s.parse().ok()).expect("when");
            assert!((1..=2).contains(&wait), "{wait}");
            assert_eq!(front.counted("rate_limited").await, 1);
            return;
        }
    }
    panic!("never limited");
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_nothing_is_lost_or_doubled() {
    let front = Front::open("failing").await;
    front.store.set_down(true);
    let answer = front.webhook(&changed(EMPLOYEE)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert!(!answer.body.contains("disk"), "the cause is for the log: {answer:?}");
    front.store.set_down(false);
    assert_eq!(front.counted("store_unavailable").await, 1);
    assert_eq!(front.webhook(&changed(EMPLOYEE)).await.status, 200);
    assert_eq!(front.deliveries().await.len(), 1);
}

#[tokio::test]
async fn a_store_that_takes_too_long_is_503() {
    let limits = Limits { store_time: Duration::from_millis(50), ..Limits::default() };
    let front = Front::limited("slow_store", limits).await;
    front.store.set_slow();
    let answer = front.webhook(&changed(EMPLOYEE)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
}

#[tokio::test]
async fn what_is_under_way_is_bounded() {
    let share = usize::try_from(webhooks::SHARE).expect("small");
    let limits = Limits { room: share, body: share, ..Limits::default() };
    let front = Arc::new(Front::limited("room", limits).await);
    front.store.set_slow();
    let first = tokio::spawn({
        let front = Arc::clone(&front);
        async move { front.webhook(&changed("1")).await.status }
    });
    until("the first is under way", async || front.store.waiting.load(Ordering::SeqCst) == 1).await;
    let second = front.webhook(&changed("2")).await;
    assert_eq!((second.status, second.header("retry-after")), (503, Some("5")));
    assert_eq!(front.counted("busy").await, 1);
    front.store.let_through(2);
    assert_eq!(first.await.expect("no panic"), 200);
    assert_eq!(front.webhook(&changed("2")).await.status, 200, "the room is free again");
}

#[tokio::test]
async fn who_is_slow_is_cut_off() {
    let limits = Limits {
        head_time: Duration::from_millis(100),
        body_time: Duration::from_millis(100),
        ..Limits::default()
    };
    let front = Front::limited("slow", limits).await;
    // Half a head: closed without an answer worth the name.
    let answer = front.ask("POST /webhooks/slow HTTP/1.1\r\nHost: x\r\nBob-Sig").await;
    assert!(matches!(answer.status, 0 | 408), "{answer:?}");
    // Half a body.
    let half = "POST /webhooks/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"type\"";
    assert_eq!(front.ask(half).await.status, 408);
    assert_eq!(front.counted("too_slow").await, 1);
    // A connection that says nothing at all.
    let answer = front.ask("").await;
    assert_eq!(answer.status, 0, "{answer:?}");
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_their_turn() {
    let front = Front::limited("seats", Limits { connections: 1, ..Limits::default() }).await;
    let mut first = front.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut byte = [0];
    first.read_exact(&mut byte).await.expect("the first has its seat");
    let mut second = front.connect().await;
    second.write_all(request("GET", "/", &[], "").as_bytes()).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut byte));
    assert!(early.await.is_err(), "there is no seat for the second yet");
    drop(first);
    assert!(Answer::read(&mut second).await.head.contains("200 ok"));
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way() {
    let mut front = Front::open("stop").await;
    front.store.set_slow();
    let mut stream = front.connect().await;
    let body = changed(EMPLOYEE);
    // No `Connection: close`: it is the stop that ends this connection.
    let text = request("POST", "/webhooks/stop", &[("Bob-Signature", &sign(SECRET, &body))], &body)
        .replace("Connection: close\r\n", "");
    stream.write_all(text.as_bytes()).await.expect("sent");
    until("it is under way", async || front.store.waiting.load(Ordering::SeqCst) == 1).await;
    front.stop.cancel();
    until("nobody else gets in", async || {
        tokio::net::TcpStream::connect(front.addr).await.is_err()
    })
    .await;
    front.store.let_through(1);
    assert_eq!(Answer::read(&mut stream).await.status, 200);
    (&mut front.served).await.expect("the server ends by itself");
    assert_eq!(front.deliveries().await.len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_half_a_head() {
    let limits = Limits { head_time: Duration::from_secs(3600), ..Limits::default() };
    let front = Front::with("half", limits, &[SECRET], Duration::from_millis(100)).await;
    let mut half = front.connect().await;
    half.write_all(b"POST /webhooks/half HTTP/1.1\r\nHost").await.expect("sent");
    assert_eq!(front.get("/health/live").await.status, 200, "the half head is in by now");
    front.stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), front.served)
        .await
        .expect("the stop ends")
        .expect("without a panic");
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "the half head is cut");
}

#[tokio::test]
async fn ready_says_what_it_is_that_is_not() {
    let front = Front::open("ready").await;
    let now = "2026-11-21T12:00:00Z".parse().expect("a time");
    let reason = "HiBob refuses the service user: renew its token".to_owned();
    let scope = "source ready".to_owned();
    let hold = Hold {
        scope,
        reason: reason.clone(),
        since: now,
        probe_at: now,
        probes: 3,
        refuses: false,
    };
    front.store.hold(&hold).await.expect("held");

    let answer = front.get("/health/ready").await;
    let said: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(answer.status, 200, "a hold does not make it unready: {said}");
    assert_eq!(said["ready"], true);
    assert_eq!(said["holds"][0]["reason"], reason);

    front.store.set_down(true);
    until("unready", async || front.get("/health/ready").await.status == 503).await;
    let said: serde_json::Value =
        serde_json::from_str(&front.get("/health/ready").await.body).expect("JSON");
    assert_eq!(said["parts"]["store"]["ready"], false, "{said}");
    assert_eq!(front.get("/health/live").await.status, 200, "a restart would not help");
    assert!(front.get("/metrics").await.body.contains("instep_store_up 0"));
    front.store.set_down(false);
    until("ready again", async || front.get("/health/ready").await.status == 200).await;

    front.unready.cancel();
    let answer = front.get("/health/ready").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("shutting down"), "{answer:?}");
}

#[tokio::test]
async fn the_metrics_say_what_is_going_on_and_name_nobody() {
    let front = Front::open("numbers").await;
    let now = "2026-11-21T12:00:00Z".parse().expect("a time");
    let (scope, reason) = ("source numbers".to_owned(), "a name: Zoë".to_owned());
    let hold = Hold { scope, reason, since: now, probe_at: now, probes: 0, refuses: false };
    front.store.hold(&hold).await.expect("held");
    assert_eq!(front.webhook(&changed(EMPLOYEE)).await.status, 200);
    // Gauges are the process's: other tests set them too, each from its own store.
    for line in [
        "# HELP instep_webhooks_total ",
        "instep_webhooks_total{source=\"numbers\",outcome=\"accepted\"} 1",
        "instep_receive_seconds_bucket{source=\"numbers\",le=\"+Inf\"} 1",
        "instep_deliveries{state=\"waiting\"} ",
        "instep_deliveries{state=\"dead\"} ",
        "instep_oldest_waiting_seconds ",
        "instep_leased_persons ",
        "instep_hold{scope=\"source numbers\"} 1",
        "instep_hold{scope=\"target\"} ",
        "instep_store_up ",
    ] {
        let answer = front.get("/metrics").await;
        assert!(answer.header("content-type").is_some_and(|t| t.starts_with("text/plain")));
        assert!(answer.body.contains(line), "{line} in\n{}", answer.body);
        assert!(!answer.body.contains(EMPLOYEE) && !answer.body.contains("Zoë"));
    }
}

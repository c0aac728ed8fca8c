//! What chats hear, from the store to a real HTTP server, while only the clock is moved.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::config;
use crate::model::{ChangeKind, Run, RunId, RunState, Slice, SliceState};
use crate::store::Hold;
use crate::store::sqlite::SqliteStore;

pub(super) type Heard = Arc<Mutex<Vec<(String, Value)>>>;

/// Whether the busy chat has turned somebody away.
static TURNED_AWAY: AtomicBool = AtomicBool::new(false);

/// A chat server; one chat is away at first.
pub(super) async fn chats() -> (String, Heard) {
    async fn hear(
        State(heard): State<Heard>,
        Path(chat): Path<String>,
        Json(body): Json<Value>,
    ) -> StatusCode {
        let is_busy = chat == "busy" && !TURNED_AWAY.swap(true, Ordering::SeqCst);
        heard.lock().expect("heard").push((chat, body));
        if is_busy { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
    }
    let heard = Heard::default();
    let router = Router::new().route("/hook/{chat}", post(hear)).with_state(Arc::clone(&heard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/hook"), heard)
}

/// A store in which nothing has happened, and who tells what happens in it.
pub(super) struct Stage {
    pub folder: TempDir,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub telling: Telling,
}

/// By this configuration, on a morning.
pub(super) fn stage(text: &str) -> Stage {
    let loaded = config::parse(std::path::Path::new("instep.toml"), text, &|_| None);
    let settings = Arc::new(loaded.expect("in order").settings);
    let folder = TempDir::new().expect("a folder");
    let clock = Clock::manual("2026-11-22T08:00:00Z".parse().expect("a time"));
    let store = SqliteStore::open(&folder.path().join("instep.db"), clock.clone());
    let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
    let telling = Telling {
        channels: Channel::all(&settings).expect("channels"),
        sources: vec![SourceName::new("bob")],
        watching: Watching::default(),
        store: Arc::clone(&store),
        clock: clock.clone(),
        settings,
    };
    Stage { folder, store, clock, telling }
}

pub(super) fn configuration(chats: &str) -> String {
    format!(
        r#"
[server]
public_url = "https://instep.norvane.example"
[notify]
chat = [
    {{ type = "slack", url = "{chats}/slack" }},
    {{ type = "teams", url = "{chats}/teams" }},
    {{ type = "slack", url = "{chats}/busy" }},
]
[source.bob]
type = "hibob"
base_url = "http://127.0.0.1:1/v1"
service_user = "SERVICE-1234"
token = "a token"
token_expires = 2026-11-30
webhook_secrets = ["a secret"]
[target]
type = "360learning"
base_url = "http://127.0.0.1:1"
client_id = "an id"
client_secret = "a secret"
client_secret_expires = 2027-11-30
default_group = "507f1f77bcf86cd799439011"
[rules]
in_scope = "true"
active = "true"
fields.email = "root.email"
"#
    )
}

/// A run with a slice that is held.
fn held(clock: &Clock) -> Run {
    let reason = "43 people would be deactivated, and the brake lets 23 pass.".to_owned();
    let slice = Slice {
        kind: ChangeKind::Deactivate,
        people: 43,
        limit: 23,
        state: SliceState::Held { reason, until: clock.now() + Duration::from_secs(3_600) },
        common: Vec::new(),
    };
    let id = RunId::new("019aa3c1-7a40-7c11-9d0e-3b1f6a52c0aa");
    let run = Run::begun(id, SourceName::new("bob"), "the schedule", clock.now());
    let (state, ended_at) = (RunState::Done, Some(clock.now()));
    Run { state, ended_at, slices: vec![slice], ..run }
}

/// What was heard since the last call, by chat, as text.
pub(super) fn heard(all: &Heard) -> Vec<(String, String)> {
    let mut heard = all.lock().expect("heard");
    heard.drain(..).map(|(chat, body)| (chat, body.to_string())).collect()
}

#[tokio::test]
async fn chats_hear_of_what_began_and_of_its_end() {
    let (url, all) = chats().await;
    let Stage { folder: _folder, store, clock, mut telling } = stage(&configuration(&url));
    let mut look = async |seconds: u64| {
        clock.advance(Duration::from_secs(seconds));
        telling.tell().await.expect("a store");
        heard(&all)
    };
    let hold = Hold {
        scope: "source bob".to_owned(),
        reason: "HiBob refuses the service user (401): look at its token.".to_owned(),
        since: clock.now(),
        probe_at: clock.now(),
        probes: 3,
        refuses: true,
    };
    store.hold(&hold).await.expect("held");
    assert!(store.save_run(&held(&clock)).await.expect("a store"));

    assert_eq!(look(20).await, [], "notices wait for others");
    let told = look(61).await;
    let chats: Vec<&str> = told.iter().map(|(chat, _)| chat.as_str()).collect();
    assert_eq!(chats, ["slack", "teams", "busy"]);
    let console = "https://instep.norvane.example/console";
    for (chat, body) in &told {
        for words in [
            "bob: 43 deactivations held",
            "The source bob is set aside",
            "HiBob refuses the service user (401)",
            "The token of bob is about to expire: 2026-11-30 is its last day",
            &format!("{console}/runs/019aa3c1-7a40-7c11-9d0e-3b1f6a52c0aa"),
        ] {
            assert!(body.contains(words), "{words} is not in {chat}: {body}");
        }
        assert!(!body.contains("client secret"), "{body}");
    }
    assert!(told[0].1.contains("\"header\"") && told[1].1.contains("AdaptiveCard"), "{told:#?}");
    // The one that was busy hears it a minute later; the others nothing twice.
    let told = look(61).await;
    assert_eq!(told.iter().map(|(chat, _)| chat.as_str()).collect::<Vec<_>>(), ["busy"]);
    assert_eq!(look(600).await, []);

    store.release("source bob").await.expect("a store");
    assert_eq!(look(20).await, []);
    let told = look(61).await;
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told.iter().all(|(_, body)| body.contains("✓ The source bob is back")), "{told:#?}");
    assert!(told.iter().all(|(_, body)| !body.contains("43 people")), "{told:#?}");
}

//! Chats by webhook.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use instep::config::{ChatKind, ChatSettings};
use instep::notify::{Chat, SendError};
use serde_json::Value;

use super::group;

type Heard = Arc<Mutex<Vec<Value>>>;

/// A chat that answers with the status in its path; its address.
async fn chat() -> (String, Heard) {
    let heard = Heard::default();
    let router = Router::new().route("/secret-path/{status}", post(hear));
    let router = router.with_state(Arc::clone(&heard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/secret-path"), heard)
}

async fn hear(
    State(heard): State<Heard>,
    Path(status): Path<u16>,
    body: axum::Json<Value>,
) -> impl IntoResponse {
    heard.lock().expect("heard").push(body.0);
    let mut headers = HeaderMap::new();
    match status {
        429 => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"))),
        302 => drop(headers.insert(header::LOCATION, HeaderValue::from_static("/secret-path/200"))),
        0 => std::future::pending().await,
        _ => {}
    }
    (StatusCode::from_u16(status).expect("a status"), headers)
}

async fn send(kind: ChatKind, url: String) -> Result<(), SendError> {
    let hangs = url.ends_with("/0");
    let settings = ChatSettings { kind, url: url.into() };
    assert!(!format!("{settings:?}").contains("secret-path"));
    let patience = if hangs { Duration::from_millis(300) } else { Duration::from_secs(15) };
    Chat::with_timeout(&settings, patience).expect("a chat").send(&group()).await
}

#[tokio::test]
async fn slack_gets_blocks_and_a_text() {
    let (url, heard) = chat().await;
    send(ChatKind::Slack, format!("{url}/200")).await.expect("told");
    let body = heard.lock().expect("heard").remove(0);
    assert_eq!(body["text"], "Instep: 5 notices: 43 deactivations held, and more");
    let blocks = body["blocks"].as_array().expect("blocks");
    let kinds: Vec<_> = blocks.iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!(kinds, ["header", "section", "header", "context"]);
    assert_eq!(blocks[0]["text"]["text"], "⚠ 43 deactivations held");
    let text = blocks[1]["text"]["text"].as_str().expect("text");
    assert!(text.contains("&lt;of&gt; 1,150 &amp; no more"), "{text}");
    assert!(text.ends_with("<https://instep.norvane.example/runs/019aa3c1|More>"), "{text}");
    assert_eq!(blocks[2]["text"]["text"], "✓ 360Learning is back");
}

#[tokio::test]
async fn teams_gets_an_adaptive_card() {
    let (url, heard) = chat().await;
    send(ChatKind::Teams, format!("{url}/202")).await.expect("told");
    let body = heard.lock().expect("heard").remove(0);
    assert_eq!(body["type"], "message");
    let card = &body["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(
        (&card["content"]["type"], &card["content"]["version"]),
        (&"AdaptiveCard".into(), &"1.4".into())
    );
    let body = card["content"]["body"].as_array().expect("a body");
    let texts: Vec<_> =
        body.iter().filter_map(|part| part["inlines"][0]["text"].as_str()).collect();
    assert_eq!(texts[0], "⚠ 43 deactivations held");
    assert!(texts.contains(&"The brake lets 23 pass <of> 1,150 & no more."), "{texts:?}");
    assert_eq!(
        card["content"]["actions"][0]["url"],
        "https://instep.norvane.example/runs/019aa3c1"
    );
}

#[tokio::test]
async fn a_chat_that_is_busy_is_told_later_and_one_that_is_gone_needs_a_person() {
    let (url, heard) = chat().await;
    for (status, again, after) in [
        (429, true, Some(Duration::from_secs(7))),
        (500, true, None),
        (503, true, None),
        (0, true, None),
        (302, false, None),
        (400, false, None),
        (404, false, None),
        (410, false, None),
    ] {
        let error = send(ChatKind::Slack, format!("{url}/{status}")).await.expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("secret-path"), "{error:?}");
        match error {
            SendError::Later { after: found, .. } => {
                assert!(again && found == after, "{status}: {found:?}");
            }
            SendError::Person { reason } => assert!(!again, "{status}: {reason}"),
        }
    }
    assert_eq!(heard.lock().expect("heard").len(), 8, "a redirect is not followed");
    let nobody = "http://127.0.0.1:1/secret-path".to_owned();
    let error = send(ChatKind::Teams, nobody).await.expect_err("nobody is there");
    assert_eq!(error, SendError::Later { reason: "the chat is away".to_owned(), after: None });
}

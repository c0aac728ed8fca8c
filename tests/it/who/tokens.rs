//! Tokens for the API: who gets in with one, and until when.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use instep::access::tokens::{self, fresh};
use instep::http::who::{Gate, SignedIn, admit_token};
use instep::http::{HttpState, Limits};
use instep::model::{Access, Refused, Verb};
use instep::telemetry;
use jiff::SignedDuration;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::house::{Browser, House, SETTINGS, settings};

/// One answer of an API that says who asks, behind the gate of this configuration.
async fn api(house: &House, gate: Gate) -> (Browser, CancellationToken) {
    let (limits, stop) = (Limits::default(), CancellationToken::new());
    let (store, clock) = (house.store.clone(), house.clock.clone());
    let recorder = telemetry::metrics().expect("a recorder");
    let nothing = instep::http::desk::Desk::new(
        |_, _| Box::pin(async { Err(Refused::Wrong(String::new())) }),
        |_, _| Box::pin(async { Err(Refused::Wrong(String::new())) }),
    );
    let state = HttpState::new(store, clock, recorder, stop.clone(), limits).people(nothing, gate);
    let state = Arc::new(state);
    let who = |SignedIn(actor): SignedIn| async move {
        format!("{} {} {}", actor.name, actor.access.word(), actor.via.word())
    };
    let router = Router::new()
        .route("/api/v1/who", get(who))
        .route_layer(from_fn_with_state(state.clone(), admit_token))
        .with_state(state);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let deadline = std::time::Duration::from_secs(1);
    tokio::spawn(instep::http::serve(listener, router, limits, stop.clone(), deadline));
    (Browser::at(&url), stop)
}

fn gate(api: bool, house: &House) -> Gate {
    let text = SETTINGS.replace("[console]\n", &format!("[console]\napi = {api}\n"));
    let settings = settings(&text.replace("PUBLIC", &house.url));
    Gate::of(&settings.console, None, &house.clock).expect("a gate")
}

async fn asked(browser: &mut Browser, authorization: &str) -> (u16, String) {
    let header = [("Authorization", authorization)];
    let headers = if authorization.is_empty() { &header[..0] } else { &header[..] };
    let page = browser.send(Method::GET, "/api/v1/who", None, headers).await;
    if page.status == 401 {
        assert_eq!(page.header("www-authenticate"), "Bearer realm=\"instep\"");
    }
    (page.status, page.body)
}

#[tokio::test]
async fn a_token_counts_until_it_expires_or_is_revoked() {
    let house = House::open().await;
    let (mut browser, _stop) = api(&house, gate(true, &house)).await;
    let token = fresh("ci").expect("randomness");
    let make = |access| Verb::MakeToken {
        name: "ci".into(),
        access,
        expires: house.clock.now() + SignedDuration::from_hours(24),
        proof: Some(token.proof.clone()),
    };
    house.act(make(Access::Operator)).await;
    let text = token.text.expose_secret();
    let bearer = format!("Bearer {text}");
    assert_eq!(asked(&mut browser, &bearer).await, (200, "ci operator api".to_owned()));
    assert_eq!(asked(&mut browser, &bearer.replace("Bearer", "bearer")).await.0, 200);

    let other = fresh("ci").expect("randomness");
    let cut = &bearer[..bearer.len() - 1];
    let wrong = [
        "",
        "Bearer",
        "Bearer ",
        text,
        &format!("Basic {text}"),
        cut,
        &format!("Bearer {}", other.text.expose_secret()),
        &format!("Bearer {}", token.proof.expose()),
        &bearer.replace("instep_ci_", "instep_cd_"),
    ];
    for wrong in wrong {
        let (status, body) = asked(&mut browser, wrong).await;
        assert_eq!(status, 401, "{wrong}");
        assert!(!body.contains(text), "{body}");
    }
    let stored = house.store.notes("token:").await.expect("notes");
    let secret = &text["instep_ci_".len()..];
    assert!(stored.iter().all(|(key, note)| !key.contains(secret) && !note.contains(secret)));

    // When it was used is known up to an hour.
    let used = async || tokens::tokens(&*house.store).await.expect("tokens")[0].used;
    let first = used().await.expect("used");
    house.later(30);
    asked(&mut browser, &bearer).await;
    assert_eq!(used().await, Some(first));
    house.later(40);
    asked(&mut browser, &bearer).await;
    assert!(used().await > Some(first));

    let actor = instep::model::Actor::at_the_command_line("root");
    let again = house.desk.act(&actor, make(Access::Viewer)).await;
    assert!(matches!(again, Err(Refused::Conflict(_))), "{again:?}");
    house.later(24 * 60);
    assert_eq!(asked(&mut browser, &bearer).await.0, 401, "it has expired");
    house.act(make(Access::Viewer)).await;
    assert_eq!(asked(&mut browser, &bearer).await, (200, "ci viewer api".to_owned()));
    house.act(Verb::RevokeToken { name: "ci".into() }).await;
    assert_eq!(asked(&mut browser, &bearer).await.0, 401, "it was revoked");
}

#[tokio::test]
async fn without_the_setting_there_is_no_api() {
    let house = House::open().await;
    for gate in [gate(false, &house), Gate::Shut] {
        let (mut browser, _stop) = api(&house, gate).await;
        assert_eq!(asked(&mut browser, "").await.0, 404);
    }
}

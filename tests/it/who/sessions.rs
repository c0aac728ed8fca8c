//! How sessions end, and what is shown in them.

use instep::access::sessions::{SessionId, end};
use instep::model::{Access, Verb};

use super::house::{House, PASSWORD, encoded};

#[tokio::test]
async fn a_session_ends_when_nothing_is_done_and_at_the_end_of_the_day() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    let mut idle = house.signed_in("anna").await;
    let mut busy = house.signed_in("anna").await;
    for _ in 0..3 {
        house.later(50);
        assert!(busy.is_in().await);
    }
    assert!(!idle.is_in().await, "an hour without a word");
    for _ in 0..11 {
        house.later(50);
        busy.is_in().await;
    }
    // Eleven hours and forty minutes.
    assert!(busy.is_in().await);
    house.later(30);
    assert!(!busy.is_in().await, "twelve hours are over");
    assert_eq!(house.store.notes("session:").await.expect("notes").len(), 0, "nothing is left");
}

#[tokio::test]
async fn a_session_ends_with_what_it_was_begun_for() {
    let house = House::open().await;
    let save = |access, password| Verb::SaveUser { name: "anna".into(), access, password };
    let new = || instep::access::password::hash("quite another password").ok();
    let unchanged = save(Access::Viewer, None);
    for (what, verb, stays) in [
        ("nothing changes", unchanged, true),
        ("another access", save(Access::Operator, None), false),
        ("another password", save(Access::Viewer, new()), false),
        ("removed", Verb::RemoveUser { name: "anna".into() }, false),
    ] {
        house.user("anna", Access::Viewer).await;
        house.later(11);
        let mut browser = house.signed_in("anna").await;
        house.act(verb).await;
        assert_eq!(browser.is_in().await, stays, "{what}");
    }
}

#[tokio::test]
async fn signing_in_again_is_another_session() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    let mut browser = house.signed_in("anna").await;
    let first = browser.cookies.clone();
    assert_eq!(browser.sign_in("anna", PASSWORD).await.status, 303);
    assert_ne!(browser.cookies, first);
    assert!(browser.is_in().await);
    browser.cookies = first;
    assert!(!browser.is_in().await, "the one before has ended");
}

#[tokio::test]
async fn a_made_up_cookie_is_nobodys() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    let secret = house.signed_in("anna").await.cookies["instep"].clone();
    let stored = house.store.notes("session:").await.expect("notes");
    let hash = stored[0].0.trim_start_matches("session:").to_owned();
    assert!(stored.iter().all(|(key, text)| !key.contains(&secret) && !text.contains(&secret)));
    for made_up in ["", "demo", &hash, "../user:anna", &secret[1..], &"0".repeat(64)] {
        let mut browser = house.browser();
        browser.cookies.insert("instep".to_owned(), made_up.to_owned());
        assert!(!browser.is_in().await, "{made_up}");
    }
}

#[tokio::test]
async fn personal_data_is_shown_on_request_to_those_who_may_and_written_down() {
    let house = House::open().await;
    house.user("vera", Access::Viewer).await;
    house.user("otto", Access::Operator).await;
    let form = encoded(&[("about", "person bob/17"), ("to", "/console?x=1")]);

    let mut viewer = house.signed_in("vera").await;
    assert_eq!(viewer.post("/console/unmask", &form).await.status, 403);
    let mut operator = house.signed_in("otto").await;
    let shown = operator.post("/console/unmask", &form).await;
    assert_eq!(shown.status, 303);
    assert!(shown.to.starts_with("/console?x=1&did="), "{}", shown.to);

    let audit = house.audit().await;
    let told: Vec<_> = audit
        .iter()
        .filter(|it| it.verb == "unmask")
        .map(|it| (it.who.as_str(), it.about.as_str(), it.refused))
        .collect();
    assert_eq!(told, [("vera", "person bob/17", true), ("otto", "person bob/17", false)]);
    let id = SessionId::of(&operator.cookies["instep"]);
    let session = end(&*house.store, &id).await.expect("a store").expect("a session");
    let now = house.clock.now();
    assert!(session.sees("person bob/17", now) && !session.sees("person bob/18", now));
    house.later(15);
    assert!(!session.sees("person bob/17", house.clock.now()), "a quarter of an hour is enough");

    for wrong in ["", "about=x", "about=&to=/console", "about=x&to=https://evil.example"] {
        let mut operator = house.signed_in("otto").await;
        assert_eq!(operator.post("/console/unmask", wrong).await.status, 400, "{wrong}");
    }
}

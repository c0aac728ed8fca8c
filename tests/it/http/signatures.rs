//! Which secret signs is remembered, and so is how many webhooks fitted none.

use serde_json::Value;

use instep::sandbox::{Options, sign};

use crate::harness::town::{Kept, Town};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_signs_and_what_does_not_is_written_down() {
    let options = Options { people: 2, ..Options::default() };
    let town = Town::new(options, Kept::Sqlite, |toml| {
        *toml = toml.replace("webhook_secrets = [", "webhook_secrets = [\"a new one\", ");
    })
    .await;
    let serving = town.serve(&[]).await;
    let id = town.actives()[0].clone();
    let body = town.event("employee.updated", &id);
    assert_eq!(town.webhook(&serving, &body, &town.sign(&body)).await, 200);
    let note = async || -> Value {
        let note = town.store().await.note("signatures of bob").await.expect("a store");
        note.map(|note| serde_json::from_str(&note).expect("JSON")).unwrap_or_default()
    };
    let signed = async |note: &Value| {
        let secrets = note["secrets"].as_object().into_iter().flatten();
        secrets.filter(|(_, times)| times[1].is_string()).count()
    };
    town.until("it is known who signs", async || signed(&note().await).await == 1).await;
    let known = note().await;
    assert_eq!(known["secrets"].as_object().map(serde_json::Map::len), Some(2), "{known}");
    for secret in ["a new one", &town.sandbox.credentials().webhook_secret] {
        assert!(!known.to_string().contains(secret), "no secret is in it: {known}");
    }
    for n in 0..5 {
        let wrong = sign("what HR made anew", &body);
        assert_eq!(town.webhook(&serving, &body, &wrong).await, 401, "{n}");
        // A stranger who tries has no signature.
        assert_eq!(town.webhook(&serving, &body, "let me in").await, 401, "{n}");
    }
    town.until("they are counted", async || note().await["refused"] == 5).await;
    let body = town.event("employee.updated", &id);
    assert_eq!(town.webhook(&serving, &body, &sign("a new one", &body)).await, 200);
    town.until("it is over", async || note().await["refused"] == 0).await;
    assert_eq!(signed(&note().await).await, 2);
}

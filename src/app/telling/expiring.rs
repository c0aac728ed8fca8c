//! An API token that is about to expire, and one that has: what a mailbox hears of it from a real mail
//! server, and a chat, while only the clock is moved.

#[path = "../../../tests/it/harness/smtp.rs"]
mod smtp;

use super::chats::{Stage, chats, configuration, heard, stage};
use super::*;
use crate::access::tokens::{Token, fresh, make, revoke};
use crate::model::Access;
use smtp::{Asks, Server};

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_token_is_told_of_when_its_end_is_near_and_when_it_has_come() {
    let server = Server::start(Asks { tls: "none", login: None });
    let (url, all) = chats().await;
    let mail = format!(
        "[mail]\nserver = \"127.0.0.1:{}\"\ntls = \"none\"\nfrom = \"instep@norvane.example\"\n\
         to = [\"ops@norvane.example\"]\n[source.bob]",
        server.port
    );
    let text = configuration(&url)
        .replace("[source.bob]", &mail)
        .replace("token_expires = 2026-11-30\n", "")
        .replace(&format!("    {{ type = \"slack\", url = \"{url}/busy\" }},\n"), "");
    let Stage { folder: _folder, store, clock, mut telling } = stage(&text);
    for (name, days) in [("ci", 20), ("payroll", 300)] {
        let token = Token {
            name: name.to_owned(),
            access: Access::Operator,
            proof: fresh(name).expect("randomness").proof,
            by: "ann".to_owned(),
            since: clock.now(),
            expires: clock.now() + Duration::from_secs(days * DAY),
            used: None,
        };
        assert!(make(&*store, &token).await.expect("a store"));
    }
    // What a look brings into the chats; each hears what the mailbox does.
    let mut look = async |seconds: u64| {
        clock.advance(Duration::from_secs(seconds));
        telling.tell().await.expect("a store");
        let told = heard(&all);
        assert!(told.iter().all(|(_, body)| !body.contains("payroll")), "{told:#?}");
        told.len()
    };
    assert_eq!((look(20).await, look(61).await), (0, 0), "its end is far");
    assert_eq!((look(7 * DAY).await, look(61).await), (0, 2));
    let told = server.mail().to_string();
    for words in [
        "The API token ci is about to expire: 2026-12-12 08:00 UTC is its end",
        "It was never used",
        "instep tokens make NAME --access operator",
        "instep tokens revoke ci",
    ] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
    assert_eq!((look(61).await, look(7_200).await), (0, 0), "once");

    assert_eq!(look(13 * DAY).await, 2);
    let told = server.mail().to_string();
    assert!(told.contains("The API token ci has expired: 2026-12-12"), "{told}");
    assert!(!told.contains("Still so"), "{told}");
    assert_eq!((look(61).await, look(7_200).await), (0, 0), "once");

    assert!(revoke(&*store, "ci").await.expect("a store"));
    assert_eq!((look(20).await, look(61).await), (0, 2));
    let told = server.mail().to_string();
    assert!(told.contains("The API token ci counts no more"), "{told}");
    assert_eq!(look(7_200).await, 0);
    assert!(server.is_empty());
}

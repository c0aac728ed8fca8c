//! Mail by SMTP.

use std::net::TcpListener;
use std::time::Duration;

use instep::config::{MailSettings, MailTls};
use instep::model::Personal;
use instep::notify::{Letter, Mailer, Receipt, SendError};
use instep::report::Report;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::group;
use crate::harness::smtp::{Asks, Server, certificate};
use crate::report::company::rich;

const LOGIN: (&str, &str) = ("instep", "hunter2-secret");

fn at() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().expect("a time")
}

fn settings(port: u16, tls: MailTls, to: &[&str]) -> MailSettings {
    MailSettings {
        host: "localhost".to_owned(),
        port,
        tls,
        ca_file: Some(certificate().path().join("cert.pem")),
        login: Some((LOGIN.0.to_owned(), LOGIN.1.into())),
        from: "instep@norvane.example".to_owned(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        timeout: Duration::from_secs(15),
    }
}

fn mailer(settings: &MailSettings) -> Mailer {
    Mailer::new(settings).expect("a mailer")
}

fn letter() -> Letter {
    let told = rich();
    let report = Report {
        run: &told.run,
        items: &told.items,
        before: &told.before,
        misses: &told.misses,
        personal: Personal::Values,
        zone: TimeZone::UTC,
        link: None,
    };
    Letter::report(&report, at())
}

async fn send(settings: &MailSettings) -> Receipt {
    let mailer = mailer(settings);
    mailer.send(&Letter::notices(&group(), at()), &mailer.everyone()).await
}

/// No secret and nobody's address is in it.
#[track_caller]
fn is_discreet(error: &SendError) {
    let shown = format!("{error} {error:?}");
    for secret in [LOGIN.1, "norvane.example", "ann@", "gone@", "busy@"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[track_caller]
fn person(error: Option<SendError>, words: &str) {
    let error = error.expect("an error");
    is_discreet(&error);
    assert!(matches!(error, SendError::Person { .. }), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

#[track_caller]
fn later(error: Option<SendError>, words: &str) {
    let error = error.expect("an error");
    is_discreet(&error);
    assert!(matches!(error, SendError::Later { .. }), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn a_report_arrives_whole_by_starttls() {
    let server = Server::start(Asks { tls: "starttls", login: Some(LOGIN) });
    let to = ["ann@norvane.example", "people-systems@norvane.example"];
    let mailer = mailer(&settings(server.port, MailTls::StartTls, &to));
    let letter = letter();
    let receipt = mailer.send(&letter, &mailer.everyone()).await;
    assert_eq!(receipt, Receipt { delivered: 2, ..Receipt::default() });

    for to in to {
        let mail = server.mail();
        assert_eq!(mail["to"], serde_json::json!([to]));
        assert_eq!(mail["from"], "instep@norvane.example");
        assert_eq!((&mail["tls"], &mail["authenticated"]), (&true.into(), &true.into()));
        assert_eq!(mail["hello"], "norvane.example");
        let headers = &mail["headers"];
        let subject = headers["Subject"].as_str().expect("a subject");
        assert_eq!(subject, letter.subject);
        assert!(
            subject.starts_with("Instep, full sync of bob: 43 deactivations held"),
            "{subject}"
        );
        assert_eq!(headers["Message-ID"], format!("<{}@norvane.example>", letter.id));
        assert_eq!(headers["Auto-Submitted"], "auto-generated");
        assert!(headers["Date"].as_str().expect("a date").contains("21 Nov 2026 02:00:00"));
        assert!(mail["longest"].as_u64().expect("a number") <= 998, "RFC 5322");

        let parts = mail["parts"].as_array().expect("parts");
        let line_ends = |text: &str| text.replace("\r\n", "\n");
        let text = |at: usize| line_ends(parts[at]["text"].as_str().expect("text"));
        assert_eq!((&parts[0]["type"], text(0)), (&"text/plain".into(), line_ends(&letter.text)));
        let html = letter.html.as_deref().expect("HTML");
        assert_eq!((&parts[1]["type"], text(1)), (&"text/html".into(), line_ends(html)));
        assert_eq!(parts.len(), 2 + letter.files.len());
        for (at, file) in letter.files.iter().enumerate() {
            assert_eq!(parts[at + 2]["type"], "text/csv");
            assert_eq!(parts[at + 2]["name"], file.name);
            assert_eq!(text(at + 2), line_ends(&file.content));
        }
    }
    assert!(server.is_empty());
}

#[tokio::test]
async fn a_notice_arrives_by_tls_and_on_this_machine_without() {
    let to = ["ann@norvane.example"];
    let server = Server::start(Asks { tls: "tls", login: Some(LOGIN) });
    assert_eq!(send(&settings(server.port, MailTls::Tls, &to)).await.delivered, 1);
    let mail = server.mail();
    assert_eq!((&mail["tls"], &mail["authenticated"]), (&true.into(), &true.into()));
    assert_eq!(mail["headers"]["Subject"], "Instep: 5 notices: 43 deactivations held, and more");
    let text = mail["parts"][0]["text"].as_str().expect("text");
    for line in ["43 deactivations held", "360Learning is back", "And 3 more.", "runs/019aa3c1"] {
        assert!(text.contains(line), "{text}");
    }

    let server = Server::start(Asks { tls: "none", login: None });
    let plain = MailSettings { login: None, ..settings(server.port, MailTls::None, &to) };
    assert_eq!(send(&plain).await.delivered, 1);
    assert_eq!(server.mail()["tls"], false);
}

#[tokio::test]
async fn one_address_that_is_refused_keeps_nothing_from_the_others() {
    let server = Server::start(Asks { tls: "none", login: None });
    let to =
        ["ann@norvane.example", "gone@norvane.example", "busy@norvane.example", "eve@x.example"];
    let settings = MailSettings { login: None, ..settings(server.port, MailTls::None, &to) };
    let receipt = send(&settings).await;
    assert_eq!((receipt.delivered, receipt.refused, receipt.later), (2, vec![1], vec![2]));
    person(receipt.error, "refused with 550");

    // Only who is left is tried again; who is busy first does not keep it from the next.
    let receipt = mailer(&settings).send(&Letter::notices(&group(), at()), &[2, 0]).await;
    assert_eq!((receipt.delivered, receipt.later), (1, vec![2]));
    later(receipt.error, "answered 451");
}

#[tokio::test]
async fn a_person_must_act_when_the_settings_are_wrong() {
    let to = ["ann@norvane.example", "eve@x.example"];
    let server = Server::start(Asks { tls: "starttls", login: Some(LOGIN) });
    let right = settings(server.port, MailTls::StartTls, &to);
    let wrong_password =
        MailSettings { login: Some((LOGIN.0.to_owned(), "hunter3".into())), ..right.clone() };
    person(send(&wrong_password).await.error, "535 to [mail] user and password");
    let no_login = MailSettings { login: None, ..right.clone() };
    person(send(&no_login).await.error, "530 to [mail] user and password");
    let strange = MailSettings { ca_file: None, ..right.clone() };
    person(send(&strange).await.error, "no trusted TLS connection");
    let other_name = MailSettings { host: "127.0.0.2".to_owned(), ..right };
    // Not every system has that address.
    is_discreet(&send(&other_name).await.error.expect("it is not the one in the certificate"));

    let server = Server::start(Asks { tls: "none", login: None });
    let receipt = send(&settings(server.port, MailTls::StartTls, &to)).await;
    person(receipt.error, "STARTTLS is not supported");
    assert_eq!(receipt.refused, [0, 1]);
    person(
        send(&settings(server.port, MailTls::Tls, &to)).await.error,
        "no trusted TLS connection",
    );
    assert!(server.is_empty(), "nothing went in the clear");

    let no_file = MailSettings {
        ca_file: Some("no-such.pem".into()),
        ..settings(server.port, MailTls::Tls, &to)
    };
    person(Mailer::new(&no_file).err(), "ca_file cannot be read");
    let key = MailSettings {
        ca_file: Some(certificate().path().join("key.pem")),
        ..settings(server.port, MailTls::Tls, &to)
    };
    person(Mailer::new(&key).err(), "ca_file holds no certificates");
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_later() {
    let to = ["ann@norvane.example", "eve@x.example"];
    let quick = |port| MailSettings {
        login: None,
        timeout: Duration::from_secs(2),
        ..settings(port, MailTls::None, &to)
    };
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let receipt = send(&quick(port)).await;
    assert_eq!((receipt.delivered, receipt.later), (0, vec![0, 1]));
    later(receipt.error, "did not answer within 2 s");
    drop(silent);
    later(send(&quick(port)).await.error, "the mail server is away: connection refused");

    // It hangs up when it has heard the mail.
    let server = Server::start(Asks { tls: "none", login: None });
    let dies = MailSettings { to: vec!["dies@norvane.example".to_owned()], ..quick(server.port) };
    let receipt = send(&MailSettings { timeout: Duration::from_secs(15), ..dies }).await;
    assert_eq!(receipt.later, [0]);
    later(receipt.error, "the mail server");
}

//! Whom Instep tells: each mistake in `[mail]`, `[report]` and `[notify]`, and what holds without them.

use std::time::Duration;

use instep::config::{ChatKind, MailTls, ReportWhen};
use instep::model::Personal;
use secrecy::ExposeSecret as _;

use super::{GOOD, parse, problems};

const MAIL: &str = r#"[mail]
server = "smtp.norvane.example:587"
user = "instep"
password = { env = "BOB_TOKEN" }
from = "instep@norvane.example"
to = ["ann@norvane.example"]
"#;

const CHAT: &str = r#"[notify]
chat = [{ type = "slack", url = "http://127.0.0.1:1/secret" }, { type = "teams", url = { env = "HOOK" } }]
"#;

/// What is wrong with the configuration when this stands below it, without the places.
fn wrong(text: &str) -> Vec<String> {
    let found = problems(&format!("{GOOD}{text}"));
    found.into_iter().map(|it| it.split_once(' ').expect("a place").1.to_owned()).collect()
}

/// After one edit of `text`.
#[track_caller]
fn mistake(text: &str, from: &str, to: &str, expected: &[&str]) {
    assert!(text.contains(from), "{from}");
    assert_eq!(wrong(&text.replacen(from, to, 1)), expected, "after {from:?} -> {to:?}");
}

#[test]
fn without_them_nothing_is_mailed_and_nobody_is_named() {
    let settings = parse(GOOD).expect("in order").settings;
    assert!(settings.mail.is_none() && settings.notify.chat.is_empty() && settings.notify.mail);
    assert_eq!(settings.report.when, ReportWhen::Changes);
    assert_eq!(settings.report.personal, Personal::None);
    assert_eq!(settings.notify.quiet, Duration::from_secs(3600));
}

#[test]
fn what_is_given_is_read() {
    let rest = "[report]\nwhen = \"always\"\npersonal = \"values\"\n";
    let settings = parse(&format!("{GOOD}{MAIL}{rest}{}", CHAT.replace("HOOK", "STORE")));
    // The variable holds no chat's address.
    assert!(settings.is_err());
    let chat = CHAT.replace("{ env = \"HOOK\" }", "\"http://localhost:1/x\"");
    let settings = parse(&format!("{GOOD}{MAIL}{rest}{chat}")).expect("in order").settings;
    let mail = settings.mail.expect("mail");
    assert_eq!((mail.host.as_str(), mail.port), ("smtp.norvane.example", 587));
    assert_eq!((mail.tls, mail.timeout), (MailTls::StartTls, Duration::from_secs(30)));
    let (user, password) = mail.login.expect("a login");
    assert_eq!((user.as_str(), password.expose_secret()), ("instep", "token-hunter2"));
    assert_eq!((mail.from.as_str(), mail.to.len()), ("instep@norvane.example", 1));
    assert_eq!(settings.report.when, ReportWhen::Always);
    assert_eq!(settings.report.personal, Personal::Values);
    let kinds: Vec<_> = settings.notify.chat.iter().map(|chat| chat.kind).collect();
    assert_eq!(kinds, [ChatKind::Slack, ChatKind::Teams]);
}

#[test]
fn each_mistake_has_its_message() {
    let server = "the mail server and its port, as in \"smtp.example.com:587\"";
    let address = "is not a mail address, as in \"instep@example.com\", without a name in front";
    mistake(MAIL, "server =", "#", &[&format!("mail.server: is missing: {server}")]);
    let found = format!("mail.server: expected {server}, found \"smtp.norvane.example\"");
    mistake(MAIL, ":587", "", &[&found]);
    mistake(MAIL, "instep@", "Instep ", &[&format!("mail.from: {address}")]);
    mistake(MAIL, "ann@", "ann at ", &[&format!("mail.to: {address}")]);
    let who = "who gets reports and notices, as in [\"people-systems@example.com\"]";
    mistake(
        MAIL,
        "[\"ann@norvane.example\"]",
        "[]",
        &[&format!("mail.to: expected one to 50: {who}")],
    );
    mistake(MAIL, "to =", "#", &[&format!("mail.to: is missing: {who}")]);
    mistake(MAIL, "user =", "#", &["mail.password: has no user: give user too"]);
    let secret = "mail.password: a secret must not stand in this file: use { env = \
                  \"INSTEP_MAIL_PASSWORD\" } or { file = \"/path\" }";
    mistake(MAIL, "{ env = \"BOB_TOKEN\" }", "\"hunter2\"", &[secret]);
    let clear = "mail.tls: mail would travel in the clear, which is only for this machine itself: use \
                 \"starttls\" or \"tls\"";
    mistake(MAIL, "user", "tls = \"none\"\nuser", &[clear]);
    mistake(
        MAIL,
        "user",
        "ttls = \"none\"\nuser",
        &["mail.ttls: unknown key `ttls`, did you mean `tls`?"],
    );
    assert!(
        wrong(
            &MAIL
                .replace("smtp.norvane.example", "127.0.0.1")
                .replace("user", "tls = \"none\"\nuser")
        )
        .is_empty()
    );

    let report = "[report]\nwhen = \"daily\"\npersonal = \"all\"\n";
    let expected = [
        "report.when: expected \"always\", \"changes\" or \"never\", found \"daily\"",
        "report.personal: expected \"none\", \"names\" or \"values\", found \"all\"",
    ];
    assert_eq!(wrong(report), expected);

    let chat = CHAT.replace("HOOK", "BOB_TOKEN");
    let no_address = "notify.chat.url: is not an address: copy the whole of it from the chat";
    assert_eq!(wrong(&chat), [no_address]);
    let unset = "notify.chat.url: the environment variable HOOK is not set";
    assert_eq!(wrong(CHAT), [unset]);
    mistake(
        CHAT,
        "slack",
        "skype",
        &["notify.chat.type: expected \"slack\" or \"teams\", found \"skype\"", unset],
    );
    let stands = "notify.chat.url: a secret must not stand in this file: use { env = \"SLACK_URL\" } or { \
                  file = \"/path\" }";
    mistake(CHAT, "http://127.0.0.1:1", "https://chat.example", &[stands, unset]);
}

//! Who gets in: each mistake in `[console]`, and what holds without it.

use std::time::Duration;

use instep::model::Access;
use secrecy::ExposeSecret as _;

use super::{GOOD, parse, problems};

const CONSOLE: &str = r#"[server]
public_url = "https://instep.example.com"
[console]
local_accounts = true
trusted_proxies = ["10.0.0.7", "10.1.0.0/16", "2001:db8::/32"]
[console.oidc]
issuer = "https://login.example.com"
client_id = "instep"
client_secret = { env = "BOB_TOKEN" }
operators = ["ops"]
administrators = ["root"]
"#;

/// What is wrong with the configuration when this stands below it, without the places.
fn wrong(text: &str) -> Vec<String> {
    let found = problems(&format!("{GOOD}{text}"));
    found.into_iter().map(|it| it.split_once(' ').expect("a place").1.to_owned()).collect()
}

#[track_caller]
fn mistake(from: &str, to: &str, expected: &[&str]) {
    assert!(CONSOLE.contains(from), "{from}");
    let found = wrong(&CONSOLE.replacen(from, to, 1));
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, wanted)| found.starts_with(wanted));
    assert!(fits, "after {from:?} -> {to:?}: {found:#?}, wanted {expected:#?}");
}

#[test]
fn without_it_nobody_gets_in() {
    let console = parse(GOOD).expect("in order").settings.console;
    assert!(!console.is_on() && !console.api && console.oidc.is_none());
    assert!(console.trusted_proxies.is_empty());
    let hours = |count: u64| Duration::from_secs(count * 3600);
    assert_eq!((console.idle, console.session), (hours(1), hours(12)));
}

#[test]
fn what_is_given_is_read() {
    let settings = parse(&format!("{GOOD}{CONSOLE}")).expect("in order").settings;
    assert_eq!(settings.server.public_url.as_deref(), Some("https://instep.example.com"));
    let console = settings.console;
    assert!(console.is_on() && console.local_accounts);
    let is_trusted = |address: &str| {
        let address = address.parse().expect("an address");
        console.trusted_proxies.iter().any(|network| network.has(address))
    };
    for (address, trusted) in [
        ("10.0.0.7", true),
        ("::ffff:10.0.0.7", true),
        ("10.0.0.8", false),
        ("10.1.255.255", true),
        ("10.2.0.0", false),
        ("2001:db8:1::1", true),
        ("2001:db9::1", false),
        ("::1", false),
    ] {
        assert_eq!(is_trusted(address), trusted, "{address}");
    }
    let oidc = console.oidc.expect("a provider");
    assert_eq!(oidc.client_secret.expose_secret(), "token-hunter2");
    assert_eq!(oidc.scopes, ["openid", "profile", "email"]);
    assert_eq!((oidc.name_claim.as_str(), oidc.access_claim.as_str()), ("email", "groups"));
    let access = [("ops".to_owned(), Access::Operator), ("root".to_owned(), Access::Administrator)];
    assert_eq!(oidc.access, access);
}

#[test]
fn each_mistake_has_its_own_words() {
    let address = "public_url = \"https://instep.example.com\"";
    mistake(address, "", &["console.oidc: the provider sends people back to server.public_url"]);
    let plain = "public_url = \"http://instep.example.com\"";
    mistake(address, plain, &["console: people sign in at server.public_url, which is plain http"]);
    let path = "public_url = \"https://example.com/instep\"";
    mistake(address, path, &["console: the console needs a host of its own"]);
    mistake("\"10.0.0.7\"", "\"proxy\"", &["console.trusted_proxies: expected addresses"]);
    mistake("10.1.0.0/16", "10.1.0.0/33", &["console.trusted_proxies: expected addresses"]);
    mistake("local_accounts = true", "local_account = true", &["console.local_account: unknown"]);
    mistake(
        "local_accounts = true",
        "idle_minutes = 90\nsession_hours = 1",
        &["console.idle_minutes: is longer than session_hours"],
    );
    mistake("https://login.", "http://login.", &["console.oidc.issuer: expected an https address"]);
    let secret = "client_secret = { env = \"BOB_TOKEN\" }";
    mistake(secret, "", &["console.oidc.client_secret: is missing"]);
    let literal = "client_secret = \"hunter2\"";
    mistake(secret, literal, &["console.oidc.client_secret: a secret must not stand in this file"]);
    let lists = "operators = [\"ops\"]\nadministrators = [\"root\"]";
    mistake(lists, "", &["console.oidc: nobody could get in"]);
    let scopes = format!("scopes = [\"email\"]\n{lists}");
    mistake(lists, &scopes, &["console.oidc.scopes: must have \"openid\" in it"]);
    let open = "[server]\nlisten = \"0.0.0.0:8080\"\n[console]\nlocal_accounts = true\n";
    let found = wrong(open);
    assert!(found.len() == 1 && found[0].contains("people sign in over the network"), "{found:?}");
}

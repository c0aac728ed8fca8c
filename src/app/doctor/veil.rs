//! Hides what nobody else may see: secrets, mails, and where things are.
//!
//! Far ends' own words come into what is said (an error's reason, a hold's), so what is known to be
//! secret is taken out of every sentence, wherever it came from.

use std::sync::LazyLock;

use regex::Regex;
use reqwest::Url;
use secrecy::ExposeSecret as _;

use crate::config::Settings;
use crate::store::sqlite::SqliteStore;

/// Anything that looks like a mail.
static MAIL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[^\s@<>()\x22'`,;:]+@[^\s@<>()\x22'`,;:]+").expect("a pattern"));

/// Hosts that say nothing about whose they are.
const WELL_KNOWN: &[&str] = &["localhost", "127.0.0.1", "api.hibob.com", "app.360learning.com"];

/// What is hidden, and what stands in its place.
#[derive(Default)]
pub(super) struct Veil(Vec<(String, &'static str)>);

impl Veil {
    /// Hides what these settings hold.
    pub fn over(settings: &Settings) -> Self {
        let mut veil = Self::default();
        for source in settings.sources.values() {
            veil.add(source.token.expose_secret(), "(a secret)");
            for secret in &source.webhook_secrets {
                veil.add(secret.expose_secret(), "(a secret)");
            }
            veil.add(&source.service_user, "(the service user)");
            veil.place(&source.base_url);
        }
        let target = &settings.target;
        veil.add(target.client_secret.expose_secret(), "(a secret)");
        veil.add(&target.client_id, "(the client id)");
        veil.place(&target.base_url);
        for protected in &target.protected {
            veil.add(protected, "(a protected account)");
        }
        if let Some(mail) = &settings.mail {
            veil.add(&mail.host, "(the mail server)");
            if let Some((user, password)) = &mail.login {
                veil.add(user, "(the mail user)");
                veil.add(password.expose_secret(), "(a secret)");
            }
        }
        for chat in &settings.notify.chat {
            veil.place(chat.url.expose_secret());
        }
        if let Some(otlp) = &settings.telemetry.otlp {
            veil.place(otlp.endpoint.as_str());
            for (_, value) in &otlp.headers {
                veil.add(value.expose_secret(), "(a secret)");
            }
        }
        let url = settings.store.url.expose_secret();
        match SqliteStore::parse_url(url) {
            Some(path) => veil.add(&path.display().to_string(), "(the store's file)"),
            None => veil.store(url),
        }
        veil.add(&settings.path.display().to_string(), "(the configuration)");
        // What holds something else goes first.
        veil.0.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        veil
    }

    /// The sentence without what is hidden.
    pub fn hide(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (hidden, instead) in &self.0 {
            shown = shown.replace(hidden, instead);
        }
        MAIL.replace_all(&shown, "(a mail)").into_owned()
    }

    fn add(&mut self, text: &str, instead: &'static str) {
        // Shorter ones would tear words apart, and are no secret.
        if text.trim().len() >= 4 {
            self.0.push((text.to_owned(), instead));
        }
    }

    /// An address: the whole of it, and its host.
    fn place(&mut self, url: &str) {
        let Ok(parsed) = Url::parse(url) else { return };
        let Some(host) = parsed.host_str().filter(|host| !WELL_KNOWN.contains(host)) else {
            return;
        };
        self.add(url, "(an address)");
        self.add(host, "(a host)");
    }

    /// A Redis's address can name several hosts, which no library of addresses reads.
    fn store(&mut self, url: &str) {
        self.add(url, "(the store)");
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (user, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
        for secret in user.splitn(2, ':') {
            self.add(secret, "(a secret)");
        }
        for host in hosts.split(['/', '?']).next().unwrap_or_default().split(',') {
            let bare = host.rsplit_once(':').map_or(host, |(host, _)| host);
            if !WELL_KNOWN.contains(&bare) {
                self.add(bare, "(a host)");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_hosts_and_mails_are_hidden_wherever_they_stand() {
        let mut veil = Veil::default();
        veil.add("hunter2-token", "(a secret)");
        veil.add("ab", "(too short)");
        veil.place("https://lms.norvane.example/x");
        veil.place("https://api.hibob.com/v1");
        veil.store("redis://default:pass-word@r1.norvane.example:6379,r2.norvane.example/0");
        let shown = veil.hide(
            "abc: hunter2-token of zoe.lee@norvane.example at lms.norvane.example, \
             r2.norvane.example, pass-word, api.hibob.com",
        );
        assert_eq!(
            shown,
            "abc: (a secret) of (a mail) at (a host), (a host), (a secret), api.hibob.com"
        );
    }
}

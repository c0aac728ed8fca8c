//! Addresses: where a far end and the store may live.

use std::net::IpAddr;

use reqwest::Url;

use super::nearest::nearest;
use super::secret::Literal;
use super::table::Table;

/// A checked `base_url`.
pub(super) struct Base {
    /// Without a slash at the end.
    pub text: String,
    /// Whether the far end is this machine.
    pub loopback: bool,
    /// The host in lower case.
    pub host: String,
    /// What follows the host, without a slash at the end.
    pub path: String,
}

impl Base {
    /// Whether secrets for it may stand in the configuration.
    pub fn literal(&self) -> Literal {
        if self.loopback { Literal::Allowed } else { Literal::Refused }
    }
}

/// Reads `base_url`, which must be there. `what` names the usual one. What is wrong with it is
/// noted; `None` when not even its host is known.
pub(super) fn base_url(table: &Table<'_>, what: &str) -> Option<Base> {
    const KEY: &str = "base_url";
    let text = table.need_text(KEY, what)?;
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            table.wrong(KEY, format!("is not an address ({error}): {what}"));
            return None;
        }
    };
    let Some(host) = url.host_str().map(str::to_owned) else {
        table.wrong(KEY, format!("names no host: {what}"));
        return None;
    };
    let loopback = is_loopback(&host);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => table.wrong(KEY, "plain http is only for this machine itself: use https"),
        _ => table.wrong(KEY, format!("expected an https address: {what}")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        table.wrong(KEY, "must not hold a user or a password: they have keys of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        table.wrong(KEY, "must end before ? and #");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    Some(Base { path, text: url.as_str().trim_end_matches('/').to_owned(), loopback, host })
}

/// Reads `public_url`, which may be left out.
pub(super) fn public_url(table: &Table<'_>) -> Option<String> {
    const KEY: &str = "public_url";
    const WHAT: &str = "where people reach the console, as in \"https://instep.example.com\"";
    table.get(KEY)?;
    let text = table.need_text(KEY, WHAT)?;
    let url = Url::parse(text).ok().filter(Url::has_host);
    let is_known = |url: &Url| matches!(url.scheme(), "https" | "http");
    let bare = |url: &Url| {
        let has_login = !url.username().is_empty() || url.password().is_some();
        !has_login && url.query().is_none() && url.fragment().is_none()
    };
    let Some(url) = url.filter(is_known) else {
        table.wrong(KEY, format!("is not an address of the web: {WHAT}"));
        return None;
    };
    if !bare(&url) {
        table.wrong(KEY, "must hold no user, no password, and nothing after ? or #");
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether this host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

const STORES: [&str; 5] = ["sqlite", "redis", "rediss", "redis+sentinel", "redis+cluster"];

/// What is wrong with the store's address. The address itself is in no message.
pub(super) fn store_problem(url: &str) -> Option<String> {
    let known = "sqlite:PATH, redis://, rediss://, redis+sentinel:// or redis+cluster://";
    let Some((scheme, rest)) = url.split_once(':') else {
        return Some(format!("is not a store's address: expected {known}"));
    };
    if !STORES.contains(&scheme) {
        return Some(match nearest(scheme, STORES) {
            Some("sqlite") => "unknown kind of store, did you mean `sqlite:`?".to_owned(),
            Some(meant) => format!("unknown kind of store, did you mean `{meant}://`?"),
            None => format!("unknown kind of store: expected {known}"),
        });
    }
    if scheme == "sqlite" {
        return rest.is_empty().then(|| "names no file: expected sqlite:PATH".to_owned());
    }
    let host = rest.strip_prefix("//").map(authority).unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let empty = host.split(',').any(|host| host.is_empty() || host.starts_with(':'));
    empty.then(|| format!("names no host: expected {scheme}://HOST:PORT"))
}

/// Whether the store's address holds a password, and whether every host of it is this machine.
pub(super) fn store_password(url: &str) -> (bool, bool) {
    let Some((_, rest)) = url.split_once("://") else { return (false, true) };
    let Some((user, hosts)) = authority(rest).rsplit_once('@') else { return (false, true) };
    let bare = |host: &str| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => host.to_owned(),
    };
    let here = hosts.split(',').all(|host| is_loopback(&bare(host)));
    (user.split_once(':').is_some_and(|(_, password)| !password.is_empty()), here)
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?']).next().unwrap_or_default()
}

//! Who gets in: `[console]`, with its ways to sign in, and the API's tokens.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::address::is_loopback;
use super::secret::{Literal, Slot, Vault};
use super::table::Table;
use super::value::printable;
use super::{ServerSettings, WHOLE};
use crate::model::Access;

/// `[console]`: the pages for people, and the API.
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// `local_accounts`: users of our own, with passwords.
    pub local_accounts: bool,
    /// `api`: whether programs with a token are answered.
    pub api: bool,
    /// `idle_minutes`: whoever does nothing for so long signs in again.
    pub idle: Duration,
    /// `session_hours`: and everybody does after so long.
    pub session: Duration,
    /// `trusted_proxies`: what they say of where a request comes from is believed.
    pub trusted_proxies: Vec<Network>,
    /// `[console.oidc]`
    pub oidc: Option<OidcSettings>,
}

impl ConsoleSettings {
    /// Whether people can sign in in some way; otherwise there is no console.
    pub fn is_on(&self) -> bool {
        self.local_accounts || self.oidc.is_some()
    }
}

/// `[console.oidc]`: sign-in at an OpenID provider.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// `issuer`
    pub issuer: String,
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: SecretString,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `name_claim`: under which people are known here.
    pub name_claim: String,
    /// `access_claim`: what decides what they may do.
    pub access_claim: String,
    /// `viewers`, `operators` and `administrators`: values of that claim, and what they stand for.
    pub access: Vec<(String, Access)>,
}

/// Addresses that begin alike: `10.0.0.0/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is one of them. An IPv4 address is the same however it is written.
    pub fn has(self, address: IpAddr) -> bool {
        let (ours, theirs) = (self.address.to_canonical(), address.to_canonical());
        let alike = |ours: u128, theirs: u128, of: u32| {
            let rest = of.saturating_sub(u32::from(self.bits));
            (ours ^ theirs).checked_shr(rest).unwrap_or(0) == 0
        };
        match (ours, theirs) {
            (IpAddr::V4(a), IpAddr::V4(b)) => alike(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => alike(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }
}

/// Reads `[console]`.
pub(super) fn console(
    table: Table<'_>,
    server: &ServerSettings,
    vault: Vault<'_>,
) -> ConsoleSettings {
    let example = WHOLE
        .get_ref()
        .get("console")
        .and_then(|console| console.get_ref().as_table()?.get("oidc")?.get_ref().as_table());
    let oidc = table.optional("oidc", example);
    let wants_oidc = oidc.is_some();
    let settings = ConsoleSettings {
        local_accounts: table.flag("local_accounts"),
        api: table.flag("api"),
        idle: table.seconds("idle_minutes", 1..=1440) * 60,
        session: table.seconds("session_hours", 1..=168) * 3600,
        trusted_proxies: trusted_proxies(&table),
        oidc: oidc.map(|table| read_oidc(table, vault)),
    };
    if settings.idle > settings.session {
        table.wrong("idle_minutes", "is longer than session_hours: then it never counts");
    }
    match (&server.public_url, settings.is_on() || wants_oidc) {
        (Some(url), true) => {
            let known = Url::parse(url).ok();
            let host = known.as_ref().and_then(Url::host_str).unwrap_or_default();
            if url.starts_with("http://") && !is_loopback(host) {
                let message = "people sign in at server.public_url, which is plain http: passwords \
                               would travel in the clear. Use https there";
                table.notes.wrong("console", table.span("local_accounts"), message);
            }
            if known.as_ref().is_some_and(|url| url.path() != "/") {
                let message = "the console needs a host of its own: take the path out of \
                               server.public_url";
                table.notes.wrong("console", table.span("local_accounts"), message);
            }
        }
        (None, true) if wants_oidc => {
            let message = "the provider sends people back to server.public_url: set it";
            table.wrong("oidc", message);
        }
        (None, true) if !server.listen.ip().is_loopback() => {
            let message = "people sign in over the network: set server.public_url to the https \
                           address of the proxy in front";
            table.wrong("local_accounts", message);
        }
        _ => {}
    }
    table.finish();
    settings
}

fn trusted_proxies(table: &Table<'_>) -> Vec<Network> {
    let network = |text: String| {
        let found = Network::parse(&text);
        if found.is_none() {
            let message = format!(
                "expected addresses as in [\"10.0.0.7\", \"10.1.0.0/16\"], found \"{}\"",
                printable(&text)
            );
            table.wrong("trusted_proxies", message);
        }
        found
    };
    table.texts("trusted_proxies").into_iter().filter_map(network).collect()
}

fn read_oidc(table: Table<'_>, vault: Vault<'_>) -> OidcSettings {
    const ISSUER: &str = "the provider's address as it writes it itself, without \
                          /.well-known/openid-configuration behind it";
    let issuer = table.need_text("issuer", ISSUER).unwrap_or_default();
    let url = Url::parse(issuer).ok().filter(Url::has_host);
    let here = url.as_ref().and_then(Url::host_str).is_some_and(is_loopback);
    match url.as_ref().map(Url::scheme) {
        _ if issuer.is_empty() => {}
        Some("https") => {}
        Some("http") if here => {}
        _ => table.wrong("issuer", format!("expected an https address: {ISSUER}")),
    }
    let client_id =
        table.need_text("client_id", "what the provider calls this console").unwrap_or_default();
    if table.get("client_secret").is_none() {
        let message = "is missing: what the provider gave for this console, \
                       { env = \"INSTEP_OIDC_SECRET\" }";
        table.missing(&["client_secret"], &table.full("client_secret"), message);
    }
    let key = table.full("client_secret");
    let client_secret = table.get("client_secret").and_then(|value| {
        let literal = if here { Literal::Allowed } else { Literal::Refused };
        vault.secret(Slot { key: &key, value, variable: "INSTEP_OIDC_SECRET" }, literal)
    });
    let scopes = table.texts("scopes");
    if !scopes.iter().any(|scope| scope == "openid") {
        table.wrong("scopes", "must have \"openid\" in it");
    }
    let name_claim = table.text_or_default("name_claim").trim();
    let access_claim = table.text_or_default("access_claim").trim();
    for (key, claim) in [("name_claim", name_claim), ("access_claim", access_claim)] {
        if claim.is_empty() {
            table.wrong(key, "is empty: it is the name of something that the provider tells");
        }
    }
    // Whoever is in several lists may what the last one says.
    let mut access = Vec::new();
    let lists = [
        ("viewers", Access::Viewer),
        ("operators", Access::Operator),
        ("administrators", Access::Administrator),
    ];
    for (key, meant) in lists {
        if table.get(key).is_some() {
            access.extend(table.texts(key).into_iter().map(|value| (value, meant)));
        }
    }
    if access.is_empty() {
        let message = "nobody could get in: name values of access_claim in viewers, operators or \
                       administrators";
        table.missing(&["viewers", "operators", "administrators"], table.path(), message);
    }
    let settings = OidcSettings {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: client_secret.unwrap_or_default(),
        scopes,
        name_claim: name_claim.to_owned(),
        access_claim: access_claim.to_owned(),
        access,
    };
    table.finish();
    settings
}

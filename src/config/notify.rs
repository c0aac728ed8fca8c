//! Whom Instep tells: `[mail]`, `[report]` and `[notify]`.

use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use toml::Spanned;
use toml::de::DeValue;

use super::address::is_loopback;
use super::secret::{Literal, Slot, Vault};
use super::table::Table;
use super::value::{Value, kind, printable};
use crate::model::Personal;

/// The most recipients, and the most chats.
const MOST: usize = 50;

/// `[mail]`: the server that takes our mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The host in `server`.
    pub host: String,
    /// The port in `server`.
    pub port: u16,
    /// `tls`
    pub tls: MailTls,
    /// `ca_file`: certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// `user` and `password`.
    pub login: Option<(String, SecretString)>,
    /// `from`
    pub from: String,
    /// `to`
    pub to: Vec<String>,
    /// `timeout_seconds`: how long handing over one mail may take.
    pub timeout: Duration,
}

/// How the connection to the mail server is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// The connection begins in the clear and turns to TLS before anything is said.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: this machine only.
    None,
}

/// `[report]`: the mail after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// `when`
    pub when: ReportWhen,
    /// `personal`
    pub personal: Personal,
}

/// After which runs a report is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportWhen {
    /// After each.
    Always,
    /// When something changed, was held, failed, or was not complete.
    Changes,
    /// After none.
    Never,
}

/// `[notify]`: short messages when a state changes.
#[derive(Clone, Debug)]
pub struct NotifySettings {
    /// `mail`: to those in `[mail]`.
    pub mail: bool,
    /// `chat`
    pub chat: Vec<ChatSettings>,
    /// `quiet_minutes`: nothing is told twice within this time.
    pub quiet: Duration,
    /// `expires_days`: so long before a token or secret expires it is told.
    pub expires: Duration,
}

/// One chat.
#[derive(Clone, Debug)]
pub struct ChatSettings {
    /// `type`
    pub kind: ChatKind,
    /// `url`: whoever knows it can write there, so it never prints.
    pub url: SecretString,
}

/// Whose chat it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Microsoft Teams that begins when a webhook request is received.
    Teams,
}

/// Reads `[mail]`; `None` without a server: then nothing is mailed.
pub(super) fn mail(table: Table<'_>, vault: Vault<'_>) -> Option<MailSettings> {
    const SERVER: &str = "the mail server and its port, as in \"smtp.example.com:587\"";
    let wanted = ["from", "to", "user", "password"].into_iter().any(|key| table.get(key).is_some());
    let on = table.get("server").is_some();
    if wanted && !on {
        table.missing(&["server"], &table.full("server"), format!("is missing: {SERVER}"));
    }
    let address = table.text("server").map(str::trim).and_then(|text| {
        let found = host_and_port(text);
        if found.is_none() {
            table.wrong("server", format!("expected {SERVER}, found \"{}\"", printable(text)));
        }
        found
    });
    let loopback = address.as_ref().is_some_and(|(host, _)| is_loopback(host));
    let words = [("starttls", MailTls::StartTls), ("tls", MailTls::Tls), ("none", MailTls::None)];
    let tls = table.choice("tls", &words);
    if tls == MailTls::None && address.is_some() && !loopback {
        let message = "mail would travel in the clear, which is only for this machine itself: use \
                       \"starttls\" or \"tls\"";
        table.wrong("tls", message);
    }
    let user = table.text("user").map(str::trim);
    if user.is_some_and(str::is_empty) {
        table.wrong("user", "is empty: leave user and password out when the server asks for none");
    }
    let key = table.full("password");
    let password = table.get("password").and_then(|value| {
        let literal = if loopback { Literal::Allowed } else { Literal::Refused };
        vault.secret(Slot { key: &key, value, variable: "INSTEP_MAIL_PASSWORD" }, literal)
    });
    match (user, table.get("password").is_some()) {
        (Some(_), false) => {
            table.wrong("user", "has no password: { env = \"INSTEP_MAIL_PASSWORD\" }");
        }
        (None, true) => table.wrong("password", "has no user: give user too"),
        _ => {}
    }
    let ca_file = table.text("ca_file").map(|path| vault.folder.join(path));
    let timeout = table.seconds("timeout_seconds", 1..=300);
    let (from, to) = if on { addresses(&table) } else { (String::new(), Vec::new()) };
    // What was asked for above counts as known, whether mail is on or not.
    let _ = (table.get("from"), table.get("to"));
    table.finish();
    let (host, port) = address?;
    let login = user.map(str::to_owned).zip(password);
    Some(MailSettings { host, port, tls, ca_file, login, from, to, timeout })
}

/// `from` and `to`. Addresses are in no message: they are people's.
fn addresses(table: &Table<'_>) -> (String, Vec<String>) {
    let wrong = "is not a mail address, as in \"instep@example.com\", without a name in front";
    let is_address = |text: &str| text.parse::<Address>().is_ok();
    let what = "the address from which mail comes, as in \"instep@example.com\"";
    let from = table.need_text("from", what).unwrap_or_default();
    if !from.is_empty() && !is_address(from) {
        table.wrong("from", wrong);
    }
    let what = "who gets reports and notices, as in [\"people-systems@example.com\"]";
    if table.get("to").is_none() {
        table.missing(&["to"], &table.full("to"), format!("is missing: {what}"));
        return (from.to_owned(), Vec::new());
    }
    let to = table.texts("to");
    let list = table.get("to").and_then(|value| value.get_ref().as_array());
    if list.is_some_and(|list| list.is_empty() || list.len() > MOST) {
        table.wrong("to", format!("expected one to {MOST}: {what}"));
    }
    for value in list.into_iter().flat_map(|list| list.iter()) {
        let text = value.get_ref().as_str().map(str::trim).unwrap_or_default();
        if !text.is_empty() && !is_address(text) {
            table.notes.wrong(&table.full("to"), Some(value.span()), wrong);
        }
    }
    (from.to_owned(), to)
}

/// `smtp.example.com:587`, `[::1]:25`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    let is_name = !bare.is_empty()
        && bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    (is_address || is_name).then(|| (bare.to_owned(), port))
}

/// Reads `[report]`.
pub(super) fn report(table: Table<'_>) -> ReportSettings {
    let when = [
        ("always", ReportWhen::Always),
        ("changes", ReportWhen::Changes),
        ("never", ReportWhen::Never),
    ];
    let personal =
        [("none", Personal::None), ("names", Personal::Names), ("values", Personal::Values)];
    let (when, personal) = (table.choice("when", &when), table.choice("personal", &personal));
    table.finish();
    ReportSettings { when, personal }
}

/// Reads `[notify]`.
pub(super) fn notify(table: Table<'_>, vault: Vault<'_>) -> NotifySettings {
    let chat = match table.get("chat").map(Spanned::get_ref) {
        None => Vec::new(),
        Some(DeValue::Array(list)) if list.len() <= MOST => {
            list.iter().filter_map(|value| chat(&table, value, vault)).collect()
        }
        Some(other) => {
            let message = format!("expected a list of up to {MOST} chats, found {}", kind(other));
            table.wrong("chat", message);
            Vec::new()
        }
    };
    let settings = NotifySettings {
        mail: table.flag("mail"),
        chat,
        quiet: table.seconds("quiet_minutes", 1..=10_080) * 60,
        expires: table.seconds("expires_days", 0..=365) * 86_400,
    };
    table.finish();
    settings
}

fn chat(table: &Table<'_>, value: &Value<'_>, vault: Vault<'_>) -> Option<ChatSettings> {
    const TYPE: &str = "\"slack\" or \"teams\"";
    let key = table.full("chat");
    let wrong = |message: String| {
        table.notes.wrong(&key, Some(value.span()), message);
        None
    };
    let DeValue::Table(given) = value.get_ref() else {
        let example = "{ type = \"slack\", url = { env = \"SLACK_URL\" } }";
        return wrong(format!("expected {example}, found {}", kind(value.get_ref())));
    };
    let entry = Table::new(table.notes, key.clone(), Some(value.span()), Some(given), None);
    let kind = match entry.need_text("type", TYPE) {
        Some("slack") => Some(ChatKind::Slack),
        Some("teams") => Some(ChatKind::Teams),
        Some(other) => {
            entry.wrong("type", format!("expected {TYPE}, found \"{}\"", printable(other)));
            None
        }
        None => None,
    };
    if entry.get("url").is_none() {
        let message = "is missing: the webhook's address, { env = \"SLACK_URL\" }";
        entry.missing(&["url"], &entry.full("url"), message);
    }
    let url = entry.get("url").and_then(|value| {
        let here = value.get_ref().as_str().and_then(|url| Url::parse(url).ok());
        let here = here.is_some_and(|url| url.host_str().is_some_and(is_loopback));
        let literal = if here { Literal::Allowed } else { Literal::Refused };
        let key = entry.full("url");
        vault.secret(Slot { key: &key, value, variable: "SLACK_URL" }, literal)
    });
    if let Some(message) = url.as_ref().and_then(|url| url_problem(url.expose_secret())) {
        entry.wrong("url", message);
    }
    entry.finish();
    Some(ChatSettings { kind: kind?, url: url? })
}

/// What is wrong with a chat's address. The address itself is in no message.
fn url_problem(url: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(url.trim()) else {
        return Some("is not an address: copy the whole of it from the chat");
    };
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => None,
        ("http", Some(host)) if is_loopback(host) => None,
        ("http", _) => Some("plain http is only for this machine itself: use https"),
        _ => Some("expected an https address"),
    }
}

//! The file, table by table: which keys there are, their bounds, and what must fit together. The
//! far ends' tables are in `ends`.
//!
//! The example configuration stands behind every table, so a default is written nowhere else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};

use super::address::{store_password, store_problem};
use super::ends::{is_name, sources, target};
use super::nearest::nearest;
use super::secret::{Literal, Slot, Vault};
use super::table::{Table, printable};
use super::{
    Expression, FieldRule, HiBobSettings, Learning360Settings, Origin, OutOfScope, RuleSettings,
    ServerSettings, StoreSettings, WorkerSettings,
};
use crate::model::{Field, OnBad, Strength};

/// Calls to the target that one attempt can need, one after the other: find by link, by mail, by
/// name, create, activate, change.
const TARGET_CALLS: u32 = 6;

/// Seconds of a day.
const DAY: u32 = 24 * 60 * 60;

/// Everything the file says. `None` where a problem was noted.
pub(super) struct Parts {
    pub server: ServerSettings,
    pub store: StoreSettings,
    pub worker: WorkerSettings,
    pub sources: BTreeMap<String, HiBobSettings>,
    pub target: Option<Learning360Settings>,
}

/// Reads the whole file. It is right only if nothing was noted in `root.notes`.
pub(super) fn read(root: Table<'_>, text: &str, vault: Vault<'_>) -> Parts {
    let server = server(root.table("server"));
    let store = store(root.table("store"), vault);
    let worker_table = root.table("worker");
    let worker = worker(&worker_table);
    if root.get("rules").is_none() {
        let message =
            "the table [rules] is missing: who is in scope, who is active, and [rules.fields]";
        root.missing(&["rules"], "rules", message);
    }
    let rules = rules(root.table("rules"), text);
    let sources = sources(&root, vault, rules.as_ref());
    if root.get("target").is_none() {
        root.missing(&["target"], "target", "the table [target] is missing: where accounts live");
    }
    let target = target(root.table("target"), vault);
    if let (Some(source), Some(target)) = (sources.values().map(|s| s.timeout).max(), &target) {
        let calls = target.timeout * TARGET_CALLS;
        if worker.lease <= source + calls {
            let message = format!(
                "a lease of {} s does not outlast one attempt, which may take {} s: {} s to read \
                 from the source and {TARGET_CALLS} calls of {} s to the target; set it to {} or \
                 more, or lower a timeout_seconds",
                worker.lease.as_secs(),
                (source + calls).as_secs(),
                source.as_secs(),
                target.timeout.as_secs(),
                (source + calls).as_secs() + 1,
            );
            worker_table.wrong("lease_seconds", message);
        }
    }
    worker_table.finish();
    root.finish();
    Parts { server, store, worker, sources, target }
}

fn server(table: Table<'_>) -> ServerSettings {
    let listen = table.text_or_default("listen");
    let listen = listen.parse().unwrap_or_else(|_| {
        // What is not text was noted already.
        if table.get("listen").is_some_and(|value| value.get_ref().is_str()) {
            let found = printable(listen);
            let message = format!(
                "expected an IP address and a port, as in \"127.0.0.1:8080\", found \"{found}\""
            );
            table.wrong("listen", message);
        }
        SocketAddr::from(([127, 0, 0, 1], 0))
    });
    let settings = ServerSettings {
        listen,
        body_limit: table.size("body_limit", 1024..=16 * 1024 * 1024),
        webhooks_per_second: table.number("webhooks_per_second", 1..=1_000_000),
        connections: table.size("connections", 1..=65_536),
        shutdown: table.seconds("shutdown_seconds", 1..=600),
    };
    table.finish();
    settings
}

fn store(table: Table<'_>, vault: Vault<'_>) -> StoreSettings {
    let given = table.get("url");
    let url = match given {
        Some(value) => {
            let key = table.full("url");
            let slot = Slot { key: &key, value, variable: "INSTEP_STORE_URL" };
            vault.secret(slot, Literal::Allowed)
        }
        None => Some(SecretString::from(table.text_or_default("url"))),
    };
    if let Some(message) = url.as_ref().and_then(|url| store_problem(url.expose_secret())) {
        table.wrong("url", message);
    }
    if let (Some(url), Some(true)) = (&url, given.map(|value| value.get_ref().is_str())) {
        let (password, here) = store_password(url.expose_secret());
        if password && !here {
            let message = "holds a password: keep it out of this file with \
                           url = { env = \"INSTEP_STORE_URL\" }";
            table.warn("url", message);
        }
    }
    let namespace = table.text_or_default("namespace");
    if !is_name(namespace, "_-") && table.get("namespace").is_some_and(|v| v.get_ref().is_str()) {
        table.wrong("namespace", "expected 1 to 32 characters of a-z 0-9 _ -");
    }
    let settings = StoreSettings {
        url: url.unwrap_or_default(),
        namespace: namespace.to_owned(),
        keep_events: table.seconds("keep_events_days", 1..=3650) * DAY,
        keep_deliveries: table.seconds("keep_deliveries_days", 1..=3650) * DAY,
    };
    table.finish();
    settings
}

fn worker(table: &Table<'_>) -> WorkerSettings {
    let settings = WorkerSettings {
        lease: table.seconds("lease_seconds", 1..=3600),
        concurrency: table.size("concurrency", 1..=1024),
        attempts: table.number("attempts", 1..=100),
        first_retry: table.seconds("first_retry_seconds", 1..=3600),
        longest_retry: table.seconds("longest_retry_seconds", 1..=86_400),
        second_look: table.seconds("second_look_seconds", 0..=3600),
    };
    let (first, longest) = (settings.first_retry.as_secs(), settings.longest_retry.as_secs());
    if longest < first {
        let message = format!("{longest} is less than first_retry_seconds, which is {first}");
        table.wrong("longest_retry_seconds", message);
    }
    settings
}

const FIELDS: [&str; 9] = [
    "email",
    "username",
    "first_name",
    "last_name",
    "job",
    "lang",
    "organization",
    "phone",
    "deactivate_at",
];

fn rules(table: Table<'_>, text: &str) -> Option<RuleSettings> {
    let in_scope = expression(
        &table,
        text,
        "in_scope",
        "an expression that says who is kept in step, as in \"work.site in ['London', 'Paris']\"",
    );
    let active = expression(
        &table,
        text,
        "active",
        "an expression that says who may use the LMS, as in \"internal.status == 'Active'\"",
    );
    let filters = filters(&table, text);
    let out_of_scope = match table.text_or_default("out_of_scope") {
        "leave" => OutOfScope::Leave,
        "deactivate" => OutOfScope::Deactivate,
        _ => {
            table.wrong("out_of_scope", "expected \"leave\" or \"deactivate\"");
            OutOfScope::Leave
        }
    };
    let only_on_create = field_names(&table, "only_on_create");
    let only_if_empty = field_names(&table, "only_if_empty");
    for name in only_if_empty.iter().filter(|name| only_on_create.contains(name)) {
        table.wrong("only_if_empty", format!("`{name}` is in only_on_create too: choose one"));
    }
    let sign_in = "people sign in with one of them, as in email = \"root.email\"";
    if table.get("fields").is_none() {
        let message = format!("[rules.fields] with email or username is missing: {sign_in}");
        table.missing(&["fields"], &table.full("fields"), message);
    }
    let list = table.table("fields");
    let mut fields = BTreeMap::new();
    for name in FIELDS {
        if list.get(name).is_some() {
            let what = "an expression; leave the key out when nothing shall be written";
            let write = match () {
                () if only_on_create.iter().any(|it| it == name) => Strength::OnCreate,
                () if only_if_empty.iter().any(|it| it == name) => Strength::IfEmpty,
                () => Strength::Always,
            };
            let field = Field::ALL.into_iter().find(|field| field.word() == name);
            let rule = expression(&list, text, name, what).map(|value| FieldRule {
                value,
                write,
                on_bad: OnBad::Refuse,
            });
            fields.extend(field.zip(rule));
        }
    }
    if list.get("email").is_none() && list.get("username").is_none() {
        let message = format!("email or username is missing: {sign_in}");
        list.missing(&["email", "username"], &table.full("fields"), message);
    }
    let external_id = match list.get("external_id") {
        Some(_) => expression(&list, text, "external_id", "an expression, as in \"root.id\""),
        None => Some(Expression {
            key: list.full("external_id"),
            text: list.text_or_default("external_id").to_owned(),
            at: list.span("external_id").map_or(0, |span| span.start),
        }),
    };
    list.finish();
    table.finish();
    let origin = Origin { path: std::path::PathBuf::new(), text: text.to_owned() };
    let rules = RuleSettings::of(in_scope?, active?, external_id?);
    Some(RuleSettings { origin, filters, out_of_scope, fields, ..rules })
}

/// A list of names of fields.
fn field_names(table: &Table<'_>, key: &'static str) -> Vec<String> {
    let names = table.texts(key);
    for name in names.iter().filter(|name| !FIELDS.contains(&name.as_str())) {
        let advice = nearest(name, FIELDS).map_or_else(
            || format!("known here: {}", FIELDS.join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        table.wrong(key, format!("unknown field `{}`, {advice}", printable(name)));
    }
    names
}

/// `[rules.filters]`: further filters, under names of the administrator's own.
fn filters(rules: &Table<'_>, file: &str) -> Vec<Expression> {
    let list = rules.table("filters");
    let mut filters = Vec::new();
    for (name, span, value) in list.entries() {
        let key = list.full(name);
        match value.get_ref().as_str() {
            Some(expression) if !expression.trim().is_empty() => {
                filters.push(placed(key, expression, value.span(), file));
            }
            _ => {
                let message = "expected an expression that must hold for everyone in scope";
                rules.notes.wrong(&key, Some(span), message);
            }
        }
    }
    filters
}

fn expression(table: &Table<'_>, file: &str, key: &'static str, what: &str) -> Option<Expression> {
    table.need_text(key, what)?;
    let value = table.get(key)?;
    Some(placed(table.full(key), value.get_ref().as_str()?, value.span(), file))
}

/// An expression with the place where its text begins.
fn placed(key: String, text: &str, span: Range<usize>, file: &str) -> Expression {
    let raw = &file[span.clone()];
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
    // The first line break of a multi-line text is not part of it.
    let line_break = match raw.as_bytes().get(quotes..).unwrap_or_default() {
        [b'\n', ..] if quotes == 3 => 1,
        [b'\r', b'\n', ..] if quotes == 3 => 2,
        _ => 0,
    };
    Expression { key, text: text.to_owned(), at: span.start + quotes + line_break }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use toml::de::{DeTable, DeValue};

    use super::super::secret::Vault;
    use super::super::table::{Notes, Table};
    use super::super::{EXAMPLE, show};

    /// The example with the settings that are off switched on.
    fn complete() -> String {
        let on = |line: &str| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        };
        EXAMPLE.lines().map(on).collect()
    }

    fn keys(path: &str, table: &DeTable<'_>, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let full = format!("{path}{}", key.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                keys(&format!("{full}."), table, found);
            }
            found.insert(full);
        }
    }

    #[test]
    fn the_example_has_every_key_that_is_read_and_no_other() {
        let text = complete();
        let (given, example) = (DeTable::parse(&text).unwrap(), DeTable::parse(EXAMPLE).unwrap());
        let notes = Notes::default();
        let (given, example) = (given.get_ref(), example.get_ref());
        let root = Table::new(&notes, String::new(), None, Some(given), Some(example));
        let env = |_: &str| Some("secret".to_owned());
        super::read(root, &text, Vault { env: &env, folder: Path::new(""), notes: &notes });

        let mut asked: BTreeSet<String> = notes.asked.take().into_iter().collect();
        // A secret's other place; the source's name is no key.
        asked.retain(|key| key.rsplit('.').next() != Some("file"));
        asked.insert("source.bob".to_owned());
        asked.remove("source.bob.webhook_secrets.env");
        let mut found = BTreeSet::new();
        keys("", given, &mut found);
        // The names of filters are the administrator's.
        found.retain(|key| !key.starts_with("rules.filters."));
        assert_eq!(asked, found);

        let tables =
            ["server", "store", "worker", "source", "target", "rules", "filters", "fields", "bob"];
        for key in &found {
            let last = key.rsplit('.').next().unwrap();
            let known = show::is_known(last) || last == "env" || tables.contains(&last);
            assert!(known, "{key}: may its value be shown? Say so in show.rs");
        }
    }
}

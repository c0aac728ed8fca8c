//! The far ends: `[source.NAME]` and `[target]`, each with the keys of its `type`.

use std::collections::BTreeMap;

use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address::{Base, base_url};
use super::nearest::nearest;
use super::rules::{Shelf, blank};
use super::secret::{Literal, Slot, Vault};
use super::table::Table;
use super::value::{kind, printable};
use super::{HiBobSettings, Learning360Settings, RuleSettings};

/// Whether this is 1 to 32 of a-z 0-9 and `more`.
pub(super) fn is_name(text: &str, more: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c);
    (1..=32).contains(&text.len()) && text.chars().all(known)
}

/// Whether this can be a source's name: it is part of the webhook's address.
pub fn is_source_name(text: &str) -> bool {
    is_name(text, "-")
}

/// Every source. `rules` are for those that name no file of their own.
pub(super) fn sources(
    root: &Table<'_>,
    vault: Vault<'_>,
    rules: &RuleSettings,
) -> BTreeMap<String, HiBobSettings> {
    let none = "there is no source: a table [source.NAME] says where employees come from";
    if root.get("source").is_none() {
        root.missing(&["source"], "source", none);
    }
    let mut shelf = Shelf::default();
    let mut sources = BTreeMap::new();
    let example = root.example_table("source").and_then(|all| all.get("bob")?.get_ref().as_table());
    for (name, span, table) in root.named("source", example) {
        if !is_source_name(name) {
            let message = "a source's name is 1 to 32 characters of a-z 0-9 -: it is part of the \
                           webhook's address";
            root.notes.wrong(table.path(), Some(span), message);
        }
        if let Some(settings) = hibob(table, name, vault, (&mut shelf, rules)) {
            sources.insert(name.to_owned(), settings);
        }
    }
    let given = root.get("source").and_then(|value| value.get_ref().as_table());
    if given.is_some_and(DeTable::is_empty) {
        root.wrong("source", none);
    }
    sources
}

/// Reads `type`. Whether the rest of the table can be read as `known`.
fn is_type(table: &Table<'_>, known: &str, later: &[&str]) -> bool {
    let Some(found) = table.need_text("type", &format!("\"{known}\"")) else {
        return true;
    };
    if found == known {
        return true;
    }
    let shown = printable(found);
    if later.contains(&found) {
        let message = format!("\"{shown}\" is not there yet: this version knows \"{known}\"");
        table.wrong("type", message);
        return false;
    }
    let meant = nearest(found, [known]);
    let advice = match meant {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("this version knows \"{known}\""),
    };
    table.wrong("type", format!("unknown type \"{shown}\", {advice}"));
    meant.is_some()
}

/// The variable that the advice names: `BOB_TOKEN` for the source `bob`.
pub(super) fn variable(source: &str, what: &str) -> String {
    format!("{}_{what}", source.to_uppercase().replace('-', "_"))
}

fn hibob(
    table: Table<'_>,
    name: &str,
    vault: Vault<'_>,
    (shelf, shared): (&mut Shelf, &RuleSettings),
) -> Option<HiBobSettings> {
    const USER: &str = "Bob shows it under System settings > Integrations > Service users";
    const SECRETS: &str = "Bob shows it under System settings > Integrations > Webhooks";
    if !is_type(&table, "hibob", &["flat_file", "scim"]) {
        return None;
    }
    let base = base_url(&table, "HiBob's is https://api.hibob.com/v1");
    let literal = base.as_ref().map_or(Literal::Allowed, Base::literal);
    let is_hibob = |base: &Base| base.host.ends_with(".hibob.com");
    if base.as_ref().is_some_and(|base| is_hibob(base) && base.path != "/v1") {
        table.wrong("base_url", "HiBob's ends in /v1: https://api.hibob.com/v1");
    }
    let service_user = table
        .own_text("service_user", &format!("the service user's id, as in SERVICE-1234; {USER}"));
    if service_user.is_some_and(|id| id.contains(|c: char| c == ':' || c.is_control())) {
        table.wrong("service_user", "cannot hold a colon: the token has a key of its own");
    }
    let token = need_secret(&table, "token", &variable(name, "TOKEN"), USER, (vault, literal));
    let key = table.full("webhook_secrets");
    let named = variable(name, "WEBHOOK_SECRET");
    let webhook_secrets = match table.get("webhook_secrets").map(Spanned::get_ref) {
        Some(DeValue::Array(list)) if (1..=5).contains(&list.len()) => list
            .iter()
            .filter_map(|value| vault.secret(Slot { key: &key, value, variable: &named }, literal))
            .collect(),
        Some(other) => {
            let found = match other {
                DeValue::Array(list) => format!("{} of them", list.len()),
                other => kind(other).to_owned(),
            };
            let message = format!(
                "expected a list of one to five secrets, [{{ env = \"{named}\" }}], found {found}"
            );
            table.wrong("webhook_secrets", message);
            Vec::new()
        }
        None => {
            let message = format!("is missing: [{{ env = \"{named}\" }}]; {SECRETS}");
            table.missing(&["webhook_secrets"], &key, message);
            Vec::new()
        }
    };
    let token_expires = table.date("token_expires");
    let company_id = table.text("company_id");
    if company_id.is_some_and(|id| id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit())) {
        table.wrong("company_id", "expected digits, as in \"990017\"");
    }
    let searches_per_minute = table.number("searches_per_minute", 1..=1_000_000);
    if searches_per_minute > 50 && literal == Literal::Refused {
        table.warn("searches_per_minute", "HiBob allows 50 a minute and answers 429 above it");
    }
    let people_per_search = table.size("people_per_search", 1..=100);
    let timeout = table.seconds("timeout_seconds", 1..=300);
    let rules = match table.get("rules") {
        Some(_) => {
            let file = table.need_text("rules", "the file of rules, as in \"bob.rules.toml\"");
            file.map_or_else(blank, |file| shelf.take(&table, vault.folder, file))
        }
        None => shared.clone(),
    };
    table.finish();
    Some(HiBobSettings {
        base_url: base.map(|base| base.text).unwrap_or_default(),
        service_user: service_user.unwrap_or_default().to_owned(),
        token: token.unwrap_or_default(),
        token_expires,
        webhook_secrets,
        company_id: company_id.map(str::to_owned),
        searches_per_minute,
        people_per_search,
        timeout,
        rules,
    })
}

pub(super) fn target(table: Table<'_>, vault: Vault<'_>) -> Option<Learning360Settings> {
    const API: &str = "360Learning shows it under the platform group > Settings > API v2";
    if !is_type(&table, "360learning", &["moodle", "learnamp", "totara", "scim"]) {
        return None;
    }
    let base = base_url(&table, "360Learning's is https://app.360learning.com");
    let literal = base.as_ref().map_or(Literal::Allowed, Base::literal);
    if base.as_ref().is_some_and(|base| base.path.starts_with("/api")) {
        table
            .wrong("base_url", "must end before /api, which is added: https://app.360learning.com");
    }
    let client_id = table.own_text("client_id", &format!("the id of the API credentials; {API}"));
    let client_secret =
        need_secret(&table, "client_secret", "LMS_CLIENT_SECRET", API, (vault, literal));
    let group = "the _id of the group that every new account joins, 24 digits of 0-9 a-f; GET \
                 /api/v2/groups lists them";
    let default_group = table.own_text("default_group", group);
    let is_id = |id: &str| id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if default_group.is_some_and(|id| !is_id(id)) {
        table.wrong("default_group", format!("is not {group}"));
    }
    let writes_per_second = table.number("writes_per_second", 1..=1_000_000);
    let reads_per_second = table.number("reads_per_second", 1..=1_000_000);
    for (key, set, allowed) in
        [("writes_per_second", writes_per_second, 10), ("reads_per_second", reads_per_second, 50)]
    {
        if set > allowed && literal == Literal::Refused {
            let message = format!("360Learning allows {allowed} a second and answers 429 above it");
            table.warn(key, message);
        }
    }
    let settings = Learning360Settings {
        base_url: base.map(|base| base.text).unwrap_or_default(),
        client_id: client_id.unwrap_or_default().to_owned(),
        client_secret: client_secret.unwrap_or_default(),
        client_secret_expires: table.date("client_secret_expires"),
        default_group: default_group.unwrap_or_default().to_owned(),
        activate: table.flag("activate"),
        send_invitation: table.flag("send_invitation"),
        protected: table.texts("protected"),
        protect_admins: table.flag("protect_admins"),
        writes_per_second,
        reads_per_second,
        timeout: table.seconds("timeout_seconds", 1..=300),
    };
    table.finish();
    Some(settings)
}

/// A secret that must be there. `found` says where the far end shows it.
fn need_secret(
    table: &Table<'_>,
    key: &'static str,
    variable: &str,
    found: &str,
    (vault, literal): (Vault<'_>, Literal),
) -> Option<SecretString> {
    let full = table.full(key);
    let Some(value) = table.get(key) else {
        let message = format!("is missing: {{ env = \"{variable}\" }}; {found}, once");
        table.missing(&[key], &full, message);
        return None;
    };
    vault.secret(Slot { key: &full, value, variable }, literal)
}

//! The table `[store]`: where everything is kept, for how long, and with which key it is sealed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use toml::Spanned;
use toml::de::DeValue;

use super::StoreSettings;
use super::address::{store_password, store_problem};
use super::ends::is_name;
use super::file::DAY;
use super::secret::{Literal, Slot, Vault};
use super::table::Table;
use super::value::Value;

pub(super) fn store(table: Table<'_>, vault: Vault<'_>) -> StoreSettings {
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
    let key = table.get("key").and_then(|value| store_key(&table, "key", value, vault));
    let old_keys = match table.get("old_keys").map(Spanned::get_ref) {
        None => Vec::new(),
        Some(DeValue::Array(list)) => {
            list.iter().filter_map(|value| store_key(&table, "old_keys", value, vault)).collect()
        }
        Some(_) => {
            let message = "expected a list of keys, [{ env = \"INSTEP_STORE_OLD_KEY\" }]";
            table.wrong("old_keys", message);
            Vec::new()
        }
    };
    if table.get("key").is_none() && table.get("old_keys").is_some() {
        table.wrong("old_keys", "needs a `key`: the one that seals from now on");
    }
    let settings = StoreSettings {
        url: url.unwrap_or_default(),
        namespace: namespace.to_owned(),
        keep_events: table.seconds("keep_events_days", 1..=3650) * DAY,
        keep_deliveries: table.seconds("keep_deliveries_days", 1..=3650) * DAY,
        keep_runs: table.seconds("keep_runs_days", 1..=3650) * DAY,
        keep_audit: table.seconds("keep_audit_days", 1..=3650) * DAY,
        key,
        old_keys,
    };
    table.finish();
    settings
}

/// A key of the store: 32 bytes in base64.
fn store_key(
    table: &Table<'_>,
    name: &str,
    value: &Value<'_>,
    vault: Vault<'_>,
) -> Option<SecretString> {
    let full = table.full(name);
    let slot = Slot { key: &full, value, variable: "INSTEP_STORE_KEY" };
    let secret = vault.secret(slot, Literal::Refused)?;
    let bytes = BASE64_STANDARD.decode(secret.expose_secret().trim());
    if bytes.is_ok_and(|bytes| bytes.len() == 32) {
        return Some(secret);
    }
    let message = "is not 32 bytes in base64, 44 characters: `openssl rand -base64 32` makes some";
    vault.notes.wrong(&full, Some(value.span()), message.to_owned());
    None
}

//! What of a file's text can be seen by anyone: every other value is hidden, since that of a mistyped
//! key may be a secret.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secret::{is_path, is_variable};

/// Keys whose values can be seen by anyone. Every other value is hidden: that of a mistyped key may
/// be a secret.
const PLAIN: &[&str] = &[
    "listen",
    "body_limit",
    "webhooks_per_second",
    "connections",
    "shutdown_seconds",
    "public_url",
    "local_accounts",
    "api",
    "idle_minutes",
    "session_hours",
    "trusted_proxies",
    "issuer",
    "scopes",
    "name_claim",
    "access_claim",
    "namespace",
    "keep_events_days",
    "keep_deliveries_days",
    "keep_runs_days",
    "keep_audit_days",
    "lease_seconds",
    "concurrency",
    "attempts",
    "first_retry_seconds",
    "longest_retry_seconds",
    "second_look_seconds",
    "full_sync",
    "closer_looks",
    "time_zone",
    "missed",
    "people_percent",
    "fields_percent",
    "percent",
    "least",
    "most",
    "approval_hours",
    "scope",
    "begins",
    "minutes",
    "reason",
    "type",
    "base_url",
    "service_user",
    "company_id",
    "searches_per_minute",
    "people_per_search",
    "per_minute",
    "timeout_seconds",
    "client_id",
    "default_group",
    "activate",
    "send_invitation",
    "writes_per_second",
    "reads_per_second",
    "in_scope",
    "out_of_scope",
    "only_on_create",
    "only_if_empty",
    "active",
    "email",
    "username",
    "first_name",
    "last_name",
    "job",
    "lang",
    "organization",
    "phone",
    "deactivate_at",
    "external_id",
    "protect_admins",
    "rules",
    "time_zone",
    "manager",
    "server",
    "tls",
    "ca_file",
    "when",
    "personal",
    "mail",
    "quiet_minutes",
    "expires_days",
    "public_url",
    "token_expires",
    "client_secret_expires",
    "otlp_endpoint",
    "sample_percent",
];

/// Keys whose values can be seen where only rules stand.
const IN_RULES: &[&str] = &[
    "value",
    "write",
    "on_bad",
    "number",
    "path",
    "when",
    "role",
    "create",
    "who",
    "start_date",
    "days_before",
    "end_date",
    "grace_days",
    "by",
    "one",
    "several",
    "taken",
    "file",
    "keys",
    "on_miss",
];

/// Tables that hold rules, whether `rules` stands before them or not.
const RULES: &[&str] =
    &["rules", "fields", "custom_fields", "groups", "joiner", "leaver", "match", "tables"];

/// Tables whose keys are names of the administrator's own, and their values expressions.
const NAMED: &[&str] = &["filters", "custom_fields"];

/// Keys whose values are hidden: secrets, and mails of people.
const HIDDEN: &[&str] = &[
    "url",
    "token",
    "webhook_secrets",
    "key",
    "old_keys",
    "client_secret",
    "protected",
    "viewers",
    "operators",
    "administrators",
    "user",
    "password",
    "otlp_headers",
    "from",
    "to",
];

/// Whether it was decided if this key's value can be seen.
#[cfg(test)]
pub(super) fn is_known(key: &str) -> bool {
    [PLAIN, IN_RULES, HIDDEN].iter().any(|list| list.contains(&key))
}

/// The parts of a text that nobody may see.
#[derive(Default)]
pub(super) struct Veil {
    /// Shown as a mask.
    pub values: Vec<Range<usize>>,
    /// Left away: they may hold what was once a value.
    pub comments: Vec<Range<usize>>,
}

impl Veil {
    pub fn over(text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Self { values: hidden_by_line(text), comments: Vec::new() };
        }
        let (mut leaves, mut values) = (Vec::new(), Vec::new());
        for (key, value) in table.get_ref() {
            walk(key.get_ref(), value, Within::Any, &mut |span, hidden| {
                leaves.push(span.clone());
                if hidden {
                    values.push(span);
                }
            });
        }
        Self { values, comments: comments(text, &leaves) }
    }
}

/// What a value belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Any,
    /// A table of the rules.
    Rules,
    /// The value of a hidden key.
    Secret,
}

/// Calls `leaf` for each value that holds no others, and says whether it is hidden.
fn walk(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    within: Within,
    leaf: &mut dyn FnMut(Range<usize>, bool),
) {
    match value.get_ref() {
        DeValue::Table(table) => {
            let within = match within {
                Within::Secret => Within::Secret,
                _ if HIDDEN.contains(&key) => Within::Secret,
                Within::Any if RULES.contains(&key) => Within::Rules,
                within => within,
            };
            for (name, value) in table {
                let name = if NAMED.contains(&key) { "in_scope" } else { name.get_ref() };
                walk(name, value, within, leaf);
            }
        }
        DeValue::Array(list) => list.iter().for_each(|value| walk(key, value, within, leaf)),
        one => {
            let text = one.as_str().unwrap_or_default();
            let secret = within == Within::Secret;
            let plain = match key {
                "env" if secret => is_variable(text),
                "file" if secret => is_path(text),
                // An address may hold a password where it must not.
                "base_url" => !secret && !text.contains(['@', '?']),
                _ if within == Within::Rules => PLAIN.contains(&key) || IN_RULES.contains(&key),
                _ => !secret && PLAIN.contains(&key),
            };
            leaf(value.span(), !plain);
        }
    }
}

/// Where comments stand: behind a `#` outside of every value.
fn comments(text: &str, values: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('#').map(|found| at + found) {
        at = if let Some(value) = values.iter().find(|value| value.contains(&found)) {
            value.end
        } else {
            let end = text[found..].find('\n').map_or(text.len(), |end| found + end);
            comments.push(found..end);
            end
        };
    }
    comments
}

/// For a text that is not TOML: hides everything but table headers and the lines of plain keys.
fn hidden_by_line(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let shown = shown_of(content);
        let value = &content[shown..];
        if !value.is_empty() {
            let from = start + shown + (value.len() - value.trim_start().len());
            hidden.push(from..start + content.len());
        }
        start += line.len();
    }
    hidden
}

/// How many bytes of a line can be seen when it is not certain what the line is.
fn shown_of(line: &str) -> usize {
    if line.starts_with('[') {
        let header = line.chars().all(|c| c.is_ascii_alphanumeric() || "[]._- ".contains(c));
        return if header { line.len() } else { 0 };
    }
    let Some((key, value)) = line.split_once('=') else { return 0 };
    let name = key.trim();
    // Two lines may have become one.
    let pure = !value.contains(['{', '#', '@', '?']) && !HIDDEN.iter().any(|k| value.contains(k));
    match (PLAIN.contains(&name), HIDDEN.contains(&name)) {
        (true, _) if pure => line.len(),
        (false, false) => 0,
        _ => key.len() + 1,
    }
}

//! The typed configuration: one TOML file whose commented example is itself the defaults.
//!
//! [`load`] reads and checks it and names every problem at once, with file, line and key. Knows no
//! other part of the crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

/// A configuration that was checked; secrets are resolved.
#[derive(Debug)]
pub struct Settings {
    /// The file it came from.
    pub path: PathBuf,
    /// `[server]`
    pub server: ServerSettings,
    /// `[store]`
    pub store: StoreSettings,
    /// `[worker]`
    pub worker: WorkerSettings,
    /// `[source.NAME]`, by name.
    pub sources: BTreeMap<String, HiBobSettings>,
    /// `[target]`
    pub target: Learning360Settings,
    /// `[rules]`
    pub rules: RuleSettings,
}

/// `[server]`: what comes in by HTTP.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// `listen`
    pub listen: std::net::SocketAddr,
    /// `body_limit`, bytes.
    pub body_limit: usize,
    /// `webhooks_per_second`, for each source; more is answered 429.
    pub webhooks_per_second: u32,
    /// `connections`: open at once, at most.
    pub connections: usize,
    /// `shutdown_seconds`: how long a stop may take.
    pub shutdown: Duration,
}

/// `[store]`
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// `url`: it can hold a password, so it never prints.
    pub url: SecretString,
    /// `namespace`: the first part of each Redis key, for a Redis shared with others.
    pub namespace: String,
    /// `keep_events_days`
    pub keep_events: Duration,
    /// `keep_deliveries_days`
    pub keep_deliveries: Duration,
}

/// `[worker]`
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// `lease_seconds`
    pub lease: Duration,
    /// `concurrency`: persons applied at once.
    pub concurrency: usize,
    /// `attempts`: a delivery that failed so often is a dead letter.
    pub attempts: u32,
    /// `first_retry_seconds`
    pub first_retry: Duration,
    /// `longest_retry_seconds`
    pub longest_retry: Duration,
    /// `second_look_seconds`: HiBob may show a change up to 20 s late. Zero switches it off.
    pub second_look: Duration,
}

/// `[source.NAME]` with `type = "hibob"`.
#[derive(Clone, Debug)]
pub struct HiBobSettings {
    /// `base_url`, without a slash at the end: `https://api.hibob.com/v1`.
    pub base_url: String,
    /// `service_user`
    pub service_user: String,
    /// `token`
    pub token: SecretString,
    /// `webhook_secrets`: any of them may sign, so that a secret can be changed without a gap.
    pub webhook_secrets: Vec<SecretString>,
    /// `company_id`: events of other companies are kept and ignored. Absent: all are taken.
    pub company_id: Option<String>,
    /// `searches_per_minute`
    pub searches_per_minute: u32,
    /// `people_per_search`
    pub people_per_search: usize,
    /// `timeout_seconds`, of one call.
    pub timeout: Duration,
}

/// `[target]` with `type = "360learning"`.
#[derive(Clone, Debug)]
pub struct Learning360Settings {
    /// `base_url`, without a slash at the end: `https://app.360learning.com`.
    pub base_url: String,
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: SecretString,
    /// `default_group`: every new account joins it.
    pub default_group: String,
    /// `activate`: accounts become usable at once instead of waiting for the invitation.
    pub activate: bool,
    /// `send_invitation`: 360Learning mails the invitation when an account is made.
    pub send_invitation: bool,
    /// `protected`: mails or ids of accounts that are never changed.
    pub protected: Vec<String>,
    /// `writes_per_second`
    pub writes_per_second: u32,
    /// `reads_per_second`
    pub reads_per_second: u32,
    /// `timeout_seconds`, of one call.
    pub timeout: Duration,
}

/// `[rules]`: expressions over the employee record.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    /// `in_scope`
    pub in_scope: Expression,
    /// `active`
    pub active: Expression,
    /// `[rules.fields]`, by the field's name: `first_name`. `external_id` is among them.
    pub fields: BTreeMap<String, Expression>,
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The key it is the value of: `rules.fields.email`.
    pub key: String,
    /// The text.
    pub text: String,
    /// Where the text begins in the file, in bytes, quotes excluded; for pointing at an error.
    pub at: usize,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key: `source.bob.token`. Empty for what concerns the whole file.
    pub key: String,
    /// Where in the file, in bytes.
    pub span: Option<std::ops::Range<usize>>,
    /// What is wrong and what to do.
    pub message: String,
}

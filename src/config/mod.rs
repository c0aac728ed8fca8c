//! The typed configuration: one TOML file whose commented example is itself the defaults.
//!
//! [`load`] reads and checks it and names every problem at once, with file, line and key; [`show()`]
//! shows them to a person. Knows the nouns, and no other part of the crate.

mod address;
mod console;
mod ends;
mod file;
mod maintenance;
mod nearest;
mod notes;
mod notify;
mod problem;
mod rules;
mod secret;
mod show;
mod store;
mod sync;
mod table;
mod telemetry;
mod value;
mod veil;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use secrecy::SecretString;
use toml::Spanned;
use toml::de::DeTable;

pub use console::{ConsoleSettings, Network, OidcSettings};
pub use ends::is_source_name;
pub use maintenance::WindowSettings;
pub use nearest::nearest;
pub use notify::{
    ChatKind, ChatSettings, MailSettings, MailTls, NotifySettings, ReportSettings, ReportWhen,
};
pub use problem::{Beside, Expression, Finding, Problem};
pub use rules::{
    FieldRule, GroupRule, Joiner, Leaver, LookupTable, MatchBy, MatchOutcome, MatchRule, OnMiss,
    Origin, OutOfScope, RuleSettings, load_rules,
};
pub use show::{show, show_warnings, veiled};
pub use sync::{
    BrakeSettings, CertificateSettings, Limit, Missed, ReplaySettings, ScheduleSettings,
    SyncSettings,
};
pub use telemetry::{OtlpSettings, TelemetrySettings};

/// The commented example: every key, and the defaults.
pub const EXAMPLE: &str = include_str!("../../deploy/instep.example.toml");

static DEFAULTS: LazyLock<Spanned<DeTable<'static>>> =
    LazyLock::new(|| DeTable::parse(EXAMPLE).expect("a test holds that the example is right"));

/// The example with every setting that is off switched on: the defaults of the tables that need not
/// be there.
static WHOLE: LazyLock<Spanned<DeTable<'static>>> = LazyLock::new(|| {
    DeTable::parse(switched_on().leak()).expect("a test holds that the example is right")
});

/// The example with the settings that are off switched on.
fn switched_on() -> String {
    let is_off =
        |setting: &str| setting.starts_with(|c: char| "[\"".contains(c) || c.is_ascii_lowercase());
    let on = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if is_off(setting) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(on).collect()
}

/// The largest configuration file, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A configuration in order.
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// The file's text, for pointing at what is found out later.
    pub text: String,
    /// What works and yet should be looked at.
    pub warnings: Vec<Problem>,
}

/// A configuration that cannot be used.
pub struct Failed {
    /// The file's text, if it could be read.
    pub text: Option<String>,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
}

// The text can hold secrets.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Loaded");
        shown.field("settings", &self.settings).field("warnings", &self.warnings);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed").field("problems", &self.problems).finish_non_exhaustive()
    }
}

/// Reads and checks the file; secrets come from this process's environment and from files.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(path: &Path) -> Result<Loaded, Failed> {
    let missing = "there is no such file: `instep init` writes one to start from, and --config or \
                   INSTEP_CONFIG says where yours is";
    let text = read(path, missing).map_err(|message| Failed {
        text: None,
        problems: vec![Problem::new("", None, message)],
    })?;
    parse(path, &text, &|name| std::env::var(name).ok())
}

/// The text of a file of ours, or why there is none; `missing` says it when there is no such file.
fn read(path: &Path, missing: &str) -> Result<String, String> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => missing.to_owned(),
        std::io::ErrorKind::IsADirectory => "is a folder, not a file".to_owned(),
        _ => format!("cannot be read: {}", secret::reason(&error)),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 1 MiB: this is not a configuration".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        format!("is not UTF-8 text: look at line {line}")
    })
}

/// Checks the text of a configuration that stands at `path`; `env` looks up variables.
///
/// # Errors
/// Everything that is wrong with it, at once. What is wrong with the TOML itself comes first and
/// alone: until that is put right, nobody can say what the rest means.
pub fn parse(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Failed> {
    let failed = |mut problems: Vec<Problem>| {
        problems.sort_by_cached_key(Problem::order);
        Failed { text: Some(text.to_owned()), problems }
    };
    let (given, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(failed(problem::of_syntax(text, &errors)));
    }
    let notes = notes::Notes::default();
    let (given, example) = (Some(given.get_ref()), Some(DEFAULTS.get_ref()));
    let root = table::Table::new(&notes, String::new(), None, given, example);
    let origin = Origin { path: path.to_owned(), text: text.to_owned() };
    let folder = path.parent().unwrap_or(Path::new(""));
    let parts = file::read(root, &origin, secret::Vault { env, folder, notes: &notes });
    let (problems, warnings) = (notes.problems.take(), notes.warnings.take());
    let (true, Some(target)) = (problems.is_empty(), parts.target) else {
        return Err(failed(problems));
    };
    let settings = Settings {
        path: path.to_owned(),
        server: parts.server,
        console: parts.console,
        store: parts.store,
        worker: parts.worker,
        sync: parts.sync,
        windows: parts.windows,
        sources: parts.sources,
        target,
        mail: parts.mail,
        report: parts.report,
        notify: parts.notify,
        telemetry: parts.telemetry,
    };
    Ok(Loaded { settings, text: text.to_owned(), warnings })
}

/// The example with this source's name, ready to be edited. The name must be one that
/// [`is_source_name`] accepts.
pub fn starter(source: &str) -> String {
    EXAMPLE
        .replace("[source.bob]", &format!("[source.{source}]"))
        .replace("/webhooks/bob", &format!("/webhooks/{source}"))
        .replace("name (bob)", &format!("name ({source})"))
        .replace("bob.rules.toml", &format!("{source}.rules.toml"))
        .replace("BOB_TOKEN", &ends::variable(source, "TOKEN"))
        .replace("bob_token", &ends::variable(source, "TOKEN").to_lowercase())
        .replace("BOB_WEBHOOK_SECRET", &ends::variable(source, "WEBHOOK_SECRET"))
}

/// A configuration that was checked; secrets are resolved.
#[derive(Debug)]
pub struct Settings {
    /// The file it came from.
    pub path: PathBuf,
    /// `[server]`
    pub server: ServerSettings,
    /// `[console]`
    pub console: ConsoleSettings,
    /// `[store]`
    pub store: StoreSettings,
    /// `[worker]`
    pub worker: WorkerSettings,
    /// `[schedule]`, `[certificate]`, `[brake]`, `[replay]`
    pub sync: SyncSettings,
    /// `[maintenance.NAME]`
    pub windows: Vec<WindowSettings>,
    /// `[source.NAME]`, by name.
    pub sources: BTreeMap<String, HiBobSettings>,
    /// `[target]`
    pub target: Learning360Settings,
    /// `[mail]`; without it nothing is mailed.
    pub mail: Option<MailSettings>,
    /// `[report]`
    pub report: ReportSettings,
    /// `[notify]`
    pub notify: NotifySettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
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
    /// `public_url`: where people reach it, without a slash at the end.
    pub public_url: Option<String>,
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
    /// `keep_runs_days`
    pub keep_runs: Duration,
    /// `keep_audit_days`
    pub keep_audit: Duration,
    /// `key`: seals what is stored of people, 32 bytes in base64. Absent: nothing is sealed.
    pub key: Option<SecretString>,
    /// `old_keys`: they still open what they sealed.
    pub old_keys: Vec<SecretString>,
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
    /// `token_expires`: the last day of the token, where somebody knows it.
    pub token_expires: Option<jiff::civil::Date>,
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
    /// The rules for this source's people: a file of their own (`rules = "bob.rules.toml"`), or else
    /// `[rules]`.
    pub rules: RuleSettings,
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
    /// `client_secret_expires`: its last day, where somebody knows it.
    pub client_secret_expires: Option<jiff::civil::Date>,
    /// `default_group`: every new account joins it.
    pub default_group: String,
    /// `activate`: accounts become usable at once instead of waiting for the invitation.
    pub activate: bool,
    /// `send_invitation`: 360Learning mails the invitation when an account is made.
    pub send_invitation: bool,
    /// `protected`: mails or ids of accounts that are never changed.
    pub protected: Vec<String>,
    /// `protect_admins`: nor are accounts that have the role `admin` in some group.
    pub protect_admins: bool,
    /// `writes_per_second`
    pub writes_per_second: u32,
    /// `reads_per_second`
    pub reads_per_second: u32,
    /// `timeout_seconds`, of one call.
    pub timeout: Duration,
}

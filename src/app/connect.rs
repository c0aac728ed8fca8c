//! Ways to everything outside: the store, the sources, the target; and a try of each.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{BuildError, names};
use crate::access::oidc::Oidc;
use crate::access::{tokens, users};
use crate::clock::{Clock, Deadline};
use crate::config::{
    HiBobSettings, Learning360Settings, Problem, RuleSettings, Settings, StoreSettings,
};
use crate::model::{Needs, SourceName};
use crate::provisioning::rules::{RuleProblem, Rules};
use crate::sources::SourceError;
use crate::sources::hibob::client::HiBob;
use crate::store::budget::Budget;
use crate::store::redis::RedisStore;
use crate::store::seal::Keys;
use crate::store::sqlite::{SqliteStore, backup};
use crate::store::{Rate, Store, StoreError};
use crate::targets::TargetError;
use crate::targets::learning360::Learning360;

/// How long a try may take.
const TRY: Duration = Duration::from_secs(60);

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To serve from: of a SQLite file, one process at a time; a Redis is shared.
    Serving,
    /// To look and to replay, beside the process that serves.
    Looking,
}

/// Opens the store that the configuration names.
///
/// # Errors
/// When it cannot be reached, is not of a form that this program knows, or is served from already.
pub async fn open_store(
    settings: &StoreSettings,
    purpose: Purpose,
    clock: &Clock,
) -> Result<Arc<dyn Store>, StoreError> {
    let url = settings.url.expose_secret();
    let keys = store_keys(settings)?;
    let Some(path) = SqliteStore::parse_url(url) else {
        let store = RedisStore::connect(url, &settings.namespace, clock.clone())?;
        return Ok(Arc::new(store.sealed_with(keys)));
    };
    let store = SqliteStore::open_sealed(&path, clock.clone(), keys)?;
    if purpose == Purpose::Serving {
        store.lock_for_serving()?;
    }
    Ok(Arc::new(store))
}

/// The file of the store, when there is none yet.
pub fn missing_store(settings: &StoreSettings) -> Option<PathBuf> {
    let path = SqliteStore::parse_url(settings.url.expose_secret())?;
    (!path.exists()).then(|| std::path::absolute(&path).unwrap_or(path))
}

/// The copies of the store that upgrades have left beside its file. What is erased or sealed in the
/// store stays in them as it was.
pub fn copies_of_store(settings: &StoreSettings) -> Vec<PathBuf> {
    let path = SqliteStore::parse_url(settings.url.expose_secret());
    path.map(|path| backup::copies(&path)).unwrap_or_default()
}

/// The keys that the configuration has for the store.
///
/// # Errors
/// When one of them is none.
pub fn store_keys(settings: &StoreSettings) -> Result<Keys, StoreError> {
    let Some(newest) = &settings.key else { return Ok(Keys::none()) };
    Keys::new(newest, &settings.old_keys)
        .map_err(|error| StoreError::Unreadable { what: "key", why: error.to_string() })
}

/// Compiles the rules.
///
/// # Errors
/// Everything that is wrong with them.
pub fn compile(rules: &RuleSettings) -> Result<Rules, Vec<RuleProblem>> {
    Rules::compile(rules)
}

/// Compiles the rules of all sources; each mistake is told at its place, once for those that share
/// their rules.
pub fn rule_problems(settings: &Settings) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for source in settings.sources.values() {
        let found = compile(&source.rules).err().unwrap_or_default();
        for RuleProblem { key, range, message } in found {
            let problem = source.rules.problem(&key, range, message, &settings.path);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// A HiBob client with its budget.
///
/// # Errors
/// When the client cannot be made.
pub fn hibob(
    name: &SourceName,
    settings: &HiBobSettings,
    fields: Vec<String>,
    store: &Arc<dyn Store>,
) -> Result<HiBob, SourceError> {
    let calls = settings.searches_per_minute;
    let rate = Rate { calls, per: Duration::from_secs(60), burst: (calls / 5).max(1) };
    let budget = Budget::new(store.clone(), format!("{name}:searches"), rate, settings.timeout);
    HiBob::new(name.clone(), settings, fields, Arc::new(budget))
}

/// A 360Learning client with its budgets.
///
/// # Errors
/// When the client cannot be made.
pub fn learning360(
    settings: &Learning360Settings,
    store: &Arc<dyn Store>,
) -> Result<Learning360, TargetError> {
    let budget = |name: &str, calls: u32| {
        let rate = Rate { calls, per: Duration::from_secs(1), burst: (calls / 5).max(1) };
        Arc::new(Budget::new(store.clone(), format!("target:{name}"), rate, settings.timeout))
    };
    let reads = budget("reads", settings.reads_per_second);
    let writes = budget("writes", settings.writes_per_second);
    Learning360::new(settings, reads, writes)
}

/// What a try of something outside showed.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was tried: `store`, `source bob`, `target`.
    pub part: String,
    /// It does not work; otherwise it works, perhaps with a warning.
    pub failed: bool,
    /// What was found, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.message)
    }
}

/// What a try of everything outside showed.
#[derive(Debug, Default)]
pub struct Tried {
    /// Each part that was tried.
    pub findings: Vec<Finding>,
    /// What the rules name and a far end does not have, at its place in the rules.
    pub misnamed: Vec<Problem>,
}

/// Tries the store, each source and the target, and says what does not work and what is risky.
pub async fn try_connections(settings: &Settings, clock: &Clock) -> Tried {
    let mut findings = Vec::new();
    let mut tell = |part: &str, failed: bool, message: String| {
        findings.push(Finding { part: part.to_owned(), failed, message });
    };
    let store = match open_store(&settings.store, Purpose::Looking, clock).await {
        Ok(store) => store,
        Err(error) => {
            tell("store", true, chain(&error));
            return Tried { findings, ..Tried::default() };
        }
    };
    match store.check().await {
        Err(error) => tell("store", true, chain(&error)),
        Ok(warnings) if warnings.is_empty() => tell("store", false, "works".to_owned()),
        Ok(warnings) => {
            for warning in warnings {
                tell("store", false, format!("works, but {warning}"));
            }
        }
    }
    for (failed, message) in try_console(settings, &*store, clock).await {
        tell("console", failed, message);
    }
    for (name, source) in &settings.sources {
        let part = format!("source {name}");
        let problems = match try_source(&SourceName::new(name), source, &store).await {
            Ok(problems) => problems,
            Err(error) => vec![error.to_string()],
        };
        if problems.is_empty() {
            tell(&part, false, "works, and shows every field that the rules use".into());
        }
        for problem in problems {
            tell(&part, true, problem);
        }
    }
    match learning360(&settings.target, &store) {
        Err(error) => tell("target", true, error.to_string()),
        Ok(target) => {
            let problems = target.check(&needs(settings), Deadline::after(TRY)).await;
            if problems.is_empty() {
                tell("target", false, "works, with every scope that is needed".to_owned());
            }
            for problem in problems {
                tell("target", true, problem);
            }
        }
    }
    let misnamed = match names::misnamed(settings, &store).await {
        Ok(misnamed) => {
            if misnamed.is_empty() {
                tell("rules", false, "everything that they name is there".to_owned());
            }
            misnamed
        }
        Err(error) => {
            tell("rules", true, format!("what they name could not be looked up: {error}"));
            Vec::new()
        }
    };
    Tried { findings, misnamed }
}

/// Whether people can sign in, and programs get in, as the configuration says: each finding, and
/// whether it is a failure.
async fn try_console(settings: &Settings, store: &dyn Store, clock: &Clock) -> Vec<(bool, String)> {
    let console = &settings.console;
    let mut found = Vec::new();
    if console.local_accounts {
        let can = |user: &users::User| user.password.is_some();
        found.push(match users::users(store).await {
            Ok(all) if all.iter().any(can) => (false, "users of our own can sign in".to_owned()),
            Ok(_) => (
                false,
                "no user of our own can sign in yet: instep users add NAME --access administrator"
                    .to_owned(),
            ),
            Err(error) => (true, chain(&error)),
        });
    }
    if let (Some(oidc), Some(public)) = (&console.oidc, &settings.server.public_url) {
        let tried = match Oidc::new(oidc.clone(), public, clock.clone()) {
            Ok(oidc) => oidc.check().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        found.push(match tried {
            Ok(()) => (false, "the OpenID provider answers".to_owned()),
            Err(why) => (true, why),
        });
    }
    if console.api {
        let now = clock.now();
        found.push(match tokens::tokens(store).await {
            Ok(all) if all.iter().any(|token| token.expires > now) => {
                (false, "the API has tokens that count".to_owned())
            }
            Ok(_) => (false, "the API has no token yet: instep tokens make NAME".to_owned()),
            Err(error) => (true, chain(&error)),
        });
    }
    found
}

/// Tries a source with those fields that it has; the others are told at their places in the rules.
async fn try_source(
    name: &SourceName,
    source: &HiBobSettings,
    store: &Arc<dyn Store>,
) -> Result<Vec<String>, BuildError> {
    let mut reads = compile(&source.rules).map_err(BuildError::Rules)?.reads();
    let client = hibob(name, source, reads.clone(), store)?;
    // When this fails, so does the try, which says it in full.
    if let Ok(known) = client.fields(Deadline::after(TRY)).await {
        reads.retain(|field| names::knows(&known, field));
    }
    Ok(hibob(name, source, reads, store)?.check(Deadline::after(TRY)).await)
}

/// What the rules of all sources need to know of the target; rules that do not compile need nothing.
fn needs(settings: &Settings) -> Needs {
    let mut all = Needs::default();
    for source in settings.sources.values() {
        if let Ok(rules) = compile(&source.rules) {
            let needs = rules.needs();
            all.groups |= needs.groups;
            all.custom_fields.extend(needs.custom_fields);
        }
    }
    all
}

/// An error with its causes, for a person at a terminal.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

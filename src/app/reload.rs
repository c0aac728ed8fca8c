//! New rules for processes that serve: each reads its own files again, and takes the new rules only
//! if they check. Nothing else of the configuration is taken over.
//!
//! `instep reload` writes a note into the store; every serving process looks at it about once a
//! second, and answers in another note. A signal has one process do the same by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::connect::{compile, hibob, rule_problems};
use super::history;
use crate::clock::Clock;
use crate::config::{self, HiBobSettings, Loaded, Problem, RuleSettings};
use crate::model::SourceName;
use crate::provisioning::rules::Rules;
use crate::store::{Store, StoreError};
use crate::worker::{Live, Worker};

/// The note by which all processes are asked to reload.
const ASKED: &str = "reload";

/// The note in which they answer.
const ANSWERED: &str = "reloaded";

/// How often a process looks whether it is asked.
const LOOK: Duration = Duration::from_secs(1);

/// How often an answer is written again when others answer at the same moment.
const TRIES: usize = 100;

#[derive(Serialize, Deserialize)]
struct Asked {
    id: String,
    /// Who asks.
    #[serde(default)]
    by: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Answered {
    id: String,
    answers: Vec<Answer>,
}

/// What one process made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which: the host's name and the process id.
    pub process: String,
    /// The version of the rules that are live there now, by source.
    pub versions: BTreeMap<SourceName, String>,
    /// Why it refused; empty when it took the new rules.
    pub refused: Vec<String>,
    /// Settings that changed and count only after a restart, by their keys.
    pub restart: Vec<String>,
}

/// Asks every process that serves on this store to reload; answers with the name of the request.
///
/// # Errors
/// When the store does not answer.
pub async fn ask_to_reload(store: &dyn Store, by: &str) -> Result<String, StoreError> {
    let id = uuid::Uuid::now_v7().to_string();
    let asked = json(&Asked { id: id.clone(), by: by.to_owned() });
    // Whoever asks at the same moment asks for the same.
    for _ in 0..TRIES {
        let before = store.note(ASKED).await?;
        if store.put_note(ASKED, before.as_deref(), Some(&asked)).await? {
            break;
        }
    }
    Ok(id)
}

/// What the processes answered to the last request.
///
/// # Errors
/// When the store does not answer.
pub async fn last_answers(store: &dyn Store) -> Result<Vec<Answer>, StoreError> {
    Ok(read(store.note(ANSWERED).await?.as_deref()).answers)
}

/// What the processes have answered so far.
///
/// # Errors
/// When the store does not answer.
pub async fn reload_answers(store: &dyn Store, id: &str) -> Result<Vec<Answer>, StoreError> {
    let answered = read(store.note(ANSWERED).await?.as_deref());
    Ok(if answered.id == id { answered.answers } else { Vec::new() })
}

async fn answer(store: &dyn Store, id: &str, answer: &Answer) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let before = store.note(ANSWERED).await?;
        let mut answered = read(before.as_deref());
        if answered.id != id {
            answered = Answered { id: id.to_owned(), answers: Vec::new() };
        }
        answered.answers.push(answer.clone());
        if store.put_note(ANSWERED, before.as_deref(), Some(&json(&answered))).await? {
            return Ok(());
        }
    }
    Ok(())
}

fn json(note: &impl Serialize) -> String {
    serde_json::to_string(note).unwrap_or_default()
}

/// A note that cannot be read is none: a newer program wrote it.
fn read(note: Option<&str>) -> Answered {
    note.and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default()
}

/// What a process needs to reload.
pub(super) struct Reloader {
    pub(super) workers: Vec<Arc<Worker>>,
    pub(super) sources: BTreeMap<String, HiBobSettings>,
    pub(super) path: std::path::PathBuf,
    /// The configuration as it was at the start: what counts, rules aside.
    pub(super) text: String,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    /// Rung when this process alone shall reload.
    pub(super) bell: Arc<Notify>,
}

impl Reloader {
    /// Reloads whenever it is asked, until it is told to stop.
    pub(super) async fn watch(self, stop: CancellationToken) {
        let first: Vec<_> = self.sources.iter().map(|(name, it)| (name, &it.rules)).collect();
        self.write_down(&first, "the start of a process").await;
        // What was asked for before the start is done: the files were read since.
        let mut last: Option<Option<String>> = None;
        loop {
            match self.store.note(ASKED).await {
                Ok(note) => {
                    let before = last.replace(note.clone());
                    if before.is_some_and(|before| before != note) {
                        self.do_as_asked(note.as_deref()).await;
                    }
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the store is away");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bell.notified() => drop(self.reload("a signal").await),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn do_as_asked(&self, note: Option<&str>) {
        let Some(asked) = note.and_then(|note| serde_json::from_str::<Asked>(note).ok()) else {
            return;
        };
        let made = self.reload(&asked.by).await;
        if let Err(error) = answer(&*self.store, &asked.id, &made).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "reloaded, and the answer could not be written");
        }
    }

    /// Keeps what is live now, for whoever asks what changed.
    async fn write_down(&self, live: &[(&String, &RuleSettings)], by: &str) {
        for (name, rules) in live {
            let source = SourceName::new(*name);
            let now = self.clock.now();
            let written = history::went_live(&*self.store, &source, rules, by, now).await;
            if let Err(error) = written {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%source, error, "that these rules are live is not written down");
            }
        }
    }

    /// Reads the files again and takes the rules, all or none.
    async fn reload(&self, by: &str) -> Answer {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&path)).await;
        let taken = match loaded {
            Ok(Ok(loaded)) => match self.take(&loaded) {
                Ok(restart) => {
                    let sources = loaded.settings.sources.iter();
                    let live: Vec<_> = sources.map(|(name, it)| (name, &it.rules)).collect();
                    self.write_down(&live, by).await;
                    Ok(restart)
                }
                refused => refused,
            },
            Ok(Err(refused)) => Err(refused),
            Err(_) => Err(vec!["reading the files broke down".to_owned()]),
        };
        let mut answer = Answer { process: process(), ..Answer::default() };
        let outcome = if taken.is_ok() { "taken" } else { "refused" };
        metrics::counter!("instep_rules_reloads_total", "outcome" => outcome).increment(1);
        match taken {
            Ok(restart) => answer.restart = restart,
            Err(refused) => {
                for problem in &refused {
                    tracing::error!(problem, "the new rules are refused, the old ones stay");
                }
                answer.refused = refused;
            }
        }
        for worker in &self.workers {
            let version = worker.live().rules.version().to_owned();
            answer.versions.insert(worker.name.clone(), version);
        }
        answer
    }

    /// Takes the rules of a configuration that is in order; answers with what else has changed.
    fn take(&self, loaded: &Loaded) -> Result<Vec<String>, Vec<String>> {
        let mut lives = Vec::new();
        for worker in &self.workers {
            let name = worker.name.as_str();
            // A source that came or went counts after a restart.
            let (Some(new), Some(settings)) =
                (loaded.settings.sources.get(name), self.sources.get(name))
            else {
                continue;
            };
            let rules: Rules = compile(&new.rules)
                .map_err(|_| vec![format!("the rules of {name} do not compile")])?;
            // All but the rules stays as it was at the start.
            let source = hibob(&worker.name, settings, rules.reads(), &self.store)
                .map_err(|error| vec![error.to_string()])?;
            lives.push((worker, Live::new(rules, &new.rules, source)));
        }
        for (worker, live) in lives {
            let before = worker.live().rules.version().to_owned();
            let after = live.rules.version().to_owned();
            worker.replace(live);
            if before == after {
                tracing::info!(source = %worker.name, version = after, "reloaded, the same rules");
            } else {
                tracing::info!(source = %worker.name, before, after, "new rules are live");
            }
        }
        let restart = changed(&self.text, &loaded.text);
        for key in &restart {
            tracing::warn!(key, "this setting has changed and counts only after a restart");
        }
        Ok(restart)
    }
}

/// Reads the configuration; or says in lines what is wrong with it.
pub(super) fn load(path: &Path) -> Result<Loaded, Vec<String>> {
    let loaded = config::load(path).map_err(|failed| {
        let text = failed.text.as_deref();
        failed.problems.iter().map(|problem| line(problem, text)).collect::<Vec<_>>()
    })?;
    let problems = rule_problems(&loaded.settings);
    if problems.is_empty() {
        return Ok(loaded);
    }
    Err(problems.iter().map(|problem| line(problem, Some(&loaded.text))).collect())
}

/// A problem in a line, with its place.
pub(super) fn line(problem: &Problem, text: Option<&str>) -> String {
    let found = problem.finding(text);
    let file = found.file.as_deref().unwrap_or("the configuration");
    let place = found.line.map_or_else(String::new, |line| format!(", line {line}"));
    format!("{file}{place}: {}: {}", found.key, found.message)
}

/// The keys, rules aside, whose values differ between two texts of a configuration.
fn changed(before: &str, after: &str) -> Vec<String> {
    let table = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let mut found = Vec::new();
    differing("", &table(before), &table(after), &mut found);
    found
}

fn differing(path: &str, before: &toml::Table, after: &toml::Table, found: &mut Vec<String>) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let rules = full == "rules" || (path.starts_with("source.") && key == "rules");
        match (before.get(key), after.get(key)) {
            _ if rules => {}
            (Some(toml::Value::Table(before)), Some(toml::Value::Table(after))) => {
                differing(&full, before, after, found);
            }
            (before, after) if before == after => {}
            _ => found.push(full),
        }
    }
}

/// The name of this process among those that share a store.
fn process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "process" } else { host.trim() };
    format!("{host}:{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn changed_settings_are_named_and_rules_are_none() {
        let before = "[server]\nlisten = \"a\"\n[source.bob]\nrules = \"a.toml\"\ntoken = { env = \
                      \"A\" }\n[rules]\nactive = \"true\"\n";
        assert_eq!(changed(before, before), [""; 0]);
        let after = "[server]\nlisten = \"b\"\n[source.bob]\nrules = \"b.toml\"\ntoken = { env = \
                     \"B\" }\n[source.hr]\nrules = \"c\"\n[rules]\nactive = \"false\"\n";
        assert_eq!(changed(before, after), ["server.listen", "source.bob.token.env", "source.hr"]);
    }
}

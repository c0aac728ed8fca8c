//! `instep doctor`: the whole check in one go, with a verdict that can be shown to anybody.
//!
//! Promises: it changes nothing; it goes on whatever part does not answer; what it says holds no
//! secret, no name, no mail and no host but well-known ones (see `veil`).

mod outside;
mod veil;
mod work;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use self::veil::Veil;
use super::{Purpose, open_store, rule_problems, try_connections};
use crate::clock::Clock;
use crate::config::{self, Problem, Settings};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Well,
    /// It works, and somebody should look.
    Look,
    /// It does not work.
    Ill,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Remark {
    /// What: `configuration`, `source bob`, `queue`.
    pub part: String,
    /// How bad it is.
    pub grade: Grade,
    /// What was found, and what to do.
    pub message: String,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// Of this program.
    pub version: &'static str,
    /// What it runs on: `linux x86_64`.
    pub system: String,
    /// When.
    pub at: Timestamp,
    /// The worst of what was found.
    pub verdict: Grade,
    /// Each thing that was looked at.
    pub remarks: Vec<Remark>,
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Remark>);

impl Findings {
    fn tell(&mut self, part: impl Into<String>, grade: Grade, message: impl Into<String>) {
        let remark = Remark { part: part.into(), grade, message: message.into() };
        // One trouble can meet several looks at the same thing.
        if !self.0.iter().any(|it| it.part == remark.part && it.message == remark.message) {
            self.0.push(remark);
        }
    }

    fn well(&mut self, part: impl Into<String>, message: impl Into<String>) {
        self.tell(part, Grade::Well, message);
    }

    fn look(&mut self, part: impl Into<String>, message: impl Into<String>) {
        self.tell(part, Grade::Look, message);
    }

    fn ill(&mut self, part: impl Into<String>, message: impl Into<String>) {
        self.tell(part, Grade::Ill, message);
    }
}

/// Examines everything that belongs to the configuration at `path`.
pub async fn examine(path: &Path, clock: &Clock) -> Diagnosis {
    let mut found = Findings::default();
    let mut veil = Veil::default();
    match config::load(path) {
        Ok(loaded) => {
            let settings = &loaded.settings;
            veil = Veil::over(settings);
            let sources: Vec<&str> = settings.sources.keys().map(String::as_str).collect();
            let message = format!("is in order; sources: {}", sources.join(", "));
            found.well("configuration", message);
            // Warnings quote nothing of what stands there but names of files.
            for warning in &loaded.warnings {
                found.look("configuration", format!("{}: {}", warning.key, warning.message));
            }
            let problems = rule_problems(settings);
            if problems.is_empty() {
                found.well("rules", "compile");
                connected(settings, clock, &mut found).await;
            } else {
                let keys = keys(&problems);
                let message = format!("do not compile: {keys}. `instep check` says why");
                found.ill("rules", message);
            }
            switched(settings, &mut found);
        }
        Err(failed) => {
            // What is wrong can quote what stands there; the keys cannot.
            let message = format!(
                "{} problem(s): {}. `instep check` says what is wrong",
                failed.problems.len(),
                keys(&failed.problems)
            );
            found.ill("configuration", message);
        }
    }
    let mut remarks = found.0;
    for remark in &mut remarks {
        remark.message = veil.hide(&remark.message);
    }
    Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        at: clock.now(),
        verdict: remarks.iter().map(|remark| remark.grade).max().unwrap_or(Grade::Well),
        remarks,
    }
}

/// Everything that is asked of others.
async fn connected(settings: &Settings, clock: &Clock, found: &mut Findings) {
    let tried = try_connections(settings, clock).await;
    for finding in tried.findings {
        let grade = match (finding.failed, finding.message.starts_with("works, but")) {
            (true, _) => Grade::Ill,
            (false, true) => Grade::Look,
            (false, false) => Grade::Well,
        };
        found.tell(finding.part, grade, finding.message);
    }
    if !tried.misnamed.is_empty() {
        let message = format!(
            "name what a far end does not have: {}. `instep check --connect` says what",
            keys(&tried.misnamed)
        );
        found.ill("rules", message);
    }
    outside::clocks(settings, clock, found).await;
    outside::disk(settings, found);
    outside::process(settings, found).await;
    match open_store(&settings.store, Purpose::Looking, clock).await {
        Ok(store) => work::look(&*store, settings, clock.now(), found).await,
        // The try of the store has said why.
        Err(_) => found.ill("queue", "unknown: the store does not answer"),
    }
}

/// What is switched on besides.
fn switched(settings: &Settings, found: &mut Findings) {
    let chats = settings.notify.chat.len();
    let mail = settings.mail.is_some();
    let words = |is: bool| if is { "on" } else { "off" };
    let traces = settings.telemetry.otlp.is_some();
    let message = format!("mail {}, chats {chats}, traces {}", words(mail), words(traces));
    if !mail && chats == 0 {
        found.look("telling", format!("{message}: nobody is told when something goes wrong"));
    } else {
        found.well("telling", message);
    }
}

/// The keys at fault, each once.
fn keys(problems: &[Problem]) -> String {
    let mut keys: Vec<&str> = problems
        .iter()
        .map(|problem| if problem.key.is_empty() { "the file itself" } else { &problem.key })
        .collect();
    keys.dedup();
    keys.join(", ")
}

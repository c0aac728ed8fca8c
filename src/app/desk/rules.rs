//! The deed about rules: every process that serves takes them anew, if they check.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Desk;
use crate::app::reload::{self, Answer};
use crate::app::{misnamed, reload_answers};
use crate::clock::Deadline;
use crate::config::{Loaded, Settings};
use crate::model::{Actor, Outcome, Refused};

/// Processes look about once a second whether they are asked: who has not answered by then does not
/// serve, or is busy.
const WAIT: Duration = Duration::from_millis(2_500);

/// How long the first answer is waited for.
const FIRST: Duration = Duration::from_secs(6);

/// How often answers are looked for.
const LOOK: Duration = Duration::from_millis(100);

impl Desk {
    /// Asks every process to take the rules, and waits for what they say.
    pub(super) async fn reload(&self, actor: &Actor) -> Result<Outcome, Refused> {
        let loaded = self.load().await?.map_err(|problems| Refused::Wrong(problems.join("; ")))?;
        if !self.checked {
            let problems = misnamed(&loaded.settings, &self.store).await.map_err(|error| {
                Refused::Unavailable(format!(
                    "the rules cannot be compared with the far ends: {error}"
                ))
            })?;
            if !problems.is_empty() {
                let lines = problems.iter().map(|it| reload::line(it, Some(&loaded.text)));
                return Err(Refused::Wrong(lines.collect::<Vec<_>>().join("; ")));
            }
        }
        let id = reload::ask_to_reload(&*self.store, &actor.name).await?;
        let answers = self.answers(&id).await?;
        if answers.is_empty() {
            return Err(Refused::Conflict(NOBODY_ANSWERED.to_owned()));
        }
        let refused: Vec<String> = answers
            .iter()
            .filter(|answer| !answer.refused.is_empty())
            .map(|answer| format!("{} refused: {}", answer.process, answer.refused.join("; ")))
            .collect();
        if !refused.is_empty() {
            return Err(Refused::Conflict(refused.join("; ")));
        }
        Ok(Outcome::said(said(&answers, &loaded.settings)))
    }

    /// The configuration as its files are now, or what is wrong with it.
    pub(super) async fn load(&self) -> Result<Result<Loaded, Vec<String>>, Refused> {
        let path = self.settings.path.clone();
        let loaded = tokio::task::spawn_blocking(move || reload::load(&path)).await;
        loaded.map_err(|_| Refused::Unavailable("reading the files broke down".to_owned()))
    }

    async fn answers(&self, id: &str) -> Result<Vec<Answer>, Refused> {
        let (all, first) = (Deadline::after(WAIT), Deadline::after(FIRST));
        loop {
            let answers = reload_answers(&*self.store, id).await?;
            let patience = if answers.is_empty() { first } else { all };
            if patience.left().is_zero() {
                return Ok(answers);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What is told when nobody answered.
pub const NOBODY_ANSWERED: &str = "no process answered: does `instep serve` run on this store? The next one to \
                      start uses these rules";

fn said(answers: &[Answer], settings: &Settings) -> String {
    let mut sentences = Vec::new();
    for (name, source) in &settings.sources {
        let version = &source.rules.version;
        let live = |answer: &&Answer| {
            answer.versions.iter().any(|(of, is)| of.as_str() == name && is == version)
        };
        let (took, all) = (answers.iter().filter(live).count(), answers.len());
        sentences.push(format!("{name}: rules {version} are live in {took} of {all} processes"));
    }
    let restart: BTreeSet<&str> =
        answers.iter().flat_map(|answer| &answer.restart).map(String::as_str).collect();
    if !restart.is_empty() {
        let keys = restart.into_iter().collect::<Vec<_>>().join(", ");
        sentences.push(format!("changed, and counts only after a restart: {keys}"));
    }
    sentences.join("; ")
}

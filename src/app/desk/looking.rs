//! Questions about how things are: the pulse, how far a run is, all that is told of one, the rules.

use super::Desk;
use crate::app::preview::PreviewError;
use crate::app::stage::going;
use crate::app::told::ToldRun;
use crate::app::{BuildError, history, misses, trial};
use crate::clock::Deadline;
use crate::model::explanation::Input;
use crate::model::question::{Answer, Missing, RulesTold, SourceRules, Told, Tried};
use crate::model::{Access, Actor, Refused, RunId, SourceName};
use crate::reconcile;

/// How long what the tables lack is good: all links are read for it.
const COUNTED: std::time::Duration = std::time::Duration::from_secs(60);

/// The longest expression that is tried.
const LONGEST: usize = 4_000;

/// The most people on whom an expression is tried at once.
const PEOPLE: usize = 5;

/// What the lookup tables lack, as it was counted last.
#[derive(Default)]
pub(super) struct Counted {
    last: Option<(Deadline, Missing)>,
    under_way: bool,
}

impl Desk {
    pub(super) async fn pulse(&self) -> Result<Answer, Refused> {
        let Some(pulses) = &self.pulses else {
            return Err(Refused::Unavailable("this process does not serve".to_owned()));
        };
        Ok(Answer::Pulse(Box::new(pulses.now().await?)))
    }

    pub(super) async fn progress(&self, id: &RunId) -> Result<Answer, Refused> {
        let run = self.run(id).await?;
        let watched = reconcile::watched(&*self.store, &self.clock, &run.source).await?;
        let ours = watched.filter(|progress| progress.run.as_ref() == Some(id));
        Ok(Answer::Progress(ours.map(|progress| going(&progress))))
    }

    pub(super) async fn told(&self, id: &RunId) -> Result<Answer, Refused> {
        let run = self.run(id).await?;
        let ToldRun { run, items, before, misses } = ToldRun::read(&*self.store, run).await?;
        Ok(Answer::Told(Box::new(Told { run, items, before, misses })))
    }

    pub(super) async fn rules(&self) -> Result<Answer, Refused> {
        let mut sources = Vec::new();
        for (name, source) in &self.settings.sources {
            let source_name = SourceName::new(name);
            let worker = self.workers.iter().find(|worker| worker.name == source_name);
            let live = worker.map(|worker| worker.live().rules.version().to_owned());
            let versions = history::versions(&*self.store, &source_name).await?;
            sources.push(SourceRules {
                source: source_name,
                live: live.unwrap_or_else(|| source.rules.version.clone()),
                versions,
            });
        }
        Ok(Answer::Rules(Box::new(RulesTold { sources, misses: self.missing() })))
    }

    /// What the tables lack as it was counted last; counts again beside that when it is old.
    fn missing(&self) -> Option<Missing> {
        let mut counted = self.counted();
        let known = counted.last.clone();
        let is_old = known.as_ref().is_none_or(|(good, _)| good.left().is_zero());
        if is_old && !counted.under_way {
            counted.under_way = true;
            let desk = self.clone();
            tokio::spawn(async move {
                let found = misses(&desk.settings, &*desk.store, None).await;
                let at = desk.clock.now();
                let mut counted = desk.counted();
                counted.under_way = false;
                match found {
                    Ok(values) => {
                        counted.last = Some((Deadline::after(COUNTED), Missing { at, values }));
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "what the tables lack cannot be counted");
                    }
                }
            });
        }
        known.map(|(_, missing)| missing)
    }

    pub(super) async fn try_out(
        &self,
        actor: &Actor,
        expression: &str,
        key: &str,
    ) -> Result<Answer, Refused> {
        if actor.access < Access::Operator {
            return Err(Refused::Forbidden(Access::Operator));
        }
        let (expression, key) = (expression.trim(), key.trim());
        if expression.is_empty() || key.is_empty() {
            let said = "give an expression, and somebody by id, mail or full name";
            return Err(Refused::Wrong(said.to_owned()));
        }
        if expression.len() > LONGEST || key.len() > LONGEST {
            return Err(Refused::Wrong(format!("at most {LONGEST} characters are tried")));
        }
        // The tables as their files are now: they may have been reloaded since the start.
        let loaded = self.load().await?.ok();
        let settings = loaded.as_ref().map_or(&*self.settings, |loaded| &loaded.settings);
        let tried = trial::try_expression(settings, &self.store, expression, key).await;
        let tried = tried.map_err(|error| match error {
            PreviewError::Build(BuildError::Rules(problems)) => {
                let told: Vec<String> =
                    problems.into_iter().map(|problem| problem.message).collect();
                Refused::Wrong(format!("the expression does not compile: {}", told.join("; ")))
            }
            error => Refused::Unavailable(error.to_string()),
        })?;
        if tried.is_empty() {
            let said = "nobody is found: give the id, the mail exactly as HiBob has it, or the full \
                        name";
            return Err(Refused::NotFound(said.to_owned()));
        }
        let shown = |input: Input| match input {
            Input::Value(value) => Some(value.to_string()),
            Input::Empty => Some(String::new()),
            Input::Missing | Input::Veiled => None,
        };
        let tried = tried.into_iter().take(PEOPLE).map(|trial| Tried {
            person: trial.person,
            inputs: trial
                .explained
                .inputs
                .into_iter()
                .map(|(name, it)| (name, shown(it)))
                .collect(),
            result: trial.explained.result.map(|value| value.to_string()),
            misses: trial
                .misses
                .into_iter()
                .map(|miss| (miss.table, miss.keys.join(" + ")))
                .collect(),
        });
        Ok(Answer::Tried(tried.collect()))
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

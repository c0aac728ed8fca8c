//! Where people's deeds are done and their questions answered: the command line, the console and the
//! API all come here. So a deed is the same by every way, whoever may not is refused in one place,
//! and each deed is written down before it begins and again when it has ended.
//!
//! A deed writes into the store and nowhere else: what shall change in the target becomes a delivery.

mod deliveries;
mod failures;
mod forget;
mod looking;
mod pauses;
mod people;
mod persons;
mod replay;
mod rules;
mod runs;
mod who;

use std::sync::{Arc, Mutex};

use self::failures::View;
use self::looking::Counted;
pub(super) use self::people::People;
pub(super) use self::persons::Serving;
pub use self::rules::NOBODY_ANSWERED;
use super::pulse::Pulses;
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::question::Answer;
use crate::model::{Actor, AuditEntry, Outcome, Question, Refused, Verb};
use crate::store::forget::without_names;
use crate::store::{Store, StoreError};
use crate::worker::Worker;

/// Does what people want, if they may.
#[derive(Clone)]
pub struct Desk {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    pub(super) clock: Clock,
    failures: Arc<View>,
    /// Those who work in this process.
    workers: Vec<Arc<Worker>>,
    pulses: Option<Arc<Pulses>>,
    counted: Arc<Mutex<Counted>>,
    /// Whoever has the rules reloaded has compared them with the far ends.
    checked: bool,
    /// What only a process that serves knows.
    serving: Option<Arc<Serving>>,
}

impl Desk {
    /// A desk of this store.
    pub fn new(settings: Arc<Settings>, store: Arc<dyn Store>, clock: Clock) -> Self {
        Self {
            settings,
            store,
            clock,
            failures: Arc::default(),
            workers: Vec::new(),
            pulses: None,
            counted: Arc::default(),
            checked: false,
            serving: None,
        }
    }

    /// A desk in a process that serves.
    #[must_use]
    pub(super) fn working(self, workers: Vec<Arc<Worker>>, pulses: Arc<Pulses>) -> Self {
        Self { workers, pulses: Some(pulses), ..self }
    }

    /// The same where people are searched and read.
    #[must_use]
    pub(super) fn serving(self, serving: Serving) -> Self {
        Self { serving: Some(Arc::new(serving)), ..self }
    }

    /// Rules that are reloaded here need not be compared with the far ends any more.
    #[must_use]
    pub fn checked(self) -> Self {
        Self { checked: true, ..self }
    }

    /// Does it, and writes down who did what and what came of it.
    ///
    /// # Errors
    /// When the actor may not, or it cannot be done: then nothing was changed.
    pub async fn act(&self, actor: &Actor, mut verb: Verb) -> Result<Outcome, Refused> {
        if let Some(why) = verb.problem() {
            return Err(Refused::Wrong(why));
        }
        if let Verb::Forget { person, reason: Some(reason) } = &mut verb {
            // What is written down of it must not say what it erases.
            *reason = without_names(&*self.store, person, reason).await?;
        }
        let now = self.clock.now();
        let mut entry = AuditEntry::begun(actor, verb.word(), verb.about(), now);
        entry.reason = verb.reason().map(str::to_owned);
        self.store.write_audit(&entry).await?;
        let needs = verb.needs();
        let done = if actor.access < needs {
            Err(Refused::Forbidden(needs))
        } else {
            Box::pin(self.perform(actor, verb)).await
        };
        entry.refused = done.is_err();
        entry.outcome = Some(match &done {
            Ok(outcome) => outcome.said.clone(),
            Err(refused) => refused.to_string(),
        });
        if let Err(error) = self.store.write_audit(&entry).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, id = entry.id.as_str(), "an audit entry stays without its end");
        }
        done.map(|outcome| Outcome { audit: Some(entry.id), ..outcome })
    }

    async fn perform(&self, actor: &Actor, verb: Verb) -> Result<Outcome, Refused> {
        match verb {
            Verb::Sync { source, plan } => self.sync(actor, source.as_ref(), plan).await,
            Verb::Approve { run, slice, whom } => self.approve(actor, &run, slice, &whom).await,
            Verb::Reject { run, slice, reason } => self.reject(actor, &run, slice, &reason).await,
            Verb::Cancel { run } => self.cancel(actor, &run).await,
            Verb::Forget { person, .. } => self.forget(&person).await,
            Verb::LiftForgetting { person } => self.remember(&person).await,
            Verb::Pause { scope, reason, until } => self.pause(actor, scope, reason, until).await,
            Verb::Resume { scope } => self.resume(actor, &scope).await,
            Verb::SaveUser { name, access, password } => {
                self.save_user(&name, access, password).await
            }
            Verb::RemoveUser { name } => self.remove_user(&name).await,
            Verb::MakeToken { name, access, expires, proof } => {
                self.make_token(actor, name, access, expires, proof).await
            }
            Verb::RevokeToken { name } => self.revoke_token(&name).await,
            Verb::Unmask { .. } => Ok(who::unmasked()),
            Verb::PauseRun { run } => self.pause_run(actor, &run).await,
            Verb::ResumeRun { run } => self.resume_run(&run).await,
            Verb::Replay { which, reason, per_minute } => {
                self.replay(actor, which, &reason, per_minute).await
            }
            Verb::Discard { which, reason } => self.discard(actor, which, &reason).await,
            Verb::SyncPerson { person } => self.sync_person(&person).await,
            Verb::Reload => self.reload(actor).await,
            Verb::Decide { person, choice } => self.decide(&person, choice.as_ref()).await,
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// When the actor may not know, or it cannot be known now.
    pub async fn ask(&self, actor: &Actor, question: Question) -> Result<Answer, Refused> {
        // Everybody who may come in may know this; what is personal is masked where it is shown.
        match question {
            Question::Failures => Ok(Answer::Failures(self.failures().await?)),
            Question::Deliveries { which, before, most } => {
                self.deliveries(which, before, most).await
            }
            Question::Pulse => self.pulse().await,
            Question::Progress(run) => self.progress(&run).await,
            Question::Told(run) => self.told(&run).await,
            Question::Rules => self.rules().await,
            Question::Try { expression, key } => self.try_out(actor, &expression, &key).await,
            Question::People { text, most } => self.people(actor, &text, most).await,
            Question::Explain { person } => self.explain(actor, &person).await,
            Question::Plan { person } => self.plan(actor, &person).await,
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoRun(_) => Self::NotFound(error.to_string()),
            StoreError::LeaseLost | StoreError::AccountTaken(_) => {
                Self::Conflict(error.to_string())
            }
            StoreError::Unavailable { .. } | StoreError::Unreadable { .. } => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

//! A desk that answers with what it was given, does nothing, and writes down what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use instep::clock::Clock;
use instep::http::desk::Desk;
use instep::model::question::Answer;
use instep::model::story::{Planned, Story};
use instep::model::{AuditEntry, Failure, Outcome, Question, Refused, RunId, Somebody, Verb};
use instep::store::{Filter, Store};

/// What the desk knows, and what was wanted of it.
#[derive(Default)]
pub struct Made {
    wanted: Mutex<Vec<Verb>>,
    asked: Mutex<Vec<Question>>,
    people: Mutex<Vec<Somebody>>,
    failures: Mutex<Vec<Failure>>,
    story: Mutex<Option<Story>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Made {
    /// What was wanted since it was asked last.
    pub fn wanted(&self) -> Vec<Verb> {
        std::mem::take(&mut lock(&self.wanted))
    }

    /// What was asked since then.
    pub fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut lock(&self.asked))
    }

    pub fn knows(&self, people: Vec<Somebody>) {
        *lock(&self.people) = people;
    }

    pub fn fails(&self, failures: Vec<Failure>) {
        *lock(&self.failures) = failures;
    }

    pub fn tells(&self, story: Story) {
        *lock(&self.story) = Some(story);
    }

    pub fn desk(self: &Arc<Self>, store: &Arc<dyn Store>, clock: &Clock) -> Desk {
        let (made, asked) = (self.clone(), self.clone());
        let (store, clock, listed) = (store.clone(), clock.clone(), store.clone());
        Desk::new(
            move |actor, verb| {
                let (made, store, now) = (made.clone(), store.clone(), clock.now());
                Box::pin(async move {
                    let mut entry = AuditEntry::begun(&actor, verb.word(), verb.about(), now);
                    entry.refused = actor.access < verb.needs();
                    let needs = verb.needs();
                    entry.outcome = Some(format!("{} is noted", verb.word()));
                    store.write_audit(&entry).await.expect("a store");
                    if entry.refused {
                        return Err(Refused::Forbidden(needs));
                    }
                    let runs = match verb {
                        Verb::Replay { .. } => vec![RunId::new("0199-run")],
                        _ => Vec::new(),
                    };
                    lock(&made.wanted).push(verb);
                    let audit = Some(entry.id);
                    Ok(Outcome { audit, runs, ..Outcome::said("noted") })
                })
            },
            move |_, question| {
                let (made, store) = (asked.clone(), listed.clone());
                Box::pin(async move {
                    lock(&made.asked).push(question.clone());
                    made.answer(question, &*store).await
                })
            },
        )
    }

    async fn answer(&self, question: Question, store: &dyn Store) -> Result<Answer, Refused> {
        let telling = || {
            let told = lock(&self.story).clone();
            told.ok_or_else(|| Refused::Unavailable("HR does not answer".to_owned()))
        };
        Ok(match question {
            Question::Failures => Answer::Failures(lock(&self.failures).clone()),
            Question::Deliveries { which, before, most } => {
                let filter = Filter {
                    state: which.state,
                    source: which.source,
                    employee: which.employee.map(|id| id.to_string()),
                    kind: which.kind,
                    before,
                    ..Filter::default()
                };
                let mut found = store.deliveries(&filter, most + 1).await?;
                let more = found.len() > most;
                found.truncate(most);
                let next = found.last().filter(|_| more).map(|last| last.id.clone());
                Answer::Deliveries { found, next }
            }
            Question::People { most, .. } => {
                Answer::People(lock(&self.people).iter().take(most).cloned().collect())
            }
            Question::Explain { .. } => Answer::Explain(Box::new(telling()?)),
            Question::Plan { .. } => Answer::Plan(Box::new(telling()?.plan)),
            other => return Err(Refused::Wrong(format!("{other:?} is not known here"))),
        })
    }
}

/// What would be done for somebody: nothing.
pub fn nothing_to_do(person: &instep::model::Person) -> Planned {
    Planned {
        person: person.clone(),
        verdict: instep::model::story::Verdict::Unchanged(instep::model::story::Steps::default()),
        said: "nothing to do".to_owned(),
        appointment: None,
        misses: Vec::new(),
    }
}

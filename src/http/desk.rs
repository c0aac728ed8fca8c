//! The way from a page or an API call to the parts that HTTP may not name: deeds and questions go
//! out as plain data, and come back as plain data.

use std::pin::Pin;
use std::sync::Arc;

use super::HttpState;
use crate::model::question::Answer;
use crate::model::{Actor, Outcome, Question, Refused, Verb};

/// What is still being worked out.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Refused>> + Send>>;

/// Does deeds and answers questions.
#[derive(Clone)]
pub struct Desk {
    act: Arc<dyn Fn(Actor, Verb) -> Pending<Outcome> + Send + Sync>,
    ask: Arc<dyn Fn(Actor, Question) -> Pending<Answer> + Send + Sync>,
}

impl Desk {
    /// Made of two functions.
    pub fn new(
        act: impl Fn(Actor, Verb) -> Pending<Outcome> + Send + Sync + 'static,
        ask: impl Fn(Actor, Question) -> Pending<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self { act: Arc::new(act), ask: Arc::new(ask) }
    }

    /// Does it, if the actor may.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn act(&self, actor: &Actor, verb: Verb) -> Result<Outcome, Refused> {
        (self.act)(actor.clone(), verb).await
    }

    /// Answers, if the actor may know.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, actor: &Actor, question: Question) -> Result<Answer, Refused> {
        (self.ask)(actor.clone(), question).await
    }
}

impl HttpState {
    /// Has the desk do it.
    ///
    /// # Errors
    /// Why it was not done.
    pub(super) async fn act(&self, actor: &Actor, verb: Verb) -> Result<Outcome, Refused> {
        self.desk()?.act(actor, verb).await
    }

    /// Asks the desk.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn ask(&self, actor: &Actor, question: Question) -> Result<Answer, Refused> {
        self.desk()?.ask(actor, question).await
    }

    fn desk(&self) -> Result<&Desk, Refused> {
        let nobody = || Refused::Unavailable("nobody is at the desk of this process".to_owned());
        self.desk.as_ref().ok_or_else(nobody)
    }
}

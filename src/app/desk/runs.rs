//! Deeds about runs: one is asked for, its held slices are decided on, it is cancelled.

use std::collections::BTreeSet;

use super::Desk;
use crate::app::ToldRun;
use crate::app::asked::{self, Ask};
use crate::model::words;
use crate::model::{
    Actor, ChangeKind, EmployeeId, Outcome, Refused, Run, RunId, Selection, SourceName,
};
use crate::reconcile::{self, ReconcileError};

/// So many ids are named in a refusal.
const NAMED: usize = 10;

impl Desk {
    /// Asks for a full sync; a process that works makes it.
    pub(super) async fn sync(
        &self,
        actor: &Actor,
        source: Option<&SourceName>,
        plan: bool,
    ) -> Result<Outcome, Refused> {
        let known: Vec<SourceName> = self.settings.sources.keys().map(SourceName::new).collect();
        let sources: Vec<_> = match source {
            Some(source) if !known.contains(source) => {
                return Err(Refused::NotFound(format!("there is no source {source}")));
            }
            Some(source) => vec![source.clone()],
            None => known,
        };
        for source in &sources {
            let ask = Ask::of(&actor.name, &self.clock).looking(plan);
            asked::ask(&*self.store, source, &ask).await?;
        }
        let what = if plan { "a look at what a full sync would change" } else { "a full sync" };
        Ok(Outcome::said(format!("{what} is asked for: it begins within seconds")))
    }

    /// Has held slices applied, or a part of them.
    pub(super) async fn approve(
        &self,
        actor: &Actor,
        id: &RunId,
        slice: Option<ChangeKind>,
        whom: &Selection,
    ) -> Result<Outcome, Refused> {
        let (store, clock) = (&*self.store, &self.clock);
        if self.run(id).await?.is_replay() {
            let confirmed = reconcile::confirm(store, clock, id, slice, whom, &actor.name).await;
            let (_, people) = confirmed?;
            let people = words::people(people);
            let said = format!("confirmed for {people}: each is judged once more by what is true");
            return Ok(Outcome { runs: vec![id.clone()], ..Outcome::said(said) });
        }
        let kinds = self.held(id, slice).await?;
        if let Selection::Only(these) | Selection::Except(these) = whom {
            self.all_belong(id, &kinds, these).await?;
        }
        for kind in &kinds {
            reconcile::approve(store, clock, id, *kind, whom, &actor.name).await?;
        }
        Ok(Outcome {
            runs: vec![id.clone()],
            ..Outcome::said(format!("approved: {}", words(&kinds)))
        })
    }

    /// Refuses who is named and is not in the slices: with one digit wrong, somebody would be left
    /// out or let in whom nobody meant.
    async fn all_belong(
        &self,
        id: &RunId,
        kinds: &[ChangeKind],
        named: &BTreeSet<EmployeeId>,
    ) -> Result<(), Refused> {
        let mut strangers = named.clone();
        for item in ToldRun::items(&*self.store, &self.run(id).await?).await? {
            if let Some(employee) =
                item.employee.filter(|_| item.kind.is_some_and(|it| kinds.contains(&it)))
            {
                strangers.remove(&employee);
            }
        }
        if strangers.is_empty() {
            return Ok(());
        }
        let some: Vec<&str> = strangers.iter().take(NAMED).map(EmployeeId::as_str).collect();
        let more = strangers.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (some, kinds) = (some.join(", "), words(kinds));
        Err(Refused::Wrong(format!(
            "nobody is approved: {some}{more} not in this run's slice {kinds}"
        )))
    }

    /// Leaves everything in held slices as it is.
    pub(super) async fn reject(
        &self,
        actor: &Actor,
        id: &RunId,
        slice: Option<ChangeKind>,
        reason: &str,
    ) -> Result<Outcome, Refused> {
        if reason.trim().is_empty() {
            let why = "a reason is needed, for those who read the run later";
            return Err(Refused::Wrong(why.to_owned()));
        }
        if slice.is_none() && self.run(id).await?.is_replay() {
            let (store, clock) = (&*self.store, &self.clock);
            reconcile::reject_preview(store, clock, id, reason, &actor.name).await?;
            let said = "rejected: nothing (more) of it is done";
            return Ok(Outcome { runs: vec![id.clone()], ..Outcome::said(said) });
        }
        let kinds = self.held(id, slice).await?;
        for kind in &kinds {
            let (store, clock) = (&*self.store, &self.clock);
            reconcile::reject(store, clock, id, *kind, reason, &actor.name).await?;
        }
        Ok(Outcome {
            runs: vec![id.clone()],
            ..Outcome::said(format!("rejected: {}", words(&kinds)))
        })
    }

    /// Stops a run.
    pub(super) async fn cancel(&self, actor: &Actor, id: &RunId) -> Result<Outcome, Refused> {
        reconcile::cancel(&*self.store, &self.clock, id, &actor.name).await?;
        let said = "cancelled: what no worker has begun is not applied any more";
        Ok(Outcome { runs: vec![id.clone()], ..Outcome::said(said) })
    }

    /// Queues nothing more of a replay until it is resumed.
    pub(super) async fn pause_run(&self, actor: &Actor, id: &RunId) -> Result<Outcome, Refused> {
        reconcile::pause(&*self.store, id, &actor.name).await?;
        let said = "paused: what is queued goes on, nothing more is queued until it is resumed";
        Ok(Outcome { runs: vec![id.clone()], ..Outcome::said(said) })
    }

    /// Goes on with a paused replay.
    pub(super) async fn resume_run(&self, id: &RunId) -> Result<Outcome, Refused> {
        reconcile::resume(&*self.store, id).await?;
        Ok(Outcome { runs: vec![id.clone()], ..Outcome::said("resumed") })
    }

    /// The slices that are meant: the one that is named, or all that are held.
    async fn held(
        &self,
        id: &RunId,
        slice: Option<ChangeKind>,
    ) -> Result<Vec<ChangeKind>, Refused> {
        if let Some(kind) = slice {
            return Ok(vec![kind]);
        }
        let run = self.run(id).await?;
        let kinds: Vec<ChangeKind> = run.held().map(|slice| slice.kind).collect();
        if kinds.is_empty() {
            return Err(Refused::Conflict(format!("run {id} holds nothing (any more)")));
        }
        Ok(kinds)
    }

    pub(super) async fn run(&self, id: &RunId) -> Result<Run, Refused> {
        let run = self.store.run(id).await?;
        run.ok_or_else(|| Refused::NotFound(format!("there is no run {id}")))
    }
}

fn words(kinds: &[ChangeKind]) -> String {
    kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")
}

impl From<ReconcileError> for Refused {
    fn from(error: ReconcileError) -> Self {
        let said = error.to_string();
        match error {
            ReconcileError::NoRun(_) => Self::NotFound(said),
            ReconcileError::NotHeld(_)
            | ReconcileError::Busy { .. }
            | ReconcileError::TakenOver(_)
            | ReconcileError::Cancelled(_) => Self::Conflict(said),
            ReconcileError::Stopped(_)
            | ReconcileError::Source(_)
            | ReconcileError::Target(_)
            | ReconcileError::Store(_) => Self::Unavailable(said),
        }
    }
}

//! Deeds about deliveries: they are done again, dead letters are closed, one person is looked at now.

use super::Desk;
use crate::model::{
    ASKED, Actor, Arrival, DeliveryId, DeliveryState, Event, Outcome, Person, Refused, Run, RunId,
    RunKind, RunState, SourceName, Which,
};
use crate::reconcile::{self, Turn};
use crate::store::finding::Finding;
use crate::store::{Accepted, Runs, StoreError};

/// So many deliveries can be named one by one.
const MOST_NAMED: usize = 1_000;

/// The longest reason, in bytes.
const LONGEST: usize = 2_000;

/// So many deliveries are looked at to see whether there is something to replay at all; beyond that
/// the preview finds out.
const GLANCE: usize = 20;

/// The most people a minute.
const FASTEST: u32 = 100_000;

impl Desk {
    /// Makes a run for each source that shows what doing deliveries again would change.
    pub(super) async fn replay(
        &self,
        actor: &Actor,
        mut which: Which,
        reason: &str,
        per_minute: Option<u32>,
    ) -> Result<Outcome, Refused> {
        self.check(&which, reason)?;
        // What waits is done anyway.
        let per_minute = per_minute.unwrap_or(self.settings.sync.replay.per_minute);
        if !(1..=FASTEST).contains(&per_minute) {
            return Err(wrong(format!("people a minute: 1 to {FASTEST}")));
        }
        if let Some(cause) = which.cause.take_if(|cause| cause.trim().is_empty()) {
            return Err(wrong(format!("\"{cause}\" is the name of no cause")));
        }
        // Of two who ask for the same at once, one is to see what the other one has made.
        let what = crate::access::digest(&serde_json::to_string(&which).unwrap_or_default());
        let name = format!("asking to replay {what}");
        let turn = Turn::take(&*self.store, &self.clock, name, &actor.name).await?;
        let turn = turn.map_err(|other| {
            Refused::Conflict(format!(
                "{other} asks to replay the same at this moment: `instep runs` shows it"
            ))
        })?;
        let made = self.make_replays(actor, which, reason, per_minute).await;
        turn.end(&*self.store).await;
        made
    }

    async fn make_replays(
        &self,
        actor: &Actor,
        which: Which,
        reason: &str,
        per_minute: u32,
    ) -> Result<Outcome, Refused> {
        let mut runs = Vec::new();
        for source in self.sources(&which)? {
            if let Some(other) = self.same(&source, &which).await? {
                return Err(Refused::Conflict(format!(
                    "{} is replaying the same since {:.0}: `instep runs show {}`",
                    other.asked_by, other.started_at, other.id
                )));
            }
            if !self.has_any(&source, &which).await? {
                continue;
            }
            let reason = reason.trim().to_owned();
            let kind = RunKind::Replay { which: which.clone(), reason, per_minute };
            let now = self.clock.now();
            let run = Run { kind, ..Run::begun(RunId::fresh(), source, &actor.name, now) };
            self.store.save_run(&run).await?;
            runs.push(run.id);
        }
        if runs.is_empty() {
            return Err(Refused::NotFound(
                "there is nothing to replay: no delivery fits that is settled and names somebody \
                 (what full syncs ordered is looked at by the next one)"
                    .to_owned(),
            ));
        }
        let said = "its preview is made now; nothing is done until somebody confirms it";
        Ok(Outcome { runs, ..Outcome::said(said) })
    }

    /// Closes dead letters without doing them again.
    pub(super) async fn discard(
        &self,
        actor: &Actor,
        which: Which,
        reason: &str,
    ) -> Result<Outcome, Refused> {
        self.check(&which, reason)?;
        if reason.trim().is_empty() {
            return Err(wrong("a reason is needed, for those who look at them later".to_owned()));
        }
        if which.state.is_some_and(|state| state != DeliveryState::Dead) {
            return Err(wrong("only dead letters can be discarded".to_owned()));
        }
        let dead = Which { state: Some(DeliveryState::Dead), ..which };
        let reason = format!("discarded by {}: {}", actor.name, reason.trim());
        let (mut finding, mut discarded) = (Finding::of(dead, None), 0);
        while let Some(found) = finding.next(&*self.store).await? {
            let ids: Vec<DeliveryId> = found.into_iter().map(|delivery| delivery.id).collect();
            if !ids.is_empty() {
                let now = self.clock.now();
                let closed = self.store.close(&ids, DeliveryState::Ignored, &reason, now);
                discarded += closed.await?;
            }
        }
        match discarded {
            0 => Err(Refused::NotFound("no dead letter fits".to_owned())),
            1 => Ok(Outcome::said("1 dead letter is discarded")),
            many => Ok(Outcome::said(format!("{many} dead letters are discarded"))),
        }
    }

    /// Reads one person again now.
    pub(super) async fn sync_person(&self, person: &Person) -> Result<Outcome, Refused> {
        if !self.settings.sources.contains_key(person.source.as_str()) {
            return Err(Refused::NotFound(format!("there is no source {}", person.source)));
        }
        let id = person.employee.as_str();
        if id.is_empty() || id.len() > 200 || id.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("that is no employee's id".to_owned()));
        }
        let words = RunId::fresh();
        let event = Event::of_our_own(ASKED, person, words.as_str(), self.clock.now());
        let accepted = self.store.accept(Arrival::live(event)).await?;
        let (Accepted::New(delivery) | Accepted::Repeat(delivery)) = accepted;
        let said = format!("{person} is read again within seconds");
        Ok(Outcome { deliveries: vec![delivery], ..Outcome::said(said) })
    }

    /// Whether it is said which deliveries are meant, and in bounds.
    fn check(&self, which: &Which, words: &str) -> Result<(), Refused> {
        if which.is_empty() {
            return Err(wrong("say which deliveries: give ids or conditions".to_owned()));
        }
        if which.ids.len() > MOST_NAMED {
            let more = format!("at most {MOST_NAMED} ids: use conditions for more");
            return Err(wrong(more));
        }
        let text = which.text.as_deref().unwrap_or_default();
        if words.len() > LONGEST || text.len() > LONGEST {
            return Err(wrong(format!("a text is longer than {LONGEST} bytes")));
        }
        self.sources(which).map(drop)
    }

    /// The sources that are meant.
    fn sources(&self, which: &Which) -> Result<Vec<SourceName>, Refused> {
        let known = self.settings.sources.keys().map(SourceName::new);
        match &which.source {
            Some(source) if !self.settings.sources.contains_key(source.as_str()) => {
                Err(Refused::NotFound(format!("there is no source {source}")))
            }
            Some(source) => Ok(vec![source.clone()]),
            None => Ok(known.collect()),
        }
    }

    /// A replay of the same that has not ended.
    async fn same(&self, source: &SourceName, which: &Which) -> Result<Option<Run>, StoreError> {
        let runs = self.store.runs(Some(source), Runs::Open, usize::MAX).await?;
        let now = self.clock.now();
        // What nobody confirmed in time is over, also while nobody serves who would write it down.
        let is_open = |run: &Run| match run.state {
            RunState::Previewed { until } => until > now,
            RunState::Comparing | RunState::Applying => true,
            RunState::Done | RunState::Cancelled { .. } | RunState::Failed { .. } => false,
        };
        let is_same = |run: &Run| match &run.kind {
            RunKind::Replay { which: other, .. } => other == which,
            RunKind::FullSync => false,
        };
        Ok(runs.into_iter().find(|run| is_open(run) && is_same(run)))
    }

    /// Whether something of a source can be replayed, as far as a glance shows.
    async fn has_any(&self, source: &SourceName, which: &Which) -> Result<bool, StoreError> {
        let theirs = Which { source: Some(source.clone()), ..which.clone() };
        let mut finding = Finding::of(theirs, None);
        for _ in 0..GLANCE {
            let Some(found) = finding.next(&*self.store).await? else { return Ok(false) };
            if found.iter().any(|delivery| reconcile::is_left_alone(delivery).is_none()) {
                return Ok(true);
            }
        }
        Ok(true)
    }
}

fn wrong(why: String) -> Refused {
    Refused::Wrong(why)
}

//! One run of a source at a time: a note that all processes share says who carries it out, and is
//! renewed while they do. Who was silent for too long is dead, and anybody may go on in their place.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::{Progress, ReconcileError, Stage};
use crate::clock::Clock;
use crate::model::{Run, RunId, RunState, SourceName};
use crate::store::{Store, StoreError};

/// How often the note is renewed.
const BEAT: Duration = Duration::from_secs(5);

/// Who was silent for longer is dead.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// Whoever cannot reach the store stops before others take over.
const GIVE_UP: SignedDuration = SignedDuration::from_secs(45);

/// What the note says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// Which run.
    pub run: RunId,
    /// Who asked for it.
    pub by: String,
    /// Since when it is carried out by this process.
    pub since: Timestamp,
    /// When the process was last alive.
    pub beat: Timestamp,
    /// Tells processes apart.
    token: String,
    /// How far the run is.
    pub progress: Progress,
}

/// The right to carry out the full syncs of a source, or one replay.
pub(super) struct Claim {
    store: Arc<dyn Store>,
    clock: Clock,
    name: String,
    /// What is written, as it is written.
    written: Mutex<(Owner, String)>,
}

fn name(source: &SourceName) -> String {
    format!("run:{source}")
}

/// Replays go side by side: a long one must not keep a short one, or the nightly run, waiting.
fn replay_name(run: &RunId) -> String {
    format!("replay:{run}")
}

/// Who carries out a run of this source now; nobody when they are dead.
pub(super) async fn owner(
    store: &dyn Store,
    clock: &Clock,
    source: &SourceName,
) -> Result<Option<Owner>, StoreError> {
    alive(store, clock, &name(source)).await
}

/// Who carries out a replay now; nobody when they are dead.
pub(super) async fn owner_of_replay(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
) -> Result<Option<Owner>, StoreError> {
    alive(store, clock, &replay_name(run)).await
}

async fn alive(store: &dyn Store, clock: &Clock, name: &str) -> Result<Option<Owner>, StoreError> {
    let note = store.note(name).await?;
    let owner = note.and_then(|note| serde_json::from_str::<Owner>(&note).ok());
    Ok(owner.filter(|owner| clock.now().duration_since(owner.beat) <= SILENCE))
}

impl Claim {
    /// Takes the right; refused while somebody has it who is alive.
    pub async fn take(
        store: &Arc<dyn Store>,
        clock: &Clock,
        source: &SourceName,
        run: &RunId,
        by: &str,
    ) -> Result<Self, ReconcileError> {
        Self::take_named(name(source), store, clock, source, run, by).await
    }

    /// Takes the right to carry out a replay.
    pub async fn take_replay(
        store: &Arc<dyn Store>,
        clock: &Clock,
        run: &Run,
    ) -> Result<Self, ReconcileError> {
        let (id, by) = (&run.id, &run.asked_by);
        Self::take_named(replay_name(id), store, clock, &run.source, id, by).await
    }

    async fn take_named(
        name: String,
        store: &Arc<dyn Store>,
        clock: &Clock,
        source: &SourceName,
        run: &RunId,
        by: &str,
    ) -> Result<Self, ReconcileError> {
        loop {
            let before = store.note(&name).await?;
            if let Some(owner) = alive(&**store, clock, &name).await? {
                return Err(ReconcileError::Busy {
                    source_name: source.clone(),
                    run: owner.run,
                    by: owner.by,
                    since: owner.since,
                });
            }
            let now = clock.now();
            let owner = Owner {
                run: run.clone(),
                by: by.to_owned(),
                since: now,
                beat: now,
                token: uuid::Uuid::now_v7().to_string(),
                progress: Progress { run: Some(run.clone()), ..Progress::default() },
            };
            let text = serde_json::to_string(&owner).unwrap_or_default();
            if store.put_note(&name, before.as_deref(), Some(&text)).await? {
                let (store, clock) = (Arc::clone(store), clock.clone());
                return Ok(Self { store, clock, name, written: Mutex::new((owner, text)) });
            }
        }
    }

    /// It is about another run now: one that was left unfinished.
    pub async fn turn_to(&self, run: &RunId, by: &str) -> Result<(), ReconcileError> {
        let progress = Progress { run: Some(run.clone()), ..Progress::default() };
        let done = self
            .write(|owner| {
                owner.run = run.clone();
                by.clone_into(&mut owner.by);
                owner.progress = progress;
            })
            .await?;
        if done { Ok(()) } else { Err(ReconcileError::TakenOver(run.clone())) }
    }

    /// Works on the run for as long as the right to it lasts and nobody stops it. Of one that was
    /// cancelled, gives what is left of it.
    pub async fn during(
        &self,
        work: impl Future<Output = Result<Run, ReconcileError>>,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Run, ReconcileError> {
        let run = self.written.lock().await.0.run.clone();
        let end = tokio::select! {
            biased;
            end = work => end,
            why = self.keep(progress) => Err(why),
            () = stop.cancelled() => Err(ReconcileError::Stopped(run)),
        };
        progress.send_modify(|it| it.stage = Stage::Ended);
        match end {
            Err(ReconcileError::Cancelled(run)) => {
                self.store.run(&run).await?.ok_or(ReconcileError::NoRun(run))
            }
            end => end,
        }
    }

    /// Renews the note until that is not possible any more, or the run is cancelled; says why.
    async fn keep(&self, progress: &watch::Sender<Progress>) -> ReconcileError {
        let progress = progress.subscribe();
        let run = self.written.lock().await.0.run.clone();
        loop {
            tokio::time::sleep(BEAT).await;
            let now = progress.borrow().clone();
            match self.write(|owner| owner.progress = now).await {
                Ok(true) => {}
                Ok(false) => return ReconcileError::TakenOver(run),
                Err(error) => {
                    let last = self.written.lock().await.0.beat;
                    if self.clock.now().duration_since(last) > GIVE_UP {
                        return error.into();
                    }
                }
            }
            if let Ok(Some(stored)) = self.store.run(&run).await
                && matches!(stored.state, RunState::Cancelled { .. })
            {
                return ReconcileError::Cancelled(run);
            }
        }
    }

    /// Gives the right back.
    pub async fn release(self) {
        let (_, text) = self.written.into_inner();
        if let Err(error) = self.store.put_note(&self.name, Some(&text), None).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the note of a run stays until it is out of date");
        }
    }

    async fn write(&self, change: impl FnOnce(&mut Owner)) -> Result<bool, StoreError> {
        let mut written = self.written.lock().await;
        let mut owner = written.0.clone();
        change(&mut owner);
        owner.beat = self.clock.now();
        let text = serde_json::to_string(&owner).unwrap_or_default();
        let done = match self.store.put_note(&self.name, Some(&written.1), Some(&text)).await {
            // It may have been written all the same.
            Err(error) if self.store.note(&self.name).await?.as_ref() != Some(&text) => {
                return Err(error);
            }
            done => done.unwrap_or(true),
        };
        if done {
            *written = (owner, text);
        }
        Ok(done)
    }
}

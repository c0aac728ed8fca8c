//! Full syncs by themselves, in a process that serves: begun when they are due or asked for, and
//! carried on when the process that began them died.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::FullSync;
use super::asked::{self, Ask};
use crate::config::Settings;
use crate::model::{Pauses, Run, RunState};
use crate::reconcile::{Progress, ReconcileError};
use crate::schedule::timetable::Timetable;
use crate::store::StoreError;
use crate::worker::Worker;

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_secs(2);

/// The rest after something that could not be done.
const REST: Duration = Duration::from_secs(10);

/// Keeps one source in step until it is told to stop.
pub(super) async fn keep_in_step(
    worker: Arc<Worker>,
    settings: Arc<Settings>,
    stop: CancellationToken,
) {
    let since = worker.clock.now();
    let mut waits: Option<Ask> = None;
    while !stop.is_cancelled() {
        let desk = Desk { worker: worker.clone(), settings: settings.clone(), stop: stop.clone() };
        let before = waits.take();
        // A panic must not leave a process that never compares again.
        let turn = tokio::spawn(async move { Box::pin(desk.turn(since, before)).await });
        let pause = match turn.await {
            Ok(Ok(Turn::Done)) => LOOK,
            Ok(Ok(Turn::Waits(ask))) => {
                waits = Some(ask);
                REST
            }
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(source = %worker.name, error, "no full sync for the moment");
                REST
            }
            Err(error) => {
                tracing::error!(source = %worker.name, %error, "a full sync broke down");
                REST
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One look.
struct Desk {
    worker: Arc<Worker>,
    settings: Arc<Settings>,
    stop: CancellationToken,
}

/// How a look ended.
enum Turn {
    Done,
    /// Another run is under way: this one waits for its end.
    Waits(Ask),
}

impl Desk {
    async fn turn(&self, since: Timestamp, waits: Option<Ask>) -> Result<Turn, ReconcileError> {
        let (worker, store) = (&*self.worker, &*self.worker.store);
        let now = worker.clock.now();
        if let Some(table) = Timetable::of(&self.settings.sync.schedule) {
            asked::strike(store, &worker.name, &table, since, now).await?;
        }
        let text = store.note(Pauses::NOTE).await?;
        let unreadable = |why| StoreError::Unreadable { what: "pause", why };
        let pauses = Pauses::read(text.as_deref()).map_err(unreadable)?;
        if pauses.stops(&worker.name, now).is_some() {
            // What is asked for, and what is under way, goes on when it is resumed.
            return Ok(Turn::Done);
        }
        if let Some(ask) = asked::take(store, &worker.name, now).await? {
            return self.begin(ask, waits).await;
        }
        let (progress, _) = watch::channel(Progress::default());
        let sync = FullSync::beside(worker, &self.settings);
        match sync.reconciler().resume(&progress, &self.stop).await {
            Ok(Some(run)) => self.ended(&run).await?,
            Ok(None) | Err(ReconcileError::Stopped(_) | ReconcileError::TakenOver(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(Turn::Done)
    }

    /// Makes the run that was asked for.
    async fn begin(&self, ask: Ask, waits: Option<Ask>) -> Result<Turn, ReconcileError> {
        let (worker, store) = (&*self.worker, &*self.worker.store);
        let (progress, mut told) = watch::channel(Progress::default());
        let sync = FullSync::beside(worker, &self.settings);
        let reconciler = sync.reconciler();
        let why = ask.why.clone();
        let run = reconciler.run(&why, ask.only_looks(), &progress, &self.stop);
        tokio::pin!(run);
        let ended = tokio::select! {
            biased;
            ended = &mut run => ended,
            begun = self.begun(&ask, &mut told) => {
                begun?;
                run.await
            }
        };
        match ended {
            Ok(run) => {
                asked::done(store, &worker.name, &ask).await?;
                self.ended(&run).await?;
                Ok(Turn::Done)
            }
            Err(error) => {
                asked::give_back(store, &worker.name, &ask).await?;
                match error {
                    ReconcileError::Busy { .. } => {
                        if waits.is_none_or(|before| before.at != ask.at) {
                            tracing::info!(source = %worker.name, why = ask.why, %error, "waiting");
                        }
                        Ok(Turn::Waits(ask))
                    }
                    ReconcileError::Stopped(_) | ReconcileError::TakenOver(_) => Ok(Turn::Done),
                    error => Err(error),
                }
            }
        }
    }

    /// Crosses out what was asked for as soon as a run that answers it has begun: from then on it is
    /// the run that others carry on.
    async fn begun(
        &self,
        ask: &Ask,
        told: &mut watch::Receiver<Progress>,
    ) -> Result<(), StoreError> {
        let (store, name) = (&*self.worker.store, &self.worker.name);
        loop {
            // The run outlives this: its end of the channel is never gone before.
            let _ = told.changed().await;
            if told.borrow_and_update().run.is_some() && asked::is_begun(store, name, ask).await? {
                return asked::done(store, name, ask).await;
            }
        }
    }

    async fn ended(&self, run: &Run) -> Result<(), StoreError> {
        let Worker { name, store, clock, .. } = &*self.worker;
        let RunState::Failed { reason } = &run.state else {
            tracing::info!(
                source = %name, run = %run.id, people = run.people, in_step = run.in_step,
                changed = run.changed, failed = run.failed, "a full sync has ended"
            );
            return Ok(());
        };
        tracing::error!(source = %name, run = %run.id, reason, "a full sync was not carried through");
        // The clock strikes again; what was lost is not found unless somebody looks.
        if run.asked_by == asked::EMPTIED || run.asked_by == asked::LOST {
            asked::ask(&**store, name, &Ask::of(&run.asked_by, clock)).await?;
        }
        Ok(())
    }
}

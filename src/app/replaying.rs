//! Replays with everything that they need: what becomes of people is foreseen by the previewer. For
//! the command, and for a process that serves, which carries on what was asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::closely::full_name;
use super::preview::{Look, Preview, PreviewError, Previewer, Verdict};
use super::{BuildError, reading::Shown};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::{
    AccountStatus, ChangeKind, DELETED, DeliveryState, Desired, Drift, Field, Run, RunId, RunState,
    SourceName, cause,
};
use crate::provisioning::drift::{differences, gravest};
use crate::reconcile::{
    self, Foreseen, Pending, Progress, ReconcileError, Replayer, Somebody, Then,
};
use crate::store::{Filter, Runs, Store};
use crate::targets::TargetError;
use crate::worker::Worker;

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_secs(1);

/// The rest after something that could not be done.
const REST: Duration = Duration::from_secs(5);

/// So many replays of a source go side by side.
const BESIDE: usize = 4;

/// Carries out the replays of one source.
pub struct Replaying {
    previewer: Previewer,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    clock: Clock,
}

impl Replaying {
    /// For one source of the configuration; none when it has no such source.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub fn of(
        source: &SourceName,
        settings: &Arc<Settings>,
        store: &Arc<dyn Store>,
        clock: &Clock,
    ) -> Result<Option<Self>, BuildError> {
        let mut previewers = Previewer::all(settings, store)?.into_iter();
        let previewer = previewers.find(|previewer| previewer.name() == source);
        Ok(previewer.map(|previewer| Self {
            previewer,
            settings: Arc::clone(settings),
            store: Arc::clone(store),
            clock: clock.clone(),
        }))
    }

    /// Carries a replay on until its preview is there, or all that was confirmed is settled.
    ///
    /// # Errors
    /// When another process has it in hand, or the store is not available.
    pub async fn carry_on(
        &self,
        run: &RunId,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Run, ReconcileError> {
        let foresee = |people: Vec<Somebody>| -> Pending<'_> {
            Box::pin(async move {
                let previewer = self.previewer.afresh(self.clock.now());
                foresee(&previewer, people).await
            })
        };
        let replayer = Replayer {
            name: self.previewer.name(),
            rules: self.previewer.version(),
            foresee: &foresee,
            store: &self.store,
            brake: &self.settings.sync.brake,
            clock: &self.clock,
        };
        replayer.carry_on(run, progress, stop).await
    }
}

/// Carries out the replays of one source until it is told to stop.
pub(super) async fn keep_replaying(
    worker: Arc<Worker>,
    settings: Arc<Settings>,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(BESIDE));
    while !stop.is_cancelled() {
        let pause = match look(&worker, &settings, &room, &stop).await {
            Ok(()) => LOOK,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(source = %worker.name, error, "no replay for the moment");
                REST
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    // What is in hand ends with the token; others carry it on.
    let _ = room.acquire_many(u32::try_from(BESIDE).unwrap_or(1)).await;
}

/// Sets about every replay that nobody has in hand.
async fn look(
    worker: &Arc<Worker>,
    settings: &Arc<Settings>,
    room: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Result<(), ReconcileError> {
    let (store, clock) = (&worker.store, &worker.clock);
    let runs = store.runs(Some(&worker.name), Runs::Open, usize::MAX).await?;
    // The oldest first.
    for run in runs.iter().rev().filter(|run| run.is_replay()) {
        reconcile::expire_preview(&**store, clock, run).await?;
        let waits = matches!(run.state, RunState::Comparing | RunState::Applying);
        if !waits || reconcile::watched_run(&**store, clock, run).await?.is_some() {
            continue;
        }
        let Ok(place) = Arc::clone(room).try_acquire_owned() else { return Ok(()) };
        let (worker, settings) = (Arc::clone(worker), Arc::clone(settings));
        let (id, stop) = (run.id.clone(), stop.clone());
        tokio::spawn(async move {
            if let Err(error) = carry_on(&worker, settings, &id, &stop).await {
                tell(&worker, &id, &error);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(REST) => {}
                }
            }
            drop(place);
        });
    }
    Ok(())
}

fn tell(worker: &Worker, run: &RunId, error: &ReconcileError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(source = %worker.name, %run, error, "a replay has to wait");
}

async fn carry_on(
    worker: &Worker,
    settings: Arc<Settings>,
    run: &RunId,
    stop: &CancellationToken,
) -> Result<(), ReconcileError> {
    let replaying = Replaying {
        previewer: Previewer::beside(worker, &settings)?,
        settings,
        store: Arc::clone(&worker.store),
        clock: worker.clock.clone(),
    };
    let (progress, _) = watch::channel(Progress::default());
    match replaying.carry_on(run, &progress, stop).await {
        Ok(run) => {
            let (id, changed, failed) = (&run.id, run.changed, run.failed);
            match &run.state {
                RunState::Previewed { .. } => {
                    tracing::info!(run = %id, people = run.people, "a replay waits for a human");
                }
                RunState::Failed { reason } => {
                    tracing::error!(run = %id, reason, "a replay was not carried through");
                }
                _ => tracing::info!(run = %id, changed, failed, "a replay has ended"),
            }
            Ok(())
        }
        Err(
            ReconcileError::Busy { .. } | ReconcileError::Stopped(_) | ReconcileError::TakenOver(_),
        ) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What becomes of each of them.
async fn foresee(
    previewer: &Previewer,
    people: Vec<Somebody>,
) -> Result<Vec<Foreseen>, ReconcileError> {
    let ids: Vec<_> = people.iter().map(|somebody| somebody.employee.clone()).collect();
    let shown = previewer.records(&ids).await.map_err(reconcile_error)?;
    let mut foreseen = Vec::with_capacity(people.len());
    match previewer.preview(shown.clone(), Look::Changing).await {
        Ok(previews) => {
            for (somebody, preview) in people.iter().zip(previews) {
                foreseen.push(one(previewer, somebody, &preview).await?);
            }
        }
        // Somebody's account is not as we thought: each is looked at alone, to see whose.
        Err(PreviewError::Target(TargetError::LookAgain { .. } | TargetError::Refused { .. })) => {
            for (somebody, shown) in people.iter().zip(shown) {
                foreseen.push(alone(previewer, somebody, shown).await?);
            }
        }
        Err(error) => return Err(reconcile_error(error)),
    }
    Ok(foreseen)
}

async fn alone(
    previewer: &Previewer,
    somebody: &Somebody,
    shown: Shown,
) -> Result<Foreseen, ReconcileError> {
    match previewer.preview(vec![shown], Look::Changing).await {
        Ok(previews) => match previews.first() {
            Some(preview) => one(previewer, somebody, preview).await,
            None => Ok(nameless(somebody, Then::Nothing(None))),
        },
        Err(PreviewError::Target(
            TargetError::LookAgain { code, advice } | TargetError::Refused { code, advice },
        )) => Ok(nameless(somebody, Then::Fails { code, reason: advice })),
        Err(error) => Err(reconcile_error(error)),
    }
}

fn nameless(somebody: &Somebody, then: Then) -> Foreseen {
    Foreseen { employee: somebody.employee.clone(), name: String::new(), account: None, then }
}

/// What somebody's preview comes to.
async fn one(
    previewer: &Previewer,
    somebody: &Somebody,
    preview: &Preview,
) -> Result<Foreseen, ReconcileError> {
    let known = preview.link.as_ref().and_then(|link| link.account.clone());
    let account = preview.account.as_ref().map(|account| account.id.clone()).or(known);
    let mut name = String::new();
    let fails =
        |code: &str, reason: &str| Then::Fails { code: code.to_owned(), reason: reason.to_owned() };
    let then = match &preview.verdict {
        Verdict::NotShown => not_shown(previewer, somebody, preview).await?,
        Verdict::OutOfScope { filter, .. } => Then::Nothing(Some(filter.clone())),
        Verdict::AsItIs(_) | Verdict::LeftAlone(_) => Then::Nothing(None),
        Verdict::Unknown { rule, missing } if missing.is_empty() => {
            fails("ruleFailed", &format!("{rule} has no result for this record"))
        }
        Verdict::Unknown { rule, missing } => {
            let lacks = missing.join(", ");
            fails("fieldMissing", &format!("HiBob's answer lacks {lacks}, which {rule} needs"))
        }
        Verdict::Refused { code, reason } => fails(code, reason),
        Verdict::Disputed(reason) => fails("disputed", reason),
        Verdict::Planned { desired, plan, .. } => {
            name = named(desired, preview);
            let link = preview.link.clone().unwrap_or_default();
            let account = preview.account.as_ref();
            let drift = differences(plan, account, &link, &preview.catalogue);
            match gravest(plan, account, previewer.now) {
                Some(kind) => Then::Change(kind, drift),
                None => Then::Nothing(None),
            }
        }
    };
    Ok(Foreseen { employee: somebody.employee.clone(), name, account, then })
}

/// What a worker does about somebody whom HR does not show: whom HR deleted is deactivated.
async fn not_shown(
    previewer: &Previewer,
    somebody: &Somebody,
    preview: &Preview,
) -> Result<Then, ReconcileError> {
    let link = preview.link.as_ref();
    let in_use = link
        .is_some_and(|link| link.account.is_some() && link.status != Some(AccountStatus::Deleted));
    if somebody.deleted {
        let drift = vec![Drift::NotShown, Drift::ShouldBeInactive];
        return Ok(if in_use {
            Then::Change(ChangeKind::Deactivate, drift)
        } else {
            Then::Nothing(None)
        });
    }
    let deletion = Filter {
        state: Some(DeliveryState::Done),
        source: Some(preview.person.source.clone()),
        employee: Some(preview.person.employee.as_str().to_owned()),
        kind: Some(DELETED.to_owned()),
        ..Filter::default()
    };
    if !previewer.store.deliveries(&deletion, 1).await?.is_empty() {
        return Ok(Then::Nothing(None));
    }
    let reason = format!("HiBob does not show this person. {}", cause::advice("notVisible"));
    Ok(Then::Fails { code: "notVisible".to_owned(), reason })
}

/// The name by which people know somebody.
fn named(desired: &Desired, preview: &Preview) -> String {
    let part = |field| desired.fields.get(&field).cloned().flatten();
    let parts: Vec<String> =
        [part(Field::FirstName), part(Field::LastName)].into_iter().flatten().collect();
    if parts.is_empty() {
        return preview.account.as_ref().map(full_name).unwrap_or_default();
    }
    parts.join(" ")
}

fn reconcile_error(error: PreviewError) -> ReconcileError {
    match error {
        PreviewError::Source(error) => error.into(),
        PreviewError::Target(error) => error.into(),
        PreviewError::Store(error) => error.into(),
        PreviewError::Build(error) => error.into(),
    }
}

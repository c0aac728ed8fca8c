//! What humans decide about runs: held slices are approved or rejected, a run is cancelled. And what
//! time decides: a slice that nobody approved expires. A replay is confirmed in `confirming`.

use super::{ReconcileError, feeding};
use crate::clock::Clock;
use crate::model::{
    Approval, ChangeKind, Item, Rejection, Run, RunId, RunState, Selection, Slice, SliceState,
};
use crate::store::{Store, StoreError};

/// So many items are read at once.
pub(super) const PORTION: usize = 500;

/// Changes a run as it is now; tried again when somebody else changed it in between. `None` leaves
/// it as it is.
///
/// # Errors
/// When there is no such run, the store is not available, or the change says so.
pub(super) async fn change<T>(
    store: &dyn Store,
    id: &RunId,
    mut change: impl FnMut(&mut Run) -> Result<Option<T>, ReconcileError>,
) -> Result<(Run, Option<T>), ReconcileError> {
    loop {
        let found = store.run(id).await?;
        let mut run = found.ok_or_else(|| ReconcileError::NoRun(id.clone()))?;
        let Some(done) = change(&mut run)? else { return Ok((run, None)) };
        run.revision += 1;
        if store.save_run(&run).await? {
            return Ok((run, Some(done)));
        }
    }
}

/// All items of a run that fit, in their order.
pub(super) async fn items(
    store: &dyn Store,
    run: &RunId,
    fits: impl Fn(&Item) -> bool,
) -> Result<Vec<Item>, StoreError> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let some = store.items(run, after, PORTION).await?;
        let Some(last) = some.last() else { return Ok(found) };
        after = last.number;
        found.extend(some.into_iter().filter(|item| fits(item)));
    }
}

/// Approves a held slice of a run, or a part of it: its people are queued, and judged again by the
/// present truth before anything is applied. [`resume`](super::Reconciler::resume) queues them and
/// follows them to their end.
///
/// # Errors
/// When there is no such run, or nothing in it to approve (any more).
pub async fn approve(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
    kind: ChangeKind,
    whom: &Selection,
    by: &str,
) -> Result<Run, ReconcileError> {
    loop {
        let found = store.run(run).await?;
        let mut found = found.ok_or_else(|| ReconcileError::NoRun(run.clone()))?;
        decidable(&mut found, kind, clock)?;
        let approval = Approval { kind, whom: whom.clone() };
        let is_new = |item: &Item| {
            approval.lets(item) && !found.approvals.iter().any(|before| before.lets(item))
        };
        let more = items(store, run, is_new).await?.len();
        if more == 0 {
            let kind = kind.word();
            return Err(ReconcileError::NotHeld(format!(
                "nobody who was named is held in slice {kind}: `instep runs show {run}` lists them"
            )));
        }
        let slice = decidable(&mut found, kind, clock)?;
        let before = match &slice.state {
            SliceState::Approved { people, .. } => *people,
            _ => 0,
        };
        let people = before + u64::try_from(more).unwrap_or(u64::MAX);
        let (by, at, until) = (by.to_owned(), clock.now(), slice.state.until());
        slice.state = SliceState::Approved { by, at, people, until, rest: None };
        // All in one write: a process that dies before it has approved nothing, and one that dies
        // after it leaves the queueing to whoever follows the run.
        found.approvals.push(approval);
        found.state = RunState::Applying;
        found.ended_at = None;
        found.revision += 1;
        if store.save_run(&found).await? {
            return Ok(found);
        }
    }
}

/// Rejects a held slice, or what is left of one that is approved in part: nothing more of it is ever
/// applied by this run.
///
/// # Errors
/// When there is no such run, or nobody in the slice waits.
pub async fn reject(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
    kind: ChangeKind,
    reason: &str,
    by: &str,
) -> Result<Run, ReconcileError> {
    let at = clock.now();
    let (run, _) = change(store, run, |run| {
        let slice = decidable(run, kind, clock)?;
        if let SliceState::Approved { by, .. } = &slice.state
            && slice.open() == 0
        {
            let word = kind.word();
            return Err(ReconcileError::NotHeld(format!(
                "all of slice {word} was approved by {by}: while the run is under way, `instep runs \
                 cancel` stops what no worker has begun"
            )));
        }
        slice.reject(Rejection { by: by.to_owned(), at, reason: reason.to_owned() });
        Ok(Some(()))
    })
    .await?;
    Ok(run)
}

/// Stops a run: what it queued and no worker has begun is not applied any more, and what it holds is
/// rejected.
///
/// # Errors
/// When there is no such run, or it has ended.
pub async fn cancel(
    store: &dyn Store,
    clock: &Clock,
    run: &RunId,
    by: &str,
) -> Result<Run, ReconcileError> {
    let now = clock.now();
    let (run, _) = change(store, run, |run| {
        if run.ended_at.is_some() {
            let id = &run.id;
            return Err(ReconcileError::NotHeld(format!(
                "run {id} has ended: there is nothing to cancel"
            )));
        }
        for slice in run.slices.iter_mut().filter(|slice| slice.open() > 0) {
            let (by, reason) = (by.to_owned(), "the run was cancelled".to_owned());
            slice.reject(Rejection { by, at: now, reason });
        }
        run.state = RunState::Cancelled { by: by.to_owned() };
        run.ended_at = Some(now);
        Ok(Some(()))
    })
    .await?;
    store.drop_pages(&run.id).await?;
    if run.is_replay() {
        feeding::leave(store, &run).await?;
    }
    Ok(run)
}

/// Lets slices expire whose time is over.
pub(super) async fn expire(
    store: &dyn Store,
    clock: &Clock,
    run: &Run,
) -> Result<(), ReconcileError> {
    let now = clock.now();
    let is_over =
        |slice: &Slice| matches!(slice.state, SliceState::Held { until, .. } if until <= now);
    if !run.slices.iter().any(is_over) {
        return Ok(());
    }
    change(store, &run.id, |run| {
        let mut over = run.slices.iter_mut().filter(|slice| is_over(slice)).peekable();
        if over.peek().is_none() {
            return Ok(None);
        }
        over.for_each(|slice| slice.state = SliceState::Expired);
        Ok(Some(()))
    })
    .await?;
    Ok(())
}

/// Whether somebody has to carry a run on.
fn is_unfinished(run: &Run) -> bool {
    matches!(run.state, RunState::Comparing | RunState::Applying)
}

/// Whether somebody has to carry on a full sync.
pub(super) fn is_unfinished_sync(run: &Run) -> bool {
    is_unfinished(run) && !run.is_replay()
}

/// The slice of a kind, if it can (still) be decided on.
pub(super) fn decidable<'r>(
    run: &'r mut Run,
    kind: ChangeKind,
    clock: &Clock,
) -> Result<&'r mut Slice, ReconcileError> {
    let (id, word) = (run.id.clone(), kind.word());
    let refuse = |why: String| Err(ReconcileError::NotHeld(why));
    if run.plan_only {
        return refuse(format!("run {id} only looked: `instep sync` makes one that acts"));
    }
    if !matches!(run.state, RunState::Previewed { .. } | RunState::Applying | RunState::Done) {
        return refuse(format!("run {id} has nothing that waits for a decision"));
    }
    let Some(slice) = run.slices.iter_mut().find(|slice| slice.kind == kind) else {
        return refuse(format!("run {id} has no slice {word}: `instep runs show {id}` lists them"));
    };
    match &slice.state {
        SliceState::Held { until, .. } if *until > clock.now() => Ok(slice),
        SliceState::Approved { rest: Some(Rejection { by, .. }), .. } => {
            refuse(format!("what was left of slice {word} was rejected by {by}"))
        }
        // Somebody approved a part of it, and now another one.
        SliceState::Approved { until, .. } if until.is_none_or(|until| until > clock.now()) => {
            Ok(slice)
        }
        SliceState::Approved { by, .. } => refuse(format!(
            "{by} approved a part of slice {word}, and nobody decided on the others in time: \
             `instep sync` compares anew"
        )),
        SliceState::Free => refuse(format!("slice {word} is not held: it went on by itself")),
        SliceState::Rejected(Rejection { by, .. }) => {
            refuse(format!("slice {word} was rejected by {by}"))
        }
        SliceState::Held { .. } | SliceState::Expired => {
            refuse(format!("nobody decided on slice {word} in time: `instep sync` compares anew"))
        }
    }
}

//! What humans decide about a replay whose preview is there: all of it or a part is confirmed, or it
//! is rejected; while it is under way it is paused and resumed.

use std::collections::{BTreeMap, BTreeSet};

use super::deciding::{change, decidable, items, reject};
use super::{ReconcileError, Turn};
use crate::clock::Clock;
use crate::model::{
    ChangeKind, Item, ItemState, Rejection, Run, RunId, RunState, Selection, Slice, SliceState,
    Unconfirmed,
};
use crate::store::Store;

/// Confirms a replay, or a part of it: `slice` alone or, without one, everything that the preview
/// found, also those for whom there is nothing to do. Whom the preview saw fail again is left as he
/// is. [`Replayer`](super::Replayer) queues them. Gives for how many people that is.
///
/// # Errors
/// When there is no such replay, or nothing in it to confirm (any more), or somebody else decided
/// on it at the same moment.
pub async fn confirm(
    store: &dyn Store,
    clock: &Clock,
    id: &RunId,
    slice: Option<ChangeKind>,
    whom: &Selection,
    by: &str,
) -> Result<(Run, u64), ReconcileError> {
    let turn = take_turn(store, clock, id, by).await?;
    let confirmed = confirm_in_turn(store, clock, id, slice, whom, by).await;
    turn.end(store).await;
    confirmed
}

/// Between the look at who waits and the mark on them another one would find the same people.
async fn take_turn(
    store: &dyn Store,
    clock: &Clock,
    id: &RunId,
    by: &str,
) -> Result<Turn, ReconcileError> {
    Turn::take(store, clock, format!("deciding on {id}"), by).await?.map_err(|other| {
        ReconcileError::NotHeld(format!(
            "{other} decides on run {id} at this moment: look again in a minute"
        ))
    })
}

async fn confirm_in_turn(
    store: &dyn Store,
    clock: &Clock,
    id: &RunId,
    slice: Option<ChangeKind>,
    whom: &Selection,
    by: &str,
) -> Result<(Run, u64), ReconcileError> {
    let found = store.run(id).await?;
    let mut found = found.ok_or_else(|| ReconcileError::NoRun(id.clone()))?;
    check(&found, clock)?;
    if let Some(kind) = slice {
        decidable(&mut found, kind, clock)?;
    }
    let open: Vec<ChangeKind> = found
        .slices
        .iter()
        .filter(|it| slice.is_none_or(|kind| it.kind == kind) && is_open(it, clock))
        .map(|slice| slice.kind)
        .collect();
    let is_meant = |item: &Item| {
        let kind = item.kind.map_or(slice.is_none(), |kind| open.contains(&kind));
        kind && item.state == ItemState::Held
            && !item.again.is_empty()
            && item.employee.as_ref().is_some_and(|employee| whom.has(employee))
    };
    let mut confirmed = items(store, id, is_meant).await?;
    // Those who were marked before: people who were confirmed in parts, or by a process that died.
    let is_marked = |item: &Item| {
        !item.again.is_empty() && !matches!(item.state, ItemState::Held | ItemState::Told)
    };
    let marked = items(store, id, is_marked).await?;
    if confirmed.is_empty() {
        if marked.is_empty() || !matches!(found.state, RunState::Previewed { .. }) {
            return Err(ReconcileError::NotHeld(nobody(&found)));
        }
        // Whoever marked them died before the run could say so.
        let run = begin(store, id).await?;
        return Ok((run, u64::try_from(marked.len()).unwrap_or(u64::MAX)));
    }
    for item in &mut confirmed {
        if let Some(last) = item.again.last() {
            item.state = ItemState::Queued { delivery: last.delivery.clone() };
        }
    }
    let of_kinds: BTreeSet<ChangeKind> = confirmed.iter().filter_map(|item| item.kind).collect();
    let mut people: BTreeMap<ChangeKind, u64> = BTreeMap::new();
    let all = marked.iter().chain(&confirmed).filter_map(|item| item.kind);
    for kind in all.filter(|kind| of_kinds.contains(kind)) {
        *people.entry(kind).or_default() += 1;
    }
    let now = clock.now();
    let (_, _) = change(store, id, |run| {
        if matches!(found.state, RunState::Previewed { .. }) && run.revision != found.revision {
            return Err(ReconcileError::NotHeld(format!(
                "somebody else decided on run {id} at the same moment: `instep runs show {id}`"
            )));
        }
        for (kind, people) in &people {
            let slice = decidable(run, *kind, clock)?;
            let (by, until, people) = (by.to_owned(), slice.state.until(), *people);
            slice.state = SliceState::Approved { by, at: now, people, until, rest: None };
        }
        Ok(Some(()))
    })
    .await?;
    // Nothing is queued before the run is written once more.
    store.save_items(id, &confirmed).await?;
    let run = begin(store, id).await?;
    Ok((run, u64::try_from(confirmed.len()).unwrap_or(u64::MAX)))
}

/// Has whom somebody confirmed queued from now on.
async fn begin(store: &dyn Store, id: &RunId) -> Result<Run, ReconcileError> {
    let (run, _) = change(store, id, |run| {
        if let RunState::Cancelled { by } = &run.state {
            let why = format!("run {id} was cancelled by {by} at the same moment");
            return Err(ReconcileError::NotHeld(why));
        }
        run.state = RunState::Applying;
        run.ended_at = None;
        Ok(Some(()))
    })
    .await?;
    Ok(run)
}

/// Rejects all that waits in a replay: nothing (more) of it is done.
///
/// # Errors
/// When there is no such replay, or nothing in it waits, or somebody else decides on it at the same
/// moment.
pub async fn reject_preview(
    store: &dyn Store,
    clock: &Clock,
    id: &RunId,
    reason: &str,
    by: &str,
) -> Result<Run, ReconcileError> {
    let turn = take_turn(store, clock, id, by).await?;
    let rejected = reject_in_turn(store, clock, id, reason, by).await;
    turn.end(store).await;
    rejected
}

async fn reject_in_turn(
    store: &dyn Store,
    clock: &Clock,
    id: &RunId,
    reason: &str,
    by: &str,
) -> Result<Run, ReconcileError> {
    let found = store.run(id).await?.ok_or_else(|| ReconcileError::NoRun(id.clone()))?;
    check(&found, clock)?;
    let waits = |slice: &&Slice| slice.open() > 0;
    let kinds: Vec<ChangeKind> = found.slices.iter().filter(waits).map(|it| it.kind).collect();
    if kinds.is_empty() && !matches!(found.state, RunState::Previewed { .. }) {
        return Err(ReconcileError::NotHeld(nobody(&found)));
    }
    for kind in kinds {
        reject(store, clock, id, kind, reason, by).await?;
    }
    let now = clock.now();
    let (run, _) = change(store, id, |run| {
        if !matches!(run.state, RunState::Previewed { .. }) {
            return Ok(None);
        }
        run.remarks.push(format!("Rejected by {by}: {reason}"));
        let (by, reason) = (by.to_owned(), reason.to_owned());
        run.unconfirmed = Some(Unconfirmed::Rejected(Rejection { by, at: now, reason }));
        run.state = RunState::Done;
        run.ended_at = Some(now);
        Ok(Some(()))
    })
    .await?;
    Ok(run)
}

/// Pauses a replay: nothing more of it is queued until it is resumed.
///
/// # Errors
/// When there is no such replay, it has ended, or it is paused already.
pub async fn pause(store: &dyn Store, id: &RunId, by: &str) -> Result<Run, ReconcileError> {
    let (run, _) = change(store, id, |run| {
        let refuse = |why: String| Err(ReconcileError::NotHeld(why));
        if !run.is_replay() {
            return refuse(format!(
                "run {id} is a full sync: it queues everything within seconds. `instep runs cancel \
                 {id}` stops what no worker has begun"
            ));
        }
        if run.ended_at.is_some() {
            return refuse(format!("run {id} has ended: there is nothing to pause"));
        }
        if let Some(by) = &run.paused_by {
            return refuse(format!("run {id} was paused by {by} already"));
        }
        run.paused_by = Some(by.to_owned());
        Ok(Some(()))
    })
    .await?;
    Ok(run)
}

/// Goes on with a paused replay.
///
/// # Errors
/// When there is no such replay, or it is not paused.
pub async fn resume(store: &dyn Store, id: &RunId) -> Result<Run, ReconcileError> {
    let (run, _) = change(store, id, |run| {
        if run.paused_by.take().is_none() {
            return Err(ReconcileError::NotHeld(format!("run {id} is not paused")));
        }
        Ok(Some(()))
    })
    .await?;
    Ok(run)
}

/// Whether a replay can (still) be decided on.
fn check(run: &Run, clock: &Clock) -> Result<(), ReconcileError> {
    let id = &run.id;
    let why = match &run.state {
        _ if !run.is_replay() => format!("run {id} is no replay"),
        // Its slices are closed then; whoever needed nothing is in none of them.
        _ if run.has_expired(clock.now()) => {
            format!("nobody confirmed run {id} in time: `instep replay` makes a new one")
        }
        RunState::Done if run.unconfirmed.is_some() => {
            format!("run {id} was rejected: `instep replay` makes a new one")
        }
        RunState::Previewed { .. } | RunState::Applying | RunState::Done => return Ok(()),
        RunState::Comparing => format!("the preview of run {id} is not there yet"),
        RunState::Cancelled { by } => format!("run {id} was cancelled by {by}"),
        RunState::Failed { .. } => {
            format!("run {id} was not carried through: `instep replay` makes a new one")
        }
    };
    Err(ReconcileError::NotHeld(why))
}

fn is_open(slice: &Slice, clock: &Clock) -> bool {
    match &slice.state {
        SliceState::Held { until, .. } => *until > clock.now(),
        SliceState::Approved { until, rest, .. } => {
            rest.is_none() && until.is_none_or(|until| until > clock.now())
        }
        SliceState::Free | SliceState::Rejected { .. } | SliceState::Expired => false,
    }
}

/// Why there is nobody to confirm.
fn nobody(run: &Run) -> String {
    let id = &run.id;
    let approved = run.slices.iter().find_map(|slice| match &slice.state {
        SliceState::Approved { by, .. } => Some(by),
        _ => None,
    });
    match approved {
        Some(by) => format!("nobody (else) waits in run {id}: {by} confirmed it"),
        None => format!("nobody who was meant waits in run {id}: `instep runs show {id}`"),
    }
}

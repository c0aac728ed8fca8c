//! What is told of a replay where it differs from a full sync: the verdict and the figures.

use super::facts::{Figure, Tone, Totals, changes};
use super::words::{count, number, people};
use crate::model::{ChangeKind, Run, RunState, Unconfirmed};

/// The verdict in one line; `None` where it is told as of a full sync.
pub(super) fn verdict(run: &Run, totals: &Totals) -> Option<(Tone, String)> {
    let (all, nothing) = (&totals.all, &totals.nothing);
    let fails = run.fails.values().sum::<u64>();
    let settled = all.changed + all.unneeded + all.failed;
    let settled_too = nothing.changed + nothing.unneeded + nothing.failed;
    let (failed, waiting) = (all.failed + nothing.failed, all.waiting + nothing.waiting);
    let done = settled + settled_too;
    let told = match &run.state {
        RunState::Failed { .. } | RunState::Cancelled { .. } => return None,
        RunState::Comparing => {
            (Tone::Plain, "What doing them again would change is being worked out.".to_owned())
        }
        RunState::Previewed { .. } => (Tone::Look, preview(run, totals)),
        RunState::Applying => {
            let of = format!("{} of {} done", number(done), number(done + waiting));
            let paused = run.paused_by.as_ref().map(|by| format!("paused by {by}"));
            let failed_too = (failed > 0).then(|| format!("{} failed", people(failed)));
            let tone = if failed > 0 || paused.is_some() { Tone::Look } else { Tone::Plain };
            (tone, sentence(vec![Some(of), failed_too, paused]))
        }
        RunState::Done if run.unconfirmed == Some(Unconfirmed::Expired) => {
            (Tone::Look, "Nobody confirmed it in time: nothing was done again.".to_owned())
        }
        RunState::Done if done == 0 => {
            (if fails > 0 { Tone::Look } else { Tone::Plain }, preview(run, totals))
        }
        RunState::Done => {
            let changed = all.changed + nothing.changed;
            let unneeded = all.unneeded + nothing.unneeded;
            let left = all.held + nothing.held;
            let parts = vec![
                Some(format!("{} changed", people(changed))),
                (unneeded > 0).then(|| format!("{} needed nothing", number(unneeded))),
                (failed > 0).then(|| format!("{} failed", number(failed))),
                (fails > 0).then(|| format!("{} left as they are: they would fail", number(fails))),
                (left > 0).then(|| format!("{} not confirmed", number(left))),
            ];
            let tone = if failed + fails + left > 0 { Tone::Look } else { Tone::Good };
            (tone, sentence(parts))
        }
    };
    Some(told)
}

/// `412 deliveries of 400 people: 397 nothing to do, 12 updates, 2 deactivations, 1 still fails.`
fn preview(run: &Run, totals: &Totals) -> String {
    let fails = run.fails.values().sum::<u64>();
    let mut parts = Vec::new();
    if run.in_step > 0 {
        parts.push(format!("{} nothing to do", number(run.in_step)));
    }
    for kind in ChangeKind::ALL.into_iter().rev() {
        if let Some(counts) = totals.kinds.get(&kind) {
            parts.push(changes(kind, counts.found));
        }
    }
    if fails > 0 {
        parts.push(count(fails, "still fails", "still fail"));
    }
    if parts.is_empty() {
        return "There is nothing to do again.".to_owned();
    }
    let deliveries = count(run.deliveries, "delivery", "deliveries");
    format!("{deliveries} of {}: {}.", people(run.people), parts.join(", "))
}

/// The numbers that say how it went.
pub(super) fn figures(run: &Run, totals: &Totals) -> Vec<Figure> {
    let (all, nothing) = (&totals.all, &totals.nothing);
    let figure = |value: u64, label, tone| Figure { value: number(value), label, tone };
    let unless_none = |value: u64, tone| if value > 0 { tone } else { Tone::Plain };
    let fails = run.fails.values().sum::<u64>();
    let deliveries = if run.deliveries == 1 { "delivery" } else { "deliveries" };
    let people = if run.people == 1 { "person" } else { "people" };
    let mut figures = vec![
        figure(run.deliveries, deliveries, Tone::Plain),
        figure(run.people, people, Tone::Plain),
        figure(run.in_step, "had nothing to do", Tone::Plain),
    ];
    let mut some = |value: u64, label, tone| {
        if value > 0 {
            figures.push(figure(value, label, tone));
        }
    };
    some(all.found, "would change", Tone::Plain);
    some(fails, "would fail again", Tone::Look);
    some(all.waiting + nothing.waiting, "waiting", Tone::Plain);
    let changed = all.changed + nothing.changed;
    figures.push(figure(changed, "changed", unless_none(changed, Tone::Good)));
    let failed = all.failed + nothing.failed;
    figures.push(figure(failed, "failed", unless_none(failed, Tone::Bad)));
    figures
}

fn sentence(parts: Vec<Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ") + "."
}

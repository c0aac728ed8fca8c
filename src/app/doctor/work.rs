//! What the store knows: how much waits, what is on hold, what is dead and why, and how the full
//! syncs went.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Findings;
use crate::app::secrets;
use crate::config::Settings;
use crate::model::words::people;
use crate::model::{DeliveryState, Pauses, Run, RunState, SourceName};
use crate::notify::{Notice, Phase};
use crate::schedule::timetable::Timetable;
use crate::store::{Filter, Runs, Store, StoreError};

/// Work that has waited for so long is told of.
const OLD: SignedDuration = SignedDuration::from_hours(4);

/// A full sync that has not begun so long after its time is told of.
const LATE: SignedDuration = SignedDuration::from_hours(1);

/// So many of the newest dead letters are told apart by their code.
const DEAD: usize = 1_000;

/// Looks at everything.
pub(super) async fn look(
    store: &dyn Store,
    settings: &Settings,
    now: Timestamp,
    found: &mut Findings,
) {
    if let Err(error) = queue(store, now, found).await {
        found.ill("queue", error.to_string());
    }
    if let Err(error) = pauses(store, now, found).await {
        found.ill("pauses", error.to_string());
    }
    if let Err(error) = holds(store, found).await {
        found.ill("holds", error.to_string());
    }
    match secrets::look(store, settings, now).await {
        Ok(notices) => {
            for notice in notices.into_iter().filter(|notice| notice.phase == Phase::Began) {
                let Notice { title, lines, todo, .. } = notice;
                let message = format!("{title}. {} {}", lines.join(" "), todo.unwrap_or_default());
                found.look("secrets", message.trim_end());
            }
        }
        Err(error) => found.ill("secrets", error.to_string()),
    }
    for name in settings.sources.keys() {
        let part = format!("full sync of {name}");
        let source = SourceName::new(name);
        if let Err(error) = full_sync(store, &part, &source, settings, now, found).await {
            found.ill(part, error.to_string());
        }
    }
}

async fn queue(store: &dyn Store, now: Timestamp, found: &mut Findings) -> Result<(), StoreError> {
    let depth = store.depth().await?;
    let counts =
        format!("{} waiting, {} done, {} ignored", depth.waiting, depth.done, depth.ignored);
    match depth.oldest {
        Some(oldest) if oldest + OLD < now => {
            found.look("queue", format!("{counts}; the oldest waits for {}", age(oldest, now)));
        }
        Some(oldest) => {
            found.well("queue", format!("{counts}; the oldest waits for {}", age(oldest, now)));
        }
        None => found.well("queue", counts),
    }
    if depth.dead == 0 {
        found.well("dead letters", "none");
        return Ok(());
    }
    let filter = Filter { state: Some(DeliveryState::Dead), ..Filter::default() };
    let mut causes: BTreeMap<(SourceName, String), u64> = BTreeMap::new();
    for delivery in store.deliveries(&filter, DEAD).await? {
        *causes.entry((delivery.source.clone(), delivery.cause().to_owned())).or_default() += 1;
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told: Vec<String> = causes
        .iter()
        .take(10)
        .map(|((source, code), count)| format!("{count} {code} ({source})"))
        .collect();
    let message =
        format!("{}: {}. `instep deliveries --state dead` lists them", depth.dead, told.join(", "));
    found.look("dead letters", message);
    Ok(())
}

async fn pauses(store: &dyn Store, now: Timestamp, found: &mut Findings) -> Result<(), StoreError> {
    let text = store.note(Pauses::NOTE).await?;
    let Ok(pauses) = Pauses::read(text.as_deref()) else {
        found.ill("pauses", "were written by a newer program: nothing is begun by this one");
        return Ok(());
    };
    let mut any = false;
    for pause in pauses.counting(now) {
        any = true;
        // Who and why are words of people: `instep pause` shows them.
        let until =
            pause.until.map_or("somebody resumes it".to_owned(), |at| whole(at).to_string());
        let message = format!("{} since {} until {until}", pause.scope, whole(pause.since));
        found.look("pauses", message);
    }
    if !any {
        found.well("pauses", "none");
    }
    Ok(())
}

async fn holds(store: &dyn Store, found: &mut Findings) -> Result<(), StoreError> {
    let holds = store.holds().await?;
    if holds.is_empty() {
        found.well("holds", "none");
    }
    for hold in holds {
        let message = format!("{} since {}: {}", hold.scope, whole(hold.since), hold.reason);
        if hold.scope == "target" || hold.scope.starts_with("source ") {
            found.ill("holds", message);
        } else {
            found.look("holds", message);
        }
    }
    Ok(())
}

async fn full_sync(
    store: &dyn Store,
    part: &str,
    source: &SourceName,
    settings: &Settings,
    now: Timestamp,
    found: &mut Findings,
) -> Result<(), StoreError> {
    let open = store.runs(Some(source), Runs::Open, usize::MAX).await?;
    let held = open.iter().filter(|run| !run.plan_only).flat_map(Run::held);
    let held: u64 = held.map(|slice| slice.people).sum();
    if held > 0 {
        let message = match held {
            1 => "1 person's change waits for approval: `instep runs --open` lists the runs"
                .to_owned(),
            _ => format!(
                "{held} people's changes wait for approval: `instep runs --open` lists the runs"
            ),
        };
        found.look(part, message);
    }
    let table = Timetable::of(&settings.sync.schedule);
    let newest = store.runs(Some(source), Runs::Acting, 1).await?;
    let Some(last) = newest.first() else {
        let next = table.and_then(|table| table.next(now));
        let next = next.map_or("never".to_owned(), |next| whole(next).to_string());
        found.look(part, format!("there was none yet; the next one: {next}"));
        return Ok(());
    };
    let began = whole(last.started_at);
    match &last.state {
        RunState::Comparing | RunState::Previewed { .. } | RunState::Applying => {
            found.well(part, format!("one is under way since {began}"));
        }
        RunState::Cancelled { .. } => found.look(part, format!("that of {began} was cancelled")),
        RunState::Failed { reason } => {
            found.look(part, format!("that of {began} was not carried through: {reason}"));
        }
        RunState::Done => {
            let (people, changed, failed) = (people(last.people), last.changed, last.failed);
            let message = format!("that of {began}: {people}, {changed} changed, {failed} failed");
            if failed > 0 { found.look(part, message) } else { found.well(part, message) }
        }
    }
    let missing = last.certificate.missing.len();
    if missing > 0 && last.ended_at.is_some() {
        let message = format!(
            "HR's answer was not complete ({missing} reason(s)), so nobody was deactivated: \
             `instep runs show {}` says why",
            last.id
        );
        found.look(part, message);
    }
    match table {
        None => found.look(part, "none is scheduled: schedule.full_sync is \"never\""),
        Some(table) => match table.next(last.started_at) {
            Some(due) if due + LATE < now => {
                found.look(part, format!("one was due {}, and did not begin", whole(due)));
            }
            _ => {
                let next = table.next(now).map(|next| whole(next).to_string());
                found.well(part, format!("the next one: {}", next.unwrap_or("never".to_owned())));
            }
        },
    }
    Ok(())
}

/// To the second.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

//! The note by which a full sync of a source is asked for: by the clock, or because something was
//! lost.
//!
//! Promises: of several processes one writes down that the clock has struck, and one at a time
//! begins what is asked for; what is asked for is not forgotten when that process dies; a run that
//! began after it was asked for answers it, whoever began it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Missed;
use crate::model::{Run, SourceName};
use crate::schedule::timetable::Timetable;
use crate::store::{Runs, Store, StoreError};

/// The clock speaks in these words.
pub(super) const SCHEDULE: &str = "the schedule";

/// Everything in the store is gone.
pub(super) const EMPTIED: &str = "the store was emptied";

/// The store does not know any more what it had taken in.
pub(super) const LOST: &str = "the store lost some of its last writes";

/// Whoever took it and has not begun by then has died.
const TAKEN: Duration = Duration::from_secs(120);

/// So late, and nobody was there when it was due.
const LATE: Duration = Duration::from_secs(600);

/// How often the note is written again when others write at the same moment.
const TRIES: usize = 20;

/// So many of the newest full syncs are looked at.
const LATEST: usize = 50;

/// The rest between two tries to write to a store that is away.
const REST: Duration = Duration::from_secs(2);

/// What is written down about the full syncs of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Book {
    /// Until when everything that the timetable had is dealt with.
    fired: Option<Timestamp>,
    /// The last one that was due while nobody was there.
    pub(super) missed: Option<Timestamp>,
    /// The last occasion that happens once.
    occasion: Option<String>,
    /// What is asked for.
    pub(super) asked: Option<Ask>,
}

/// A full sync that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ask {
    /// Why: `the schedule`.
    pub(super) why: String,
    /// When.
    pub(super) at: Timestamp,
    /// When a process set about it.
    #[serde(default)]
    taken: Option<Timestamp>,
    /// It happens once: several processes notice it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occasion: Option<String>,
    /// It only looks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    plan: bool,
}

impl Ask {
    /// For this reason, now.
    pub(super) fn of(why: &str, clock: &Clock) -> Self {
        Self { why: why.to_owned(), at: clock.now(), taken: None, occasion: None, plan: false }
    }

    /// For a run that only looks, if so.
    pub(super) fn looking(self, plan: bool) -> Self {
        Self { plan, ..self }
    }

    /// On an occasion that several processes notice.
    pub(super) fn once(self, occasion: &str) -> Self {
        Self { occasion: Some(occasion.to_owned()), ..self }
    }

    /// Whether it only looks.
    pub(super) fn only_looks(&self) -> bool {
        self.plan
    }

    /// Whether this run makes up for what was asked.
    fn is_answered_by(&self, run: &Run) -> bool {
        (self.plan || !run.plan_only) && !run.is_replay() && run.started_at >= self.at
    }
}

fn name(source: &SourceName) -> String {
    format!("full sync of {source}")
}

/// A note that cannot be read is none: a newer program wrote it.
fn book(text: Option<&str>) -> Book {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What is written down.
pub(super) async fn read(store: &dyn Store, source: &SourceName) -> Result<Book, StoreError> {
    Ok(book(store.note(&name(source)).await?.as_deref()))
}

/// Changes what is written down; nothing when `change` says that there is nothing to change.
async fn write<T>(
    store: &dyn Store,
    source: &SourceName,
    mut change: impl FnMut(&mut Book) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    for _ in 0..TRIES {
        let before = store.note(&name(source)).await?;
        let mut now = book(before.as_deref());
        let Some(made) = change(&mut now) else { return Ok(None) };
        let text = serde_json::to_string(&now).unwrap_or_default();
        if store.put_note(&name(source), before.as_deref(), Some(&text)).await? {
            return Ok(Some(made));
        }
    }
    Ok(None)
}

/// Asks for a full sync. What is asked for already, and has not begun, serves both.
pub(super) async fn ask(
    store: &dyn Store,
    source: &SourceName,
    ask: &Ask,
) -> Result<(), StoreError> {
    let written = write(store, source, |book| {
        if ask.occasion.is_some() && book.occasion == ask.occasion {
            return None;
        }
        book.occasion = ask.occasion.clone().or(book.occasion.take());
        // One that somebody has taken may have begun before this happened.
        let serves = |asked: &Ask| asked.taken.is_none() && (!asked.plan || ask.plan);
        if !book.asked.as_ref().is_some_and(serves) {
            book.asked = Some(ask.clone());
        }
        Some(())
    });
    if written.await?.is_some() {
        tracing::info!(%source, why = ask.why, "a full sync is asked for");
    }
    Ok(())
}

/// Asks again and again until the store has taken it.
pub(super) async fn until_written(
    store: &Arc<dyn Store>,
    source: &SourceName,
    what: &Ask,
    stop: &CancellationToken,
) {
    while let Err(error) = ask(&**store, source, what).await {
        tracing::warn!(%source, error = &error as &dyn std::error::Error, "not asked for yet");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// Writes down that the clock has struck, if it has: exactly one of several processes does.
/// `since`: since when this one has been watching.
pub(super) async fn strike(
    store: &dyn Store,
    source: &SourceName,
    table: &Timetable,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = read(store, source).await?;
    // What `missed` leaves out is told all the same.
    let left_out = table.missed() == Missed::Skip && passed(table, known.fired, since).is_some();
    if !left_out && !table.is_due(known.fired, since, now) {
        return Ok(());
    }
    let mut last = known.fired;
    if !left_out {
        // A run that people made since then does as well.
        let newest = store.runs(Some(source), Runs::Acting, 1).await?.pop();
        last = last.max(newest.map(|run| run.started_at));
    }
    let is_due = table.is_due(last, since, now);
    let struck = write(store, source, |book| {
        if book.fired != known.fired {
            return None;
        }
        book.missed = passed(table, last, now).filter(|due| *due + LATE < now);
        book.fired = Some(now);
        if is_due && book.asked.as_ref().is_none_or(|asked| asked.plan) {
            let (why, at) = (SCHEDULE.to_owned(), now);
            book.asked = Some(Ask { why, at, taken: None, occasion: None, plan: false });
        }
        Some(book.missed)
    });
    match struck.await? {
        Some(Some(due)) if is_due => {
            tracing::warn!(%source, %due, "a full sync was missed, and is made up for now");
        }
        Some(Some(due)) => tracing::warn!(%source, %due, "a full sync was missed"),
        Some(None) | None => {}
    }
    Ok(())
}

/// When one was due after `last` and before `now`; none before the first.
fn passed(table: &Timetable, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    table.next(last?).filter(|due| *due <= now)
}

/// Takes what is asked for, unless it is answered by a run or another process is about to begin it.
pub(super) async fn take(
    store: &dyn Store,
    source: &SourceName,
    now: Timestamp,
) -> Result<Option<Ask>, StoreError> {
    let Some(asked) = read(store, source).await?.asked else { return Ok(None) };
    if asked.taken.is_some_and(|at| at + TAKEN > now) {
        return Ok(None);
    }
    if is_begun(store, source, &asked).await? {
        done(store, source, &asked).await?;
        return Ok(None);
    }
    write(store, source, |book| {
        if book.asked.as_ref() != Some(&asked) {
            return None;
        }
        let taken = Ask { taken: Some(now), ..asked.clone() };
        book.asked = Some(taken.clone());
        Some(taken)
    })
    .await
}

/// Whether a run that answers it has begun.
pub(super) async fn is_begun(
    store: &dyn Store,
    source: &SourceName,
    ask: &Ask,
) -> Result<bool, StoreError> {
    let runs = store.runs(Some(source), Runs::FullSyncs, LATEST).await?;
    Ok(runs.iter().any(|run| ask.is_answered_by(run)))
}

/// It is answered. What was asked for meanwhile stays.
pub(super) async fn done(
    store: &dyn Store,
    source: &SourceName,
    ask: &Ask,
) -> Result<(), StoreError> {
    put(store, source, ask, None).await
}

/// It could not begin: whoever can may take it.
pub(super) async fn give_back(
    store: &dyn Store,
    source: &SourceName,
    ask: &Ask,
) -> Result<(), StoreError> {
    put(store, source, ask, Some(Ask { taken: None, ..ask.clone() })).await
}

async fn put(
    store: &dyn Store,
    source: &SourceName,
    taken: &Ask,
    now: Option<Ask>,
) -> Result<(), StoreError> {
    let written = write(store, source, |book| {
        (book.asked.as_ref() == Some(taken)).then(|| book.asked.clone_from(&now))
    });
    written.await.map(drop)
}

#[cfg(test)]
mod tests;

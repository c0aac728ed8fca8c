//! The report of each run by mail, once for each time that it ended: by the process that ended it or
//! by another one. A run ends a second time when somebody approved what was held.
//!
//! A note per source says up to which run reports are sent, and who is about to send the next. A
//! process that dies between the mail and the note has it sent a second time, under the same id.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pages::Pages;
use super::told::ToldRun;
use crate::clock::Clock;
use crate::config::{ReportWhen, Settings};
use crate::model::{Run, RunId, SourceName};
use crate::notify::{Letter, Mailer, SendError};
use crate::store::{Runs, Store, StoreError};

/// Whoever set about it and has not sent it by then has died.
const SENDING: Duration = Duration::from_secs(300);

/// A report that could not be sent is sent again after this, and twice that the next time.
const AGAIN: Duration = Duration::from_secs(60);

/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(3_600);

/// So often it is tried: for about half a day.
const TRIES: u32 = 16;

/// Older reports are not sent by a process that finds no note.
const NEWS: Duration = Duration::from_secs(24 * 3_600);

/// So many of the newest full syncs are looked at.
const LATEST: usize = 200;

/// What is written down about the reports of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Outbox {
    /// The newest run whose report is dealt with.
    upto: Option<RunId>,
    /// When the last few of them had ended then.
    ended: BTreeMap<RunId, Timestamp>,
    sending: Option<Sending>,
}

impl Outbox {
    /// What is written when the report of this run is dealt with.
    fn done(self, run: RunId, ended: Option<Timestamp>) -> Self {
        let mut all = self.ended;
        all.extend(ended.map(|ended| (run.clone(), ended)));
        while all.len() > LATEST {
            all.pop_first();
        }
        Self { upto: self.upto.max(Some(run)), ended: all, sending: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sending {
    run: RunId,
    /// When the run had ended.
    ended: Option<Timestamp>,
    /// Nobody else sets about it before.
    until: Timestamp,
    tries: u32,
    /// The places in `[mail] to` that did not get it yet; all when there are none.
    left: Vec<usize>,
}

/// Sends the next report that is due, if there is one; says whether it did or tried.
pub(super) async fn send_next(
    store: &dyn Store,
    source: &SourceName,
    settings: &Settings,
    clock: &Clock,
) -> Result<bool, StoreError> {
    let name = format!("reports of {source}");
    let before = store.note(&name).await?;
    let outbox: Outbox =
        before.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let now = clock.now();
    let Some(run) = next(store, source, &outbox, now).await? else { return Ok(false) };
    let is_it = |sending: &Sending| sending.run == run.id && sending.ended == run.ended_at;
    let known = outbox.sending.clone().filter(is_it);
    if known.as_ref().is_some_and(|sending| sending.until > now) {
        return Ok(false);
    }
    let mut sending = known.unwrap_or_else(|| Sending {
        run: run.id.clone(),
        ended: run.ended_at,
        until: now,
        tries: 0,
        left: Vec::new(),
    });
    sending.until = now + SENDING;
    sending.tries += 1;
    let claimed = text(&Outbox { sending: Some(sending.clone()), ..outbox.clone() });
    if !store.put_note(&name, before.as_deref(), Some(&claimed)).await? {
        return Ok(false);
    }
    let (id, ended) = (run.id.clone(), run.ended_at);
    let after = match deliver(store, settings, run, &sending.left, now).await? {
        Ended::Over => outbox.done(id, ended),
        Ended::Later(error, _) if sending.tries >= TRIES => {
            tracing::error!(%source, run = %id, %error, "a report is given up: look at [mail]");
            count("given_up");
            outbox.done(id, ended)
        }
        Ended::Later(error, left) => {
            let wait = AGAIN * 2_u32.saturating_pow(sending.tries - 1).min(60);
            tracing::warn!(%source, run = %id, %error, "a report is sent again later");
            count("failed");
            let until = clock.now() + wait.min(LONGEST);
            Outbox { sending: Some(Sending { until, left, ..sending }), ..outbox }
        }
    };
    // Should somebody else have taken it over meanwhile, theirs is as good.
    store.put_note(&name, Some(&claimed), Some(&text(&after))).await?;
    Ok(true)
}

fn count(outcome: &'static str) {
    metrics::counter!("instep_reports_total", "outcome" => outcome).increment(1);
}

fn text(outbox: &Outbox) -> String {
    serde_json::to_string(outbox).unwrap_or_default()
}

/// The oldest run that has ended and whose report is not dealt with, or that has ended once more
/// since then.
async fn next(
    store: &dyn Store,
    source: &SourceName,
    outbox: &Outbox,
    now: Timestamp,
) -> Result<Option<Run>, StoreError> {
    let is_next = |run: &Run| match &outbox.upto {
        Some(upto) if run.id <= *upto => {
            let told = outbox.ended.get(&run.id);
            told.is_some_and(|told| run.ended_at.is_some_and(|ended| ended != *told))
        }
        Some(_) => true,
        None => run.ended_at.is_some_and(|ended| ended + NEWS > now),
    };
    let mut runs = store.runs(Some(source), Runs::Acting, LATEST).await?;
    runs.retain(is_next);
    Ok(runs.pop().filter(|run| run.ended_at.is_some()))
}

/// How an attempt ended.
enum Ended {
    /// Sent, or not to be sent.
    Over,
    /// These did not get it.
    Later(SendError, Vec<usize>),
}

async fn deliver(
    store: &dyn Store,
    settings: &Settings,
    run: Run,
    left: &[usize],
    now: Timestamp,
) -> Result<Ended, StoreError> {
    let Some(mail) = settings.mail.as_ref().filter(|_| settings.report.when != ReportWhen::Never)
    else {
        return Ok(Ended::Over);
    };
    let told = ToldRun::read(store, run).await?;
    let mut report =
        told.report(settings.report.personal, settings.sync.schedule.time_zone.clone());
    report.link = Pages::of(&settings.server).run(&told.run.id);
    if settings.report.when == ReportWhen::Changes && !report.is_news() {
        return Ok(Ended::Over);
    }
    let (source, id) = (&told.run.source, &told.run.id);
    let mailer = match Mailer::new(mail) {
        Ok(mailer) => mailer,
        Err(error) => return Ok(Ended::Later(error, left.to_vec())),
    };
    let places = if left.is_empty() { mailer.everyone() } else { left.to_vec() };
    let receipt = mailer.send(&Letter::report(&report, now), &places).await;
    if receipt.delivered > 0 {
        tracing::info!(%source, run = %id, recipients = receipt.delivered, "the report is mailed");
        count("sent");
    }
    let Some(error) = receipt.error else { return Ok(Ended::Over) };
    if !receipt.later.is_empty() {
        return Ok(Ended::Later(error, receipt.later));
    }
    if receipt.delivered > 0 {
        let refused = receipt.refused.len();
        tracing::error!(%source, run = %id, refused, %error, "a report was refused for some");
        return Ok(Ended::Over);
    }
    // Refused for all: somebody may set that right while it is still of use.
    Ok(Ended::Later(error, receipt.refused))
}

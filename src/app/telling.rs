//! Tells people what they are to be told: reports when a run has ended, notices when a state
//! changes. Every process with the scheduler's role does it; a note for each channel keeps them from
//! telling twice.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::mailing;
use super::watching::{self, Watching};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::SourceName;
use crate::notify::{Channel, Manners, Notice, Phase, Quiet, SendError, Topic};
use crate::store::{Grant, LONGEST_NOTE, Rate, Store, StoreError};

/// How often a process looks whether a report is due.
const LOOK: Duration = Duration::from_secs(3);

/// How often one of all processes looks what there is to tell.
const WATCH: Rate = Rate { calls: 1, per: Duration::from_secs(15), burst: 1 };

/// Whoever set about telling and has not told by then has died.
const SENDING: Duration = Duration::from_secs(120);

/// The rest after a message that did not get through, and may the next time.
const AGAIN: Duration = Duration::from_secs(60);

/// The rest after one that was refused: somebody must change something first.
const REFUSED: Duration = Duration::from_secs(900);

/// Tells people until it is told to stop.
pub(super) async fn keep_people_told(
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    clock: Clock,
    stop: CancellationToken,
) {
    let channels = Channel::all(&settings).unwrap_or_else(|error| {
        tracing::error!(%error, "nobody is told anything: look at [mail] and [notify]");
        Vec::new()
    });
    // Of a counter that begins at one, nobody sees the rise.
    for channel in &channels {
        for outcome in ["sent", "failed"] {
            metrics::counter!("instep_notices_total",
                "channel" => channel.name(), "outcome" => outcome)
            .increment(0);
        }
    }
    let sources = settings.sources.keys().map(SourceName::new).collect();
    let mut telling =
        Telling { store, settings, clock, channels, sources, watching: Watching::default() };
    while !stop.is_cancelled() {
        // A mail that is under way is brought to its end: given up, it would be sent again.
        if let Err(error) = telling.tell().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "nobody is told for now");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

struct Telling {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    clock: Clock,
    channels: Vec<Channel>,
    sources: Vec<SourceName>,
    watching: Watching,
}

/// What is written down about a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Shelf {
    quiet: Quiet,
    /// The states that were there at the last look.
    there: Vec<(Topic, String)>,
    /// Somebody is about to tell it, or it is left alone: until then.
    until: Option<Timestamp>,
}

impl Shelf {
    /// Takes in what a look showed; what is not there any more has ended.
    fn take(&mut self, notices: &[Notice], now: Timestamp, manners: &Manners) {
        let mut there = Vec::new();
        for notice in notices {
            if notice.phase == Phase::Began {
                there.push((notice.topic, notice.about.clone()));
            }
            self.quiet.note(notice.clone(), now, manners);
        }
        for (topic, about) in std::mem::replace(&mut self.there, there) {
            if !is_shown(notices, topic, &about) {
                self.quiet.note(watching::over(topic, &about), now, manners);
            }
        }
    }
}

/// Whether a look showed it, or its end.
fn is_shown(notices: &[Notice], topic: Topic, about: &str) -> bool {
    notices.iter().any(|notice| notice.topic == topic && notice.about == about)
}

impl Telling {
    async fn tell(&mut self) -> Result<(), StoreError> {
        let store = &*self.store;
        for source in &self.sources {
            mailing::send_next(store, source, &self.settings, &self.clock).await?;
        }
        if self.channels.is_empty() {
            return Ok(());
        }
        if let Grant::Wait(_) = store.grant("watch", WATCH, 1).await? {
            return Ok(());
        }
        let now = self.clock.now();
        let notices = self.watching.look(store, &self.settings, now).await?;
        let manners = Manners::new(self.settings.notify.quiet);
        for channel in &self.channels {
            self.bring(channel, &notices, &manners).await?;
        }
        Ok(())
    }

    /// Brings a channel up to date, and tells it what is due.
    async fn bring(
        &self,
        channel: &Channel,
        notices: &[Notice],
        manners: &Manners,
    ) -> Result<(), StoreError> {
        let (store, settings, clock) = (&*self.store, &self.settings, &self.clock);
        let now = clock.now();
        let name = format!("notices by {}", channel.name());
        let before = store.note(&name).await?;
        let known: Shelf =
            before.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if known.until.is_some_and(|until| until > now) {
            return Ok(());
        }
        let mut notices = notices.to_vec();
        for (topic, about) in &known.there {
            if !is_shown(&notices, *topic, about) {
                notices.extend(watching::behind_others(store, settings, *topic, about).await?);
            }
        }
        let mut next = Shelf { until: None, ..known.clone() };
        next.take(&notices, now, manners);
        let due = next.quiet.due(now, manners);
        next.until = due.as_ref().map(|_| now + SENDING);
        if next == known {
            return Ok(());
        }
        let Some(claimed) = put(store, &name, before.as_deref(), &next).await? else {
            return Ok(());
        };
        let Some(group) = due else { return Ok(()) };
        let sent = channel.send(&group, now).await;
        let outcome = if sent.is_ok() { "sent" } else { "failed" };
        metrics::counter!("instep_notices_total", "channel" => channel.name(), "outcome" => outcome)
            .increment(1);
        let now = clock.now();
        next.until = match sent {
            Ok(()) => {
                next.quiet.told(now, manners);
                None
            }
            Err(error) => {
                tracing::warn!(channel = channel.name(), %error, "a notice did not get through");
                let rest = match error {
                    SendError::Later { after, .. } => after.unwrap_or(AGAIN).min(REFUSED),
                    SendError::Person { .. } => REFUSED,
                };
                Some(now + rest)
            }
        };
        put(store, &name, Some(&claimed), &next).await.map(drop)
    }
}

/// Writes what is known of a channel; `None` when another process was quicker.
async fn put(
    store: &dyn Store,
    name: &str,
    before: Option<&str>,
    shelf: &Shelf,
) -> Result<Option<String>, StoreError> {
    let text = serde_json::to_string(shelf).unwrap_or_default();
    if text.len() > LONGEST_NOTE {
        tracing::error!(name, "there is too much to tell: `instep runs` and `instep deliveries`");
        return Ok(None);
    }
    Ok(store.put_note(name, before, Some(&text)).await?.then_some(text))
}

#[cfg(test)]
mod chats;
#[cfg(test)]
mod crowded;
#[cfg(test)]
mod expiring;
#[cfg(test)]
mod tests;

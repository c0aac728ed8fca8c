//! Tokens and secrets that are about to fail: those whose last day is configured, tokens for the API,
//! and webhook secrets that sign no more, or that HR has changed.
//!
//! What the doors hear of signatures is written into a note for each source, which all processes
//! share. It holds times, counts, and prints of secrets from which they cannot be found.

mod of_api;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub(super) use self::of_api::API_TOKEN;
use super::watching::{began, ended};
use crate::clock::Clock;
use crate::config::{HiBobSettings, Settings};
use crate::http::signatures::{Heard, Signatures};
use crate::model::SourceName;
use crate::notify::{Notice, Topic};
use crate::sources::hibob::webhook::Verifier;
use crate::store::{Store, StoreError};

/// How often what was heard is written down.
const WRITE: Duration = Duration::from_secs(10);

/// That a secret signs is written down again after this.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// So many webhooks in a row whose signature fits no secret: somebody has changed it in HR.
const REFUSED: u64 = 5;

/// After so long a silence refused webhooks are forgotten: HR has given them up, or it was not HR.
const SILENCE: SignedDuration = SignedDuration::from_hours(72);

/// A secret that has signed nothing for so long, while another one did, is an old one.
const UNUSED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How often the note is written again when others write at the same moment.
const TRIES: usize = 5;

/// What is known of the signatures of a source's webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Signing {
    /// Each configured secret, by its print: since when it is there, and when it last signed.
    secrets: BTreeMap<String, (Timestamp, Option<Timestamp>)>,
    /// Webhooks that fitted none, since the last one that fitted.
    refused: u64,
    /// When the first and the last of them came.
    between: Option<(Timestamp, Timestamp)>,
}

impl Signing {
    /// When a webhook last fitted a secret.
    fn last(&self) -> Option<Timestamp> {
        self.secrets.values().filter_map(|(_, signed)| *signed).max()
    }

    /// Takes in what was heard; `prints` are the secrets that are configured now.
    fn hear(&mut self, heard: &Heard, prints: &[Arc<str>], now: Timestamp) {
        self.secrets.retain(|print, _| prints.iter().any(|known| **known == **print));
        for print in prints {
            let entry = self.secrets.entry(print.to_string()).or_insert((now, None));
            let Some(at) = heard.signed.get(print) else { continue };
            if entry.1.is_none_or(|before| at.duration_since(before) >= AGAIN) || self.refused > 0 {
                entry.1 = Some(*at);
            }
        }
        let fitted = heard.signed.values().max();
        let is_over = |(_, last): (Timestamp, Timestamp)| {
            fitted.is_some_and(|at| *at >= last) || now.duration_since(last) > SILENCE
        };
        if self.between.is_some_and(is_over) {
            (self.refused, self.between) = (0, None);
        }
        if let Some((first, last)) = heard.between {
            self.refused += heard.refused;
            self.between = Some((self.between.map_or(first, |(first, _)| first), last));
        }
    }
}

fn name(source: &SourceName) -> String {
    format!("signatures of {source}")
}

fn prints(source: &HiBobSettings) -> Vec<Arc<str>> {
    Verifier::new(&source.webhook_secrets).prints()
}

/// Writes down what the doors hear until it is told to stop, and once more then.
pub(super) async fn write_down(
    ears: Vec<(SourceName, Arc<Signatures>)>,
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    clock: Clock,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(WRITE) => {}
        }
        for (source, ear) in &ears {
            let Some(settings) = settings.sources.get(source.as_str()) else { continue };
            let heard = ear.take();
            let written = write(&*store, source, &heard, &prints(settings), clock.now()).await;
            if let Err(error) = written {
                tracing::debug!(error = &error as &dyn std::error::Error, "the store is away");
                ear.put_back(heard);
            }
        }
    }
}

async fn write(
    store: &dyn Store,
    source: &SourceName,
    heard: &Heard,
    prints: &[Arc<str>],
    now: Timestamp,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let before = store.note(&name(source)).await?;
        let known = read(before.as_deref());
        let mut signing = known.clone();
        signing.hear(heard, prints, now);
        if signing == known {
            return Ok(());
        }
        let text = serde_json::to_string(&signing).unwrap_or_default();
        if store.put_note(&name(source), before.as_deref(), Some(&text)).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// A note that cannot be read is none: a newer program wrote it.
fn read(text: Option<&str>) -> Signing {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What people are to be told of tokens and secrets.
pub(super) async fn look(
    store: &dyn Store,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<Notice>, StoreError> {
    let mut notices = Vec::new();
    for (source, set) in &settings.sources {
        let todo = "Make a new token for the service user in Bob, give it to Instep in `token`, and \
                    start it again. Then the old one can be withdrawn.";
        let what = format!("The token of {source}");
        notices.extend(expiring(
            &format!("{source}/token"),
            &what,
            set.token_expires,
            todo,
            settings,
            now,
        ));
        let source = SourceName::new(source);
        let signing = read(store.note(&name(&source)).await?.as_deref());
        notices.push(refused(&source, &signing, now));
        notices.push(unused(&source, &signing, &prints(set), now));
    }
    let todo = "Make new API credentials in 360Learning, give them to Instep in `client_id` and \
                `client_secret`, and start it again. Then the old ones can be withdrawn.";
    let expires = settings.target.client_secret_expires;
    notices.extend(expiring(
        "target/secret",
        "The LMS's client secret",
        expires,
        todo,
        settings,
        now,
    ));
    notices.extend(of_api::look(store, settings, now).await?);
    Ok(notices)
}

/// A token or secret whose last day is near or over.
fn expiring(
    about: &str,
    what: &str,
    expires: Option<Date>,
    todo: &str,
    settings: &Settings,
    now: Timestamp,
) -> Option<Notice> {
    let zone = &settings.sync.schedule.time_zone;
    let (expires, today) = (expires?, now.to_zoned(zone.clone()).date());
    let soon = now.checked_add(settings.notify.expires).ok()?.to_zoned(zone.clone()).date();
    if expires > soon {
        return Some(ended(Topic::Secret, about, format!("{what} was renewed")));
    }
    let worse = expires < today;
    let title = if worse {
        format!("{what} has expired: {expires} was its last day")
    } else {
        format!("{what} is about to expire: {expires} is its last day")
    };
    let line = "So the configuration says. When it fails, nothing is lost: work waits until there is \
                a new one.";
    let told = began(Topic::Secret, about, title, vec![line.to_owned()], Some(todo.to_owned()));
    Some(Notice { worse, ..told })
}

/// Webhooks that fit no secret: somebody has changed it in HR.
fn refused(source: &SourceName, signing: &Signing, now: Timestamp) -> Notice {
    let about = format!("{source}/webhook secret");
    let (first, last) = match signing.between {
        Some((first, last))
            if signing.refused >= REFUSED && now.duration_since(last) <= SILENCE =>
        {
            (first, last)
        }
        _ => {
            let title = format!("The signatures of {source}'s webhooks fit again");
            return ended(Topic::Secret, &about, title);
        }
    };
    let (title, refused) = (format!("Webhooks of {source} are refused"), signing.refused);
    let fitted = signing.last().map_or_else(
        || "None has ever fitted.".to_owned(),
        |at| format!("The last one that fitted came at {at:.0}."),
    );
    let lines = vec![
        format!(
            "{refused} came from {first:.0} to {last:.0} with a signature that fits no secret in \
             webhook_secrets."
        ),
        fitted,
    ];
    let todo = format!(
        "Compare the secret of the webhook to /webhooks/{source} in HR with webhook_secrets: it was \
         probably made anew there. HR sends again what was refused; `instep sync` finds the rest."
    );
    began(Topic::Secret, &about, title, lines, Some(todo))
}

/// A secret that signs no more: it still opens the door, and need not.
fn unused(source: &SourceName, signing: &Signing, prints: &[Arc<str>], now: Timestamp) -> Notice {
    let about = format!("{source}/unused secret");
    let known = |print: &Arc<str>| signing.secrets.get(&**print);
    let is_used = |print: &&Arc<str>| {
        let signed = known(print).and_then(|(_, signed)| *signed);
        signed.is_some_and(|at| now.duration_since(at) < UNUSED)
    };
    let is_old = |(_, print): &(usize, &Arc<str>)| {
        known(print).is_some_and(|(since, signed)| {
            now.duration_since(signed.unwrap_or(*since).max(*since)) >= UNUSED
        })
    };
    let used = prints.iter().any(|print| is_used(&print));
    let old: Vec<usize> =
        prints.iter().enumerate().filter(is_old).map(|(place, _)| place + 1).collect();
    if !used || old.is_empty() {
        let title = format!("All webhook secrets of {source} are in use");
        return ended(Topic::Secret, &about, title);
    }
    let title = format!("A webhook secret of {source} signs no more");
    let places = old.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let line = format!(
        "Of the {} in webhook_secrets, number {places} has signed nothing for a week, while another \
         one has.",
        prints.len()
    );
    let todo = "Take it out when nothing in HR has it any more: it still opens the door.";
    began(Topic::Secret, &about, title, vec![line], Some(todo.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        let start: Timestamp = "2026-11-01T08:00:00Z".parse().unwrap();
        start + SignedDuration::from_hours(hours)
    }

    fn heard(signed: &[(&Arc<str>, i64)], refused: u64, hour: i64) -> Heard {
        Heard {
            signed: signed.iter().map(|(print, hour)| (Arc::clone(print), at(*hour))).collect(),
            refused,
            between: (refused > 0).then(|| (at(hour), at(hour))),
        }
    }

    #[test]
    fn webhooks_that_fit_no_secret_are_told_of_until_one_fits() {
        let (source, secret): (_, Arc<str>) = (SourceName::new("bob"), "aa".into());
        let all = [Arc::clone(&secret)];
        let mut signing = Signing::default();
        signing.hear(&heard(&[(&secret, 0)], 0, 0), &all, at(0));
        signing.hear(&heard(&[], 4, 1), &all, at(1));
        let phase = |signing: &Signing, hour| refused(&source, signing, at(hour)).phase;
        assert_eq!(phase(&signing, 1), crate::notify::Phase::Ended, "four may be anything");
        signing.hear(&heard(&[], 1, 2), &all, at(2));
        let told = refused(&source, &signing, at(2));
        assert_eq!(told.phase, crate::notify::Phase::Began);
        let lines = told.lines.join(" ");
        assert!(lines.contains("5 came from 2026-11-01T09:00:00Z to 2026-11-01T10"), "{lines}");
        assert!(lines.contains("fitted came at 2026-11-01T08:00:00Z"), "{lines}");
        assert_eq!(phase(&signing, 2 + 73), crate::notify::Phase::Ended, "nobody tries any more");
        signing.hear(&heard(&[(&secret, 3)], 0, 0), &all, at(3));
        assert_eq!((signing.refused, signing.last()), (0, Some(at(3))));
        assert_eq!(phase(&signing, 3), crate::notify::Phase::Ended);
    }

    #[test]
    fn a_secret_that_signs_no_more_is_told_of_when_another_one_signs() {
        let (source, old, new): (_, Arc<str>, Arc<str>) =
            (SourceName::new("bob"), "aa".into(), "bb".into());
        let both = [Arc::clone(&old), Arc::clone(&new)];
        let began = |signing: &Signing, hour| {
            unused(&source, signing, &both, at(hour)).phase == crate::notify::Phase::Began
        };
        let mut signing = Signing::default();
        signing.hear(&heard(&[(&old, 0)], 0, 0), &both, at(0));
        assert!(!began(&signing, 0), "the new one is not in HR yet");
        signing.hear(&heard(&[(&new, 100)], 0, 0), &both, at(100));
        assert!(!began(&signing, 100));
        assert!(began(&signing, 7 * 24), "{signing:?}");
        let told = unused(&source, &signing, &both, at(7 * 24));
        assert!(told.lines[0].contains("number 1 has signed nothing"), "{told:?}");
        // A silent company says nothing about any of them.
        assert!(!began(&signing, 100 + 7 * 24));
        // It is taken out.
        signing.hear(&heard(&[], 0, 0), &both[1..], at(200));
        assert_eq!(signing.secrets.len(), 1);
    }
}

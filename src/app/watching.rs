//! What people are to be told of, read from the store: what is held, what failed, what is missing.
//!
//! Each look gives every state that is there, and the ends of those that are known to be over. When
//! that is told is not decided here. Notices hold ids and counts only.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::pages::Pages;
use super::told::ToldRun;
use super::{asked, secrets};
use crate::config::Settings;
use crate::model::words;
use crate::model::{
    Blame, DeliveryId, DeliveryState, Item, Rejection, Run, RunId, RunState, Slice, SliceState,
    SourceName,
};
use crate::notify::{Notice, Phase, Topic};
use crate::store::{Filter, Runs, Store, StoreError};

/// So many of the newest full syncs of a source are looked at, beside those that are open.
const LATEST: usize = 30;

/// So many dead letters are counted; there may be more.
const DEAD: usize = 1_000;

/// So many causes of dead letters are told of; the others wait until one of them is gone.
const CAUSES: usize = 20;

/// What was asked for and has not begun by then is told of.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Webhooks are lost when more than this share of all who differed had no event...
const LOST_PERCENT: u64 = 5;

/// ...and so many at least.
const LOST_LEAST: u64 = 5;

/// The code under which the live road's brake ends deliveries...
const BRAKE: &str = "brake";

/// ...and what is told of them is about this.
const LIVE: &str = "live";

/// Looks again and again, and remembers what it has counted.
#[derive(Default)]
pub(super) struct Watching {
    /// Of the newest run of a source: how many differed, and how many of them had no event.
    counted: HashMap<SourceName, (RunId, u64, u64)>,
}

impl Watching {
    /// Everything that people are to be told of.
    pub(super) async fn look(
        &mut self,
        store: &dyn Store,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Vec<Notice>, StoreError> {
        let pages = Pages::of(&settings.server);
        let mut notices = secrets::look(store, settings, now).await?;
        for hold in store.holds().await? {
            let title = match hold.scope.as_str() {
                "target" => "The LMS is set aside".to_owned(),
                scope => format!("The {scope} is set aside"),
            };
            let more = "Nothing is lost: work goes on by itself when it answers again.";
            let lines = vec![hold.reason, more.to_owned()];
            let notice = began(Topic::Hold, &hold.scope, title, lines, None);
            notices.push(notice.linked(pages.start()));
        }
        notices.extend(dead_letters(store, &pages).await?);
        for source in settings.sources.keys().map(SourceName::new) {
            let source = &source;
            let mut runs = store.runs(Some(source), Runs::Acting, LATEST).await?;
            for open in store.runs(Some(source), Runs::Open, usize::MAX).await? {
                let acts = !open.is_replay() && !open.plan_only;
                if acts && runs.iter().all(|run| run.id != open.id) {
                    runs.push(open);
                }
            }
            for run in &runs {
                let held = run.slices.iter().filter_map(|slice| held(run, slice));
                notices.extend(held.map(|notice| notice.linked(pages.run(&run.id))));
            }
            let asked = asked_for(store, source, now).await?.into_iter();
            notices.extend(asked.map(|notice| notice.linked(pages.runs())));
            if let Some(run) = runs.iter().find(|run| run.ended_at.is_some()) {
                let mut of_run: Vec<Notice> = carried_through(run).into_iter().collect();
                of_run.push(certificate(run));
                of_run.push(self.webhooks(store, run).await?);
                let page = pages.run(&run.id);
                notices.extend(of_run.into_iter().map(|notice| notice.linked(page.clone())));
            }
        }
        Ok(notices)
    }

    async fn webhooks(&mut self, store: &dyn Store, run: &Run) -> Result<Notice, StoreError> {
        let known = self.counted.get(&run.source).filter(|(id, ..)| *id == run.id);
        let (all, lost) = if let Some((_, all, lost)) = known {
            (*all, *lost)
        } else {
            let items = ToldRun::items(store, run).await?;
            let differs = |item: &&Item| item.kind.is_some();
            let is_lost = |item: &&Item| differs(item) && item.blame == Some(Blame::NoEvent);
            let all = count(items.iter().filter(differs).count());
            let lost = count(items.iter().filter(is_lost).count());
            self.counted.insert(run.source.clone(), (run.id.clone(), all, lost));
            (all, lost)
        };
        let (source, id) = (&run.source, &run.id);
        let about = source.as_str();
        if lost < LOST_LEAST || lost * 100 <= all * LOST_PERCENT {
            return Ok(ended(
                Topic::LostWebhooks,
                about,
                format!("Webhooks of {source} come again"),
            ));
        }
        let title = format!("Webhooks of {source} get lost");
        let line = format!("Of {all} people who differed in run {id}, {lost} had no event.");
        let todo = format!(
            "Look in HR whether the webhook to /webhooks/{source} is still there and active, and \
             whether it has all events."
        );
        Ok(began(Topic::LostWebhooks, about, title, vec![line], Some(todo)))
    }
}

/// That a state which was told of is there no more, when nothing better is known of its end.
pub(super) fn over(topic: Topic, about: &str) -> Notice {
    let title = match topic {
        Topic::Hold if about == "target" => "The LMS is back".to_owned(),
        Topic::Hold => format!("The {about} is back"),
        Topic::DeadLetters => format!("No dead letters any more: {about}"),
        Topic::Brake if about == LIVE => {
            "No deactivation is stopped by the brake any more".to_owned()
        }
        Topic::Secret if about.starts_with(secrets::API_TOKEN) => {
            format!("The {about} counts no more, and is not kept")
        }
        _ => format!("Over: {} ({about})", topic.word()),
    };
    ended(topic, about, title)
}

/// A state that a look did not show although it may be there: dead letters behind very many newer ones.
pub(super) async fn behind_others(
    store: &dyn Store,
    settings: &Settings,
    topic: Topic,
    about: &str,
) -> Result<Option<Notice>, StoreError> {
    let code = match topic {
        Topic::DeadLetters => about,
        Topic::Brake if about == LIVE => BRAKE,
        _ => return Ok(None),
    };
    let state = Some(DeliveryState::Dead);
    let filter = Filter { state, code: Some(code.to_owned()), ..Filter::default() };
    let newest = store.deliveries(&filter, 1).await?.pop();
    let pages = Pages::of(&settings.server);
    Ok(newest.map(|newest| dead_letter(code, "at least ", 1, pages.delivery(&newest.id))))
}

/// Deliveries that need a person, by their causes.
async fn dead_letters(store: &dyn Store, pages: &Pages) -> Result<Vec<Notice>, StoreError> {
    let filter = Filter { state: Some(DeliveryState::Dead), ..Filter::default() };
    let dead = store.deliveries(&filter, DEAD).await?;
    let more = if dead.len() >= DEAD { "at least " } else { "" };
    // How many, and the newest of them.
    let mut causes: BTreeMap<String, (u64, DeliveryId)> = BTreeMap::new();
    for delivery in dead {
        let code = delivery.code.unwrap_or_else(|| "no code".to_owned());
        causes.entry(code).or_insert((0, delivery.id)).0 += 1;
    }
    let notices = causes
        .into_iter()
        .take(CAUSES)
        .map(|(code, (many, newest))| dead_letter(&code, more, many, pages.delivery(&newest)));
    Ok(notices.collect())
}

fn dead_letter(code: &str, more: &str, many: u64, page: Option<String>) -> Notice {
    let list = format!("`instep deliveries --state dead --code {code}` lists them.");
    if code == BRAKE {
        let stopped = words::count(many, "deactivation", "deactivations");
        let title = format!("{more}{stopped} stopped by the brake");
        let line = "More events than in any usual hour say that somebody has left.";
        let lines = vec![line.to_owned()];
        return began(Topic::Brake, LIVE, title, lines, Some(list)).linked(page);
    }
    let title = format!("{more}{}: {code}", words::count(many, "dead letter", "dead letters"));
    began(Topic::DeadLetters, code, title, Vec::new(), Some(list)).linked(page)
}

/// A slice that the brake stopped, or what became of it.
fn held(run: &Run, slice: &Slice) -> Option<Notice> {
    let (source, id, word) = (&run.source, &run.id, slice.kind.word());
    let about = format!("{source}/{word}/{id}");
    let what = format!("{source}: {}", crate::report::changes(slice.kind, slice.people));
    Some(match &slice.state {
        SliceState::Free => return None,
        SliceState::Held { reason, until } => {
            let lines = vec![
                reason.clone(),
                format!("It can be approved until {}.", until.strftime("%Y-%m-%d %H:%M UTC")),
            ];
            let todo = format!("`instep runs show {id}` shows who, why and how to approve.");
            began(Topic::Brake, &about, format!("{what} held"), lines, Some(todo))
        }
        SliceState::Approved { by, people, .. } => {
            ended(Topic::Brake, &about, format!("{what} held, and approved for {people} by {by}"))
        }
        SliceState::Rejected(Rejection { by, .. }) => {
            ended(Topic::Brake, &about, format!("{what} held, and rejected by {by}"))
        }
        SliceState::Expired => {
            let title = format!("{what} held, and expired: nobody approved it in time");
            ended(Topic::Brake, &about, title)
        }
    })
}

/// Whether the newest run was carried through.
fn carried_through(run: &Run) -> Option<Notice> {
    let (source, id) = (&run.source, &run.id);
    match &run.state {
        RunState::Failed { reason } => {
            let title = format!("The full sync of {source} was not carried through");
            let todo = format!("`instep runs show {id}` says more, `instep sync` tries again.");
            let lines = vec![reason.clone()];
            Some(began(Topic::Sync, source.as_str(), title, lines, Some(todo)))
        }
        RunState::Done => {
            let title = format!("The full sync of {source} was carried through again");
            Some(ended(Topic::Sync, source.as_str(), title))
        }
        RunState::Comparing
        | RunState::Previewed { .. }
        | RunState::Applying
        | RunState::Cancelled { .. } => None,
    }
}

/// Whether HR's answer was complete.
fn certificate(run: &Run) -> Notice {
    let (source, id) = (&run.source, &run.id);
    if run.certificate.missing.is_empty() {
        let title = format!("HR's answer is complete again ({source})");
        return ended(Topic::Certificate, source.as_str(), title);
    }
    let title = format!("HR's answer was not complete ({source})");
    let mut lines = run.certificate.missing.clone();
    lines.truncate(5);
    lines.push("Nobody was deactivated in this run.".to_owned());
    let todo = format!("`instep runs show {id}` says more.");
    began(Topic::Certificate, source.as_str(), title, lines, Some(todo))
}

/// A full sync that was missed, and one that does not begin.
async fn asked_for(
    store: &dyn Store,
    source: &SourceName,
    now: Timestamp,
) -> Result<Vec<Notice>, StoreError> {
    let book = asked::read(store, source).await?;
    let mut notices = Vec::new();
    let about = format!("{source}/missed");
    notices.push(match book.missed {
        Some(due) => {
            let title = format!("A full sync of {source} was missed");
            let lines = vec![format!("It was due {due}, and no process was there to begin it.")];
            let todo = "`instep runs` shows whether it was made up for; `instep sync` does so.";
            began(Topic::Sync, &about, title, lines, Some(todo.to_owned()))
        }
        None => ended(Topic::Sync, &about, format!("The full sync of {source} ran in time again")),
    });
    let about = format!("{source}/waits");
    notices.push(match book.asked.filter(|ask| ask.at + PATIENCE < now) {
        Some(ask) => {
            let title = format!("A full sync of {source} does not begin");
            let lines = vec![format!("It was asked for {}: {}.", ask.at, ask.why)];
            let todo = "`instep runs` shows whether another one is under way; the log says more.";
            began(Topic::Sync, &about, title, lines, Some(todo.to_owned()))
        }
        None => ended(Topic::Sync, &about, format!("The full sync of {source} has begun")),
    });
    Ok(notices)
}

pub(super) fn began(
    topic: Topic,
    about: &str,
    title: String,
    lines: Vec<String>,
    todo: Option<String>,
) -> Notice {
    let about = about.to_owned();
    Notice { topic, about, phase: Phase::Began, worse: false, title, lines, todo, link: None }
}

pub(super) fn ended(topic: Topic, about: &str, title: String) -> Notice {
    let about = about.to_owned();
    Notice {
        topic,
        about,
        phase: Phase::Ended,
        worse: false,
        title,
        lines: Vec::new(),
        todo: None,
        link: None,
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

//! How things are, for the first page of the console: the last hours of this process, and what
//! needs a person.
//!
//! What happened is gathered as it happens and kept in memory, a little of it; what needs a person
//! is read from the store when somebody asks, and an answer is good for some seconds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::asked;
use super::stage::going;
use super::watching::Watching;
use crate::clock::{Clock, Deadline, elapsed_ms};
use crate::config::Settings;
use crate::model::{
    BudgetUse, DeliveryState, Lane, Latency, Need, Pulse, RunId, SourceName, Span, SyncPulse,
};
use crate::notify::{Notice, Phase, Topic};
use crate::reconcile;
use crate::schedule::timetable::Timetable;
use crate::store::{Store, StoreError};
use crate::worker::Settled;

/// How long a span is.
const SPAN: i64 = 30;

/// So many are kept: three hours.
const KEPT: usize = 360;

/// How often it is looked how much waits.
const LOOK: Duration = Duration::from_secs(5);

/// The most latencies that are remembered of one span.
const LATENCIES: usize = 20_000;

/// How long what needs a person is good.
const FRESH: Duration = Duration::from_secs(3);

/// For so long it is told while it is looked again beside that, so that no page waits for it.
const USABLE: Duration = Duration::from_secs(30);

/// The budgets' metric: it counts every call that was granted and adds up how long it waited.
const WAITED: &str = "instep_budget_wait_seconds";

/// Calls and milliseconds waited since the start, by budget.
type Granted = BTreeMap<String, (u64, u64)>;

/// Gathers what happens.
pub(super) struct Pulses {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    clock: Clock,
    recorder: PrometheusHandle,
    ring: Mutex<Ring>,
    needs: Mutex<Option<Needs>>,
    /// Taken while somebody looks.
    watching: tokio::sync::Mutex<Watching>,
}

/// What needed a person when it was looked last.
#[derive(Clone)]
struct Needs {
    fresh: Deadline,
    usable: Deadline,
    found: Vec<Need>,
}

/// The last hours.
#[derive(Default)]
struct Ring {
    spans: VecDeque<Span>,
    /// Of the last span, in milliseconds.
    latencies: Vec<u64>,
    /// What was granted at each look of the last minute, the oldest first.
    granted: VecDeque<Granted>,
}

impl Pulses {
    pub(super) fn new(
        settings: Arc<Settings>,
        store: Arc<dyn Store>,
        clock: Clock,
        recorder: PrometheusHandle,
    ) -> Self {
        let (ring, needs) = (Mutex::default(), Mutex::default());
        let watching = tokio::sync::Mutex::default();
        Self { settings, store, clock, recorder, ring, needs, watching }
    }

    /// Gathers until it is told to stop.
    pub(super) async fn watch(
        self: Arc<Self>,
        mut told: Receiver<Settled>,
        stop: CancellationToken,
    ) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => self.look().await,
                settled = told.recv() => match settled {
                    Ok(settled) => self.ring().settled(self.clock.now(), &settled),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    async fn look(&self) {
        // A store that hangs must not keep us from counting what is settled.
        let depth = tokio::time::timeout(LOOK, self.store.depth()).await;
        let granted = granted(&self.recorder.render());
        let now = self.clock.now();
        let mut ring = self.ring();
        ring.turn(now);
        ring.granted.push_back(granted);
        let minute = 60 / LOOK.as_secs().max(1) + 1;
        while ring.granted.len() as u64 > minute {
            ring.granted.pop_front();
        }
        if let (Ok(Ok(depth)), Some(span)) = (depth, ring.spans.back_mut()) {
            span.waiting = Some(span.waiting.unwrap_or(0).max(depth.waiting));
            let oldest = depth.oldest.map_or(0, |oldest| elapsed_ms(oldest, now));
            span.oldest_ms = span.oldest_ms.max(oldest);
        }
    }

    /// How things are now.
    pub(super) async fn now(self: &Arc<Self>) -> Result<Pulse, StoreError> {
        let needs = self.needs().await?;
        let mut syncs = Vec::new();
        for name in self.settings.sources.keys() {
            syncs.push(self.sync(SourceName::new(name)).await?);
        }
        let ring = self.ring();
        let budgets = self.budgets(&ring);
        let spans = ring.told();
        drop(ring);
        Ok(Pulse { needs, spans, budgets, syncs })
    }

    async fn sync(&self, source: SourceName) -> Result<SyncPulse, StoreError> {
        let table = Timetable::of(&self.settings.sync.schedule);
        let next = table.and_then(|table| table.next(self.clock.now()));
        let asked = asked::read(&*self.store, &source).await?.asked.map(|ask| ask.why);
        let watched = reconcile::watched(&*self.store, &self.clock, &source).await;
        let going = watched.ok().flatten().map(|progress| going(&progress));
        Ok(SyncPulse { source, next, asked, going })
    }

    async fn needs(self: &Arc<Self>) -> Result<Vec<Need>, StoreError> {
        match self.known_needs() {
            Some(known) if !known.fresh.left().is_zero() => Ok(known.found),
            Some(known) if !known.usable.left().is_zero() => {
                if let Ok(watching) = self.watching.try_lock() {
                    drop(watching);
                    let again = self.clone();
                    tokio::spawn(async move { again.look_for_needs().await });
                }
                Ok(known.found)
            }
            _ => self.look_for_needs().await,
        }
    }

    async fn look_for_needs(&self) -> Result<Vec<Need>, StoreError> {
        let mut watching = self.watching.lock().await;
        // Somebody else may have looked meanwhile.
        if let Some(known) = self.known_needs().filter(|known| !known.fresh.left().is_zero()) {
            return Ok(known.found);
        }
        let notices = watching.look(&*self.store, &self.settings, self.clock.now()).await?;
        let began = notices.into_iter().filter(|notice| notice.phase == Phase::Began);
        let mut told: Vec<(Topic, Need)> =
            began.map(|notice| (notice.topic, need(notice))).collect();
        // The gravest first: what stops everything, what waits for a decision, what failed.
        told.sort_by_key(|(topic, _)| match topic {
            Topic::Hold => 0,
            Topic::Brake => 1,
            Topic::DeadLetters => 2,
            Topic::Secret => 3,
            _ => 4,
        });
        let found: Vec<Need> = told.into_iter().map(|(_, need)| need).collect();
        let (fresh, usable) = (Deadline::after(FRESH), Deadline::after(USABLE));
        let needs = Needs { fresh, usable, found: found.clone() };
        *self.needs.lock().unwrap_or_else(PoisonError::into_inner) = Some(needs);
        Ok(found)
    }

    fn known_needs(&self) -> Option<Needs> {
        self.needs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn budgets(&self, ring: &Ring) -> Vec<BudgetUse> {
        let (Some(then), Some(now)) = (ring.granted.front(), ring.granted.back()) else {
            return Vec::new();
        };
        let used = |key: String, name: String, allowed: u64| {
            let (calls, waited) = now.get(&key).copied().unwrap_or_default();
            let (before, before_waited) = then.get(&key).copied().unwrap_or_default();
            let calls = calls.saturating_sub(before);
            let waited_ms = waited.saturating_sub(before_waited);
            BudgetUse { name, calls, allowed, waited_ms }
        };
        let mut all = Vec::new();
        for (name, source) in &self.settings.sources {
            let allowed = u64::from(source.searches_per_minute);
            all.push(used(format!("{name}:searches"), format!("{name} searches"), allowed));
        }
        let target = &self.settings.target;
        for (what, each) in
            [("reads", target.reads_per_second), ("writes", target.writes_per_second)]
        {
            let allowed = u64::from(each) * 60;
            all.push(used(format!("target:{what}"), format!("LMS {what}"), allowed));
        }
        all
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Goes on to the span in which this moment lies.
    fn turn(&mut self, now: Timestamp) {
        let begin = now.as_second() - now.as_second().rem_euclid(SPAN);
        let begin = Timestamp::from_second(begin).unwrap_or(now);
        let Some(last) = self.spans.back_mut() else {
            self.spans.push_back(empty(begin));
            return;
        };
        if last.at >= begin {
            return;
        }
        last.latency = latency(&mut self.latencies);
        self.latencies.clear();
        let mut at = last.at + SignedDuration::from_secs(SPAN);
        // After a long sleep of the machine there is nothing to tell of the time in between.
        let oldest = begin - SignedDuration::from_secs(SPAN * KEPT.cast_signed() as i64);
        at = at.max(oldest);
        while at <= begin {
            self.spans.push_back(empty(at));
            at += SignedDuration::from_secs(SPAN);
        }
        while self.spans.len() > KEPT {
            self.spans.pop_front();
        }
    }

    fn settled(&mut self, now: Timestamp, settled: &Settled) {
        self.turn(now);
        let Some(span) = self.spans.back_mut() else { return };
        span.settled += settled.deliveries as u64;
        // What a run orders waits its turn for as long as the run is: that is no latency.
        let live = settled.lane == Lane::Live;
        let ended = settled.state == DeliveryState::Done;
        if live && ended && self.latencies.len() < LATENCIES {
            let ms = u64::try_from(settled.latency.as_millis()).unwrap_or(u64::MAX);
            self.latencies.push(ms);
        }
    }

    /// All spans; the last one as far as it has come.
    fn told(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.spans.iter().cloned().collect();
        if let Some(last) = spans.last_mut() {
            last.latency = latency(&mut self.latencies.clone());
        }
        spans
    }
}

fn empty(at: Timestamp) -> Span {
    Span { at, waiting: None, oldest_ms: 0, settled: 0, latency: None }
}

/// Nearest rank.
fn latency(all: &mut [u64]) -> Option<Latency> {
    all.sort_unstable();
    let rank = |percent: usize| {
        let rank = (all.len() * percent).div_ceil(100);
        all.get(rank.saturating_sub(1)).copied()
    };
    Some(Latency { p50: rank(50)?, p95: rank(95)?, p99: rank(99)? })
}

/// What a notice asks of a person, with where there is more.
fn need(notice: Notice) -> Need {
    let Notice { topic, about, title, lines, todo, .. } = notice;
    let run = match topic {
        Topic::Brake => about.rsplit('/').next().filter(|last| *last != "live").map(RunId::new),
        _ => None,
    };
    let code = match topic {
        Topic::DeadLetters => Some(about),
        Topic::Brake if run.is_none() => Some("brake".to_owned()),
        _ => None,
    };
    Need { topic: topic.word().to_owned(), title, lines, todo, run, code }
}

/// What the metrics say of the budgets.
fn granted(metrics: &str) -> Granted {
    let mut found = Granted::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix(WAITED) else { continue };
        let Some((what, rest)) = rest.split_once("{budget=\"") else { continue };
        let Some((name, rest)) = rest.split_once("\"}") else { continue };
        let Ok(value) = rest.trim().parse::<f64>() else { continue };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is a count"
        )]
        let whole = |value: f64| value.max(0.0) as u64;
        let entry = found.entry(name.to_owned()).or_default();
        match what {
            "_count" => entry.0 = whole(value),
            "_sum" => entry.1 = whole(value * 1_000.0),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::{KEPT, Ring, granted, latency};
    use crate::model::{DeliveryState, EmployeeId, Lane, Latency, Person, SourceName};
    use crate::worker::Settled;

    fn settled(lane: Lane, ms: u64) -> Settled {
        Settled {
            person: Person { source: SourceName::new("bob"), employee: EmployeeId::new("1") },
            kinds: Vec::new(),
            lane,
            deliveries: 1,
            newest: None,
            decided: String::new(),
            done: Vec::new(),
            state: DeliveryState::Done,
            outcome: String::new(),
            latency: Duration::from_millis(ms),
        }
    }

    #[test]
    fn spans_follow_each_other_and_old_ones_go() {
        let mut ring = Ring::default();
        let mut now = "2026-11-21T12:00:10Z".parse().expect("a time");
        ring.settled(now, &settled(Lane::Live, 100));
        ring.settled(now, &settled(Lane::Live, 300));
        ring.settled(now, &settled(Lane::Bulk, 900_000));
        assert_eq!(ring.told().len(), 1);
        now += SignedDuration::from_secs(70);
        ring.turn(now);
        let told = ring.told();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0].settled, 3);
        assert_eq!(told[0].latency, Some(Latency { p50: 100, p95: 300, p99: 300 }));
        assert_eq!(told[1].latency, None);
        now += SignedDuration::from_hours(1_000);
        ring.turn(now);
        assert_eq!(ring.told().len(), KEPT);
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut all: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(latency(&mut all), Some(Latency { p50: 100, p95: 190, p99: 198 }));
        assert_eq!(latency(&mut []), None);
    }

    #[test]
    fn the_metrics_tell_of_budgets() {
        let text = "# TYPE instep_budget_wait_seconds histogram\n\
                    instep_budget_wait_seconds_bucket{budget=\"bob:searches\",le=\"1\"} 3\n\
                    instep_budget_wait_seconds_sum{budget=\"bob:searches\"} 1.5\n\
                    instep_budget_wait_seconds_count{budget=\"bob:searches\"} 4\n";
        assert_eq!(granted(text)["bob:searches"], (4, 1_500));
    }
}

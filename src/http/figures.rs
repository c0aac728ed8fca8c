//! What the store knows and on call wants as numbers: how much waits and since when, what is on
//! hold, what is dead and why, how the last full sync went.
//!
//! Read when someone asks for `/metrics`. Dead letters and runs are read less often than the rest,
//! for they are more to read. No number bears a person's name or id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::exposition::Page;
use super::health::Said;
use crate::clock::{Deadline, elapsed_ms};
use crate::model::{ChangeKind, DeliveryState, Pauses, Run, RunState, SourceName};
use crate::store::{Filter, Runs, Store, StoreError};

/// How long dead letters and runs are believed.
const FRESH: Duration = Duration::from_secs(10);

/// How long the store may take to tell of them.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many of the newest dead letters are told apart by their code; `instep_deliveries` counts all.
const DEAD: usize = 1_000;

/// So many codes have a line of their own: they come from far ends, and a label must have a bound.
const CODES: usize = 20;

/// Among so many full syncs of a source is the newest that was carried through.
const RUNS: usize = 50;

/// So many persons with due work are counted.
const DUE: usize = 1_000;

/// Who is due, the dead letters by source and code, and the newest runs.
#[derive(Clone, Default)]
struct Told {
    paused: Vec<String>,
    due: BTreeMap<String, usize>,
    dead: BTreeMap<(SourceName, String), u64>,
    /// The newest full syncs of each source.
    syncs: Vec<Run>,
    /// How many people each source's brake holds, by kind of change.
    held: BTreeMap<SourceName, BTreeMap<ChangeKind, u64>>,
}

/// Reads, and remembers for a moment.
#[derive(Default)]
pub(super) struct Figures {
    last: Mutex<Option<(Deadline, Option<Told>)>>,
}

impl Figures {
    /// Writes everything about a store that answers. `sources` are those of this process.
    pub async fn write(
        &self,
        page: &mut Page,
        store: &dyn Store,
        said: &Said,
        sources: &BTreeSet<&str>,
        now: Timestamp,
    ) {
        depth(page, said, now);
        holds(page, said, sources);
        if let Some(told) = self.told(store, sources, now).await {
            paused(page, &told);
            due(page, &told);
            dead(page, &told);
            syncs(page, &told.syncs);
            held(page, &told.held);
        }
    }

    async fn told(
        &self,
        store: &dyn Store,
        sources: &BTreeSet<&str>,
        now: Timestamp,
    ) -> Option<Told> {
        let mut last = self.last.lock().await;
        if let Some((_, told)) = last.as_ref().filter(|(until, _)| !until.left().is_zero()) {
            return told.clone();
        }
        let told = timeout(PATIENCE, read(store, sources, now)).await.ok().and_then(Result::ok);
        *last = Some((Deadline::after(FRESH), told.clone()));
        told
    }
}

async fn read(
    store: &dyn Store,
    sources: &BTreeSet<&str>,
    now: Timestamp,
) -> Result<Told, StoreError> {
    let text = store.note(Pauses::NOTE).await?;
    // What cannot be read stops the workers, and they say so.
    let known = Pauses::read(text.as_deref()).unwrap_or_default();
    let paused = known.counting(now).map(|pause| pause.scope.to_string()).collect();
    let mut due = BTreeMap::new();
    for name in sources {
        let counted = store.due(&SourceName::new(*name), DUE).await?;
        due.insert((*name).to_owned(), counted.persons);
    }
    let filter = Filter { state: Some(DeliveryState::Dead), ..Filter::default() };
    let mut dead: BTreeMap<(SourceName, String), u64> = BTreeMap::new();
    for delivery in store.deliveries(&filter, DEAD).await? {
        *dead.entry((delivery.source.clone(), delivery.cause().to_owned())).or_default() += 1;
    }
    let (mut syncs, mut held) = (Vec::new(), BTreeMap::new());
    for name in sources.iter().map(|name| SourceName::new(*name)) {
        syncs.extend(store.runs(Some(&name), Runs::Acting, RUNS).await?);
        let mut kinds = BTreeMap::from(ChangeKind::ALL.map(|kind| (kind, 0)));
        for run in store.runs(Some(&name), Runs::Open, usize::MAX).await? {
            for slice in run.held().filter(|_| !run.plan_only && !run.is_replay()) {
                *kinds.entry(slice.kind).or_default() += slice.people;
            }
        }
        held.insert(name, kinds);
    }
    Ok(Told { paused, due, dead: bounded(dead), syncs, held })
}

/// The most frequent codes; the others together.
fn bounded(mut dead: BTreeMap<(SourceName, String), u64>) -> BTreeMap<(SourceName, String), u64> {
    if dead.len() <= CODES {
        return dead;
    }
    let mut counts: Vec<u64> = dead.values().copied().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let least = counts[CODES - 1];
    let (mut kept, mut others) = (BTreeMap::new(), BTreeMap::<_, u64>::new());
    while let Some(((source, code), count)) = dead.pop_first() {
        if count >= least && kept.len() < CODES {
            kept.insert((source, code), count);
        } else {
            *others.entry((source, "other".to_owned())).or_default() += count;
        }
    }
    for (key, count) in others {
        *kept.entry(key).or_default() += count;
    }
    kept
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; 2^53 deliveries are not kept")]
fn float(count: u64) -> f64 {
    count as f64
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn yes(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn depth(page: &mut Page, said: &Said, now: Timestamp) {
    let depth = &said.depth;
    let mut values = page.gauge("instep_deliveries", "Deliveries that are kept, by state");
    for of in DeliveryState::ALL {
        let count = match of {
            DeliveryState::Waiting => depth.waiting,
            DeliveryState::Dead => depth.dead,
            DeliveryState::Done => depth.done,
            DeliveryState::Ignored => depth.ignored,
        };
        values.put(&[("state", of.word())], float(count));
    }
    let oldest = depth.oldest.map_or(0, |oldest| elapsed_ms(oldest, now));
    let help = "Age of the oldest waiting delivery in seconds; 0 when none waits";
    page.gauge("instep_oldest_waiting_seconds", help).put(&[], float(oldest) / 1000.0);
    page.gauge("instep_leased_persons", "Persons under lease").put(&[], float(depth.leased));
    let help = "Ways in which the store can lose data, as `instep doctor` tells them";
    let warnings = said.warnings.len() as u64;
    page.gauge("instep_store_warnings", help).put(&[], float(warnings));
}

fn holds(page: &mut Page, said: &Said, sources: &BTreeSet<&str>) {
    // What can be on hold is always there, so that an alert can tell 0 from silence.
    let mut scopes: BTreeSet<String> =
        sources.iter().map(|name| format!("source {name}")).collect();
    scopes.insert("target".to_owned());
    scopes.extend(said.holds.iter().map(|hold| hold.scope.clone()));
    let mut values = page.gauge("instep_hold", "1 while this source or the target is on hold");
    for scope in &scopes {
        let held = said.holds.iter().any(|hold| hold.scope == *scope);
        values.put(&[("scope", scope)], yes(held));
    }
}

fn paused(page: &mut Page, told: &Told) {
    let help = "1 while somebody has paused this, or a maintenance window has";
    let mut values = page.gauge("instep_paused", help);
    for scope in ["all", "target"].into_iter().filter(|it| !told.paused.iter().any(|at| at == it)) {
        values.put(&[("scope", scope)], 0.0);
    }
    for scope in &told.paused {
        values.put(&[("scope", scope)], 1.0);
    }
}

fn due(page: &mut Page, told: &Told) {
    let help = "Persons whose work is due now and not begun, by source; counted up to a thousand";
    let mut values = page.gauge("instep_due_persons", help);
    for (source, persons) in &told.due {
        values.put(&[("source", source)], float(*persons as u64));
    }
}

fn dead(page: &mut Page, told: &Told) {
    let help = "Dead letters by source and code; of the newest thousand";
    let mut values = page.gauge("instep_dead_letters", help);
    for ((source, code), count) in &told.dead {
        values.put(&[("source", source.as_str()), ("code", code)], float(*count));
    }
}

/// One run of each source.
type Of<'a> = BTreeMap<&'a SourceName, &'a Run>;

/// The newest full sync of each source, and the newest that has ended.
fn syncs(page: &mut Page, syncs: &[Run]) {
    let (mut newest, mut ended, mut done) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for run in syncs {
        newest.entry(&run.source).or_insert(run);
        if run.ended_at.is_some() {
            ended.entry(&run.source).or_insert(run);
        }
        if run.state == RunState::Done && run.certificate.missing.is_empty() {
            done.entry(&run.source).or_insert(run);
        }
    }
    let mut each = |name, help, of: &Of<'_>, value: &dyn Fn(&Run) -> f64| {
        let mut values = page.gauge(name, help);
        for (source, run) in of {
            values.put(&[("source", source.as_str())], value(run));
        }
    };
    let end = |run: &Run| run.ended_at.map_or(0.0, seconds);
    each(
        "instep_run_started_timestamp_seconds",
        "When the newest full sync began",
        &newest,
        &|run| seconds(run.started_at),
    );
    each("instep_run_ended_timestamp_seconds", "When the last full sync ended", &ended, &end);
    each(
        "instep_run_succeeded_timestamp_seconds",
        "When the last full sync ended that was carried through on a complete answer of HR",
        &done,
        &end,
    );
    each("instep_run_people", "People whom HR showed in the last full sync", &ended, &|run| {
        float(run.people)
    });
    each("instep_run_changed_people", "People whom the last full sync changed", &ended, &|run| {
        float(run.changed)
    });
    each("instep_run_failed_people", "People who failed in the last full sync", &ended, &|run| {
        float(run.failed)
    });
    each(
        "instep_run_certificate_complete",
        "1 when HR's answer was complete in the last full sync; otherwise it deactivated nobody",
        &ended,
        &|run| yes(run.certificate.missing.is_empty()),
    );
    let mut values = page.gauge("instep_run_state", "1 for the state of the newest full sync");
    for (source, run) in newest {
        let now = word(&run.state);
        for state in ["comparing", "applying", "done", "cancelled", "failed"] {
            values.put(&[("source", source.as_str()), ("state", state)], yes(state == now));
        }
    }
}

fn word(state: &RunState) -> &'static str {
    match state {
        RunState::Comparing => "comparing",
        // No full sync is ever so: it is a replay's.
        RunState::Previewed { .. } => "previewed",
        RunState::Applying => "applying",
        RunState::Done => "done",
        RunState::Cancelled { .. } => "cancelled",
        RunState::Failed { .. } => "failed",
    }
}

fn held(page: &mut Page, people: &BTreeMap<SourceName, BTreeMap<ChangeKind, u64>>) {
    let help = "People whose change the brake holds until somebody approves it, by kind of change";
    let mut values = page.gauge("instep_held_people", help);
    for (source, kinds) in people {
        for (kind, count) in kinds {
            values.put(&[("source", source.as_str()), ("change", kind.word())], float(*count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_without_end_make_no_labels_without_end() {
        let source = SourceName::new("bob");
        let key = |code: &str| (source.clone(), code.to_owned());
        let many = (0..100_u64).map(|at| (key(&format!("code{at:03}")), at + 1)).collect();
        let kept = bounded(many);
        assert_eq!(kept.len(), CODES + 1);
        assert_eq!(kept.get(&key("code099")), Some(&100));
        assert_eq!(kept.get(&key("other")), Some(&(1..=80).sum::<u64>()));
        assert_eq!(kept.values().sum::<u64>(), (1..=100).sum::<u64>());
    }
}

//! What a run came to: the verdict, the counts, and the sections that every shape shows.

use std::collections::BTreeMap;

use super::words::{count, duration, hour, moment, number, people, plain};
use super::{Report, replay, sections};
use crate::model::{ChangeKind, Drift, ItemState, Run, RunState, SliceState};

/// The facts in the order in which they are told.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How it went.
    pub tone: Tone,
    /// The verdict in one line.
    pub verdict: String,
    /// What was run.
    pub title: String,
    /// When and for whom.
    pub when: String,
    /// The numbers that say most.
    pub figures: Vec<Figure>,
    /// The rest, what somebody must do first.
    pub sections: Vec<Section>,
    /// Whether somebody may want to read about it.
    pub is_news: bool,
    /// Changed, held, failed: this run's bar in the chart.
    pub outcome: [u64; 3],
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nobody need do anything.
    Good,
    /// Somebody must look.
    Look,
    /// Something went wrong.
    Bad,
    /// It is neither.
    Plain,
}

/// A number that says how it went.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The number.
    pub value: String,
    /// What it counts.
    pub label: &'static str,
    /// How it went.
    pub tone: Tone,
}

/// One part of the report: sentences, a table, and what to do.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What is so grave that it is told before everything else.
    pub grave: bool,
    /// Sentences before the table.
    pub lead: Vec<String>,
    /// The table's columns.
    pub columns: Vec<Column>,
    /// The table's rows, the first ones.
    pub rows: Vec<Vec<String>>,
    /// How many rows there are besides, and the attachment that holds them all.
    pub more: Option<(u64, &'static str)>,
    /// Commands, each with what it does.
    pub commands: Vec<(String, String)>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub head: &'static str,
    /// What its cells hold.
    pub kind: Cells,
}

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Words.
    Words,
    /// Numbers, one below the other.
    Numbers,
    /// Ids and codes, to be copied.
    Codes,
}

/// How many people stand where, of one kind of change.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub found: u64,
    pub planned: u64,
    pub changed: u64,
    pub unneeded: u64,
    pub waiting: u64,
    pub held: u64,
    pub failed: u64,
}

impl Counts {
    /// One more person, who stands here.
    fn add(&mut self, state: &ItemState) {
        self.found += 1;
        *match state {
            ItemState::Told => &mut self.planned,
            ItemState::Held => &mut self.held,
            ItemState::Queued { .. } => &mut self.waiting,
            ItemState::Done { done } if done.is_empty() => &mut self.unneeded,
            ItemState::Done { .. } => &mut self.changed,
            ItemState::Failed { .. } => &mut self.failed,
        } += 1;
    }
}

/// The counts of a run.
pub(super) struct Totals {
    pub kinds: BTreeMap<ChangeKind, Counts>,
    pub all: Counts,
    pub disputed: u64,
    /// People whose values the rules refuse.
    pub refused: u64,
    pub orphans: u64,
    /// Memberships that came and that ended.
    pub joined: u64,
    pub left: u64,
    /// People of a replay for whom its preview found nothing to do.
    pub nothing: Counts,
}

impl Totals {
    fn of(report: &Report<'_>) -> Self {
        let (mut kinds, mut all) = (BTreeMap::<_, Counts>::new(), Counts::default());
        let (mut disputed, mut refused, mut orphans, mut joined, mut left) = (0, 0, 0, 0, 0);
        let mut nothing = Counts::default();
        for item in report.items {
            let has = |wanted: fn(&Drift) -> bool| item.drift.iter().any(wanted);
            disputed += u64::from(has(|drift| matches!(drift, Drift::Disputed { .. })));
            refused += u64::from(has(|drift| matches!(drift, Drift::Refused { .. })));
            orphans += u64::from(has(|drift| matches!(drift, Drift::Orphan)));
            if item.kind.is_none() && !item.again.is_empty() {
                nothing.add(&item.state);
            }
            let Some(kind) = item.kind else { continue };
            for counts in [kinds.entry(kind).or_default(), &mut all] {
                counts.add(&item.state);
            }
            let applied = matches!(&item.state, ItemState::Done { done } if !done.is_empty());
            if applied || matches!(item.state, ItemState::Told) {
                for drift in &item.drift {
                    joined += u64::from(matches!(drift, Drift::NotInGroup { .. }));
                    left += u64::from(matches!(drift, Drift::InGroup { .. }));
                }
            }
        }
        Self { kinds, all, disputed, refused, orphans, joined, left, nothing }
    }
}

/// What one run came to, for the chart: changed, held, failed.
pub(super) fn outcome(run: &Run) -> [u64; 3] {
    let held = run.slices.iter().map(|slice| match &slice.state {
        SliceState::Free => 0,
        SliceState::Approved { people, .. } => slice.people.saturating_sub(*people),
        SliceState::Held { .. } | SliceState::Rejected { .. } | SliceState::Expired => slice.people,
    });
    [run.changed, held.sum(), run.failed]
}

/// `430 deactivations`.
pub fn changes(kind: ChangeKind, of: u64) -> String {
    let (one, many) = match kind {
        ChangeKind::Deactivate => ("deactivation", "deactivations"),
        ChangeKind::Create => ("new account", "new accounts"),
        ChangeKind::Reactivate => ("reactivation", "reactivations"),
        ChangeKind::ChangeMail => ("change of mail", "changes of mail"),
        ChangeKind::LeaveGroup => ("removal from groups", "removals from groups"),
        ChangeKind::Update => ("update", "updates"),
    };
    count(of, one, many)
}

impl Facts {
    /// Of a report.
    pub fn of(report: &Report<'_>) -> Self {
        let totals = Totals::of(report);
        let (tone, verdict) = verdict(report.run, &totals);
        let waits = |slice: &crate::model::Slice| !matches!(slice.state, SliceState::Free);
        let is_news = totals.all.found > 0
            || totals.disputed > 0
            || totals.refused > 0
            || !report.run.certificate.missing.is_empty()
            || report.run.slices.iter().any(waits)
            || matches!(report.run.state, RunState::Failed { .. } | RunState::Cancelled { .. });
        Self {
            tone,
            verdict,
            title: title(report),
            when: when(report),
            figures: figures(report.run, &totals),
            sections: sections::all(report, &totals),
            is_news,
            outcome: [totals.all.changed, totals.all.held, totals.all.failed],
        }
    }
}

fn title(report: &Report<'_>) -> String {
    let what = match (report.run.is_replay(), report.run.plan_only) {
        (true, _) => "Replay",
        (false, true) => "Plan of a full sync",
        (false, false) => "Full sync",
    };
    format!("{what} of {}", plain(report.run.source.as_str()))
}

fn when(report: &Report<'_>) -> String {
    let run = report.run;
    let begun = moment(run.started_at, &report.zone);
    let zone = report.zone.iana_name().unwrap_or("UTC");
    let time = match run.ended_at {
        Some(ended) => {
            let ms = ended.as_millisecond().saturating_sub(run.started_at.as_millisecond());
            let took = duration(u64::try_from(ms).unwrap_or_default());
            format!("{begun} to {} {zone} ({took})", hour(ended, &report.zone))
        }
        None => format!("begun {begun} {zone}"),
    };
    format!("{time}, asked for by {}", plain(&run.asked_by))
}

/// The verdict: the gravest thing first, what is well at the end.
fn verdict(run: &Run, totals: &Totals) -> (Tone, String) {
    let all = &totals.all;
    let held: Vec<String> = run.held().map(|slice| changes(slice.kind, slice.people)).collect();
    let are_held = match held.as_slice() {
        [] => None,
        [one] => Some(format!("{one} held")),
        [most @ .., last] => Some(format!("{} and {last} held", most.join(", "))),
    };
    let failed = (all.failed > 0).then(|| format!("{} failed", people(all.failed)));
    let incomplete =
        (!run.certificate.missing.is_empty()).then(|| "HR's answer was not complete".to_owned());
    let disputed = (totals.disputed > 0).then(|| format!("{} disputed", people(totals.disputed)));
    let refused =
        (totals.refused > 0).then(|| format!("{} refused by the rules", people(totals.refused)));
    let sentence = |parts: Vec<Option<String>>| {
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}.", chars.as_str())
    };
    let must_look = are_held.is_some() || failed.is_some() || incomplete.is_some();
    let tone = match () {
        () if must_look => Tone::Look,
        () if disputed.is_some() || refused.is_some() => Tone::Look,
        () => Tone::Good,
    };
    if run.is_replay()
        && let Some(told) = replay::verdict(run, totals)
    {
        return told;
    }
    match &run.state {
        RunState::Previewed { .. } => (Tone::Look, "It waits until somebody confirms it.".into()),
        RunState::Failed { reason } => {
            let changed = Some(format!("{} changed before", people(all.changed)));
            let reason = Some(plain(reason).trim_end_matches('.').to_owned());
            let told = sentence(vec![changed.filter(|_| all.changed > 0)]);
            let why = sentence(vec![reason]);
            let told = if all.changed > 0 { format!(" {told}") } else { String::new() };
            (Tone::Bad, format!("Not carried through: {why}{told}"))
        }
        RunState::Cancelled { by } => {
            let left = all.waiting + all.held;
            let changed = format!("{} changed before that", people(all.changed));
            let left = (left > 0).then(|| format!("{} not", number(left)));
            let text = sentence(vec![Some(changed), left, failed]);
            (Tone::Look, format!("Stopped by {}. {text}", plain(by)))
        }
        RunState::Comparing => (Tone::Plain, "HR and the LMS are being compared.".to_owned()),
        RunState::Applying => {
            let done = all.changed + all.unneeded + all.failed;
            let of = format!("{} of {} done", number(done), number(done + all.waiting));
            let tone = if must_look { Tone::Look } else { Tone::Plain };
            (tone, sentence(vec![Some(of), failed, are_held, incomplete]))
        }
        RunState::Done if run.plan_only => {
            let planned = all.planned + all.held;
            let planned = match planned {
                0 => "nothing would change".to_owned(),
                some => format!("{} would change", people(some)),
            };
            let held = are_held.map(|held| format!("of these {}", would_be(&held)));
            (tone, sentence(vec![Some(planned), held, incomplete, disputed, refused]))
        }
        RunState::Done => {
            let changed = match all.changed {
                0 if tone == Tone::Good => "nothing had to change".to_owned(),
                0 => "nothing changed".to_owned(),
                some => format!("{} changed", people(some)),
            };
            let step = (tone == Tone::Good).then(|| {
                let there = run.in_step + all.changed + all.unneeded;
                format!("all {} in step", people(there))
            });
            (
                tone,
                sentence(vec![
                    are_held,
                    failed,
                    incomplete,
                    Some(changed),
                    disputed,
                    refused,
                    step,
                ]),
            )
        }
    }
}

/// What is held in a run would be in one that is only planned.
fn would_be(held: &str) -> String {
    held.replace(" held", " would be held")
}

fn figures(run: &Run, totals: &Totals) -> Vec<Figure> {
    let all = &totals.all;
    let figure = |value: u64, label, tone| Figure { value: number(value), label, tone };
    let unless_none = |value: u64, tone| if value > 0 { tone } else { Tone::Plain };
    if run.is_replay() {
        return replay::figures(run, totals);
    }
    let mut figures = vec![figure(run.people, "people in HR", Tone::Plain)];
    if run.plan_only {
        figures.push(figure(all.planned + all.held, "would change", Tone::Plain));
    } else {
        figures.push(figure(all.changed, "changed", unless_none(all.changed, Tone::Good)));
    }
    if all.waiting > 0 {
        figures.push(figure(all.waiting, "waiting", Tone::Plain));
    }
    if run.plan_only {
        let held = run.held().map(|slice| slice.people).sum();
        figures.push(figure(held, "would be held", unless_none(held, Tone::Look)));
    } else {
        figures.push(figure(all.held, "held", unless_none(all.held, Tone::Look)));
        figures.push(figure(all.failed, "failed", unless_none(all.failed, Tone::Bad)));
    }
    figures.push(figure(run.in_step, "in step before", Tone::Plain));
    figures
}

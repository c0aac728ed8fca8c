//! The first page: what needs a person, and how things are.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::chart::{self, Chart};
use super::fields::{Fields, Filled};
use super::frame::{self, Frame, Section, lasting};
use super::runs::sentence;
use super::visit::{Visit, done};
use crate::clock::elapsed_ms;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Need, Pause, PauseScope, Pauses, Pulse, Question, Refused, Run, Span, Verb};
use crate::report::number;
use crate::store::{Depth, Hold, Runs};

/// So many spans are told as a table.
const ROWS: usize = 20;

#[derive(Template)]
#[template(path = "now.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    /// Why the store is away.
    away: Option<String>,
    warnings: Vec<String>,
    ends: Vec<End>,
    pauses: Vec<Pause>,
    /// What can be paused.
    scopes: Vec<String>,
    depth: Depth,
    pulse: Pulse,
    charts: Vec<Chart>,
    rows: Vec<Row>,
    syncs: Vec<Sync>,
}

/// A source or the target.
struct End {
    name: String,
    hold: Option<Hold>,
}

/// The full syncs of a source.
struct Sync {
    of: crate::model::SyncPulse,
    last: Option<Run>,
}

/// A span as a row of a table.
struct Row {
    at: jiff::Timestamp,
    cells: [String; 6],
}

impl Page {
    /// What the store counts; nothing is known of it while it is away.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn counted(&self, count: &u64) -> String {
        self.away.as_ref().map_or_else(|| number(*count), |_| "–".to_owned())
    }

    fn oldest(&self) -> String {
        let oldest = self.depth.oldest;
        oldest.map_or_else(|| "–".to_owned(), |at| lasting(elapsed_ms(at, self.frame.now)))
    }

    /// Settled in the last full minute, by this process.
    fn rate(&self) -> u64 {
        let whole = self.pulse.spans.iter().rev().skip(1).take(2);
        whole.map(|span| span.settled).sum()
    }

    fn latency(&self) -> String {
        let last = self.pulse.spans.iter().rev().take(10).find_map(|span| span.latency);
        last.map_or_else(|| "–".to_owned(), |latency| chart::short(latency.p95))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
fn waited(ms: &u64) -> String {
    chart::short(*ms)
}

/// Where there is more about what needs a person.
fn place(need: &Need) -> Option<(String, &'static str)> {
    match (&need.run, &need.code) {
        (Some(run), _) => Some((format!("/console/runs/{run}"), "Open the run")),
        (None, Some(_)) => Some(("/console/failures".to_owned(), "Open the failures")),
        (None, None) if need.topic == "hold" => {
            Some(("/console/failures".to_owned(), "Open what waits for it"))
        }
        (None, None) if need.topic == "secret" => None,
        (None, None) => Some(("/console/runs".to_owned(), "Open the runs")),
    }
}

/// `GET /console`
pub(super) async fn page(State(state): State<Arc<HttpState>>, visit: Visit) -> Response {
    shown(&state, visit, None).await
}

/// `POST /console`: pauses something, or ends a pause.
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Filled(filled): Filled,
) -> Response {
    let acted = async {
        let verb = verb(&filled?, visit.now)?;
        state.act(&visit.actor, verb).await
    };
    match acted.await {
        Ok(outcome) => done("/console", &outcome),
        Err(refused) => shown(&state, visit, Some(&refused)).await,
    }
}

fn verb(filled: &Fields, now: Timestamp) -> Result<Verb, Refused> {
    let scope =
        filled.one("scope").unwrap_or_default().parse::<PauseScope>().map_err(Refused::Wrong)?;
    match filled.one("do") {
        Some("resume") => Ok(Verb::Resume { scope }),
        Some("pause") => {
            let until = match filled.one("hours") {
                None => None,
                Some(text) => {
                    let hours = text.parse::<i64>().ok().filter(|hours| (1..=168).contains(hours));
                    let wrong = || Refused::Wrong("a pause lasts 1 to 168 hours".to_owned());
                    Some(now + SignedDuration::from_hours(hours.ok_or_else(wrong)?))
                }
            };
            let reason = filled.one("reason").unwrap_or_default().to_owned();
            Ok(Verb::Pause { scope, reason, until })
        }
        _ => Err(Refused::Wrong("this form is not known here: load the page again".to_owned())),
    }
}

async fn shown(state: &HttpState, visit: Visit, refused: Option<&Refused>) -> Response {
    let said = state.health.store().await;
    let answer = state.ask(&visit.actor, Question::Pulse).await;
    let pulse = match answer {
        Ok(Answer::Pulse(pulse)) => *pulse,
        Ok(_) | Err(_) => Pulse::default(),
    };
    let (warnings, holds, depth, away) = match &said {
        Ok(said) => (said.warnings.clone(), said.holds.clone(), said.depth.clone(), None),
        Err(why) => (Vec::new(), Vec::new(), Depth::default(), Some(why.clone())),
    };
    let mut syncs = Vec::new();
    for of in &pulse.syncs {
        let newest = state.store.runs(Some(&of.source), Runs::FullSyncs, 1).await;
        let last = newest.ok().and_then(|mut newest| newest.pop());
        syncs.push(Sync { of: of.clone(), last });
    }
    let end = |scope: String, name: String| {
        let hold = holds.iter().find(|hold| hold.scope == scope).cloned();
        End { name, hold }
    };
    let mut ends: Vec<End> = pulse
        .syncs
        .iter()
        .map(|of| end(format!("source {}", of.source), format!("HR ({})", of.source)))
        .collect();
    ends.push(end("target".to_owned(), "LMS".to_owned()));
    let note = state.store.note(Pauses::NOTE).await.ok().flatten();
    let pauses = Pauses::read(note.as_deref()).unwrap_or_default();
    let pauses = pauses.counting(visit.now).cloned().collect();
    let mut scopes = vec!["all".to_owned()];
    scopes.extend(pulse.syncs.iter().map(|of| format!("source {}", of.source)));
    scopes.extend(["target", "lane bulk", "lane live"].map(str::to_owned));
    let frame = visit.frame(Section::Now).refused(refused);
    let charts = charts(&pulse.spans, &frame);
    let rows = pulse.spans.iter().rev().take(ROWS).map(row).collect();
    let why = away.clone().map(Refused::Unavailable);
    let page =
        Page { frame, away, warnings, ends, pauses, scopes, depth, pulse, charts, rows, syncs };
    frame::page_after(&page, refused.or(why.as_ref()))
}

fn row(span: &Span) -> Row {
    let none = || "–".to_owned();
    let ms = |of: fn(&crate::model::Latency) -> u64| {
        span.latency.as_ref().map_or_else(none, |latency| chart::short(of(latency)))
    };
    let cells = [
        span.waiting.map_or_else(none, number),
        lasting(span.oldest_ms),
        number(span.settled),
        ms(|latency| latency.p50),
        ms(|latency| latency.p95),
        ms(|latency| latency.p99),
    ];
    Row { at: span.at, cells }
}

fn charts(spans: &[Span], frame: &Frame) -> Vec<Chart> {
    let latency = |of: fn(&crate::model::Latency) -> u64| {
        spans.iter().map(|span| Some((span.at, of(span.latency.as_ref()?)))).collect::<Vec<_>>()
    };
    let of = |value: fn(&Span) -> Option<u64>| {
        spans.iter().map(|span| Some((span.at, value(span)?))).collect::<Vec<_>>()
    };
    // The last span has only begun: its count would look like a fall.
    let whole = spans.split_last().map_or(&[][..], |(_, whole)| whole);
    let settled = whole.iter().map(|span| Some((span.at, span.settled * 2))).collect();
    let zone = &frame.zone;
    vec![
        Chart::new("Waiting deliveries", number, zone, &[("", of(|span| span.waiting))]),
        Chart::new("Age of the oldest", chart::short, zone, &[("", of(oldest))]),
        Chart::new("Settled a minute", number, zone, &[("", settled)]),
        Chart::new(
            "From webhook to LMS",
            chart::short,
            zone,
            &[
                ("p50", latency(|it| it.p50)),
                ("p95", latency(|it| it.p95)),
                ("p99", latency(|it| it.p99)),
            ],
        ),
    ]
}

fn oldest(span: &Span) -> Option<u64> {
    span.waiting.map(|_| span.oldest_ms)
}

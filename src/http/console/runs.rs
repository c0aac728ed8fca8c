//! `/console/runs`: full syncs and replays: how far they are, what they found, what waits for a
//! decision.

pub(super) mod file;
pub(super) mod slice;

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::address;
use super::fields::{Fields, Filled};
use super::frame::{self, Frame, Section};
use super::visit::{Lenient, Visit, done};
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{
    ChangeKind, Drift, EmployeeId, Going, Item, ItemState, Person, Personal, Question, Refused,
    Run, RunId, RunKind, RunState, Selection, Slice, SliceState, SourceName, Verb,
};
use crate::report::{self, Cells, Facts, Report, number};
use crate::store::{Runs, StoreError};

/// So many runs are shown unless more are asked for.
const SHOWN: usize = 50;

/// The most that can be asked for.
const MOST: usize = 1_000;

/// Of a run with more people out of step than this, a page tells the counts only.
const ITEMS: usize = 2_000;

#[derive(Template)]
#[template(path = "runs.html", config = "src/http/console/askama.toml")]
struct List {
    frame: Frame,
    runs: Vec<Run>,
    sources: Vec<SourceName>,
    asked: Asked,
    /// How many to ask for to see more.
    more: Option<usize>,
}

/// The query of the list.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    most: usize,
    /// Only those that are open; a form sends `1`.
    open: String,
}

impl Asked {
    fn open(&self) -> bool {
        self.open == "1"
    }
}

/// `GET /console/runs`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Lenient(asked): Lenient<Asked>,
) -> Response {
    listed(&state, visit, asked, None).await
}

async fn listed(
    state: &HttpState,
    visit: Visit,
    asked: Asked,
    refused: Option<&Refused>,
) -> Response {
    let shown = if asked.most == 0 { SHOWN } else { asked.most.min(MOST) };
    let which = if asked.open() { Runs::Open } else { Runs::All };
    let mut runs = match state.store.runs(None, which, shown + 1).await {
        Ok(runs) => runs,
        Err(error) => return away(visit, &error),
    };
    let more = (runs.len() > shown && shown < MOST).then(|| (shown * 4).min(MOST));
    runs.truncate(shown);
    let sources = match state.ask(&visit.actor, Question::Pulse).await {
        Ok(Answer::Pulse(pulse)) => pulse.syncs.into_iter().map(|sync| sync.source).collect(),
        _ => Vec::new(),
    };
    let frame = visit.frame(Section::Runs).refused(refused);
    frame::page_after(&List { frame, runs, sources, asked, more }, refused)
}

fn away(visit: Visit, error: &StoreError) -> Response {
    frame::no_page(visit, Section::Runs, &Refused::Unavailable(error.to_string()))
}

/// `POST /console/runs`: asks for a full sync, or for a look.
pub(super) async fn start(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Filled(filled): Filled,
) -> Response {
    let acted = async {
        let filled = filled?;
        let plan = match filled.one("do") {
            Some("sync") => false,
            Some("plan") => true,
            _ => return Err(unknown()),
        };
        let source = filled.one("source").map(SourceName::new);
        state.act(&visit.actor, Verb::Sync { source, plan }).await
    };
    match acted.await {
        Ok(outcome) => done("/console/runs", &outcome),
        Err(refused) => listed(&state, visit, Asked::default(), Some(&refused)).await,
    }
}

fn unknown() -> Refused {
    Refused::Wrong("this form is not known here: load the page again".to_owned())
}

#[derive(Template)]
#[template(path = "run.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    run: Run,
    going: Option<Going>,
    verdict: Option<String>,
    sections: Vec<report::Section>,
    /// There are too many people in it for a page.
    is_long: bool,
    can_unmask: bool,
    files: Vec<&'static str>,
}

impl Page {
    fn cards(&self) -> Vec<(String, &'static str, &'static str)> {
        let run = &self.run;
        let card =
            |value: u64, label, class| (number(value), label, if value > 0 { class } else { "" });
        let of = if run.is_replay() { "people" } else { "people in HR" };
        let mut cards = vec![card(run.people, of, "")];
        if !run.plan_only {
            cards.push(card(run.changed, "changed", "good"));
        }
        cards.push(card(held(run), "held", "warn"));
        cards.push(card(run.failed, "failed", "bad"));
        cards.push(card(run.in_step, "in step before", ""));
        cards
    }

    /// The slices that are not free.
    fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.run.slices.iter().filter(|slice| !matches!(slice.state, SliceState::Free))
    }

    fn is_under_way(&self) -> bool {
        self.run.ended_at.is_none()
    }
}

/// What a run is, in words.
fn title(run: &Run) -> String {
    match &run.kind {
        RunKind::Replay { .. } => format!("Replay of {}", run.source),
        RunKind::FullSync if run.plan_only => format!("Plan of a full sync of {}", run.source),
        RunKind::FullSync => format!("Full sync of {}", run.source),
    }
}

/// Where a run stands: a class and a word.
fn standing(run: &Run, now: &Timestamp) -> (&'static str, &'static str) {
    match &run.state {
        _ if run.has_expired(*now) => ("warn", "expired"),
        _ if run.ended_at.is_none() && run.paused_by.is_some() => ("warn", "paused"),
        RunState::Comparing if run.is_replay() => ("quiet", "previewing"),
        RunState::Comparing => ("quiet", "comparing"),
        RunState::Previewed { .. } => ("warn", "waits for you"),
        RunState::Applying => ("quiet", "applying"),
        RunState::Done if held(run) > 0 && !run.plan_only => ("warn", "held in part"),
        RunState::Done if run.failed > 0 => ("bad", "done, some failed"),
        RunState::Done if run.plan_only => ("good", "plan"),
        RunState::Done => ("good", "done"),
        RunState::Cancelled { .. } => ("warn", "cancelled"),
        RunState::Failed { .. } => ("bad", "not carried through"),
    }
}

/// Until when somebody can confirm a preview; nothing when it waits for nobody (any more).
fn waits_until(run: &Run, now: &Timestamp) -> Option<Timestamp> {
    match run.state {
        RunState::Previewed { until } if until > *now => Some(until),
        _ => None,
    }
}

/// How many people's changes wait for an approval.
fn held(run: &Run) -> u64 {
    run.held().map(|slice| slice.people).sum()
}

/// A kind of change as people read it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
fn kind_name(kind: &ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Deactivate => "Deactivations",
        ChangeKind::Create => "New accounts",
        ChangeKind::Reactivate => "Reactivations",
        ChangeKind::ChangeMail => "Changes of mail",
        ChangeKind::LeaveGroup => "Removals from groups",
        ChangeKind::Update => "Updates",
    }
}

/// `GET /console/runs/{id}`
pub(super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    shown(&state, visit, &RunId::new(id), None).await
}

async fn shown(state: &HttpState, visit: Visit, id: &RunId, refused: Option<&Refused>) -> Response {
    let run = match find(state, id).await {
        Ok(run) => run,
        Err(refused) => return frame::no_page(visit, Section::Runs, &refused),
    };
    let going = match state.ask(&visit.actor, Question::Progress(id.clone())).await {
        Ok(Answer::Progress(going)) => going,
        _ => None,
    };
    let items = match state.store.items(id, 0, ITEMS + 1).await {
        Ok(items) => items,
        Err(error) => return away(visit, &error),
    };
    let is_long = items.len() > ITEMS;
    let (personal, can_unmask) = personal(&visit, &run);
    let frame = visit.frame(Section::Runs).refused(refused);
    let files = files(&run, &items);
    let (verdict, sections) =
        if is_long { (None, Vec::new()) } else { facts(&run, &items, personal, &frame) };
    let page = Page { frame, run, going, verdict, sections, is_long, can_unmask, files };
    frame::page_after(&page, refused)
}

pub(super) async fn find(state: &HttpState, id: &RunId) -> Result<Run, Refused> {
    // Ids are short; nobody need be told of a longer one.
    let nothing =
        || Refused::NotFound("there is no such run: it was never there, or is trimmed".into());
    if id.as_str().len() > 64 {
        return Err(nothing());
    }
    let found = state.store.run(id).await;
    found.map_err(|error| Refused::Unavailable(error.to_string()))?.ok_or_else(nothing)
}

/// How much personal data of a run whoever looks sees now, and whether they may ask for more.
fn personal(visit: &Visit, run: &Run) -> (Personal, bool) {
    let sees = visit.sight.sees(&format!("run {}", run.id));
    (if sees { Personal::Values } else { Personal::None }, !sees && visit.sight.may_ask())
}

/// The verdict, and the sections of the report that do not stand on the page already.
fn facts(
    run: &Run,
    items: &[Item],
    personal: Personal,
    frame: &Frame,
) -> (Option<String>, Vec<report::Section>) {
    let report = |run| Report {
        run,
        items,
        before: &[],
        misses: &[],
        personal,
        zone: frame.zone.clone(),
        link: None,
    };
    let verdict = report(run).verdict();
    let bare = Run { slices: Vec::new(), ..run.clone() };
    let Facts { mut sections, .. } = Facts::of(&report(&bare));
    // What a replay would do is told as a run tells it; its commands are buttons here.
    for section in &mut sections {
        section.commands.retain(|(command, _)| !command.starts_with("instep runs"));
    }
    (Some(verdict), sections)
}

/// What can be downloaded.
fn files(run: &Run, items: &[Item]) -> Vec<&'static str> {
    let has = |is: fn(&Drift) -> bool| items.iter().flat_map(|item| &item.drift).any(is);
    let held = items.iter().any(|item| item.state == ItemState::Held);
    let planned = run.plan_only && items.iter().any(|item| item.kind.is_some());
    let long = items.len() > ITEMS;
    let there = [
        ("report.html", true),
        ("report.json", true),
        ("changed.csv", run.changed > 0 || planned),
        ("held.csv", long || held),
        ("failed.csv", run.failed > 0),
        ("disputed.csv", long || has(|drift| matches!(drift, Drift::Disputed { .. }))),
        ("refused.csv", long || has(|drift| matches!(drift, Drift::Refused { .. }))),
        ("orphans.csv", long || has(|drift| matches!(drift, Drift::Orphan))),
    ];
    there.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

/// `POST /console/runs/{id}`: what people decide about a run.
pub(super) async fn decide(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Path(id): Path<String>,
    Filled(filled): Filled,
) -> Response {
    let run = RunId::new(id);
    let acted = async {
        let verb = verb(&state, &run, &filled?).await?;
        state.act(&visit.actor, verb).await
    };
    match acted.await {
        Ok(outcome) => done(&format!("/console/runs/{run}"), &outcome),
        Err(refused) => shown(&state, visit, &run, Some(&refused)).await,
    }
}

/// What a form asks for.
async fn verb(state: &HttpState, id: &RunId, filled: &Fields) -> Result<Verb, Refused> {
    let run = find(state, id).await?;
    let Run { id: run, source, slices, .. } = run;
    let slice = || {
        let word = filled.one("slice").ok_or_else(unknown)?;
        let found = slices.iter().find(|slice| slice.kind.word() == word).ok_or_else(unknown)?;
        if filled.one("seen") == Some(&*seen(found)) {
            return Ok(found.kind);
        }
        let said = "somebody else has decided on this slice since the page was shown: this is how \
                    it stands now";
        Err(Refused::Conflict(said.to_owned()))
    };
    let reason = filled.one("reason").unwrap_or_default().to_owned();
    Ok(match filled.one("do").unwrap_or_default() {
        "approve" => Verb::Approve { run, slice: Some(slice()?), whom: whom(filled, &source)? },
        "reject" => {
            if reason.is_empty() {
                let said = "give a reason, for those who read the run later";
                return Err(Refused::Wrong(said.to_owned()));
            }
            Verb::Reject { run, slice: Some(slice()?), reason }
        }
        // What a replay's preview showed, as a whole.
        "confirm" => Verb::Approve { run, slice: None, whom: Selection::All },
        "refuse" => Verb::Reject { run, slice: None, reason },
        "cancel" => Verb::Cancel { run },
        "pause" => Verb::PauseRun { run },
        "resume" => Verb::ResumeRun { run },
        _ => return Err(unknown()),
    })
}

/// Whom an approval is for: everybody, or those who are ticked or listed, or all others.
fn whom(filled: &Fields, source: &SourceName) -> Result<Selection, Refused> {
    let listed = filled.one("ids").unwrap_or_default();
    let listed = listed.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let before = format!("{source}/");
    let named: BTreeSet<EmployeeId> = listed
        .chain(filled.all("id"))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| EmployeeId::new(text.strip_prefix(&before).unwrap_or(text)))
        .collect();
    match filled.one("whom").unwrap_or_default() {
        "all" if named.is_empty() => Ok(Selection::All),
        "all" => {
            let said = "ids are listed, and everybody is meant: say which";
            Err(Refused::Wrong(said.to_owned()))
        }
        "only" | "except" if named.is_empty() => {
            Err(Refused::Wrong("nobody is named: tick somebody or list ids".to_owned()))
        }
        "only" => Ok(Selection::Only(named)),
        "except" => Ok(Selection::Except(named)),
        _ => Err(unknown()),
    }
}

/// Where a slice stood when its form was shown: whoever decides on it later, when somebody else has
/// decided meanwhile, is told and looks again.
fn seen(slice: &Slice) -> String {
    match &slice.state {
        SliceState::Free => "free".to_owned(),
        SliceState::Held { .. } => "held".to_owned(),
        SliceState::Approved { rest: Some(_), .. } => "decided".to_owned(),
        SliceState::Approved { people, .. } => format!("approved {people}"),
        SliceState::Rejected { .. } => "rejected".to_owned(),
        SliceState::Expired => "expired".to_owned(),
    }
}

/// With a full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// The page of the person that a cell names.
fn somebody(head: &str, cell: &str) -> Option<String> {
    let (source, employee) = cell.split_once('/').filter(|_| head == "person")?;
    let (source, employee) = (SourceName::new(source), EmployeeId::new(employee));
    Some(address::of_person(&Person { source, employee }))
}

/// How the cells of a column are set.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
fn class(cells: &Cells) -> &'static str {
    match cells {
        Cells::Words => "words",
        Cells::Numbers => "number",
        Cells::Codes => "mono",
    }
}

//! `/console/rules`: which rules are live and were before, what their tables lack, and an expression
//! on trial.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use similar::{ChangeTag, TextDiff};

use super::fields::Filled;
use super::frame::{self, Frame, Section};
use super::visit::{Visit, done};
use crate::http::HttpState;
use crate::model::question::{Answer, RulesTold, RulesVersion, SourceRules, Tried};
use crate::model::{Access, Question, Refused, Verb};

/// So many values that tables lack are shown; the command line lists them all.
const MISSES: usize = 100;

#[derive(Template)]
#[template(path = "rules.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    told: RulesTold,
    trial: Trial,
}

/// An expression on trial: what was asked, and what came of it.
#[derive(Default)]
struct Trial {
    expression: String,
    key: String,
    tried: Vec<Tried>,
}

impl Page {
    fn administers(&self) -> bool {
        self.frame.may(Access::Administrator)
    }
}

/// The version that is live, if it is kept.
fn live(rules: &SourceRules) -> Option<&RulesVersion> {
    rules.versions.iter().find(|version| version.version == rules.live)
}

/// `GET /console/rules`
pub(super) async fn page(State(state): State<Arc<HttpState>>, visit: Visit) -> Response {
    shown(&state, visit, Trial::default(), None).await
}

async fn shown(
    state: &HttpState,
    visit: Visit,
    trial: Trial,
    refused: Option<&Refused>,
) -> Response {
    let told = match state.ask(&visit.actor, Question::Rules).await {
        Ok(Answer::Rules(told)) => *told,
        Ok(_) => RulesTold::default(),
        Err(refused) => return frame::no_page(visit, Section::Rules, &refused),
    };
    let frame = visit.frame(Section::Rules).refused(refused);
    frame::page_after(&Page { frame, told, trial }, refused)
}

/// `POST /console/rules`: has the rules reloaded, or tries an expression.
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Filled(filled): Filled,
) -> Response {
    let filled = match filled {
        Ok(filled) => filled,
        Err(refused) => return shown(&state, visit, Trial::default(), Some(&refused)).await,
    };
    let text = |name| filled.one(name).unwrap_or_default().to_owned();
    let mut trial = Trial { expression: text("expression"), key: text("key"), tried: Vec::new() };
    let refused = match filled.one("do") {
        Some("reload") => match state.act(&visit.actor, Verb::Reload).await {
            Ok(outcome) => return done("/console/rules", &outcome),
            Err(refused) => refused,
        },
        Some("try") => match try_out(&state, &visit, &trial).await {
            Ok(tried) => {
                trial.tried = tried;
                return shown(&state, visit, trial, None).await;
            }
            Err(refused) => refused,
        },
        _ => Refused::Wrong("this form is not known here: load the page again".to_owned()),
    };
    shown(&state, visit, trial, Some(&refused)).await
}

/// Tries an expression. What it shows of somebody's record is personal: that is written down.
async fn try_out(state: &HttpState, visit: &Visit, trial: &Trial) -> Result<Vec<Tried>, Refused> {
    let Trial { expression, key, .. } = trial;
    let question = Question::Try { expression: expression.clone(), key: key.clone() };
    let Answer::Tried(tried) = state.ask(&visit.actor, question).await? else {
        return Ok(Vec::new());
    };
    for one in &tried {
        let about = format!("person {}, by an expression", one.person);
        state.act(&visit.actor, Verb::Unmask { about }).await?;
    }
    Ok(tried)
}

#[derive(Template)]
#[template(path = "version.html", config = "src/http/console/askama.toml")]
struct VersionPage {
    frame: Frame,
    source: String,
    is_live: bool,
    version: RulesVersion,
    /// The one that was live before it, and what differs.
    before: Option<(RulesVersion, Vec<Line>)>,
}

/// A line of a difference.
struct Line {
    sign: char,
    text: String,
}

/// `GET /console/rules/{source}/{version}`
pub(super) async fn version(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Path((source, version)): Path<(String, String)>,
) -> Response {
    let told = match state.ask(&visit.actor, Question::Rules).await {
        Ok(Answer::Rules(told)) => *told,
        Ok(_) => RulesTold::default(),
        Err(refused) => return frame::no_page(visit, Section::Rules, &refused),
    };
    let rules = told.sources.into_iter().find(|rules| rules.source.as_str() == source);
    let found = rules.and_then(|rules| {
        let mut versions = rules.versions;
        versions.sort_by_key(|version| version.first);
        let at = versions.iter().position(|one| one.version == version)?;
        let before = at.checked_sub(1).map(|at| versions[at].clone());
        Some((rules.live, versions.swap_remove(at), before))
    });
    let Some((live, version, before)) = found else {
        let said = "this version is not kept: the last twenty are";
        return frame::no_page(visit, Section::Rules, &Refused::NotFound(said.to_owned()));
    };
    let before = before.map(|before| {
        let lines = difference(&before.text, &version.text);
        (before, lines)
    });
    let frame = visit.frame(Section::Rules);
    let is_live = version.version == live;
    frame::page(&VersionPage { frame, source, is_live, version, before })
}

/// What differs, with a few lines around.
fn difference(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (at, group) in diff.grouped_ops(3).iter().enumerate() {
        if at > 0 {
            lines.push(Line { sign: '…', text: String::new() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let text = change.value().trim_end_matches('\n').to_owned();
            lines.push(Line { sign, text });
        }
    }
    lines
}

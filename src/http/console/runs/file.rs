//! `/console/runs/{id}/files/{name}`: the report of a run to take away, as a page, as a document for
//! programs, as spreadsheets.
//!
//! As a link it holds ids only. Whoever may see personal data presses a button for it, and that is
//! written down.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::super::frame::{self, Section};
use super::super::visit::Visit;
use crate::http::HttpState;
use crate::model::question::{Answer, Told};
use crate::model::{Personal, Question, Refused, RunId, Verb};
use crate::report::{self, Report};

/// `GET`: ids only.
pub(in super::super) async fn told(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Path((id, name)): Path<(String, String)>,
) -> Response {
    match file(&state, &visit, &RunId::new(id), &name, Personal::None).await {
        Ok(response) => response,
        Err(refused) => frame::no_page(visit, Section::Runs, &refused),
    }
}

/// `POST`: with names and values.
pub(in super::super) async fn told_in_full(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Path((id, name)): Path<(String, String)>,
) -> Response {
    let id = RunId::new(id);
    let made = async {
        super::find(&state, &id).await?;
        let about = format!("run {id}");
        state.act(&visit.actor, Verb::Unmask { about }).await?;
        file(&state, &visit, &id, &name, Personal::Values).await
    };
    match made.await {
        Ok(response) => response,
        Err(refused) => frame::no_page(visit, Section::Runs, &refused),
    }
}

async fn file(
    state: &HttpState,
    visit: &Visit,
    id: &RunId,
    name: &str,
    personal: Personal,
) -> Result<Response, Refused> {
    super::find(state, id).await?;
    let Answer::Told(told) = state.ask(&visit.actor, Question::Told(id.clone())).await? else {
        return Err(Refused::Unavailable("there is no report just now".to_owned()));
    };
    let Told { run, items, before, misses } = *told;
    let zone = state.zone.clone();
    let report = Report {
        run: &run,
        items: &items,
        before: &before,
        misses: &misses,
        personal,
        zone,
        link: None,
    };
    let (kind, content) = match name {
        "report.html" => ("text/html; charset=utf-8", report::html(&report)),
        "report.json" => {
            let document = serde_json::to_string_pretty(&report::json(&report));
            ("application/json", document.unwrap_or_default())
        }
        name => {
            let sheet = report::attachments(&report).into_iter().find(|file| file.name == name);
            let sheet =
                sheet.ok_or_else(|| Refused::NotFound("this run has no such file".into()))?;
            ("text/csv; charset=utf-8", sheet.content)
        }
    };
    // Taken away, never shown in our own place: the report brings styles of its own.
    let day = run.started_at.to_zoned(state.zone.clone()).strftime("%Y-%m-%d").to_string();
    let safe: String = run.source.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    let taken = format!("attachment; filename=\"instep-{safe}-{day}-{name}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, taken)], content).into_response())
}

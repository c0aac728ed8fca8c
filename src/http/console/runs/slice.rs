//! `/console/runs/{id}/slices/{slice}`: everybody in a held slice, a page at a time, to approve some
//! or all but some.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::super::frame::{self, Frame, Section};
use super::super::visit::{Lenient, Visit};
use super::{away, find, kind_name, title};
use crate::http::HttpState;
use crate::model::{ChangeKind, Item, Personal, Refused, Run, RunId, Slice};
use crate::report::{self, Step};
use crate::store::StoreError;

/// So many people stand on a page.
const PAGE: usize = 100;

/// So many items are read together, and so many times for one page. A slice lies scattered among
/// the items of its run: who does not find a page full goes on with the next one.
const READ: usize = 1_000;
const TIMES: usize = 3;

#[derive(Template)]
#[template(path = "slice.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    run: Run,
    slice: Slice,
    rows: Vec<Row>,
    /// The number of the item after which the next page begins.
    next: Option<u64>,
    is_first: bool,
    can_unmask: bool,
}

/// Somebody.
struct Row {
    employee: String,
    /// Empty when it is not to be seen.
    name: String,
    account: String,
    steps: Vec<Step>,
    cause: &'static str,
    standing: &'static str,
}

impl Page {
    fn is_held(&self) -> bool {
        self.slice.open() > 0 && !self.run.plan_only
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Asked {
    after: u64,
}

/// `GET /console/runs/{id}/slices/{slice}`
pub(in super::super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Path((id, kind)): Path<(String, String)>,
    Lenient(asked): Lenient<Asked>,
) -> Response {
    let run = match find(&state, &RunId::new(id)).await {
        Ok(run) => run,
        Err(refused) => return frame::no_page(visit, Section::Runs, &refused),
    };
    let Some(slice) = run.slices.iter().find(|slice| slice.kind.word() == kind).cloned() else {
        let refused = Refused::NotFound("this run has no such slice".to_owned());
        return frame::no_page(visit, Section::Runs, &refused);
    };
    let (items, next) = match read(&state, &run, slice.kind, asked.after).await {
        Ok(found) => found,
        Err(error) => return away(visit, &error),
    };
    let (personal, can_unmask) = super::personal(&visit, &run);
    let rows = items.iter().map(|item| row(item, personal)).collect();
    let frame = visit.frame(Section::Runs);
    frame::page(&Page { frame, run, slice, rows, next, is_first: asked.after == 0, can_unmask })
}

async fn read(
    state: &HttpState,
    run: &Run,
    kind: ChangeKind,
    mut after: u64,
) -> Result<(Vec<Item>, Option<u64>), StoreError> {
    let mut found = Vec::new();
    for _ in 0..TIMES {
        let items = state.store.items(&run.id, after, READ).await?;
        let is_end = items.len() < READ;
        for item in items {
            if item.kind == Some(kind) {
                if found.len() == PAGE {
                    return Ok((found, Some(after)));
                }
                after = item.number;
                found.push(item);
            } else {
                after = item.number;
            }
        }
        if is_end {
            return Ok((found, None));
        }
    }
    Ok((found, Some(after)))
}

fn row(item: &Item, personal: Personal) -> Row {
    let name = if personal == Personal::None { String::new() } else { item.name.clone() };
    Row {
        name,
        employee: item.employee.as_ref().map(ToString::to_string).unwrap_or_default(),
        account: item.account.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        steps: report::steps(item, personal),
        cause: item.blame.as_ref().map(report::cause).unwrap_or_default(),
        standing: report::standing(item),
    }
}

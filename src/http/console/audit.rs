//! `/console/audit`: who did what, from where, and what came of it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::address;
use super::frame::{self, Frame, Section};
use super::visit::{Lenient, Visit};
use crate::http::HttpState;
use crate::model::{Access, AuditEntry, AuditId, Refused};

/// So many entries stand on a page.
const PAGE: usize = 50;

/// So many are read together, and so many times for one page: who looks for something rare goes on
/// with the next page.
const READ: usize = 500;
const TIMES: usize = 4;

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    who: String,
    verb: String,
    about: String,
    before: String,
}

impl Asked {
    fn fits(&self, entry: &AuditEntry) -> bool {
        let has = |text: &str, part: &str| {
            part.is_empty() || text.to_lowercase().contains(&part.trim().to_lowercase())
        };
        has(&entry.who, &self.who)
            && has(&entry.verb, &self.verb)
            && (has(&entry.about, &self.about)
                || entry.reason.as_ref().is_some_and(|reason| has(reason, &self.about)))
    }

    fn is_narrow(&self) -> bool {
        !(self.who.is_empty() && self.verb.is_empty() && self.about.is_empty())
    }
}

#[derive(Template)]
#[template(path = "audit.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    asked: Asked,
    entries: Vec<AuditEntry>,
    /// The query of the next page.
    older: Option<String>,
    newest: String,
}

/// `GET /console/audit`
pub(super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Lenient(asked): Lenient<Asked>,
) -> Response {
    if visit.actor.access < Access::Operator {
        // It tells of those who work here: their names, where they were, and their words.
        return frame::no_page(visit, Section::Audit, &Refused::Forbidden(Access::Operator));
    }
    let (entries, next) = match find(&state, &asked).await {
        Ok(found) => found,
        Err(error) => {
            let refused = Refused::Unavailable(error.to_string());
            return frame::no_page(visit, Section::Audit, &refused);
        }
    };
    let query = |before: &str| {
        let Asked { who, verb, about, .. } = &asked;
        address::query(&[("who", who), ("verb", verb), ("about", about), ("before", before)])
    };
    let older = next.map(|id| query(id.as_str()));
    let newest = query("");
    frame::page(&Page { frame: visit.frame(Section::Audit), entries, older, newest, asked })
}

/// Entries that fit, and where to go on.
async fn find(
    state: &HttpState,
    asked: &Asked,
) -> Result<(Vec<AuditEntry>, Option<AuditId>), crate::store::StoreError> {
    let mut before = (!asked.before.is_empty()).then(|| AuditId::new(asked.before.clone()));
    let most = if asked.is_narrow() { READ } else { PAGE + 1 };
    let mut found = Vec::new();
    for _ in 0..TIMES {
        let read = state.store.audit(before.as_ref(), most).await?;
        let is_end = read.len() < most;
        for entry in read {
            before = Some(entry.id.clone());
            if asked.fits(&entry) {
                if found.len() == PAGE {
                    let last: Option<&AuditEntry> = found.last();
                    let next = last.map(|entry| entry.id.clone());
                    return Ok((found, next));
                }
                found.push(entry);
            }
        }
        if is_end {
            return Ok((found, None));
        }
    }
    Ok((found, before))
}

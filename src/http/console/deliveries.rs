//! `/console/deliveries`: what came in and what became of it; what is ticked, or all that fits, is
//! replayed or discarded.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::address;
use super::attempts::badge;
use super::fields::{Asked, Fields, Filled, MOST, is_id, wrong};
use super::frame::{self, Frame, Moment, Section};
use super::plain::plain;
use super::visit::{self, Visit};
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Actor, Delivery, DeliveryId, DeliveryState, Question, Refused, Verb, Which};

/// What a page remembers of an address besides the filter.
const BESIDES: [&str; 2] = ["did", "before"];

#[derive(Template)]
#[template(path = "deliveries.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    asked: Fields,
    states: [DeliveryState; 4],
    rows: Vec<Row>,
    /// Where the newest are, when this is a later page.
    newest: Option<String>,
    /// Where older ones are.
    older: Option<String>,
    /// Whether the filter says anything.
    filtered: bool,
}

impl Page {
    /// What stands in a field of the filter.
    fn said(&self, name: &str) -> String {
        self.asked.one(name).map(plain).unwrap_or_default()
    }

    fn is_state(&self, state: DeliveryState) -> bool {
        self.asked.one("state") == Some(state.word())
    }
}

pub(super) struct Row {
    pub id: String,
    pub path: String,
    pub kind: String,
    pub person: String,
    pub person_path: String,
    pub state: &'static str,
    pub badge: &'static str,
    pub received: Moment,
    pub attempts: u32,
    pub code: String,
    pub reason: String,
}

impl Row {
    pub fn of(delivery: &Delivery, frame: &Frame) -> Self {
        let person = delivery.person();
        Self {
            id: delivery.id.as_str().to_owned(),
            path: address::of_delivery(&delivery.id),
            kind: plain(&delivery.kind),
            person: person.as_ref().map(|it| plain(&it.to_string())).unwrap_or_default(),
            person_path: person.as_ref().map(address::of_person).unwrap_or_default(),
            state: delivery.state.word(),
            badge: badge(delivery.state),
            received: frame.time(delivery.received_at),
            attempts: delivery.attempts,
            code: plain(delivery.code.as_deref().unwrap_or_default()),
            reason: plain(delivery.reason.as_deref().unwrap_or_default()),
        }
    }
}

/// `GET /console/deliveries`
pub(super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Asked(asked): Asked,
) -> Response {
    show(&state, visit, asked, None).await
}

/// The deliveries that a filter means, and where to go on.
pub(super) async fn find(
    state: &HttpState,
    actor: &Actor,
    which: Which,
    before: Option<DeliveryId>,
) -> Result<(Vec<Delivery>, Option<DeliveryId>), Refused> {
    match state.ask(actor, Question::Deliveries { which, before, most: MOST }).await? {
        Answer::Deliveries { mut found, next } => {
            found.truncate(MOST);
            Ok((found, next))
        }
        _ => Ok((Vec::new(), None)),
    }
}

async fn show(
    state: &HttpState,
    visit: Visit,
    asked: Fields,
    refused: Option<Refused>,
) -> Response {
    let filter = asked.which(&state.zone).and_then(|which| match asked.one("before") {
        Some(id) if !is_id(id) => Err(wrong("there is no such page of the list")),
        before => Ok((which, before.map(DeliveryId::new))),
    });
    let filtered = filter.as_ref().is_ok_and(|(which, _)| *which != Which::default());
    let found = match filter {
        Ok((which, before)) => find(state, &visit.actor, which, before).await,
        Err(error) => Err(error),
    };
    let (found, next, refused) = match found {
        Ok((found, next)) => (found, next, refused),
        Err(error) => (Vec::new(), None, refused.or(Some(error))),
    };
    let frame = visit.frame(Section::Deliveries).refused(refused.as_ref());
    let here = Section::Deliveries.path();
    let older = next.map(|id| {
        let path = asked.behind(here, &BESIDES);
        let mark = if path.contains('?') { '&' } else { '?' };
        format!("{path}{mark}before={}", address::segment(id.as_str()))
    });
    let page = Page {
        states: DeliveryState::ALL,
        rows: found.iter().map(|delivery| Row::of(delivery, &frame)).collect(),
        newest: asked.one("before").map(|_| asked.behind(here, &BESIDES)),
        frame,
        asked,
        older,
        filtered,
    };
    frame::page_after(&page, refused.as_ref())
}

/// `POST /console/deliveries`: the filter stands in the address, what is ticked in the form.
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Asked(asked): Asked,
    Filled(filled): Filled,
) -> Response {
    let done = async {
        let filled = filled?;
        let which = match filled.one("whom") {
            Some("all") => asked.which(&state.zone)?,
            Some("ticked") | None => Which { ids: filled.ticked()?, ..Which::default() },
            Some(_) => return Err(wrong("choose those that are ticked, or all that fit")),
        };
        let back = asked.behind(Section::Deliveries.path(), &BESIDES);
        again(&state, &visit, &filled, which, &back).await
    };
    match done.await {
        Ok(response) => response,
        Err(refused) => show(&state, visit, asked, Some(refused)).await,
    }
}

/// Replays or discards, as a form says.
///
/// # Errors
/// When the form says neither, or it cannot be done.
pub(super) async fn again(
    state: &HttpState,
    visit: &Visit,
    filled: &Fields,
    which: Which,
    back: &str,
) -> Result<Response, Refused> {
    let verb = match filled.one("do") {
        Some("replay") => Verb::Replay { which, reason: filled.reason()?, per_minute: None },
        Some("discard") => Verb::Discard { which, reason: filled.reason()? },
        _ => return Err(wrong("the form says nothing that can be done here")),
    };
    let outcome = state.act(&visit.actor, verb).await?;
    // A replay is a run: first it shows what would change.
    let to = outcome.runs.first().map_or_else(|| back.to_owned(), address::of_run);
    Ok(visit::done(&to, &outcome))
}

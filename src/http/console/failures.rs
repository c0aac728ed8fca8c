//! `/console/failures`: what needs a human, by cause; and one cause.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::address;
use super::deliveries::{Row, again, find};
use super::fields::{Filled, MOST, Named, wrong};
use super::frame::{self, Frame, Moment, Section};
use super::plain::plain;
use super::spark::Spark;
use super::visit::Visit;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Actor, Delivery, Failure, Question, Refused, Which};

#[derive(Template)]
#[template(path = "failures.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    groups: Vec<Group>,
    /// So many more causes are not shown.
    more: usize,
}

/// A cause as it is shown.
struct Group {
    path: String,
    cause: String,
    source: String,
    code: String,
    shape: String,
    dead: bool,
    deliveries: u64,
    people: u64,
    first: Moment,
    last: Moment,
    ago: String,
    spark: Spark,
    advice: String,
}

impl Group {
    fn of(failure: &Failure, frame: &Frame) -> Self {
        Self {
            path: address::of_cause(&failure.cause),
            cause: plain(&failure.cause),
            source: plain(failure.source.as_str()),
            code: plain(&failure.code),
            shape: plain(&failure.shape),
            dead: failure.dead,
            deliveries: failure.deliveries,
            people: failure.people,
            first: frame.time(failure.first),
            last: frame.time(failure.last),
            ago: frame.ago(failure.last),
            spark: Spark::of(&failure.trend),
            advice: plain(&failure.advice),
        }
    }
}

async fn failures(state: &HttpState, actor: &Actor) -> Result<Vec<Failure>, Refused> {
    match state.ask(actor, Question::Failures).await? {
        Answer::Failures(failures) => Ok(failures),
        _ => Ok(Vec::new()),
    }
}

/// `GET /console/failures`
pub(super) async fn page(State(state): State<Arc<HttpState>>, visit: Visit) -> Response {
    let failures = match failures(&state, &visit.actor).await {
        Ok(failures) => failures,
        Err(refused) => return frame::no_page(visit, Section::Failures, &refused),
    };
    let frame = visit.frame(Section::Failures);
    let groups = failures.iter().take(MOST).map(|failure| Group::of(failure, &frame)).collect();
    frame::page(&Page { groups, more: failures.len().saturating_sub(MOST), frame })
}

#[derive(Template)]
#[template(path = "failure.html", config = "src/http/console/askama.toml")]
struct One {
    frame: Frame,
    group: Group,
    /// Those it touches, with how many of their deliveries are shown here.
    people: BTreeMap<(String, String), u32>,
    rows: Vec<Row>,
    /// Where all its deliveries are.
    all: String,
}

/// `GET /console/failures/{cause}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Named(cause): Named<String>,
) -> Response {
    show(&state, visit, &cause, None).await
}

async fn show(state: &HttpState, visit: Visit, cause: &str, refused: Option<Refused>) -> Response {
    let which = Which { cause: Some(cause.to_owned()), ..Which::default() };
    let read = async {
        let failures = failures(state, &visit.actor).await?;
        let known = failures.into_iter().find(|failure| failure.cause == cause);
        let failure = known.ok_or_else(|| {
            let told = "nothing fails by this cause (any more)";
            Refused::NotFound(told.to_owned())
        })?;
        let (found, _) = find(state, &visit.actor, which, None).await?;
        Ok((failure, found))
    };
    let (failure, found) = match read.await {
        Ok(read) => read,
        Err(error) => {
            let refused = refused.unwrap_or(error);
            return frame::no_page(visit, Section::Failures, &refused);
        }
    };
    let frame = visit.frame(Section::Failures).refused(refused.as_ref());
    let mut people = BTreeMap::new();
    for person in found.iter().filter_map(Delivery::person) {
        let shown = (plain(&person.to_string()), address::of_person(&person));
        *people.entry(shown).or_insert(0) += 1;
    }
    let here = Section::Deliveries.path();
    let page = One {
        group: Group::of(&failure, &frame),
        rows: found.iter().map(|delivery| Row::of(delivery, &frame)).take(20).collect(),
        all: format!("{here}?cause={}", address::segment(cause)),
        frame,
        people,
    };
    frame::page_after(&page, refused.as_ref())
}

/// `POST /console/failures/{cause}`
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Named(cause): Named<String>,
    Filled(filled): Filled,
) -> Response {
    let done = async {
        let filled = filled?;
        if cause.len() > 200 {
            return Err(wrong("no cause has so long a name"));
        }
        // What a form about one cause means is that cause; a cause that is gone means nothing.
        let known = failures(&state, &visit.actor).await?;
        if known.iter().all(|failure| failure.cause != cause) {
            let told = "nothing fails by this cause (any more)";
            return Err(Refused::NotFound(told.to_owned()));
        }
        let which = Which { cause: Some(cause.clone()), ..Which::default() };
        again(&state, &visit, &filled, which, Section::Failures.path()).await
    };
    match done.await {
        Ok(response) => response,
        Err(refused) => show(&state, visit, &cause, Some(refused)).await,
    }
}

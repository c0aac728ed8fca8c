//! `/console/people`: somebody is found by id, mail or name.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::address;
use super::fields::{Asked, Fields, Filled, wrong};
use super::frame::{self, Frame, Section};
use super::plain::plain;
use super::unmask::{self, Sight};
use super::visit::Visit;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Access, Question, Refused, Somebody};

/// So many people are shown.
const MOST: usize = 50;

/// About what personal data is asked for here; it says nothing of what was searched.
const ABOUT: &str = "people in the search";

#[derive(Template)]
#[template(path = "people.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    sight: Sight,
    /// What was searched.
    text: String,
    /// Names and mails are searched too.
    widely: bool,
    found: Vec<Row>,
    /// There are more.
    more: bool,
}

struct Row {
    path: String,
    person: String,
    name: String,
    mail: String,
    account: String,
    active: bool,
}

impl Row {
    fn of(somebody: &Somebody) -> Self {
        Self {
            path: address::of_person(&somebody.person),
            person: plain(&somebody.person.to_string()),
            name: plain(&somebody.name),
            mail: plain(&somebody.mail),
            account: somebody.account.as_ref().map(|id| plain(id.as_str())).unwrap_or_default(),
            active: somebody.active,
        }
    }
}

/// `GET /console/people`
pub(super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Asked(asked): Asked,
) -> Response {
    show(&state, visit, &asked, None).await
}

async fn show(
    state: &HttpState,
    visit: Visit,
    asked: &Fields,
    refused: Option<Refused>,
) -> Response {
    let sight = Sight::of(&visit, ABOUT);
    let (found, refused) = match (find(state, &visit, asked).await, refused) {
        (Ok(found), refused) => (found, refused),
        (Err(error), refused) => (Vec::new(), refused.or(Some(error))),
    };
    let more = found.len() > MOST;
    let page = Page {
        widely: visit.actor.access >= Access::Operator,
        text: plain(asked.one("q").unwrap_or_default()),
        found: found.iter().take(MOST).map(Row::of).collect(),
        frame: visit.frame(Section::People).refused(refused.as_ref()),
        sight,
        more,
    };
    frame::page_after(&page, refused.as_ref())
}

async fn find(state: &HttpState, visit: &Visit, asked: &Fields) -> Result<Vec<Somebody>, Refused> {
    let Some(text) = asked.short("q")? else { return Ok(Vec::new()) };
    let question = Question::People { text: text.to_owned(), most: MOST + 1 };
    match state.ask(&visit.actor, question).await? {
        Answer::People(found) => Ok(found),
        _ => Ok(Vec::new()),
    }
}

/// `POST /console/people`: personal data is asked for.
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Asked(asked): Asked,
    Filled(filled): Filled,
) -> Response {
    let done = async {
        match filled?.one("do") {
            Some("unmask") => {
                let back = asked.behind(Section::People.path(), &["did"]);
                unmask::ask(&state, &visit, ABOUT, &back).await
            }
            _ => Err(wrong("the form says nothing that can be done here")),
        }
    };
    match done.await {
        Ok(response) => response,
        Err(refused) => show(&state, visit, &asked, Some(refused)).await,
    }
}

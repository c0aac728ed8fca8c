//! `/console/people/{source}/{employee}`: one person: their account, what came in about them, what
//! was decided and done; why, when it is asked; and what can be done about it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::address;
use super::attempts::Line;
use super::explained::{Explained, Planned};
use super::fields::{Asked, Fields, Filled, Named, wrong};
use super::frame::{self, Frame, Moment, Section};
use super::plain::plain;
use super::unmask::{self, Sight};
use super::visit::{self, Visit};
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::story::veil_link;
use crate::model::words::count_of;
use crate::model::{
    AccountId, AccountStatus, Choice, Delivery, DeliveryState, EmployeeId, Link, Person, Question,
    Refused, SourceName, Verb, Which,
};
use crate::store::{Filter, StoreError};

/// So many deliveries are shown.
const MOST: usize = 20;

#[derive(Template)]
#[template(path = "person.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    sight: Sight,
    path: String,
    person: String,
    id: String,
    known: Known,
    explained: Option<Explained>,
    planned: Option<Planned>,
    lines: Vec<Line>,
    /// Where all their deliveries are.
    all: String,
}

/// What the store knows of somebody.
struct Known {
    link: Option<Link>,
    choice: Option<Choice>,
    deliveries: Vec<Delivery>,
    dead: bool,
    /// They were forgotten then.
    forgotten: Option<Timestamp>,
}

impl Known {
    async fn of(state: &HttpState, person: &Person) -> Result<Self, StoreError> {
        let of = |state| Filter {
            source: Some(person.source.clone()),
            employee: Some(person.employee.as_str().to_owned()),
            state,
            ..Filter::default()
        };
        let dead = state.store.deliveries(&of(Some(DeliveryState::Dead)), 1).await?;
        Ok(Self {
            link: state.store.link(person).await?,
            choice: state.store.choice(person).await?,
            deliveries: state.store.deliveries(&of(None), MOST).await?,
            dead: !dead.is_empty(),
            forgotten: state.store.forgotten(person).await?,
        })
    }

    fn nothing(&self) -> bool {
        let kept = self.link.is_some() || self.choice.is_some() || !self.deliveries.is_empty();
        !kept && self.forgotten.is_none()
    }

    fn account(&self) -> Option<&AccountId> {
        self.link.as_ref()?.account.as_ref()
    }

    fn status(&self) -> Option<(&'static str, &'static str)> {
        Some(match self.link.as_ref()?.status? {
            AccountStatus::Invited => ("invited", "warn"),
            AccountStatus::Active => ("active", "good"),
            AccountStatus::Deleted => ("deactivated", "quiet"),
        })
    }

    fn chosen(&self) -> Option<String> {
        self.choice.as_ref().map(chosen)
    }

    fn appointment(&self, frame: &Frame) -> Option<(Moment, &str)> {
        let appointment = self.link.as_ref()?.appointment.as_ref()?;
        Some((frame.time(appointment.at), appointment.why.as_str()))
    }

    /// Each field as it was last applied; nothing for one that was cleared.
    fn applied(&self) -> Vec<(String, Option<String>)> {
        let Some(link) = &self.link else { return Vec::new() };
        let fields = link.applied.iter().map(|(field, value)| (field.word().to_owned(), value));
        let custom =
            link.custom.iter().map(|(field, value)| (format!("custom field {field}"), value));
        fields.chain(custom).map(|(field, value)| (field, value.as_deref().map(plain))).collect()
    }
}

/// Whom a page is about.
type Whom = Named<(String, String)>;

fn person((source, employee): (String, String)) -> Person {
    Person { source: SourceName::new(source), employee: EmployeeId::new(employee) }
}

/// `GET /console/people/{source}/{employee}`
pub(super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Named(whom): Whom,
    Asked(asked): Asked,
) -> Response {
    show(&state, visit, &person(whom), &asked, None).await
}

async fn show(
    state: &HttpState,
    visit: Visit,
    person: &Person,
    asked: &Fields,
    refused: Option<Refused>,
) -> Response {
    let sight = Sight::of(&visit, &format!("person {person}"));
    let known = match Known::of(state, person).await {
        Ok(known) => known,
        Err(error) => {
            let refused = Refused::Unavailable(error.to_string());
            return frame::no_page(visit, Section::People, &refused);
        }
    };
    let mut refused = refused;
    let mut explained = None;
    if asked.is_set("explain") {
        match explain(state, &visit, person, &sight).await {
            Ok(told) => explained = told,
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let mut planned = None;
    if asked.is_set("plan") {
        match plan(state, &visit, person, &sight).await {
            Ok(told) => planned = told,
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let frame = visit.frame(Section::People).refused(refused.as_ref());
    // Nothing was refused to whoever only looks: the page says that nothing is known, and its status.
    if known.nothing() && explained.is_none() && planned.is_none() {
        refused = refused.or_else(|| Some(Refused::NotFound("nothing is known".to_owned())));
    }
    let all = format!(
        "{}?source={}&employee={}",
        Section::Deliveries.path(),
        address::segment(person.source.as_str()),
        address::segment(person.employee.as_str())
    );
    let mut page = Page {
        lines: known.deliveries.iter().map(|delivery| Line::of(delivery, &frame)).collect(),
        path: address::of_person(person),
        person: plain(&person.to_string()),
        id: plain(person.employee.as_str()),
        frame,
        sight,
        known,
        explained,
        planned,
        all,
    };
    if !page.sight.sees {
        page.known.link.iter_mut().for_each(veil_link);
    }
    frame::page_after(&page, refused.as_ref())
}

async fn explain(
    state: &HttpState,
    visit: &Visit,
    person: &Person,
    sight: &Sight,
) -> Result<Option<Explained>, Refused> {
    let question = Question::Explain { person: person.clone() };
    let Answer::Explain(mut story) = state.ask(&visit.actor, question).await? else {
        return Ok(None);
    };
    if !sight.sees {
        story.veil();
    }
    Ok(Some(Explained::of(&story)))
}

async fn plan(
    state: &HttpState,
    visit: &Visit,
    person: &Person,
    sight: &Sight,
) -> Result<Option<Planned>, Refused> {
    let question = Question::Plan { person: person.clone() };
    let Answer::Plan(mut plan) = state.ask(&visit.actor, question).await? else {
        return Ok(None);
    };
    if !sight.sees {
        plan.veil();
    }
    Ok(Some(Planned::of(&plan)))
}

/// `POST /console/people/{source}/{employee}`
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Named(whom): Whom,
    Asked(asked): Asked,
    Filled(filled): Filled,
) -> Response {
    let person = person(whom);
    let path = address::of_person(&person);
    let done = async {
        let filled = filled?;
        let verb = match filled.one("do") {
            Some("unmask") => {
                let about = format!("person {person}");
                let back = asked.behind(&path, &["did"]);
                return unmask::ask(&state, &visit, &about, &back).await;
            }
            Some("sync") => Verb::SyncPerson { person: person.clone() },
            Some("replay") => Verb::Replay {
                which: Which {
                    state: Some(DeliveryState::Dead),
                    source: Some(person.source.clone()),
                    employee: Some(person.employee.clone()),
                    ..Which::default()
                },
                reason: filled.reason()?,
                per_minute: None,
            },
            Some("decide") => {
                let choice = choice(&filled)?;
                unchanged(&state, &person, filled.all("seen").next()).await?;
                if !filled.is_set("sure") {
                    losses(&state, &person, choice.as_ref()).await?;
                }
                Verb::Decide { person: person.clone(), choice }
            }
            Some("forget") => {
                Verb::Forget { reason: Some(meant(&filled, &person)?), person: person.clone() }
            }
            Some("remember") => Verb::LiftForgetting { person: person.clone() },
            _ => return Err(wrong("the form says nothing that can be done here")),
        };
        let gone = matches!(verb, Verb::Forget { .. });
        let outcome = state.act(&visit.actor, verb).await?;
        let back = match outcome.runs.first() {
            Some(run) => address::of_run(run),
            None if gone => Section::People.path().to_owned(),
            None => path.clone(),
        };
        Ok(visit::done(&back, &outcome))
    };
    match done.await {
        Ok(response) => response,
        Err(refused) => show(&state, visit, &person, &asked, Some(refused)).await,
    }
}

/// Why somebody is to be forgotten, when their id was typed: what is erased never comes back.
fn meant(filled: &Fields, person: &Person) -> Result<String, Refused> {
    if filled.one("confirm") != Some(person.employee.as_str()) {
        let id = plain(person.employee.as_str());
        return Err(wrong(format!("type their id, {id}, to say that you mean this person")));
    }
    filled.reason()
}

/// What was decided about somebody's account.
fn choice(filled: &Fields) -> Result<Option<Choice>, Refused> {
    Ok(match filled.one("choice") {
        Some("account") => {
            let id = filled.short("account")?.ok_or_else(|| wrong("which account? give its id"))?;
            Some(Choice::Account(AccountId::new(id)))
        }
        Some("create") => Some(Choice::Create),
        Some("ignore") => Some(Choice::Ignore),
        Some("undo") => None,
        _ => return Err(wrong("choose one of the decisions")),
    })
}

/// A decision in words.
fn chosen(choice: &Choice) -> String {
    match choice {
        Choice::Account(id) => format!("account {id} is theirs"),
        Choice::Create => "a new account is made".to_owned(),
        Choice::Ignore => "this person is left alone".to_owned(),
    }
}

/// Refuses a choice when somebody else has decided since the page was made, which `seen` says.
async fn unchanged(state: &HttpState, person: &Person, seen: Option<&str>) -> Result<(), Refused> {
    let now = state.store.choice(person).await.map_err(|error| unavailable(&error))?;
    let now = now.as_ref().map(chosen);
    if seen.is_none_or(|seen| seen == now.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    let now = now.unwrap_or_else(|| "the decision was taken back".to_owned());
    Err(Refused::Conflict(format!("somebody else decided in the meantime: {now}. Look again")))
}

/// Refuses a choice by which somebody loses an account, until it is said to be meant.
async fn losses(
    state: &HttpState,
    person: &Person,
    choice: Option<&Choice>,
) -> Result<(), Refused> {
    let link = state.store.link(person).await.map_err(|error| unavailable(&error))?;
    let linked = link.and_then(|link| link.account);
    let mut losses = Vec::new();
    if let Some(Choice::Account(id)) = choice
        && let Some(owner) = state.store.owner(id).await.map_err(|error| unavailable(&error))?
        && owner != *person
    {
        losses.push(format!("account {id} belongs to {owner} now, who would lose it"));
    }
    let leaves = match choice {
        Some(Choice::Create) => linked,
        Some(Choice::Account(chosen)) => linked.filter(|linked| linked != chosen),
        _ => None,
    };
    if let Some(account) = leaves {
        losses.push(format!("they have account {account} now, which would be nobody's"));
    }
    if losses.is_empty() {
        return Ok(());
    }
    let losses = losses.join("; ");
    Err(Refused::Conflict(format!("{losses}: if that is meant, tick that you are sure")))
}

fn unavailable(error: &StoreError) -> Refused {
    Refused::Unavailable(error.to_string())
}

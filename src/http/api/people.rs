//! `/people`: who is who, and what we know of somebody's account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Caller, Limit, Place, sees};
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::question::Answer;
use crate::model::{Choice, Delivery, EmployeeId, Link, Person, Question, Somebody, SourceName};
use crate::store::Filter;

/// So many of somebody's deliveries are shown.
const HISTORY: usize = 50;

/// The query of a search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    q: String,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    limit: Limit,
}

/// Who was found.
#[derive(Debug, Serialize)]
pub(super) struct People {
    people: Vec<Somebody>,
}

/// `GET /api/v1/people`
pub(super) async fn search(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Asked(Search { q, personal, limit: Limit(most) }): Asked<Search>,
) -> Result<Json<People>, Problem> {
    let personal = sees(&state, &actor, personal, || "a search of people".to_owned()).await?;
    let question = Question::People { text: q, most };
    let Answer::People(mut people) = state.ask(&actor, question).await? else {
        return Ok(Json(People { people: Vec::new() }));
    };
    if !personal {
        for somebody in &mut people {
            (somebody.name, somebody.mail) = (String::new(), String::new());
        }
    }
    Ok(Json(People { people }))
}

/// The query of one person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    personal: bool,
}

/// What is known of somebody.
#[derive(Debug, Serialize)]
pub(super) struct Known {
    person: Person,
    /// Whether there is a link to an account.
    linked: bool,
    /// Everything that we know of the account; only with `personal=true`.
    link: Option<Link>,
    /// What a human decided about the account.
    choice: Option<Choice>,
    /// The last deliveries, newest first.
    deliveries: Vec<Delivery>,
}

/// `GET /api/v1/people/{source}/{employee}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Place((source, employee)): Place<(SourceName, EmployeeId)>,
    Asked(Query { personal }): Asked<Query>,
) -> Result<Json<Known>, Problem> {
    let filter = Filter {
        source: Some(source.clone()),
        employee: Some(employee.to_string()),
        ..Filter::default()
    };
    let person = Person { source, employee };
    let (link, choice) = (state.store.link(&person).await?, state.store.choice(&person).await?);
    let deliveries = state.store.deliveries(&filter, HISTORY).await?;
    if link.is_none() && choice.is_none() && deliveries.is_empty() {
        return Err(Problem::not_found("nothing is known of this person"));
    }
    let personal = sees(&state, &actor, personal, || format!("person {person}")).await?;
    let linked = link.is_some();
    let link = link.filter(|_| personal);
    Ok(Json(Known { person, linked, link, choice, deliveries }))
}

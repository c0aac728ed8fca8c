//! `/deeds`: everything that changes what Instep does or knows, by its verb.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::asked::{Caller, Told};
use super::problem::Problem;
use crate::http::HttpState;
use crate::model::{Outcome, Verb};

/// `POST /api/v1/deeds`
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    Caller(actor): Caller,
    Told(verb): Told<Verb>,
) -> Result<Json<Outcome>, Problem> {
    if matches!(verb, Verb::SaveUser { .. } | Verb::MakeToken { .. }) {
        // They bring a secret along, which is made where nobody else sees it.
        let where_else =
            "users and tokens are made on the command line: instep users, instep tokens";
        return Err(Problem::unfit(where_else));
    }
    Ok(Json(state.act(&actor, verb).await?))
}

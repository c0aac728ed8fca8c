//! What somebody sees of personal data on a page: nothing, until they ask for it. Asking is a deed,
//! which stands in the audit log; it holds for that page's subject, for their session and for a while.

use axum::response::Response;

use super::visit::{Visit, done};
use crate::http::HttpState;
use crate::http::unmask::show;
use crate::model::Refused;

/// What somebody sees of a page.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Personal data is shown.
    pub sees: bool,
    /// They can ask for it.
    pub may_ask: bool,
}

impl Sight {
    /// What somebody sees on the page that is about this: `person bob/17`. The words are compared
    /// with what was asked for, so they hold ids and no values.
    pub fn of(visit: &Visit, about: &str) -> Self {
        let sees = visit.sight.sees(about);
        Self { sees, may_ask: visit.sight.may_ask() && !sees }
    }
}

/// Asks for it: answers with the page at `path` as they see it now.
///
/// # Errors
/// When they may not.
pub async fn ask(
    state: &HttpState,
    visit: &Visit,
    about: &str,
    path: &str,
) -> Result<Response, Refused> {
    let outcome = show(state, &visit.actor, &visit.sight, about).await?;
    Ok(done(path, &outcome))
}

//! What stands around every page: the navigation, and who is signed in.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::http::who::SignedIn;
use crate::model::Actor;

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is going on.
    Now,
    /// Who is who.
    People,
    /// What came in and what became of it.
    Deliveries,
    /// What needs a human, by cause.
    Failures,
    /// Full syncs and replays.
    Runs,
    /// What decides.
    Rules,
    /// Who did what.
    Audit,
}

impl Section {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 7] = [
        Self::Now,
        Self::People,
        Self::Deliveries,
        Self::Failures,
        Self::Runs,
        Self::Rules,
        Self::Audit,
    ];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::People => "People",
            Self::Deliveries => "Deliveries",
            Self::Failures => "Failures",
            Self::Runs => "Runs",
            Self::Rules => "Rules",
            Self::Audit => "Audit",
        }
    }

    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Self::Now => "/console",
            Self::People => "/console/people",
            Self::Deliveries => "/console/deliveries",
            Self::Failures => "/console/failures",
            Self::Runs => "/console/runs",
            Self::Rules => "/console/rules",
            Self::Audit => "/console/audit",
        }
    }
}

/// What every page says beside its own content: the field `frame` of its template.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who is signed in.
    pub actor: Actor,
    /// Which part this is.
    pub section: Section,
}

impl Frame {
    /// For this part of the console.
    pub fn of(SignedIn(actor): SignedIn, section: Section) -> Self {
        Self { actor, section }
    }
}

/// A page as it is sent.
pub fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

//! What was filled in: the fields of a form or of a query, however wrong, huge or hostile they are.
//! A field can come more than once; what cannot be read is refused in words, never with a bare status.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Form, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::address::segment;
use super::frame::{self, Section};
use super::visit::Visit;
use crate::http::HttpState;
use crate::model::{DeliveryId, DeliveryState, EmployeeId, Refused, SourceName, Which};

/// The longest text that a filter takes.
const LONGEST: usize = 200;

/// The longest reason.
const LONGEST_REASON: usize = 1000;

/// So many deliveries can be ticked: as many as a page shows.
pub const MOST: usize = 100;

/// Fields by their names, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field without what stands around it; nothing when it is empty or did not come.
    pub fn one(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name)?.1.trim();
        (!found.is_empty()).then_some(found)
    }

    /// All of one name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// Whether a field says `1`.
    pub fn is_set(&self, name: &str) -> bool {
        self.one(name) == Some("1")
    }

    /// A short text.
    ///
    /// # Errors
    /// When it is too long.
    pub fn short(&self, name: &str) -> Result<Option<&str>, Refused> {
        match self.one(name) {
            Some(text) if text.chars().count() > LONGEST => {
                Err(wrong(format!("{name} is longer than {LONGEST} characters")))
            }
            text => Ok(text),
        }
    }

    /// Why somebody does something; it stands in the audit log.
    ///
    /// # Errors
    /// When it is missing or too long.
    pub fn reason(&self) -> Result<String, Refused> {
        let Some(reason) = self.one("reason") else {
            return Err(wrong("say why, in a few words: it stands in the audit log".to_owned()));
        };
        if reason.chars().count() > LONGEST_REASON {
            return Err(wrong(format!("the reason is longer than {LONGEST_REASON} characters")));
        }
        Ok(super::plain::plain(reason))
    }

    /// The deliveries that are ticked.
    ///
    /// # Errors
    /// When there is none, or more than a page shows, or one is no delivery's id.
    pub fn ticked(&self) -> Result<Vec<DeliveryId>, Refused> {
        let ids: Vec<DeliveryId> = self.all("id").map(DeliveryId::new).collect();
        if ids.is_empty() {
            return Err(wrong("tick at least one delivery, or choose all that fit".to_owned()));
        }
        if ids.len() > MOST {
            return Err(wrong(format!("{MOST} can be ticked at once; choose all that fit")));
        }
        if ids.iter().any(|id| !is_id(id.as_str())) {
            return Err(wrong("what is ticked is no delivery's id".to_owned()));
        }
        Ok(ids)
    }

    /// Which deliveries a filter means.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn which(&self, zone: &TimeZone) -> Result<Which, Refused> {
        let state = self.short("state")?.map(|word| {
            let known = DeliveryState::ALL.into_iter().find(|state| state.word() == word);
            known.ok_or_else(|| wrong("there is no such state of a delivery".to_owned()))
        });
        Ok(Which {
            ids: Vec::new(),
            cause: self.short("cause")?.map(str::to_owned),
            state: state.transpose()?,
            source: self.short("source")?.map(SourceName::new),
            employee: self.short("employee")?.map(EmployeeId::new),
            code: self.short("code")?.map(str::to_owned),
            kind: self.short("kind")?.map(str::to_owned),
            since: self.moment("since", zone)?,
            until: self.moment("until", zone)?,
            text: self.short("text")?.map(str::to_owned),
        })
    }

    /// A moment: `2026-11-22`, `2026-11-22T05:30` in the zone of the page, or with its own zone.
    fn moment(&self, name: &str, zone: &TimeZone) -> Result<Option<Timestamp>, Refused> {
        let Some(text) = self.short(name)? else { return Ok(None) };
        let local = |at: DateTime| at.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
        let read = text.parse().ok().or_else(|| {
            let at = text.parse::<DateTime>().ok();
            local(at.or_else(|| Some(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))?)
        });
        let no =
            || wrong(format!("{name} is no date or time, as in 2026-11-22 or 2026-11-22T05:30"));
        read.map(Some).ok_or_else(no)
    }

    /// The same as a query, without these.
    pub fn query(&self, without: &[&str]) -> String {
        let kept = self
            .0
            .iter()
            .filter(|(key, value)| !without.contains(&key.as_str()) && !value.trim().is_empty());
        kept.map(|(key, value)| format!("{}={}", segment(key), segment(value.trim())))
            .collect::<Vec<_>>()
            .join("&")
    }

    /// An address with these fields behind it, without those.
    pub fn behind(&self, path: &str, without: &[&str]) -> String {
        match self.query(without) {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// Whether a text can be the id of a delivery, a run or an entry of the audit log.
pub fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What was asked makes no sense.
pub fn wrong(why: impl Into<String>) -> Refused {
    Refused::Wrong(why.into())
}

/// The fields of the query.
#[derive(Clone, Debug, Default)]
pub struct Asked(pub Fields);

impl FromRequestParts<Arc<HttpState>> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, Infallible> {
        let read = Query::from_request_parts(parts, state).await;
        Ok(Self(Fields(read.map(|Query(pairs)| pairs).unwrap_or_default())))
    }
}

/// What a page is about, from its address.
#[derive(Clone, Debug)]
pub struct Named<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send> FromRequestParts<Arc<HttpState>> for Named<T> {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, Response> {
        if let Ok(Path(named)) = Path::from_request_parts(parts, state).await {
            return Ok(Self(named));
        }
        let refused = Refused::NotFound("there is no such page".to_owned());
        Err(match Visit::from_request_parts(parts, state).await {
            Ok(visit) => frame::no_page(visit, Section::Now, &refused),
            Err(status) => status.into_response(),
        })
    }
}

/// The fields of a form that was sent.
#[derive(Debug)]
pub struct Filled(pub Result<Fields, Refused>);

impl FromRequest<Arc<HttpState>> for Filled {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &Arc<HttpState>) -> Result<Self, Infallible> {
        let read = Form::<Vec<(String, String)>>::from_request(request, state);
        let read = tokio::time::timeout(state.limits.body_time, read).await;
        Ok(Self(match read {
            Ok(Ok(Form(pairs))) => Ok(Fields(pairs)),
            Ok(Err(_)) => {
                Err(wrong("the form cannot be read: it is broken off, too large, or none"))
            }
            Err(_) => Err(wrong("the form did not arrive in time")),
        }))
    }
}

//! The one road for all calls to 360Learning: a token, a place in the budget, one exchange, and a
//! judgement of the answer.
//!
//! Promises: no call begins that could end after the deadline; no call is repeated except once
//! after a 401, which the far end refused before it looked at it; a page is only ever fetched from
//! the host that the token belongs to; error texts hold ids and codes, never names or mails.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::road::{Raw, Road};
use super::token::Token;
use super::{codes, wire};
use crate::clock::Deadline;
use crate::config::Learning360Settings;
use crate::model::{Account, AccountId, Lane};
use crate::store::budget::Budget;
use crate::targets::TargetError;

/// The most pages that one list may have: 500,000 accounts.
const PAGES: usize = 1000;

/// Every call but the one for a token names the version of the API.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("360-api-version"), HeaderValue::from_static("v2.0"));

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// In whose turn a call is made, and until when it must have ended.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub lane: Lane,
    pub deadline: Deadline,
}

/// A call that can be sent.
pub(super) struct Call {
    /// Method and path with placeholders: its name in metrics and errors.
    endpoint: &'static str,
    method: Method,
    url: Url,
    body: Option<Bytes>,
    /// It counts against no budget.
    is_free: bool,
}

impl Call {
    /// Adds a query parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Gives it a body.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(wire::body(body).into());
        self
    }

    /// It counts against no budget: neither does 360Learning count it.
    pub fn free(mut self) -> Self {
        self.is_free = true;
        self
    }

    /// Its name in metrics and errors.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// Where it goes.
    pub fn address(&self) -> &str {
        self.url.as_str()
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }
}

/// Makes calls.
pub(super) struct Client {
    road: Road,
    token: Token,
    /// The address that all paths start from: `…/api/v2`.
    api: Url,
    reads: Arc<Budget>,
    writes: Arc<Budget>,
}

impl Client {
    pub fn new(
        settings: &Learning360Settings,
        reads: Arc<Budget>,
        writes: Arc<Budget>,
    ) -> Result<Self, TargetError> {
        let api = Url::parse(&format!("{}/api/v2", settings.base_url.trim_end_matches('/')))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                TargetError::Hold(
                    "target.base_url is not an address: it is https://app.360learning.com in \
                     Europe and https://app.us.360learning.com in the United States"
                        .into(),
                )
            })?;
        let road = Road::new(settings.timeout, api.scheme() == "http")?;
        let token = Token::new(
            road.clone(),
            below(&api, "/oauth2/token"),
            settings.client_id.clone(),
            settings.client_secret.clone(),
        );
        Ok(Self { road, token, api, reads, writes })
    }

    /// A call of this endpoint (`GET /users/{userId}/roles`), its placeholders filled in order.
    ///
    /// # Errors
    /// [`TargetError::Refused`] when an id could not be a part of a path.
    pub fn call(&self, endpoint: &'static str, parts: &[&str]) -> Result<Call, TargetError> {
        let (method, template) = endpoint.split_once(' ').unwrap_or(("GET", endpoint));
        let method = match method {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => Method::GET,
        };
        let mut path = String::with_capacity(template.len() + 32);
        let mut parts = parts.iter();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let part = parts.next().copied().unwrap_or_default();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if part.is_empty() || part.len() > 64 || !part.bytes().all(plain) {
                return Err(TargetError::Refused {
                    code: "invalidId".into(),
                    advice: format!(
                        "an id that {endpoint} needs is not one of 360Learning's: look at the \
                         person's link and at what was kept of the account"
                    ),
                });
            }
            path.push_str(before);
            path.push_str(part);
            rest = after.split_once('}').map_or("", |(_, after)| after);
        }
        path.push_str(rest);
        Ok(Call { endpoint, method, url: below(&self.api, &path), body: None, is_free: false })
    }

    /// Sends a call and reads a JSON answer; also says with which status it came.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        call: Call,
        turn: Turn,
    ) -> Result<(StatusCode, T), TargetError> {
        let raw = self.send(&call, turn).await?;
        Ok((raw.status, wire::read(call.endpoint, &raw.body)?))
    }

    /// Sends a call whose answer has no content.
    pub async fn tell(&self, call: Call, turn: Turn) -> Result<(), TargetError> {
        let raw = self.send(&call, turn).await?;
        // 204 is documented. A page of HTML with 200 comes from something else on the way.
        if raw.body.is_empty() || wire::is_json(&raw.body) {
            return Ok(());
        }
        Err(not_json(&call, &raw))
    }

    /// Sends a call that is carried out later; says where its end will be told.
    pub async fn submit(&self, call: Call, turn: Turn) -> Result<String, TargetError> {
        let raw = self.send(&call, turn).await?;
        let location = raw.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        location.map(str::to_owned).ok_or_else(|| not_json(&call, &raw))
    }

    /// Reads a list to its end.
    pub async fn list<T: DeserializeOwned>(
        &self,
        call: Call,
        turn: Turn,
    ) -> Result<Vec<T>, TargetError> {
        let mut all = Vec::new();
        let take = |page: Vec<T>| {
            if all.is_empty() {
                all = page;
            } else {
                all.extend(page);
            }
        };
        self.pages(call, turn, take).await?;
        Ok(all)
    }

    /// Reads a list to its end, page by page; only one page at a time is held.
    pub async fn pages<T: DeserializeOwned>(
        &self,
        mut call: Call,
        turn: Turn,
        mut take: impl FnMut(Vec<T>),
    ) -> Result<(), TargetError> {
        for _ in 0..PAGES {
            let (rows, next) = self.page(&call, turn).await?;
            take(rows);
            match next {
                None => return Ok(()),
                Some(next) if next.url != call.url => call = next,
                Some(_) => break,
            }
        }
        Err(TargetError::Again(format!("360Learning's list {} has no end", call.endpoint)))
    }

    /// Reads one page of a list, and says which call leads to the next.
    pub async fn page<T: DeserializeOwned>(
        &self,
        call: &Call,
        turn: Turn,
    ) -> Result<(Vec<T>, Option<Call>), TargetError> {
        let raw = self.send(call, turn).await?;
        let page = wire::read(call.endpoint, &raw.body)?;
        let Some(next) = raw.next() else { return Ok((page, None)) };
        // The address is followed as given, but the token goes to no other host.
        let next = self.api.join(next).ok().filter(|url| url.origin() == self.api.origin());
        let url = next.ok_or_else(|| elsewhere(call.endpoint))?;
        let method = call.method.clone();
        let (body, is_free) = (call.body.clone(), call.is_free);
        Ok((page, Some(Call { endpoint: call.endpoint, method, url, body, is_free })))
    }

    /// The call that leads to a page at an address which the far end gave earlier; none where that is
    /// another host's.
    pub fn follow(&self, endpoint: &'static str, address: &str) -> Option<Call> {
        let url = self.api.join(address).ok().filter(|url| url.origin() == self.api.origin())?;
        Some(Call { endpoint, method: Method::GET, url, body: None, is_free: false })
    }

    /// The account with this id, if there is one.
    pub async fn account(
        &self,
        id: &AccountId,
        turn: Turn,
    ) -> Result<Option<Account>, TargetError> {
        if !wire::is_object_id(id.as_str()) {
            return Ok(None);
        }
        match self.user(self.call("GET /users/{userId}", &[id.as_str()])?, turn).await {
            Ok(account) => Ok(Some(account)),
            Err(error) if codes::of(&error) == Some("userNotFound") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a call that is answered with a user.
    pub async fn user(&self, call: Call, turn: Turn) -> Result<Account, TargetError> {
        let (_, user) = self.ask::<wire::User>(call, turn).await?;
        user.try_into()
    }

    /// A token can be had.
    pub async fn sign_in(&self, turn: Turn) -> Result<(), TargetError> {
        self.token.get(0, turn.deadline).await.map(drop)
    }

    async fn send(&self, call: &Call, turn: Turn) -> Result<Raw, TargetError> {
        let mut refused = 0;
        loop {
            let token = self.token.get(refused, turn.deadline).await?;
            if !call.is_free {
                self.budget(call).take(turn.lane, turn.deadline).await?;
            }
            let mut request = self
                .road
                .request(call.method.clone(), call.url.clone())
                .header(AUTHORIZATION, token.value)
                .header(ACCEPT, JSON)
                .header(VERSION.0, VERSION.1);
            if let Some(body) = &call.body {
                request = request.header(CONTENT_TYPE, JSON).body(body.clone());
            }
            let raw = self.road.exchange(call.endpoint, request, turn.deadline).await?;
            if raw.status != StatusCode::UNAUTHORIZED {
                return self.judge(call, raw).await;
            }
            if refused > 0 {
                return Err(TargetError::Hold(format!(
                    "360Learning refuses {} with a token that it has just issued (401): check that \
                     the API v2 credentials in target.client_id are still enabled for this platform",
                    call.endpoint
                )));
            }
            refused = token.number;
        }
    }

    async fn judge(&self, call: &Call, raw: Raw) -> Result<Raw, TargetError> {
        let endpoint = call.endpoint;
        let status = raw.status;
        if status.is_success() {
            return Ok(raw);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let after = raw.retry_after();
            if !call.is_free {
                self.budget(call).pause(after).await?;
            }
            return Err(TargetError::Wait { after });
        }
        if status == StatusCode::FORBIDDEN {
            return Err(TargetError::Hold(forbidden(endpoint, &raw)));
        }
        if status.is_redirection() {
            return Err(TargetError::Hold(format!(
                "360Learning answered {endpoint} with a redirect ({}), which an API never does: \
                 check target.base_url and any proxy on the way",
                status.as_u16()
            )));
        }
        if status.is_server_error() && wire::code(&raw.body).as_deref() == Some("bulkAPIDisabled") {
            return Err(codes::judge("bulkAPIDisabled"));
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(TargetError::Again(raw.trouble(endpoint)));
        }
        match wire::code(&raw.body) {
            Some(code) => Err(codes::judge(&code)),
            None if wire::is_json(&raw.body) => Err(TargetError::Refused {
                code: format!("http{}", status.as_u16()),
                advice: format!(
                    "360Learning refuses {endpoint} without a code: look it up in its API \
                     reference, or ask its support"
                ),
            }),
            None => Err(not_json(call, &raw)),
        }
    }

    fn budget(&self, call: &Call) -> &Budget {
        if call.is_read() { &self.reads } else { &self.writes }
    }
}

/// An address below the API's own.
fn below(api: &Url, path: &str) -> Url {
    let mut url = api.clone();
    url.set_path(&format!("{}{path}", api.path().trim_end_matches('/')));
    url
}

/// The refusal to take the token to another host.
fn elsewhere(endpoint: &str) -> TargetError {
    TargetError::Again(format!(
        "360Learning's next page of {endpoint} is on another host than target.base_url: correct \
         target.base_url if the platform moved"
    ))
}

fn not_json(call: &Call, raw: &Raw) -> TargetError {
    TargetError::Again(format!(
        "360Learning answered {} to {} with something that is not whole JSON: a maintenance page, \
         or a proxy on the way",
        raw.status.as_u16(),
        call.endpoint
    ))
}

/// The sentence about a 403.
fn forbidden(endpoint: &str, raw: &Raw) -> String {
    match wire::code(&raw.body).as_deref() {
        Some("invalid_scope") => format!(
            "360Learning refuses {endpoint}: the credentials lack the scope {}. Add it to them in \
             the API v2 admin panel, and to the company's scopes if it is missing there",
            scope(endpoint)
        ),
        code => format!(
            "360Learning refuses {endpoint} (403{}{}): check the credentials' scopes and any \
             firewall on the way",
            if code.is_some() { " " } else { "" },
            code.unwrap_or_default()
        ),
    }
}

/// The scope that an endpoint needs, as documented for each one we call.
fn scope(endpoint: &str) -> String {
    let (method, path) = endpoint.split_once(' ').unwrap_or_default();
    match path {
        "/bulk/groups/memberships" => return "groups:bulk".to_owned(),
        path if path.starts_with("/bulk/operations") => return "bulkOperations:read".to_owned(),
        _ => {}
    }
    let resource = match path.trim_start_matches('/').split('/').next() {
        Some("external-ids") => "externalIds",
        Some("custom-fields") => "customFields",
        Some("groups") => "groups",
        _ => "users",
    };
    format!("{resource}:{}", if method == "GET" { "read" } else { "write" })
}

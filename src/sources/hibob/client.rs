//! Reads people through a HiBob service user.
//!
//! Promises: one `people/search` for many persons or for everyone, within the budget that all
//! processes share; one answer for each person that was asked for, and only from an answer that was
//! read to its end; never more fields than rules use; no value of a record in logs or errors.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};

use super::answer::{Answered, Body, Call};
use super::wire::{self, FieldInfo, Search, Unusable};
use crate::clock::Deadline;
use crate::config::HiBobSettings;
use crate::model::{Answer, EmployeeId, Lane, Record, SourceName};
use crate::sources::SourceError;
use crate::store::budget::Budget;

/// A search for this many fields is the largest that HiBob answers.
const MOST_FIELDS: usize = 400;
/// The largest answer about up to `people_per_search` persons, in bytes.
const SEARCH_BODY: usize = 64 * 1024 * 1024;
/// The longest time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// A HiBob company, seen through a service user.
pub struct HiBob {
    pub(super) name: SourceName,
    base_url: String,
    service_user: String,
    token: SecretString,
    /// What is asked for: `root.id` first, none twice.
    pub(super) fields: Vec<String>,
    people_per_search: usize,
    timeout: Duration,
    searches: Arc<Budget>,
    http: Client,
}

impl HiBob {
    /// `fields`: the HiBob field ids that rules use; `root.id` is always asked for. The short
    /// `email` is asked for as `root.email`, a label (`humanReadable.work.title`) as its field.
    ///
    /// # Errors
    /// [`SourceError::Hold`] when the settings cannot work: `base_url` is not an address or is
    /// plain `http` to another machine, or more fields are used than HiBob answers.
    pub fn new(
        name: SourceName,
        settings: &HiBobSettings,
        fields: Vec<String>,
        searches: Arc<Budget>,
    ) -> Result<Self, SourceError> {
        let fields = asked_for(fields);
        if fields.len() > MOST_FIELDS {
            return Err(SourceError::Hold(format!(
                "The rules use {} HiBob fields, and HiBob answers for {MOST_FIELDS} at most.",
                fields.len()
            )));
        }
        let loopback = loopback(&settings.base_url)?;
        let mut http = Client::builder()
            .user_agent(concat!("instep/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(settings.timeout))
            .read_timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            .https_only(!loopback);
        if loopback {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| {
            SourceError::Hold(format!("The HTTP client could not be made: {error}"))
        })?;
        Ok(Self {
            name,
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            service_user: settings.service_user.clone(),
            token: settings.token.clone(),
            fields,
            people_per_search: settings.people_per_search.max(1),
            timeout: settings.timeout,
            searches,
            http,
        })
    }

    /// The field ids that are asked for.
    pub fn asked(&self) -> &[String] {
        &self.fields
    }

    /// How many persons one search is for, at most.
    pub fn people_per_search(&self) -> usize {
        self.people_per_search
    }

    /// Reads these persons: one `people/search` for each `people_per_search` ids. One answer for
    /// each id; [`Answer::Absent`] for one that a complete answer did not contain.
    ///
    /// # Errors
    /// As [`SourceError`] says; then nothing is known of any of them.
    pub async fn employees(
        &self,
        ids: &[EmployeeId],
        lane: Lane,
        deadline: Deadline,
    ) -> Result<HashMap<EmployeeId, Answer>, SourceError> {
        let mut answers: HashMap<_, _> =
            ids.iter().map(|id| (id.clone(), Answer::Absent)).collect();
        let ids: Vec<_> = answers.keys().cloned().collect();
        for ids in ids.chunks(self.people_per_search) {
            let search = Search::people(&self.fields, ids);
            let mut strangers = 0_usize;
            for (id, record) in self.search(&search, lane, SEARCH_BODY, deadline).await? {
                match answers.get_mut(&id) {
                    Some(answer) => *answer = Answer::Present(record),
                    None => strangers += 1,
                }
            }
            if strangers > 0 {
                tracing::warn!(
                    source = %self.name,
                    strangers,
                    "HiBob listed people who were not asked for; they were passed over"
                );
            }
        }
        Ok(answers)
    }

    /// The ids of all who have this mail, leavers included.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    pub async fn with_email(
        &self,
        email: &str,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<EmployeeId>, SourceError> {
        let search = Search::email(&self.fields[..1], email);
        let people = self.search(&search, lane, SEARCH_BODY, deadline).await?;
        Ok(people.into_keys().collect())
    }

    /// What HiBob says of its fields (`GET /company/people/fields`). It has a limit of its own, so
    /// it takes nothing from the budget of searches.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    pub async fn fields(&self, deadline: Deadline) -> Result<Vec<FieldInfo>, SourceError> {
        let request = self.request(Method::GET, "company/people/fields");
        let time = self.timeout.min(deadline.left());
        let call = self.call("company/people/fields", &[], time, SEARCH_BODY);
        call.make(request, deadline, wire::fields).await.result
    }

    pub(super) async fn search(
        &self,
        search: &Search<'_>,
        lane: Lane,
        limit: usize,
        deadline: Deadline,
    ) -> Result<BTreeMap<EmployeeId, Record>, SourceError> {
        let people = self.ask(search, lane, limit, deadline, wire::people).await?;
        if people.doubled > 0 {
            tracing::warn!(
                source = %self.name,
                doubled = people.doubled,
                "HiBob listed people more than once; their last record was taken"
            );
        }
        tracing::debug!(source = %self.name, people = people.records.len(), "people/search");
        Ok(people.records)
    }

    /// Makes a search within the budget.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        search: &Search<'_>,
        lane: Lane,
        limit: usize,
        deadline: Deadline,
        parse: impl FnOnce(Body) -> Result<T, Unusable> + Send + 'static,
    ) -> Result<T, SourceError> {
        self.searches.take(lane, deadline).await?;
        let request = self.request(Method::POST, "people/search").json(search);
        // An answer about everyone may take as long as there is time, if only it keeps arriving.
        let left = deadline.left();
        let time = if search.is_for_everyone() { left } else { self.timeout.min(left) };
        let call = self.call("people/search", &self.fields, time, limit);
        let Answered { result, rest } = call.make(request, deadline, parse).await;
        let rested = match rest {
            Some(rest) => {
                tracing::info!(
                    source = %self.name, seconds = rest.as_secs(), "HiBob wants no search for a while"
                );
                self.searches.pause(rest).await
            }
            None => Ok(()),
        };
        let answer = result?;
        rested?;
        Ok(answer)
    }

    /// A request to `path`; its content type is set only with a body, because HiBob answers 400 to
    /// a GET that has one (seen on tenants).
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.base_url))
            .basic_auth(&self.service_user, Some(self.token.expose_secret()))
            .header(ACCEPT, "application/json")
    }

    fn call<'c>(
        &'c self,
        endpoint: &'static str,
        fields: &'c [String],
        time: Duration,
        limit: usize,
    ) -> Call<'c> {
        let (source, service_user) = (self.name.as_str(), self.service_user.as_str());
        Call { endpoint, source, service_user, fields, time, limit }
    }
}

/// The field ids as HiBob knows them: `root.id` first, none twice.
fn asked_for(fields: Vec<String>) -> Vec<String> {
    let mut asked = vec!["root.id".to_owned()];
    for field in fields {
        let field = field.strip_prefix("humanReadable.").unwrap_or(&field);
        let field = if field.contains('.') { field.to_owned() } else { format!("root.{field}") };
        if !asked.contains(&field) {
            asked.push(field);
        }
    }
    asked
}

/// Whether the address is this machine; an error when it is none or not safe.
fn loopback(base_url: &str) -> Result<bool, SourceError> {
    let url = Url::parse(base_url).ok();
    let Some((host, scheme)) = url.as_ref().and_then(|url| Some((url.host_str()?, url.scheme())))
    else {
        return Err(SourceError::Hold(
            "`base_url` of this source is not an address like https://api.hibob.com/v1.".to_owned(),
        ));
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if scheme == "https" || (scheme == "http" && loopback) {
        Ok(loopback)
    } else {
        Err(SourceError::Hold(format!(
            "`base_url` of this source begins with {scheme}: it must begin with https, because the \
             token would be readable on the way."
        )))
    }
}

//! A 360Learning to practise on: API v2 as documented, with its limits and its refusals.
//!
//! Where the documentation is silent, [`Settings`] chooses, so that both outcomes can be tried.

mod ask;
mod bulk;
mod by_hand;
mod custom_fields;
mod external_ids;
mod furnish;
mod groups;
mod paths;
mod settings;
mod state;
mod users;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::external_ids::Mapping;
pub use self::furnish::FieldSetup;
use self::paths::{Op, endpoints};
use self::settings::Settings;
use self::state::{State, Status};
use super::answer::Answer;
use super::faults::Fault;
use super::limits::Bucket;
use super::record::merge;
use super::service::{Call, Double, Endpoint, Ledger};
use crate::clock::Clock;

/// An answer, or a refusal.
type Outcome = Result<Answer, Answer>;

/// A refusal with its code.
fn refuse(status: u16, code: &str) -> Answer {
    refusal(status, code, "see the API reference")
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": code, "message": message}}))
}

/// The calls in a second that are let through.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rates {
    off: bool,
    reads_per_second: u32,
    writes_per_second: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { off: false, reads_per_second: 50, writes_per_second: 10 }
    }
}

/// An account that is there from the start.
#[derive(Debug)]
pub(super) struct Seed {
    /// Whether it can be used.
    pub active: bool,
    /// Its fields by the API's names.
    pub fields: BTreeMap<&'static str, String>,
    /// Platform and value of its external id.
    pub external: Option<(String, String)>,
}

struct Inner {
    state: State,
    settings: Settings,
    tokens: HashMap<String, Timestamp>,
    issued: u64,
    reads: Bucket,
    writes: Bucket,
    written: u64,
}

/// The double.
pub(super) struct Lms {
    inner: Mutex<Inner>,
    client_id: String,
    client_secret: String,
    clock: Clock,
}

impl Lms {
    /// A company with its owner and groups, and these accounts.
    pub fn new(
        seed: u64,
        id: &str,
        secret: &str,
        accounts: impl Iterator<Item = Seed>,
        clock: Clock,
    ) -> Self {
        let now = clock.now();
        let mut state = State::new(seed, now);
        let everyone = state.groups().nth(1).map_or(0, |(place, _)| place);
        for account in accounts {
            let status = if account.active { Status::Active } else { Status::Deleted };
            let place = state.add_user(status, account.fields, now);
            if account.active {
                state.add_role(place, everyone, "learner");
            }
            let (minted, user) = (state.mint(), state.user(place).map(|user| user.id.clone()));
            if let (Some((platform, value)), Some(target_id)) = (account.external, user) {
                let target_type = "user".to_owned();
                state.mappings.put(Mapping { id: minted, platform, target_id, target_type, value });
            }
        }
        let rates = Rates::default();
        Self {
            inner: Mutex::new(Inner {
                state,
                settings: Settings::default(),
                tokens: HashMap::new(),
                issued: 0,
                reads: Bucket::per_second(Some(rates.reads_per_second)),
                writes: Bucket::per_second(Some(rates.writes_per_second)),
                written: 0,
            }),
            client_id: id.to_owned(),
            client_secret: secret.to_owned(),
            clock,
        }
    }

    /// Adds groups, by their paths, and custom fields.
    ///
    /// # Errors
    /// When one of them cannot be.
    pub fn furnish(&self, groups: &[String], fields: &[FieldSetup]) -> Result<(), String> {
        let state = &mut self.inner().state;
        furnish::groups(state, groups)?;
        fields.iter().try_for_each(|setup| furnish::field(state, setup).map(drop))
    }

    /// Makes a group and those above it, as far as they are missing; gives its id.
    ///
    /// # Errors
    /// When the path is not one.
    pub fn group(&self, path: &str) -> Result<String, String> {
        let made = furnish::groups(&mut self.inner().state, &[path.to_owned()]);
        made.map(|ids| ids.into_iter().next().unwrap_or_default())
    }

    /// Makes or changes an account by hand.
    ///
    /// # Errors
    /// When the edit cannot be understood or carried out; then nothing is changed.
    pub fn edit(&self, edit: Value) -> Result<Value, String> {
        let edit: by_hand::Edit =
            serde_json::from_value(edit).map_err(|error| error.to_string())?;
        let now = self.clock.now();
        by_hand::edit(&mut self.inner().state, &edit, now)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group that new accounts join.
    pub fn default_group(&self) -> String {
        self.inner().state.groups().nth(1).map(|(_, group)| group.id.clone()).unwrap_or_default()
    }

    /// Every account in full.
    pub fn accounts(&self) -> Vec<Value> {
        let mut accounts = Vec::new();
        self.each_account(|account| accounts.push(account));
        accounts
    }

    /// Tells every account in full, one after the other.
    pub fn each_account(&self, tell: impl FnMut(Value)) {
        let mut inner = self.inner();
        inner.state.advance(self.clock.now());
        inner.state.users().map(|(_, user)| inner.state.full(user)).for_each(tell);
    }

    /// How many writes took effect.
    pub fn written(&self) -> u64 {
        self.inner().written
    }

    /// Turns the rate limits off or back on.
    pub fn limit(&self, on: bool) {
        self.set_rates(Rates { off: !on, ..Rates::default() });
    }

    fn set_rates(&self, rates: Rates) {
        let bucket = |rate: u32| Bucket::per_second((!rates.off).then_some(rate));
        let mut inner = self.inner();
        inner.reads = bucket(rates.reads_per_second);
        inner.writes = bucket(rates.writes_per_second);
    }

    /// `POST /oauth2/token`
    fn token(&self, inner: &mut Inner, call: &Call, now: Timestamp) -> Answer {
        let wrong = |status: u16, error: &str| Answer::json(status, &json!({"error": error}));
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let known = ["grant_type", "client_id", "client_secret", "user_id", "company_id"];
        let body = body.as_object().filter(|b| b.keys().all(|name| known.contains(&name.as_str())));
        let (true, true, Some(body)) = (call.is_json(), call.query.is_empty(), body) else {
            return wrong(400, "invalid_request");
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        match (text("grant_type"), text("client_id"), text("client_secret")) {
            (Some("client_credentials"), Some(id), Some(secret)) => {
                if id != self.client_id || secret != self.client_secret {
                    return wrong(401, "invalid_client");
                }
            }
            (Some(grant), _, _) if grant != "client_credentials" => {
                return wrong(400, "unsupported_grant_type");
            }
            _ => return wrong(400, "invalid_request"),
        }
        if text("user_id").is_some_and(|id| inner.state.place(id).is_none()) {
            return wrong(400, "non_existing_user");
        }
        inner.tokens.retain(|_, ends| *ends > now);
        inner.issued += 1;
        let token = format!("sandbox-{}-{:016x}", inner.issued, now.as_microsecond());
        let seconds = inner.settings.token_seconds;
        inner.tokens.insert(token.clone(), now + Duration::from_secs(seconds));
        // Typed as a number in the specification; the specification's own example is a text.
        let expires_in = seconds.to_string();
        let token_type = "Bearer";
        let body =
            json!({"token_type": token_type, "access_token": token, "expires_in": expires_in});
        Answer::json(200, &body)
    }

    /// Credentials, version, scope, rate: what stands before every call but the token's.
    fn admit(inner: &mut Inner, op: Op, call: &Call, now: Timestamp) -> Result<(), Answer> {
        let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let ends = token.and_then(|token| inner.tokens.get(token));
        if ends.is_none_or(|ends| *ends <= now) {
            return Err(Answer::json(401, &json!({"error": "invalid_token"})));
        }
        if call.header("360-api-version") != Some("v2.0") {
            return Err(ask::bad("the header 360-api-version: v2.0 is missing"));
        }
        let free = match op {
            Op::BulkAdd | Op::BulkRemove => true,
            _ if call.method == "GET" => inner.reads.call(now),
            _ => inner.writes.call(now),
        };
        if !free {
            return Err(Answer::json(429, &json!({"error": "tooManyRequests"})));
        }
        if !inner.settings.scopes.iter().any(|scope| scope == op.scope()) {
            return Err(if inner.settings.bare_invalid_scope {
                Answer::json(403, &json!({"error": "invalid_scope"}))
            } else {
                refuse(403, "invalid_scope")
            });
        }
        Ok(())
    }

    fn run(inner: &mut Inner, op: Op, call: &Call, now: Timestamp) -> Outcome {
        Self::admit(inner, op, call, now)?;
        let Inner { state, settings, .. } = inner;
        state.advance(now);
        match op {
            Op::Token => Err(Answer::empty(500)),
            Op::Users => users::list(state, call, settings),
            Op::CreateUser => users::create(state, call, settings, now),
            Op::User => users::get(state, call),
            Op::PatchUser => users::patch(state, call, now),
            Op::DeleteUser => users::delete(state, call, settings, now),
            Op::Activate => users::activate(state, call, now),
            Op::UserRoles => users::roles(state, call),
            Op::Managers => users::links(state, call, true),
            Op::Subordinates => users::links(state, call, false),
            Op::AddManager => users::set_manager(state, call, true),
            Op::RemoveManager => users::set_manager(state, call, false),
            Op::CustomValues => custom_fields::values(state, call),
            Op::SetCustomValues => custom_fields::set_values(state, call),
            Op::Groups => groups::list(state, call),
            Op::CreateGroup => groups::create(state, call, settings),
            Op::Group => groups::get(state, call),
            Op::PatchGroup => groups::patch(state, call),
            Op::DeleteGroup => groups::delete(state, call),
            Op::GroupRoles => groups::roles(state, call),
            Op::AddRole => groups::add_role(state, call, settings),
            Op::RemoveRole => groups::remove_role(state, call),
            Op::CustomFields => custom_fields::list(state, call),
            Op::CreateCustomField => custom_fields::create(state, call),
            Op::PatchCustomField => custom_fields::patch(state, call),
            Op::DeleteCustomField => custom_fields::delete(state, call),
            Op::Authorized => custom_fields::authorized(state, call),
            Op::Authorize => custom_fields::authorize(state, call),
            Op::ExternalIds => external_ids::list(state, call, settings),
            Op::CreateExternalId => external_ids::create(state, call),
            Op::PutExternalId => external_ids::replace(state, call),
            Op::DeleteExternalId => external_ids::delete(state, call),
            Op::BulkAdd => bulk::submit(state, call, true, settings, now),
            Op::BulkRemove => bulk::submit(state, call, false, settings, now),
            Op::Operations => bulk::list(state, call, now),
            Op::Operation => bulk::get(state, call, now),
            Op::Results => bulk::results(state, call),
        }
    }

    fn state(&self, ledger: &Ledger) -> Answer {
        let accounts = self.accounts();
        let inner = self.inner();
        let groups = inner.state.groups().map(|(_, group)| inner.state.group_dto(group));
        let fields = inner.state.custom_fields.iter().map(custom_fields::dto);
        let mut state = json!({
            "groups": groups.collect::<Value>(), "customFields": fields.collect::<Value>(),
            "calls": ledger.calls(), "writes": inner.written,
        });
        drop(inner);
        state["accounts"] = accounts.into();
        Answer::json(200, &state)
    }

    fn stats(&self, ledger: &Ledger) -> Answer {
        let mut inner = self.inner();
        inner.state.advance(self.clock.now());
        let mut counts = BTreeMap::from([("active", 0), ("invited", 0), ("deleted", 0)]);
        for (_, user) in inner.state.users() {
            *counts.entry(user.status.word()).or_insert(0) += 1;
        }
        let calls = ledger.calls();
        Answer::json(200, &json!({"accounts": counts, "calls": calls, "writes": inner.written}))
    }

    fn by_hand(&self, body: &[u8]) -> Result<Value, String> {
        let edit = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let (now, mut inner) = (self.clock.now(), self.inner());
        inner.state.advance(now);
        by_hand::edit(&mut inner.state, &edit, now)
    }

    fn set_up<S: DeserializeOwned>(
        &self,
        body: &[u8],
        make: fn(&mut State, &S) -> Result<Value, String>,
    ) -> Result<Value, String> {
        let setup = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        make(&mut self.inner().state, &setup)
    }

    fn set_settings(&self, body: &[u8]) -> Result<Value, String> {
        let wanted: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut inner = self.inner();
        let mut settings = json!(inner.settings);
        merge(&mut settings, &wanted);
        inner.settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        Ok(json!(inner.settings))
    }
}

impl Double for Lms {
    type Op = Op;
    const ENDPOINTS: &'static [Endpoint<Op>] = &endpoints();

    fn answer(&self, at: usize, call: &Call, fault: Option<&Fault>) -> Answer {
        let (now, op) = (self.clock.now(), Self::ENDPOINTS[at].op);
        let mut inner = self.inner();
        if op == Op::Token {
            return self.token(&mut inner, call, now);
        }
        let answer = Self::run(&mut inner, op, call, now).unwrap_or_else(|refusal| refusal);
        if call.method != "GET" && answer.status < 300 {
            inner.written += 1;
        }
        drop(inner);
        match fault {
            Some(fault) if !fault.omit_field.is_empty() => omit(answer, &fault.omit_field),
            _ => answer,
        }
    }

    fn nowhere(&self, _: &Call) -> Answer {
        refuse(404, "notFound")
    }

    fn refusal(&self, status: u16) -> Answer {
        match status {
            401 => Answer::json(401, &json!({"error": "invalid_token"})),
            403 => refuse(403, "invalid_scope"),
            429 => Answer::json(429, &json!({"error": "tooManyRequests"})),
            _ => refuse(status, "sandboxFault"),
        }
    }

    fn control(&self, call: &Call, ledger: &Ledger) -> Option<Answer> {
        let done = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/_sandbox/state") => return Some(self.state(ledger)),
            ("GET", "/_sandbox/stats") => return Some(self.stats(ledger)),
            ("POST", "/_sandbox/accounts") => self.by_hand(&call.body),
            ("POST", "/_sandbox/groups") => self.set_up(&call.body, furnish::group),
            ("POST", "/_sandbox/custom-fields") => self.set_up(&call.body, furnish::field),
            ("POST", "/_sandbox/settings") => self.set_settings(&call.body),
            ("GET", "/_sandbox/settings") => Ok(json!(self.inner().settings)),
            ("POST", "/_sandbox/revoke") => {
                self.inner().tokens.clear();
                Ok(json!({"ok": true}))
            }
            ("POST", "/_sandbox/limits") => serde_json::from_slice(&call.body)
                .map(|rates| {
                    self.set_rates(rates);
                    json!({"ok": true})
                })
                .map_err(|error| error.to_string()),
            _ => return None,
        };
        Some(match done {
            Ok(done) => Answer::json(200, &done),
            Err(why) => Answer::json(400, &json!({"error": why})),
        })
    }
}

/// Leaves members out of an object, or of each object of a list.
fn omit(mut answer: Answer, fields: &[String]) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    let rows = match &mut body {
        Value::Array(rows) => rows.iter_mut().collect(),
        one => vec![one],
    };
    for row in rows.into_iter().filter_map(Value::as_object_mut) {
        row.retain(|name, _| !fields.contains(name));
    }
    answer.body = serde_json::to_vec(&body).unwrap_or_default().into();
    answer
}

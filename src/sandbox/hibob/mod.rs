//! A HiBob to practise on: people search, metadata and named lists, as documented, and webhooks.

mod events;
mod fields;
mod read;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use webhooks::{Hook, Progress, sign};

use self::read::Query;
use super::answer::Answer;
use super::company::{Change, Company};
use super::faults::Fault;
use super::limits::Window;
use super::service::{Call, Double, Endpoint, Ledger, decode};
use crate::clock::Clock;

/// The company that all events speak of.
pub const COMPANY_ID: u64 = 990_017;

/// Calls of one endpoint in a minute.
const PER_MINUTE: u32 = 50;

const MINUTE: Duration = Duration::from_secs(60);

/// What HiBob can be asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Search,
    Person,
    Fields,
    Lists,
    List,
}

/// The double.
pub(super) struct HiBob {
    company: Mutex<Company>,
    limits: Mutex<Vec<Window>>,
    /// The last moment that was written on an event: no two bear the same.
    stamp: Mutex<Timestamp>,
    webhooks: webhooks::Webhooks,
    authorization: String,
    clock: Clock,
}

/// One event that will be sent, as the control call names it.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// Whom the change was about.
    pub id: String,
    /// The types of the events that follow, in order; they are sent when a webhook is set.
    pub events: Vec<String>,
}

/// What the control calls show; people in full or their number.
#[derive(Serialize)]
struct Shown<'l, People> {
    people: People,
    calls: BTreeMap<&'l str, u64>,
    webhooks: Progress,
}

impl HiBob {
    /// A HiBob for this company and this service user. Must be called on a runtime.
    pub fn new(
        company: Company,
        user: &str,
        token: &str,
        hook: Option<Hook>,
        clock: Clock,
        stop: CancellationToken,
    ) -> Self {
        Self {
            company: Mutex::new(company),
            limits: Mutex::new(vec![Window::new(Some(PER_MINUTE), MINUTE); Self::ENDPOINTS.len()]),
            stamp: Mutex::new(Timestamp::UNIX_EPOCH),
            webhooks: webhooks::Webhooks::start(hook, stop),
            authorization: format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{token}"))),
            clock,
        }
    }

    /// The company; hold it for a moment only.
    pub fn company(&self) -> MutexGuard<'_, Company> {
        self.company.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The webhooks.
    pub fn webhooks(&self) -> &webhooks::Webhooks {
        &self.webhooks
    }

    /// Changes someone and sends what follows.
    ///
    /// # Errors
    /// When the change cannot be understood.
    pub fn change(&self, change: &Change) -> Result<Changed, String> {
        let now = self.clock.now();
        // Events are queued under the same lock, so that they leave in the order of the changes.
        let mut company = self.company();
        let applied = company.apply(change, now)?;
        let mut events = if change.silent { Vec::new() } else { events::of(&applied, now) };
        events.extend(change.send.iter().map(|kind| events::plain(kind, &applied.id)));
        for event in &events {
            self.webhooks.push(&applied.id, event.body(self.stamp(now)));
        }
        drop(company);
        Ok(Changed { id: applied.id, events: events.into_iter().map(|event| event.kind).collect() })
    }

    /// Every record in full, with the labels that people read.
    pub fn people(&self) -> Vec<impl Serialize> {
        let company = self.company();
        let lists = company.lists();
        company.kept().map(|kept| read::Full(kept.clone(), Arc::clone(lists))).collect()
    }

    /// A moment that no event before had.
    fn stamp(&self, now: Timestamp) -> Timestamp {
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let next = *stamp + Duration::from_micros(1);
        *stamp = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now).max(next);
        *stamp
    }

    /// Turns the rate limits on or off.
    pub fn limit(&self, on: bool) {
        let limit = on.then_some(PER_MINUTE);
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.fill(Window::new(limit, MINUTE));
    }

    fn set_limits(&self, body: &[u8]) -> Answer {
        let Ok(Value::Object(orders)) = serde_json::from_slice(body) else {
            return problem("the limits are an object");
        };
        if let Some(off) = orders.get("off").and_then(Value::as_bool) {
            self.limit(!off);
        }
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in &orders {
            let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
            match (name.as_str(), number, value) {
                ("off", _, Value::Bool(_)) => {}
                ("per_minute", Some(number), _) => {
                    limits.iter_mut().for_each(|w| *w = Window::new(Some(number), w.span));
                }
                ("window_ms", Some(ms), _) => {
                    limits.iter_mut().for_each(|w| w.span = Duration::from_millis(ms.into()));
                }
                (endpoint, Some(number), _) => {
                    let at = Self::ENDPOINTS
                        .iter()
                        .position(|e| format!("{} {}", e.method, e.path) == endpoint);
                    let Some(at) = at else { return problem("no such endpoint or limit") };
                    limits[at].limit = Some(number);
                }
                _ => return problem("off is true or false; per_minute, window_ms are numbers"),
            }
        }
        Answer::json(200, &json!({"ok": true}))
    }

    fn set_people(&self, body: &[u8]) -> Answer {
        let orders: Vec<Value> = match serde_json::from_slice(body) {
            Ok(Value::Array(orders)) => orders,
            Ok(order) => match self.order(order) {
                Ok(changed) => return Answer::json(200, &changed),
                Err(why) => return problem(&why),
            },
            Err(_) => return problem("the body is not JSON"),
        };
        let done: Result<Vec<_>, _> = orders.into_iter().map(|order| self.order(order)).collect();
        match done {
            Ok(done) => Answer::json(200, &done),
            Err(why) => problem(&why),
        }
    }

    fn order(&self, order: Value) -> Result<Changed, String> {
        let change: Change = serde_json::from_value(order).map_err(|error| error.to_string())?;
        self.change(&change)
    }
}

/// A refusal in HiBob's usual shape; 401 has no body.
pub(super) fn refuse(status: u16, key: &str, error: &str) -> Answer {
    if status == 401 {
        return Answer::empty(401);
    }
    Answer::json(status, &json!({"key": key, "error": error, "args": {}}))
}

fn problem(why: &str) -> Answer {
    Answer::json(400, &json!({"error": why}))
}

impl Double for HiBob {
    type Op = Op;
    const ENDPOINTS: &'static [Endpoint<Op>] = &[
        Endpoint { method: "POST", path: "/v1/people/search", op: Op::Search },
        Endpoint { method: "POST", path: "/v1/people/{identifier}", op: Op::Person },
        Endpoint { method: "GET", path: "/v1/company/people/fields", op: Op::Fields },
        Endpoint { method: "GET", path: "/v1/company/named-lists", op: Op::Lists },
        Endpoint { method: "GET", path: "/v1/company/named-lists/{name}", op: Op::List },
    ];

    fn answer(&self, at: usize, call: &Call, fault: Option<&Fault>) -> Answer {
        // Observed on real tenants: a GET that announces a body is not understood.
        if call.method == "GET" && call.header("content-type").is_some() {
            return Answer::html(400);
        }
        let now = self.clock.now();
        let verdict = self.limits.lock().unwrap_or_else(PoisonError::into_inner)[at].call(now);
        let refused = verdict.as_ref().is_some_and(|verdict| !verdict.ok);
        let answer = if refused {
            refuse(429, "too_many_requests", "too many requests")
        } else if call.header("authorization") != Some(&self.authorization) {
            Answer::empty(401)
        } else {
            self.allowed(Self::ENDPOINTS[at].op, call, fault, now)
        };
        let Some(verdict) = verdict else { return answer };
        let reset = verdict.reset.as_millisecond().div_euclid(1000) + 1;
        let answer = answer
            .with("x-ratelimit-limit", verdict.limit.to_string())
            .with("x-ratelimit-remaining", verdict.remaining.to_string())
            .with("x-ratelimit-reset", reset.to_string());
        if !refused {
            return answer;
        }
        let wait = (reset - now.as_second()).max(1);
        answer.with("retry-after", wait.to_string())
    }

    fn nowhere(&self, _: &Call) -> Answer {
        Answer::html(200)
    }

    fn refusal(&self, status: u16) -> Answer {
        refuse(status, "sandbox_fault", "refused on command")
    }

    fn control(&self, call: &Call, ledger: &Ledger) -> Option<Answer> {
        let (calls, webhooks) = (ledger.calls(), self.webhooks.progress());
        Some(match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/_sandbox/state") => {
                Answer::json(200, &Shown { people: self.people(), calls, webhooks })
            }
            ("GET", "/_sandbox/stats") => {
                Answer::json(200, &Shown { people: self.company().kept().count(), calls, webhooks })
            }
            ("POST", "/_sandbox/people") => self.set_people(&call.body),
            ("POST", "/_sandbox/webhook") => match serde_json::from_slice::<Hook>(&call.body) {
                Ok(hook) => {
                    self.webhooks.set(hook);
                    Answer::json(200, &json!({"ok": true}))
                }
                Err(error) => problem(&error.to_string()),
            },
            ("POST", "/_sandbox/limits") => self.set_limits(&call.body),
            _ => return None,
        })
    }
}

impl HiBob {
    fn allowed(&self, op: Op, call: &Call, fault: Option<&Fault>, now: Timestamp) -> Answer {
        match op {
            Op::Search | Op::Person if !call.is_json() => {
                refuse(415, "unsupported_media_type", "expected application/json")
            }
            Op::Search => match Query::parse(&call.body, true) {
                Ok(query) => query.search(&self.company, fault, now),
                Err(refusal) => refusal,
            },
            Op::Person => match Query::parse(&call.body, false) {
                Ok(query) => query.one(&self.company, call.param(0), fault, now),
                Err(refusal) => refusal,
            },
            Op::Fields => Answer::json(200, &fields::metadata()),
            Op::Lists
                if call.query.is_empty() || decode(&call.query).starts_with("includeArchived=") =>
            {
                Answer::json(200, &self.company().lists().all())
            }
            Op::Lists => refuse(400, "bad_request", "an unknown parameter"),
            Op::List => match self.company().lists().shown(call.param(0)) {
                Some(list) => Answer::json(200, &list),
                None => refuse(404, "not_found", "no such list"),
            },
        }
    }
}

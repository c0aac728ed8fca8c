//! Faults on command: which call shall go wrong, how, and how often.
//!
//! Of several faults for one endpoint the oldest counted one goes first, so that two posts make a
//! sequence; one without a count lasts until it is cleared or replaced.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::answer::Answer;
use super::service::fit;

/// On which side of the effect something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    /// Before the call takes effect. A caller who is gone by then has changed nothing.
    Before,
    /// After it.
    After,
    /// After a while, whether the caller is still there or not: the request that takes effect when
    /// everyone has given it up.
    Late,
}

/// On which side of the effect the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DropAt {
    /// Nothing has changed.
    Before,
    /// It is done, and the caller does not hear of it.
    After,
}

/// One way in which calls of one endpoint go wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// `POST /v1/people/search`, with parameters as `{userId}` or with a real value; `*` for all.
    pub endpoint: String,
    /// How often still; absent: until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// So many calls go well before it.
    #[serde(default)]
    pub skip: u32,
    /// Answer with this status instead (or, with `"when":"after"`, after the effect).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// And with this body: text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Wait so long, after the effect unless `when` says before.
    #[serde(default)]
    pub latency_ms: u64,
    /// On which side of the effect; `late` is before it, and the effect comes in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Cut the connection: `before` or `after` the effect; `true` is after.
    #[serde(default, deserialize_with = "drop_at", skip_serializing_if = "Option::is_none")]
    pub drop: Option<DropAt>,
    /// A web page with status 200 instead of an answer.
    #[serde(default)]
    pub html: bool,
    /// Searches answer with each record as it was so long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_ms: Option<u64>,
    /// Fields that are left out of every record, as if not permitted.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub omit_field: Vec<String>,
    /// Ids of people who are left out.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub omit_person: Vec<String>,
    /// Ids of people who are shown once more, at the end of a search's answer.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub repeat_person: Vec<String>,
    /// Send only a part of the body: `true` for half, a number of bytes, or `"connection"` for half
    /// of what the headers promise and then nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate: Option<Value>,
    /// The next page is said to be there: a whole address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// `Retry-After`, in seconds; alone it means status 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

fn drop_at<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DropAt>, D::Error> {
    match Value::deserialize(from)? {
        Value::Bool(true) => Ok(Some(DropAt::After)),
        Value::Bool(false) | Value::Null => Ok(None),
        Value::String(side) if side == "before" => Ok(Some(DropAt::Before)),
        Value::String(side) if side == "after" => Ok(Some(DropAt::After)),
        _ => Err(serde::de::Error::custom("drop is true, \"before\" or \"after\"")),
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    })
}

impl Fault {
    /// The status it asks for.
    fn asked(&self) -> Option<u16> {
        self.status.or_else(|| self.retry_after.map(|_| 429))
    }

    /// Whether the call is carried out at all.
    pub fn has_effect(&self) -> bool {
        self.when == Some(When::After) || (self.asked().is_none() && !self.html)
    }

    /// Turns what would have been answered into what is.
    pub fn spoil(&self, effect: Option<Answer>, refusal: impl Fn(u16) -> Answer) -> Answer {
        let mut answer = match (self.asked(), effect) {
            _ if self.html => Answer::html(self.status.unwrap_or(200)),
            (None, Some(effect)) => effect,
            (status, _) => refusal(status.unwrap_or(200)),
        };
        match &self.body {
            Some(Value::String(text)) => answer.body = text.clone().into(),
            Some(body) => {
                answer = Answer { headers: answer.headers, ..Answer::json(answer.status, body) }
            }
            None => {}
        }
        if let Some(seconds) = self.retry_after {
            answer = answer.with("retry-after", seconds.to_string());
        }
        if let Some(next) = &self.next {
            answer = answer.with("link", format!("<{next}>; rel=\"next\""));
        }
        let whole = answer.body.len();
        let left = match &self.truncate {
            None | Some(Value::Null | Value::Bool(false)) => whole,
            Some(Value::Number(bytes)) => {
                bytes.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(whole).min(whole)
            }
            Some(_) => whole / 2,
        };
        answer.body.truncate(left);
        if self.truncate.as_ref().is_some_and(|how| how == "connection") {
            answer.missing = (whole - left) as u64;
        }
        answer
    }

    fn fits(&self, method: &str, template: &str, path: &str) -> bool {
        if self.endpoint == "*" {
            return true;
        }
        let Some((wanted_method, wanted)) = self.endpoint.split_once(' ') else { return false };
        wanted_method == method && (wanted == path || same_template(wanted, template))
    }
}

/// Whether two templates differ in nothing but the names of their parameters.
fn same_template(one: &str, other: &str) -> bool {
    one.contains('{') && fit(other, one).is_some_and(|p| p.iter().all(|p| p.starts_with('{')))
        || one == other
}

/// The faults of one double.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Takes `{"endpoint":…}`, `{"clear":true}` (for one endpoint when it is named) or a list.
    pub fn set(&mut self, body: &[u8], known: impl Fn(&str, &str) -> bool) -> Result<(), String> {
        let orders = match serde_json::from_slice(body) {
            Ok(Value::Array(orders)) => orders,
            Ok(order) => vec![order],
            Err(error) => return Err(format!("not JSON: {error}")),
        };
        for mut order in orders {
            let clear = order.as_object_mut().and_then(|order| order.remove("clear"));
            if clear == Some(Value::Bool(true)) {
                match order.get("endpoint").and_then(Value::as_str) {
                    Some(endpoint) => self.0.retain(|fault| fault.endpoint != endpoint),
                    None => self.0.clear(),
                }
                continue;
            }
            let fault: Fault = serde_json::from_value(order).map_err(|error| error.to_string())?;
            if fault.times == Some(0) {
                return Err("times is at least 1; leave it out for a lasting fault".to_owned());
            }
            let there = fault.endpoint.split_once(' ').is_some_and(|(m, path)| known(m, path));
            if fault.endpoint != "*" && !there {
                return Err(format!("unknown endpoint: {}", fault.endpoint));
            }
            if fault.times.is_none() {
                self.0.retain(|old| old.times.is_some() || old.endpoint != fault.endpoint);
            }
            self.0.push(fault);
        }
        Ok(())
    }

    /// The fault that this call meets, if any; a counted one is spent.
    pub fn take(&mut self, method: &str, template: &str, path: &str) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        let fits = |fault: &Fault| fault.fits(method, template, path);
        let counted = self.0.iter().position(|fault| fault.times.is_some() && fits(fault));
        let at = counted.or_else(|| self.0.iter().position(fits))?;
        if self.0[at].skip > 0 {
            self.0[at].skip -= 1;
            return None;
        }
        let fault = self.0[at].clone();
        if let Some(times) = &mut self.0[at].times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(at);
            }
        }
        Some(fault)
    }
}

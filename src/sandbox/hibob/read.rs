//! Reading people: the search, the single record, and the shape of both.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::super::answer::Answer;
use super::super::company::Company;
use super::super::faults::Fault;
use super::super::lists::Lists;
use super::super::record::{Kept, at, put, text};
use super::{fields, refuse};

/// About how many bytes of a long answer are made at once.
const PORTION: usize = 64 * 1024;

/// How values are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Machine,
    Append,
    Replace,
}

/// A request for people, understood.
pub struct Query {
    fields: Vec<String>,
    filter: Option<(&'static str, Vec<String>)>,
    inactive: bool,
    mode: Mode,
}

impl Query {
    /// Reads a body as strictly as the documentation words it. `search` allows filters.
    pub fn parse(body: &[u8], search: bool) -> Result<Self, Answer> {
        let bad = |why: &str| refuse(400, "bad_request", why);
        let body: Value = if body.is_empty() {
            Value::Object(Map::new())
        } else {
            serde_json::from_slice(body).map_err(|_| bad("the body is not JSON"))?
        };
        let Value::Object(body) = body else { return Err(bad("the body is not an object")) };
        let mut query = Self {
            fields: fields::defaults(),
            filter: None,
            inactive: !search,
            mode: Mode::Machine,
        };
        for (name, value) in &body {
            match name.as_str() {
                "fields" => {
                    let ids = texts(value).ok_or_else(|| bad("fields is a list of ids"))?;
                    if ids.len() > 400 {
                        return Err(bad("at most 400 fields"));
                    }
                    query.fields = ids;
                }
                "humanReadable" => {
                    query.mode = match value.as_str() {
                        Some("") => Mode::Machine,
                        Some("APPEND") => Mode::Append,
                        Some("REPLACE") => Mode::Replace,
                        _ => return Err(bad("humanReadable is \"\", APPEND or REPLACE")),
                    }
                }
                "showInactive" if search => {
                    query.inactive =
                        value.as_bool().ok_or_else(|| bad("showInactive is true or false"))?;
                }
                "filters" if search => query.filter = Some(filter(value).map_err(bad)?),
                _ => return Err(bad("an unknown member")),
            }
        }
        Ok(query)
    }

    /// The answer to a search. The whole company is told while it is sent: in one piece it would
    /// take as much memory as the company.
    pub fn search(self, company: &Mutex<Company>, fault: Option<&Fault>, now: Timestamp) -> Answer {
        let filter = self.filter.as_ref().map(|(path, values)| (*path, values.as_slice()));
        let (people, lists) = found(company, filter, stale(fault, now));
        if fault.is_none() && self.filter.is_none() {
            let shown = people.into_iter().filter_map(move |kept| self.found(&lists, &kept, None));
            return Answer::flowing(200, portions(shown));
        }
        let repeated = |kept: &&Kept| {
            fault.is_some_and(|fault| {
                let record = kept.open();
                fault.repeat_person.iter().any(|it| it == text(&record, "id"))
            })
        };
        let again = people.iter().filter(repeated);
        let shown = people.iter().chain(again).filter_map(|kept| self.found(&lists, kept, fault));
        Answer::json(200, &Value::from_iter([("employees", shown.collect::<Value>())]))
    }

    /// What a search shows of somebody; nothing of those whom it leaves out.
    fn found(&self, lists: &Lists, kept: &Kept, fault: Option<&Fault>) -> Option<Value> {
        let record = kept.open();
        let among = self.inactive || text(&record, "internal.status") == "Active";
        among.then(|| self.show(lists, &record, fault))?
    }

    /// The answer for one person, by id or mail.
    pub fn one(
        &self,
        company: &Mutex<Company>,
        who: &str,
        fault: Option<&Fault>,
        now: Timestamp,
    ) -> Answer {
        let path = if who.contains('@') { "root.email" } else { "root.id" };
        let who = [who.to_owned()];
        let (people, lists) = found(company, Some((path, &who)), stale(fault, now));
        match people.first().and_then(|kept| self.show(&lists, &kept.open(), fault)) {
            Some(record) => Answer::json(200, &record),
            None => refuse(404, "not_found", "no such employee"),
        }
    }

    /// One record: slash keys and nested form side by side, and only what was asked for.
    fn show(&self, lists: &Lists, record: &Value, fault: Option<&Fault>) -> Option<Value> {
        let omitted = |who: &str| fault.is_some_and(|f| f.omit_person.iter().any(|id| id == who));
        if omitted(text(record, "id")) {
            return None;
        }
        let label = |list: &str, id: &str| lists.label(list, id).to_owned();
        let mut shown = Value::Object(Map::new());
        let mut readable = Value::Object(Map::new());
        for field in &self.fields {
            let omitted = |id: &String| fields::bare(id) == fields::bare(field);
            if fault.is_some_and(|fault| fault.omit_field.iter().any(omitted)) {
                continue;
            }
            let Some(mut value) = fields::seen(record, field) else { continue };
            if self.mode != Mode::Machine {
                let display = fields::display(field, &value, label);
                if self.mode == Mode::Replace {
                    value = display.unwrap_or_default();
                } else if let Some(display) = display {
                    overlay(&mut readable, field, display);
                }
            }
            if !value.is_null() {
                let root = if field.contains('.') { "" } else { "root/" };
                let slash = format!("/{root}{}", field.replace('.', "/"));
                shown[slash] = Value::from_iter([("value", value.clone())]);
            }
            overlay(&mut shown, field, value);
        }
        if self.mode == Mode::Append {
            shown["humanReadable"] = readable;
        }
        Some(shown)
    }
}

/// Puts a value into a nested form; what is there already, of which this is a part, stays.
fn overlay(shown: &mut Value, field: &str, value: Value) {
    let parent = field.rsplit_once('.').map(|(parent, _)| parent);
    let blocked = parent.and_then(|parent| at(shown, parent));
    // `work.reportsTo.email` beside `work.reportsTo`: the whole person is shown, or nobody.
    if blocked.is_some_and(|there| !there.is_object()) {
        return;
    }
    if value.is_object() || at(shown, field).is_none() {
        put(shown, field, value);
    }
}

/// The labels that people read in place of ids, nested, of every field that has a value.
fn human_readable(lists: &Lists, record: &Value) -> Value {
    let label = |list: &str, id: &str| lists.label(list, id).to_owned();
    let mut readable = Value::Object(Map::new());
    for field in fields::all() {
        let value = at(record, field).filter(|value| !value.is_null());
        if let Some(display) = value.and_then(|value| fields::display(field, value, label)) {
            overlay(&mut readable, field, display);
        }
    }
    readable
}

/// A record in full, with the labels that people read.
pub struct Full(pub Kept, pub Arc<Lists>);

impl Serialize for Full {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut full = serializer.serialize_map(None)?;
        let record = self.0.open();
        for (name, value) in record.as_object().into_iter().flatten() {
            full.serialize_entry(name, value)?;
        }
        full.serialize_entry("humanReadable", &human_readable(&self.1, &record))?;
        full.end()
    }
}

/// The records at hand and the lists that explain them; the company is let go before they are shown.
fn found(
    company: &Mutex<Company>,
    filter: Option<(&str, &[String])>,
    then: Option<Timestamp>,
) -> (Vec<Kept>, Arc<Lists>) {
    let company = company.lock().unwrap_or_else(PoisonError::into_inner);
    let mut places = company.places(filter);
    places.sort_unstable();
    places.dedup();
    let people = places.into_iter().filter_map(|place| company.seen(place, then)).cloned();
    (people.collect(), Arc::clone(company.lists()))
}

/// The answer of a search, a portion at a time.
fn portions(shown: impl Iterator<Item = Value>) -> impl Iterator<Item = Bytes> {
    let mut shown = shown.fuse();
    let mut next = br#"{"employees":["#.to_vec();
    let (mut first, mut ended) = (true, false);
    std::iter::from_fn(move || {
        while !ended && next.len() < PORTION {
            let Some(record) = shown.next() else {
                next.extend_from_slice(b"]}");
                ended = true;
                break;
            };
            if !std::mem::take(&mut first) {
                next.push(b',');
            }
            next.extend_from_slice(record.to_string().as_bytes());
        }
        let portion = std::mem::take(&mut next);
        (!portion.is_empty()).then(|| portion.into())
    })
}

fn stale(fault: Option<&Fault>, now: Timestamp) -> Option<Timestamp> {
    let ms = fault?.stale_ms?;
    Some(now - std::time::Duration::from_millis(ms))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Exactly one filter, on id or mail, for equality, with at least one value.
fn filter(value: &Value) -> Result<(&'static str, Vec<String>), &'static str> {
    let Some([Value::Object(filter)]) = value.as_array().map(Vec::as_slice) else {
        return Err("filters holds exactly one filter, or is left out");
    };
    if filter.keys().any(|name| !matches!(name.as_str(), "fieldPath" | "operator" | "values")) {
        return Err("an unknown member of a filter");
    }
    let path = match filter.get("fieldPath").and_then(Value::as_str) {
        Some("root.id") => "root.id",
        Some("root.email") => "root.email",
        _ => return Err("fieldPath is root.id or root.email"),
    };
    if filter.get("operator").and_then(Value::as_str) != Some("equals") {
        return Err("operator is equals");
    }
    match filter.get("values").and_then(texts) {
        Some(values) if !values.is_empty() => Ok((path, values)),
        _ => Err("values is a list of texts and not empty"),
    }
}

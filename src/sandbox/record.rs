//! An employee's record in nested form: looking, merging, and seeing what changed.
//!
//! Field ids are HiBob's: `work.site`, and `root.email` for what has no category.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A record as it is kept: its JSON, which takes a tenth of what the open record does. A company of
/// a million people fits into memory so, and only what is touched is opened.
#[derive(Clone, Debug)]
pub(super) struct Kept(Arc<[u8]>);

impl Kept {
    /// Closes a record.
    pub fn of(record: &Value) -> Self {
        Self(record.to_string().into_bytes().into())
    }

    /// The record, open.
    pub fn open(&self) -> Value {
        // What was written here can be read again.
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}

/// The value at a field id; `None` when the record does not have the field at all.
pub(super) fn at<'r>(record: &'r Value, field: &str) -> Option<&'r Value> {
    let mut value = record;
    for part in field.strip_prefix("root.").unwrap_or(field).split('.') {
        value = value.as_object()?.get(part)?;
    }
    Some(value)
}

/// The text at a field id; empty when there is none.
pub(super) fn text<'r>(record: &'r Value, field: &str) -> &'r str {
    at(record, field).and_then(Value::as_str).unwrap_or_default()
}

/// Puts a value at a field id, making the way there.
pub(super) fn put(record: &mut Value, field: &str, value: Value) {
    let mut place = record;
    for part in field.strip_prefix("root.").unwrap_or(field).split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(members) = place.as_object_mut() else { return };
        place = members.entry(part).or_insert(Value::Null);
    }
    *place = value;
}

/// Merges deeply: objects member by member, everything else replaces; `null` clears.
pub(super) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, Value::Object(from)) => {
            *into = Value::Object(Map::new());
            for (name, value) in from {
                let mut clean = Value::Null;
                merge(&mut clean, value);
                put(into, name, clean);
            }
        }
        (into, from) => into.clone_from(from),
    }
}

/// The ids of the fields in which two records differ, in order. `whole` says which objects are one
/// value rather than a category.
pub(super) fn changed(before: &Value, after: &Value, whole: &impl Fn(&str) -> bool) -> Vec<String> {
    let mut fields = Vec::new();
    compare("", Some(before), Some(after), whole, &mut fields);
    fields
}

fn compare(
    field: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    whole: &impl Fn(&str) -> bool,
    out: &mut Vec<String>,
) {
    if before == after {
        return;
    }
    let members = |value: Option<&Value>| match value {
        Some(Value::Object(members)) if !whole(field) => Some(members.clone()),
        _ => None,
    };
    let (left, right) = (members(before), members(after));
    if left.is_none() && right.is_none() {
        let nothing = |value: Option<&Value>| value.is_none_or(Value::is_null);
        if !(nothing(before) && nothing(after)) {
            let root = if field.contains('.') { "" } else { "root." };
            out.push(format!("{root}{field}"));
        }
        return;
    }
    let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
    let mut names: Vec<_> = left.keys().chain(right.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
        compare(&path, left.get(name), right.get(name), whole, out);
    }
}

//! What an expression sees: the record's fields by their HiBob ids, and labels under `label`.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, Serde, ValueKind};

use crate::model::Record;
use crate::provisioning::filters::lookup::{NOTES, Notes};

/// The member of a record that holds labels.
const LABELS: &str = "humanReadable";

/// What an expression sees.
#[derive(Debug)]
pub(super) struct Context {
    record: Value,
    /// Where values are noted that are not in a lookup table.
    notes: Arc<Notes>,
}

impl Context {
    /// What there is to see of a record.
    pub(super) fn new(record: &Record, notes: Arc<Notes>) -> Self {
        Self { record: Value::from(Serde(&record.0)), notes }
    }
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "root" => Some(self.record.clone()),
            "label" => {
                let labels = self.record.get_attr(LABELS).ok()?;
                Some(Value::from_object(Labels { raw: self.record.clone(), labels }))
            }
            NOTES => Some(Value::from_dyn_object(self.notes.clone())),
            _ => defined(self.record.get_attr(key).ok()?),
        }
    }
}

/// The labels of list values; where there is none, the value itself.
#[derive(Debug)]
struct Labels {
    raw: Value,
    labels: Value,
}

impl Object for Labels {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = if key.as_str() == Some("root") {
            return Some(Value::from_dyn_object(self.clone()));
        } else {
            key
        };
        let raw = defined(self.raw.get_item(key).ok()?)?;
        let label = self.labels.get_item(key).ok().and_then(defined);
        match (raw.kind(), label) {
            (ValueKind::Map, labels) => {
                let labels = labels.unwrap_or(Value::UNDEFINED);
                Some(Value::from_object(Self { raw, labels }))
            }
            (ValueKind::None, _) | (_, None) => Some(raw),
            (_, Some(label)) => Some(label),
        }
    }
}

fn defined(value: Value) -> Option<Value> {
    (!value.is_undefined()).then_some(value)
}

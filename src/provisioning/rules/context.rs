//! What an expression sees: the record's fields by their HiBob ids, and labels under `label`.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ValueKind};

use crate::model::Record;

/// The member of a record that holds labels.
const LABELS: &str = "humanReadable";

/// What an expression sees.
#[derive(Debug)]
pub(super) struct Context {
    record: Value,
}

impl Context {
    /// What there is to see of a record.
    pub(super) fn new(record: &Record) -> Self {
        Self { record: Value::from(minijinja::value::Serde(&record.0)) }
    }
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "root" => Some(self.record.clone()),
            "label" => {
                let labels = self.record.get_attr(LABELS).ok()?;
                Some(Value::from_object(Labels { raw: self.record.clone(), labels }))
            }
            _ => defined(self.record.get_item(key).ok()?),
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

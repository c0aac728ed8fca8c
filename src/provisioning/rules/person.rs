//! One person under judgement: what a rule gives for them, or why it gives nothing.

use std::sync::Arc;

use jiff::Timestamp;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::compile::{RESULT, Rule};
use super::context::Context;
use crate::model::{Miss, Record, Seen};
use crate::provisioning::filters;
use crate::provisioning::filters::lookup::{self, Notes};

/// One person at one moment.
pub(super) struct Person<'r> {
    env: &'r Environment<'static>,
    pub(super) record: &'r Record,
    pub(super) now: Timestamp,
    context: Value,
    notes: Arc<Notes>,
}

/// Why an expression has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoResult {
    /// The record lacks these fields.
    Missing(Vec<String>),
    /// It failed, in words that hold no value.
    Failed(String),
    /// A value is not in a table that says to leave things alone then.
    Unmapped(String),
    /// A value is not in a table that says to refuse the person then.
    Refused(String),
}

impl NoResult {
    /// In words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Missing(fields) => format!("HiBob's answer lacks {}", fields.join(", ")),
            Self::Failed(why) => why.clone(),
            Self::Unmapped(table) | Self::Refused(table) => {
                format!("the table {table} has no row for this value")
            }
        }
    }
}

impl<'r> Person<'r> {
    pub(super) fn new(
        env: &'r Environment<'static>,
        record: &'r Record,
        now: Timestamp,
    ) -> Person<'r> {
        let notes = Arc::new(Notes::default());
        let context = Value::from_object(Context::new(record, notes.clone()));
        Person { env, record, now, context, notes }
    }

    /// Values that were not in a table.
    pub(super) fn misses(&self) -> Vec<Miss> {
        self.notes.misses()
    }

    /// What a rule gives.
    pub(super) fn result(&self, rule: &Rule) -> Result<Value, NoResult> {
        if let Some(constant) = &rule.constant {
            return Ok(constant.clone());
        }
        let result = self
            .env
            .get_template(&rule.template)
            .and_then(|template| template.render_captured(self.context.clone()))
            .map(|captured| captured.state().lookup(RESULT).unwrap_or_default());
        match result {
            Ok(value) if value.is_undefined() => match self.missing(rule) {
                // What lies below a field that is known to be empty is empty too.
                missing if missing.is_empty() && self.is_empty(rule) => Ok(Value::from(())),
                missing => Err(NoResult::Missing(missing)),
            },
            Ok(value) => Ok(value),
            Err(error) => Err(self.no_result(rule, &error)),
        }
    }

    /// Whether a rule says yes.
    pub(super) fn holds(&self, rule: &Rule) -> Result<bool, NoResult> {
        self.result(rule).map(|value| value.is_true())
    }

    /// What a rule gives, as text: trimmed, `None` when it is empty.
    pub(super) fn text(&self, rule: &Rule) -> Result<Option<String>, NoResult> {
        text(&self.result(rule)?)
    }

    /// The fields of a rule that the record lacks.
    pub(super) fn missing(&self, rule: &Rule) -> Vec<String> {
        let is_missing = |field: &&String| self.record.see(field) == Seen::Missing;
        rule.uses.iter().filter(is_missing).cloned().collect()
    }

    /// Whether a rule reads a field that the record shows to be empty.
    fn is_empty(&self, rule: &Rule) -> bool {
        rule.uses.iter().any(|field| self.record.see(field) == Seen::Empty)
    }

    fn no_result(&self, rule: &Rule, error: &Error) -> NoResult {
        if let Some(unmapped) = lookup::unmapped(error) {
            let table = unmapped.table.clone();
            return if unmapped.refuse {
                NoResult::Refused(table)
            } else {
                NoResult::Unmapped(table)
            };
        }
        if error.kind() == ErrorKind::UndefinedError {
            let missing = self.missing(rule);
            if !missing.is_empty() {
                return NoResult::Missing(missing);
            }
        }
        // The detail of an error can hold values of the record; a filter's own words and the kind of
        // an error cannot.
        let why = filters::reason(error);
        NoResult::Failed(why.unwrap_or_else(|| format!("the rule failed ({})", error.kind())))
    }
}

/// A value as text for the target: trimmed, `None` when it is empty.
pub(super) fn text(value: &Value) -> Result<Option<String>, NoResult> {
    let text = match value.kind() {
        ValueKind::None => return Ok(None),
        ValueKind::String | ValueKind::Number | ValueKind::Bool => value.to_string(),
        ValueKind::Undefined => return Err(NoResult::Missing(Vec::new())),
        other => return Err(NoResult::Failed(format!("the rule gives a {other}, not a text"))),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

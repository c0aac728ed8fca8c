//! One expression, compiled: which fields it reads, and everything that is wrong with it.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::{Environment, ErrorKind, Value};

use super::context::Context;
use super::{Rule, RuleProblem};
use crate::config::Expression;
use crate::model::Record;
use crate::provisioning::filters;

/// The longest expression, in bytes. The parser recurses, so length bounds its depth.
const LONGEST: usize = 1024;

/// Compiles an expression.
pub(super) fn compile(
    env: &Environment<'static>,
    expression: &Expression,
) -> Result<Rule, Vec<RuleProblem>> {
    let problem = |range, message| RuleProblem { key: expression.key.clone(), range, message };
    let text = expression.text.trim();
    if text.is_empty() {
        return Err(vec![problem(None, "the expression is empty".to_owned())]);
    }
    if text.len() > LONGEST {
        let message = format!(
            "the expression has {} bytes; {LONGEST} are allowed. Split it into several rules",
            text.len()
        );
        return Err(vec![problem(None, message)]);
    }
    let lead = expression.text.len() - expression.text.trim_start().len();
    let told = |error: &minijinja::Error| {
        let range = error.range().map(|range| range.start + lead..range.end + lead);
        let detail = error.detail().unwrap_or("it is not an expression");
        problem(range, format!("{}: {detail}", error.kind()))
    };
    let compiled =
        env.compile_expression_owned(text.to_owned()).map_err(|error| vec![told(&error)])?;
    let uses: BTreeSet<String> =
        compiled.undeclared_variables(true).iter().filter_map(|path| field_id(path)).collect();
    let mistakes = filters::mistakes(env, text);
    if !mistakes.is_empty() {
        let place = |range: Range<usize>| range.start + lead..range.end + lead;
        return Err(mistakes
            .into_iter()
            .map(|mistake| problem(Some(place(mistake.range)), mistake.message))
            .collect());
    }
    // What else only shows when it is run: try it on a person whose every field is empty.
    if let Err(error) = compiled.eval(Value::from_object(Context::new(&Record(blank(&uses))))) {
        let unknown = [
            ErrorKind::UnknownFilter,
            ErrorKind::UnknownTest,
            ErrorKind::UnknownFunction,
            ErrorKind::UnknownMethod,
            ErrorKind::MissingArgument,
            ErrorKind::TooManyArguments,
            ErrorKind::OutOfFuel,
        ];
        if unknown.contains(&error.kind()) {
            return Err(vec![told(&error)]);
        }
    }
    Ok(Rule { key: expression.key.clone(), text: text.to_owned(), uses })
}

/// The HiBob id of the field behind a variable: `label.work.title` is `work.title`, `email` is
/// `root.email`, and of `work.reportsTo.email` HiBob knows `work.reportsTo`.
fn field_id(path: &str) -> Option<String> {
    let path = path.strip_prefix("label.").unwrap_or(path);
    if path == "label" || path == "root" || filters::is_function(path) {
        return None;
    }
    if let Some(head) = path.find("reportsTo.").map(|at| &path[..at + "reportsTo".len()]) {
        return Some(head.to_owned());
    }
    Some(if path.contains('.') { path.to_owned() } else { format!("root.{path}") })
}

/// A record in which each of these fields is empty.
fn blank(fields: &BTreeSet<String>) -> serde_json::Value {
    let mut record = serde_json::Value::Object(serde_json::Map::new());
    for field in fields {
        let mut at = &mut record;
        for part in field.strip_prefix("root.").unwrap_or(field).split('.') {
            if !at.is_object() {
                *at = serde_json::Value::Object(serde_json::Map::new());
            }
            at = &mut at[part];
        }
    }
    record
}

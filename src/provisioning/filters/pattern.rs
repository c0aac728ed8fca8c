//! `matches` and `replace_re`: regular expressions, compiled once.
//!
//! They take time in proportion to the text, whatever the pattern: patterns with back-references and
//! look-around, which could take for ever, do not exist here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use regex::{Regex, RegexBuilder};

use super::{Given, Stop};

/// The size of a compiled pattern, in bytes: time per character grows with it.
const LARGEST: usize = 1 << 17;

/// How many patterns are kept. More than a configuration has, unless it takes them from records.
const KEPT: usize = 200;

static COMPILED: Mutex<Option<HashMap<String, Arc<Regex>>>> = Mutex::new(None);

pub(super) fn matches(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(1)?;
    let pattern = pattern(given)?;
    Ok(match (text, pattern) {
        (Some(text), Some(pattern)) => Value::from(pattern.is_match(text)),
        _ => Value::from(()),
    })
}

pub(super) fn replace(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(2)?;
    let pattern = pattern(given)?;
    let with = given.text(1)?.unwrap_or_default();
    Ok(match (text, pattern) {
        (Some(text), Some(pattern)) => Value::from(pattern.replace_all(text, with).as_ref()),
        _ => Value::from(()),
    })
}

fn pattern(given: &Given<'_>) -> Result<Option<Arc<Regex>>, Stop> {
    let Some(text) = given.text(0)? else { return Ok(None) };
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = compiled.get_or_insert_default();
    if let Some(regex) = compiled.get(text) {
        return Ok(Some(Arc::clone(regex)));
    }
    let regex = RegexBuilder::new(text)
        .size_limit(LARGEST)
        .nest_limit(50)
        .build()
        .map(Arc::new)
        .map_err(|error| Stop::Because(wrong(&error)))?;
    if compiled.len() >= KEPT {
        compiled.clear();
    }
    compiled.insert(text.to_owned(), Arc::clone(&regex));
    Ok(Some(regex))
}

/// What is wrong with a pattern, without the pattern.
fn wrong(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        regex::Error::Syntax(told) => {
            let why = told.rsplit_once("error: ").map_or("", |(_, why)| why.trim());
            format!("this is not a regular expression: {why}")
        }
        _ => "this is not a regular expression".to_owned(),
    }
}

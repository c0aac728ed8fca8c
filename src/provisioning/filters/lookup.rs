//! `lookup`: a value from a table that HR keeps in a spreadsheet.
//!
//! A cell of a key column that holds `*` fits anything. Of several rows that fit, the one with the
//! most exact keys counts, and of those the one whose exact keys stand further left. Capitals and
//! white space make no difference. Rows are found by hashing, once for each arrangement of `*`, so a
//! long table is not slower than a short one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use minijinja::value::{Object, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::{Stop, plain, tidy, told, too_long};
use crate::config::{LookupTable, OnMiss, nearest};
use crate::model::Miss;

/// The filter's name.
pub(super) const LOOKUP: &str = "lookup";

/// How it is written.
const USAGE: &str = "it is written lookup('table', 'column'), with a value for each further key";

/// What fits anything.
const ANY: &str = "*";

/// The most key columns. Each arrangement of `*` in them costs one look.
const MOST_KEYS: usize = 8;

/// So many misses of one person are kept.
const MOST_MISSES: usize = 100;

/// Under this name a filter finds where misses are noted. No expression can say it.
pub const NOTES: &str = " notes";

/// All tables, made ready to be asked.
#[derive(Debug, Default)]
pub struct Tables(BTreeMap<String, Table>);

/// What is wrong with a table, or between its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableProblem {
    /// Which.
    pub table: String,
    /// What, and what to do.
    pub message: String,
}

#[derive(Debug)]
struct Table {
    on_miss: OnMiss,
    keys: usize,
    columns: Vec<String>,
    /// The arrangements of `*` that occur, in the order in which they are asked, each with the rows
    /// that have it, by their exact keys.
    patterns: Vec<(Vec<bool>, HashMap<String, usize>)>,
    /// For each row its values, one for each column that is no key.
    rows: Vec<Vec<Value>>,
}

/// An arrangement of `*`, by how many keys are exact and then by which: the first is asked first.
type Rank = (Reverse<usize>, Reverse<Vec<bool>>);

impl Tables {
    /// Makes tables ready.
    ///
    /// # Errors
    /// Everything because of which one cannot be asked without doubt; and all tables as far as they
    /// can be, so that expressions can be checked against them.
    pub fn of(tables: &BTreeMap<String, LookupTable>) -> Result<Self, (Self, Vec<TableProblem>)> {
        let mut ready = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, table) in tables {
            let (table, messages) = Table::of(table);
            ready.insert(name.clone(), table);
            let problem = |message| TableProblem { table: name.clone(), message };
            problems.extend(messages.into_iter().map(problem));
        }
        if problems.is_empty() { Ok(Self(ready)) } else { Err((Self(ready), problems)) }
    }
}

impl Table {
    /// The table, and what is wrong with it.
    fn of(table: &LookupTable) -> (Self, Vec<String>) {
        let columns = table.columns.len();
        let keys = table.keys.clamp(1, MOST_KEYS).min(columns);
        let mut problems = Vec::new();
        if keys != table.keys {
            let has = table.keys;
            problems.push(format!("a table has 1 to {MOST_KEYS} key columns, and this has {has}"));
        }
        let mut patterns: BTreeMap<Rank, HashMap<String, usize>> = BTreeMap::new();
        let mut rows = Vec::with_capacity(table.rows.len());
        for (at, (line, cells)) in table.rows.iter().enumerate() {
            let cell = |column: usize| tidy(cells.get(column).map_or("", String::as_str));
            let exact: Vec<bool> = (0..keys).map(|key| cell(key) != ANY).collect();
            let key = joined((0..keys).filter(|key| exact[*key]).map(cell));
            let rank = (Reverse(exact.iter().filter(|it| **it).count()), Reverse(exact));
            if let Some(other) = patterns.entry(rank).or_default().insert(key, at) {
                let other = table.rows[other].0;
                problems
                    .push(format!("lines {other} and {line} have the same keys; keep one of them"));
            }
            let value = |column: usize| Some(cell(column)).filter(|cell| !cell.is_empty());
            rows.push((keys..columns).map(|column| Value::from(value(column))).collect());
        }
        let patterns: Vec<_> =
            patterns.into_iter().map(|((_, Reverse(exact)), rows)| (exact, rows)).collect();
        let has_default = patterns.iter().any(|(exact, _)| !exact.contains(&true));
        if table.on_miss == OnMiss::Default && !has_default {
            problems.push(
                "on_miss = \"default\" takes the row whose every key is *, and there is none; add \
                 it, or say keep, skip or refuse"
                    .to_owned(),
            );
        }
        let columns = table.columns.clone();
        (Self { on_miss: table.on_miss, keys, columns, patterns, rows }, problems)
    }

    /// The row for these keys, and whether it is one that fits everything.
    fn find(&self, keys: &[String]) -> Option<(usize, bool)> {
        self.patterns.iter().find_map(|(exact, rows)| {
            let key =
                joined(keys.iter().zip(exact).filter(|(_, exact)| **exact).map(|(key, _)| key));
            rows.get(&key).map(|row| (*row, !exact.contains(&true)))
        })
    }
}

/// Keys as they are compared. What separates them occurs in no tidied text.
fn joined(keys: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut joined = String::new();
    for key in keys {
        joined.push_str(&key.as_ref().to_lowercase());
        joined.push('\u{1f}');
    }
    joined
}

/// The misses of one person, noted as they happen: what an expression does with the value afterwards
/// cannot hide them.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Vec<Miss>>);

impl Object for Notes {}

impl Notes {
    fn note(&self, miss: Miss) {
        let mut misses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if misses.len() < MOST_MISSES && !misses.contains(&miss) {
            misses.push(miss);
        }
    }

    /// What was noted, each once, in the order of the first time.
    pub fn misses(&self) -> Vec<Miss> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A value is not in a table, and the table says that there is no result then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// The table.
    pub table: String,
    /// Whether nothing may be applied to the person.
    pub refuse: bool,
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table {} has no row for this value", self.table)
    }
}

impl StdError for Unmapped {}

/// What made an expression fail, when it was a value that is not in a table.
pub fn unmapped(error: &Error) -> Option<&Unmapped> {
    source(error)
}

/// A mistake in the use of a table: it shows before the first person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misuse {
    /// Which text in the brackets is wrong, from 0; none when it is the whole.
    pub(super) at: Option<usize>,
    pub(super) message: String,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LOOKUP}: {}", self.message)
    }
}

impl StdError for Misuse {}

pub(super) fn misuse(error: &Error) -> Option<&Misuse> {
    source(error)
}

fn source<E: StdError + 'static>(error: &Error) -> Option<&E> {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

/// Adds the filter.
pub(super) fn register(env: &mut Environment<'static>, tables: Tables) {
    env.add_filter(LOOKUP, move |state: &State<'_, '_>, value: &Value, given: Rest<Value>| {
        lookup(&tables, state, value, &given)
    });
}

fn lookup(
    tables: &Tables,
    state: &State<'_, '_>,
    value: &Value,
    given: &[Value],
) -> Result<Value, Error> {
    let misused = |at: Option<usize>, message: String| {
        Error::new(ErrorKind::InvalidOperation, "a filter refused")
            .with_source(Misuse { at, message })
    };
    let (Some(name), Some(column)) =
        (given.first().and_then(Value::as_str), given.get(1).and_then(Value::as_str))
    else {
        return Err(misused(None, USAGE.to_owned()));
    };
    let Some(table) = tables.0.get(name) else {
        let known = tables.0.keys().map(String::as_str);
        return Err(misused(Some(0), no_such("table", name, known)));
    };
    let Some(at) = table.columns[table.keys..].iter().position(|known| known == column) else {
        let values = table.columns[table.keys..].iter().map(String::as_str);
        let what = if table.columns.iter().any(|known| known == column) {
            format!("the column {column} of the table {name} is looked up, so it is no result")
        } else {
            no_such(&format!("column of the table {name} called"), column, values)
        };
        return Err(misused(Some(1), what));
    };
    if given.len() - 2 != table.keys - 1 {
        let keys = table.columns[..table.keys].join(", ");
        let further = match table.keys - 1 {
            0 => "nothing more stands in the brackets".to_owned(),
            1 => "one more value stands in the brackets".to_owned(),
            more => format!("{more} more values stand in the brackets"),
        };
        let message = format!("the table {name} is looked up by {keys}: {further}");
        return Err(misused(None, message));
    }
    let keys: Vec<String> = std::iter::once(value)
        .chain(&given[2..])
        .map(|key| text(key).map_err(|stop| told(LOOKUP, stop)))
        .collect::<Result<_, _>>()?;
    let found = table.find(&keys);
    let is_miss =
        found.is_none_or(|(_, is_default)| is_default && table.on_miss == OnMiss::Default);
    if is_miss
        && let Some(notes) = state.lookup(NOTES)
        && let Some(notes) = notes.downcast_object_ref::<Notes>()
    {
        notes.note(Miss { table: name.to_owned(), keys });
    }
    match (found, table.on_miss) {
        (Some((row, _)), _) => Ok(table.rows[row][at].clone()),
        (None, OnMiss::Keep) => Ok(value.clone()),
        (None, on_miss) => {
            let refuse = on_miss == OnMiss::Refuse;
            Err(Error::new(ErrorKind::InvalidOperation, "a value is not in a table")
                .with_source(Unmapped { table: name.to_owned(), refuse }))
        }
    }
}

fn no_such<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    match (nearest(name, known.clone()), known.clone().next()) {
        (Some(meant), _) => format!("there is no {what} {name}; {meant} was perhaps meant"),
        (None, Some(_)) => {
            let known: Vec<&str> = known.take(10).collect();
            format!("there is no {what} {name}; there is {}", known.join(", "))
        }
        (None, None) => format!("there is no {what} {name}; there is none at all"),
    }
}

/// A value as a key. One that is known to be empty is the empty text.
fn text(value: &Value) -> Result<String, Stop> {
    let text = match value.kind() {
        ValueKind::Undefined => return Err(Stop::Missing),
        ValueKind::None => return Ok(String::new()),
        ValueKind::Bool => (if value.is_true() { "true" } else { "false" }).to_owned(),
        ValueKind::String | ValueKind::Number => value.to_string(),
        other => return Err(Stop::Because(format!("it takes a text, not {}", plain(other)))),
    };
    if text.len() > super::LONGEST { Err(too_long()) } else { Ok(tidy(&text)) }
}

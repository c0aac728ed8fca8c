//! What the expression language can do to a value: the filters that tidy it, and the guard around
//! the language's own ones.
//!
//! Three promises hold for every filter: a value that is known to be empty (`none`) stays empty
//! (only `or_else` and `default` put something in its place), a value that is missing stays an
//! error, and no error names a value. What a filter is given is bounded, so none can hang or exhaust
//! the process.

mod check;
pub mod country;
mod date;
pub mod email;
mod guard;
pub mod lookup;
mod name;
mod pattern;
mod phone;
mod slug;
pub mod spelling;
mod text;
pub mod tokens;

use std::error::Error as StdError;
use std::fmt;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

pub use check::{Mistake, is_function, mistakes};
use lookup::Tables;
pub use text::tidy;

use super::language;

/// The longest text that a filter takes, in bytes.
const LONGEST: usize = 10_000;

/// One filter of ours.
struct Filter {
    name: &'static str,
    /// How it is written, for whom wrote it otherwise.
    usage: &'static str,
    /// Looks at what stands in its brackets even when the value is empty, so that a mistake there
    /// shows before the first person does.
    body: fn(&Given<'_>, Option<&str>) -> Result<Value, Stop>,
}

const FILTERS: &[Filter] = &[
    Filter { name: "tidy", usage: "tidy", body: text::body },
    Filter { name: "name", usage: "name or name('all')", body: name::body },
    Filter { name: "email", usage: "email", body: email::body },
    Filter { name: "phone", usage: "phone('GB')", body: phone::body },
    Filter { name: "date", usage: "date or date('DD/MM/YYYY')", body: date::body },
    Filter { name: "lang", usage: "lang", body: lang },
    Filter { name: "country", usage: "country", body: country::body },
    Filter { name: "slug", usage: "slug or slug('de')", body: slug::body },
    Filter { name: "matches", usage: "matches('^[0-9]+$')", body: pattern::matches },
    Filter {
        name: "replace_re",
        usage: "replace_re('[0-9]+', 'with this')",
        body: pattern::replace,
    },
];

/// The function that takes the first of several values that is not empty.
const FIRST_OF: &str = "first_of";

/// The filter that puts something in the place of an empty value.
const OR_ELSE: &str = "or_else";

/// Why a filter has no result.
enum Stop {
    /// It needs a value that the record lacks.
    Missing,
    /// In words that hold no value of the record.
    Because(String),
}

impl From<&str> for Stop {
    fn from(why: &str) -> Self {
        Self::Because(why.to_owned())
    }
}

/// A filter's own words on why it has no result. They hold no value.
#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Refusal {}

/// What stands in a filter's brackets.
struct Given<'a> {
    filter: &'a Filter,
    values: &'a [Value],
}

impl Given<'_> {
    fn wrong(&self, how: &str) -> Stop {
        Stop::Because(format!("it is written {}{how}", self.filter.usage))
    }

    fn at_most(&self, count: usize) -> Result<(), Stop> {
        if self.values.len() > count {
            Err(self.wrong("; there is more than that"))
        } else {
            Ok(())
        }
    }

    /// The text at this place, from 0; `None` when it is empty.
    fn text(&self, at: usize) -> Result<Option<&str>, Stop> {
        match self.values.get(at) {
            None => Err(self.wrong("; there is less than that")),
            Some(value) if value.is_undefined() => Err(Stop::Missing),
            Some(value) if value.is_none() => Ok(None),
            Some(value) => {
                value.as_str().map(Some).ok_or_else(|| self.wrong("; it was given no text there"))
            }
        }
    }

    /// As [`Given::text`], where nothing need stand.
    fn optional(&self, at: usize) -> Result<Option<&str>, Stop> {
        if self.values.len() > at { self.text(at) } else { Ok(None) }
    }
}

/// What is put around each operand of `~`, so that an empty one leaves no trace.
pub const IN_TEXT: &str = "in_text";

/// Adds everything to the language, and takes away what has no use in a rule.
pub fn register(env: &mut Environment<'static>, tables: Tables) {
    guard::register(env);
    lookup::register(env, tables);
    env.add_filter(IN_TEXT, |value: Value| match value.kind() {
        ValueKind::Undefined => Err(told(IN_TEXT, Stop::Missing)),
        ValueKind::None => Ok(Value::from("")),
        _ => Ok(value),
    });
    for filter in FILTERS {
        env.add_filter(filter.name, move |value: &Value, given: Rest<Value>| {
            run(filter, value, &given).map_err(|stop| told(filter.name, stop))
        });
    }
    env.add_filter(OR_ELSE, |value: Value, given: Rest<Value>| match given.as_slice() {
        [other] => first_of(&[value, other.clone()]).map_err(|stop| told(OR_ELSE, stop)),
        _ => Err(told(OR_ELSE, "it is written or_else('this')".into())),
    });
    env.add_function(FIRST_OF, |values: Rest<Value>| {
        if values.is_empty() {
            return Err(told(FIRST_OF, "it is written first_of(this, that)".into()));
        }
        first_of(&values).map_err(|stop| told(FIRST_OF, stop))
    });
}

fn run(filter: &Filter, value: &Value, given: &[Value]) -> Result<Value, Stop> {
    let written;
    let text = match value.kind() {
        ValueKind::Undefined => return Err(Stop::Missing),
        ValueKind::None => None,
        ValueKind::String => value.as_str(),
        ValueKind::Number => {
            written = value.to_string();
            Some(written.as_str())
        }
        other => return Err(Stop::Because(format!("it takes a text, not {}", plain(other)))),
    };
    if text.is_some_and(|text| text.len() > LONGEST) {
        return Err(too_long());
    }
    (filter.body)(&Given { filter, values: given }, text)
}

/// The first value that is not empty; `none` when all are. It does not look past a missing one: that
/// might be the one to take.
fn first_of(values: &[Value]) -> Result<Value, Stop> {
    for value in values {
        if value.is_undefined() {
            return Err(Stop::Missing);
        }
        if !is_empty(value) {
            return Ok(value.clone());
        }
    }
    Ok(Value::from(()))
}

fn is_empty(value: &Value) -> bool {
    match value.kind() {
        ValueKind::None => true,
        ValueKind::String => value.as_str().is_some_and(|text| tidy(text).is_empty()),
        ValueKind::Seq | ValueKind::Map => value.len() == Some(0),
        _ => false,
    }
}

/// The reduction to the languages of the target.
fn lang(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(0)?;
    let Some(text) = text.map(tidy).filter(|text| !text.is_empty()) else {
        return Ok(Value::from(()));
    };
    language::code(&text)
        .map(Value::from)
        .ok_or_else(|| "360Learning does not know this language".into())
}

fn too_long() -> Stop {
    Stop::Because(format!("the text is longer than {LONGEST} bytes"))
}

/// What people call a kind of value.
fn plain(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Bool => "true or false",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a record with fields of its own",
        ValueKind::Number => "a number",
        ValueKind::None => "nothing",
        _ => "this",
    }
}

fn told(name: &str, stop: Stop) -> Error {
    match stop {
        Stop::Missing => Error::from(ErrorKind::UndefinedError),
        Stop::Because(why) => Error::new(ErrorKind::InvalidOperation, "a filter refused")
            .with_source(Refusal(format!("{name}: {why}"))),
    }
}

/// A filter's own words in an error, when it was one of ours. They can be shown: they hold no value.
pub fn reason(error: &Error) -> Option<String> {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(Refusal(why)) = error.downcast_ref() {
            return Some(why.clone());
        }
        at = error.source();
    }
    None
}

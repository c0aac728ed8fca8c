//! The language's own filters, behind a guard that keeps the promises of this room for them too.

use minijinja::value::Rest;
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use super::{LONGEST, Stop, told, too_long};

/// What has no use in a rule: markup, dumps of everything that is known, and what can be told to
/// fill any amount of memory.
const TAKEN_AWAY: [&str; 12] = [
    "batch", "d", "e", "escape", "format", "groupby", "indent", "pprint", "safe", "slice",
    "tojson", "zip",
];

/// The functions that print or hold everything.
const NO_FUNCTIONS: [&str; 2] = ["debug", "namespace"];

pub(super) fn register(env: &mut Environment<'static>) {
    for name in TAKEN_AWAY {
        env.remove_filter(name);
    }
    for name in NO_FUNCTIONS {
        env.remove_global(name);
    }
    for (name, filter) in own() {
        env.add_filter(name, move |state: &mut State<'_, '_>, value: Value, given: Rest<Value>| {
            guarded(name, &filter, state, value, &given)
        });
    }
}

/// The names of what is guarded here, and of `default`, which is not: a missing value is what it is
/// for.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    own().into_iter().map(|(name, _)| name).chain(["bool", "default"])
}

/// `bool` is not among them: an empty value has a truth, and it is false.
fn own() -> Vec<(&'static str, Value)> {
    macro_rules! of {
        ($($name:ident)*) => { vec![$((stringify!($name), Value::from_function(filters::$name))),*] };
    }
    let mut own = of! {
        abs attr capitalize chain dictsort first float int items join last length lines list lower
        map max min reject rejectattr replace reverse round select selectattr sort split string sum
        title trim unique upper
    };
    own.push(("count", Value::from_function(filters::length)));
    own
}

fn guarded(
    name: &str,
    filter: &Value,
    state: &mut State<'_, '_>,
    value: Value,
    given: &[Value],
) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(told(name, Stop::Missing));
    }
    if value.as_str().is_some_and(|text| text.len() > LONGEST) {
        return Err(told(name, too_long()));
    }
    let is_none = value.is_none();
    // What stands in the brackets is looked at even when there is nothing to work on.
    let value = if is_none { Value::from("") } else { value };
    // An empty part leaves no trace, not even a separator; it never becomes the word `none`.
    let value = if name == "join" && !is_none { without_empty(&value)? } else { value };
    let result = filter.call(state, &[&[value][..], given].concat());
    match result {
        Err(error) if is_none && !of_brackets(&error) => Ok(Value::from(())),
        Ok(_) if is_none => Ok(Value::from(())),
        // The first of an empty list is known to be nothing.
        Ok(value) if value.is_undefined() && matches!(name, "first" | "last" | "min" | "max") => {
            Ok(Value::from(()))
        }
        other => other,
    }
}

fn of_brackets(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingArgument | ErrorKind::TooManyArguments | ErrorKind::UnknownFilter
    )
}

fn without_empty(list: &Value) -> Result<Value, Error> {
    let parts: Vec<Value> = list.try_iter()?.collect();
    if parts.iter().any(Value::is_undefined) {
        return Err(told("join", Stop::Missing));
    }
    Ok(parts.into_iter().filter(|part| !super::is_empty(part)).collect())
}

//! Mistakes in the use of filters, tests and functions, found before the first person: in every
//! branch of an expression, also in those that no trial run comes to.

use std::ops::Range;

use minijinja::{Environment, ErrorKind, Value};

use super::lookup::{self, LOOKUP};
use super::tokens::{KEYWORDS, Token, brackets, tokens};
use super::{FILTERS, FIRST_OF, OR_ELSE, guard, reason};
use crate::config::nearest;

/// The language's tests: what may follow `is`.
const TESTS: [&str; 31] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "upper",
];

/// Tests that exist and are not proposed.
const MORE_TESTS: [&str; 5] = ["escaped", "filter", "safe", "test", "undefined"];

const FUNCTIONS: [&str; 3] = [FIRST_OF, "dict", "range"];

/// Whether this is a function of the language, and no field of the record.
pub fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// What is wrong at one place of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, in bytes of the expression.
    pub range: Range<usize>,
    /// What, and what to do.
    pub message: String,
}

/// Every mistake in an expression that compiles, in the order of their places. `blank` is what it
/// sees of somebody whose every field is empty.
pub fn mistakes(env: &Environment<'static>, text: &str, blank: &Value) -> Vec<Mistake> {
    let tokens = tokens(text);
    let check = Check { env, text, tokens: &tokens, blank };
    (0..tokens.len()).filter_map(|at| check.at(at)).collect()
}

struct Check<'a> {
    env: &'a Environment<'static>,
    text: &'a str,
    tokens: &'a [Token],
    blank: &'a Value,
}

impl Check<'_> {
    fn at(&self, at: usize) -> Option<Mistake> {
        let Token::Word(range) = &self.tokens[at] else { return None };
        let name = &self.text[range.clone()];
        let before = |back: usize| at.checked_sub(back).and_then(|at| self.tokens.get(at));
        let is_behind = |sign: char| before(1).is_some_and(|token| token.is_sign(sign));
        let is_called = self.tokens.get(at + 1).is_some_and(|token| token.is_sign('('));
        let is_tested = self.word(before(1)) == "is"
            || (self.word(before(1)) == "not" && self.word(before(2)) == "is");
        let message = if is_behind('|') {
            return self.filter(at, range, name);
        } else if is_behind('.') {
            is_called.then(|| of_method(name))
        } else if is_tested {
            (name != "not").then(|| of_test(name)).flatten()
        } else {
            (is_called && !KEYWORDS.contains(&name) && !FUNCTIONS.contains(&name))
                .then(|| unknown("function", name, FUNCTIONS))
        };
        message.map(|message| Mistake { range: range.clone(), message })
    }

    fn word(&self, token: Option<&Token>) -> &str {
        match token {
            Some(Token::Word(range)) => &self.text[range.clone()],
            _ => "",
        }
    }

    /// The filter at this place, and the filter or test that it is told to use for each of a list.
    fn filter(&self, at: usize, range: &Range<usize>, name: &str) -> Option<Mistake> {
        let is_called = self.tokens.get(at + 1).is_some_and(|token| token.is_sign('('));
        let brackets = if is_called { brackets(self.tokens, at + 1) } else { at + 1..at + 1 };
        let mistake = self.filter_named(name, range, brackets.clone(), 0);
        if mistake.is_some() {
            return mistake;
        }
        let (is_filter, place) = match name {
            "map" => (true, 0),
            "select" | "reject" => (false, 0),
            "selectattr" | "rejectattr" => (false, 1),
            _ => return None,
        };
        let place = brackets.start + 1 + 2 * place;
        let named = self.inner(place)?;
        let name = &self.text[named.clone()];
        if is_filter {
            // The first text and the comma behind it are left out.
            self.filter_named(name, &named, brackets, 2)
        } else {
            of_test(name).map(|message| Mistake { range: named, message })
        }
    }

    /// The inside of a text that stands alone between brackets and commas.
    fn inner(&self, at: usize) -> Option<Range<usize>> {
        let Token::Text(range) = self.tokens.get(at)? else { return None };
        let next = self.tokens.get(at + 1)?;
        (next.is_sign(',') || next.is_sign(')')).then(|| range.start + 1..range.end - 1)
    }

    /// A filter, tried on nothing with what stands in its brackets from the token `skip` on.
    fn filter_named(
        &self,
        name: &str,
        range: &Range<usize>,
        brackets: Range<usize>,
        skip: usize,
    ) -> Option<Mistake> {
        let mistake = |message| Some(Mistake { range: range.clone(), message });
        let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !is_name(name) {
            return mistake(unknown("filter", name, known()));
        }
        let first = (brackets.start + 1 + skip).min(brackets.end.saturating_sub(1));
        let given = self.tokens.get(first..brackets.end.saturating_sub(1)).unwrap_or_default();
        let is_constant = |token: &Token| match token {
            Token::Word(range) => ["true", "false", "none"].contains(&&self.text[range.clone()]),
            _ => true,
        };
        let constant = given.iter().all(is_constant);
        let given = match (given.first(), given.last()) {
            (Some(first), Some(last)) if constant || name == LOOKUP => {
                &self.text[first.range().start..last.range().end]
            }
            _ => "",
        };
        let trial = format!("none|{name}({given})");
        let trial = self.env.compile_expression_owned(trial).ok()?;
        let error = trial.eval(self.blank.clone()).err()?;
        if let Some(misuse) = lookup::misuse(&error) {
            let place = misuse.at.and_then(|at| self.inner(first + 2 * at));
            let range = place.unwrap_or_else(|| range.clone());
            return Some(Mistake { range, message: misuse.to_string() });
        }
        match error.kind() {
            // It can also be the one that this one is told to use.
            ErrorKind::UnknownFilter if known().any(|known| known == name) => None,
            ErrorKind::UnknownFilter => mistake(unknown("filter", name, known())),
            _ if !constant => None,
            ErrorKind::MissingArgument => mistake(format!("{name} needs more in its brackets")),
            ErrorKind::TooManyArguments => mistake(format!("{name} takes less in its brackets")),
            _ => reason(&error).and_then(mistake),
        }
    }
}

fn of_test(name: &str) -> Option<String> {
    (!TESTS.contains(&name) && !MORE_TESTS.contains(&name)).then(|| unknown("test", name, TESTS))
}

fn known() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.name).chain([OR_ELSE, LOOKUP]).chain(guard::names())
}

fn of_method(name: &str) -> String {
    let name = match name {
        "strip" => "tidy",
        "startswith" | "endswith" => {
            return format!(
                "there is no .{name}(); write it as a test: is {}ingwith(...)",
                &name[..name.len() - "swith".len()]
            );
        }
        other => other,
    };
    match known().find(|known| *known == name) {
        Some(filter) => format!("there are no methods here; write it as a filter: |{filter}"),
        None => "there are no methods here, only filters: value|filter".to_owned(),
    }
}

fn unknown<'k>(what: &str, name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match nearest(name, known) {
        Some(meant) => format!("there is no {what} {name}; {meant} was perhaps meant"),
        None => format!("there is no {what} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lookup::Tables;
    use super::*;

    fn register(env: &mut Environment<'static>) {
        super::super::register(env, Tables::default());
    }

    fn told(text: &str) -> Vec<String> {
        let mut env = Environment::new();
        register(&mut env);
        mistakes(&env, text, &Value::from(()))
            .into_iter()
            .map(|mistake| format!("{}: {}", &text[mistake.range], mistake.message))
            .collect()
    }

    #[test]
    fn mistakes_are_found_in_every_branch() {
        for (text, expected) in [
            ("'x' if a else b|tidi", "tidi: there is no filter tidi; tidy was perhaps meant"),
            ("a|emial", "emial: there is no filter emial; email was perhaps meant"),
            ("a | shout", "shout: there is no filter shout"),
            ("a if b is nonne else c", "nonne: there is no test nonne; none was perhaps meant"),
            (
                "frist_of(a, b)",
                "frist_of: there is no function frist_of; first_of was perhaps meant",
            ),
            ("a.b.strip()", "strip: there are no methods here; write it as a filter: |tidy"),
            (
                "a.startswith('x')",
                "startswith: there is no .startswith(); write it as a test: is startingwith(...)",
            ),
            ("a|replace('x')", "replace: replace needs more in its brackets"),
            (
                "a|matches('(')",
                "matches: matches: this is not a regular expression: unclosed group",
            ),
            (
                "a|date('DD/MM/YY')",
                "date: date: it is written date or date('DD/MM/YYYY'); a year in two digits could be of any century",
            ),
            ("a|tidy('x')", "tidy: tidy: it is written tidy; there is more than that"),
            ("a|indent(9999999999)", "indent: there is no filter indent"),
            ("a|map('tidi')|join", "tidi: there is no filter tidi; tidy was perhaps meant"),
            ("a|map('not one')|join", "not one: there is no filter not one"),
            (
                "a|map('matches', '(')",
                "matches: matches: this is not a regular expression: unclosed group",
            ),
            ("a|select('nonne')", "nonne: there is no test nonne; none was perhaps meant"),
            ("a|selectattr('b', 'qe')", "qe: there is no test qe; eq was perhaps meant"),
        ] {
            assert_eq!(told(text), [expected], "{text}");
        }
        #[cfg(feature = "phone")]
        for text in ["a|phone", "a|phone(44)", "a|phone('ZZ')", "b if c else (a|tidy|phone('ZZ'))"]
        {
            let told = told(text);
            assert!(told.len() == 1 && told[0].starts_with("phone: phone: it"), "{told:?}");
        }
    }

    #[cfg(not(feature = "phone"))]
    #[test]
    fn what_this_program_was_built_without_is_said() {
        let told = told("b if c else a|phone('GB')");
        assert!(told.len() == 1 && told[0].contains("the cargo feature phone"), "{told:?}");
    }

    #[test]
    fn what_is_right_is_let_through() {
        for text in [
            "a|tidy|name('all')|or_else('x')",
            "a|date(b)",
            #[cfg(feature = "phone")]
            "a|tidy|phone(b|country)",
            "a|matches('|nofilter(is nothing)')",
            "a|replace('|', \"it\\\"s .strip()\")",
            "a is not none and (b in ['x']) and not (c is eq('d'))",
            "first_of(a.b, label.work.title, 'x')|lower",
            "[a, b]|join(' ')|default('x')|bool",
            "a|map('tidy')|join|split(',')|first",
            "a|map(attribute='b')|select|map('replace', 'x', b)|reject('in', [b])|list",
            "a|list|first[0]",
            "a|selectattr('b')|selectattr('c', 'eq', 'd')|first",
            "a|round(1) + 1.5|int",
        ] {
            assert_eq!(told(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn every_name_that_is_known_exists() {
        let mut env = Environment::new();
        register(&mut env);
        for name in known() {
            let trial = format!("''|{name}");
            let result = env.compile_expression(&trial).expect("it compiles").eval(());
            let kind = result.err().map(|error| error.kind());
            assert_ne!(kind, Some(ErrorKind::UnknownFilter), "{name}");
        }
        for name in TESTS.into_iter().chain(MORE_TESTS) {
            let trial = format!("'' is {name}");
            let result = env.compile_expression(&trial).expect("it compiles").eval(());
            let kind = result.err().map(|error| error.kind());
            assert_ne!(kind, Some(ErrorKind::UnknownTest), "{name}");
        }
    }
}

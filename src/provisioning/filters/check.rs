//! Mistakes in the use of filters, tests and functions, found before the first person: in every
//! branch of an expression, also in those that no trial run comes to.

use std::ops::Range;

use minijinja::{Environment, ErrorKind, Value};

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

/// Words that may stand before a bracket without being a function.
const KEYWORDS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

/// What is wrong at one place of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, in bytes of the expression.
    pub range: Range<usize>,
    /// What, and what to do.
    pub message: String,
}

/// Every mistake in an expression that compiles, in the order of their places.
pub fn mistakes(env: &Environment<'static>, text: &str) -> Vec<Mistake> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(range) = token else { continue };
        let name = &text[range.clone()];
        let sign = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
            Some(Token::Sign(_, sign)) => Some(*sign),
            _ => None,
        };
        let word = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
            Some(Token::Word(range)) => &text[range.clone()],
            _ => "",
        };
        let before = sign(at.checked_sub(1));
        let is_called = sign(Some(at + 1)) == Some('(');
        let is_tested = word(at.checked_sub(1)) == "is"
            || (word(at.checked_sub(1)) == "not" && word(at.checked_sub(2)) == "is");
        let message = if before == Some('|') {
            of_filter(env, text, &tokens, at)
        } else if before == Some('.') {
            is_called.then(|| of_method(name))
        } else if is_tested {
            (name != "not" && !TESTS.contains(&name) && !MORE_TESTS.contains(&name))
                .then(|| unknown("test", name, TESTS))
        } else {
            (is_called && !KEYWORDS.contains(&name) && !FUNCTIONS.contains(&name))
                .then(|| unknown("function", name, FUNCTIONS))
        };
        found.extend(message.map(|message| Mistake { range: range.clone(), message }));
    }
    found
}

/// The filter at this place, tried on nothing with what stands in its brackets, when that holds no
/// field.
fn of_filter(
    env: &Environment<'static>,
    text: &str,
    tokens: &[Token],
    at: usize,
) -> Option<String> {
    let Token::Word(range) = &tokens[at] else { return None };
    let name = &text[range.clone()];
    let brackets = brackets(tokens, at + 1);
    let constant = tokens.get(at + 1..brackets.end).unwrap_or_default().iter().all(|token| {
        !matches!(token, Token::Word(range) if !["true", "false", "none"].contains(&&text[range.clone()]))
    });
    let end = match tokens.get(brackets.end.wrapping_sub(1)) {
        Some(Token::Sign(place, ')')) if constant && !brackets.is_empty() => place + 1,
        _ => range.end,
    };
    let trial = format!("none|{}", &text[range.start..end]);
    let error = env.compile_expression(&trial).ok()?.eval(Value::from(())).err()?;
    match error.kind() {
        ErrorKind::UnknownFilter => Some(unknown("filter", name, known())),
        _ if !constant => None,
        ErrorKind::MissingArgument => Some(format!("{name} needs more in its brackets")),
        ErrorKind::TooManyArguments => Some(format!("{name} takes less in its brackets")),
        _ => reason(&error),
    }
}

fn known() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.name).chain([OR_ELSE]).chain(guard::names())
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

/// The tokens from an opening bracket to its closing one; empty when there is none at this place.
fn brackets(tokens: &[Token], from: usize) -> Range<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token {
            Token::Sign(_, '(') => depth += 1,
            Token::Sign(_, ')') if depth > 0 => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == from { from..from } else { from..at + 1 };
        }
    }
    from..from
}

enum Token {
    Word(Range<usize>),
    /// One other character outside a text, and its place.
    Sign(usize, char),
}

/// The words and signs of an expression; texts and white space are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' | '"' => {
                while let Some((_, inner)) = chars.next() {
                    if inner == '\\' {
                        chars.next();
                    } else if inner == c {
                        break;
                    }
                }
                tokens.push(Token::Sign(at, c));
            }
            _ if c.is_alphanumeric() || c == '_' => {
                let mut end = at + c.len_utf8();
                while let Some((at, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                    end = at + c.len_utf8();
                }
                // A number is no word; with a letter behind it, it did not compile.
                if !c.is_ascii_digit() {
                    tokens.push(Token::Word(at..end));
                }
            }
            _ if c.is_whitespace() => {}
            _ => tokens.push(Token::Sign(at, c)),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let mut env = Environment::new();
        super::super::register(&mut env);
        mistakes(&env, text)
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
            "a|round(1) + 1.5|int",
        ] {
            assert_eq!(told(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn every_name_that_is_known_exists() {
        let mut env = Environment::new();
        super::super::register(&mut env);
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

//! One expression, compiled: which fields it reads, and everything that is wrong with it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::RuleProblem;
use super::context::Context;
use super::person::Person;
use crate::config::Expression;
use crate::model::Record;
use crate::provisioning::filters;
use crate::provisioning::filters::lookup::Tables;
use crate::provisioning::filters::tokens::{Token, joined_by_tilde, tokens};

/// The longest expression, in bytes. The parser recurses, so length bounds its depth.
const LONGEST: usize = 1024;

/// How many steps one evaluation may take.
const FUEL: u64 = 10_000;

/// The variable of a template in which an expression leaves what it gives.
pub(super) const RESULT: &str = "result";

/// One compiled expression.
#[derive(Debug)]
pub(super) struct Rule {
    /// Whose value it is: `rules.active`.
    pub(super) key: String,
    /// Its text, without white space around it.
    pub(super) text: String,
    /// How much white space was in front of it, in bytes.
    pub(super) lead: usize,
    /// The HiBob ids of the fields it reads.
    pub(super) uses: BTreeSet<String>,
    /// What it gives everybody, when it reads no field and no table has to be told of a miss.
    pub(super) constant: Option<Value>,
    /// Its template in the environment.
    pub(super) template: String,
}

/// The language, with its limits and with filters that can ask these tables.
pub(super) fn language(tables: Tables) -> Environment<'static> {
    let mut env = Environment::new();
    // A field that is missing from the record must not be taken for an empty one.
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    filters::register(&mut env, tables);
    env
}

/// Compiles an expression. The library ties an expression to a borrow of its environment; a template
/// is kept by the environment itself, so that is what holds the expression for later.
pub(super) fn compile(
    env: &mut Environment<'static>,
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
    let variables = {
        let compiled =
            env.compile_expression_owned(text.to_owned()).map_err(|error| vec![told(&error)])?;
        let variables = compiled.undeclared_variables(true);
        let uses: BTreeSet<String> = variables.iter().filter_map(|path| field_id(path)).collect();
        let blank = blank(&uses);
        let mistakes = filters::mistakes(env, text, &blank);
        if !mistakes.is_empty() {
            let place = |range: Range<usize>| range.start + lead..range.end + lead;
            return Err(mistakes
                .into_iter()
                .map(|mistake| problem(Some(place(mistake.range)), mistake.message))
                .collect());
        }
        // What else only shows when it is run: try it on a person whose every field is empty.
        if let Err(error) = compiled.eval(blank) {
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
        variables
    };
    let template = env.templates().count().to_string();
    let held = |text: &str| format!("{{% set {RESULT} = ({text}) %}}");
    if env.add_template_owned(template.clone(), held(&without_none(text))).is_err() {
        env.add_template_owned(template.clone(), held(text)).map_err(|error| vec![told(&error)])?;
    }
    let mut rule = Rule {
        key: expression.key.clone(),
        text: text.to_owned(),
        lead,
        uses: variables.iter().filter_map(|path| field_id(path)).collect(),
        constant: None,
        template,
    };
    if variables.iter().all(|path| filters::is_function(path)) {
        let nobody = Record(serde_json::Value::Null);
        let nobody = Person::new(env, &nobody, Timestamp::UNIX_EPOCH);
        rule.constant = nobody.result(&rule).ok().filter(|_| nobody.misses().is_empty());
    }
    Ok(rule)
}

/// The expression with every operand of `~` in a filter that makes nothing of an empty one; the
/// language itself would write the word `none`.
fn without_none(text: &str) -> String {
    let operands = joined_by_tilde(text);
    let mut inserts: Vec<(usize, bool)> =
        operands.iter().flat_map(|range| [(range.start, false), (range.end, true)]).collect();
    // From the end, so that places stay true.
    inserts.sort_unstable_by(|a, b| b.cmp(a));
    let mut text = text.to_owned();
    for (at, is_end) in inserts {
        if is_end {
            text.insert_str(at, &format!(")|{})", filters::IN_TEXT));
        } else {
            text.insert_str(at, "((");
        }
    }
    text
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

impl Rule {
    /// Where a field first stands in the configured text of the expression.
    pub(super) fn place(&self, field: &str) -> Option<Range<usize>> {
        let tokens = tokens(&self.text);
        let word = |at: usize| match tokens.get(at) {
            Some(Token::Word(range)) => Some(range.clone()),
            _ => None,
        };
        let is_dot = |at: usize| tokens.get(at).is_some_and(|token| token.is_sign('.'));
        (0..tokens.len()).find_map(|first| {
            let mut range = word(first).filter(|_| first == 0 || !is_dot(first - 1))?;
            let mut at = first + 1;
            while is_dot(at)
                && let Some(next) = word(at + 1)
            {
                range.end = next.end;
                at += 2;
            }
            let path: String = self.text[range.clone()].split_whitespace().collect();
            (field_id(&path).as_deref() == Some(field))
                .then(|| range.start + self.lead..range.end + self.lead)
        })
    }

    /// Where the whole expression stands in the configured text.
    pub(super) fn whole(&self) -> Range<usize> {
        self.lead..self.lead + self.text.len()
    }
}

/// What is seen of somebody in whose record each of these fields is empty.
fn blank(fields: &BTreeSet<String>) -> Value {
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
    Value::from_object(Context::new(&Record(record), Arc::default()))
}

//! Files of rules: those that a source names, and those that somebody tries out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::super::notes::Notes;
use super::super::problem::{self, Beside, Problem};
use super::super::table::Table;
use super::super::value::printable;
use super::super::{DEFAULTS, Expression, Failed, read as read_text};
use super::{Origin, RuleSettings, read};

/// Reads and checks a file of rules: one that holds nothing else, or a whole configuration, of which
/// `[rules]` counts.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load_rules(path: &Path) -> Result<RuleSettings, Failed> {
    let text = read_text(path, "there is no such file").map_err(|message| Failed {
        text: None,
        problems: vec![Problem::new("", None, message)],
    })?;
    let notes = Notes::default();
    let origin = Origin { path: path.to_owned(), text };
    let rules = of(&origin, &notes);
    let mut problems = notes.problems.take();
    if problems.is_empty() {
        return Ok(rules);
    }
    problems.sort_by_cached_key(Problem::order);
    Err(Failed { text: Some(origin.text), problems })
}

/// The rules in a file; what is wrong is noted.
fn of(origin: &Origin, notes: &Notes) -> RuleSettings {
    let (given, errors) = DeTable::parse_recoverable(&origin.text);
    if !errors.is_empty() {
        for problem in problem::of_syntax(&origin.text, &errors) {
            notes.problem(problem);
        }
        return blank();
    }
    let given = given.get_ref();
    let example = DEFAULTS.get_ref();
    let whole = Table::new(notes, String::new(), None, Some(given), Some(example));
    let alone = whole.example_table("rules");
    if given.get("rules").is_some() {
        for (key, span, _) in whole.entries() {
            if alone.is_some_and(|rules| rules.get(key).is_some()) {
                let message = "stands outside of [rules], and only what stands inside is read: move \
                               it there";
                notes.wrong(key, Some(span), message);
            }
        }
        return read(whole.table("rules"), origin);
    }
    if given.get("source").is_some() || given.get("target").is_some() {
        let message = "this configuration has no [rules]: name the file of rules that its source \
                       names";
        notes.wrong("", None, message);
        return blank();
    }
    read(Table::new(notes, String::new(), None, Some(given), alone), origin)
}

/// Stands in for rules that are not there.
pub(in super::super) fn blank() -> RuleSettings {
    let nothing = || Expression { key: String::new(), text: String::new(), at: 0 };
    RuleSettings::of(nothing(), nothing(), nothing())
}

/// The files of rules that the sources of one configuration name; each is read once.
#[derive(Default)]
pub(in super::super) struct Shelf(BTreeMap<PathBuf, RuleSettings>);

impl Shelf {
    /// The rules in the file that `source` names under `rules`. What is wrong with them is noted,
    /// with the file.
    pub fn take(&mut self, source: &Table<'_>, folder: &Path, named: &str) -> RuleSettings {
        let path = folder.join(named);
        if let Some(rules) = self.0.get(&path) {
            return rules.clone();
        }
        let missing = "there is no such file; the path begins at the folder of this file";
        let text = match read_text(&path, missing) {
            Ok(text) => text,
            Err(why) => {
                source.wrong("rules", format!("{}: {why}", printable(named)));
                return blank();
            }
        };
        let origin = Origin { path: path.clone(), text };
        let notes = Notes::default();
        let rules = of(&origin, &notes);
        let beside = Arc::new(origin);
        let placed = |problem: Problem| Problem {
            file: problem.file.or_else(|| Some(Beside::Rules(Arc::clone(&beside)))),
            ..problem
        };
        source.notes.problems.borrow_mut().extend(notes.problems.take().into_iter().map(placed));
        source.notes.warnings.borrow_mut().extend(notes.warnings.take().into_iter().map(placed));
        self.0.insert(path, rules.clone());
        rules
    }
}

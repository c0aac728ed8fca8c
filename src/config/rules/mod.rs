//! The rules as the configuration states them: expressions and choices, not compiled yet.

mod csv;
mod dates;
mod fields;
mod files;
mod groups;
mod lookup;
mod matching;
mod read;
mod version;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

pub use files::load_rules;
pub(super) use files::{Shelf, blank};
pub(super) use read::read;

use super::Expression;
use super::problem::{Beside, Problem};
use crate::model::{Field, OnBad, Role, Strength};

/// The rules for a source's people.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    /// The file in which they stand.
    pub origin: Origin,
    /// Names what they say, tables included: the beginning of a SHA-256 in hexadecimal.
    pub version: String,
    /// `in_scope`
    pub in_scope: Expression,
    /// `[rules.filters]`: all must hold too, so that a verdict can name the one that said no.
    pub filters: Vec<Expression>,
    /// `out_of_scope`: what becomes of the account of someone who leaves the scope.
    pub out_of_scope: OutOfScope,
    /// `active`
    pub active: Expression,
    /// `time_zone`: gives the name of the zone in which the person's dates are meant.
    pub time_zone: Expression,
    /// `[rules.joiner]`
    pub joiner: Option<Joiner>,
    /// `[rules.leaver]`
    pub leaver: Option<Leaver>,
    /// `fields.external_id`
    pub external_id: Expression,
    /// `[rules.fields]`
    pub fields: BTreeMap<Field, FieldRule>,
    /// `fields.username.number`: a user name that is taken gets a number.
    pub number_username: bool,
    /// `[rules.custom_fields]`, by the field's name in the target.
    pub custom_fields: BTreeMap<String, FieldRule>,
    /// `[rules.groups.NAME]`, in the order of the file.
    pub groups: Vec<GroupRule>,
    /// `manager`: gives an employee id or a mail.
    pub manager: Option<Expression>,
    /// `[[rules.match]]`, in the order in which they are asked.
    pub matching: Vec<MatchRule>,
    /// `[rules.tables.NAME]`
    pub tables: BTreeMap<String, LookupTable>,
}

impl RuleSettings {
    /// Rules that say no more than who is in scope, who is active, and by which id they are known.
    pub fn of(in_scope: Expression, active: Expression, external_id: Expression) -> Self {
        let utc = Expression { key: "rules.time_zone".into(), text: "'UTC'".into(), at: 0 };
        Self {
            origin: Origin::default(),
            version: String::new(),
            in_scope,
            filters: Vec::new(),
            out_of_scope: OutOfScope::Leave,
            active,
            time_zone: utc,
            joiner: None,
            leaver: None,
            external_id,
            fields: BTreeMap::new(),
            number_username: false,
            custom_fields: BTreeMap::new(),
            groups: Vec::new(),
            manager: None,
            matching: Vec::new(),
            tables: BTreeMap::new(),
        }
    }

    /// Every expression.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let joiner = self.joiner.iter().flat_map(|joiner| [&joiner.who, &joiner.start_date]);
        let leaver = self.leaver.iter().map(|leaver| &leaver.end_date);
        let fields = self.fields.values().chain(self.custom_fields.values());
        let groups = self.groups.iter();
        let groups = groups.flat_map(|group| group.when.iter().chain([&group.path]));
        [&self.in_scope, &self.active, &self.time_zone, &self.external_id]
            .into_iter()
            .chain(&self.filters)
            .chain(joiner)
            .chain(leaver)
            .chain(fields.map(|field| &field.value))
            .chain(groups)
            .chain(&self.manager)
    }

    /// A problem that was found later with what stands under `key`: with bytes `range` of it when it
    /// is an expression. `checked` is the file that is checked; when these rules stand in another
    /// one, the problem says so.
    pub fn problem(
        &self,
        key: &str,
        range: Option<Range<usize>>,
        message: impl Into<String>,
        checked: &Path,
    ) -> Problem {
        let mut problem = match self.expressions().find(|expression| expression.key == key) {
            Some(expression) => {
                let range = range.unwrap_or(0..expression.text.len());
                expression.problem(&self.origin.text, range, message)
            }
            None => Problem::new(key, self.origin.span(key), message),
        };
        if self.origin.path != checked {
            problem.file = Some(Beside::Rules(Arc::new(self.origin.clone())));
        }
        problem
    }
}

/// The file in which rules stand.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where it is.
    pub path: PathBuf,
    /// Its text, for pointing at what is found out later.
    pub text: String,
}

impl Origin {
    /// Where the value of this key stands.
    fn span(&self, key: &str) -> Option<Range<usize>> {
        fn find(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
            table.iter().find_map(|(name, value)| {
                // A name can hold dots of its own.
                let rest = key.strip_prefix(name.get_ref().as_ref())?;
                match (rest.strip_prefix('.'), value.get_ref()) {
                    (None, _) => rest.is_empty().then(|| value.span()),
                    (Some(rest), DeValue::Table(table)) => find(table, rest),
                    _ => None,
                }
            })
        }
        find(DeTable::parse_recoverable(&self.text).0.get_ref(), key)
    }

    /// The folder at which relative paths in the file begin.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

// The text can hold secrets.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What becomes of the account of someone who leaves the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfScope {
    /// It stays as it is.
    Leave,
    /// It is deactivated, if Instep knows it to be theirs.
    Deactivate,
}

/// `[rules.joiner]`: who has been hired and has not begun yet. Until `days_before` days before the
/// start their account stays as it is (mostly: there is none); from then on they are active.
#[derive(Clone, Debug)]
pub struct Joiner {
    /// `who`: whether the rule is for this person.
    pub who: Expression,
    /// `start_date`: the first day.
    pub start_date: Expression,
    /// `days_before`
    pub days_before: u32,
}

/// `[rules.leaver]`: who has an end date is deactivated when that day and `grace_days` more are over.
/// During the grace their account stays as it is; before, `active` decides.
#[derive(Clone, Debug)]
pub struct Leaver {
    /// `end_date`: the last day.
    pub end_date: Expression,
    /// `grace_days`
    pub grace_days: u32,
}

/// What a field of the account holds.
#[derive(Clone, Debug)]
pub struct FieldRule {
    /// `value`
    pub value: Expression,
    /// `write`: `always`, `on_create`, `if_empty`.
    pub write: Strength,
    /// `on_bad`: `refuse`, `skip`.
    pub on_bad: OnBad,
}

/// `[rules.groups.NAME]`: who is in which group.
#[derive(Clone, Debug)]
pub struct GroupRule {
    /// Its name in the configuration: `departments`.
    pub name: String,
    /// `when`: for whom; everybody when it is not there.
    pub when: Option<Expression>,
    /// `path`: gives the names from below the root, as a text with slashes between them or as a
    /// list (whose names may hold slashes); or a group's id.
    pub path: Expression,
    /// `role`
    pub role: Role,
    /// `create`: a group that is missing is made.
    pub create: bool,
}

/// By what an account is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchBy {
    /// `external_id`: the target holds the person's id for it.
    ExternalId,
    /// `email`
    Email,
    /// `username`
    Username,
    /// `name`: first and last name.
    Name,
}

/// What follows from what a matching rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOutcome {
    /// `link`: it is theirs.
    Link,
    /// `dispute`: a human decides.
    Dispute,
    /// `next`: as if nothing had been found; after the last rule, an account is made.
    Next,
}

/// `[[rules.match]]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchRule {
    /// `by`
    pub by: MatchBy,
    /// `one`: what follows from one account that belongs to nobody else.
    pub one: MatchOutcome,
    /// `several`: what follows from more than one.
    pub several: MatchOutcome,
    /// `taken`: what follows from one that belongs to another employee.
    pub taken: MatchOutcome,
}

/// What happens to somebody whose value is not in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMiss {
    /// `default`: the row whose every key is `*`.
    Default,
    /// `keep`: the value that was looked up, as it is.
    Keep,
    /// `skip`: the field, group or manager is left alone.
    Skip,
    /// `refuse`: nothing is applied to the person until a human has acted.
    Refuse,
}

/// `[rules.tables.NAME]`: a CSV file beside the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupTable {
    /// `file`
    pub file: PathBuf,
    /// `on_miss`
    pub on_miss: OnMiss,
    /// How many of the columns, from the first, are keys: as many as `keys` names.
    pub keys: usize,
    /// The columns' names, the keys first, in the order of `keys`.
    pub columns: Vec<String>,
    /// The rows: the line in the file, and one cell for each of `columns`, trimmed.
    pub rows: Vec<(usize, Vec<String>)>,
}

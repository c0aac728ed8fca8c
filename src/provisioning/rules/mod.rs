//! The rules: expressions over the employee record, compiled once.
//!
//! An expression sees the record's fields by their HiBob ids (`work.site`, `root.email`, or `email`
//! for short) and the labels of list values under `label` (`label.work.title`). A field that is
//! missing from the record is not the same as an empty one: an expression that needs it has no
//! result, and nobody is judged by it.
//!
//! [`Rules::decide`] asks in this order: who is in scope, whether they may use the account (`status`),
//! under which id they are known, and what the account should hold (`account`).

mod account;
mod compile;
mod complaints;
mod context;
mod days;
mod explain;
mod mentions;
mod person;
mod status;

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use minijinja::Environment;

pub use self::mentions::{Mention, Mentioned};

use self::account::{AccountRules, GroupRule, Holding};
use self::compile::{Rule, compile, language};
use self::complaints::{Complaints, undecided};
use self::person::{NoResult, Person, text};
use self::status::{Joiner, Leaver, Standing, Status};
use super::filters::lookup::Tables;
use crate::config::{Expression, FieldRule, OutOfScope, RuleSettings};
use crate::model::{Appointment, Desired, Miss, Needs, Record};

/// Compiled rules.
pub struct Rules {
    env: Environment<'static>,
    /// All must hold; the first that does not is named.
    scope: Vec<Rule>,
    out_of_scope: OutOfScope,
    status: Status,
    external_id: Rule,
    account: AccountRules,
    version: String,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// Whose: `rules.active`.
    pub key: String,
    /// Where in the expression's text, in bytes, when known.
    pub range: Option<Range<usize>>,
    /// What, and what to do.
    pub message: String,
}

/// What the rules say about one record at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What is to be.
    pub decision: Decision,
    /// When that will change, though nobody changes anything.
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub misses: Vec<Miss>,
}

/// What is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The person is not synchronised.
    OutOfScope {
        /// Which filter said no: `rules.filters.no_contractors`.
        filter: String,
        /// Whether an account that is known to be theirs shall be deactivated.
        deactivate: bool,
    },
    /// A rule that decides over the person cannot be judged.
    Unknown {
        /// Which rule.
        rule: String,
        /// Which fields of the record were missing; empty when the rule failed otherwise.
        missing: Vec<String>,
    },
    /// The account stays as it is until the appointment: not yet begun, or leaving with grace.
    AsItIs {
        /// Which rule says so, and by which date.
        why: String,
    },
    /// A value cannot be used, and nothing is applied until a human has acted.
    Refused {
        /// The cause, by which failures are grouped: `unmapped`, `badValue`.
        code: &'static str,
        /// Which rule, what is wrong with the value (without the value), and what to do.
        reason: String,
    },
    /// The account should be like this.
    Wanted {
        /// The account.
        desired: Desired,
        /// Fields that were left alone, and why.
        remarks: Vec<String>,
    },
}

impl Rules {
    /// Compiles everything.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn compile(settings: &RuleSettings) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let tables = Tables::of(&settings.tables).unwrap_or_else(|(tables, wrong)| {
            problems.extend(wrong.into_iter().map(|problem| RuleProblem {
                key: format!("rules.tables.{}", problem.table),
                range: None,
                message: problem.message,
            }));
            tables
        });
        let mut compiler = Compiler { env: language(tables), problems };
        let scope = std::iter::once(&settings.in_scope).chain(&settings.filters);
        let scope = scope.filter_map(|filter| compiler.rule(filter)).collect();
        let status = compiler.status(settings);
        let external_id = compiler.rule(&settings.external_id);
        let account = compiler.account(settings);
        let Compiler { env, problems } = compiler;
        match (status, external_id) {
            (Some(status), Some(external_id)) if problems.is_empty() => Ok(Self {
                env,
                scope,
                out_of_scope: settings.out_of_scope,
                status,
                external_id,
                account,
                version: settings.version.clone(),
            }),
            _ => Err(problems),
        }
    }

    /// The HiBob ids of all fields that some rule reads: what is to be asked for, nothing more.
    pub fn reads(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.rules().flat_map(|rule| &rule.uses).collect();
        all.into_iter().cloned().collect()
    }

    /// The HiBob ids of the fields by which it is decided who is in scope and who may use an
    /// account.
    pub fn decides_by(&self) -> BTreeSet<String> {
        let rules = self.scope.iter().chain(self.status.rules());
        rules.flat_map(|rule| &rule.uses).cloned().collect()
    }

    /// Every rule, in the order in which they are judged.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let id = std::iter::once(&self.external_id);
        self.scope.iter().chain(self.status.rules()).chain(id).chain(self.account.rules())
    }

    /// Names what the rules say, tables included.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the rules need to know of the target besides accounts.
    pub fn needs(&self) -> Needs {
        Needs {
            groups: !self.account.groups.is_empty(),
            custom_fields: self.account.custom.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Whether a rule names people's managers.
    pub fn names_managers(&self) -> bool {
        self.account.manager.is_some()
    }

    /// Decides about one record at this moment.
    pub fn decide(&self, record: &Record, now: Timestamp) -> Ruling {
        let person = Person::new(&self.env, record, now);
        let (decision, appointment) = self.judge(&person);
        Ruling { decision, appointment, misses: person.misses() }
    }

    fn judge(&self, person: &Person<'_>) -> (Decision, Option<Appointment>) {
        for filter in &self.scope {
            match person.holds(filter) {
                Ok(true) => {}
                Ok(false) => {
                    let deactivate = self.out_of_scope == OutOfScope::Deactivate;
                    let filter = filter.key.clone();
                    return (Decision::OutOfScope { filter, deactivate }, None);
                }
                Err(no) => return (undecided(filter, no), None),
            }
        }
        let judged = match self.status.judge(person) {
            Ok(judged) => judged,
            Err(decision) => return (*decision, None),
        };
        let decision = match judged.standing {
            Standing::AsItIs { why } => Decision::AsItIs { why },
            Standing::Active => self.wanted(person, true),
            Standing::Inactive => self.wanted(person, false),
        };
        (decision, judged.appointment)
    }

    fn wanted(&self, person: &Person<'_>, active: bool) -> Decision {
        let external_id = match person.text(&self.external_id) {
            Ok(Some(id)) => id,
            Ok(None) => return undecided(&self.external_id, NoResult::Missing(Vec::new())),
            Err(no) => return undecided(&self.external_id, no),
        };
        let mut desired = Desired { active, external_id, ..Desired::default() };
        let mut complaints = if active { Complaints::default() } else { Complaints::lenient() };
        self.account.fill(person, &|| self.status.zone(person), &mut desired, &mut complaints);
        match complaints.refusal() {
            Some(refused) => refused,
            None => Decision::Wanted { desired, remarks: complaints.remarks },
        }
    }
}

/// The language, and everything that was found wrong so far.
struct Compiler {
    env: Environment<'static>,
    problems: Vec<RuleProblem>,
}

impl Compiler {
    fn rule(&mut self, expression: &Expression) -> Option<Rule> {
        compile(&mut self.env, expression).map_err(|found| self.problems.extend(found)).ok()
    }

    fn status(&mut self, settings: &RuleSettings) -> Option<Status> {
        let active = self.rule(&settings.active);
        let time_zone = self.rule(&settings.time_zone);
        if let Some(rule) = &time_zone {
            self.check_zone(&settings.time_zone, rule);
        }
        let joiner = settings.joiner.as_ref().and_then(|joiner| {
            let (who, start_date) = (self.rule(&joiner.who), self.rule(&joiner.start_date));
            let days_before = joiner.days_before;
            Some(Joiner { who: who?, start_date: start_date?, days_before })
        });
        let leaver = settings.leaver.as_ref().and_then(|leaver| {
            let grace_days = leaver.grace_days;
            self.rule(&leaver.end_date).map(|end_date| Leaver { end_date, grace_days })
        });
        Some(Status { active: active?, time_zone: time_zone?, joiner, leaver })
    }

    /// A zone that is the same for everybody must exist.
    fn check_zone(&mut self, expression: &Expression, rule: &Rule) {
        if let Some(Ok(Some(name))) = rule.constant.as_ref().map(text)
            && days::zone(&name).is_none()
        {
            let (key, range) = (expression.key.clone(), Some(rule.whole()));
            self.problems.push(RuleProblem { key, range, message: days::wrong_zone(&name) });
        }
    }

    fn account(&mut self, settings: &RuleSettings) -> AccountRules {
        let mut holding = |field: &FieldRule| {
            let (write, on_bad) = (field.write, field.on_bad);
            self.rule(&field.value).map(|rule| Holding { rule, write, on_bad })
        };
        let fields = settings.fields.iter();
        let fields = fields.filter_map(|(field, rule)| Some((*field, holding(rule)?))).collect();
        let custom = settings.custom_fields.iter();
        let custom =
            custom.filter_map(|(name, rule)| Some((name.clone(), holding(rule)?))).collect();
        let groups = settings.groups.iter().filter_map(|group| {
            let when = group.when.as_ref().map(|when| self.rule(when));
            let path = self.rule(&group.path);
            Some(GroupRule {
                name: group.name.clone(),
                when: when.flatten(),
                path: path?,
                role: group.role.clone(),
                create: group.create,
            })
        });
        let groups = groups.collect();
        let manager = settings.manager.as_ref().and_then(|manager| self.rule(manager));
        AccountRules { fields, custom, groups, manager, number_username: settings.number_username }
    }
}

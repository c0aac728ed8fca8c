//! Somebody's story: everything that led to what would become of their account now, as plain data
//! that the command line, the console and the API show alike.
//!
//! It holds values. [`Story::veil`] takes them out for whoever may not see them: ids, names of
//! fields and rules, and what was decided stay.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::explanation::{Conclusion, Explained, Explanation, Input};
use super::{
    AccountId, AccountStatus, Appointment, Choice, Delivery, Field, GroupId, Kept, Link, Miss,
    Person, Role,
};

/// What stands in the place of a value that the reader may not see.
pub const VEIL: &str = "•••";

/// Everything that led to one person's plan.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// Whose.
    #[serde(serialize_with = "as_text")]
    pub person: Person,
    /// When the person was forgotten, if they were.
    pub forgotten: Option<Timestamp>,
    /// Whether the source shows the person.
    pub shown: bool,
    /// The record; only what the rules read was asked for.
    pub record: Option<Value>,
    /// Why a field is missing from the record.
    pub missing: BTreeMap<String, Lack>,
    /// The version of the rules that decide.
    pub version: String,
    /// What is to be, and which rule says so.
    pub conclusion: Option<Conclusion>,
    /// When that will change, though nobody changes anything.
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub misses: Option<Vec<Miss>>,
    /// Every rule, in the order in which they are judged.
    pub rules: Vec<Told>,
    /// What we knew of the account before.
    pub link: Option<Link>,
    /// What a human decided about the account.
    pub choice: Option<Choice>,
    /// The accounts that could be the person's.
    pub candidates: Vec<Suspect>,
    /// The account.
    pub account: Option<Sight>,
    /// What the account has besides its fields, when it is in use.
    pub belongings: Option<Kept>,
    /// Its groups: those that rules gave, then the others.
    pub groups: Vec<InGroup>,
    /// Its managers: the one whom a rule gave, then the others.
    pub managers: Vec<Manager>,
    /// What was found of the manager whom the rules name now.
    pub manager: Option<ManagerTold>,
    /// What would be done.
    pub plan: Planned,
    /// The last deliveries, newest first.
    pub history: Vec<Delivery>,
}

/// A rule on the record, beside what the account has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// What it saw and gave.
    #[serde(flatten)]
    pub rule: Explained,
    /// What the account has where the rule writes, `null` for empty; absent when that was not
    /// looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Value>,
}

/// Why a record lacks a field that a rule reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// The source knows the field and does not show it: the service user may not see it, or not of
    /// this person.
    NotPermitted,
    /// The source knows no such field.
    NoSuchField {
        /// The field that was perhaps meant.
        nearest: Option<String>,
    },
}

/// An account as the target shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// Its id.
    pub account: AccountId,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// Its filled fields.
    pub fields: BTreeMap<Field, String>,
}

/// An account that could be the person's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// The account.
    #[serde(flatten)]
    pub sight: Sight,
    /// By what it was found, in words.
    pub found_by: &'static str,
    /// Another employee's id that the target holds for it.
    pub claimed_by: Option<String>,
    /// Whose it is, as we know it.
    #[serde(serialize_with = "as_text_too")]
    pub owner: Option<Person>,
    /// Why it must never be changed, if so.
    pub protected: Option<String>,
}

/// A group that an account is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InGroup {
    /// Its id.
    pub group: GroupId,
    /// Its path, or else its id.
    pub name: String,
    /// The role in it.
    pub role: Role,
    /// A rule gave it; no other is ever taken away.
    pub ours: bool,
}

/// A manager of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manager {
    /// The manager's account.
    pub account: AccountId,
    /// The manager for people: `bob/17, Ann Lee`.
    pub name: String,
    /// A rule gave them.
    pub ours: bool,
}

/// What was found of the manager whom the rules name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerTold {
    /// This account, for people.
    Found(String),
    /// They have no account yet: the link is made when they arrive.
    Awaited,
    /// They cannot be this person's manager, for this reason.
    Refused(String),
}

/// What would become of somebody's account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// Whose.
    #[serde(serialize_with = "as_text")]
    pub person: Person,
    /// What the rules come to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The same in a sentence, without values.
    pub said: String,
    /// When that will change, though nobody changes anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub misses: Vec<Miss>,
}

/// What the rules come to for somebody.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The source does not show the person; nothing would be done.
    NotShown,
    /// Not synchronised.
    OutOfScope {
        /// Which filter said no.
        filter: String,
    },
    /// A rule that decides cannot be judged.
    Unknown {
        /// Which rule.
        rule: String,
        /// Which fields it misses.
        missing: Vec<String>,
    },
    /// The account stays as it is, because a date says so.
    AsItIs {
        /// Why.
        reason: String,
    },
    /// A value cannot be used, and a human must act.
    Refused {
        /// The cause: `unmapped`.
        code: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A human must decide whose account it is.
    Disputed {
        /// Why.
        reason: String,
    },
    /// The account would be left alone.
    LeftAlone {
        /// Why.
        reason: String,
    },
    /// An account would be made.
    Create(Steps),
    /// A deactivated account would come back.
    Restore(Steps),
    /// The account would change.
    Update(Steps),
    /// The account would be deactivated.
    Deactivate(Steps),
    /// All is as it should be.
    Unchanged(Steps),
}

impl Verdict {
    /// The steps, when there is a plan.
    pub fn steps(&self) -> Option<&Steps> {
        match self {
            Self::Create(steps)
            | Self::Restore(steps)
            | Self::Update(steps)
            | Self::Deactivate(steps)
            | Self::Unchanged(steps) => Some(steps),
            _ => None,
        }
    }

    /// What becomes of the account as a whole, when there is a plan.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Create(_) => Some(Kind::Create),
            Self::Restore(_) => Some(Kind::Restore),
            Self::Update(_) => Some(Kind::Update),
            Self::Deactivate(_) => Some(Kind::Deactivate),
            Self::Unchanged(_) => Some(Kind::Unchanged),
            _ => None,
        }
    }
}

/// A plan, item by item.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Steps {
    /// The account; none when it is to be made.
    pub account: Option<AccountId>,
    /// What is added, changed and taken away.
    pub items: Vec<Item>,
    /// What would be left alone, and why.
    pub remarks: Vec<String>,
}

/// What becomes of somebody's account as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is made.
    Create,
    /// A deactivated one comes back.
    Restore,
    /// It changes.
    Update,
    /// It is deactivated.
    Deactivate,
    /// Nothing is to be done.
    Unchanged,
}

impl Kind {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Restore => "restore",
            Self::Update => "update",
            Self::Deactivate => "deactivate",
            Self::Unchanged => "nothing to do",
        }
    }
}

/// What happens to one thing of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// It is added.
    Add,
    /// It changes.
    Change,
    /// It is taken away.
    Take,
}

/// One thing of an account that a plan touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What happens to it.
    pub sign: Sign,
    /// What it is: `job`, `group`, the name of a custom field.
    pub what: String,
    /// What it was, `null` for empty; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it becomes, `null` for empty; absent for what is taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Story {
    /// Tells the rules' part.
    pub fn explained(&mut self, explanation: Explanation) {
        let Explanation { conclusion, appointment, misses, rules } = explanation;
        self.conclusion = Some(conclusion);
        self.appointment = appointment;
        self.misses = Some(misses);
        self.rules = rules.into_iter().map(|rule| Told { rule, current: None }).collect();
    }

    /// Each field that the rules read, once.
    pub fn inputs(&self) -> BTreeMap<&str, &Input> {
        let inputs = self.rules.iter().flat_map(|told| &told.rule.inputs);
        inputs.map(|(field, input)| (field.as_str(), input)).collect()
    }

    /// Whether neither the source nor we have ever seen the person.
    pub fn is_of_nobody(&self) -> bool {
        let Self { forgotten, record, link, choice, history, .. } = self;
        let seen = record.is_some() || link.is_some() || choice.is_some();
        forgotten.is_none() && !seen && history.is_empty()
    }

    /// Takes every value of the person out.
    pub fn veil(&mut self) {
        self.record.iter_mut().for_each(veil);
        self.misses.iter_mut().flatten().for_each(veil_miss);
        for Told { rule, current } in &mut self.rules {
            rule.veil();
            current.iter_mut().for_each(veil);
        }
        self.link.iter_mut().for_each(veil_link);
        for Suspect { sight, .. } in &mut self.candidates {
            sight.veil();
        }
        self.account.iter_mut().for_each(Sight::veil);
        for value in self.belongings.iter_mut().flat_map(|had| &mut had.custom_values) {
            value["value"] = VEIL.into();
        }
        for manager in &mut self.managers {
            veil_name(&mut manager.name);
        }
        if let Some(ManagerTold::Found(name)) = &mut self.manager {
            veil_name(name);
        }
        self.plan.veil();
    }
}

impl Planned {
    /// Takes every value of the person out.
    pub fn veil(&mut self) {
        self.misses.iter_mut().for_each(veil_miss);
        let (Verdict::Create(steps)
        | Verdict::Restore(steps)
        | Verdict::Update(steps)
        | Verdict::Deactivate(steps)
        | Verdict::Unchanged(steps)) = &mut self.verdict
        else {
            return;
        };
        for item in steps.items.iter_mut().filter(|item| item.what != "status") {
            item.before.iter_mut().chain(&mut item.after).for_each(veil);
        }
    }
}

impl Sight {
    fn veil(&mut self) {
        self.fields.values_mut().for_each(|value| VEIL.clone_into(value));
    }
}

/// Takes out what a link holds of the person, except ids.
pub fn veil_link(link: &mut Link) {
    for value in link.applied.values_mut().chain(link.custom.values_mut()).flatten() {
        VEIL.clone_into(value);
    }
    if let Some(intent) = &mut link.creating {
        let both = intent.email.iter_mut().chain(&mut intent.username);
        both.for_each(|value| VEIL.clone_into(value));
    }
    for value in link.kept.iter_mut().flat_map(|kept| &mut kept.custom_values) {
        value["value"] = VEIL.into();
    }
    let keys = link.manager.iter_mut().map(|given| &mut given.key).chain(&mut link.awaits);
    for key in keys.filter(|key| key.starts_with("email:")) {
        *key = format!("email:{VEIL}");
    }
    link.misses.iter_mut().for_each(veil_miss);
}

fn veil_miss(miss: &mut Miss) {
    miss.keys.iter_mut().for_each(|key| VEIL.clone_into(key));
}

/// `bob/17, Ann Lee` keeps the id.
fn veil_name(name: &mut String) {
    if let Some((id, _)) = name.split_once(", ") {
        *name = format!("{id}, {VEIL}");
    }
}

/// Every value in it; the names of fields stay, and so does what is empty.
fn veil(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter_mut().for_each(veil),
        Value::Object(members) => members.values_mut().for_each(veil),
        value => *value = Value::from(VEIL),
    }
}

fn as_text<S: Serializer>(person: &Person, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(person)
}

#[expect(clippy::ref_option, reason = "serde asks for this form")]
fn as_text_too<S: Serializer>(person: &Option<Person>, to: S) -> Result<S::Ok, S::Error> {
    match person {
        Some(person) => to.collect_str(person),
        None => to.serialize_none(),
    }
}

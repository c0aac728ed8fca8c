//! Why somebody's account should be as it should: each rule with what it saw and what it gave.

use serde::Serialize;
use serde_json::Value;

use super::story::VEIL;
use super::{Appointment, Miss, Role, Seen};

/// What the rules say about one record at one moment, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// What is to be, and which rule says so.
    pub conclusion: Conclusion,
    /// When that will change, though nobody changes anything.
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub misses: Vec<Miss>,
    /// Every rule, in the order in which they are judged.
    pub rules: Vec<Explained>,
}

/// What is to be, and which rule says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// What.
    pub says: Says,
    /// The rule: `rules.leaver.end_date`; none when it follows from the values of several.
    pub rule: Option<String>,
    /// More, in a sentence without values, where there is more to say.
    pub why: Option<String>,
}

/// What is to be of somebody's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It can be used.
    Active,
    /// It cannot be used.
    Inactive,
    /// It stays as it is until the appointment.
    AsItIs,
    /// The person is not synchronised.
    OutOfScope,
    /// It cannot be said.
    Unknown,
    /// A value stands in the way.
    Refused,
}

/// One rule on one record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Which: `rules.active`.
    pub rule: String,
    /// Its text.
    pub expression: String,
    /// The fields that it reads, and what the record says of each.
    pub inputs: Vec<(String, Input)>,
    /// What it gives, or why it gives nothing.
    pub result: Result<Value, String>,
    /// What it is for.
    pub part: Part,
    /// Why what it gives is not used, or is used otherwise than it stands there.
    pub remark: Option<String>,
}

/// What a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Whether the person is synchronised.
    Scope,
    /// Whether the account can be used, and from when until when.
    Status,
    /// The id under which the target shall know the person.
    ExternalId,
    /// What a field holds.
    Field {
        /// `always`, `on_create`, `if_empty`
        write: &'static str,
        /// `refuse`, `skip`
        on_bad: &'static str,
    },
    /// What a custom field holds.
    CustomField {
        /// Its name in the target.
        name: String,
        /// `always`, `on_create`, `if_empty`
        write: &'static str,
        /// `refuse`, `skip`
        on_bad: &'static str,
    },
    /// For whom a group is.
    GroupWhen {
        /// The group rule's name.
        name: String,
    },
    /// Which group it is.
    Group {
        /// The group rule's name.
        name: String,
        /// The role in the group.
        role: Role,
        /// The names from below the root, when the rule gives the person one.
        path: Option<Vec<String>>,
    },
    /// Who the manager is.
    Manager,
}

/// What a record says of a field that a rule reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// This.
    Value(Value),
    /// It is empty.
    Empty,
    /// Nothing: not permitted, misspelt or left out.
    Missing,
    /// Something that the reader may not see.
    Veiled,
}

impl From<Seen<'_>> for Input {
    fn from(seen: Seen<'_>) -> Self {
        match seen {
            Seen::Value(value) => Self::Value(value.clone()),
            Seen::Empty => Self::Empty,
            Seen::Missing => Self::Missing,
        }
    }
}

impl Explained {
    /// Takes out every value of the person; what is true or false of them stays.
    pub(super) fn veil(&mut self) {
        for (_, input) in &mut self.inputs {
            if matches!(input, Input::Value(_)) {
                *input = Input::Veiled;
            }
        }
        if let Ok(value) = &mut self.result
            && !value.is_boolean()
            && !value.is_null()
        {
            *value = Value::from(VEIL);
        }
        if let Part::Group { path: Some(path), .. } = &mut self.part {
            *path = vec![VEIL.to_owned()];
        }
        // Some remarks say what a value becomes.
        if self.remark.is_some() && matches!(self.part, Part::Field { .. }) {
            self.remark = Some(VEIL.to_owned());
        }
    }
}

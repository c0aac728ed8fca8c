//! What rules name at the far ends, to be checked against what there is.

use std::ops::Range;

use super::Rules;
use super::account::{self, AccountRules};
use super::compile::Rule;
use super::person::text;

/// Something at a far end that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Which rule: `rules.fields.email`.
    pub key: String,
    /// Where in the expression's text, in bytes, when it stands there.
    pub range: Option<Range<usize>>,
    /// What it names.
    pub what: Mentioned,
}

/// What a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mentioned {
    /// A field of the source, by its HiBob id: `work.site`.
    Field(String),
    /// A group that is the same for everybody, by the names from below the root or by its id.
    Group {
        /// The names.
        path: Vec<String>,
        /// Whether it is made when it is missing.
        create: bool,
    },
    /// A custom field of the target, by its name.
    CustomField(String),
    /// A value that a custom field shall hold for everybody.
    CustomValue {
        /// The field's name.
        field: String,
        /// The value.
        value: String,
    },
}

impl Rules {
    /// Everything at the far ends that the rules name, in the order of the rules.
    pub fn mentions(&self) -> Vec<Mention> {
        let mut mentions: Vec<Mention> = self.rules().flat_map(fields).collect();
        let AccountRules { custom, groups, .. } = &self.account;
        for (name, holding) in custom {
            let rule = &holding.rule;
            let mention = |range, what| Mention { key: rule.key.clone(), range, what };
            mentions.push(mention(None, Mentioned::CustomField(name.clone())));
            if let Some(Ok(Some(value))) = rule.constant.as_ref().map(text) {
                let what = Mentioned::CustomValue { field: name.clone(), value };
                mentions.push(mention(Some(rule.whole()), what));
            }
        }
        for group in groups {
            if let Some(Ok(Some(path))) = group.path.constant.as_ref().map(account::path) {
                let what = Mentioned::Group { path, create: group.create };
                let (key, range) = (group.path.key.clone(), Some(group.path.whole()));
                mentions.push(Mention { key, range, what });
            }
        }
        mentions
    }
}

/// Each field that a rule reads, where it first stands.
fn fields(rule: &Rule) -> impl Iterator<Item = Mention> {
    rule.uses.iter().map(|field| Mention {
        key: rule.key.clone(),
        range: rule.place(field),
        what: Mentioned::Field(field.clone()),
    })
}

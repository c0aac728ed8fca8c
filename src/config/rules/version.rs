//! The version of rules: names what they say, however it is written down.

use sha2::{Digest, Sha256};

use super::{FieldRule, RuleSettings};

/// How many hexadecimal digits name a version.
const DIGITS: usize = 12;

/// The beginning of a SHA-256 over everything the rules say. Comments, the order of keys and white
/// space around are not part of it, nor is the file in which they stand.
pub(super) fn of(rules: &RuleSettings) -> String {
    let mut said = Said(Sha256::new());
    // A file of its own has no `rules.` before its keys.
    let bare = |key: &str| key.strip_prefix("rules.").unwrap_or(key).to_owned();
    let mut expressions: Vec<(String, &str)> = rules
        .expressions()
        .map(|expression| (bare(&expression.key), expression.text.trim()))
        .collect();
    expressions.sort_unstable();
    for (key, text) in &expressions {
        said.say(&["expression", key, text]);
    }
    said.say(&["out_of_scope", &format!("{:?}", rules.out_of_scope)]);
    if let Some(joiner) = &rules.joiner {
        said.say(&["joiner", &joiner.days_before.to_string()]);
    }
    if let Some(leaver) = &rules.leaver {
        said.say(&["leaver", &leaver.grace_days.to_string()]);
    }
    for (field, rule) in &rules.fields {
        said.field("field", field.word(), rule);
    }
    said.say(&["number", &rules.number_username.to_string()]);
    for (name, rule) in &rules.custom_fields {
        said.field("custom", name, rule);
    }
    let mut groups: Vec<_> = rules.groups.iter().collect();
    groups.sort_by_key(|group| &group.name);
    for group in groups {
        said.say(&["group", &group.name, &group.role, &group.create.to_string()]);
    }
    for rule in &rules.matching {
        said.say(&["match", &format!("{rule:?}")]);
    }
    for (name, table) in &rules.tables {
        let keys = table.keys.to_string();
        said.say(&["table", name, &format!("{:?}", table.on_miss), &keys]);
        said.say(&table.columns);
        for (_, cells) in &table.rows {
            said.say(cells);
        }
    }
    said.name()
}

struct Said(Sha256);

impl Said {
    /// Adds texts so that no other texts give the same.
    fn say(&mut self, texts: &[impl AsRef<str>]) {
        self.0.update((texts.len() as u64).to_le_bytes());
        for text in texts {
            let text = text.as_ref();
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text);
        }
    }

    fn field(&mut self, kind: &str, name: &str, rule: &FieldRule) {
        self.say(&[kind, name, &format!("{:?} {:?}", rule.write, rule.on_bad)]);
    }

    fn name(self) -> String {
        let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
        let hash = self.0.finalize();
        hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).take(DIGITS).collect()
    }
}

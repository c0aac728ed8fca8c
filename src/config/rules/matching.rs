//! `[[rules.match]]`: by what an account is looked for, and what follows from what is found.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::super::table::Table;
use super::super::value::kind;
use super::super::{FieldRule, WHOLE};
use super::{MatchBy, MatchOutcome, MatchRule};
use crate::model::Field;

const BY: [(&str, MatchBy); 4] = [
    ("external_id", MatchBy::ExternalId),
    ("email", MatchBy::Email),
    ("username", MatchBy::Username),
    ("name", MatchBy::Name),
];

const OUTCOMES: [(&str, MatchOutcome); 3] = [
    ("link", MatchOutcome::Link),
    ("dispute", MatchOutcome::Dispute),
    ("next", MatchOutcome::Next),
];

/// The matching rules in their order; the example's when there are none.
pub(super) fn read(rules: &Table<'_>, fields: &BTreeMap<Field, FieldRule>) -> Vec<MatchRule> {
    let value = rules.get("match").map_or_else(|| rules.default("match"), |value| value.get_ref());
    let Some(list) = value.as_array() else {
        let found = kind(value);
        rules.wrong(
            "match",
            format!(
                "expected a list, each beginning with [[{}]], found {found}",
                rules.full("match")
            ),
        );
        return Vec::new();
    };
    let mut found: Vec<MatchRule> = Vec::new();
    for entry in list {
        let key = rules.full("match");
        let DeValue::Table(given) = entry.get_ref() else {
            let message =
                format!("expected a table, {{ by = \"email\" }}, found {}", kind(entry.get_ref()));
            rules.notes.wrong(&key, Some(entry.span()), message);
            continue;
        };
        let table = Table::new(rules.notes, key, Some(entry.span()), Some(given), example(given));
        let Some(rule) = one(&table) else {
            table.finish();
            continue;
        };
        let needed = [Field::FirstName, Field::LastName];
        if rule.by == MatchBy::Name && !needed.iter().all(|field| fields.contains_key(field)) {
            let message = "people are compared by the fields first_name and last_name: both need a \
                           rule";
            table.wrong("by", message);
        }
        if found.iter().any(|other| other.by == rule.by) {
            let message = "is there twice: the first one has decided already, take this one out";
            table.wrong("by", message);
        }
        table.finish();
        found.push(rule);
    }
    found
}

/// The entry of the example that is by the same: its choices are the defaults.
fn example(given: &DeTable<'_>) -> Option<&'static DeTable<'static>> {
    let by = |table: &DeTable<'_>| Some(table.get("by")?.get_ref().as_str()?.to_owned());
    let rules = WHOLE.get_ref().get("rules")?.get_ref().as_table()?;
    let entries = rules.get("match")?.get_ref().as_array()?;
    let mut tables = entries.iter().filter_map(|entry| entry.get_ref().as_table());
    let wanted = by(given);
    tables.find(|table| by(table) == wanted)
}

fn one(table: &Table<'_>) -> Option<MatchRule> {
    let known = "\"external_id\", \"email\", \"username\" or \"name\"";
    for key in ["one", "several", "taken"] {
        // Known, also when `by` is not.
        let _ = table.get(key);
    }
    let by = table.need_text("by", known)?;
    if !BY.iter().any(|(word, _)| *word == by) {
        table.choice("by", &BY);
        return None;
    }
    let by = table.choice("by", &BY);
    let mut taken = MatchOutcome::Dispute;
    if by != MatchBy::ExternalId {
        taken = table.choice("taken", &OUTCOMES);
    } else if table.get("taken").is_some() {
        let message = "an account that bears this person's id belongs to nobody else: take `taken` \
                       out";
        table.wrong("taken", message);
    }
    let rule = MatchRule {
        by,
        one: table.choice("one", &OUTCOMES),
        several: table.choice("several", &OUTCOMES),
        taken,
    };
    if rule.several == MatchOutcome::Link {
        let message = "nobody can have several accounts: \"dispute\" lets a human choose, \"next\" \
                       goes on to the next rule";
        table.wrong("several", message);
    }
    if rule.taken == MatchOutcome::Link {
        let message = "no rule takes an account away from somebody else; `instep match EMPLOYEE \
                       --account ID` does, one at a time. \"dispute\" lets a human choose, \"next\" \
                       goes on to the next rule";
        table.wrong("taken", message);
    }
    Some(rule)
}

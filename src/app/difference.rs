//! What other rules would make of people: the present rules and the new ones on the same record, and
//! where they differ. Nothing is asked of the target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::BuildError;
use super::connect::compile;
use super::preview::Previewer;
use crate::config::{HiBobSettings, RuleSettings, Settings};
use crate::model::story::{Item, Sign};
use crate::model::{Desired, Field, ManagerKey, Membership, Record};
use crate::provisioning::rules::{Decision, Rules, Ruling};
use crate::store::Store;

/// The present rules of one source, and others on trial. Records are read once for both.
pub struct Rivals {
    /// Reads what both of them need.
    pub reader: Previewer,
    new: Rules,
    /// How the keys of the new rules begin: `rules.`, or not at all in a file of their own.
    prefix: String,
}

/// Where the new rules differ about somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it comes to.
    pub turn: Turn,
    /// What differs, each under the rule that it belongs to.
    pub items: Vec<(String, Item)>,
}

/// What a difference comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Somebody comes into the scope.
    Enters,
    /// Somebody leaves it.
    Leaves,
    /// Their account would be otherwise.
    Changes,
}

impl Rivals {
    /// Both rules for each source.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub fn all(
        settings: &Settings,
        new_settings: &RuleSettings,
        store: &Arc<dyn Store>,
    ) -> Result<Vec<Self>, BuildError> {
        let new = || compile(new_settings).map_err(BuildError::Rules);
        let reads = new()?.reads();
        let present = |source: &HiBobSettings| (source.rules.clone(), reads.clone());
        let readers = Previewer::reading(settings, &present, store)?;
        let prefix = new_settings.in_scope.key.strip_suffix("in_scope").unwrap_or_default();
        let rivals = |reader| Ok(Self { reader, new: new()?, prefix: prefix.to_owned() });
        readers.into_iter().map(rivals).collect()
    }

    /// Where they differ about somebody; nothing when they agree.
    pub fn judge(&self, record: &Record) -> Option<Difference> {
        let now = self.reader.now;
        let present = self.reader.live.rules.decide(record, now);
        difference(&present, &self.new.decide(record, now), &self.prefix)
    }
}

/// Where two rulings about the same person differ.
fn difference(before: &Ruling, after: &Ruling, prefix: &str) -> Option<Difference> {
    let mut items = Vec::new();
    let turn = match (&before.decision, &after.decision) {
        (
            Decision::OutOfScope { deactivate, .. },
            Decision::OutOfScope { deactivate: then, .. },
        ) => {
            if deactivate != then {
                let [before, after] =
                    [deactivate, then].map(|it| if *it { "deactivate" } else { "leave" });
                let rule = format!("{prefix}out_of_scope");
                items.push(changed(&rule, "out_of_scope", before, after));
            }
            Turn::Changes
        }
        (Decision::OutOfScope { filter, .. }, now) => {
            items.push((filter.clone(), add("status", &standing(now))));
            Turn::Enters
        }
        (was, Decision::OutOfScope { filter, .. }) => {
            items.push((filter.clone(), take("status", &standing(was))));
            return Some(Difference { turn: Turn::Leaves, items });
        }
        (was, now) => {
            let (was, now) = (standing(was), standing(now));
            if was != now {
                items.push(changed("status", "status", &was, &now));
            }
            Turn::Changes
        }
    };
    let nothing = Desired::default();
    let desired = |decision| match decision {
        Decision::Wanted { desired, .. } => Some(desired),
        _ => None,
    };
    let (was, now) = (desired(before.decision.clone()), desired(after.decision.clone()));
    // Where there is no account before or after, all of the other differs; but what becomes of
    // somebody who is refused now is said by the status alone.
    if let Some(now) = &now {
        accounts(was.as_ref().unwrap_or(&nothing), now, prefix, &mut items);
    }
    let day = |ruling: &Ruling| ruling.appointment.as_ref().map(|it| it.at.to_string());
    let (was, now) = (day(before), day(after));
    if was != now && turn == Turn::Changes {
        let (was, now) = (Value::from(was), Value::from(now));
        items.push(("appointment".to_owned(), item("appointment", Some(was), Some(now))));
    }
    (!items.is_empty()).then_some(Difference { turn, items })
}

/// What becomes of somebody, in words.
fn standing(decision: &Decision) -> String {
    match decision {
        Decision::OutOfScope { filter, .. } => format!("out of scope ({filter})"),
        Decision::Unknown { rule, .. } => format!("cannot be judged ({rule})"),
        Decision::AsItIs { why } => format!("as it is ({why})"),
        Decision::Refused { code, .. } => format!("refused ({code})"),
        Decision::Wanted { desired, .. } if desired.active => "active".to_owned(),
        Decision::Wanted { .. } => "inactive".to_owned(),
    }
}

fn accounts(was: &Desired, now: &Desired, prefix: &str, items: &mut Vec<(String, Item)>) {
    if was.external_id != now.external_id {
        let (was, now) = (left(was.external_id.as_str()), left(now.external_id.as_str()));
        items.push((format!("{prefix}fields.external_id"), item("external_id", was, now)));
    }
    for field in Field::ALL {
        let (was, now) = (was.fields.get(&field), now.fields.get(&field));
        if was != now {
            let value = |it: Option<&Option<String>>| it.map(|it| Value::from(it.clone()));
            let word = field.word();
            items.push((format!("{prefix}fields.{word}"), item(word, value(was), value(now))));
        }
    }
    let names: BTreeSet<&String> = was.custom.keys().chain(now.custom.keys()).collect();
    for name in names {
        let value = |it: &Desired| it.custom.get(name).map(|wish| Value::from(wish.value.clone()));
        let (was, now) = (value(was), value(now));
        if was != now {
            items.push((format!("{prefix}custom_fields.{name}"), item(name, was, now)));
        }
    }
    let groups =
        |desired: &Desired| -> BTreeSet<String> { desired.groups.iter().map(membership).collect() };
    let (had, has) = (groups(was), groups(now));
    items.extend(has.difference(&had).map(|it| (format!("{prefix}groups"), add("group", it))));
    items.extend(had.difference(&has).map(|it| (format!("{prefix}groups"), take("group", it))));
    if was.manager != now.manager {
        let value = |it: &Option<Option<ManagerKey>>| {
            it.as_ref().map(|it| Value::from(it.as_ref().map(manager)))
        };
        let (was, now) = (value(&was.manager), value(&now.manager));
        items.push((format!("{prefix}manager"), item("manager", was, now)));
    }
}

/// A membership for people.
pub(super) fn membership(it: &Membership) -> String {
    format!("{} as {}", it.path.join("/"), it.role)
}

/// A manager as a rule names one, for people.
pub(super) fn manager(key: &ManagerKey) -> String {
    match key {
        ManagerKey::Employee(id) => id.to_string(),
        ManagerKey::Email(mail) => mail.clone(),
    }
}

fn left(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::from(text))
}

/// An item; where one side is not there, the field was or is left alone.
fn item(what: &str, before: Option<Value>, after: Option<Value>) -> Item {
    let sign = match (&before, &after) {
        (None, _) => Sign::Add,
        (_, None) => Sign::Take,
        _ => Sign::Change,
    };
    Item { sign, what: what.to_owned(), before, after }
}

fn changed(rule: &str, what: &str, before: &str, after: &str) -> (String, Item) {
    (rule.to_owned(), item(what, Some(before.into()), Some(after.into())))
}

fn add(what: &str, value: &str) -> Item {
    item(what, None, Some(value.into()))
}

fn take(what: &str, value: &str) -> Item {
    item(what, Some(value.into()), None)
}

/// How many people the new rules would touch, and which rule by how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// People who were judged by both.
    pub people: usize,
    /// People about whom both say the same.
    pub same: usize,
    /// People about whom they differ, by what it comes to.
    pub turns: BTreeMap<Turn, usize>,
    /// People about whom they differ, by rule.
    pub rules: BTreeMap<String, usize>,
}

impl Counts {
    /// Counts one person.
    pub fn count(&mut self, difference: Option<&Difference>) {
        self.people += 1;
        let Some(difference) = difference else {
            self.same += 1;
            return;
        };
        *self.turns.entry(difference.turn).or_default() += 1;
        let rules: BTreeSet<&String> = difference.items.iter().map(|(rule, _)| rule).collect();
        for rule in rules {
            *self.rules.entry(rule.clone()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CustomWish, EmployeeId};

    fn wanted(desired: Desired) -> Ruling {
        let decision = Decision::Wanted { desired, remarks: Vec::new() };
        Ruling { decision, appointment: None, misses: Vec::new() }
    }

    fn out(filter: &str) -> Ruling {
        let decision = Decision::OutOfScope { filter: filter.to_owned(), deactivate: false };
        Ruling { decision, appointment: None, misses: Vec::new() }
    }

    fn group(name: &str) -> Membership {
        Membership {
            path: vec!["Sites".to_owned(), name.to_owned()],
            role: "learner".to_owned(),
            create: false,
        }
    }

    fn somebody() -> Desired {
        Desired {
            active: true,
            external_id: "17".to_owned(),
            fields: [
                (Field::Email, Some("a@example.test".to_owned())),
                (Field::Job, Some("Cook".to_owned())),
                (Field::Phone, None),
            ]
            .into(),
            custom: [("Cost centre".to_owned(), CustomWish::default())].into(),
            groups: vec![group("Paris"), group("London")],
            manager: Some(Some(ManagerKey::Employee(EmployeeId::new("2")))),
            ..Desired::default()
        }
    }

    fn told(difference: &Difference) -> Vec<String> {
        let value = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
        difference
            .items
            .iter()
            .map(|(rule, it)| {
                format!("{rule}: {} {} -> {}", it.what, value(&it.before), value(&it.after))
            })
            .collect()
    }

    #[test]
    fn equal_rulings_do_not_differ() {
        assert_eq!(difference(&wanted(somebody()), &wanted(somebody()), "rules."), None);
        assert_eq!(difference(&out("rules.in_scope"), &out("rules.filters.x"), "rules."), None);
    }

    #[test]
    fn each_thing_that_differs_is_told_under_its_rule() {
        let mut then = somebody();
        then.active = false;
        then.fields.insert(Field::Job, Some("Chef".to_owned()));
        then.fields.insert(Field::Lang, Some("fr".to_owned()));
        then.fields.remove(&Field::Phone);
        then.custom.insert(
            "Cost centre".to_owned(),
            CustomWish { value: Some("7".to_owned()), ..CustomWish::default() },
        );
        then.groups = vec![group("London"), group("Leeds")];
        then.manager = Some(None);
        let found = difference(&wanted(somebody()), &wanted(then), "rules.").expect("they differ");
        assert_eq!(found.turn, Turn::Changes);
        assert_eq!(
            told(&found),
            [
                "status: status \"active\" -> \"inactive\"",
                "rules.fields.job: job \"Cook\" -> \"Chef\"",
                "rules.fields.lang: lang - -> \"fr\"",
                "rules.fields.phone: phone null -> -",
                "rules.custom_fields.Cost centre: Cost centre null -> \"7\"",
                "rules.groups: group - -> \"Sites/Leeds as learner\"",
                "rules.groups: group \"Sites/Paris as learner\" -> -",
                "rules.manager: manager \"2\" -> null",
            ]
        );
        let mut counts = Counts::default();
        counts.count(Some(&found));
        counts.count(None);
        assert_eq!((counts.people, counts.same, counts.rules["rules.groups"]), (2, 1, 1));
    }

    #[test]
    fn who_enters_or_leaves_the_scope_is_told_with_the_filter_that_decides() {
        let enters =
            difference(&out("rules.in_scope"), &wanted(somebody()), "rules.").expect("enters");
        assert_eq!(enters.turn, Turn::Enters);
        assert_eq!(told(&enters)[0], "rules.in_scope: status - -> \"active\"");
        assert!(told(&enters).contains(&"rules.fields.job: job - -> \"Cook\"".to_owned()));
        let leaves =
            difference(&wanted(somebody()), &out("rules.filters.x"), "rules.").expect("leaves");
        assert_eq!(leaves.turn, Turn::Leaves);
        assert_eq!(told(&leaves), ["rules.filters.x: status \"active\" -> -"]);
    }
}

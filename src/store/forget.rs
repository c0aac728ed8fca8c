//! Erasing a person everywhere in a store.
//!
//! First the tombstone: from then on nothing new is kept. Then everything that is stored is walked:
//! what is theirs goes, and where others' things name them, the name is taken out. The link goes
//! last, because it says by what they may be named; so all of it may be done again after a crash.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Store, StoreError, Stored, StoredEvent};
use crate::model::{AccountId, Field, Item, ItemState, Link, Person, RunId, SourceName};

/// So many things are looked at in one step.
const AT_ONCE: usize = 500;

/// How often everything is walked before it is said that somebody is in the way.
const WALKS: usize = 3;

/// What stands where somebody was named.
const GONE: &str = "(forgotten)";

/// Shorter names than this could be anything, in the middle of a text.
const SHORTEST: usize = 6;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many things were looked at.
    pub looked: u64,
    /// How many were erased, or say less now.
    pub changed: u64,
}

/// Erases a person everywhere; `None` when they, or somebody whose records name them, are under
/// lease: then it is to be done again a little later, and until then it is done in part.
///
/// # Errors
/// When the store is not available, or something in it cannot be read.
pub async fn erase(
    store: &dyn Store,
    person: &Person,
    at: Timestamp,
    mut progress: impl FnMut(Erased) + Send,
) -> Result<Option<Erased>, StoreError> {
    if !store.forget(person, at).await? {
        return Ok(None);
    }
    let names = Names::of(person, store.link(person).await?.as_ref());
    let mut done = Erased::default();
    for _ in 0..WALKS {
        if walk(store, &names, &mut done, &mut progress).await? == 0 {
            if !store.unlink(person).await? {
                return Ok(None);
            }
            store.wipe().await?;
            return Ok(Some(done));
        }
    }
    Ok(None)
}

/// A text without what somebody is called by, as far as we know it.
///
/// # Errors
/// When the store is not available.
pub async fn without_names(
    store: &dyn Store,
    person: &Person,
    text: &str,
) -> Result<String, StoreError> {
    Ok(Names::of(person, store.link(person).await?.as_ref()).without_names(text))
}

/// Goes through everything once; says how much there was to erase.
async fn walk(
    store: &dyn Store,
    names: &Names,
    done: &mut Erased,
    progress: &mut (impl FnMut(Erased) + Send),
) -> Result<usize, StoreError> {
    let (mut wanted, mut from) = (0, None);
    let mut sources: HashMap<RunId, Option<SourceName>> = HashMap::new();
    loop {
        let part = store.dump(from.as_deref(), AT_ONCE).await?;
        done.looked += part.found.len() as u64;
        let mut changes = Vec::new();
        for found in part.found {
            if let Stored::Run(run) = &found.kept
                && run.ended_at.is_none()
            {
                // What it has read so far is read again.
                store.drop_pages(&run.id).await?;
            }
            if let Stored::Item { run, .. } = &found.kept
                && !sources.contains_key(run)
            {
                let source = store.run(run).await?.map(|run| run.source);
                sources.insert(run.clone(), source);
            }
            match names.judge(&found.kept, &sources)? {
                Verdict::Stays => {}
                Verdict::Goes => changes.push((found.kept, None)),
                Verdict::SaysLess(less) => changes.push((found.kept, Some(*less))),
            }
        }
        wanted += changes.len();
        if !changes.is_empty() {
            done.changed += store.swap(&changes).await?;
        }
        progress(*done);
        from = part.next;
        if from.is_none() {
            return Ok(wanted);
        }
    }
}

/// Whether a note says who may do what here: an employee can be an operator too.
fn is_of_operators(name: &str) -> bool {
    ["user", "token", "session", "sign"].iter().any(|word| name.starts_with(word))
}

/// What is to become of something.
enum Verdict {
    /// It has nothing to do with the person.
    Stays,
    /// It is theirs.
    Goes,
    /// It names them: this says the same without them.
    SaysLess(Box<Stored>),
}

/// By what somebody can be named.
struct Names {
    person: Person,
    account: Option<AccountId>,
    texts: Vec<String>,
}

impl Names {
    fn of(person: &Person, link: Option<&Link>) -> Self {
        let mut texts = vec![person.to_string(), format!("employee:{}", person.employee)];
        let mut add = |text: &str| {
            if text.chars().count() >= SHORTEST {
                texts.push(text.to_owned());
                texts.push(text.to_lowercase());
            }
        };
        add(person.employee.as_str());
        if let Some(link) = link {
            let applied = |field| link.applied.get(&field).and_then(Option::as_deref);
            for field in [Field::Email, Field::Username] {
                applied(field).into_iter().for_each(&mut add);
            }
            if let (Some(first), Some(last)) = (applied(Field::FirstName), applied(Field::LastName))
            {
                add(&format!("{first} {last}"));
                add(&format!("{last}, {first}"));
            }
            if let Some(intent) = &link.creating {
                intent.email.iter().chain(&intent.username).for_each(|text| add(text));
            }
            link.external_id.iter().for_each(|text| add(text));
            link.account.iter().for_each(|account| add(account.as_str()));
        }
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        let account = link.and_then(|link| link.account.clone());
        Self { person: person.clone(), account, texts }
    }

    fn judge(
        &self,
        kept: &Stored,
        sources: &HashMap<RunId, Option<SourceName>>,
    ) -> Result<Verdict, StoreError> {
        let less = match kept {
            Stored::Event(event) => return Ok(self.event(event)),
            Stored::Delivery(delivery) if delivery.person().as_ref() == Some(&self.person) => {
                return Ok(Verdict::Goes);
            }
            Stored::Choice { person, .. } if *person == self.person => return Ok(Verdict::Goes),
            // The own link goes last, by itself.
            Stored::Link { person, .. } if *person == self.person => return Ok(Verdict::Stays),
            Stored::Link { person, link } => {
                let link = self.scrubbed(&self.without(link.clone()))?;
                Stored::Link { person: person.clone(), link }
            }
            Stored::Item { run, item } => {
                let ours = item.employee.as_ref() == Some(&self.person.employee)
                    && sources.get(run).is_some_and(|it| it.as_ref() == Some(&self.person.source));
                let item = if ours { bare(item) } else { self.scrubbed(item)? };
                Stored::Item { run: run.clone(), item }
            }
            Stored::Delivery(delivery) => Stored::Delivery(self.scrubbed(delivery)?),
            Stored::Run(run) => Stored::Run(self.scrubbed(run)?),
            Stored::Hold(hold) => Stored::Hold(self.scrubbed(hold)?),
            Stored::Note { name, .. } if is_of_operators(name) => return Ok(Verdict::Stays),
            Stored::Note { name, text } => {
                Stored::Note { name: name.clone(), text: self.without_names(text) }
            }
            Stored::Audit(entry) => {
                let mut entry = entry.clone();
                entry.about = self.without_names(&entry.about);
                entry.reason = entry.reason.map(|reason| self.without_names(&reason));
                entry.outcome = entry.outcome.map(|outcome| self.without_names(&outcome));
                Stored::Audit(entry)
            }
            Stored::Choice { .. } | Stored::Forgotten { .. } => return Ok(Verdict::Stays),
        };
        Ok(if less == *kept { Verdict::Stays } else { Verdict::SaysLess(Box::new(less)) })
    }

    fn event(&self, event: &StoredEvent) -> Verdict {
        if event.source == self.person.source
            && event.employee.as_ref() == Some(&self.person.employee)
        {
            return Verdict::Goes;
        }
        // A body is kept byte for byte or not at all.
        let raw = String::from_utf8_lossy(&event.raw);
        if self.without_names(&raw) == raw {
            return Verdict::Stays;
        }
        let less = StoredEvent { raw: Vec::new(), ..event.clone() };
        Verdict::SaysLess(Box::new(Stored::Event(less)))
    }

    /// Somebody else's link without this person as manager or subordinate.
    fn without(&self, mut link: Link) -> Link {
        let is_ours = |key: &String| self.texts.contains(&key.replace("email:", ""));
        if link.awaits.as_ref().is_some_and(is_ours) {
            link.awaits = None;
        }
        let Some(account) = &self.account else { return link };
        link.manager = link.manager.filter(|it| it.account != *account && !is_ours(&it.key));
        if let Some(kept) = &mut link.kept {
            kept.managers.retain(|it| it != account);
            kept.subordinates.retain(|it| it != account);
        }
        link
    }

    /// The same thing without the names.
    fn scrubbed<T: Serialize + DeserializeOwned>(&self, thing: &T) -> Result<T, StoreError> {
        let unreadable = |error: serde_json::Error| StoreError::Unreadable {
            what: "record",
            // The error would show what is in it.
            why: format!("it does not fit its own form ({:?})", error.classify()),
        };
        let mut value = serde_json::to_value(thing).map_err(unreadable)?;
        self.scrub(&mut value);
        serde_json::from_value(value).map_err(unreadable)
    }

    fn scrub(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.without_names(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.scrub(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.scrub(value)),
            _ => {}
        }
    }

    /// A text without the names, where they stand as whole words.
    fn without_names(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for name in &self.texts {
            if !text.contains(name.as_str()) {
                continue;
            }
            let (mut less, mut rest) = (String::new(), text.as_str());
            while let Some(at) = rest.find(name.as_str()) {
                let (before, after) = (&rest[..at], &rest[at + name.len()..]);
                let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                let last = before.chars().next_back().or_else(|| less.chars().next_back());
                less.push_str(before);
                let whole = !is_part(last) && !is_part(after.chars().next());
                less.push_str(if whole { GONE } else { name });
                rest = after;
            }
            less.push_str(rest);
            text = less;
        }
        text
    }
}

/// An item that only counts.
fn bare(item: &Item) -> Item {
    let state = match &item.state {
        ItemState::Told => ItemState::Told,
        ItemState::Held => ItemState::Held,
        ItemState::Queued { .. } | ItemState::Done { .. } => ItemState::Done { done: Vec::new() },
        ItemState::Failed { delivery, code, .. } => ItemState::Failed {
            delivery: delivery.clone(),
            code: code.clone(),
            reason: GONE.to_owned(),
        },
    };
    Item {
        number: item.number,
        employee: None,
        name: String::new(),
        account: None,
        kind: item.kind,
        drift: Vec::new(),
        blame: None,
        again: Vec::new(),
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EmployeeId;

    fn names(employee: &str) -> Names {
        let person = Person { source: SourceName::new("bob"), employee: EmployeeId::new(employee) };
        let mut link = Link { account: Some(AccountId::new("5f00aa")), ..Link::default() };
        for (field, value) in [
            (Field::Email, "Zoe@Example.test"),
            (Field::FirstName, "Zoë"),
            (Field::LastName, "Lind"),
        ] {
            link.applied.insert(field, Some(value.to_owned()));
        }
        Names::of(&person, Some(&link))
    }

    #[test]
    fn names_go_where_they_stand_as_whole_words() {
        let names = names("3332883884017713099");
        for (text, less) in [
            (
                "the account is linked to bob/3332883884017713099",
                "the account is linked to (forgotten)",
            ),
            ("email:zoe@example.test", "email:(forgotten)"),
            ("Zoë Lind and Zoë Linder", "(forgotten) and Zoë Linder"),
            ("x5f00aa 5f00aa 5f00aa7", "x5f00aa (forgotten) 5f00aa7"),
            ("\"3332883884017713099\"", "\"(forgotten)\""),
            ("33328838840177130990", "33328838840177130990"),
        ] {
            assert_eq!(names.without_names(text), less);
        }
    }

    #[test]
    fn a_short_id_is_only_found_with_its_source() {
        let names = names("7");
        assert_eq!(names.without_names("7 of 12: bob/7, bob/70"), "7 of 12: (forgotten), bob/70");
    }

    #[test]
    fn who_waits_for_them_waits_no_more() {
        let names = names("7");
        for awaits in ["employee:7", "email:zoe@example.test"] {
            let link = Link { awaits: Some(awaits.to_owned()), ..Link::default() };
            assert_eq!(names.without(link).awaits, None);
        }
        let other = Link { awaits: Some("employee:70".to_owned()), ..Link::default() };
        assert_eq!(names.without(other.clone()), other);
    }
}

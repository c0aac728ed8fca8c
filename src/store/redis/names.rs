//! The names of the keys. All of one store share the hash tag `{namespace}`, so that a Cluster
//! keeps them together and scripts may touch several at once.

use std::borrow::Cow;

use crate::model::{EmployeeId, Lane, Person, RunId, SourceName};

/// The keys that do not belong to one source, made once.
pub struct Names {
    prefix: String,
    /// Hash: event → delivery ids, what is known of it, raw body.
    pub events: String,
    /// List: received and event, as they came.
    pub seen: String,
    /// Hash: event → how often it came again.
    pub repeats: String,
    /// Hash: delivery → its stored form.
    pub deliveries: String,
    /// Hash: delivery → how many workers died with it.
    pub kills: String,
    /// Sorted set: waiting deliveries by the time they were received.
    pub waiting: String,
    /// The same for done ones.
    pub done: String,
    /// The same for dead ones.
    pub dead: String,
    /// The same for ignored ones.
    pub ignored: String,
    /// Sorted by text: employee, received, delivery.
    pub people: String,
    /// Hash: person → account and link.
    pub links: String,
    /// Hash: account → person.
    pub accounts: String,
    /// Hash: person whose link awaits a manager → their row of `awaiting`.
    pub awaits: String,
    /// Sorted by text: source, manager, employee who awaits them.
    pub awaiting: String,
    /// Sorted set: person by the time of their link's appointment.
    pub appointments: String,
    /// Hash: person → what a human decided about their account.
    pub choices: String,
    /// Set: sources that ever leased.
    pub sources: String,
    /// Hash: event past its time → received, while a waiting or dead delivery needs it.
    pub needed: String,
    /// Hash: scope → hold.
    pub holds: String,
    /// Hash: name → the token of the call that wrote the note, and its text.
    pub notes: String,
    /// Hash: run → the token of the call that wrote it, its revision and its stored form.
    pub runs: String,
    /// Sorted by text: runs.
    pub run_ids: String,
    /// Sorted set: runs that have ended, by the time they began.
    pub ended: String,
    /// Set: runs with which nobody has to go on.
    pub closed: String,
    /// Hash: audit entry → its stored form.
    pub audit: String,
    /// Sorted by text: audit entries.
    pub audit_ids: String,
    /// Sorted set: audit entries by their time.
    pub audit_ages: String,
    /// The name that the store was given when it was new.
    pub epoch: String,
    /// Hash: person who was forgotten → when.
    pub forgotten: String,
    /// Hash: key that sealed something → its proof.
    pub keys: String,
    /// Written by the check.
    pub check: String,
}

impl Names {
    /// The names under this namespace.
    pub fn new(namespace: &str) -> Self {
        let name = |word: &str| format!("{{{namespace}}}:{word}");
        Self {
            prefix: name(""),
            events: name("events"),
            seen: name("seen"),
            repeats: name("repeats"),
            deliveries: name("deliveries"),
            kills: name("kills"),
            waiting: name("waiting"),
            done: name("done"),
            dead: name("dead"),
            ignored: name("ignored"),
            people: name("people"),
            links: name("links"),
            accounts: name("accounts"),
            awaits: name("awaits"),
            awaiting: name("awaiting"),
            appointments: name("appointments"),
            choices: name("choices"),
            sources: name("sources"),
            needed: name("needed"),
            holds: name("holds"),
            notes: name("notes"),
            runs: name("runs"),
            run_ids: name("run_ids"),
            ended: name("ended"),
            closed: name("closed"),
            audit: name("audit"),
            audit_ids: name("audit_ids"),
            audit_ages: name("audit_ages"),
            epoch: name("epoch"),
            forgotten: name("forgotten"),
            keys: name("keys"),
            check: name("check"),
        }
    }

    /// The keys of `accept.lua`.
    pub fn of_arrival(&self, source: &SourceName, lane: Lane) -> [Cow<'_, str>; 12] {
        let own = |word: &str| Cow::Owned(format!("{}{word}:{}", self.prefix, source.as_str()));
        let ready = match lane {
            Lane::Live => "live",
            Lane::Bulk => "bulk",
        };
        [
            Cow::Borrowed(self.events.as_str()),
            Cow::Borrowed(&self.seen),
            Cow::Borrowed(&self.repeats),
            Cow::Borrowed(&self.deliveries),
            Cow::Borrowed(&self.waiting),
            Cow::Borrowed(&self.dead),
            Cow::Borrowed(&self.ignored),
            Cow::Borrowed(&self.people),
            own("queue"),
            own(ready),
            own("leases"),
            Cow::Borrowed(&self.forgotten),
        ]
    }

    /// The keys of the scripts that begin with `keys.lua`, in its order.
    pub fn of_source(&self, source: &SourceName) -> [Cow<'_, str>; 20] {
        let own = |word: &str| Cow::Owned(format!("{}{word}:{}", self.prefix, source.as_str()));
        [
            Cow::Borrowed(self.seen.as_str()),
            Cow::Borrowed(&self.deliveries),
            Cow::Borrowed(&self.kills),
            Cow::Borrowed(&self.waiting),
            Cow::Borrowed(&self.done),
            Cow::Borrowed(&self.dead),
            Cow::Borrowed(&self.ignored),
            Cow::Borrowed(&self.links),
            Cow::Borrowed(&self.accounts),
            Cow::Borrowed(&self.awaits),
            Cow::Borrowed(&self.awaiting),
            Cow::Borrowed(&self.appointments),
            Cow::Borrowed(&self.choices),
            Cow::Borrowed(&self.sources),
            Cow::Borrowed(&self.needed),
            own("queue"),
            own("live"),
            own("bulk"),
            own("leases"),
            own("work"),
        ]
    }

    /// The keys of scripts that begin with `keys.lua` and need one more.
    pub fn of_source_and<'n>(&'n self, source: &SourceName, more: &'n str) -> Vec<Cow<'n, str>> {
        let mut keys = self.of_source(source).to_vec();
        keys.push(Cow::Borrowed(more));
        keys
    }

    /// Sorted set: persons under lease by its end.
    pub fn leases(&self, source: &str) -> String {
        format!("{}leases:{source}", self.prefix)
    }

    /// Sorted set: the items of a run by their numbers.
    pub fn items(&self, run: &RunId) -> String {
        format!("{}items:{run}", self.prefix)
    }

    /// Hash: number → a page of what a run has read.
    pub fn pages(&self, run: &RunId) -> String {
        format!("{}pages:{run}", self.prefix)
    }

    /// Hash: a budget.
    pub fn budget(&self, name: &str) -> String {
        format!("{}budget:{name}", self.prefix)
    }
}

/// Text without the zero byte, which separates the parts of a row; different texts stay different.
pub fn part(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', '\u{1}']) {
        Cow::Owned(text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that [`part`] was given.
fn whole(part: &str) -> String {
    part.replace("\u{1}\u{1}", "\0").replace("\u{1}\u{2}", "\u{1}")
}

/// A person as a field of hashes.
pub fn person(person: &Person) -> String {
    format!("{}\0{}", part(person.source.as_str()), part(person.employee.as_str()))
}

/// The person whose field this is.
pub fn read_person(field: &str) -> Option<Person> {
    let (source, employee) = field.split_once('\0')?;
    Some(Person {
        source: SourceName::new(whole(source)),
        employee: EmployeeId::new(whole(employee)),
    })
}

/// What the fields of all persons of a source look like, for a search.
pub fn all_of(source: &SourceName) -> String {
    let mut pattern = String::new();
    for c in part(source.as_str()).chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "\0*"
}

/// How the rows of `awaiting` begin that await this manager.
pub fn awaited(source: &SourceName, manager: &str) -> String {
    format!("{}\0{}", part(source.as_str()), part(manager))
}

/// A row of `awaiting`.
pub fn awaiting(person: &Person, manager: &str) -> String {
    format!("{}\0{}", awaited(&person.source, manager), part(person.employee.as_str()))
}

/// The person in a row of `awaiting`.
pub fn read_awaiting(row: &str) -> Option<Person> {
    let mut parts = row.split('\0');
    let (source, employee) = (parts.next()?, parts.nth(1)?);
    Some(Person {
        source: SourceName::new(whole(source)),
        employee: EmployeeId::new(whole(employee)),
    })
}

/// A time as 13 digits, so that text order is time order.
pub fn stamp(ms: i64) -> String {
    format!("{:013}", ms.clamp(0, 9_999_999_999_999))
}

/// A row of `people`.
pub fn row(employee: &str, received: i64, delivery: &str) -> String {
    format!("{}\0{}{delivery}", part(employee), stamp(received))
}

/// The received time and delivery in a row of `people`.
pub fn read_row(row: &str) -> Option<(i64, &str)> {
    let (_, rest) = row.split_once('\0')?;
    Some((rest.get(..13)?.parse().ok()?, rest.get(13..)?))
}

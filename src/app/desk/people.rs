//! Everybody whose account is known, in memory, so that people are found by name and mail at once.
//!
//! It is read from the links, in pages, when a process begins to serve; it follows what this process
//! settles, and is read anew now and then for what others did. It holds what was last applied, for
//! [`MOST`] people at most: whoever comes later is still found by the exact id, in the store. Nobody
//! is shown without a look into the store: who was forgotten, by whatever process, is found no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::app::Settled;
use crate::model::{
    AccountId, AccountStatus, EmployeeId, Field, Link, Person, Somebody, SourceName,
};
use crate::store::{Filter, Store, StoreError};

/// So many people are held; each takes about 300 bytes.
const MOST: usize = 500_000;

/// So many links are read together.
const PAGE: usize = 1000;

/// How long others may be served between two pages.
const BREATH: Duration = Duration::from_millis(20);

/// How often everybody is read anew.
const ANEW: Duration = Duration::from_secs(600);

/// How long what was settled is gathered, so that a storm is not read link by link as it comes.
const GATHER: Duration = Duration::from_secs(1);

/// How often it is tried again while the store is away.
const AGAIN: Duration = Duration::from_secs(5);

/// People by name, mail and id.
#[derive(Debug, Default)]
pub struct People {
    known: RwLock<BTreeMap<Person, Row>>,
}

/// What is held of somebody.
#[derive(Debug)]
struct Row {
    name: Box<str>,
    mail: Box<str>,
    account: Option<AccountId>,
    active: bool,
    /// Id, mail and name in lower case, each on a line: what is searched.
    sought: Box<str>,
}

impl Row {
    fn of(person: &Person, link: &Link) -> Self {
        let applied = |field| link.applied.get(&field).and_then(Option::as_deref);
        let names = [Field::FirstName, Field::LastName].map(applied);
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let mail = applied(Field::Email).unwrap_or_default();
        let sought = format!("{}\n{mail}\n{name}", person.employee).to_lowercase();
        Self {
            name: name.into(),
            mail: mail.into(),
            account: link.account.clone(),
            active: matches!(link.status, Some(AccountStatus::Active | AccountStatus::Invited)),
            sought: sought.into(),
        }
    }

    fn somebody(&self, person: &Person) -> Somebody {
        Somebody {
            person: person.clone(),
            name: self.name.to_string(),
            mail: self.mail.to_string(),
            account: self.account.clone(),
            active: self.active,
        }
    }
}

/// By what somebody may be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By id, mail and name.
    Everything,
    /// By id alone: whoever may not see mails and names may not search in them either.
    Id,
}

impl People {
    /// Those who fit, `most` at most: whose id, mail or name begins with the text, then those in
    /// whom it stands elsewhere. An exact id is looked up in the store as well.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn search(
        &self,
        text: &str,
        by: By,
        most: usize,
        store: &dyn Store,
        sources: &[SourceName],
    ) -> Result<Vec<Somebody>, StoreError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = exactly(text, store, sources).await?;
        found.truncate(most);
        for person in self.look_for(&text.to_lowercase(), by, most) {
            if found.len() < most && found.iter().all(|it| it.person != person) {
                found.extend(self.look_again(&person, store).await?);
            }
        }
        Ok(found)
    }

    fn look_for(&self, text: &str, by: By, most: usize) -> Vec<Person> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (mut first, mut then) = (Vec::new(), Vec::new());
        // `bob/17` is the beginning of an id too.
        let id = text.split_once('/').map_or(text, |(_, id)| id);
        for (person, row) in known.iter() {
            let fits = match by {
                By::Everything => row.sought.contains(text),
                By::Id => person.employee.as_str().starts_with(id),
            };
            if !fits {
                continue;
            }
            if by == By::Id || row.sought.lines().any(|line| begins(line, text)) {
                first.push(person.clone());
                if first.len() >= most {
                    break;
                }
            } else if then.len() < most {
                then.push(person.clone());
            }
        }
        first.extend(then);
        first.truncate(most);
        first
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Looks at somebody's link again; whoever has none, or was forgotten, is not held any more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn look_again(
        &self,
        person: &Person,
        store: &dyn Store,
    ) -> Result<Option<Somebody>, StoreError> {
        // The link goes last when somebody is erased.
        let (link, forgotten) = tokio::try_join!(store.link(person), store.forgotten(person))?;
        let row = link.filter(|_| forgotten.is_none()).map(|link| Row::of(person, &link));
        let somebody = row.as_ref().map(|row| row.somebody(person));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match row {
            None => drop(known.remove(person)),
            Some(row) => {
                if known.len() < MOST || known.contains_key(person) {
                    known.insert(person.clone(), row);
                }
            }
        }
        Ok(somebody)
    }

    /// Keeps it like the links, until it is told to stop.
    pub(crate) async fn follow(
        self: Arc<Self>,
        store: Arc<dyn Store>,
        sources: Vec<SourceName>,
        mut settled: Receiver<Settled>,
        stop: CancellationToken,
    ) {
        let following = async {
            loop {
                let mut wait = ANEW;
                if let Err(error) = self.read_everybody(&*store, &sources).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "the people are not read yet: the store is away");
                    wait = AGAIN;
                }
                let until_then = self.follow_settled(&*store, &mut settled);
                let _ = tokio::time::timeout(wait, until_then).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = following => {}
        }
    }

    async fn read_everybody(
        &self,
        store: &dyn Store,
        sources: &[SourceName],
    ) -> Result<(), StoreError> {
        let mut seen = BTreeSet::new();
        for source in sources {
            let mut from = None;
            loop {
                let page = store.links(source, from.as_deref(), PAGE).await?;
                self.take(&page.links, &mut seen);
                from = page.next;
                if from.is_none() {
                    break;
                }
                tokio::time::sleep(BREATH).await;
            }
        }
        // Whoever was not among them was taken away, or came just now: their link says which.
        let gone: Vec<Person> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.keys().filter(|person| !seen.contains(*person)).cloned().collect()
        };
        for person in gone {
            self.look_again(&person, store).await?;
        }
        tracing::debug!(people = self.count(), "the people are read for the search");
        Ok(())
    }

    fn take(&self, links: &[(Person, Link)], seen: &mut BTreeSet<Person>) {
        let rows: Vec<_> =
            links.iter().map(|(person, link)| (person, Row::of(person, link))).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (person, row) in rows {
            if known.len() < MOST || known.contains_key(person) {
                seen.insert(person.clone());
                known.insert(person.clone(), row);
            }
        }
    }

    /// Follows what this process settles; ends when some of it was missed, so that everybody is
    /// read anew.
    async fn follow_settled(&self, store: &dyn Store, settled: &mut Receiver<Settled>) {
        loop {
            let mut persons = BTreeSet::new();
            match settled.recv().await {
                Ok(one) => drop(persons.insert(one.person)),
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => return std::future::pending().await,
            }
            tokio::time::sleep(GATHER).await;
            loop {
                match settled.try_recv() {
                    Ok(one) => drop(persons.insert(one.person)),
                    Err(TryRecvError::Lagged(_)) => return,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            for person in &persons {
                if self.look_again(person, store).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether a line, or a word in it, begins with a text.
fn begins(line: &str, text: &str) -> bool {
    line.starts_with(text) || line.split(' ').any(|word| word.starts_with(text))
}

/// Those who have exactly this id (also as SOURCE/ID), in whatever source: with a link, or with a
/// delivery at least. Of whoever was forgotten there is nothing to find.
async fn exactly(
    text: &str,
    store: &dyn Store,
    sources: &[SourceName],
) -> Result<Vec<Somebody>, StoreError> {
    let (source, id) = match text.split_once('/') {
        Some((source, id)) => (Some(source), id),
        None => (None, text),
    };
    let mut found = Vec::new();
    for name in sources.iter().filter(|name| source.is_none_or(|it| it == name.as_str())) {
        let person = Person { source: name.clone(), employee: EmployeeId::new(id) };
        if store.forgotten(&person).await?.is_some() {
            continue;
        }
        if let Some(link) = store.link(&person).await? {
            found.push(Row::of(&person, &link).somebody(&person));
            continue;
        }
        let of_them = Filter {
            source: Some(name.clone()),
            employee: Some(id.to_owned()),
            ..Filter::default()
        };
        if !store.deliveries(&of_them, 1).await?.is_empty() {
            found.push(Row::of(&person, &Link::default()).somebody(&person));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;

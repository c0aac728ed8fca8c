//! Links: whose account is whose, who waits for what, and what humans decided. What a link is found
//! by is written in the same script as the link.

use jiff::Timestamp;
use redis::cmd;

use super::script::{Call, LINKS, SAVE_LINK, UNLINK};
use super::{RedisStore, names, read};
use crate::model::{Choice, Link, Person, SourceName};
use crate::store::seal::{Keys, Place};
use crate::store::{Lease, Links, StoreError, from_ms, ms_up, record};

/// How many links one step looks at, at most; others can be served in between.
const AT_ONCE: usize = 1000;

impl RedisStore {
    /// See [`Store::save_link`](crate::store::Store::save_link).
    pub(super) async fn write_link(&self, lease: &Lease, link: &Link) -> Result<(), StoreError> {
        let call = SAVE_LINK
            .on(&self.names.of_source(&lease.person.source))
            .arg(self.now())
            .arg(&lease.token)
            .arg(names::part(lease.person.employee.as_str()).as_ref())
            .arg(names::person(&lease.person));
        let call = with_link(call, &lease.person, link, self.keys().await?);
        verdict(&read::<Vec<String>>("save a link", call.run(&self.connection).await)?)
    }

    /// See [`Store::links`](crate::store::Store::links). `from` is the server and its place in the
    /// hash, with a space between.
    pub(super) async fn some_links(
        &self,
        source: &SourceName,
        from: Option<&str>,
        most: usize,
    ) -> Result<Links, StoreError> {
        let beginning = || (String::new(), "0".to_owned());
        let (mut server, mut place) = from
            .and_then(|from| from.split_once(' '))
            .map_or_else(beginning, |(server, place)| (server.to_owned(), place.to_owned()));
        let (pattern, keys) = (names::all_of(source), self.keys().await?);
        let mut links = Vec::new();
        loop {
            let call = LINKS
                .on(&[&self.names.links])
                .arg(&server)
                .arg(&place)
                .arg(&pattern)
                .arg(most.clamp(1, AT_ONCE));
            let fields: Vec<String>;
            (server, place, fields) = read("links", call.run(&self.connection).await)?;
            for pair in fields.chunks_exact(2) {
                let person = read_person(&pair[0])?;
                let link = read_link(&person, &pair[1], keys)?;
                links.push((person, link));
            }
            if place == "0" {
                return Ok(Links { links, next: None });
            }
            // There may be none among those that one step looks at.
            if !links.is_empty() {
                return Ok(Links { links, next: Some(format!("{server} {place}")) });
            }
        }
    }

    /// See [`Store::awaiting`](crate::store::Store::awaiting).
    pub(super) async fn who_awaits(
        &self,
        source: &SourceName,
        manager: &str,
        most: usize,
    ) -> Result<Vec<Person>, StoreError> {
        let mut awaiting = Vec::new();
        for tag in self.keys().await?.tags(manager) {
            let awaited = names::awaited(source, &tag);
            let mut command = cmd("ZRANGEBYLEX");
            command
                .arg(&self.names.awaiting)
                .arg(format!("[{awaited}\0"))
                .arg(format!("({awaited}\u{1}"));
            command.arg("LIMIT").arg(0).arg(most - awaiting.len());
            let rows: Vec<String> = self.ask("awaiting", &command).await?;
            for row in &rows {
                awaiting.push(names::read_awaiting(row).ok_or_else(|| damaged("person"))?);
            }
        }
        Ok(awaiting)
    }

    /// See [`Store::appointments`](crate::store::Store::appointments).
    pub(super) async fn whose_time_has_come(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(&self.names.appointments).arg("-inf").arg(until.as_millisecond());
        command.arg("WITHSCORES").arg("LIMIT").arg(0).arg(most);
        let rows: Vec<(String, i64)> = self.ask("appointments", &command).await?;
        let appointment = |(person, at): (String, i64)| Ok((read_person(&person)?, from_ms(at)));
        rows.into_iter().map(appointment).collect()
    }

    /// See [`Store::choose`](crate::store::Store::choose).
    pub(super) async fn write_choice(
        &self,
        person: &Person,
        choice: Option<&Choice>,
    ) -> Result<(), StoreError> {
        let mut command = cmd(if choice.is_some() { "HSET" } else { "HDEL" });
        command.arg(&self.names.choices).arg(names::person(person));
        if let Some(choice) = choice {
            let place = Place::choice(person);
            command.arg(self.keys().await?.shut(&place, &record::write_choice(choice)));
        }
        self.ask("choose", &command).await
    }

    /// See [`Store::choice`](crate::store::Store::choice).
    pub(super) async fn look_up_choice(
        &self,
        person: &Person,
    ) -> Result<Option<Choice>, StoreError> {
        let mut command = cmd("HGET");
        command.arg(&self.names.choices).arg(names::person(person));
        let stored: Option<String> = self.ask("choice", &command).await?;
        let keys = self.keys().await?;
        stored.map(|stored| read_choice(person, &stored, keys)).transpose()
    }

    /// See [`Store::unlink`](crate::store::Store::unlink).
    pub(super) async fn remove_link(&self, person: &Person) -> Result<bool, StoreError> {
        let call = UNLINK
            .on(&self.names.of_source(&person.source))
            .arg(self.now())
            .arg(names::part(person.employee.as_str()).as_ref())
            .arg(names::person(person));
        read("unlink", call.run(&self.connection).await)
    }
}

/// Adds a link as scripts take it: account, stored form, row of `awaiting`, appointment.
pub(super) fn with_link(call: Call, person: &Person, link: &Link, keys: &Keys) -> Call {
    let account = link.account.as_ref().map_or("", |account| account.as_str());
    let row = link.awaits.as_ref().map(|manager| names::awaiting(person, &keys.tag(manager)));
    let at = link.appointment.as_ref().map(|appointment| ms_up(appointment.at).to_string());
    call.arg(account)
        .arg(keys.write(&Place::link(person), link))
        .arg(row.unwrap_or_default())
        .arg(at.unwrap_or_default())
}

/// Reads a stored link.
pub(super) fn read_link(person: &Person, stored: &str, keys: &Keys) -> Result<Link, StoreError> {
    let (_, link) = stored.split_once('\0').ok_or_else(|| damaged("link"))?;
    keys.read(&Place::link(person), link)
}

/// Reads a stored choice.
pub(super) fn read_choice(
    person: &Person,
    stored: &str,
    keys: &Keys,
) -> Result<Choice, StoreError> {
    record::read_choice(&keys.open(&Place::choice(person), stored)?)
}

/// Reads a stored person.
pub(super) fn read_person(stored: &str) -> Result<Person, StoreError> {
    names::read_person(stored).ok_or_else(|| damaged("person"))
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Unreadable { what, why: "a part is missing".into() }
}

/// What a script said about the lease.
pub(super) fn verdict(answer: &[String]) -> Result<(), StoreError> {
    match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["done"] => Ok(()),
        ["taken", owner] => Err(StoreError::AccountTaken(read_person(owner)?)),
        _ => Err(StoreError::LeaseLost),
    }
}

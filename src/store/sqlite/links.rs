//! Links: whose account is whose, who waits for what, and what humans decided. What a link is found
//! by stands in columns of its row, so that both are always written together.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::file::Db;
use super::rows::{keys, person};
use super::{Stop, limit};
use crate::model::{AccountId, Choice, EmployeeId, Link, Person, SourceName};
use crate::store::seal::Place;
use crate::store::{Links, StoreError, from_ms, ms_up, record};

/// What is known of a person's account.
pub(super) fn link(db: &Db, person: &Person) -> Result<Option<Link>, Stop> {
    let sql = "SELECT record FROM link WHERE source = ?1 AND employee = ?2";
    let record: Option<String> =
        db.prepare_cached(sql)?.query_row(keys(person), |row| row.get(0)).optional()?;
    Ok(record.map(|record| db.keys.read(&Place::link(person), &record)).transpose()?)
}

/// Whose account this is.
pub(super) fn owner(db: &Db, account: &AccountId) -> Result<Option<Person>, Stop> {
    let sql = "SELECT source, employee FROM link WHERE account = ?1";
    Ok(db.prepare_cached(sql)?.query_row([account.as_str()], person).optional()?)
}

/// Writes a person's link, unless the account is another person's.
pub(super) fn write(db: &Db, person: &Person, link: &Link) -> Result<(), Stop> {
    if let Some(account) = &link.account
        && let Some(owner) = owner(db, account)?
        && owner != *person
    {
        return Err(StoreError::AccountTaken(owner).into());
    }
    let sql = "INSERT INTO link (source, employee, account, awaits, appointment, record) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT (source, employee) DO UPDATE \
               SET account = excluded.account, awaits = excluded.awaits, \
                   appointment = excluded.appointment, record = excluded.record";
    let (source, employee) = keys(person);
    db.prepare_cached(sql)?.execute(params![
        source,
        employee,
        link.account.as_ref().map(AccountId::as_str),
        link.awaits.as_ref().map(|manager| db.keys.tag(manager)),
        link.appointment.as_ref().map(|appointment| ms_up(appointment.at)),
        db.keys.write(&Place::link(person), link),
    ])?;
    Ok(())
}

/// Takes a person's link away.
pub(super) fn remove(db: &Db, person: &Person) -> Result<(), Stop> {
    let sql = "DELETE FROM link WHERE source = ?1 AND employee = ?2";
    db.prepare_cached(sql)?.execute(keys(person))?;
    Ok(())
}

/// A part of a source's links, in the order of their employees; `from` is the last one of the part
/// before.
pub(super) fn page(
    db: &Db,
    source: &SourceName,
    from: Option<&str>,
    most: usize,
) -> Result<Links, Stop> {
    // Two statements: an OR would not be answered from the index.
    let sql = match from {
        Some(_) => {
            "SELECT employee, record FROM link WHERE source = ?1 AND employee > ?2 \
             ORDER BY employee LIMIT ?3"
        }
        None => {
            "SELECT employee, record FROM link WHERE source = ?1 AND ?2 IS NULL \
             ORDER BY employee LIMIT ?3"
        }
    };
    let most = most.max(1);
    let mut find = db.prepare_cached(sql)?;
    let mut found = find.query((source.as_str(), from, limit(most)))?;
    let mut links = Vec::new();
    while let Some(row) = found.next()? {
        let employee = EmployeeId::new(row.get::<_, String>(0)?);
        let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let person = Person { source: source.clone(), employee };
        let link = db.keys.read(&Place::link(&person), text)?;
        links.push((person, link));
    }
    let last = links.last().filter(|_| links.len() == most);
    let next = last.map(|(person, _)| person.employee.to_string());
    Ok(Links { links, next })
}

/// Who awaits this manager.
pub(super) fn awaiting(
    db: &Db,
    source: &SourceName,
    manager: &str,
    most: usize,
) -> Result<Vec<Person>, Stop> {
    let sql = "SELECT source, employee FROM link WHERE source = ?1 AND awaits = ?2 \
               ORDER BY employee LIMIT ?3";
    let mut find = db.prepare_cached(sql)?;
    let mut awaiting: Vec<Person> = Vec::new();
    for tag in db.keys.tags(manager) {
        let room = limit(most - awaiting.len());
        for found in find.query_map((source.as_str(), tag, room), person)? {
            awaiting.push(found?);
        }
    }
    Ok(awaiting)
}

/// Whose appointment has come, the earliest first.
pub(super) fn appointments(
    db: &Db,
    until: Timestamp,
    most: usize,
) -> Result<Vec<(Person, Timestamp)>, Stop> {
    let sql = "SELECT source, employee, appointment FROM link \
               WHERE appointment IS NOT NULL AND appointment <= ?1 ORDER BY appointment LIMIT ?2";
    let mut find = db.prepare_cached(sql)?;
    let mut found = find.query((until.as_millisecond(), limit(most)))?;
    let mut appointments = Vec::new();
    while let Some(row) = found.next()? {
        appointments.push((person(row)?, from_ms(row.get(2)?)));
    }
    Ok(appointments)
}

/// Writes what a human decided, in its stored form, or takes it back.
pub(super) fn choose(db: &Db, person: &Person, choice: Option<&str>) -> Result<(), Stop> {
    let (source, employee) = keys(person);
    if let Some(record) = choice {
        let sql = "INSERT INTO choice (source, employee, record) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (source, employee) DO UPDATE SET record = excluded.record";
        db.prepare_cached(sql)?.execute((source, employee, record))?;
    } else {
        let sql = "DELETE FROM choice WHERE source = ?1 AND employee = ?2";
        db.prepare_cached(sql)?.execute((source, employee))?;
    }
    Ok(())
}

/// What a human decided about a person's account.
pub(super) fn choice(db: &Db, person: &Person) -> Result<Option<Choice>, Stop> {
    let sql = "SELECT record FROM choice WHERE source = ?1 AND employee = ?2";
    let record: Option<String> =
        db.prepare_cached(sql)?.query_row(keys(person), |row| row.get(0)).optional()?;
    let Some(record) = record else { return Ok(None) };
    let record = db.keys.open(&Place::choice(person), &record)?;
    Ok(Some(record::read_choice(&record)?))
}

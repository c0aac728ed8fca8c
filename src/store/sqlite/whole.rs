//! The store as a whole: handed out thing by thing, taken in again, and each thing replaced by
//! another as long as it is what it was thought to be.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row};

use super::file::Db;
use super::rows::{self, EventRecord, Written, keys, requeue};
use super::{Stop, audit, forgotten, limit, links, list, notes, runs};
use crate::model::{
    AuditId, DeliveryId, DeliveryState, EmployeeId, EventId, Person, Run, RunId, SourceName,
};
use crate::store::seal::Place;
use crate::store::stored::At;
use crate::store::{Dump, Found, KeptEvent, Stored, StoredEvent, from_ms, record};

/// What a kind of thing is read by. The first two columns are its place in the order; a place of
/// text begins with nothing, a number with the least.
struct Stage {
    sql: &'static str,
    text: (bool, bool),
    read: fn(&Db, &Row<'_>) -> Result<Found, Stop>,
}

/// Each kind, in the order in which they are taken in again.
const STAGES: [Stage; 10] = [
    Stage {
        sql: "SELECT received, rowid, id, record, raw, delivery, repeats FROM event \
              WHERE (received, rowid) > (?1, ?2) ORDER BY received, rowid LIMIT ?3",
        text: (false, false),
        read: event,
    },
    Stage {
        sql: "SELECT rowid, 0, record, id FROM delivery WHERE rowid > ?1 AND ?2 IS NOT NULL \
              ORDER BY rowid LIMIT ?3",
        text: (false, false),
        read: |db, row| {
            let place = Place::delivery(&DeliveryId::new(row.get::<_, String>(3)?));
            found(db, row, |text| Ok(Stored::Delivery(db.keys.read(&place, text)?)))
        },
    },
    Stage {
        sql: "SELECT rowid, 0, record, source, employee FROM link \
              WHERE rowid > ?1 AND ?2 IS NOT NULL ORDER BY rowid LIMIT ?3",
        text: (false, false),
        read: |db, row| {
            let person = of_columns(row)?;
            found(db, row, |text| {
                let link = db.keys.read(&Place::link(&person), text)?;
                Ok(Stored::Link { person: person.clone(), link })
            })
        },
    },
    Stage {
        sql: "SELECT source, employee, record, source, employee FROM choice \
              WHERE (source, employee) > (?1, ?2) ORDER BY source, employee LIMIT ?3",
        text: (true, true),
        read: |db, row| {
            let person = of_columns(row)?;
            found(db, row, |text| {
                let choice = record::read_choice(&db.keys.open(&Place::choice(&person), text)?)?;
                Ok(Stored::Choice { person: person.clone(), choice })
            })
        },
    },
    Stage {
        sql: "SELECT name, '', text FROM note WHERE name > ?1 AND ?2 IS NOT NULL \
              ORDER BY name LIMIT ?3",
        text: (true, true),
        read: |db, row| {
            let name: String = row.get(0)?;
            found(db, row, |text| {
                let text = db.keys.open(&Place::note(&name), text)?.into_owned();
                Ok(Stored::Note { name: name.clone(), text })
            })
        },
    },
    Stage {
        sql: "SELECT id, '', record FROM run WHERE id > ?1 AND ?2 IS NOT NULL \
              ORDER BY id LIMIT ?3",
        text: (true, true),
        read: |db, row| {
            let place = Place::run(&RunId::new(row.get::<_, String>(0)?));
            found(db, row, |text| Ok(Stored::Run(db.keys.read(&place, text)?)))
        },
    },
    Stage {
        sql: "SELECT run, number, record FROM item WHERE (run, number) > (?1, ?2) \
              ORDER BY run, number LIMIT ?3",
        text: (true, false),
        read: |db, row| {
            let run = RunId::new(row.get::<_, String>(0)?);
            let number = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            found(db, row, |text| {
                let item = db.keys.read(&Place::item(&run, number), text)?;
                Ok(Stored::Item { run: run.clone(), item })
            })
        },
    },
    Stage {
        sql: "SELECT scope, '', record FROM hold WHERE scope > ?1 AND ?2 IS NOT NULL \
              ORDER BY scope LIMIT ?3",
        text: (true, true),
        read: |db, row| {
            let place = Place::hold(&row.get::<_, String>(0)?);
            found(db, row, |text| Ok(Stored::Hold(db.keys.read(&place, text)?)))
        },
    },
    Stage {
        sql: "SELECT source, employee, at, source, employee FROM forgotten \
              WHERE (source, employee) > (?1, ?2) ORDER BY source, employee LIMIT ?3",
        text: (true, true),
        read: |_, row| {
            let kept = Stored::Forgotten { person: of_columns(row)?, at: from_ms(row.get(2)?) };
            Ok(Found { kept, newest: true })
        },
    },
    Stage {
        sql: "SELECT id, '', record FROM audit WHERE id > ?1 AND ?2 IS NOT NULL \
              ORDER BY id LIMIT ?3",
        text: (true, true),
        read: |db, row| {
            let place = Place::audit(&AuditId::new(row.get::<_, String>(0)?));
            found(db, row, |text| Ok(Stored::Audit(db.keys.read(&place, text)?)))
        },
    },
];

/// What stands in the third column, and whether the newest key sealed it.
fn found(
    db: &Db,
    row: &Row<'_>,
    read: impl FnOnce(&str) -> Result<Stored, Stop>,
) -> Result<Found, Stop> {
    let stored = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(Found { kept: read(stored)?, newest: db.keys.is_newest(stored.as_bytes()) })
}

/// A person in the fourth and fifth column.
fn of_columns(row: &Row<'_>) -> Result<Person, rusqlite::Error> {
    Ok(Person {
        source: SourceName::new(row.get::<_, String>(3)?),
        employee: EmployeeId::new(row.get::<_, String>(4)?),
    })
}

fn event(db: &Db, row: &Row<'_>) -> Result<Found, Stop> {
    let id = EventId::new(row.get::<_, String>(2)?);
    let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let raw = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let last = DeliveryId::new(row.get::<_, String>(5)?);
    let repeats = u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0);
    let newest = db.keys.is_newest(text.as_bytes()) && db.keys.is_newest(raw);
    let event = EventRecord::read(id, text, raw, &db.keys)?;
    // Which others need it: the one that carries it now comes last.
    let sql = "SELECT id FROM delivery WHERE event = ?1 AND state IN ('waiting', 'dead') \
               ORDER BY id";
    let mut find = db.prepare_cached(sql)?;
    let needing = find.query_map([event.id.as_str()], |row| row.get::<_, String>(0))?;
    let mut carriers: Vec<_> =
        needing.map(|id| id.map(DeliveryId::new)).collect::<Result<_, _>>()?;
    carriers.retain(|id| *id != last);
    carriers.push(last);
    Ok(Found { kept: Stored::Event(StoredEvent::new(event, carriers, repeats)), newest })
}

/// A part of everything.
pub(super) fn dump(db: &Db, from: Option<&str>, most: usize) -> Result<Dump, Stop> {
    let (mut at, most, mut dump) = (At::read(from), most.max(1), Dump::default());
    while let Some(stage) = STAGES.get(at.stage) {
        let missing = most - dump.found.len();
        let place = |text: &str, is_text: bool| {
            if is_text {
                Value::Text(text.to_owned())
            } else {
                Value::Integer(text.parse().unwrap_or(i64::MIN))
            }
        };
        let mut find = db.prepare_cached(stage.sql)?;
        let begin = (place(&at.a, stage.text.0), place(&at.b, stage.text.1), limit(missing));
        let mut rows = find.query(begin)?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            let word = |column| -> Result<String, rusqlite::Error> {
                Ok(match row.get::<_, Value>(column)? {
                    Value::Text(text) => text,
                    Value::Integer(number) => number.to_string(),
                    _ => String::new(),
                })
            };
            (at.a, at.b) = (word(0)?, word(1)?);
            dump.found.push((stage.read)(db, row)?);
            read += 1;
        }
        if read == missing {
            dump.next = Some(at.text());
            return Ok(dump);
        }
        at.turn();
    }
    Ok(dump)
}

/// Takes in one thing that a store handed out.
pub(super) fn restore(db: &Db, kept: &Stored) -> Result<(), Stop> {
    match kept {
        Stored::Event(event) => {
            let last = event.carriers.last().map_or("", DeliveryId::as_str);
            let raw = db.keys.shut_bytes(&Place::body(&event.id), &event.raw);
            let sql = "INSERT INTO event (id, received, delivery, repeats, record, raw) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING";
            db.prepare_cached(sql)?.execute((
                event.id.as_str(),
                event.received_at.as_millisecond(),
                last,
                i64::try_from(event.repeats).unwrap_or(i64::MAX),
                EventRecord::write(&event.event(), &db.keys),
                &*raw,
            ))?;
        }
        Stored::Delivery(delivery) => {
            let written = Written::new(delivery.clone(), &db.keys);
            db.prepare_cached("DELETE FROM delivery WHERE id = ?1")?
                .execute([delivery.id.as_str()])?;
            written.insert(db)?;
            if delivery.state == DeliveryState::Waiting {
                rows::enqueue(db, delivery)?;
            }
        }
        Stored::Link { person, link } => links::write(db, person, link)?,
        Stored::Choice { person, choice } => {
            let text = db.keys.shut(&Place::choice(person), &record::write_choice(choice));
            links::choose(db, person, Some(&text))?;
        }
        Stored::Note { name, text } => {
            let before = notes::read(db, name)?;
            notes::put(db, name, before.as_deref(), Some(text))?;
        }
        Stored::Run(run) => runs::Ready::new(run, &db.keys).put(db)?,
        Stored::Item { run, item } => {
            let text = db.keys.write(&Place::item(run, item.number), item);
            runs::save_items(db, run, &[(item.number, text)])?;
        }
        Stored::Hold(hold) => list::hold(db, hold)?,
        Stored::Forgotten { person, at } => forgotten::write(db, person, *at)?,
        Stored::Audit(entry) => audit::write(db, entry)?,
    }
    Ok(())
}

/// Puts one thing in the place of another, if that is as it was thought to be; says whether it was.
pub(super) fn swap(
    db: &Db,
    old: &Stored,
    new: Option<&Stored>,
    now: Timestamp,
) -> Result<bool, Stop> {
    if let Some(person) = guarded(old, new)
        && is_leased(db, &person, now)?
    {
        return Ok(false);
    }
    let stands = |stands: Option<Stored>| stands.as_ref() == Some(old);
    let as_thought = match old {
        Stored::Event(event) => {
            let kept = list::event(db, event.id.clone())?;
            let same = |kept: &KeptEvent| kept.event == event.event();
            kept.as_ref().is_some_and(same)
        }
        Stored::Delivery(it) => stands(rows::delivery(db, it.id.as_str())?.map(Stored::Delivery)),
        Stored::Link { person, .. } => stands(
            links::link(db, person)?.map(|link| Stored::Link { person: person.clone(), link }),
        ),
        Stored::Choice { person, .. } => stands(
            links::choice(db, person)?
                .map(|choice| Stored::Choice { person: person.clone(), choice }),
        ),
        Stored::Note { name, .. } => {
            stands(notes::read(db, name)?.map(|text| Stored::Note { name: name.clone(), text }))
        }
        Stored::Run(run) => stands(runs::run(db, &run.id)?.map(Stored::Run)),
        Stored::Item { run, item } => {
            let there = runs::items(db, run, item.number.saturating_sub(1), 1)?;
            there.first() == Some(item)
        }
        Stored::Hold(hold) => list::holds(db)?.contains(hold),
        Stored::Audit(entry) => audit::one(db, &entry.id)?.as_ref() == Some(entry),
        Stored::Forgotten { .. } => false,
    };
    if !as_thought {
        return Ok(false);
    }
    match (old, new) {
        (Stored::Event(_), Some(Stored::Event(event))) => {
            let raw = db.keys.shut_bytes(&Place::body(&event.id), &event.raw);
            let record = EventRecord::write(&event.event(), &db.keys);
            db.prepare_cached("UPDATE event SET record = ?2, raw = ?3 WHERE id = ?1")?
                .execute((event.id.as_str(), record, &*raw))?;
        }
        (Stored::Delivery(_), Some(Stored::Delivery(delivery))) => {
            Written::new(delivery.clone(), &db.keys).update(db)?;
        }
        // Whoever has read it before is to read it again.
        (Stored::Run(old), Some(Stored::Run(run))) => {
            let run = Run { revision: old.revision + 1, ..run.clone() };
            runs::Ready::new(&run, &db.keys).put(db)?;
        }
        (_, Some(new)) => restore(db, new)?,
        (_, None) => remove(db, old)?,
    }
    Ok(true)
}

/// Takes one thing away.
fn remove(db: &Db, kept: &Stored) -> Result<(), Stop> {
    let by_name = |sql, name: &str| db.prepare_cached(sql)?.execute([name]);
    match kept {
        Stored::Event(event) => {
            by_name("DELETE FROM event WHERE id = ?1", event.id.as_str())?;
        }
        Stored::Delivery(delivery) => {
            by_name("DELETE FROM delivery WHERE id = ?1", delivery.id.as_str())?;
            if let Some(person) = delivery.person() {
                requeue(db, &person)?;
            }
        }
        Stored::Link { person, .. } => links::remove(db, person)?,
        Stored::Choice { person, .. } => links::choose(db, person, None)?,
        Stored::Note { name, .. } => {
            by_name("DELETE FROM note WHERE name = ?1", name)?;
        }
        Stored::Hold(hold) => {
            by_name("DELETE FROM hold WHERE scope = ?1", &hold.scope)?;
        }
        Stored::Audit(entry) => {
            by_name("DELETE FROM audit WHERE id = ?1", entry.id.as_str())?;
        }
        // They go with their runs, and runs with their time.
        Stored::Run(_) | Stored::Item { .. } | Stored::Forgotten { .. } => {}
    }
    Ok(())
}

/// Whose lease is in the way: of what says something else afterwards.
fn guarded(old: &Stored, new: Option<&Stored>) -> Option<Person> {
    match old {
        _ if new == Some(old) => None,
        Stored::Delivery(delivery) => delivery.person(),
        Stored::Link { person, .. } => Some(person.clone()),
        _ => None,
    }
}

fn is_leased(db: &Db, person: &Person, now: Timestamp) -> Result<bool, Stop> {
    let sql = "SELECT 1 FROM person WHERE source = ?1 AND employee = ?2 AND lease IS NOT NULL \
               AND lease_until > ?3";
    let (source, employee) = keys(person);
    let mut find = db.prepare_cached(sql)?;
    let found: Option<i64> =
        find.query_row((source, employee, now.as_millisecond()), |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

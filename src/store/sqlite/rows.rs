//! Rows: how a delivery and an event are written and read, and a person's place in the queue.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::Stop;
use super::file::Db;
use crate::model::{
    Delivery, DeliveryId, DeliveryState, EmployeeId, Event, EventId, Lane, Person, SourceName,
};
use crate::store::seal::{Keys, Place};

/// A delivery with its stored form, which the caller makes, so that the writer only writes.
pub(super) struct Written {
    pub(super) delivery: Delivery,
    record: String,
}

impl Written {
    pub(super) fn new(delivery: Delivery, keys: &Keys) -> Self {
        Self { record: keys.write(&Place::delivery(&delivery.id), &delivery), delivery }
    }

    pub(super) fn insert(&self, db: &Db) -> Result<(), Stop> {
        let sql = "INSERT INTO delivery (id, event, source, employee, kind, code, lane, state, \
                   due, received, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let delivery = &self.delivery;
        db.prepare_cached(sql)?.execute(params![
            delivery.id.as_str(),
            delivery.event.as_str(),
            delivery.source.as_str(),
            delivery.employee.as_ref().map(EmployeeId::as_str),
            delivery.kind,
            delivery.code,
            lane(delivery.lane),
            delivery.state.word(),
            delivery.due.as_millisecond(),
            delivery.received_at.as_millisecond(),
            self.record,
        ])?;
        Ok(())
    }

    pub(super) fn update(&self, db: &Db) -> Result<(), Stop> {
        let sql = "UPDATE delivery SET code = ?2, lane = ?3, state = ?4, due = ?5, record = ?6 \
                   WHERE id = ?1";
        let delivery = &self.delivery;
        db.prepare_cached(sql)?.execute(params![
            delivery.id.as_str(),
            delivery.code,
            lane(delivery.lane),
            delivery.state.word(),
            delivery.due.as_millisecond(),
            self.record,
        ])?;
        Ok(())
    }
}

/// The stored word for a lane.
pub(super) fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Live => "live",
        Lane::Bulk => "bulk",
    }
}

/// One delivery.
pub(super) fn delivery(db: &Db, id: &str) -> Result<Option<Delivery>, Stop> {
    let mut find = db.prepare_cached("SELECT record FROM delivery WHERE id = ?1")?;
    let record: Option<String> = find.query_row([id], |row| row.get(0)).optional()?;
    let place = Place::delivery(&DeliveryId::new(id));
    Ok(record.map(|record| db.keys.read(&place, &record)).transpose()?)
}

/// What is stored of an event, beside its id and its raw body.
#[derive(Serialize, Deserialize)]
pub(super) struct EventRecord {
    source: SourceName,
    kind: String,
    company: Option<String>,
    employee: Option<EmployeeId>,
    received_at: Timestamp,
}

impl EventRecord {
    pub(super) fn write(event: &Event, keys: &Keys) -> String {
        let record = Self {
            source: event.source.clone(),
            kind: event.kind.clone(),
            company: event.company.clone(),
            employee: event.employee.clone(),
            received_at: event.received_at,
        };
        keys.write(&Place::event(&event.id), &record)
    }

    pub(super) fn read(id: EventId, text: &str, raw: &[u8], keys: &Keys) -> Result<Event, Stop> {
        let record: Self = keys.read(&Place::event(&id), text)?;
        let Self { source, kind, company, employee, received_at } = record;
        let raw = keys.open_bytes(&Place::body(&id), raw)?.into_owned().into();
        Ok(Event { id, source, kind, company, employee, received_at, raw })
    }
}

/// A person from two columns, `source` and `employee`.
pub(super) fn person(row: &Row<'_>) -> Result<Person, rusqlite::Error> {
    Ok(Person {
        source: SourceName::new(row.get::<_, String>(0)?),
        employee: EmployeeId::new(row.get::<_, String>(1)?),
    })
}

/// The two columns by which a person is found.
pub(super) fn keys(person: &Person) -> (&str, &str) {
    (person.source.as_str(), person.employee.as_str())
}

/// Puts a waiting delivery of a person in the queue.
pub(super) fn enqueue(db: &Db, delivery: &Delivery) -> Result<(), Stop> {
    let Some(person) = delivery.person() else { return Ok(()) };
    debug_assert_eq!(delivery.state, DeliveryState::Waiting);
    let sql = match delivery.lane {
        Lane::Live => {
            "INSERT INTO person (source, employee, live_due) VALUES (?1, ?2, ?3) \
             ON CONFLICT (source, employee) DO UPDATE SET live_due = excluded.live_due \
             WHERE live_due IS NULL OR live_due > excluded.live_due"
        }
        Lane::Bulk => {
            "INSERT INTO person (source, employee, bulk_due) VALUES (?1, ?2, ?3) \
             ON CONFLICT (source, employee) DO UPDATE SET bulk_due = excluded.bulk_due \
             WHERE bulk_due IS NULL OR bulk_due > excluded.bulk_due"
        }
    };
    let (source, employee) = keys(&person);
    db.prepare_cached(sql)?.execute((source, employee, delivery.due.as_millisecond()))?;
    Ok(())
}

/// Ends a person's lease: back in the queue at the time of the first waiting delivery of each
/// lane, or out of it when none is left.
pub(super) fn requeue(db: &Db, person: &Person) -> Result<(), Stop> {
    let (source, employee) = keys(person);
    let first = |lane| -> Result<Option<i64>, rusqlite::Error> {
        let sql = "SELECT due FROM delivery WHERE source = ?1 AND employee = ?2 AND lane = ?3 \
                   AND state = 'waiting' ORDER BY due LIMIT 1";
        let mut find = db.prepare_cached(sql)?;
        find.query_row((source, employee, lane), |row| row.get(0)).optional()
    };
    let (live, bulk) = (first("live")?, first("bulk")?);
    if live.is_none() && bulk.is_none() {
        let sql = "DELETE FROM person WHERE source = ?1 AND employee = ?2";
        db.prepare_cached(sql)?.execute((source, employee))?;
    } else {
        let sql = "UPDATE person SET live_due = ?3, bulk_due = ?4, lease = NULL, \
                   lease_until = NULL, held = NULL WHERE source = ?1 AND employee = ?2";
        db.prepare_cached(sql)?.execute((source, employee, live, bulk))?;
    }
    Ok(())
}

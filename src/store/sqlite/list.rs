//! Looking things up, listing and counting them.

use std::fmt::Write as _;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use super::file::Db;
use super::rows::EventRecord;
use super::{Stop, limit};
use crate::model::{Delivery, DeliveryId, EventId};
use crate::store::seal::Place;
use crate::store::{Depth, Filter, Hold, KeptEvent};

/// One event.
pub(super) fn event(db: &Db, id: EventId) -> Result<Option<KeptEvent>, Stop> {
    let sql = "SELECT record, raw, delivery, repeats FROM event WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row([id.as_str()], |row| {
        let (record, raw): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (delivery, repeats): (String, i64) = (row.get(2)?, row.get(3)?);
        Ok((record, raw, delivery, repeats))
    });
    let Some((record, raw, delivery, repeats)) = found.optional()? else { return Ok(None) };
    Ok(Some(KeptEvent {
        event: EventRecord::read(id, &record, &raw, &db.keys)?,
        delivery: DeliveryId::new(delivery),
        repeats: u64::try_from(repeats).unwrap_or(0),
    }))
}

/// Deliveries that fit, newest first. Their ids are in the order of their creation.
pub(super) fn deliveries(db: &Db, filter: &Filter, most: usize) -> Result<Vec<Delivery>, Stop> {
    let mut filter = filter.clone();
    let mut deliveries = Vec::new();
    while deliveries.len() < most {
        let missing = most - deliveries.len();
        let (rows, last) = some(db, &filter, missing, &mut deliveries)?;
        if rows < missing {
            break;
        }
        // Should some have been unreadable, others come in their place.
        filter.before = last;
    }
    Ok(deliveries)
}

/// Adds the deliveries of so many rows; says how many there were and which was the last.
fn some(
    db: &Db,
    filter: &Filter,
    most: usize,
    deliveries: &mut Vec<Delivery>,
) -> Result<(usize, Option<DeliveryId>), Stop> {
    let text = |text: &str| Value::from(text.to_owned());
    let time = |time: Timestamp| Value::from(time.as_millisecond());
    let conditions = [
        ("state =", filter.state.map(|state| text(state.word()))),
        ("source =", filter.source.as_ref().map(|source| text(source.as_str()))),
        ("employee =", filter.employee.as_deref().map(text)),
        ("code =", filter.code.as_deref().map(text)),
        ("kind =", filter.kind.as_deref().map(text)),
        ("received >=", filter.since.map(time)),
        ("received <", filter.until.map(time)),
        ("id <", filter.before.as_ref().map(|id| text(id.as_str()))),
    ];
    let mut sql = String::from("SELECT record, id FROM delivery WHERE 1");
    let mut values = Vec::new();
    for (condition, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            // Writing to a string cannot fail.
            let _ = write!(sql, " AND {condition} ?{}", values.len());
        }
    }
    values.push(Value::from(limit(most)));
    let _ = write!(sql, " ORDER BY id DESC LIMIT ?{}", values.len());

    let mut find = db.prepare_cached(&sql)?;
    let mut found = find.query(params_from_iter(values))?;
    let (mut rows, mut last) = (0, None);
    while let Some(row) = found.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let id = DeliveryId::new(text(1)?);
        match db.keys.read(&Place::delivery(&id), text(0)?) {
            Ok(delivery) => deliveries.push(delivery),
            Err(error) => tracing::error!(delivery = %id, %error, "it is not listed"),
        }
        rows += 1;
        last = Some(id);
    }
    Ok((rows, last))
}

/// How much there is.
pub(super) fn depth(db: &Db, now: Timestamp) -> Result<Depth, Stop> {
    let mut depth = Depth::default();
    let mut count = db.prepare_cached("SELECT state, count(*) FROM delivery GROUP BY state")?;
    let mut found = count.query([])?;
    while let Some(row) = found.next()? {
        let number = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        match row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? {
            "waiting" => depth.waiting = number,
            "dead" => depth.dead = number,
            "done" => depth.done = number,
            _ => depth.ignored = number,
        }
    }
    let sql = "SELECT count(*) FROM person WHERE lease IS NOT NULL AND lease_until > ?1";
    let leased: i64 =
        db.prepare_cached(sql)?.query_row([now.as_millisecond()], |row| row.get(0))?;
    depth.leased = u64::try_from(leased).unwrap_or(0);
    let sql = "SELECT received FROM delivery WHERE state = 'waiting' ORDER BY id LIMIT 1";
    let oldest: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    depth.oldest = oldest.and_then(|at| Timestamp::from_millisecond(at).ok());
    Ok(depth)
}

/// Sets or replaces a hold.
pub(super) fn hold(db: &Db, hold: &Hold) -> Result<(), Stop> {
    let record = db.keys.write(&Place::hold(&hold.scope), hold);
    let sql = "INSERT INTO hold (scope, record) VALUES (?1, ?2) \
               ON CONFLICT (scope) DO UPDATE SET record = excluded.record";
    db.prepare_cached(sql)?.execute((&hold.scope, record))?;
    Ok(())
}

/// All holds.
pub(super) fn holds(db: &Db) -> Result<Vec<Hold>, Stop> {
    let mut find = db.prepare_cached("SELECT record, scope FROM hold ORDER BY scope")?;
    let mut found = find.query([])?;
    let mut holds = Vec::new();
    while let Some(row) = found.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        holds.push(db.keys.read(&Place::hold(text(1)?), text(0)?)?);
    }
    Ok(holds)
}

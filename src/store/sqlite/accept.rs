//! Taking in: an event, its delivery and the person's place in the queue, or a repeat.

use rusqlite::OptionalExtension;

use super::file::Db;
use super::rows::{EventRecord, Written, enqueue};
use super::{Stop, forgotten};
use crate::model::{Arrival, DeliveryId, DeliveryState};
use crate::store::Accepted;
use crate::store::seal::{Keys, Place};

/// An arrival, ready to be written.
pub(super) struct Ready {
    arrival: Arrival,
    record: String,
    raw: Vec<u8>,
    delivery: Written,
}

impl Ready {
    /// Does what needs no database.
    pub(super) fn new(arrival: Arrival, keys: &Keys) -> Self {
        let delivery = Written::new(arrival.first_delivery(), keys);
        let event = &arrival.event;
        let record = EventRecord::write(event, keys);
        let raw = keys.shut_bytes(&Place::body(&event.id), &event.raw).into_owned();
        Self { arrival, record, raw, delivery }
    }

    /// Writes it, or counts the repeat.
    pub(super) fn accept(self, db: &Db) -> Result<Accepted, Stop> {
        if let Some(person) = self.delivery.delivery.person()
            && forgotten::when(db, &person)?.is_some()
        {
            return Self::new(self.arrival.of_the_forgotten(), &db.keys).take_in(db);
        }
        self.take_in(db)
    }

    fn take_in(self, db: &Db) -> Result<Accepted, Stop> {
        let delivery = &self.delivery.delivery;
        let sql = "INSERT INTO event (id, received, delivery, record, raw) \
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING";
        let new = db.prepare_cached(sql)?.execute((
            self.arrival.event.id.as_str(),
            delivery.received_at.as_millisecond(),
            delivery.id.as_str(),
            &self.record,
            &self.raw,
        ))?;
        if new == 0
            && let Some(accepted) = self.repeat(db)?
        {
            return Ok(accepted);
        }
        self.delivery.insert(db)?;
        if delivery.state == DeliveryState::Waiting {
            enqueue(db, delivery)?;
        }
        Ok(Accepted::New(self.delivery.delivery.id))
    }

    /// Counts a repeat. Gives the delivery of the event, unless it is dead: then the event is to
    /// be delivered once more. The same arrival once more is not counted.
    fn repeat(&self, db: &Db) -> Result<Option<Accepted>, Stop> {
        let sql = "SELECT event.delivery, delivery.state FROM event \
                   LEFT JOIN delivery ON delivery.id = event.delivery WHERE event.id = ?1";
        let found = db.prepare_cached(sql)?.query_row([self.arrival.event.id.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        });
        let Some((carrier, state)) = found.optional()? else { return Ok(None) };
        let carrier = DeliveryId::new(carrier);
        if carrier == self.delivery.delivery.id {
            return Ok(Some(Accepted::New(carrier)));
        }
        let dead = state.as_deref() == Some(DeliveryState::Dead.word());
        let now = if dead { &self.delivery.delivery.id } else { &carrier };
        db.prepare_cached("UPDATE event SET repeats = repeats + 1, delivery = ?2 WHERE id = ?1")?
            .execute((self.arrival.event.id.as_str(), now.as_str()))?;
        Ok((!dead).then_some(Accepted::Repeat(carrier)))
    }
}

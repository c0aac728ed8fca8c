//! Leasing persons and settling them.
//!
//! A lease is a few columns of the person's row: its token, its end and the ids of what it holds.
//! The deliveries themselves are written only when something became of them.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::file::Db;
use super::rows::{self, Written, keys, requeue};
use super::{Stop, limit, links};
use crate::clock::Deadline;
use crate::model::{
    Delivery, DeliveryId, DeliveryState, EmployeeId, Lane, Link, Person, SourceName,
};
use crate::store::seal::Place;
use crate::store::{Due, Lease, StoreError};

/// How long a person whose records cannot be read is left alone, in milliseconds.
const UNREADABLE_PAUSE: i64 = 60_000;

/// What to lease, with everything that needs no database.
pub(super) struct Request {
    pub(super) source: SourceName,
    pub(super) persons: usize,
    /// How many of them are to be persons with bulk work, if there are such.
    pub(super) bulk: usize,
    /// Nobody is picked for work in this lane.
    pub(super) without: Option<Lane>,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) deadline: Deadline,
}

impl Request {
    /// Leases, after it has taken back what ran out.
    pub(super) fn lease(&self, db: &Db) -> Result<Vec<Lease>, Stop> {
        take_back(db, &self.source, self.now)?;
        let mut leases = Vec::new();
        for employee in self.choose(db)? {
            let employee = EmployeeId::new(employee);
            let person = Person { source: self.source.clone(), employee };
            match self.grant(db, &person) {
                Ok(lease) => leases.extend(lease),
                // What cannot be read now is left for a newer program, and holds nobody else up.
                Err(Stop::Store(error)) => {
                    tracing::error!(%person, %error, "this person cannot be leased");
                    self.postpone(db, &person)?;
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(leases)
    }

    /// Who is leased: live work, but for the share of bulk work; then whoever else is due.
    fn choose(&self, db: &Db) -> Result<Vec<String>, Stop> {
        let due = |lane, sql| -> Result<Vec<String>, rusqlite::Error> {
            if self.without == Some(lane) {
                return Ok(Vec::new());
            }
            let mut find = db.prepare_cached(sql)?;
            let keys = (self.source.as_str(), self.now.as_millisecond(), limit(self.persons));
            find.query_map(keys, |row| row.get(0))?.collect()
        };
        let live = due(
            Lane::Live,
            "SELECT employee FROM person WHERE source = ?1 AND lease IS NULL \
                        AND live_due IS NOT NULL AND live_due <= ?2 ORDER BY live_due LIMIT ?3",
        )?;
        let bulk = due(
            Lane::Bulk,
            "SELECT employee FROM person WHERE source = ?1 AND lease IS NULL \
                        AND bulk_due IS NOT NULL AND bulk_due <= ?2 ORDER BY bulk_due LIMIT ?3",
        )?;
        let (mut chosen, mut seen) = (Vec::new(), HashSet::new());
        let mut take = |from: &[String], most: usize| {
            for employee in from {
                if chosen.len() >= most {
                    break;
                }
                if seen.insert(employee.clone()) {
                    chosen.push(employee.clone());
                }
            }
        };
        take(&live, self.persons - self.bulk);
        take(&bulk, self.persons);
        take(&live, self.persons);
        Ok(chosen)
    }

    fn grant(&self, db: &Db, person: &Person) -> Result<Option<Lease>, Stop> {
        let mut deliveries = Vec::new();
        self.take_due(db, person, Lane::Live, &mut deliveries)?;
        self.take_due(db, person, Lane::Bulk, &mut deliveries)?;
        if deliveries.is_empty() {
            requeue(db, person)?;
            return Ok(None);
        }
        deliveries.sort_by(|a, b| a.id.cmp(&b.id));
        let link = links::link(db, person)?;
        let choice = links::choice(db, person)?;
        let token = uuid::Uuid::now_v7().to_string();
        let ids: Vec<_> = deliveries.iter().map(|delivery| &delivery.id).collect();
        let held = serde_json::to_string(&ids).map_err(|e| Stop::Other(e.into()))?;
        let sql = "UPDATE person SET lease = ?3, lease_until = ?4, held = ?5 \
                   WHERE source = ?1 AND employee = ?2";
        let (source, employee) = keys(person);
        let until = self.until.as_millisecond();
        db.prepare_cached(sql)?.execute((source, employee, &token, until, held))?;
        let (person, deadline) = (person.clone(), self.deadline);
        Ok(Some(Lease { person, token, deadline, deliveries, link, choice }))
    }

    /// Takes the due deliveries of one lane, the longest due first, as far as there is room.
    fn take_due(
        &self,
        db: &Db,
        person: &Person,
        lane: Lane,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<(), Stop> {
        let sql = "SELECT record, id FROM delivery WHERE source = ?1 AND employee = ?2 AND lane = ?3 \
                   AND state = 'waiting' AND due <= ?4 ORDER BY due, rowid LIMIT ?5";
        let mut find = db.prepare_cached(sql)?;
        let (source, employee) = keys(person);
        let (now, room) = (self.now.as_millisecond(), limit(Lease::MOST - deliveries.len()));
        let mut found = find.query((source, employee, rows::lane(lane), now, room))?;
        while let Some(row) = found.next()? {
            let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
            let place = Place::delivery(&DeliveryId::new(text(1)?));
            deliveries.push(db.keys.read(&place, text(0)?)?);
        }
        Ok(())
    }

    fn postpone(&self, db: &Db, person: &Person) -> Result<(), Stop> {
        let sql = "UPDATE person SET live_due = max(live_due, ?3), bulk_due = max(bulk_due, ?3) \
                   WHERE source = ?1 AND employee = ?2";
        let (source, employee) = keys(person);
        let until = self.now.as_millisecond() + UNREADABLE_PAUSE;
        db.prepare_cached(sql)?.execute((source, employee, until))?;
        Ok(())
    }
}

/// Ends the leases that ran out, and counts a kill on each delivery they held.
fn take_back(db: &Db, source: &SourceName, now: Timestamp) -> Result<(), Stop> {
    let sql = "SELECT source, employee, held FROM person \
               WHERE source = ?1 AND lease IS NOT NULL AND lease_until <= ?2";
    let lost: Vec<(Person, String)> = db
        .prepare_cached(sql)?
        .query_map((source.as_str(), now.as_millisecond()), |row| {
            Ok((rows::person(row)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (person, held) in lost {
        end(db, &person, &held)?;
    }
    Ok(())
}

/// Ends a lease that ran out.
fn end(db: &Db, person: &Person, held: &str) -> Result<(), Stop> {
    tracing::warn!(%person, "a lease ran out: its worker died or was too slow");
    for id in ids(held)? {
        match rows::delivery(db, &id) {
            Ok(Some(mut delivery)) => {
                delivery.kills += 1;
                Written::new(delivery, &db.keys).update(db)?;
            }
            Ok(None) => {}
            Err(Stop::Store(error)) => tracing::error!(%person, %error, "not counted"),
            Err(stop) => return Err(stop),
        }
    }
    requeue(db, person)
}

fn ids(held: &str) -> Result<HashSet<String>, Stop> {
    serde_json::from_str(held).map_err(|e| Stop::Other(e.into()))
}

/// What a lease holds.
fn held(db: &Db, person: &Person, token: &str) -> Result<HashSet<String>, Stop> {
    let sql = "SELECT held FROM person WHERE source = ?1 AND employee = ?2 AND lease = ?3";
    let (source, employee) = keys(person);
    let held: Option<String> = db
        .prepare_cached(sql)?
        .query_row((source, employee, token), |row| row.get(0))
        .optional()?;
    ids(&held.ok_or(StoreError::LeaseLost)?)
}

/// Writes a link while the lease goes on.
pub(super) fn save_link(db: &Db, person: &Person, token: &str, link: &Link) -> Result<(), Stop> {
    held(db, person, token)?;
    links::write(db, person, link)
}

/// Ends a lease: writes those of the deliveries that it holds, and the link.
pub(super) fn settle(
    db: &Db,
    person: &Person,
    token: &str,
    deliveries: &[Written],
    link: Option<&Link>,
) -> Result<(), Stop> {
    let held = held(db, person, token)?;
    if let Some(link) = link {
        links::write(db, person, link)?;
    }
    for written in deliveries {
        if held.contains(written.delivery.id.as_str()) {
            written.update(db)?;
        }
    }
    requeue(db, person)
}

/// Ends a person's lease if it ran out, so that its worker can't write any more; says whether they
/// are not under lease.
pub(super) fn end_if_over(db: &Db, person: &Person, now: Timestamp) -> Result<bool, Stop> {
    let sql = "SELECT held, lease_until FROM person \
               WHERE source = ?1 AND employee = ?2 AND lease IS NOT NULL";
    let lease: Option<(String, i64)> = db
        .prepare_cached(sql)?
        .query_row(keys(person), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((held, until)) = lease {
        if until > now.as_millisecond() {
            return Ok(false);
        }
        end(db, person, &held)?;
    }
    Ok(true)
}

/// Takes a person's link away, unless they are under lease; says whether they were not.
pub(super) fn unlink(db: &Db, person: &Person, now: Timestamp) -> Result<bool, Stop> {
    if !end_if_over(db, person, now)? {
        return Ok(false);
    }
    links::remove(db, person)?;
    Ok(true)
}

/// Makes one delivery wait again; says whether it did.
pub(super) fn replay(db: &Db, id: &str, lane: Lane, at: Timestamp) -> Result<bool, Stop> {
    let Some(mut delivery) = rows::delivery(db, id)? else { return Ok(false) };
    if delivery.state == DeliveryState::Waiting || delivery.employee.is_none() {
        return Ok(false);
    }
    delivery.state = DeliveryState::Waiting;
    delivery.lane = lane;
    delivery.due = at;
    delivery.attempts = 0;
    delivery.looks = 0;
    delivery.absences = 0;
    delivery.kills = 0;
    delivery.replays += 1;
    delivery.reason = None;
    delivery.code = None;
    let written = Written::new(delivery, &db.keys);
    written.update(db)?;
    rows::enqueue(db, &written.delivery)?;
    Ok(true)
}

/// Who is due. A person whose lease ran out is; one whose lease goes on is at its end.
pub(super) fn due(db: &Db, source: &SourceName, most: usize, now: Timestamp) -> Result<Due, Stop> {
    let now = now.as_millisecond();
    let count = "SELECT count(*) FROM (SELECT employee FROM ( \
            SELECT employee FROM person WHERE source = ?1 AND lease IS NULL \
                AND live_due IS NOT NULL AND live_due <= ?2 LIMIT ?3) \
        UNION SELECT employee FROM ( \
            SELECT employee FROM person WHERE source = ?1 AND lease IS NULL \
                AND bulk_due IS NOT NULL AND bulk_due <= ?2 LIMIT ?3) \
        UNION SELECT employee FROM ( \
            SELECT employee FROM person WHERE source = ?1 AND lease IS NOT NULL \
                AND lease_until <= ?2 LIMIT ?3))";
    let found: i64 = db
        .prepare_cached(count)?
        .query_row((source.as_str(), now, limit(most)), |row| row.get(0))?;
    let persons = usize::try_from(found).unwrap_or(0).min(most);
    if persons > 0 {
        let live = "SELECT count(*) FROM (SELECT employee FROM person WHERE source = ?1 \
            AND lease IS NULL AND live_due IS NOT NULL AND live_due <= ?2 LIMIT ?3)";
        let live: i64 = db
            .prepare_cached(live)?
            .query_row((source.as_str(), now, limit(most)), |row| row.get(0))?;
        return Ok(Due { persons, live: usize::try_from(live).unwrap_or(0), next: None });
    }
    let next = "SELECT min(at) FROM ( \
        SELECT min(live_due) AS at FROM person WHERE source = ?1 AND lease IS NULL \
            AND live_due IS NOT NULL \
        UNION ALL SELECT min(bulk_due) FROM person WHERE source = ?1 AND lease IS NULL \
            AND bulk_due IS NOT NULL \
        UNION ALL SELECT min(lease_until) FROM person WHERE source = ?1 AND lease IS NOT NULL)";
    let next: Option<i64> =
        db.prepare_cached(next)?.query_row([source.as_str()], |row| row.get(0))?;
    Ok(Due { persons, live: 0, next: next.and_then(|at| Timestamp::from_millisecond(at).ok()) })
}

//! The store as a whole: handed out thing by thing, and each thing replaced by another as long as it
//! is what it was thought to be. Hashes are walked with HSCAN, a step at a time.

use std::collections::HashMap;

use redis::cmd;

use super::accept::{body, read_body};
use super::links::{read_choice, read_link, read_person};
use super::list::with_kills;
use super::notes;
use super::runs::read_stored;
use super::script::{LINKS, SWAP, SWAP_FIELD, SWAP_ITEM};
use super::{RedisStore, names, read};
use crate::model::{AuditId, Delivery, DeliveryId, EventId, Item, Link, Person, Run, RunId};
use crate::store::seal::Place;
use crate::store::stored::At;
use crate::store::{Dump, Found, StoreError, Stored, StoredEvent, from_ms, record};

/// The kinds, in the order in which they are taken in again: parked events are the oldest.
const PARKED: usize = 0;
const EVENTS: usize = 1;
const DELIVERIES: usize = 2;
const LINKS_STAGE: usize = 3;
const CHOICES: usize = 4;
const NOTES: usize = 5;
const RUNS: usize = 6;
const ITEMS: usize = 7;
const HOLDS: usize = 8;
const FORGOTTEN: usize = 9;
const END: usize = 11;

type Pairs = Vec<(String, Vec<u8>)>;

impl RedisStore {
    /// See [`Store::dump`](crate::store::Store::dump).
    pub(super) async fn hand_out(
        &self,
        from: Option<&str>,
        most: usize,
    ) -> Result<Dump, StoreError> {
        let (mut at, most, mut dump) = (At::read(from), most.max(1), Dump::default());
        while at.stage < END {
            let stage = at.stage;
            let missing = most - dump.found.len();
            let over = match stage {
                EVENTS => self.some_events(&mut at, missing, &mut dump.found).await?,
                RUNS => self.some_runs(&mut at, missing, &mut dump.found).await?,
                ITEMS => self.some_items(&mut at, missing, &mut dump.found).await?,
                _ => {
                    let key = match stage {
                        PARKED => &self.names.needed,
                        DELIVERIES => &self.names.deliveries,
                        LINKS_STAGE => &self.names.links,
                        CHOICES => &self.names.choices,
                        NOTES => &self.names.notes,
                        HOLDS => &self.names.holds,
                        FORGOTTEN => &self.names.forgotten,
                        _ => &self.names.audit,
                    };
                    let (pairs, over) = self.scan(key, &mut at, missing).await?;
                    self.read_pairs(stage, pairs, &mut dump.found).await?;
                    over
                }
            };
            if over {
                at.turn();
            }
            if dump.found.len() >= most && at.stage < END {
                dump.next = Some(at.text());
                return Ok(dump);
            }
        }
        Ok(dump)
    }

    /// Some fields of a hash, and whether they were the last.
    async fn scan(
        &self,
        key: &String,
        at: &mut At,
        most: usize,
    ) -> Result<(Pairs, bool), StoreError> {
        let place = if at.b.is_empty() { "0" } else { &at.b };
        let call = LINKS.on(&[key]).arg(&at.a).arg(place).arg("*").arg(most.clamp(10, 1000));
        let fields: Vec<Vec<u8>>;
        (at.a, at.b, fields) = read("dump", call.run(&self.connection).await)?;
        let mut pairs = Vec::with_capacity(fields.len() / 2);
        let mut fields = fields.into_iter();
        while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
            let field = String::from_utf8(field).map_err(|_| damaged("name"))?;
            pairs.push((field, value));
        }
        Ok((pairs, at.b == "0"))
    }

    async fn read_pairs(
        &self,
        stage: usize,
        pairs: Pairs,
        found: &mut Vec<Found>,
    ) -> Result<(), StoreError> {
        let keys = self.keys().await?;
        if stage == PARKED {
            let ids: Vec<String> = pairs.into_iter().map(|(id, _)| id).collect();
            return self.read_events(&ids, found).await;
        }
        let mut kills = HashMap::new();
        if stage == DELIVERIES && !pairs.is_empty() {
            let mut command = cmd("HMGET");
            command.arg(&self.names.kills);
            for (id, _) in &pairs {
                command.arg(id);
            }
            let counts: Vec<Option<u32>> = self.ask("dump", &command).await?;
            let ids = pairs.iter().map(|(id, _)| id.clone());
            kills = ids.zip(counts).filter_map(|(id, count)| Some((id, count?))).collect();
        }
        for (name, value) in pairs {
            let text = std::str::from_utf8(&value).map_err(|_| damaged("record"))?;
            let (kept, sealed) = match stage {
                DELIVERIES => {
                    let read: Delivery =
                        keys.read(&Place::delivery(&DeliveryId::new(&name)), text)?;
                    (Stored::Delivery(with_kills(read, kills.get(&name).copied())), text)
                }
                LINKS_STAGE => {
                    let person = read_person(&name)?;
                    let link = read_link(&person, text, keys)?;
                    let sealed = text.split_once('\0').map_or("", |(_, sealed)| sealed);
                    (Stored::Link { person, link }, sealed)
                }
                CHOICES => {
                    let person = read_person(&name)?;
                    let choice = read_choice(&person, text, keys)?;
                    (Stored::Choice { person, choice }, text)
                }
                NOTES => {
                    let sealed = notes::text(text)?;
                    let text = keys.open(&Place::note(&name), sealed)?.into_owned();
                    (Stored::Note { name, text }, sealed)
                }
                HOLDS => (Stored::Hold(keys.read(&Place::hold(&name), text)?), text),
                FORGOTTEN => {
                    let at = text.parse().map(from_ms).map_err(|_| damaged("tombstone"))?;
                    found.push(Found {
                        kept: Stored::Forgotten { person: read_person(&name)?, at },
                        newest: true,
                    });
                    continue;
                }
                _ => (Stored::Audit(keys.read(&Place::audit(&AuditId::new(name)), text)?), text),
            };
            found.push(Found { kept, newest: keys.is_newest(sealed.as_bytes()) });
        }
        Ok(())
    }

    /// Some events as they came.
    async fn some_events(
        &self,
        at: &mut At,
        most: usize,
        found: &mut Vec<Found>,
    ) -> Result<bool, StoreError> {
        let begin: usize = at.a.parse().unwrap_or(0);
        let mut command = cmd("LRANGE");
        command.arg(&self.names.seen).arg(begin).arg(begin + most - 1);
        let rows: Vec<String> = self.ask("dump", &command).await?;
        let ids: Vec<String> =
            rows.iter().filter_map(|row| row.get(13..).map(str::to_owned)).collect();
        self.read_events(&ids, found).await?;
        at.a = (begin + rows.len()).to_string();
        Ok(rows.len() < most)
    }

    async fn read_events(&self, ids: &[String], found: &mut Vec<Found>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let keys = self.keys().await?;
        let all = |key: &str| cmd("HMGET").arg(key).arg(ids).to_owned();
        let bodies: Vec<Option<Vec<u8>>> = self.ask("dump", &all(&self.names.events)).await?;
        let repeats: Vec<Option<u64>> = self.ask("dump", &all(&self.names.repeats)).await?;
        for ((id, stored), repeats) in ids.iter().zip(bodies).zip(repeats) {
            let Some(stored) = stored else { continue };
            let (event, carriers) = read_body(&EventId::new(id), &stored, keys)?;
            let mut parts = stored.splitn(3, |byte| *byte == 0).skip(1);
            let newest = parts.all(|part| keys.is_newest(part));
            let event = StoredEvent::new(event, carriers, repeats.unwrap_or(0));
            found.push(Found { kept: Stored::Event(event), newest });
        }
        Ok(())
    }

    async fn some_runs(
        &self,
        at: &mut At,
        most: usize,
        found: &mut Vec<Found>,
    ) -> Result<bool, StoreError> {
        let keys = self.keys().await?;
        let ids = self.runs_after(&at.a, most).await?;
        let Some(last) = ids.last() else { return Ok(true) };
        at.a.clone_from(last);
        let command = cmd("HMGET").arg(&self.names.runs).arg(&ids).to_owned();
        let stored: Vec<Option<String>> = self.ask("dump", &command).await?;
        for (id, stored) in ids.iter().zip(stored) {
            let Some(stored) = stored else { continue };
            let run = read_stored(&RunId::new(id), &stored, keys)?;
            let sealed = stored.splitn(3, '\0').nth(2).unwrap_or_default();
            let newest = keys.is_newest(sealed.as_bytes());
            found.push(Found { kept: Stored::Run(run), newest });
        }
        Ok(ids.len() < most)
    }

    async fn runs_after(&self, run: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let mut command = cmd("ZRANGEBYLEX");
        command.arg(&self.names.run_ids).arg(format!("({run}")).arg("+");
        command.arg("LIMIT").arg(0).arg(most);
        self.ask("dump", &command).await
    }

    /// Some items of the run where the walk is, or of the next one.
    async fn some_items(
        &self,
        at: &mut At,
        most: usize,
        found: &mut Vec<Found>,
    ) -> Result<bool, StoreError> {
        let keys = self.keys().await?;
        if at.b.is_empty() {
            let Some(next) = self.runs_after(&at.a, 1).await?.pop() else { return Ok(true) };
            (at.a, at.b) = (next, "0".to_owned());
        }
        let run = RunId::new(&at.a);
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(self.names.items(&run)).arg(format!("({}", at.b)).arg("+inf");
        command.arg("WITHSCORES").arg("LIMIT").arg(0).arg(most);
        let texts: Vec<(String, u64)> = self.ask("dump", &command).await?;
        for (text, number) in &texts {
            let item = keys.read(&Place::item(&run, *number), text)?;
            let newest = keys.is_newest(text.as_bytes());
            found.push(Found { kept: Stored::Item { run: run.clone(), item }, newest });
        }
        at.b = match texts.last() {
            Some((_, number)) if texts.len() == most => number.to_string(),
            _ => String::new(),
        };
        Ok(false)
    }

    /// See [`Store::swap`](crate::store::Store::swap).
    pub(super) async fn exchange(
        &self,
        old: &Stored,
        new: Option<&Stored>,
    ) -> Result<bool, StoreError> {
        let keys = self.keys().await?;
        let names = &self.names;
        let guarded = new != Some(old);
        match (old, new) {
            (Stored::Event(event), new) => {
                let id = event.id.as_str();
                let Some(stored) = self.stored(&names.events, id).await? else { return Ok(false) };
                let (kept, carriers) = read_body(&event.id, &stored, keys)?;
                if kept != event.event() {
                    return Ok(false);
                }
                let fresh = match new {
                    Some(Stored::Event(new)) => {
                        let ids: Vec<_> = carriers.iter().map(DeliveryId::as_str).collect();
                        body(&ids.join(","), new.event(), keys)
                    }
                    _ => Vec::new(),
                };
                let done = self.swap_field(&names.events, id, &stored, &fresh).await?;
                if done && fresh.is_empty() {
                    self.ask::<()>("swap", cmd("HDEL").arg(&names.repeats).arg(id)).await?;
                    self.ask::<()>("swap", cmd("HDEL").arg(&names.needed).arg(id)).await?;
                }
                Ok(done)
            }
            (Stored::Delivery(delivery), new) => {
                let new = match new {
                    Some(Stored::Delivery(new)) => Some(new),
                    _ => None,
                };
                self.exchange_delivery(delivery, new, guarded).await
            }
            (Stored::Link { person, link }, Some(Stored::Link { link: new, .. })) => {
                self.exchange_link(person, link, new, guarded).await
            }
            (Stored::Item { run, item }, Some(Stored::Item { item: new, .. })) => {
                self.exchange_item(run, item, new).await
            }
            (Stored::Run(run), Some(Stored::Run(new))) => {
                // Whoever has read it before is to read it again.
                let new = Run { revision: run.revision + 1, ..new.clone() };
                Ok(self.read_run(&run.id).await?.as_ref() == Some(run)
                    && self.write_run(&new).await?)
            }
            (Stored::Note { name, text }, new) => {
                let new = match new {
                    Some(Stored::Note { text, .. }) => Some(text.as_str()),
                    _ => None,
                };
                if !guarded {
                    return self.seal_note(name, text).await;
                }
                self.write_note(name, Some(text), new).await
            }
            (Stored::Choice { person, choice }, new) => {
                let (place, field) = (Place::choice(person), names::person(person));
                let Some(stored) = self.stored(&names.choices, &field).await? else {
                    return Ok(false);
                };
                let text = std::str::from_utf8(&stored).map_err(|_| damaged("choice"))?;
                if read_choice(person, text, keys)? != *choice {
                    return Ok(false);
                }
                let fresh = match new {
                    Some(Stored::Choice { choice, .. }) => {
                        keys.shut(&place, &record::write_choice(choice))
                    }
                    _ => String::new(),
                };
                self.swap_field(&names.choices, &field, &stored, fresh.as_bytes()).await
            }
            (Stored::Hold(hold), new) => {
                let fresh = match new {
                    Some(Stored::Hold(new)) => keys.write(&Place::hold(&new.scope), new),
                    _ => String::new(),
                };
                let place = Place::hold(&hold.scope);
                self.swap_record(&names.holds, &hold.scope, &place, hold, &fresh).await
            }
            (Stored::Audit(entry), new) => {
                let fresh = match new {
                    Some(Stored::Audit(new)) => keys.write(&Place::audit(&new.id), new),
                    _ => return Ok(false),
                };
                let place = Place::audit(&entry.id);
                self.swap_record(&names.audit, entry.id.as_str(), &place, entry, &fresh).await
            }
            // Links and items go by other ways, and runs with their time.
            (
                Stored::Link { .. }
                | Stored::Item { .. }
                | Stored::Run(_)
                | Stored::Forgotten { .. },
                _,
            ) => Ok(false),
        }
    }

    async fn exchange_item(&self, run: &RunId, old: &Item, new: &Item) -> Result<bool, StoreError> {
        let (keys, number, key) = (self.keys().await?, old.number, self.names.items(run));
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(&key).arg(number).arg(number);
        let texts: Vec<String> = self.ask("swap", &command).await?;
        let place = Place::item(run, number);
        let Some(text) = texts.first() else { return Ok(false) };
        if keys.read::<Item>(&place, text)? != *old {
            return Ok(false);
        }
        let call = SWAP_ITEM.on(&[key]).arg(number).arg(text).arg(keys.write(&place, new));
        read("swap", call.run(&self.connection).await)
    }

    async fn exchange_delivery(
        &self,
        old: &Delivery,
        new: Option<&Delivery>,
        guarded: bool,
    ) -> Result<bool, StoreError> {
        let (keys, names, id) = (self.keys().await?, &self.names, old.id.as_str());
        let place = Place::delivery(&old.id);
        let Some(stored) = self.stored(&names.deliveries, id).await? else { return Ok(false) };
        let text = std::str::from_utf8(&stored).map_err(|_| damaged("delivery"))?;
        // Kills are counted beside it.
        let there: Delivery = keys.read(&place, text)?;
        if (Delivery { kills: old.kills, ..there }) != *old {
            return Ok(false);
        }
        let employee = old.employee.as_ref().map_or("", |employee| employee.as_str());
        let call = SWAP
            .on(&names.of_source(&old.source))
            .arg(self.now())
            .arg("delivery")
            .arg(id)
            .arg(text)
            .arg(new.map(|new| keys.write(&place, new)).unwrap_or_default())
            .arg(names::part(employee).as_ref())
            .arg(if guarded { "guarded" } else { "" });
        let done: bool = read("swap", call.run(&self.connection).await)?;
        if done && new.is_none() && !employee.is_empty() {
            let row = names::row(employee, old.received_at.as_millisecond(), id);
            self.ask::<()>("swap", cmd("ZREM").arg(&names.people).arg(row)).await?;
        }
        Ok(done)
    }

    async fn exchange_link(
        &self,
        person: &Person,
        old: &Link,
        new: &Link,
        guarded: bool,
    ) -> Result<bool, StoreError> {
        let (keys, field) = (self.keys().await?, names::person(person));
        let Some(stored) = self.stored(&self.names.links, &field).await? else { return Ok(false) };
        let text = std::str::from_utf8(&stored).map_err(|_| damaged("link"))?;
        if read_link(person, text, keys)? != *old {
            return Ok(false);
        }
        let account = new.account.as_ref().map_or("", |account| account.as_str());
        let row = new.awaits.as_ref().map(|key| names::awaiting(person, &keys.tag(key)));
        let at = new.appointment.as_ref().map(|it| crate::store::ms_up(it.at).to_string());
        let call = SWAP
            .on(&self.names.of_source(&person.source))
            .arg(self.now())
            .arg("link")
            .arg(&field)
            .arg(text)
            .arg(keys.write(&Place::link(person), new))
            .arg(names::part(person.employee.as_str()).as_ref())
            .arg(if guarded { "guarded" } else { "" })
            .arg(account)
            .arg(row.unwrap_or_default())
            .arg(at.unwrap_or_default());
        read("swap", call.run(&self.connection).await)
    }

    /// What stands in a field.
    async fn stored(&self, key: &str, field: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask("swap", cmd("HGET").arg(key).arg(field)).await
    }

    async fn swap_record<T: serde::de::DeserializeOwned + PartialEq>(
        &self,
        key: &str,
        field: &str,
        place: &Place,
        old: &T,
        fresh: &str,
    ) -> Result<bool, StoreError> {
        let Some(stored) = self.stored(key, field).await? else { return Ok(false) };
        let text = std::str::from_utf8(&stored).map_err(|_| damaged("record"))?;
        if self.keys().await?.read::<T>(place, text)? != *old {
            return Ok(false);
        }
        self.swap_field(key, field, &stored, fresh.as_bytes()).await
    }

    async fn swap_field(
        &self,
        key: &str,
        field: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let call = SWAP_FIELD.on(&[key]).arg(field).arg(old).arg(new);
        read("swap", call.run(&self.connection).await)
    }
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Unreadable { what, why: "it is not text, or a part is missing".into() }
}

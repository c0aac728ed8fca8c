//! Taking in what another store handed out, in calls of a bounded size.

use std::collections::BTreeMap;

use redis::cmd;

use super::accept::body;
use super::links::{read_person, with_link};
use super::script::{RESTORE_DELIVERIES, RESTORE_EVENTS, RESTORE_LINKS};
use super::{RedisStore, lane, names, read};
use crate::model::{
    Delivery, DeliveryId, DeliveryState, EmployeeId, Item, Link, Person, RunId, SourceName,
};
use crate::store::seal::Place;
use crate::store::{StoreError, Stored, StoredEvent};

impl RedisStore {
    /// See [`Store::restore`](crate::store::Store::restore).
    pub(super) async fn take_whole(&self, kept: &[Stored]) -> Result<(), StoreError> {
        let mut events = Vec::new();
        let mut deliveries: BTreeMap<&SourceName, Vec<&Delivery>> = BTreeMap::new();
        let mut links: BTreeMap<&SourceName, Vec<(&Person, &Link)>> = BTreeMap::new();
        let mut items: Vec<(&RunId, Vec<Item>)> = Vec::new();
        for kept in kept {
            match kept {
                Stored::Event(event) => events.push(event),
                Stored::Delivery(delivery) => {
                    deliveries.entry(&delivery.source).or_default().push(delivery);
                }
                Stored::Link { person, link } => {
                    links.entry(&person.source).or_default().push((person, link));
                }
                Stored::Choice { person, choice } => {
                    self.write_choice(person, Some(choice)).await?;
                }
                Stored::Note { name, text } => {
                    let before = self.read_note(name).await?;
                    if before.as_ref() != Some(text) {
                        self.write_note(name, before.as_deref(), Some(text)).await?;
                    }
                }
                Stored::Run(run) => self.put_run(run, 0).await.map(drop)?,
                Stored::Item { run, item } => match items.last_mut() {
                    Some((of, some)) if *of == run => some.push(item.clone()),
                    _ => items.push((run, vec![item.clone()])),
                },
                Stored::Hold(hold) => {
                    let text = self.keys().await?.write(&Place::hold(&hold.scope), hold);
                    let command =
                        cmd("HSET").arg(&self.names.holds).arg(&hold.scope).arg(text).to_owned();
                    self.ask::<()>("restore", &command).await?;
                }
                Stored::Forgotten { person, at } => self.put_tombstone(person, *at).await?,
                Stored::Audit(entry) => self.write_entry(entry).await?,
            }
        }
        self.take_events(&events).await?;
        for (source, deliveries) in deliveries {
            self.take_deliveries(source, &deliveries).await?;
        }
        for (source, links) in links {
            self.take_links(source, &links).await?;
        }
        for (run, items) in items {
            self.write_items(run, &items).await?;
        }
        Ok(())
    }

    async fn take_events(&self, events: &[&StoredEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let (keys, names) = (self.keys().await?, &self.names);
        let mut call = RESTORE_EVENTS.on(&[&names.events, &names.seen, &names.repeats]);
        for event in events {
            let ids: Vec<&str> = event.carriers.iter().map(DeliveryId::as_str).collect();
            call = call
                .arg(event.id.as_str())
                .arg(body(&ids.join(","), event.event(), keys))
                .arg(names::stamp(event.received_at.as_millisecond()))
                .arg(event.repeats);
        }
        read::<u64>("restore", call.run(&self.connection).await).map(drop)
    }

    async fn take_deliveries(
        &self,
        source: &SourceName,
        deliveries: &[&Delivery],
    ) -> Result<(), StoreError> {
        let (keys, names) = (self.keys().await?, &self.names);
        let all = names.of_source_and(source, &names.people);
        let mut call = RESTORE_DELIVERIES.on(&all).arg(self.now());
        for delivery in deliveries {
            let (id, received) = (delivery.id.as_str(), delivery.received_at.as_millisecond());
            let employee = delivery.employee.as_ref().map(EmployeeId::as_str);
            let waits = delivery.state == DeliveryState::Waiting;
            call = call
                .arg(id)
                .arg(keys.write(&Place::delivery(&delivery.id), delivery))
                .arg(delivery.state.word())
                .arg(employee.map(names::part).unwrap_or_default().as_ref())
                .arg(lane(delivery.lane))
                .arg(self.distance(delivery.due))
                .arg(received)
                .arg(employee.map(|it| names::row(it, received, id)).unwrap_or_default())
                .arg(if waits { delivery.kills } else { 0 });
        }
        read::<u64>("restore", call.run(&self.connection).await).map(drop)
    }

    async fn take_links(
        &self,
        source: &SourceName,
        links: &[(&Person, &Link)],
    ) -> Result<(), StoreError> {
        let keys = self.keys().await?;
        let mut call = RESTORE_LINKS.on(&self.names.of_source(source)).arg(self.now());
        for (person, link) in links {
            call = with_link(call.arg(names::person(person)), person, link, keys);
        }
        let owner: String = read("restore", call.run(&self.connection).await)?;
        if owner.is_empty() { Ok(()) } else { Err(StoreError::AccountTaken(read_person(&owner)?)) }
    }
}

//! Looking at deliveries: one, many, how many.

use std::collections::HashMap;

use jiff::Timestamp;
use redis::cmd;
use uuid::Uuid;

use super::script::{DEPTH, PAGE};
use super::{RedisStore, names, read};
use crate::model::{Delivery, DeliveryId, DeliveryState};
use crate::store::seal;
use crate::store::{Depth, Filter, StoreError, ms_up};

/// How many ids are looked at in one go when a filter has to read the records.
const PAGE_SIZE: usize = 500;

/// A place in the list: received (ms) and id. What is older comes after it.
type Place = (i64, String);

impl RedisStore {
    /// The delivery with this id.
    pub(super) async fn fetch(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let found = self.fetch_all("delivery", std::slice::from_ref(id)).await?;
        found.into_iter().next().map(|(_, delivery)| delivery).transpose()
    }

    /// The deliveries with these ids, in this order, without those that are not there.
    async fn fetch_all<'i>(
        &self,
        doing: &'static str,
        ids: &'i [DeliveryId],
    ) -> Result<Vec<(&'i DeliveryId, Result<Delivery, StoreError>)>, StoreError> {
        let texts = self.fetch_texts(doing, ids).await?;
        let keys = self.keys().await?;
        let read = |(id, text): (&'i DeliveryId, Option<String>)| {
            Some((id, keys.read(&seal::Place::delivery(id), &text?)))
        };
        let mut found: Vec<(_, Result<Delivery, _>)> =
            ids.iter().zip(texts).filter_map(read).collect();
        // Only a waiting one has kills.
        let is_waiting = |delivery: &&Delivery| delivery.state == DeliveryState::Waiting;
        let deliveries = found.iter().filter_map(|(_, delivery)| delivery.as_ref().ok());
        let waiting: Vec<_> = deliveries.filter(is_waiting).collect();
        if !waiting.is_empty() {
            let mut command = cmd("HMGET");
            command.arg(&self.names.kills);
            for delivery in &waiting {
                command.arg(delivery.id.as_str());
            }
            let ids = waiting.iter().map(|delivery| delivery.id.clone());
            let kills: Vec<Option<u32>> = self.ask(doing, &command).await?;
            let kills: HashMap<_, _> = ids.zip(kills).collect();
            for delivery in found.iter_mut().filter_map(|(_, delivery)| delivery.as_mut().ok()) {
                if let Some(kills) = kills.get(&delivery.id) {
                    delivery.kills = kills.unwrap_or(0);
                }
            }
        }
        Ok(found)
    }

    /// The stored forms of the deliveries with these ids.
    pub(super) async fn fetch_texts(
        &self,
        doing: &'static str,
        ids: &[DeliveryId],
    ) -> Result<Vec<Option<String>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("HMGET");
        command.arg(&self.names.deliveries);
        for id in ids {
            command.arg(id.as_str());
        }
        self.ask(doing, &command).await
    }

    /// See [`Store::deliveries`](crate::store::Store::deliveries).
    pub(super) async fn list(
        &self,
        filter: &Filter,
        most: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Some(mut place) = self.beginning(filter).await? else {
            return Ok(Vec::new());
        };
        let since = filter.since.map_or(i64::MIN, ms_up);
        let mut found = Vec::new();
        while found.len() < most {
            let size = if reads_records(filter) { PAGE_SIZE } else { PAGE_SIZE.min(most) };
            let mut page = self.page(filter, &place, size).await?;
            let Some(last) = page.last() else { break };
            let is_last = page.len() < size || last.0 < since;
            place = last.clone();
            page.retain(|(received, _)| *received >= since);
            let ids: Vec<_> = page.into_iter().map(|(_, id)| DeliveryId::new(id)).collect();
            for (id, delivery) in self.fetch_all("deliveries", &ids).await? {
                match delivery {
                    Ok(delivery) if fits(filter, &delivery) => found.push(delivery),
                    Ok(_) => {}
                    Err(error) => tracing::error!(delivery = %id, %error, "it is not listed"),
                }
            }
            if is_last {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// The place after which the list begins.
    async fn beginning(&self, filter: &Filter) -> Result<Option<Place>, StoreError> {
        // A day ahead of everything, should clocks differ.
        let end = filter
            .until
            .map_or((9_999_999_999_999, String::new()), |until| (ms_up(until), String::new()));
        let Some(before) = &filter.before else { return Ok(Some(end)) };
        let received = match self.fetch(before).await {
            Ok(Some(delivery)) => delivery.received_at.as_millisecond(),
            Err(error @ StoreError::Unavailable { .. }) => return Err(error),
            // Let go in between, or not to be read: its name still tells when it was made.
            _ => match Uuid::parse_str(before.as_str()).ok().and_then(|id| id.get_timestamp()) {
                Some(made) => {
                    let (seconds, nanos) = made.to_unix();
                    i64::try_from(seconds).unwrap_or(0) * 1000 + i64::from(nanos / 1_000_000)
                }
                None => return Ok(None),
            },
        };
        Ok(Some(end.min((received, before.as_str().to_owned()))))
    }

    /// So many ids after a place, newest first.
    async fn page(
        &self,
        filter: &Filter,
        place: &Place,
        size: usize,
    ) -> Result<Vec<Place>, StoreError> {
        if let Some(employee) = &filter.employee {
            let employee = names::part(employee);
            let call = PAGE
                .on(&[&self.names.people])
                .arg(size)
                .arg("people")
                .arg(format!("({employee}\0{}{}", names::stamp(place.0), place.1))
                .arg(format!("[{employee}\0"));
            let rows: Vec<Vec<String>> = read("deliveries", call.run(&self.connection).await)?;
            let places = rows.iter().flatten().filter_map(|row| names::read_row(row));
            return Ok(places.map(|(received, id)| (received, id.to_owned())).collect());
        }
        let call =
            PAGE.on(&self.indexes(filter.state)).arg(size).arg("states").arg(place.0).arg(&place.1);
        let indexes: Vec<Vec<String>> = read("deliveries", call.run(&self.connection).await)?;
        let mut places: Vec<Place> = indexes
            .iter()
            .flat_map(|index| index.chunks_exact(2))
            .filter_map(|pair| Some((pair[1].parse().ok()?, pair[0].clone())))
            .collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.truncate(size);
        Ok(places)
    }

    fn indexes(&self, state: Option<DeliveryState>) -> Vec<&str> {
        let index = |state| match state {
            DeliveryState::Waiting => self.names.waiting.as_str(),
            DeliveryState::Done => &self.names.done,
            DeliveryState::Dead => &self.names.dead,
            DeliveryState::Ignored => &self.names.ignored,
        };
        state.map_or_else(|| DeliveryState::ALL.map(index).to_vec(), |state| vec![index(state)])
    }

    /// See [`Store::depth`](crate::store::Store::depth).
    pub(super) async fn count(&self) -> Result<Depth, StoreError> {
        let sources: Vec<String> =
            self.ask("depth", cmd("SMEMBERS").arg(&self.names.sources)).await?;
        let states = [&self.names.waiting, &self.names.dead, &self.names.done, &self.names.ignored];
        let mut keys: Vec<String> = states.into_iter().cloned().collect();
        keys.extend(sources.iter().map(|source| self.names.leases(source)));
        let call = DEPTH.on(&keys).arg(self.now());
        let (waiting, dead, done, ignored, leased, oldest): (_, _, _, _, _, Option<i64>) =
            read("depth", call.run(&self.connection).await)?;
        let oldest = oldest.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(Depth { waiting, dead, done, ignored, leased, oldest })
    }
}

/// A delivery with the kills that were counted for it.
pub(super) fn with_kills(delivery: Delivery, kills: Option<u32>) -> Delivery {
    Delivery { kills: kills.unwrap_or(0), ..delivery }
}

/// Whether the index alone cannot tell what fits.
fn reads_records(filter: &Filter) -> bool {
    filter.source.is_some()
        || filter.code.is_some()
        || filter.kind.is_some()
        || filter.employee.is_some()
}

/// Whether a delivery fits what the index did not look at.
fn fits(filter: &Filter, delivery: &Delivery) -> bool {
    filter.state.is_none_or(|state| delivery.state == state)
        && filter.source.as_ref().is_none_or(|source| delivery.source == *source)
        && filter.code.as_ref().is_none_or(|code| delivery.code.as_ref() == Some(code))
        && filter.kind.as_ref().is_none_or(|kind| delivery.kind == *kind)
        && filter.since.is_none_or(|since| delivery.received_at >= since)
        && filter.until.is_none_or(|until| delivery.received_at < until)
}

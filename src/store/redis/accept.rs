//! Taking events in, and finding them again.

use std::borrow::Cow;

use jiff::Timestamp;
use redis::cmd;
use serde::{Deserialize, Serialize};

use super::intake::{BYTES, Offer};
use super::{RedisStore, lane, names};
use crate::model::{
    Arrival, DeliveryId, DeliveryState, EmployeeId, Event, EventId, Lane, SourceName,
};
use crate::store::seal::{Keys, Place};
use crate::store::{Accepted, KeptEvent, StoreError};

/// So many of many arrivals go in one call; Redis does nothing else meanwhile.
const TOGETHER: usize = 64;

/// What is known of an event besides its body.
#[derive(Serialize, Deserialize)]
struct Known {
    source: SourceName,
    kind: String,
    company: Option<String>,
    employee: Option<EmployeeId>,
    received_at: Timestamp,
}

impl RedisStore {
    /// See [`Store::accept`](crate::store::Store::accept).
    pub(super) async fn take_in(&self, arrival: Arrival) -> Result<Accepted, StoreError> {
        let keys = self.keys().await?;
        let (source, lane, offer) = self.offer(arrival.clone(), keys);
        let delivery = DeliveryId::new(&offer.delivery);
        let mut carrier = self.intake.take(source, lane, offer).await?;
        if carrier.is_empty() {
            let (source, lane, offer) = self.offer_of_the_forgotten(arrival, keys);
            carrier = self.intake.take(source, lane, offer).await?;
        }
        Ok(accepted(delivery, carrier))
    }

    /// See [`Store::accept_all`](crate::store::Store::accept_all).
    pub(super) async fn take_all_in(
        &self,
        arrivals: Vec<Arrival>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let mut all: Vec<(DeliveryId, String)> = Vec::with_capacity(arrivals.len());
        let keys = self.keys().await?;
        let offers = arrivals.clone().into_iter();
        let mut offers = offers.map(|arrival| self.offer(arrival, keys)).peekable();
        while let Some((source, lane, first)) = offers.next() {
            let (mut bytes, mut together) = (first.body.len(), vec![first]);
            while together.len() < TOGETHER
                && bytes < BYTES
                && let Some((_, _, offer)) =
                    offers.next_if(|(of, to, _)| *of == source && *to == lane)
            {
                bytes += offer.body.len();
                together.push(offer);
            }
            let carriers = self.intake.take_together(&source, lane, &together).await?;
            let deliveries = together.into_iter().map(|offer| DeliveryId::new(offer.delivery));
            all.extend(deliveries.zip(carriers));
        }
        for (arrival, (_, carrier)) in arrivals.iter().zip(&mut all) {
            if carrier.is_empty() {
                let (source, lane, offer) = self.offer_of_the_forgotten(arrival.clone(), keys);
                *carrier = self.intake.take(source, lane, offer).await?;
            }
        }
        let all = all.into_iter().map(|(own, carrier)| accepted(own, carrier)).collect();
        Ok(all)
    }

    /// What is offered of somebody who was forgotten.
    fn offer_of_the_forgotten(&self, arrival: Arrival, keys: &Keys) -> (SourceName, Lane, Offer) {
        let (source, lane, offer) = self.offer(arrival.of_the_forgotten(), keys);
        (source, lane, Offer { person: String::new(), ..offer })
    }

    /// What is offered to Redis, and whose it is.
    fn offer(&self, arrival: Arrival, keys: &Keys) -> (SourceName, Lane, Offer) {
        let delivery = arrival.first_delivery();
        let event = arrival.event;
        let received = delivery.received_at.as_millisecond();
        let employee = delivery.employee.as_ref().map(|employee| names::part(employee.as_str()));
        let row = delivery.employee.as_ref().map_or_else(String::new, |employee| {
            names::row(employee.as_str(), received, delivery.id.as_str())
        });
        let waits = delivery.state == DeliveryState::Waiting;
        let stored = keys.write(&Place::delivery(&delivery.id), &delivery);
        let id = event.id.clone();
        let offer = Offer {
            body: body(delivery.id.as_str(), event, keys),
            event: id.to_string(),
            delivery: delivery.id.to_string(),
            stored,
            received: names::stamp(received),
            row,
            employee: employee.map_or_else(String::new, Cow::into_owned),
            lane: if waits { lane(delivery.lane) } else { "" },
            // Never later than now, should it come from a clock that runs ahead.
            due: self.distance(delivery.due).min(0),
            person: delivery.person().as_ref().map(names::person).unwrap_or_default(),
        };
        (delivery.source, delivery.lane, offer)
    }

    /// See [`Store::event`](crate::store::Store::event).
    pub(super) async fn look_up_event(
        &self,
        id: &EventId,
    ) -> Result<Option<KeptEvent>, StoreError> {
        let command = cmd("HGET").arg(&self.names.events).arg(id.as_str()).to_owned();
        let Some(body) = self.ask::<Option<Vec<u8>>>("event", &command).await? else {
            return Ok(None);
        };
        let command = cmd("HGET").arg(&self.names.repeats).arg(id.as_str()).to_owned();
        let repeats: Option<u64> = self.ask("event", &command).await?;
        let (event, carriers) = read_body(id, &body, self.keys().await?)?;
        let delivery = carriers.last().cloned().unwrap_or_else(|| DeliveryId::new(""));
        Ok(Some(KeptEvent { event, delivery, repeats: repeats.unwrap_or(0) }))
    }
}

/// Reads the stored form of an event, and who carried it.
pub(super) fn read_body(
    id: &EventId,
    body: &[u8],
    keys: &Keys,
) -> Result<(Event, Vec<DeliveryId>), StoreError> {
    let damaged = || StoreError::Unreadable { what: "event", why: "a part is missing".into() };
    let mut parts = body.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().ok_or_else(damaged);
    let (carriers, known, raw) = (part()?, part()?, part()?);
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| damaged());
    let carriers = text(carriers)?.split(',').map(DeliveryId::new).collect();
    let known: Known = keys.read(&Place::event(id), text(known)?)?;
    let event = Event {
        id: id.clone(),
        source: known.source,
        kind: known.kind,
        company: known.company,
        employee: known.employee,
        received_at: known.received_at,
        raw: keys.open_bytes(&Place::body(id), raw)?.into_owned().into(),
    };
    Ok((event, carriers))
}

/// What became of an arrival: who carries the event, the delivery that was offered or another one.
fn accepted(offered: DeliveryId, carrier: String) -> Accepted {
    if carrier == offered.as_str() {
        Accepted::New(offered)
    } else {
        Accepted::Repeat(DeliveryId::new(carrier))
    }
}

/// The stored form of an event: the delivery that carries it, what is known, the raw body.
pub(super) fn body(delivery: &str, event: Event, keys: &Keys) -> Vec<u8> {
    let known = Known {
        source: event.source,
        kind: event.kind,
        company: event.company,
        employee: event.employee,
        received_at: event.received_at,
    };
    // Neither an id nor JSON nor what is sealed contains the zero byte.
    let known = keys.write(&Place::event(&event.id), &known);
    let mut body = format!("{delivery}\0{known}\0").into_bytes();
    body.extend_from_slice(&keys.shut_bytes(&Place::body(&event.id), &event.raw));
    body
}

//! Leases: beginning them and ending them.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::Value;
use uuid::Uuid;

use super::connect::PATIENCE;
use super::links::{read_choice, read_link, verdict, with_link};
use super::list::with_kills;
use super::script::{DUE, LEASE, SETTLE};
use super::{RedisStore, lane, ms, names, read};
use crate::clock::Deadline;
use crate::model::{Delivery, DeliveryId, DeliveryState, Lane, Link, SourceName};
use crate::store::seal::{Keys, Place};
use crate::store::{Due, Lease, LeaseRequest, StoreError};

/// The most deliveries in one answer; who does not fit comes with the next.
const ROOM: usize = 10_000;
/// How many unanswered lease calls are remembered.
const MOST_LOST: usize = 100;

/// A leased person's deliveries as the script answers: their ids, their stored forms, their kills.
type Work = (Vec<String>, Vec<String>, Vec<Option<u32>>);

/// One leased person as the script answers: employee, token, link, choice, deliveries.
type Leased = (String, String, Option<String>, Option<String>, Vec<Value>);

impl RedisStore {
    /// See [`Store::lease`](crate::store::Store::lease).
    pub(super) async fn begin_leases(
        &self,
        request: LeaseRequest<'_>,
    ) -> Result<Vec<Lease>, StoreError> {
        let patience = Deadline::after(PATIENCE);
        match self.try_to_lease(&request).await {
            // The connection was dead already: a new call, which gives back what the first leased.
            Err(StoreError::Unavailable { .. }) if !patience.left().is_zero() => {
                self.try_to_lease(&request).await
            }
            answer => answer,
        }
    }

    async fn try_to_lease(&self, request: &LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError> {
        let (token, keys) = (Uuid::now_v7().to_string(), self.keys().await?);
        // It ends before Redis' own measure of it, which begins later.
        let deadline = Deadline::after(request.lasting);
        let lost: Vec<String> = {
            let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            let here = lost.iter().filter(|(source, _)| source == request.source);
            here.map(|(_, token)| token.clone()).collect()
        };
        let mut call = LEASE
            .on(&self.names.of_source(request.source))
            .arg(self.now())
            .arg(&token)
            .arg(ms(request.lasting))
            .arg(request.persons)
            .arg(self.bulk_share(request.persons))
            .arg(Lease::MOST)
            .arg(ROOM)
            .arg(names::part(request.source.as_str()).as_ref())
            .arg(request.without.map_or("", Lane::word));
        for token in &lost {
            call = call.arg(token);
        }
        // Not repeated as it is: what the first call leased would be nobody's.
        let unanswered =
            Unanswered { lost: &self.lost, call: Some((request.source.clone(), token)) };
        let answer = call.run_patiently(&self.connection, Duration::ZERO).await;
        if answer.is_ok() {
            unanswered.came(&lost);
        }
        let answer: Vec<Value> = read("lease", answer)?;
        let mut leases = Vec::with_capacity(answer.len());
        for one in answer {
            leases.extend(read_lease(one, request.source, deadline, keys)?);
        }
        Ok(leases)
    }

    /// How many of so many places are for bulk work: a tenth, one at least. Of requests for one
    /// person every tenth is, or one lane would starve the other.
    fn bulk_share(&self, persons: usize) -> usize {
        match persons {
            0 => 0,
            1 => usize::from(self.singles.fetch_add(1, Ordering::Relaxed) % 10 == 9),
            _ => (persons / 10).max(1),
        }
    }

    /// See [`Store::due`](crate::store::Store::due).
    pub(super) async fn count_due(
        &self,
        source: &SourceName,
        most: usize,
    ) -> Result<Due, StoreError> {
        let call = DUE.on(&self.names.of_source(source)).arg(self.now()).arg(most);
        let (persons, live, next, now): (usize, usize, Option<i64>, i64) =
            read("due", call.run(&self.connection).await)?;
        let wait = |next: i64| Duration::from_millis(u64::try_from(next - now).unwrap_or(0));
        let next = next.map(|next| self.clock.now() + wait(next));
        Ok(Due { persons, live, next })
    }

    /// See [`Store::settle`](crate::store::Store::settle).
    pub(super) async fn end_lease(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Result<(), StoreError> {
        let keys = self.keys().await?;
        let call = SETTLE
            .on(&self.names.of_source(&lease.person.source))
            .arg(self.now())
            .arg(&lease.token)
            .arg(names::part(lease.person.employee.as_str()).as_ref())
            .arg(names::person(&lease.person));
        let mut call = match link {
            Some(link) => with_link(call.arg("link"), &lease.person, &link, keys),
            None => call.arg("").arg("").arg("").arg("").arg(""),
        };
        for mut delivery in deliveries {
            if delivery.state != DeliveryState::Waiting {
                delivery.kills = 0;
            }
            call = call
                .arg(delivery.id.as_str())
                .arg(keys.write(&Place::delivery(&delivery.id), &delivery))
                .arg(delivery.state.word())
                .arg(lane(delivery.lane))
                .arg(self.distance(delivery.due))
                .arg(delivery.received_at.as_millisecond())
                .arg(delivery.event.as_str());
        }
        // While Redis cannot be reached, what the lease achieved is not given up as long as it is ours.
        let patience = lease.deadline.left();
        verdict(&read::<Vec<String>>(
            "settle",
            call.run_patiently(&self.connection, patience).await,
        )?)
    }
}

/// A lease call that is under way. When no answer comes, for whatever reason, it is remembered.
struct Unanswered<'s> {
    lost: &'s Mutex<Vec<(SourceName, String)>>,
    call: Option<(SourceName, String)>,
}

impl Unanswered<'_> {
    /// The answer came, and what these earlier calls had leased was given back.
    fn came(mut self, given_back: &[String]) {
        self.call = None;
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.retain(|(_, token)| !given_back.contains(token));
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            // Should there be many, the oldest ones have run out by now.
            if lost.len() >= MOST_LOST {
                lost.remove(0);
            }
            lost.push(call);
        }
    }
}

/// Reads one leased person. One whose records cannot be read is left out, and left alone while the
/// lease lasts: a newer program may read them, and the others shall not wait.
fn read_lease(
    one: Value,
    source: &SourceName,
    deadline: Deadline,
    keys: &Keys,
) -> Result<Option<Lease>, StoreError> {
    let (employee, token, link, choice, work): Leased = read("lease", Ok(one))?;
    let (ids, texts, kills): Work = read("lease", Ok(Value::Array(work)))?;
    let Some(person) = names::read_person(&format!("{}\0{employee}", names::part(source.as_str())))
    else {
        return Ok(None);
    };
    let records = || {
        let mut kills = kills.iter().copied().chain(std::iter::repeat(None));
        let deliveries = ids.iter().zip(&texts).map(|(id, text)| {
            let delivery = keys.read(&Place::delivery(&DeliveryId::new(id)), text)?;
            Ok(with_kills(delivery, kills.next().flatten()))
        });
        let mut deliveries: Vec<Delivery> = deliveries.collect::<Result<_, StoreError>>()?;
        deliveries.sort_by(|a, b| (a.received_at, &a.id).cmp(&(b.received_at, &b.id)));
        let link = link.as_deref().map(|link| read_link(&person, link, keys)).transpose()?;
        let choice = choice.as_deref();
        let choice = choice.map(|choice| read_choice(&person, choice, keys)).transpose()?;
        Ok::<_, StoreError>((deliveries, link, choice))
    };
    match records() {
        Ok((deliveries, link, choice)) => {
            Ok(Some(Lease { person, token, deadline, deliveries, link, choice }))
        }
        Err(error) => {
            tracing::error!(%person, %error, "this person's records are left for another program");
            Ok(None)
        }
    }
}

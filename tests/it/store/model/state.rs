//! What a store should hold, in a few maps.

use std::collections::{BTreeMap, BTreeSet};

use instep::model::{
    Arrival, Choice, Delivery, DeliveryId, DeliveryState, EmployeeId, EventId, Item, Link, Person,
    Run, RunId,
};
use instep::store::{Lease, Retention, StoreError};
use jiff::Timestamp;

use crate::store::suite::person;

/// A person under lease.
pub struct Held {
    pub token: String,
    pub until: Timestamp,
    pub deliveries: BTreeSet<DeliveryId>,
}

#[derive(Default)]
pub struct Model {
    /// Every event that a walk uses, made when it is first needed.
    pub events: BTreeMap<usize, Arrival>,
    /// What the store remembers of them: the delivery and the repeats.
    pub seen: BTreeMap<EventId, (DeliveryId, u64)>,
    /// When each remembered event was first received.
    pub received: BTreeMap<EventId, Timestamp>,
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    pub held: BTreeMap<EmployeeId, Held>,
    pub links: BTreeMap<EmployeeId, Link>,
    pub choices: BTreeMap<EmployeeId, Choice>,
    pub notes: BTreeMap<String, String>,
    pub runs: BTreeMap<RunId, (Run, BTreeMap<u64, Item>)>,
    /// All deliveries ever made, to choose from.
    pub ever: Vec<DeliveryId>,
}

impl Model {
    pub fn due(&self, employee: &EmployeeId, now: Timestamp) -> Vec<Delivery> {
        let due = |delivery: &&Delivery| {
            delivery.employee.as_ref() == Some(employee)
                && delivery.state == DeliveryState::Waiting
                && delivery.due <= now
        };
        self.deliveries.values().filter(due).cloned().collect()
    }

    pub fn employees(&self) -> BTreeSet<EmployeeId> {
        self.deliveries.values().filter_map(|delivery| delivery.employee.clone()).collect()
    }

    pub fn take_back(&mut self, now: Timestamp) {
        let lost = self.held.iter().filter(|(_, held)| held.until <= now);
        for employee in lost.map(|(employee, _)| employee.clone()).collect::<Vec<_>>() {
            self.end(&employee);
        }
    }

    /// Ends a lease that ran out.
    fn end(&mut self, employee: &EmployeeId) {
        for id in self.held.remove(employee).expect("held").deliveries {
            self.deliveries.get_mut(&id).expect("of a lease").kills += 1;
        }
    }

    /// Whether this lease may write, and this link with it.
    pub fn may(&self, lease: &Lease, link: Option<&Link>) -> Result<(), String> {
        let held = self.held.get(&lease.person.employee);
        if held.is_none_or(|held| held.token != lease.token) {
            return Err(StoreError::LeaseLost.to_string());
        }
        let account = link.and_then(|link| link.account.as_ref());
        let owner = self.links.iter().find(|(employee, link)| {
            **employee != lease.person.employee
                && account.is_some()
                && link.account.as_ref() == account
        });
        owner.map_or(Ok(()), |(owner, _)| {
            Err(StoreError::AccountTaken(person(owner.as_str())).to_string())
        })
    }

    pub fn trim(&mut self, retention: Retention) {
        self.runs.retain(|_, (run, _)| run.ended_at.is_none() || run.started_at >= retention.runs);
        self.deliveries.retain(|_, delivery| {
            matches!(delivery.state, DeliveryState::Waiting | DeliveryState::Dead)
                || delivery.received_at >= retention.deliveries
        });
        let needed: BTreeSet<_> = self
            .deliveries
            .values()
            .filter(|d| matches!(d.state, DeliveryState::Waiting | DeliveryState::Dead))
            .map(|delivery| delivery.event.clone())
            .collect();
        let received = &self.received;
        self.seen.retain(|id, _| received[id] >= retention.events || needed.contains(id));
    }

    /// Whether the person can be unlinked now; if so, they are.
    pub fn unlink(&mut self, employee: &EmployeeId, now: Timestamp) -> bool {
        match self.held.get(employee).map(|held| held.until > now) {
            Some(true) => return false,
            Some(false) => self.end(employee),
            None => {}
        }
        self.links.remove(employee);
        true
    }

    /// Who awaits this manager.
    pub fn awaiting(&self, manager: &str) -> BTreeSet<Person> {
        let awaits = |link: &Link| link.awaits.as_deref() == Some(manager);
        let found = self.links.iter().filter(|(_, link)| awaits(link));
        found.map(|(employee, _)| person(employee.as_str())).collect()
    }

    /// All appointments, the earliest first.
    pub fn appointments(&self, until: Timestamp) -> Vec<(Timestamp, Person)> {
        let at = |(employee, link): (&EmployeeId, &Link)| {
            Some((link.appointment.as_ref()?.at, person(employee.as_str())))
        };
        let mut all: Vec<_> =
            self.links.iter().filter_map(at).filter(|(at, _)| *at <= until).collect();
        all.sort();
        all
    }
}

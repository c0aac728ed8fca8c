//! The store against a simple model: random walks of calls, each answer compared with what a few
//! maps in memory would say. A failing walk is made as short as possible and printed with its seed;
//! `INSTEP_SEED=<seed>` walks the same ways again.

mod runs;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use instep::model::{
    AccountId, Appointment, Choice, Delivery, DeliveryId, DeliveryState, EmployeeId, Fate, Lane,
    Link,
};
use instep::store::{Accepted, Depth, Due, Lease, Retention};
use proptest::prelude::*;
use proptest::test_runner::{
    Config, RngAlgorithm, TestCaseError, TestCaseResult, TestRng, TestRunner,
};

use self::runs::RunStep;
use self::state::{Held, Model};
use super::suite::{Fixture, LASTING, arrival, bob, person};

/// Tries random values from a seed, and tells the seed when one fails.
pub fn run<S: Strategy>(cases: u32, values: S, test: impl AsyncFn(S::Value) -> TestCaseResult) {
    let seed = std::env::var("INSTEP_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new_with_rng(config, rng);
    if let Err(failure) = runner.run(&values, |value| runtime.block_on(test(value))) {
        panic!("INSTEP_SEED={seed}\n{failure}");
    }
}

/// So many managers are awaited.
const MANAGERS: u8 = 2;

#[derive(Clone, Debug)]
enum Outcome {
    Done,
    Dead,
    Again(u64),
    Untouched,
    Left,
}

#[derive(Clone, Debug)]
enum Step {
    Accept { event: usize, ignore: bool },
    Lease { persons: usize },
    Link { lease: usize, link: Link },
    Settle { lease: usize, outcomes: Vec<Outcome>, link: Option<Link> },
    Replay { which: Vec<usize>, lane: Lane, wait: u64 },
    Trim { events: u64, deliveries: u64, runs: u64 },
    Unlink { employee: usize },
    Choose { employee: usize, choice: Option<Choice> },
    Note { name: usize, before: Option<String>, now: Option<String> },
    Run(RunStep),
    Pass(u64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = || {
        prop_oneof![
            4 => Just(Outcome::Done),
            2 => Just(Outcome::Dead),
            2 => (0..90_u64).prop_map(Outcome::Again),
            1 => Just(Outcome::Untouched),
            1 => Just(Outcome::Left),
        ]
    };
    let link = || {
        let account = prop::option::weighted(0.8, 0..3_u8);
        let manager = prop::option::weighted(0.4, 0..MANAGERS);
        let wait = prop::option::weighted(0.4, 0..300_u64);
        (account, manager, wait, 0..1000_u32).prop_map(|(account, manager, wait, differs)| Link {
            account: account.map(|account| AccountId::new(format!("account {account}"))),
            awaits: manager.map(|manager| format!("employee {manager}")),
            appointment: wait.map(|wait| Appointment {
                at: Fixture::clock().now() + Duration::from_secs(wait),
                why: "the start date".into(),
            }),
            external_id: Some(differs.to_string()),
            ..Link::default()
        })
    };
    let choice = prop_oneof![
        (0..3_u8).prop_map(|n| Choice::Account(AccountId::new(format!("account {n}")))),
        Just(Choice::Create),
        Just(Choice::Ignore),
    ];
    let text = || prop::option::of((0..2_u8).prop_map(|text| text.to_string()));
    let lane = prop_oneof![Just(Lane::Live), Just(Lane::Bulk)];
    let step = prop_oneof![
        8 => (0..24_usize, prop::bool::weighted(0.1))
            .prop_map(|(event, ignore)| Step::Accept { event, ignore }),
        5 => (1..5_usize).prop_map(|persons| Step::Lease { persons }),
        2 => (0..4_usize, link()).prop_map(|(lease, link)| Step::Link { lease, link }),
        6 => (0..4_usize, prop::collection::vec(outcome(), 1..4), prop::option::of(link()))
            .prop_map(|(lease, outcomes, link)| Step::Settle { lease, outcomes, link }),
        3 => (prop::collection::vec(0..40_usize, 0..4), lane, 0..90_u64)
            .prop_map(|(which, lane, wait)| Step::Replay { which, lane, wait }),
        1 => (0..300_u64, 0..300_u64, 0..300_u64)
            .prop_map(|(events, deliveries, runs)| Step::Trim { events, deliveries, runs }),
        2 => (0..4_usize).prop_map(|employee| Step::Unlink { employee }),
        2 => (0..4_usize, prop::option::of(choice))
            .prop_map(|(employee, choice)| Step::Choose { employee, choice }),
        2 => (0..2_usize, text(), text())
            .prop_map(|(name, before, now)| Step::Note { name, before, now }),
        4 => runs::steps().prop_map(Step::Run),
        5 => (0..90_u64).prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..80)
}

/// Random walks.
pub fn compare<F: Future<Output = Fixture>>(open: impl Fn() -> F) {
    run(64, steps(), async |steps: Vec<Step>| {
        let mut walk = Walk { on: open().await, model: Model::default(), leases: Vec::new() };
        for step in &steps {
            walk.step(step).await?;
            walk.look_around().await?;
        }
        walk.look_at_everything().await
    });
}

struct Walk {
    on: Fixture,
    model: Model,
    leases: Vec<Lease>,
}

fn same<T: PartialEq + Debug>(store: T, model: T, what: &str) -> TestCaseResult {
    prop_assert_eq!(store, model, "{} (store, model)", what);
    Ok(())
}

impl Walk {
    async fn step(&mut self, step: &Step) -> TestCaseResult {
        let now = self.on.clock.now();
        match step {
            Step::Pass(seconds) => self.on.pass(*seconds),
            Step::Reopen => self.on.reopen().await,
            Step::Accept { event, ignore } => return self.accept(*event, *ignore).await,
            Step::Lease { persons } => return self.lease(*persons).await,
            Step::Link { lease, link } => {
                let Some(lease) = self.leases.get(*lease) else { return Ok(()) };
                let expected = self.model.may(lease, Some(link));
                let saved = self.on.store.save_link(lease, link).await;
                same(saved.map_err(|e| e.to_string()), expected.clone(), "save_link")?;
                if expected.is_ok() {
                    self.model.links.insert(lease.person.employee.clone(), link.clone());
                }
            }
            Step::Settle { lease, outcomes, link } => {
                if *lease < self.leases.len() {
                    let lease = self.leases.remove(*lease);
                    return self.settle(lease, outcomes, link.clone()).await;
                }
            }
            Step::Replay { which, lane, wait } => {
                let at = self.on.later(*wait);
                let ever = &self.model.ever;
                let ids: Vec<_> = which.iter().filter_map(|n| ever.get(*n).cloned()).collect();
                let mut expected = 0;
                for id in &ids {
                    let Some(delivery) = self.model.deliveries.get_mut(id) else { continue };
                    if delivery.state != DeliveryState::Waiting {
                        delivery.state = DeliveryState::Waiting;
                        (delivery.lane, delivery.due) = (*lane, at);
                        (delivery.attempts, delivery.kills) = (0, 0);
                        (delivery.reason, delivery.code) = (None, None);
                        delivery.replays += 1;
                        expected += 1;
                    }
                }
                same(self.on.store.replay(&ids, *lane, at).await.unwrap(), expected, "replay")?;
            }
            Step::Unlink { employee } => {
                let person = person(&employee.to_string());
                let expected = self.model.unlink(&person.employee, now);
                same(self.on.store.unlink(&person).await.unwrap(), expected, "unlink")?;
            }
            Step::Choose { employee, choice } => {
                let person = person(&employee.to_string());
                self.on.store.choose(&person, choice.as_ref()).await.unwrap();
                let choices = &mut self.model.choices;
                match choice.clone() {
                    Some(choice) => drop(choices.insert(person.employee, choice)),
                    None => drop(choices.remove(&person.employee)),
                }
            }
            Step::Note { name, before, now } => {
                let name = format!("note {name}");
                let put = self.on.store.put_note(&name, before.as_deref(), now.as_deref());
                let notes = &mut self.model.notes;
                let expected = notes.get(&name) == before.as_ref();
                same(put.await.unwrap(), expected, "put_note")?;
                match now.clone() {
                    Some(now) if expected => drop(notes.insert(name, now)),
                    None if expected => drop(notes.remove(&name)),
                    _ => {}
                }
            }
            Step::Run(step) => return self.run_step(step).await,
            Step::Trim { events, deliveries, runs } => {
                let ago = |seconds| now - Duration::from_secs(seconds);
                let (events, deliveries, runs) = (ago(*events), ago(*deliveries), ago(*runs));
                let retention = Retention { events, deliveries, runs, audit: runs };
                while self.on.store.trim(retention).await.unwrap() > 0 {}
                self.model.trim(retention);
            }
        }
        Ok(())
    }

    async fn accept(&mut self, event: usize, ignore: bool) -> TestCaseResult {
        let employee = (event % 4).to_string();
        let fate = match (ignore, event % 3) {
            (true, _) => Fate::Ignore("ignored".into()),
            (_, 0) => Fate::Deliver(Lane::Bulk),
            _ => Fate::Deliver(Lane::Live),
        };
        let clock = &self.on.clock;
        let first = || arrival(clock, &employee, Fate::Deliver(Lane::Live));
        let mut arrival = self.model.events.entry(event).or_insert_with(first).clone();
        arrival.delivery = DeliveryId::fresh();
        arrival.event.received_at = clock.now();
        arrival.fate = fate.clone();
        let accepted = self.on.store.accept(arrival.clone()).await.unwrap();

        let id = &arrival.event.id;
        let model = &mut self.model;
        if let Some((delivery, repeats)) = model.seen.get_mut(id) {
            *repeats += 1;
            let dead = model.deliveries.get(delivery).map(|delivery| delivery.state)
                == Some(DeliveryState::Dead);
            if !dead {
                return same(accepted, Accepted::Repeat(delivery.clone()), "accept");
            }
            *delivery = arrival.delivery.clone();
        } else {
            model.seen.insert(id.clone(), (arrival.delivery.clone(), 0));
            model.received.insert(id.clone(), arrival.event.received_at);
        }
        let (state, lane, reason) = match fate {
            Fate::Deliver(lane) => (DeliveryState::Waiting, lane, None),
            Fate::Ignore(reason) => (DeliveryState::Ignored, Lane::Live, Some(reason)),
        };
        let delivery = Delivery {
            id: arrival.delivery.clone(),
            event: arrival.event.id,
            source: arrival.event.source,
            employee: arrival.event.employee,
            kind: arrival.event.kind,
            lane,
            received_at: arrival.event.received_at,
            state,
            due: arrival.event.received_at,
            attempts: 0,
            looks: 0,
            absences: 0,
            kills: 0,
            replays: 0,
            reason,
            code: None,
            history: Vec::new(),
        };
        model.deliveries.insert(arrival.delivery.clone(), delivery);
        model.ever.push(arrival.delivery.clone());
        same(accepted, Accepted::New(arrival.delivery), "accept")
    }

    /// Which persons are leased is the store's choice within the rules; what they are leased with
    /// is not.
    async fn lease(&mut self, persons: usize) -> TestCaseResult {
        let leases = self.on.lease(persons).await;
        let now = self.on.clock.now();
        self.model.take_back(now);
        let mut due: BTreeMap<_, _> = BTreeMap::new();
        for employee in self.model.employees() {
            let deliveries = self.model.due(&employee, now);
            if !deliveries.is_empty() && !self.model.held.contains_key(&employee) {
                due.insert(employee, deliveries);
            }
        }
        same(leases.len(), persons.min(due.len()), "how many are leased")?;
        let has = |deliveries: &[Delivery], lane| deliveries.iter().any(|d| d.lane == lane);
        let bulk_only = |deliveries: &Vec<Delivery>| !has(deliveries, Lane::Live);
        let (mut of_bulk_only, mut with_bulk) = (0, 0);
        let bulk_was_due = due.values().any(bulk_only);
        for lease in &leases {
            let employee = lease.person.employee.clone();
            let Some(expected) = due.remove(&employee) else {
                return Err(TestCaseError::fail(format!("{} was not due", lease.person)));
            };
            of_bulk_only += usize::from(bulk_only(&expected));
            with_bulk += usize::from(has(&expected, Lane::Bulk));
            same(&lease.deliveries, &expected, "deliveries of a lease")?;
            same(lease.link.as_ref(), self.model.links.get(&employee), "link of a lease")?;
            let choice = self.model.choices.get(&employee);
            same(lease.choice.as_ref(), choice, "choice of a lease")?;
            let deliveries = expected.into_iter().map(|delivery| delivery.id).collect();
            let held = Held { token: lease.token.clone(), until: now + LASTING, deliveries };
            prop_assert!(self.model.held.insert(employee, held).is_none());
        }
        let live_is_left = due.values().any(|deliveries| !bulk_only(deliveries));
        prop_assert!(of_bulk_only <= 1 || !live_is_left, "live goes before bulk");
        prop_assert!(persons < 2 || with_bulk > 0 || !bulk_was_due, "bulk has its share");
        self.leases.extend(leases);
        Ok(())
    }

    async fn settle(
        &mut self,
        lease: Lease,
        outcomes: &[Outcome],
        link: Option<Link>,
    ) -> TestCaseResult {
        let now = self.on.clock.now();
        let mut deliveries = Vec::new();
        for (delivery, outcome) in lease.deliveries.iter().zip(outcomes.iter().cycle()) {
            let mut delivery = delivery.clone();
            delivery.reason = Some(format!("{outcome:?}"));
            (delivery.state, delivery.due) = match outcome {
                Outcome::Done => (DeliveryState::Done, now),
                Outcome::Dead => (DeliveryState::Dead, now),
                Outcome::Again(seconds) => (DeliveryState::Waiting, self.on.later(*seconds)),
                Outcome::Untouched => (delivery.state, delivery.due),
                Outcome::Left => continue,
            };
            delivery.attempts += 1;
            deliveries.push(delivery);
        }
        let expected = self.model.may(&lease, link.as_ref());
        let employee = lease.person.employee.clone();
        let settled = self.on.store.settle(lease, deliveries.clone(), link.clone()).await;
        same(settled.map_err(|e| e.to_string()), expected.clone(), "settle")?;
        if expected.is_ok() {
            self.model.held.remove(&employee);
            for mut delivery in deliveries {
                if delivery.state != DeliveryState::Waiting {
                    delivery.kills = 0;
                }
                self.model.deliveries.insert(delivery.id.clone(), delivery);
            }
            if let Some(link) = link {
                self.model.links.insert(employee, link);
            }
        }
        Ok(())
    }

    async fn look_around(&self) -> TestCaseResult {
        let (model, now) = (&self.model, self.on.clock.now());
        let all = || model.deliveries.values();
        let waiting = || all().filter(|delivery| delivery.state == DeliveryState::Waiting);
        let count = |state| all().filter(|delivery| delivery.state == state).count() as u64;
        let depth = Depth {
            waiting: count(DeliveryState::Waiting),
            dead: count(DeliveryState::Dead),
            done: count(DeliveryState::Done),
            ignored: count(DeliveryState::Ignored),
            leased: model.held.values().filter(|held| held.until > now).count() as u64,
            oldest: waiting().map(|delivery| delivery.received_at).min(),
        };
        same(self.on.store.depth().await.unwrap(), depth, "depth")?;

        let due = self.on.store.due(&bob(), 100).await.unwrap();
        let free =
            |employee: &EmployeeId| model.held.get(employee).is_none_or(|held| held.until <= now);
        let is_due = |employee: &EmployeeId| !model.due(employee, now).is_empty();
        let persons = model.employees().iter().filter(|e| free(e) && is_due(e)).count();
        same(due.persons, persons, "persons that are due")?;
        let is_live = |employee: &EmployeeId| {
            !model.held.contains_key(employee)
                && model.due(employee, now).iter().any(|delivery| delivery.lane == Lane::Live)
        };
        let live = model.employees().iter().filter(|employee| is_live(employee)).count();
        same(due.live, live, "persons with live work that is due")?;
        if persons == 0 && model.held.is_empty() {
            let next = waiting().map(|delivery| delivery.due).min();
            same(due, Due { persons, live: 0, next }, "who is due next")?;
        }

        for manager in 0..MANAGERS {
            let manager = format!("employee {manager}");
            let found = self.on.store.awaiting(&bob(), &manager, 100).await.unwrap();
            let found: BTreeSet<_> = found.into_iter().collect();
            same(found, model.awaiting(&manager), "who awaits a manager")?;
        }
        let found = self.on.store.appointments(now, 100).await.unwrap();
        let mut sorted: Vec<_> = found.into_iter().map(|(person, at)| (at, person)).collect();
        let is_sorted = sorted.is_sorted_by_key(|(at, _)| *at);
        sorted.sort();
        same(sorted, model.appointments(now), "appointments")?;
        prop_assert!(is_sorted, "the earliest first");
        Ok(())
    }

    async fn look_at_everything(&self) -> TestCaseResult {
        self.look_at_runs().await?;
        let (store, model) = (&self.on.store, &self.model);
        for id in &model.ever {
            let stored = store.delivery(id).await.unwrap();
            same(stored.as_ref(), model.deliveries.get(id), "delivery")?;
        }
        let newest: Vec<_> = model.deliveries.values().rev().cloned().collect();
        let listed = store.deliveries(&instep::store::Filter::default(), 1000).await.unwrap();
        same(listed, newest, "the list")?;
        for arrival in model.events.values() {
            let kept = store.event(&arrival.event.id).await.unwrap();
            let kept = kept.map(|kept| (kept.delivery, kept.repeats));
            same(kept.as_ref(), model.seen.get(&arrival.event.id), "event")?;
        }
        let links = store.links(&bob(), None, 100).await.unwrap();
        let links: BTreeMap<_, _> =
            links.links.into_iter().map(|(person, link)| (person.employee, link)).collect();
        same(&links, &model.links, "links")?;
        for employee in 0..4 {
            let person = person(&employee.to_string());
            let link = store.link(&person).await.unwrap();
            same(link.as_ref(), model.links.get(&person.employee), "link")?;
            let choice = store.choice(&person).await.unwrap();
            same(choice.as_ref(), model.choices.get(&person.employee), "choice")?;
        }
        for account in 0..3 {
            let account = AccountId::new(format!("account {account}"));
            let is_theirs = |link: &Link| link.account.as_ref() == Some(&account);
            let owner = model.links.iter().find(|(_, link)| is_theirs(link));
            let owner = owner.map(|(employee, _)| person(employee.as_str()));
            same(store.owner(&account).await.unwrap(), owner, "owner")?;
        }
        for name in ["note 0", "note 1"] {
            let note = store.note(name).await.unwrap();
            same(note.as_ref(), model.notes.get(name), "note")?;
        }
        Ok(())
    }
}

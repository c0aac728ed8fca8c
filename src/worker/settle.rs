//! Settling: the end of a person's turn is written into its deliveries, stored, and told.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{Instrument as _, info_span};

use super::end::End;
use super::process::Case;
use super::trace;
use super::turn::lane;
use super::{Live, Settled, Worker};
use crate::clock::elapsed_ms;
use crate::model::words::count;
use crate::model::{
    Arrival, Attempt, Delivery, DeliveryState, Event, LEASE_LOST, Lane, Link, Person,
};
use crate::store::{Lease, StoreError};

/// A delivery whose workers died so often is a dead letter.
const MOST_KILLS: u32 = 5;

/// Second looks are gathered on a grid of so many to the time between two looks, so that one read
/// serves many.
const LOOK_GRID: u32 = 5;

/// Whether the end of a turn was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// It was.
    Done,
    /// It was not: somebody else has the person.
    LeaseLost,
    /// The store did not say.
    Unknown,
}

impl Worker {
    /// The read of this one person failed while others' succeed.
    pub(super) async fn retry_unread(&self, lease: Lease, live: &Arc<Live>, reason: &str) {
        let end = End::Retry {
            code: "sourceFailed".to_owned(),
            reason: reason.to_owned(),
            most: self.settings.attempts,
        };
        let case = Case::unread(lease, Arc::clone(live), self.clock.now());
        let link = case.changed(case.link());
        self.conclude(case, "not read", Vec::new(), end, link).await;
    }

    /// Whether some delivery has killed its worker too often.
    pub(super) fn is_worn(lease: &Lease) -> bool {
        lease.deliveries.iter().any(|delivery| delivery.kills >= MOST_KILLS)
    }

    /// Makes dead letters of those deliveries; the others of the lease go on.
    pub(super) async fn bury(&self, mut lease: Lease) {
        let now = self.clock.now();
        let mut deliveries = std::mem::take(&mut lease.deliveries);
        for delivery in deliveries.iter_mut().filter(|delivery| delivery.kills >= MOST_KILLS) {
            delivery.state = DeliveryState::Dead;
            delivery.due = now;
            delivery.code = Some("workerDied".to_owned());
            delivery.reason = Some(format!(
                "its worker died {} times: look for crashes in the log, then replay",
                delivery.kills
            ));
        }
        self.dead_letters.note();
        tracing::error!(person = %lease.person, "dead: its worker died too often");
        let case = Case::unread(lease, self.live(), now);
        let link = case.changed(case.link());
        self.write_down(case.lease, deliveries, link).await;
    }

    /// Gives leases back as they were, due again after this; no attempt is spent.
    pub(super) async fn give_back(&self, leases: Vec<Lease>, after: Duration, why: Option<&str>) {
        for mut lease in leases {
            self.count_attempt(lane(&lease), "given_back");
            let mut deliveries = std::mem::take(&mut lease.deliveries);
            rest(&mut deliveries, self.clock.now(), after, why);
            self.write_down(lease, deliveries, None).await;
        }
    }

    /// Writes the end of a person's turn into its deliveries, settles, and tells about it.
    pub(super) async fn conclude(
        &self,
        mut case: Case,
        decided: &str,
        done: Vec<String>,
        end: End,
        link: Option<Link>,
    ) {
        let now = self.clock.now();
        if matches!(end, End::GiveBack(..)) {
            self.count_attempt(lane(&case.lease), "given_back");
        }
        let mut deliveries = std::mem::take(&mut case.lease.deliveries);
        // What tells of a loss already is still there, and its losses are counted.
        let is_told = deliveries.iter().any(|delivery| delivery.kind == LEASE_LOST);
        let again = (!is_told).then(|| case.lease.person.clone());
        if let End::GiveBack(after, why) = &end {
            case.span.record("outcome", "given_back");
            rest(&mut deliveries, now, *after, why.as_deref());
            if let Written::LeaseLost = self.write_down(case.lease, deliveries, link).await {
                self.look_again(again).await;
            }
            return;
        }
        let mut outcome = String::new();
        let newest = deliveries.len().saturating_sub(1);
        for (index, delivery) in deliveries.iter_mut().enumerate() {
            let end = match &end {
                End::DoneSoFar(after, why) if index == newest => {
                    &End::LookLater(*after, format!("{why}; HiBob may show a later change late"))
                }
                end => end,
            };
            let ended = self.stand(delivery, end, now);
            delivery.remember(Attempt {
                at: case.started,
                took_ms: elapsed_ms(case.started, now),
                read: case.read.clone(),
                rules: case.live.rules.version().to_owned(),
                decided: decided.to_owned(),
                done: done.clone(),
                outcome: ended.clone(),
            });
            outcome = ended;
        }
        if deliveries.iter().any(|delivery| delivery.state == DeliveryState::Dead) {
            self.dead_letters.note();
        }
        trace::end(&case.span, &deliveries, case.started);
        let settled = settled(&case, &deliveries, decided, done, outcome, now);
        match self.write_down(case.lease, deliveries, link).await {
            Written::Done => self.tell(settled),
            Written::LeaseLost => self.look_again(again).await,
            Written::Unknown => {}
        }
    }

    /// Has somebody looked at once more after a turn whose lease was lost. Whoever went on may have
    /// written before the last call of this turn took effect, and what it wrote is older: it was read
    /// before. That the other one knows of the loss is not certain: the store may have been emptied.
    async fn look_again(&self, person: Option<Person>) {
        let Some(person) = person else { return };
        let words = uuid::Uuid::now_v7().to_string();
        let event = Event::of_our_own(LEASE_LOST, &person, &words, self.clock.now());
        if let Err(error) = self.store.accept(Arrival::live(event)).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(%person, error, "what it wrote may be out of date: `instep sync` looks");
        }
    }

    /// Where one delivery stands after this end; says so in a sentence.
    fn stand(&self, delivery: &mut Delivery, end: &End, now: Timestamp) -> String {
        delivery.due = now;
        delivery.absences = match end {
            End::LookForAgain(_) => delivery.absences + 1,
            _ => 0,
        };
        let (state, code, reason, ended) = match end {
            End::Done(why) | End::DoneSoFar(_, why) => {
                (DeliveryState::Done, None, why.clone(), why.clone())
            }
            End::LookLater(after, why) => {
                delivery.looks += 1;
                delivery.due = on_grid(now + *after, self.look());
                let told = format!("again in {:.1} s: {why}", after.as_secs_f64());
                (DeliveryState::Waiting, None, why.clone(), told)
            }
            End::LookForAgain(after) => {
                delivery.due = on_grid(now + *after, *after);
                let why = "HiBob's answer does not contain this person, which proves nothing yet";
                (DeliveryState::Waiting, None, why.into(), format!("again in {after:?}: {why}"))
            }
            End::Retry { code, reason, most } => {
                delivery.attempts += 1;
                if delivery.attempts >= *most {
                    let told = format!(
                        "dead after {}: {reason}",
                        count(delivery.attempts.into(), "attempt", "attempts")
                    );
                    (DeliveryState::Dead, Some(code.clone()), reason.clone(), told)
                } else {
                    let after = self.delays().after(delivery.attempts);
                    delivery.due = now + after;
                    let told = format!("again in {:.1} s: {reason}", after.as_secs_f64());
                    (DeliveryState::Waiting, Some(code.clone()), reason.clone(), told)
                }
            }
            End::Dead { code, reason } => {
                delivery.attempts += 1;
                let told = format!("dead: {code}");
                (DeliveryState::Dead, Some(code.clone()), reason.clone(), told)
            }
            End::GiveBack(..) => return String::new(),
        };
        delivery.state = state;
        delivery.code = code;
        delivery.reason = Some(reason);
        ended
    }

    /// Settles, patiently: a store that is away for a moment must not cost the lease.
    async fn write_down(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Written {
        let person = lease.person.clone();
        let span = info_span!(target: "instep::trace", "settle");
        match self.store.settle(lease, deliveries, link).instrument(span).await {
            Ok(()) => Written::Done,
            Err(StoreError::LeaseLost) => {
                tracing::warn!(%person, "lease lost before settling: another worker goes on");
                metrics::counter!("instep_leases_lost_total", "source" => self.name.to_string())
                    .increment(1);
                Written::LeaseLost
            }
            Err(error) => {
                // The lease runs out, is taken back, and the same plan finds its work done.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%person, error, "not settled");
                Written::Unknown
            }
        }
    }

    fn count_attempt(&self, lane: Lane, outcome: &'static str) {
        let source = self.name.to_string();
        metrics::counter!("instep_attempts_total",
            "source" => source, "lane" => lane.word(), "outcome" => outcome)
        .increment(1);
    }

    fn tell(&self, settled: Settled) {
        let Settled { person, deliveries, decided, outcome, latency, state, .. } = &settled;
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        match state {
            DeliveryState::Dead => {
                tracing::error!(%person, deliveries, decided, outcome, "dead letter");
            }
            DeliveryState::Waiting => {
                tracing::info!(%person, deliveries, decided, outcome, "again");
            }
            _ => tracing::info!(%person, deliveries, decided, outcome, latency_ms, "settled"),
        }
        let outcome = match state {
            DeliveryState::Waiting => "again",
            state => state.word(),
        };
        self.count_attempt(settled.lane, outcome);
        if *state == DeliveryState::Done && !settled.done.is_empty() {
            let source = self.name.to_string();
            metrics::histogram!("instep_received_to_applied_seconds",
                "source" => source, "lane" => settled.lane.word())
            .record(*latency);
        }
        // Nobody may be listening.
        let _ = self.told.send(settled);
    }
}

/// Lets deliveries rest where they are; no attempt is spent.
fn rest(deliveries: &mut [Delivery], now: Timestamp, after: Duration, why: Option<&str>) {
    for delivery in deliveries {
        if !after.is_zero() {
            delivery.due = now + after;
        }
        if let Some(why) = why {
            delivery.reason = Some(why.to_owned());
        }
    }
}

/// What is told of a settled turn.
fn settled(
    case: &Case,
    deliveries: &[Delivery],
    decided: &str,
    done: Vec<String>,
    outcome: String,
    now: Timestamp,
) -> Settled {
    let mut kinds: Vec<String> = deliveries.iter().map(|d| d.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let oldest = deliveries.iter().map(|d| d.received_at).min().unwrap_or(now);
    Settled {
        person: case.lease.person.clone(),
        kinds,
        lane: deliveries.iter().map(|delivery| delivery.lane).min().unwrap_or(Lane::Live),
        deliveries: deliveries.len(),
        newest: deliveries.iter().map(|delivery| delivery.id.clone()).max(),
        decided: decided.to_owned(),
        done,
        state: deliveries.first().map_or(DeliveryState::Done, |delivery| delivery.state),
        outcome,
        latency: Duration::from_millis(elapsed_ms(oldest, now)),
    }
}

/// The next moment on the grid of looks that are so long apart.
fn on_grid(at: Timestamp, apart: Duration) -> Timestamp {
    let grid = i64::try_from((apart / LOOK_GRID).as_millis()).unwrap_or(i64::MAX).max(1);
    let ms = at.as_millisecond();
    Timestamp::from_millisecond(ms + (grid - ms.rem_euclid(grid)) % grid).unwrap_or(at)
}

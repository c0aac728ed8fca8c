//! What runs when: calling the appointments whose time has come, trimming what is past its
//! retention, and noticing that the store was emptied.

pub mod timetable;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::StoreSettings;
use crate::model::{APPOINTMENT, Arrival, Event, Person};
use crate::store::{Grant, Rate, Retention, Store, StoreError};

/// How often the store is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is trimmed, by one of all processes.
const TRIM: Duration = Duration::from_secs(600);

/// So many appointments are called in one look.
const APPOINTMENTS: usize = 1_000;

/// An appointment that was called and still stands (its turn has not come yet) is called again after
/// this. The call is kept like every event, so this is for a store that lost it.
const CALL_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Watches over the store.
pub struct Scheduler {
    store: Arc<dyn Store>,
    settings: StoreSettings,
    clock: Clock,
    /// The name of the store when this process first saw it.
    epoch: Option<String>,
    /// Appointments that were called and still stood at the last look: for when, and called when.
    called: HashMap<Person, (Timestamp, Timestamp)>,
}

impl Scheduler {
    /// A scheduler that has seen nothing yet.
    pub fn new(store: Arc<dyn Store>, settings: StoreSettings, clock: Clock) -> Self {
        Self { store, settings, clock, epoch: None, called: HashMap::new() }
    }

    /// Does what is due, or rests a moment when there is nothing. Gives the new name of a store that
    /// was emptied while we ran: events may be lost, so a full sync is to be asked for. The first
    /// look is at once: whatever is lost after it is noticed.
    pub async fn next(&mut self, stop: &CancellationToken) -> Option<String> {
        match self.look().await {
            Ok(None) => {}
            Ok(emptied) => return emptied,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the store is away");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        None
    }

    async fn look(&mut self) -> Result<Option<String>, StoreError> {
        let epoch = self.store.epoch().await?;
        if self.epoch.replace(epoch.clone()).is_some_and(|before| before != epoch) {
            tracing::error!("the store was emptied while we ran: a full sync is asked for");
            return Ok(Some(epoch));
        }
        self.call_appointments().await?;
        let rate = Rate { calls: 1, per: TRIM, burst: 1 };
        if let Grant::Calls(_) = self.store.grant("trim", rate, 1).await? {
            let now = self.clock.now();
            let retention = Retention {
                events: now - self.settings.keep_events,
                deliveries: now - self.settings.keep_deliveries,
                runs: now - self.settings.keep_runs,
                audit: now - self.settings.keep_audit,
            };
            while self.store.trim(retention).await? > 0 {}
        }
        Ok(None)
    }

    /// Queues everybody whose appointment has come. Every process may do so: the same appointment of
    /// the same person is the same event.
    async fn call_appointments(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let most = APPOINTMENTS + self.called.len();
        let standing = self.store.appointments(now, most).await?;
        if standing.len() < most {
            let standing: HashMap<&Person, Timestamp> =
                standing.iter().map(|(person, at)| (person, *at)).collect();
            self.called.retain(|person, (at, _)| standing.get(person) == Some(at));
        }
        for (person, at) in standing {
            let called = self.called.get(&person).filter(|(its, _)| *its == at);
            if called.is_some_and(|(_, called)| now.duration_since(*called) < CALL_AGAIN) {
                continue;
            }
            let event = Event::of_our_own(APPOINTMENT, &person, &at.to_string(), now);
            self.store.accept(Arrival::live(event)).await?;
            self.called.insert(person, (at, now));
        }
        Ok(())
    }
}

//! Forgetting people, and remembering them again.

use std::time::Duration;

use super::Desk;
use crate::clock::Deadline;
use crate::model::words::count;
use crate::model::{Outcome, Person, Refused, RunId};
use crate::reconcile;
use crate::store::forget::{Erased, erase};

/// So long it waits for a worker that has somebody in hand.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rest between two tries.
const REST: Duration = Duration::from_millis(300);

impl Desk {
    /// Erases a person everywhere in the store.
    pub(super) async fn forget(&self, person: &Person) -> Result<Outcome, Refused> {
        let source = &person.source;
        let watched = reconcile::watched(&*self.store, &self.clock, source).await;
        if let Some(at) = watched.map_err(|error| Refused::Unavailable(error.to_string()))? {
            let run = at.run.as_ref().map_or("last", RunId::as_str);
            return Err(Refused::Conflict(format!(
                "a full sync of {source} is at work and has everybody in mind: wait for its end, or \
                 `instep runs cancel {run}`"
            )));
        }
        let now = self.clock.now();
        let at = self.store.forgotten(person).await?.unwrap_or(now);
        let patience = Deadline::after(PATIENCE);
        loop {
            if let Some(Erased { changed, .. }) = erase(&*self.store, person, at, |_| ()).await? {
                let records = count(changed, "record", "records");
                return Ok(Outcome::said(format!(
                    "{person} was forgotten: {records} erased, or cut to what names nobody. Their \
                     account in the LMS is as it was: delete it there. Copies of the store (backups, \
                     exports) are yours to erase"
                )));
            }
            if patience.left() <= REST {
                return Err(Refused::Conflict(format!(
                    "{person}, or somebody whose records name them, is worked on: try again in a few \
                     minutes; it goes on where it stopped"
                )));
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// Lets a forgotten person be synchronised again.
    pub(super) async fn remember(&self, person: &Person) -> Result<Outcome, Refused> {
        if !self.store.remember(person).await? {
            return Err(Refused::NotFound(format!("{person} was not forgotten")));
        }
        Ok(Outcome::said(format!(
            "{person} is kept in step again: the next event about them or the next full sync looks at \
             them as at somebody new"
        )))
    }
}

//! Reads everyone with a single search: HiBob has no pages.
//!
//! Promises: people are handed on while the answer arrives, each once, and dropped by us then; an
//! answer that breaks off ends in an error, however many were handed on before.

use std::collections::{BTreeSet, HashSet};

use tokio::sync::mpsc;

use super::answer::Body;
use super::client::HiBob;
use super::wire::{self, Search};
use crate::clock::Deadline;
use crate::model::{EmployeeId, Lane, Record};
use crate::sources::SourceError;

/// The largest answer about everyone, in bytes: a million people with a few dozen fields.
const EVERYONE_BODY: usize = u32::MAX as usize;
/// So many people are handed from the reading thread to the caller at once…
const TOGETHER: usize = 64;
/// …and so many such handfuls may wait for a caller that is slower.
const IN_FLIGHT: usize = 4;

/// What is known of an answer about everyone that was read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// How many people were handed on.
    pub people: u64,
    /// Those who were listed more than once. Their first record was handed on.
    pub doubled: BTreeSet<EmployeeId>,
}

/// The ids that came already. HiBob's are numbers: kept as such, a million of them take 20 MiB.
#[derive(Default)]
struct SeenIds {
    numbers: HashSet<u64>,
    texts: HashSet<EmployeeId>,
}

impl SeenIds {
    /// Whether this one is new.
    fn insert(&mut self, id: &EmployeeId) -> bool {
        let text = id.as_str();
        // `007` and `7` are two ids.
        match text.parse().ok().filter(|_| !text.starts_with(['0', '+'])) {
            Some(number) => self.numbers.insert(number),
            None => self.texts.insert(id.clone()),
        }
    }
}

impl HiBob {
    /// Everyone the service user can see, leavers included, in the order of their ids. Of those who
    /// are listed twice the first record counts.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    pub async fn everyone(
        &self,
        deadline: Deadline,
    ) -> Result<Vec<(EmployeeId, Record)>, SourceError> {
        let mut people = Vec::new();
        self.each(deadline, |id, record| people.push((id, record))).await?;
        people.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(people)
    }

    /// Hands on everyone the service user can see, leavers included, one by one while the answer to
    /// a single search arrives: memory holds their ids and a few records. Whoever is listed again is
    /// not handed on again, only counted.
    ///
    /// # Errors
    /// As [`SourceError`] says. Then nothing of what was handed on may be believed: the answer may
    /// have broken off before it came to somebody.
    pub async fn each(
        &self,
        deadline: Deadline,
        mut hand_on: impl FnMut(EmployeeId, Record) + Send,
    ) -> Result<Snapshot, SourceError> {
        let search = Search::everyone(&self.fields);
        let (send, mut arriving) = mpsc::channel(IN_FLIGHT);
        let parse = move |body: Body| {
            let mut some = Vec::with_capacity(TOGETHER);
            // Whether anybody still listens is seen where the body is read.
            wire::each(body, |id, record| {
                some.push((id, record));
                if some.len() == TOGETHER {
                    let full = std::mem::replace(&mut some, Vec::with_capacity(TOGETHER));
                    let _ = send.blocking_send(full);
                }
            })?;
            let _ = send.blocking_send(some);
            Ok(())
        };
        let (mut snapshot, mut seen) = (Snapshot::default(), SeenIds::default());
        let receive = async {
            while let Some(some) = arriving.recv().await {
                for (id, record) in some {
                    if seen.insert(&id) {
                        snapshot.people += 1;
                        hand_on(id, record);
                    } else {
                        snapshot.doubled.insert(id);
                    }
                }
            }
        };
        let ask = self.ask(&search, Lane::Bulk, EVERYONE_BODY, deadline, parse);
        let (asked, ()) = tokio::join!(ask, receive);
        asked?;
        if !snapshot.doubled.is_empty() {
            let doubled = snapshot.doubled.len();
            tracing::warn!(
                source = %self.name,
                doubled,
                "HiBob listed people more than once; their first record was taken"
            );
        }
        tracing::debug!(source = %self.name, people = snapshot.people, "people/search for everyone");
        Ok(snapshot)
    }

    /// The ids of everyone the service user can see.
    pub(super) async fn everyone_by_id(
        &self,
        deadline: Deadline,
    ) -> Result<Vec<EmployeeId>, SourceError> {
        let search = Search::everyone(&self.fields[..1]);
        let people = self.search(&search, Lane::Live, EVERYONE_BODY, deadline).await?;
        Ok(people.into_keys().collect())
    }
}

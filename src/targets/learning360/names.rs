//! Finding accounts by first and last name, which 360Learning cannot be asked for: all accounts are
//! read once, and for a while it is remembered who bears which name.
//!
//! Promises: nothing is read before somebody asks for a name; the reading goes on when the one who
//! asked runs out of time, so that it ends some day in the largest company; what is remembered is a
//! number for each name and an id, 24 bytes an account, and no name.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::client::{Client, Turn};
use super::failure::Failure;
use super::wire::{self, User};
use crate::clock::Deadline;
use crate::model::{Account, AccountId, Field};
use crate::targets::TargetError;

/// How long the index is believed.
const FRESH: Duration = Duration::from_secs(600);

/// How long the reading of all accounts may take: half a million, at a slow pace.
const READING: Duration = Duration::from_secs(1800);

/// How many accounts are told for one name; who needs to know more needs a person to decide.
const MOST: usize = 20;

/// Finds accounts by name.
pub(super) struct Names {
    client: Arc<Client>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    index: Option<(Arc<Index>, Deadline)>,
    reading: Option<watch::Receiver<End>>,
}

/// How a reading ended; `None` while it goes on.
type End = Option<Result<Arc<Index>, Failure>>;

/// Who bears which name: numbers of names and accounts' ids, sorted.
#[derive(Default)]
struct Index {
    hasher: RandomState,
    rows: Vec<(u64, [u8; 12])>,
}

impl Names {
    pub fn new(client: Arc<Client>) -> Self {
        Self { client, state: Arc::default() }
    }

    /// The accounts that could bear each name; whether they do is to be seen from the accounts
    /// themselves. One answer for each name; nothing is read when there is none.
    pub async fn find(
        &self,
        names: &[Option<&(String, String)>],
        turn: Turn,
    ) -> Result<Vec<Vec<AccountId>>, TargetError> {
        let keys: Vec<Option<String>> =
            names.iter().map(|name| name.and_then(|(first, last)| key(first, last))).collect();
        if keys.iter().all(Option::is_none) {
            return Ok(vec![Vec::new(); keys.len()]);
        }
        let index = self.index(turn).await?;
        Ok(keys
            .into_iter()
            .map(|key| key.map(|key| index.bearers(&key)).unwrap_or_default())
            .collect())
    }

    async fn index(&self, turn: Turn) -> Result<Arc<Index>, TargetError> {
        let mut reading = {
            let mut state = self.state();
            if let Some((index, until)) = &state.index
                && !until.left().is_zero()
            {
                return Ok(Arc::clone(index));
            }
            // One whose sender is gone was broken off without an end.
            let going = state.reading.take().filter(|reading| reading.has_changed().is_ok());
            let reading = going.unwrap_or_else(|| self.begin(turn));
            state.reading = Some(reading.clone());
            reading
        };
        let end = tokio::time::timeout(turn.deadline.left(), reading.wait_for(Option::is_some));
        let end = end.await.map_err(|_| TargetError::OutOfTime)?;
        match end.as_deref() {
            Ok(Some(Ok(index))) => Ok(Arc::clone(index)),
            Ok(Some(Err(failure))) => Err(failure.clone().into()),
            Ok(None) | Err(_) => Err(TargetError::Again(
                "the reading of all accounts of 360Learning was broken off".into(),
            )),
        }
    }

    /// Begins to read, apart from the one who asked.
    fn begin(&self, turn: Turn) -> watch::Receiver<End> {
        let (told, reading) = watch::channel(None);
        let (client, state) = (Arc::clone(&self.client), Arc::clone(&self.state));
        let turn = Turn { deadline: Deadline::after(READING), ..turn };
        tokio::spawn(async move {
            let end = match read(&client, turn).await {
                Ok(index) => Ok(Arc::new(index)),
                Err(error) => Err(Failure::of(&error).unwrap_or_else(|| {
                    Failure::Again("360Learning's accounts could not be read in time".into())
                })),
            };
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(index) = &end {
                state.index = Some((Arc::clone(index), Deadline::after(FRESH)));
            }
            state.reading = None;
            drop(state);
            told.send_replace(Some(end));
        });
        reading
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn bearers(&self, key: &str) -> Vec<AccountId> {
        let number = self.hasher.hash_one(key);
        let from = self.rows.partition_point(|(other, _)| *other < number);
        let same = self.rows[from..].iter().take_while(|(other, _)| *other == number);
        same.take(MOST).map(|(_, id)| AccountId::new(spelt(*id))).collect()
    }
}

/// Reads all accounts. Whether a list without a filter shows the deactivated ones is not
/// documented: they are read by themselves.
async fn read(client: &Client, turn: Turn) -> Result<Index, TargetError> {
    let mut index = Index::default();
    for filter in ["status[ne]", "status[eq]"] {
        let call = client.call("GET /users", &[])?.with(filter, "deleted");
        let Index { hasher, rows } = &mut index;
        let take = |page: Vec<User>| {
            rows.extend(page.iter().filter_map(|user| {
                let (id, first, last) = user.name();
                Some((hasher.hash_one(key(first, last)?), packed(id)?))
            }));
        };
        client.pages(call, turn, take).await?;
    }
    index.rows.sort_unstable();
    index.rows.dedup();
    index.rows.shrink_to_fit();
    Ok(index)
}

/// Whether an account bears a name.
pub(super) fn bears(account: &Account, (first, last): &(String, String)) -> bool {
    let text = |field| account.fields.get(&field).map_or("", String::as_str);
    let wanted = key(first, last);
    wanted.is_some() && wanted == key(text(Field::FirstName), text(Field::LastName))
}

/// A name in the form in which names are compared; `None` without a first or a last name.
pub fn key(first: &str, last: &str) -> Option<String> {
    let (first, last) = (fold(first), fold(last));
    (!first.is_empty() && !last.is_empty()).then(|| format!("{first}\n{last}"))
}

/// Without regard to white space around it, to capitals and to accents.
fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        for c in word.chars() {
            let plain = if c.is_alphabetic() && !c.is_ascii() {
                deunicode::deunicode_char(c).filter(|plain| !plain.trim().is_empty())
            } else {
                // An accent that stands behind its letter.
                if ('\u{300}'..='\u{36f}').contains(&c) {
                    continue;
                }
                None
            };
            match plain {
                Some(plain) => folded.extend(plain.trim().chars().flat_map(char::to_lowercase)),
                None => folded.extend(c.to_lowercase()),
            }
        }
    }
    folded
}

/// An id of 24 hexadecimal digits in 12 bytes.
fn packed(id: &str) -> Option<[u8; 12]> {
    if !wire::is_object_id(id) {
        return None;
    }
    let mut bytes = [0; 12];
    for (byte, pair) in bytes.iter_mut().zip(id.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn spelt(id: [u8; 12]) -> String {
    use std::fmt::Write;

    id.iter().fold(String::with_capacity(24), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_people_mean_them() {
        let same = [
            (("Zoë", "O'Neil"), (" zoe ", "O'NEIL")),
            (("Łukasz", "Straße"), ("LUKASZ", "strasse")),
            (("Jose\u{301}", "García  Pérez"), ("José", "garcia perez")),
        ];
        for ((a, b), (c, d)) in same {
            assert_eq!(key(a, b), key(c, d), "{a} {b}");
        }
        assert_ne!(key("Ann", "Lee"), key("Anne", "Lee"));
        assert_ne!(key("Ann Lee", "Cho"), key("Ann", "Lee Cho"));
        assert_eq!(key("Ann", " "), None);
    }

    #[test]
    fn ids_keep_their_spelling() {
        let id = "65f0c1d2e3a4b5c6d7e8f901";
        assert_eq!(packed(id).map(spelt).as_deref(), Some(id));
        for strange in ["", "65f0c1d2e3a4b5c6d7e8f90", "+5f0c1d2e3a4b5c6d7e8f901"] {
            assert_eq!(packed(strange), None, "{strange}");
        }
    }
}

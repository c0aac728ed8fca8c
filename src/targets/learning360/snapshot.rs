//! Everything at once for the full sync: all accounts, all external ids, the members of groups, by
//! pages of the largest size that 360Learning gives.
//!
//! Promises: only a page is held at a time; a page that fails is asked for again before all is given
//! up; a list that ends in an error is no list, whatever was handed on before. 360Learning promises
//! nothing about lists that change while they are read: an account that is in none of the pages may
//! have changed in between, so whoever misses one asks for it by its id.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Learning360;
use super::client::{Call, Turn};
use super::codes;
use super::wire::{self, Mapping, User};
use crate::clock::Deadline;
use crate::model::{Account, AccountId, GroupId, Lane, Role};
use crate::targets::TargetError;

/// The most pages that one list may have: 2,500,000 accounts.
const PAGES: usize = 5000;

/// How often a page is asked for, before all is given up.
const TRIES: u32 = 4;

/// The rest after a page failed; it doubles with each further failure.
const REST: Duration = Duration::from_millis(500);

/// How a snapshot went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The rows that were handed on.
    pub rows: u64,
    /// Rows that were shown again, as when something changes while pages are read. They were not
    /// handed on again.
    pub doubled: u64,
    /// The calls that were made, repeated ones included.
    pub calls: u64,
    /// Groups that do not exist any more.
    pub gone: Vec<GroupId>,
}

impl Learning360 {
    /// Hands on all accounts, the deactivated ones last, 500 to a call.
    ///
    /// # Errors
    /// When a page does not come; then nothing may be concluded from what was handed on.
    pub async fn accounts(
        &self,
        deadline: Deadline,
        mut hand_on: impl FnMut(Vec<Account>) + Send,
    ) -> Result<Counted, TargetError> {
        let mut counted = Counted::default();
        let mut seen = SeenIds::default();
        // Whether a list without this filter shows deactivated accounts is not documented.
        for filter in ["status[ne]", "status[eq]"] {
            let call = self.client.call("GET /users", &[])?.with(filter, "deleted");
            let take = |users: Vec<User>, counted: &mut Counted| {
                let accounts = users.into_iter().map(Account::try_from);
                let mut accounts = accounts.collect::<Result<Vec<_>, _>>()?;
                let shown = accounts.len();
                accounts.retain(|account| seen.insert(account.id.as_str()));
                counted.took(accounts.len(), shown);
                hand_on(accounts);
                Ok(())
            };
            self.walk(call, deadline, &mut counted, take).await?;
        }
        Ok(counted)
    }

    /// Hands on whose account is whose, as 360Learning keeps it under our platform name: the account
    /// and the external id, 5,000 to a call.
    ///
    /// # Errors
    /// When a page does not come; then nothing may be concluded from what was handed on.
    pub async fn external_ids(
        &self,
        platform: &str,
        deadline: Deadline,
        mut hand_on: impl FnMut(Vec<(AccountId, String)>) + Send,
    ) -> Result<Counted, TargetError> {
        let mut counted = Counted::default();
        let mut seen = SeenIds::default();
        let call = self.client.call("GET /external-ids", &[])?;
        let call = call.with("platform[eq]", platform).with("type[eq]", "user");
        let take = |rows: Vec<Mapping>, counted: &mut Counted| {
            let mut rows = rows;
            // Rows that were not asked for are not believed.
            rows.retain(|row| {
                row.platform == platform
                    && row.target_type == "user"
                    && wire::is_object_id(row.target_id.as_str())
            });
            let shown = rows.len();
            rows.retain(|row| seen.insert(&row.id));
            counted.took(rows.len(), shown);
            hand_on(rows.into_iter().map(|row| (row.target_id, row.value)).collect());
            Ok(())
        };
        self.walk(call, deadline, &mut counted, take).await?;
        Ok(counted)
    }

    /// Hands on who has which role in each of these groups, 1,000 to a call.
    ///
    /// # Errors
    /// When a page does not come; then nothing may be concluded from what was handed on.
    pub async fn members(
        &self,
        groups: &[GroupId],
        deadline: Deadline,
        mut hand_on: impl FnMut(&GroupId, Vec<(AccountId, Role)>) + Send,
    ) -> Result<Counted, TargetError> {
        let mut counted = Counted::default();
        for group in groups {
            let mut seen = HashSet::new();
            let call = self.client.call("GET /groups/{groupId}/roles", &[group.as_str()])?;
            let take = |rows: Vec<GroupRole>, counted: &mut Counted| {
                let shown = rows.len();
                let mut rows: Vec<_> =
                    rows.into_iter().map(|row| (row.user_id, row.role)).collect();
                rows.retain(|row| seen.insert(row.clone()));
                counted.took(rows.len(), shown);
                hand_on(group, rows);
                Ok(())
            };
            match self.walk(call, deadline, &mut counted, take).await {
                Err(error) if codes::of(&error) == Some("groupNotFound") => {
                    counted.gone.push(group.clone());
                }
                end => end?,
            }
        }
        Ok(counted)
    }

    /// Reads a list to its end.
    async fn walk<T: DeserializeOwned>(
        &self,
        mut call: Call,
        deadline: Deadline,
        counted: &mut Counted,
        mut take: impl FnMut(Vec<T>, &mut Counted) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let mut been = HashSet::new();
        for _ in 0..PAGES {
            if !been.insert(call.address().to_owned()) {
                break;
            }
            let (rows, next) = self.page(&call, deadline, counted).await?;
            take(rows, counted)?;
            let Some(next) = next else { return Ok(()) };
            call = next;
        }
        Err(TargetError::Again(format!(
            "360Learning's list {} has no end: after {} pages it leads back, or goes on for ever",
            call.endpoint(),
            been.len()
        )))
    }

    /// Asks for a page until it comes: reading can be repeated.
    async fn page<T: DeserializeOwned>(
        &self,
        call: &Call,
        deadline: Deadline,
        counted: &mut Counted,
    ) -> Result<(Vec<T>, Option<Call>), TargetError> {
        let turn = Turn { lane: Lane::Bulk, deadline };
        let mut rest = REST;
        for tried in 1.. {
            counted.calls += 1;
            let error = match self.client.page(call, turn).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let wait = match &error {
                TargetError::Wait { after } => *after,
                TargetError::Again(_) => rest,
                _ => return Err(error),
            };
            if tried >= TRIES || wait >= deadline.left() {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            rest *= 2;
        }
        Err(TargetError::OutOfTime)
    }
}

impl Counted {
    fn took(&mut self, new: usize, shown: usize) {
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        self.rows += count(new);
        self.doubled += count(shown.saturating_sub(new));
    }
}

/// A row of `GET /groups/{groupId}/roles`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupRole {
    user_id: AccountId,
    role: Role,
}

/// The ids that came already: 24 hexadecimal digits each, kept as numbers. A million take 40 MiB.
#[derive(Default)]
struct SeenIds {
    numbers: HashSet<u128>,
    texts: HashSet<String>,
}

impl SeenIds {
    /// Whether this one is new.
    fn insert(&mut self, id: &str) -> bool {
        match u128::from_str_radix(id, 16).ok().filter(|_| wire::is_object_id(id)) {
            Some(number) => self.numbers.insert(number),
            None => self.texts.insert(id.to_owned()),
        }
    }
}

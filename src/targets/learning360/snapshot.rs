//! Everything at once for the full sync: all accounts, all external ids, the members of groups, by
//! pages of the largest size that 360Learning gives.
//!
//! Promises: only a page is held at a time; a page that fails is asked for again before all is given
//! up; a list that ends in an error is no list, whatever was handed on before. Whoever keeps the
//! pages can go on behind the last one, in another process too. 360Learning promises nothing about
//! lists that change while they are read: an account that is in none of the pages may have changed in
//! between, so whoever misses one asks for it by its id.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Learning360;
use super::client::{Call, Turn};
use super::codes;
use super::wire::{self, Mapping, User};
use crate::clock::Deadline;
use crate::model::words::count_of;
use crate::model::{Account, AccountId, GroupId, Lane, Role};
use crate::targets::TargetError;

/// The most pages that one list may have: 2,500,000 accounts.
const PAGES: usize = 5000;

/// How often a page is asked for, before all is given up.
const TRIES: u32 = 4;

/// The rest after a page failed; it doubles with each further failure.
const REST: Duration = Duration::from_millis(500);

/// One of the lists of which a snapshot is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// Accounts that are not deactivated, 500 to a call.
    InUse,
    /// Deactivated accounts, 500 to a call. Whether a list without a filter on the status shows them
    /// is not documented.
    Deactivated,
    /// Whose account is whose, as 360Learning keeps it under our platform name; 5,000 to a call.
    ExternalIds,
    /// Who has which role in a group, 1,000 to a call.
    Members(GroupId),
}

impl List {
    /// Its name, by which a page that was kept is known again.
    pub fn name(&self) -> String {
        match self {
            Self::InUse => "in use".to_owned(),
            Self::Deactivated => "deactivated".to_owned(),
            Self::ExternalIds => "external ids".to_owned(),
            Self::Members(group) => format!("members of {group}"),
        }
    }
}

/// What a page shows, without what an earlier one showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// Of [`List::InUse`] and [`List::Deactivated`].
    Accounts(Vec<Account>),
    /// Of [`List::ExternalIds`].
    Claims(Vec<(AccountId, String)>),
    /// Of [`List::Members`].
    Members(Vec<(AccountId, Role)>),
}

/// A page that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of which list.
    pub list: List,
    /// What it shows.
    pub rows: Rows,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// How a snapshot goes.
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

/// Lists that are being read.
pub struct Snapshot<'t> {
    target: &'t Learning360,
    platform: String,
    deadline: Deadline,
    /// Lists of which nothing was read yet.
    left: VecDeque<List>,
    /// The list that is being read.
    reading: Option<Reading>,
    accounts: SeenIds,
    claims: SeenIds,
    members: HashSet<(AccountId, Role)>,
    counted: Counted,
}

/// A list on its way.
struct Reading {
    list: List,
    call: Call,
    been: HashSet<String>,
    /// The address of the next page is another process's: it may mean nothing any more.
    is_kept: bool,
}

impl Learning360 {
    /// These lists, one after the other. `platform`: under which name the external ids are kept.
    pub fn snapshot(
        &self,
        platform: &str,
        lists: impl IntoIterator<Item = List>,
        deadline: Deadline,
    ) -> Snapshot<'_> {
        Snapshot {
            target: self,
            platform: platform.to_owned(),
            deadline,
            left: lists.into_iter().collect(),
            reading: None,
            accounts: SeenIds::default(),
            claims: SeenIds::default(),
            members: HashSet::new(),
            counted: Counted::default(),
        }
    }
}

impl Snapshot<'_> {
    /// How it went so far.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Takes a page for read that was read before, perhaps by another process; pages are given in the
    /// order in which they were read. Gives the list; nothing when it is none of ours.
    pub fn skip(&mut self, list: &str, rows: &Rows, next: Option<&str>) -> Option<List> {
        let at = self.reading.take();
        let list = match at {
            Some(reading) if reading.list.name() == list => reading.list,
            other => {
                // One that was not kept to its end is read from its beginning.
                if let Some(unfinished) = other {
                    self.left.push_front(unfinished.list);
                }
                let place = self.left.iter().position(|it| it.name() == list)?;
                self.left.remove(place)?
            }
        };
        if let Rows::Accounts(accounts) = rows {
            for account in accounts {
                self.accounts.insert(account.id.as_str());
            }
        }
        if let Some(next) = next {
            let follow = |call: &Call| self.target.client.follow(call.endpoint(), next);
            match self.first(&list).ok().and_then(|first| follow(&first)) {
                Some(call) => {
                    let (been, is_kept) = (HashSet::new(), true);
                    self.reading = Some(Reading { list: list.clone(), call, been, is_kept });
                }
                None => self.left.push_front(list.clone()),
            }
        }
        Some(list)
    }

    /// The next page; nothing when all lists were read to their ends.
    ///
    /// # Errors
    /// When a page does not come; then nothing may be concluded from what was handed on.
    pub async fn next(&mut self) -> Result<Option<Part>, TargetError> {
        loop {
            let mut reading = match self.reading.take() {
                Some(reading) => reading,
                None => match self.left.pop_front() {
                    Some(list) => self.begin(list)?,
                    None => return Ok(None),
                },
            };
            if reading.been.len() >= PAGES
                || !reading.been.insert(reading.call.address().to_owned())
            {
                return Err(TargetError::Again(format!(
                    "360Learning's list {} has no end: after {} it leads back, or goes on \
                     for ever",
                    reading.call.endpoint(),
                    count_of(reading.been.len(), "page", "pages")
                )));
            }
            let (rows, next) = match self.page(&reading).await {
                Ok(page) => page,
                Err(error) => {
                    if let (List::Members(group), Some("groupNotFound")) =
                        (&reading.list, codes::of(&error))
                    {
                        self.counted.gone.push(group.clone());
                        continue;
                    }
                    if reading.is_kept && may_be_stale(&error) {
                        self.reading = Some(self.begin(reading.list)?);
                        continue;
                    }
                    return Err(error);
                }
            };
            let list = reading.list.clone();
            let place = next.as_ref().map(|call| call.address().to_owned());
            if let Some(call) = next {
                self.reading = Some(Reading { call, is_kept: false, ..reading });
            }
            return Ok(Some(Part { list, rows, next: place }));
        }
    }

    fn begin(&mut self, list: List) -> Result<Reading, TargetError> {
        self.members.clear();
        Ok(Reading { call: self.first(&list)?, list, been: HashSet::new(), is_kept: false })
    }

    /// The call for the first page of a list.
    fn first(&self, list: &List) -> Result<Call, TargetError> {
        let client = &self.target.client;
        Ok(match list {
            List::InUse => client.call("GET /users", &[])?.with("status[ne]", "deleted"),
            List::Deactivated => client.call("GET /users", &[])?.with("status[eq]", "deleted"),
            List::ExternalIds => {
                let call = client.call("GET /external-ids", &[])?;
                call.with("platform[eq]", &self.platform).with("type[eq]", "user")
            }
            List::Members(group) => {
                client.call("GET /groups/{groupId}/roles", &[group.as_str()])?
            }
        })
    }

    /// Reads a page, and leaves out what an earlier one showed.
    async fn page(&mut self, reading: &Reading) -> Result<(Rows, Option<Call>), TargetError> {
        Ok(match &reading.list {
            List::InUse | List::Deactivated => {
                let (users, next) = self.ask::<User>(&reading.call).await?;
                let accounts = users.into_iter().map(Account::try_from);
                let mut accounts = accounts.collect::<Result<Vec<_>, _>>()?;
                let shown = accounts.len();
                accounts.retain(|account| self.accounts.insert(account.id.as_str()));
                self.counted.took(accounts.len(), shown);
                (Rows::Accounts(accounts), next)
            }
            List::ExternalIds => {
                let (mut rows, next) = self.ask::<Mapping>(&reading.call).await?;
                // Rows that were not asked for are not believed.
                rows.retain(|row| {
                    row.platform == self.platform
                        && row.target_type == "user"
                        && wire::is_object_id(row.target_id.as_str())
                });
                let shown = rows.len();
                rows.retain(|row| self.claims.insert(&row.id));
                self.counted.took(rows.len(), shown);
                let claims = rows.into_iter().map(|row| (row.target_id, row.value));
                (Rows::Claims(claims.collect()), next)
            }
            List::Members(_) => {
                let (rows, next) = self.ask::<GroupRole>(&reading.call).await?;
                let shown = rows.len();
                let mut rows: Vec<_> =
                    rows.into_iter().map(|row| (row.user_id, row.role)).collect();
                rows.retain(|row| self.members.insert(row.clone()));
                self.counted.took(rows.len(), shown);
                (Rows::Members(rows), next)
            }
        })
    }

    /// Asks for a page until it comes: reading can be repeated.
    async fn ask<T: DeserializeOwned>(
        &mut self,
        call: &Call,
    ) -> Result<(Vec<T>, Option<Call>), TargetError> {
        let turn = Turn { lane: Lane::Bulk, deadline: self.deadline };
        let mut rest = REST;
        for tried in 1.. {
            self.counted.calls += 1;
            let error = match self.target.client.page(call, turn).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let wait = match &error {
                TargetError::Wait { after } => *after,
                TargetError::Again(_) => rest,
                _ => return Err(error),
            };
            if tried >= TRIES || wait >= self.deadline.left() {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            rest *= 2;
        }
        Err(TargetError::OutOfTime)
    }
}

/// Whether an address that another process was given may mean nothing any more.
fn may_be_stale(error: &TargetError) -> bool {
    matches!(
        error,
        TargetError::Again(_) | TargetError::Refused { .. } | TargetError::LookAgain { .. }
    )
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

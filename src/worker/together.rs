//! Memberships of several people in one call, where that is cheaper: one submission, a few looks and
//! one list of results in place of a write for each.
//!
//! 360Learning carries such an operation out later, perhaps after the worker that submitted it has
//! died. So a note that all processes share names the accounts of an operation from before it is
//! submitted until it is known to have ended, and whoever holds the lease of one of these accounts
//! waits for that end before any membership of it changes. Nobody else waits. A row that was not
//! carried out is done alone, and the answer to that is the person's own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::process::Case;
use super::retry::Verdict;
use super::turn::lane;
use super::{TargetSide, Worker};
use crate::clock::{Clock, Deadline};
use crate::model::{AccountId, Change, Lane};
use crate::store::{Store, StoreError};
use crate::targets::TargetError;
use crate::targets::learning360::bulk::BulkRow;

/// The name of the note.
const NOTE: &str = "bulk memberships";

/// Fewer than so many memberships are cheaper one by one: an operation takes about six calls.
const WORTH: usize = 8;

/// Nobody joins any more when nobody came for so long…
const QUIET: Duration = Duration::from_millis(500);
/// …or after so many of these.
const MOST_QUIETS: usize = 20;

/// An operation is not begun with less time than this left of a lease.
const NEEDED: Duration = Duration::from_secs(4);
/// Nor waited for with less than this.
const SPARE: Duration = Duration::from_secs(2);

/// The first rest between two looks at an operation; it doubles up to the longest.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Whoever waits for an operation to end comes back after this.
const COME_BACK: Duration = Duration::from_secs(5);

/// Where bulk operations are refused, they are not tried again for so long.
const REFUSED: Duration = Duration::from_secs(600);
/// After an answer was lost.
const LOST: Duration = Duration::from_secs(60);

/// An operation that has not ended by then is believed to be gone.
const OLDEST: SignedDuration = SignedDuration::from_hours(1);

/// How far the clocks of two machines may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(60);

/// Those who wait to be carried out together.
#[derive(Default)]
pub struct Together {
    waiting: Mutex<Vec<Waiting>>,
    not_before: Mutex<Option<Deadline>>,
}

struct Waiting {
    gives: bool,
    rows: Vec<BulkRow>,
    deadline: Deadline,
    answer: oneshot::Sender<Answer>,
}

/// What became of somebody's rows.
#[derive(Clone)]
enum Answer {
    /// Those among these were carried out, by this operation; the others are done alone.
    Done(Arc<HashSet<BulkRow>>, String),
    /// It was not worth it, or not possible.
    Alone,
    /// It is not known.
    Unknown,
}

/// An operation that may be under way.
#[derive(Clone, Serialize, Deserialize)]
struct UnderWay {
    /// Since when.
    since: Timestamp,
    /// Until when whoever submits it knows more than others.
    until: Timestamp,
    /// Its id, once it is known.
    id: Option<String>,
    accounts: Vec<AccountId>,
}

/// What an operation of before means for an account.
enum Hold {
    /// None names it.
    Free,
    /// One that may still change it.
    UnderWay,
    /// One that has just been found to have ended.
    HasEnded,
}

/// What was done of the steps that come next.
#[derive(Default)]
pub(super) struct DoneTogether {
    /// For each of those that could have been; the others, and what comes behind, are done alone.
    pub done: Vec<bool>,
    /// By which operation.
    pub operation: String,
}

impl Worker {
    /// Carries out those of the next steps that are memberships of one kind together with other
    /// people's, as far as that is worth it. To be asked before each membership of an account is
    /// changed.
    pub(super) async fn together(
        &self,
        case: &Case,
        steps: &[Change],
        account: Option<&AccountId>,
    ) -> Result<DoneTogether, Verdict> {
        let Some(account) = account else { return Ok(DoneTogether::default()) };
        let (lane, deadline) = (lane(&case.lease), case.lease.deadline);
        let shared = Shared {
            store: Arc::clone(&self.store),
            side: Arc::clone(&self.target),
            clock: self.clock.clone(),
        };
        match shared.holds(account, lane, deadline).await? {
            Hold::Free => {}
            Hold::UnderWay => return Err(Verdict::GiveBack(COME_BACK)),
            // What was planned was planned by what was there before.
            Hold::HasEnded => {
                return Err(Verdict::LookAgain {
                    code: "membershipsChanged".to_owned(),
                    advice: "an operation of a lost worker has changed memberships: replay"
                        .to_owned(),
                });
            }
        }
        let gives = matches!(steps.first(), Some(Change::Join { .. }));
        let rows: Vec<BulkRow> = steps.iter().map_while(|step| row(step, gives, account)).collect();
        let together = &self.target.together;
        let alone = DoneTogether { done: vec![false; rows.len()], ..DoneTogether::default() };
        if lane == Lane::Live || rows.is_empty() || !together.may() || deadline.left() < NEEDED {
            return Ok(alone);
        }
        let (answer, answered) = oneshot::channel();
        let is_first = together.wait(Waiting { gives, rows: rows.clone(), deadline, answer });
        if is_first {
            tokio::spawn(shared.gather());
        }
        // Who waits for others needs no place at the target meanwhile.
        case.leave_place();
        let answer = tokio::time::timeout(deadline.left(), answered).await;
        let place = tokio::time::timeout(deadline.left() / 2, self.target.room.slot(lane)).await;
        let Ok(place) = place else { return Err(Verdict::GiveBack(Duration::ZERO)) };
        case.take_place(place);
        match answer {
            Ok(Ok(Answer::Done(carried_out, operation))) => {
                let done = rows.iter().map(|row| carried_out.contains(row)).collect();
                Ok(DoneTogether { done, operation })
            }
            Ok(Ok(Answer::Alone)) => Ok(alone),
            Ok(Ok(Answer::Unknown) | Err(_)) | Err(_) => Err(Verdict::GiveBack(COME_BACK)),
        }
    }
}

/// The row of a membership of this kind in a group that exists.
fn row(step: &Change, gives: bool, account: &AccountId) -> Option<BulkRow> {
    let (group, role) = match step {
        Change::Join { group: Some(group), role, .. } if gives => (group, role),
        Change::Leave { group, role } if !gives => (group, role),
        _ => return None,
    };
    Some(BulkRow { account: account.clone(), group: group.clone(), role: role.clone() })
}

impl Together {
    /// Whether bulk operations are worth a try.
    fn may(&self) -> bool {
        let before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        before.is_none_or(|before| before.left().is_zero())
    }

    fn rest(&self, time: Duration) {
        let mut before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *before = Some(Deadline::after(time));
    }

    /// Says whether nobody waited yet.
    fn wait(&self, one: Waiting) -> bool {
        let mut waiting = self.waiting();
        waiting.push(one);
        waiting.len() == 1
    }

    /// How many wait, and how long the first of them can.
    fn state(&self) -> (usize, Duration) {
        let waiting = self.waiting();
        let left = waiting.iter().map(|one| one.deadline.left()).min();
        (waiting.len(), left.unwrap_or_default())
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What outlives the turn of the person who came first.
struct Shared {
    store: Arc<dyn Store>,
    side: Arc<TargetSide>,
    clock: Clock,
}

impl Shared {
    /// Waits for others, and carries out what all of them want.
    async fn gather(self) {
        let mut before = 0;
        for _ in 0..MOST_QUIETS {
            tokio::time::sleep(QUIET).await;
            let (now, left) = self.side.together.state();
            if now == before || left < NEEDED + SPARE {
                break;
            }
            before = now;
        }
        let all = std::mem::take(&mut *self.side.together.waiting());
        let (give, take): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.gives);
        for some in [give, take] {
            let answer = self.submit(&some).await;
            for one in some {
                // Whoever is gone does not need it.
                let _ = one.answer.send(answer.clone());
            }
        }
    }

    async fn submit(&self, some: &[Waiting]) -> Answer {
        let rows: Vec<BulkRow> = some.iter().flat_map(|one| one.rows.iter().cloned()).collect();
        let deadline = some.iter().map(|one| one.deadline).min_by_key(|it| it.left());
        let Some(deadline) = deadline.filter(|it| rows.len() >= WORTH && it.left() > NEEDED) else {
            return Answer::Alone;
        };
        let mut accounts: Vec<AccountId> = rows.iter().map(|row| row.account.clone()).collect();
        accounts.dedup();
        let since = self.clock.now();
        let until = since + deadline.left();
        let under_way = UnderWay { since, until, id: None, accounts };
        let Ok(Some(claimed)) = self.claim(&under_way, deadline).await else {
            return Answer::Alone;
        };
        let gives = some.first().is_some_and(|one| one.gives);
        let target = &self.side.target;
        let id = match target.apply_together(gives, &rows, Lane::Bulk, deadline).await {
            Ok(id) => id,
            Err(error @ (TargetError::Again(_) | TargetError::OutOfTime)) => {
                tracing::warn!(%error, "whether memberships were taken in together is not known");
                self.side.together.rest(LOST);
                return Answer::Unknown;
            }
            Err(error) => {
                tracing::warn!(%error, "memberships are carried out one by one for a while");
                self.side.together.rest(match &error {
                    TargetError::Wait { after } => *after,
                    _ => REFUSED,
                });
                self.forget(&claimed).await;
                return Answer::Alone;
            }
        };
        let known = write(&UnderWay { id: Some(id.clone()), ..under_way });
        let noted = self.store.put_note(NOTE, Some(&claimed), Some(&known)).await;
        let noted = if matches!(noted, Ok(true)) { known } else { claimed };
        let mut rest = FIRST_REST;
        loop {
            if deadline.left() < SPARE + rest {
                // So slow today that one by one is faster.
                self.side.together.rest(REFUSED);
                return Answer::Unknown;
            }
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(LONGEST_REST);
            if matches!(target.has_bulk_ended(&id, Lane::Bulk, deadline).await, Ok(true)) {
                break;
            }
        }
        self.forget(&noted).await;
        match target.bulk_successes(&id, Lane::Bulk, deadline).await {
            Ok(rows) => Answer::Done(Arc::new(rows.into_iter().collect()), id),
            // It has ended, so that each can be done alone: what is done already is as good.
            Err(_) => Answer::Alone,
        }
    }

    /// Writes the note, unless an operation is under way; gives what was written.
    async fn claim(
        &self,
        under_way: &UnderWay,
        deadline: Deadline,
    ) -> Result<Option<String>, TargetError> {
        if let Some(says) = self.store.note(NOTE).await? {
            let old = read(&says);
            let is_over = old.as_ref().is_none_or(|old| old.until < under_way.since);
            if !is_over || !self.has_ended(&says, Lane::Bulk, deadline).await? {
                return Ok(None);
            }
        }
        let says = write(under_way);
        Ok(self.store.put_note(NOTE, None, Some(&says)).await?.then_some(says))
    }

    /// Whether an operation holds this account. Who asks has its lease, so that one that names it is
    /// a lost worker's.
    async fn holds(
        &self,
        account: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Hold, TargetError> {
        let Some(says) = self.store.note(NOTE).await? else { return Ok(Hold::Free) };
        if !read(&says).is_some_and(|it| it.accounts.contains(account)) {
            return Ok(Hold::Free);
        }
        let ended = self.has_ended(&says, lane, deadline).await?;
        Ok(if ended { Hold::HasEnded } else { Hold::UnderWay })
    }

    /// Whether the operation of which the note tells has ended; then the note goes.
    async fn has_ended(
        &self,
        says: &str,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<bool, TargetError> {
        let now = self.clock.now();
        let target = &self.side.target;
        let ended = match read(says) {
            // What nobody understands holds nobody up.
            None => true,
            Some(it) if now.duration_since(it.since) > OLDEST => {
                tracing::warn!(operation = it.id, "a bulk operation has not ended in an hour");
                true
            }
            Some(UnderWay { id: Some(id), .. }) => {
                target.has_bulk_ended(&id, lane, deadline).await?
            }
            // Its worker may be about to submit it.
            Some(it) if now < it.until => false,
            Some(it) => !target.is_bulk_under_way(it.since - CLOCKS_APART, lane, deadline).await?,
        };
        if ended {
            self.store.put_note(NOTE, Some(says), None).await?;
        }
        Ok(ended)
    }

    /// No operation is under way any more.
    async fn forget(&self, says: &str) {
        let gone: Result<bool, StoreError> = self.store.put_note(NOTE, Some(says), None).await;
        if let Err(error) = gone {
            // Whoever meets it sees that the operation has ended.
            tracing::debug!(error = &error as &dyn std::error::Error, "a note was not taken away");
        }
    }
}

fn write(under_way: &UnderWay) -> String {
    serde_json::to_string(under_way).unwrap_or_default()
}

fn read(says: &str) -> Option<UnderWay> {
    serde_json::from_str(says).ok()
}

//! Whose account is it, where a human must say: who waits for that, and what was decided.
//!
//! A choice is written into the store and the person is looked at again; only the worker changes the
//! target.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::preview::{Preview, PreviewError, Previewer};
use crate::clock::{Clock, Deadline};
use crate::config::Settings;
use crate::model::{
    AccountId, Arrival, Candidate, Choice, Delivery, DeliveryId, DeliveryState, Drift, EmployeeId,
    Event, Lane, Link, Person, Probe, Run, RunId, RunState, SourceName,
};
use crate::store::{Filter, Runs, Store, StoreError};

/// The code of deliveries that wait for a human to say whose an account is.
const DISPUTED: &str = "disputed";

/// The kind of the events by which people are looked at again after a choice.
const KIND: &str = "instep.match";

/// Among so many full syncs the last one that compared everybody is looked for.
const RUNS: usize = 20;

/// So many deliveries are read together.
const PAGE: usize = 500;

/// How long somebody's turn may take before their account is taken away.
const TURN: Duration = Duration::from_secs(10);

/// How often it is tried meanwhile.
const AGAIN: Duration = Duration::from_millis(200);

/// Somebody whose account is disputed.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// Who.
    pub person: Person,
    /// Since when it is known.
    pub since: Timestamp,
    /// Why a human must decide.
    pub reason: Option<String>,
    /// The dead letter; none where a full sync found it.
    pub delivery: Option<DeliveryId>,
    /// The full sync that found it.
    pub run: Option<RunId>,
}

/// Those whose account is disputed, newest first: by the newest dead letter of each person, or by
/// what the last full sync found, as far as nobody has decided and no event came since.
///
/// # Errors
/// When the store does not answer.
pub async fn disputes(settings: &Settings, store: &dyn Store) -> Result<Vec<Dispute>, StoreError> {
    let mut seen = HashSet::new();
    let disputed = Filter {
        state: Some(DeliveryState::Dead),
        code: Some(DISPUTED.to_owned()),
        ..Filter::default()
    };
    let mut found = Vec::new();
    for delivery in all(store, disputed).await? {
        let Some(person) = delivery.person().filter(|person| seen.insert(person.clone())) else {
            continue;
        };
        let (since, reason) = (delivery.received_at, delivery.reason);
        found.push(Dispute { person, since, reason, delivery: Some(delivery.id), run: None });
    }
    for source in settings.sources.keys() {
        for dispute in met_by_a_sync(store, &SourceName::new(source)).await? {
            if seen.insert(dispute.person.clone()) {
                found.push(dispute);
            }
        }
    }
    found.sort_by_key(|dispute| std::cmp::Reverse(dispute.since));
    Ok(found)
}

/// Whom the last full sync of a source that compared everybody left alone for that.
async fn met_by_a_sync(store: &dyn Store, source: &SourceName) -> Result<Vec<Dispute>, StoreError> {
    let runs = store.runs(Some(source), Runs::FullSyncs, RUNS).await?;
    let compared = |run: &&Run| matches!(run.state, RunState::Applying | RunState::Done);
    let Some(run) = runs.iter().find(compared) else { return Ok(Vec::new()) };
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let items = store.items(&run.id, after, PAGE).await?;
        let Some(last) = items.last() else { return Ok(found) };
        after = last.number;
        for item in items {
            let disputed = item.drift.iter().find_map(|drift| match drift {
                Drift::Disputed { reason } => Some(reason),
                _ => None,
            });
            let Some(reason) = disputed else { continue };
            let Some(employee) = item.employee else { continue };
            let person = Person { source: source.clone(), employee };
            if store.choice(&person).await?.is_some() {
                continue;
            }
            let since = Filter {
                source: Some(source.clone()),
                employee: Some(person.employee.to_string()),
                ..Filter::default()
            };
            let newest = store.deliveries(&since, 1).await?.pop();
            if newest.is_some_and(|delivery| delivery.received_at >= run.started_at) {
                continue;
            }
            found.push(Dispute {
                person,
                since: run.started_at,
                reason: Some(reason.clone()),
                delivery: None,
                run: Some(run.id.clone()),
            });
        }
    }
}

async fn all(store: &dyn Store, mut filter: Filter) -> Result<Vec<Delivery>, StoreError> {
    let mut found = Vec::new();
    loop {
        let page = store.deliveries(&filter, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        filter.before = Some(last.id.clone());
        found.extend(page);
    }
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// Nobody is found.
    #[error(
        "nobody is found: give the employee's id, the mail exactly as HiBob has it, or the full name"
    )]
    Nobody,
    /// Several people are meant.
    #[error("several people are found; give one as SOURCE/ID: {0}")]
    Several(String),
    /// There is no such account.
    #[error("360Learning has no account {0}: `instep matches` lists the ones that were found")]
    NoAccount(AccountId),
    /// The account must not be touched.
    #[error("account {0} is never changed: {1}")]
    Protected(AccountId, String),
    /// The person whose account it is could not be set aside.
    #[error("{0} is being worked on just now, so nothing was taken away: try again in a moment")]
    Busy(Person),
    /// A far end or the store did not answer.
    #[error(transparent)]
    Preview(#[from] PreviewError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is known before a human's decision is written down.
#[derive(Debug)]
pub struct Matter {
    /// Whom it is about.
    pub person: Person,
    /// What is known of their account.
    pub link: Option<Link>,
    /// What was decided before.
    pub before: Option<Choice>,
    /// The account that was named, with whose it is said to be.
    pub account: Option<(Candidate, Option<Person>)>,
}

/// Looks at somebody, and at the account that is to be theirs.
///
/// # Errors
/// When the person or the account is not found or must not be touched, and when a far end or the
/// store does not answer.
pub async fn consider(
    settings: &Settings,
    store: &Arc<dyn Store>,
    key: &str,
    account: Option<&AccountId>,
) -> Result<Matter, NotDecided> {
    let previewers = Previewer::all(settings, store).map_err(PreviewError::from)?;
    let mut found: Vec<(usize, EmployeeId)> = Vec::new();
    for (index, previewer) in previewers.iter().enumerate() {
        let ids = previewer.who(key).await?;
        for (id, record) in previewer.records(&ids).await? {
            if record.is_some() || is_known(&previewer.person(&id), &**store).await? {
                found.push((index, id));
            }
        }
    }
    let (previewer, id) = match found.as_slice() {
        [] => return Err(NotDecided::Nobody),
        [(index, id)] => (&previewers[*index], id),
        several => {
            let name =
                |(index, id): &(usize, EmployeeId)| previewers[*index].person(id).to_string();
            let names: Vec<String> = several.iter().map(name).collect();
            return Err(NotDecided::Several(names.join(", ")));
        }
    };
    previewer.matter(id, account).await
}

/// Whether we know of somebody whom the source does not show.
async fn is_known(person: &Person, store: &dyn Store) -> Result<bool, StoreError> {
    let filter = Filter {
        source: Some(person.source.clone()),
        employee: Some(person.employee.to_string()),
        ..Filter::default()
    };
    Ok(store.link(person).await?.is_some()
        || store.choice(person).await?.is_some()
        || !store.deliveries(&filter, 1).await?.is_empty())
}

impl Previewer {
    /// Looks at one person whose id is known, and at the account that is to be theirs.
    ///
    /// # Errors
    /// As for [`consider`].
    pub(super) async fn consider(
        &self,
        id: &EmployeeId,
        account: Option<&AccountId>,
    ) -> Result<Matter, NotDecided> {
        let shown = self.records(std::slice::from_ref(id)).await?;
        let is_shown = shown.iter().any(|(_, record)| record.is_some());
        if !is_shown && !is_known(&self.person(id), &*self.store).await? {
            return Err(NotDecided::Nobody);
        }
        self.matter(id, account).await
    }

    async fn matter(
        &self,
        id: &EmployeeId,
        account: Option<&AccountId>,
    ) -> Result<Matter, NotDecided> {
        let person = self.person(id);
        let account = match account {
            None => None,
            Some(account) => Some(self.account(account, &person).await?),
        };
        let link = self.store.link(&person).await?;
        let before = self.store.choice(&person).await?;
        Ok(Matter { person, link, before, account })
    }

    /// An account that can be somebody's, and whose it is now, unless it is theirs or nobody's.
    async fn account(
        &self,
        id: &AccountId,
        person: &Person,
    ) -> Result<(Candidate, Option<Person>), NotDecided> {
        use crate::model::Field::{Email, Username};

        let read = self.target.account(id, Lane::Live, self.deadline).await;
        let Some(account) = read.map_err(PreviewError::from)? else {
            return Err(NotDecided::NoAccount(id.clone()));
        };
        // By its mail it is found as a stranger's would be: with the owner and with protection.
        let probe = Probe {
            email: account.fields.get(&Email).cloned(),
            username: account.fields.get(&Username).cloned(),
            ..Probe::default()
        };
        let platform = self.platform();
        let found = self.target.find(&platform, &[probe], Lane::Live, self.deadline).await;
        let mut found = found.map_err(PreviewError::from)?.into_iter().flatten();
        let candidate = found.find(|candidate| candidate.account.id == *id);
        let candidate = candidate.ok_or_else(|| NotDecided::NoAccount(id.clone()))?;
        if let Some(why) = &candidate.protected {
            return Err(NotDecided::Protected(id.clone(), why.clone()));
        }
        let claimed = candidate.claimed_by.as_ref().map(|id| self.person(&EmployeeId::new(id)));
        let owner = self.store.owner(id).await?.or(claimed).filter(|owner| owner != person);
        Ok((candidate, owner))
    }

    /// The candidates of those whose account is disputed, in this order.
    ///
    /// # Errors
    /// When a far end or the store does not answer.
    pub async fn contested(&self, ids: &[EmployeeId]) -> Result<Vec<Preview>, PreviewError> {
        let people = self.records(ids).await?;
        Box::pin(self.preview(people, super::preview::Look::Close)).await
    }
}

impl Matter {
    /// Who would lose the account that was named.
    pub fn loser(&self) -> Option<&Person> {
        self.account.as_ref()?.1.as_ref()
    }

    /// The account that the person would lose by this choice.
    pub fn leaves(&self, choice: Option<&Choice>) -> Option<&AccountId> {
        let linked = self.link.as_ref()?.account.as_ref()?;
        match choice {
            Some(Choice::Create) => Some(linked),
            Some(Choice::Account(chosen)) if chosen != linked => Some(linked),
            _ => None,
        }
    }
}

/// What followed from a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// So many dead letters of the person are done again.
    Replayed(u64),
    /// There was none, and the person is looked at anew.
    Queued,
}

/// Writes a human's choice down (`None` takes an earlier one back) and has the person looked at
/// again. Whoever loses the account by it is left alone from now on. Can be repeated.
///
/// # Errors
/// When somebody is being worked on for too long, or the store does not answer.
pub async fn decide(
    matter: &Matter,
    choice: Option<&Choice>,
    store: &dyn Store,
    clock: &Clock,
) -> Result<Followed, NotDecided> {
    if let (Some(loser), Some(Choice::Account(_))) = (matter.loser(), choice) {
        // First, so that they do not take it back. The worker takes it from them, and whatever rules
        // gave to it goes with it.
        store.choose(loser, Some(&Choice::Ignore)).await?;
    }
    store.choose(&matter.person, choice).await?;
    if choice == Some(&Choice::Create) {
        // Only without an account is a new one made.
        unlink(&matter.person, store).await?;
    }
    look_again(&matter.person, store, clock.now()).await
}

/// Takes somebody's link away once nobody works on them.
async fn unlink(person: &Person, store: &dyn Store) -> Result<(), NotDecided> {
    let patience = Deadline::after(TURN);
    loop {
        if store.link(person).await?.is_none() || store.unlink(person).await? {
            return Ok(());
        }
        if patience.left().is_zero() {
            return Err(NotDecided::Busy(person.clone()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Does the person's dead letters again, or queues the person when there is none.
async fn look_again(
    person: &Person,
    store: &dyn Store,
    now: Timestamp,
) -> Result<Followed, NotDecided> {
    let dead = Filter {
        state: Some(DeliveryState::Dead),
        source: Some(person.source.clone()),
        employee: Some(person.employee.to_string()),
        ..Filter::default()
    };
    let ids: Vec<DeliveryId> =
        all(store, dead).await?.into_iter().map(|delivery| delivery.id).collect();
    let replayed = store.replay(&ids, Lane::Live, now).await?;
    if replayed > 0 {
        return Ok(Followed::Replayed(replayed));
    }
    let event = Event::of_our_own(KIND, person, &now.to_string(), now);
    store.accept(Arrival::live(event)).await?;
    Ok(Followed::Queued)
}

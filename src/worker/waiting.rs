//! People who wait for a manager's account: they are told when it is there.
//!
//! Promises: whoever waits writes that down before looking for the manager, and the manager's link is
//! saved before those who wait are looked up, so that one of the two sees the other; they are told
//! before the manager's own turn is settled, so that no kill in between loses anything.

use super::Worker;
use super::process::Case;
use super::retry::Verdict;
use super::surroundings::is_usable;
use crate::model::{
    AccountId, Arrival, Delivery, Desired, Event, Field, Link, MANAGER_ARRIVED, ManagerKey, Person,
};
use crate::store::StoreError;
use crate::targets::TargetError;

/// How many are told in one turn; further ones come with the manager's next.
const MOST: usize = 5_000;

impl Worker {
    /// Tells everybody who waits for this person, if there is something to tell: this person has an
    /// account that others can be tied to.
    ///
    /// A turn that was itself only caused by such a message says nothing unless it has changed
    /// something: two who wait for each other would otherwise keep each other awake.
    pub(super) async fn tell_who_waits(
        &self,
        case: &Case,
        desired: &Desired,
        link: &mut Link,
    ) -> Result<(), Verdict> {
        if !desired.active || !case.live.managers || !is_usable(link) {
            return Ok(());
        }
        let changed =
            case.lease.link.as_ref().is_none_or(|before| standing(before) != standing(link));
        let only_told = |it: &Delivery| it.kind == MANAGER_ARRIVED && it.kills == 0;
        if !changed && case.lease.deliveries.iter().all(only_told) {
            return Ok(());
        }
        if changed {
            self.save(case, link).await?;
        }
        let store = |error: StoreError| Verdict::from(TargetError::Store(error));
        let person = &case.lease.person;
        for key in keys(person, desired) {
            let waiting = self.store.awaiting(&person.source, &key, MOST).await.map_err(store)?;
            for waits in waiting.iter().filter(|waits| *waits != person) {
                let event = self.arrived(case, link, waits);
                self.store.accept(Arrival::live(event)).await.map_err(store)?;
            }
        }
        Ok(())
    }

    /// What somebody is told of this person's arrival. The delivery that led to it is part of it:
    /// the same turn says it once, however often it is begun, and every later one says it anew.
    fn arrived(&self, case: &Case, link: &Link, waits: &Person) -> Event {
        let account = link.account.as_ref().map_or("", AccountId::as_str);
        let delivery =
            case.lease.deliveries.iter().map(|it| it.id.as_str()).max().unwrap_or_default();
        let words = format!("{} {account} {delivery}", case.lease.person.employee);
        Event::of_our_own(MANAGER_ARRIVED, waits, &words, self.clock.now())
    }
}

/// What others wait for: the account, that it can be used, and who stands above it.
fn standing(link: &Link) -> (Option<&AccountId>, bool, Option<&AccountId>) {
    let manager = link.manager.as_ref().map(|given| &given.account);
    (link.account.as_ref(), is_usable(link), manager)
}

/// By what others may wait for this person. Rules name managers in one way: as they name this
/// person's own, where they do.
fn keys(person: &Person, desired: &Desired) -> Vec<String> {
    let id = || ManagerKey::Employee(person.employee.clone()).to_string();
    let mail = || {
        let mail = desired.fields.get(&Field::Email).cloned().flatten();
        mail.map(|mail| ManagerKey::Email(mail).to_string())
    };
    match desired.manager {
        Some(Some(ManagerKey::Employee(_))) => vec![id()],
        Some(Some(ManagerKey::Email(_))) => mail().into_iter().collect(),
        _ => std::iter::once(id()).chain(mail()).collect(),
    }
}

//! What somebody's plan needs to know beside the account: the target's groups and custom fields, and
//! the manager's account. Also whose the accounts are that were found. Reads only; a preview asks the
//! same.

use std::sync::Arc;

use crate::clock::Deadline;
use crate::model::{
    AccountId, AccountStatus, Candidate, Desired, EmployeeId, FoundBy, Lane, Link, ManagerKey,
    Needs, Person, Probe,
};
use crate::provisioning::resolving::{ManagerFound, Surroundings};
use crate::store::{Store, StoreError};
use crate::targets::TargetError;
use crate::targets::learning360::Learning360;

/// How far up the managers' managers are followed.
const MOST_STEPS: usize = 50;

/// Why nobody manages themselves.
const OWN_MANAGER: &str = "HR names this person as their own manager: correct it there";

/// Where to ask, and for how long.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    /// What we know of everybody's accounts.
    pub store: &'a dyn Store,
    /// The target.
    pub target: &'a Learning360,
    /// The platform name under which it holds the employees' ids.
    pub platform: &'a str,
    /// How urgent it is.
    pub lane: Lane,
    /// When it must have ended.
    pub deadline: Deadline,
}

impl Ways<'_> {
    /// Everything that the plan of a person needs to know. `afresh`: groups and custom fields as
    /// they are now.
    ///
    /// # Errors
    /// When the store or the target does not say.
    pub async fn surroundings(
        &self,
        person: &Person,
        desired: &Desired,
        link: Option<&Link>,
        needs: &Needs,
        afresh: bool,
    ) -> Result<Surroundings, TargetError> {
        if !desired.active {
            return Ok(Surroundings::default());
        }
        let (lane, deadline) = (self.lane, self.deadline);
        let catalogue = if needs.groups || !needs.custom_fields.is_empty() {
            self.target.catalogue(needs, afresh, lane, deadline).await?
        } else {
            Arc::default()
        };
        let manager = self.manager(person, desired, link).await?;
        Ok(Surroundings { catalogue, manager })
    }

    async fn manager(
        &self,
        person: &Person,
        desired: &Desired,
        link: Option<&Link>,
    ) -> Result<ManagerFound, TargetError> {
        let Some(Some(key)) = &desired.manager else { return Ok(ManagerFound::NotAsked) };
        if names_self(key, person) {
            return Ok(ManagerFound::Refused(OWN_MANAGER.to_owned()));
        }
        let settled = link.filter(|link| link.awaits.is_none());
        let given = settled.and_then(|link| link.manager.as_ref());
        let found = match key {
            ManagerKey::Employee(id) => {
                let manager = colleague(person, id);
                let known = self.store.link(&manager).await?;
                known.filter(is_usable).and_then(|link| link.account).map(|it| (it, Some(manager)))
            }
            ManagerKey::Email(mail) => match given.filter(|given| given.key == key.to_string()) {
                Some(given) => Some((given.account.clone(), None)),
                None => match self.account_with(mail).await? {
                    Some(account) => {
                        let manager = self.store.owner(&account).await?;
                        Some((account, manager))
                    }
                    None => None,
                },
            },
        };
        let Some((account, manager)) = found else { return Ok(ManagerFound::Awaited) };
        if link.is_some_and(|link| link.account.as_ref() == Some(&account)) {
            return Ok(ManagerFound::Refused(OWN_MANAGER.to_owned()));
        }
        // One that is in place was looked at when it was put there.
        let in_place = given.is_some_and(|given| given.account == account);
        if !in_place
            && let Some(manager) = manager
            && let Some(steps) = self.circle(person, &manager).await?
        {
            return Ok(ManagerFound::Refused(format!(
                "a circle: employee {} is managed by this person, {steps} step(s) up. Correct the \
                 managers in HR",
                manager.employee
            )));
        }
        Ok(ManagerFound::Account(account))
    }

    /// The one usable account with this mail; none where there are several.
    async fn account_with(&self, mail: &str) -> Result<Option<AccountId>, TargetError> {
        let probe = Probe { email: Some(mail.to_owned()), ..Probe::default() };
        let found = self.target.find(self.platform, &[probe], self.lane, self.deadline).await?;
        let mut usable = found
            .into_iter()
            .flatten()
            .filter(|it| it.by == FoundBy::Email && it.account.status != AccountStatus::Deleted);
        let first = usable.next().map(|it| it.account.id);
        Ok(first.filter(|_| usable.next().is_none()))
    }

    /// After how many steps up from the manager the person is met, if so.
    async fn circle(&self, person: &Person, manager: &Person) -> Result<Option<usize>, StoreError> {
        let mut at = manager.clone();
        for steps in 1..=MOST_STEPS {
            let Some(link) = self.store.link(&at).await? else { return Ok(None) };
            let Some(next) = self.above(&at, &link).await? else { return Ok(None) };
            if next == *person {
                return Ok(Some(steps));
            }
            at = next;
        }
        Ok(None)
    }

    /// Whose work this person's is. Whom HR named last is awaited until they are in place, and that
    /// is written down before anybody looks: of two who name each other at the same time one sees it.
    async fn above(&self, person: &Person, link: &Link) -> Result<Option<Person>, StoreError> {
        let given = link.manager.as_ref();
        let key = link.awaits.as_deref().or_else(|| given.map(|given| given.key.as_str()));
        if let Some(id) = key.and_then(|key| key.strip_prefix("employee:")) {
            return Ok(Some(colleague(person, &EmployeeId::new(id))));
        }
        match given {
            Some(given) => self.store.owner(&given.account).await,
            None => Ok(None),
        }
    }

    /// Marks the accounts that our own links say to be somebody else's.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn mark_owners(
        &self,
        person: &Person,
        candidates: &mut [Candidate],
    ) -> Result<(), StoreError> {
        let unmarked = candidates.iter_mut().filter(|it| it.claimed_by.is_none());
        for candidate in unmarked.filter(|it| it.by != FoundBy::Link) {
            let owner = self.store.owner(&candidate.account.id).await?;
            candidate.claimed_by =
                owner.filter(|owner| owner != person).map(|owner| owner.employee.to_string());
        }
        Ok(())
    }
}

/// Whether a rule names the person as their own manager.
pub(super) fn names_self(key: &ManagerKey, person: &Person) -> bool {
    matches!(key, ManagerKey::Employee(id) if *id == person.employee)
}

/// Whether somebody has an account that others can be tied to.
pub(super) fn is_usable(link: &Link) -> bool {
    link.account.is_some() && link.status != Some(AccountStatus::Deleted)
}

fn colleague(person: &Person, employee: &EmployeeId) -> Person {
    Person { source: person.source.clone(), employee: employee.clone() }
}

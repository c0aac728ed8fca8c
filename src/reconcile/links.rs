//! What is known of everybody's accounts when a run begins, as far as comparing needs it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

use crate::model::{
    AccountId, AccountStatus, Desired, EmployeeId, FoundBy, GroupId, Link, ManagerKey, SourceName,
};
use crate::provisioning::resolving::ManagerFound;
use crate::store::{Store, StoreError};

/// So many links are read at once.
const PORTION: usize = 1_000;

/// How far up the managers' managers are followed.
const MOST_STEPS: usize = 50;

/// One person's link.
pub(super) struct Known {
    /// Without what was last applied to fields and what nobody needs here.
    pub link: Link,
    /// Stands for the whole link, to see whether it has changed since.
    pub print: u64,
    /// HR showed the person.
    pub is_shown: bool,
}

/// All links of a source.
#[derive(Default)]
pub(super) struct Links {
    pub people: HashMap<EmployeeId, Known>,
    /// Who was forgotten here: they are left alone.
    pub forgotten: BTreeMap<EmployeeId, Timestamp>,
    owners: HashMap<AccountId, EmployeeId>,
    hash: RandomState,
}

impl Links {
    /// Reads them.
    ///
    /// # Errors
    /// When the store is not available or one of them cannot be read.
    pub async fn read(store: &dyn Store, source: &SourceName) -> Result<Self, StoreError> {
        let forgotten = store.all_forgotten(source).await?;
        let mut links = Self { forgotten, ..Self::default() };
        let mut from: Option<String> = None;
        loop {
            let portion = store.links(source, from.as_deref(), PORTION).await?;
            for (person, link) in portion.links {
                let print = links.print(Some(&link));
                if let Some(account) = &link.account {
                    links.owners.insert(account.clone(), person.employee.clone());
                }
                let link = Link {
                    applied: BTreeMap::new(),
                    misses: Vec::new(),
                    appointment: None,
                    ..link
                };
                links.people.insert(person.employee, Known { link, print, is_shown: false });
            }
            match portion.next {
                Some(next) => from = Some(next),
                None => return Ok(links),
            }
        }
    }

    /// What stands for a link; another one stands for none.
    pub fn print(&self, link: Option<&Link>) -> u64 {
        let bytes = link.and_then(|link| serde_json::to_vec(link).ok());
        self.hash.hash_one(bytes.as_deref())
    }

    /// What stood for the person's link when it was read.
    pub fn print_of(&self, employee: &EmployeeId) -> u64 {
        self.people.get(employee).map_or_else(|| self.print(None), |known| known.print)
    }

    /// The person's link.
    pub fn get(&self, employee: &EmployeeId) -> Option<&Link> {
        self.people.get(employee).map(|known| &known.link)
    }

    /// Whose account this is, unless it is this person's.
    pub fn other_owner(&self, account: &AccountId, person: &EmployeeId) -> Option<String> {
        self.owners.get(account).filter(|owner| *owner != person).map(ToString::to_string)
    }

    /// How many people are linked to an account that is not deactivated.
    pub fn linked(&self) -> u64 {
        let usable = self.people.values().filter(|known| is_usable(&known.link)).count();
        u64::try_from(usable).unwrap_or(u64::MAX)
    }

    /// All groups in which a rule has put somebody.
    pub fn groups(&self) -> std::collections::BTreeSet<GroupId> {
        let links = self.people.values().flat_map(|known| &known.link.groups);
        links.map(|(group, _)| group.clone()).collect()
    }

    /// The account of the manager whom the rules name, as a worker would find it.
    pub fn manager(
        &self,
        person: &EmployeeId,
        desired: &Desired,
        find: impl Fn(&str) -> Option<AccountId>,
    ) -> ManagerFound {
        let Some(Some(key)) = &desired.manager else { return ManagerFound::NotAsked };
        let own = || ManagerFound::Refused("HR names this person as their own manager".to_owned());
        let link = self.get(person);
        let given = link.filter(|link| link.awaits.is_none()).and_then(|it| it.manager.as_ref());
        let account = match key {
            ManagerKey::Employee(id) if id == person => return own(),
            ManagerKey::Employee(id) => {
                self.get(id).filter(|link| is_usable(link)).and_then(|link| link.account.clone())
            }
            ManagerKey::Email(mail) => match given.filter(|given| given.key == key.to_string()) {
                Some(given) => Some(given.account.clone()),
                None => find(mail),
            },
        };
        let Some(account) = account else { return ManagerFound::Awaited };
        if link.is_some_and(|link| link.account.as_ref() == Some(&account)) {
            return own();
        }
        let in_place = given.is_some_and(|given| given.account == account);
        if !in_place && self.is_above(person, &account) {
            return ManagerFound::Refused("a circle of managers".to_owned());
        }
        ManagerFound::Account(account)
    }

    /// Whether the person manages, at some remove, whoever has this account.
    fn is_above(&self, person: &EmployeeId, account: &AccountId) -> bool {
        let mut at = self.owners.get(account).cloned();
        for _ in 0..MOST_STEPS {
            let Some(link) = at.as_ref().and_then(|at| self.get(at)) else { return false };
            let given = link.manager.as_ref();
            let key = link.awaits.as_deref().or_else(|| given.map(|given| given.key.as_str()));
            at = match key.and_then(|key| key.strip_prefix("employee:")) {
                Some(id) => Some(EmployeeId::new(id)),
                None => given.and_then(|given| self.owners.get(&given.account).cloned()),
            };
            if at.as_ref() == Some(person) {
                return true;
            }
        }
        false
    }
}

/// Whether somebody has an account that others can be tied to.
fn is_usable(link: &Link) -> bool {
    link.account.is_some() && link.status != Some(AccountStatus::Deleted)
}

/// Whether a way of finding an account proves nothing by itself.
pub(super) fn is_takeover(by: FoundBy) -> bool {
    matches!(by, FoundBy::Email | FoundBy::Username | FoundBy::Name)
}

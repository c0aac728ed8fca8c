//! All accounts of the target as one run saw them, small enough to keep a million, and found by the
//! same keys by which the target finds them for a worker.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::model::{
    Account, AccountId, AccountStatus, Candidate, Field, FoundBy, GroupId, Probe, Role,
};
use crate::targets::learning360::name_key;

/// One account.
struct Row {
    id: AccountId,
    status: AccountStatus,
    fields: Box<[(Field, Box<str>)]>,
    /// The external id that the target holds for it under our platform name.
    external: Option<Box<str>>,
    /// Somebody in HR could be its owner.
    is_matched: bool,
}

impl Row {
    fn field(&self, field: Field) -> Option<&str> {
        self.fields.iter().find(|(its, _)| *its == field).map(|(_, value)| &**value)
    }

    fn account(&self) -> Account {
        let fields = self.fields.iter().map(|(field, value)| (*field, value.to_string()));
        Account { id: self.id.clone(), status: self.status, fields: fields.collect() }
    }
}

/// Where rows are, by a key of theirs: the key's hash and the row. Whoever looks compares the key.
#[derive(Default)]
struct Index(Vec<(u64, u32)>);

/// All accounts, while they come in and afterwards.
#[derive(Default)]
pub(super) struct Accounts {
    rows: Vec<Row>,
    /// They are looked for by their names, too.
    by_name_too: bool,
    hash: RandomState,
    by_id: Index,
    by_external: Index,
    by_mail: Index,
    by_username: Index,
    by_name: Index,
    /// Roles in groups that were read.
    roles: Vec<(GroupId, Role)>,
    /// Groups whose members were read, those that are gone included.
    groups: BTreeSet<GroupId>,
    /// Row and place in `roles`.
    members: HashSet<(u32, u32)>,
}

impl Accounts {
    /// None yet. `by_name`: whether they are looked for by their names, too.
    pub fn new(by_name: bool) -> Self {
        Self { by_name_too: by_name, ..Self::default() }
    }

    /// Takes some in.
    pub fn add(&mut self, accounts: Vec<Account>) {
        let row = |account: Account| Row {
            id: account.id,
            status: account.status,
            fields: account.fields.into_iter().map(|(key, value)| (key, value.into())).collect(),
            external: None,
            is_matched: false,
        };
        self.rows.extend(accounts.into_iter().map(row));
    }

    /// All have come: they can be found now. Again after more have come.
    pub fn index(&mut self) {
        if self.by_id.0.len() == self.rows.len() {
            return;
        }
        let fold = |row: &Row, field| row.field(field).map(str::to_lowercase);
        self.by_id = self.by(|row| Some(row.id.to_string()));
        self.by_mail = self.by(|row| fold(row, Field::Email));
        self.by_username = self.by(|row| fold(row, Field::Username));
        if self.by_name_too {
            self.by_name =
                self.by(|row| name_key(row.field(Field::FirstName)?, row.field(Field::LastName)?));
        }
    }

    /// Whose accounts they are, as the target keeps it: account and external id.
    pub fn claim(&mut self, mappings: Vec<(AccountId, String)>) {
        self.index();
        for (id, value) in mappings {
            if let Some(row) = self.place(&id) {
                self.rows[row as usize].external = Some(value.into());
            }
        }
    }

    /// All external ids have come.
    pub fn index_claims(&mut self) {
        self.by_external = self.by(|row| row.external.as_deref().map(str::to_owned));
    }

    /// Members of a group.
    pub fn join(&mut self, group: &GroupId, members: Vec<(AccountId, Role)>) {
        self.index();
        for (account, role) in members {
            let Some(row) = self.place(&account) else { continue };
            let known = self.roles.iter().position(|(its, named)| its == group && *named == role);
            let place = known.unwrap_or_else(|| {
                self.roles.push((group.clone(), role));
                self.roles.len() - 1
            });
            self.members.insert((row, u32::try_from(place).unwrap_or(u32::MAX)));
        }
    }

    /// The members of these groups were read.
    pub fn know_groups(&mut self, groups: impl IntoIterator<Item = GroupId>) {
        self.groups.extend(groups);
    }

    /// Whether an account has a role in a group; it is believed to where the group was not read.
    pub fn is_member(&self, account: &AccountId, group: &GroupId, role: &Role) -> bool {
        if !self.groups.contains(group) {
            return true;
        }
        let Some(row) = self.place(account) else { return true };
        let place = self.roles.iter().position(|(its, named)| its == group && named == role);
        place.is_some_and(|place| {
            self.members.contains(&(row, u32::try_from(place).unwrap_or(u32::MAX)))
        })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }

    /// The account with this id.
    pub fn get(&self, id: &AccountId) -> Option<Account> {
        self.place(id).map(|row| self.rows[row as usize].account())
    }

    /// Whether the account with this id can be used.
    pub fn status(&self, id: &AccountId) -> Option<AccountStatus> {
        self.place(id).map(|row| self.rows[row as usize].status)
    }

    /// The external id that the target holds for an account.
    pub fn external(&self, id: &AccountId) -> Option<&str> {
        self.rows[self.place(id)? as usize].external.as_deref()
    }

    /// Every account that could be somebody's, surest first. `owner` knows to whom we have linked an
    /// account, `listed` which must never be changed.
    pub fn candidates(
        &self,
        probe: &Probe,
        owner: impl Fn(&AccountId) -> Option<String>,
        listed: impl Fn(&Account) -> Option<String>,
    ) -> Vec<Candidate> {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        let name = probe.name.as_ref().and_then(|(first, last)| name_key(first, last));
        let ways = [
            (
                FoundBy::Link,
                probe.account.as_ref().and_then(|id| self.place(id)).into_iter().collect(),
            ),
            (
                FoundBy::ExternalId,
                self.having(&self.by_external, probe.external_id.as_deref(), |row| {
                    row.external.as_deref().map(str::to_owned)
                }),
            ),
            (
                FoundBy::Email,
                self.folded(&self.by_mail, lower(&probe.email).as_deref(), Field::Email),
            ),
            (
                FoundBy::Username,
                self.folded(&self.by_username, lower(&probe.username).as_deref(), Field::Username),
            ),
            (
                FoundBy::Name,
                self.having(&self.by_name, name.as_deref(), |row| {
                    name_key(row.field(Field::FirstName)?, row.field(Field::LastName)?)
                }),
            ),
        ];
        let mut seen = BTreeSet::new();
        let mut candidates = Vec::new();
        for (by, rows) in ways {
            let rows: Vec<u32> = rows;
            for row in rows.into_iter().filter(|row| seen.insert(*row)) {
                let row = &self.rows[row as usize];
                let account = row.account();
                let external = row.external.as_deref();
                let other = external.filter(|other| probe.external_id.as_deref() != Some(*other));
                let weak = matches!(by, FoundBy::Email | FoundBy::Username | FoundBy::Name);
                let mut claimed_by = other.filter(|_| weak).map(str::to_owned);
                if claimed_by.is_none() && by != FoundBy::Link {
                    claimed_by = owner(&row.id);
                }
                let protected = listed(&account);
                candidates.push(Candidate { account, by, claimed_by, protected });
            }
        }
        candidates
    }

    /// Somebody in HR could be the owner of this account.
    pub fn matched(&mut self, id: &AccountId) {
        if let Some(row) = self.place(id) {
            self.rows[row as usize].is_matched = true;
        }
    }

    /// Somebody in HR, whoever they are to us, has this mail.
    pub fn matched_by_mail(&mut self, mail: &str) {
        for row in self.folded(&self.by_mail, Some(&mail.to_lowercase()), Field::Email) {
            self.rows[row as usize].is_matched = true;
        }
    }

    /// Accounts in use that nobody in HR could own, with the names they bear.
    pub fn orphans(&self) -> impl Iterator<Item = (AccountId, String)> {
        let lonely = |row: &&Row| !row.is_matched && row.status != AccountStatus::Deleted;
        self.rows.iter().filter(lonely).map(|row| {
            let names = [Field::FirstName, Field::LastName].map(|field| row.field(field));
            let names: Vec<&str> = names.into_iter().flatten().collect();
            (row.id.clone(), names.join(" "))
        })
    }

    fn by(&self, key: impl Fn(&Row) -> Option<String>) -> Index {
        let places = self.rows.iter().zip(0..);
        let mut index: Vec<(u64, u32)> = places
            .filter_map(|(row, place)| Some((self.hash.hash_one(key(row)?.as_str()), place)))
            .collect();
        index.sort_unstable();
        Index(index)
    }

    /// The rows whose key this is.
    fn having(
        &self,
        index: &Index,
        key: Option<&str>,
        its: impl Fn(&Row) -> Option<String>,
    ) -> Vec<u32> {
        let Some(key) = key.filter(|key| !key.is_empty()) else { return Vec::new() };
        let hash = self.hash.hash_one(key);
        let first = index.0.partition_point(|(at, _)| *at < hash);
        let those = index.0[first..].iter().take_while(|(at, _)| *at == hash);
        let has = |row: &u32| its(&self.rows[*row as usize]).as_deref() == Some(key);
        those.map(|(_, row)| *row).filter(has).collect()
    }

    fn folded(&self, index: &Index, key: Option<&str>, field: Field) -> Vec<u32> {
        self.having(index, key, |row| row.field(field).map(str::to_lowercase))
    }

    fn place(&self, id: &AccountId) -> Option<u32> {
        let rows =
            self.having(&self.by_id, Some(id.as_str()), |row| Some(row.id.as_str().to_owned()));
        rows.first().copied()
    }
}

/// How many have each key: for mails that several people share.
#[derive(Default)]
pub(super) struct Shared {
    hash: RandomState,
    counts: BTreeMap<u64, u32>,
}

impl Shared {
    /// One more has it.
    pub fn note(&mut self, text: &str) {
        *self.counts.entry(self.hash.hash_one(text.to_lowercase().as_str())).or_default() += 1;
    }

    /// Whether several have it.
    pub fn by_several(&self, text: &str) -> bool {
        let hash = self.hash.hash_one(text.to_lowercase().as_str());
        self.counts.get(&hash).is_some_and(|count| *count > 1)
    }
}

//! Finding the accounts that could be somebody's, many persons in few calls.
//!
//! Promises: what an answer lacks is only taken for "not there" after a whole list; rows that were
//! not asked for are not believed; accounts of every status are found, deactivated ones too.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::client::{Client, Turn};
use super::lists::{Lists, OneOf};
use super::names::{self, Names};
use super::protection::Protection;
use super::wire::{self, Mapping, User};
use crate::model::{Account, AccountId, AccountStatus, Field};
use crate::targets::{Candidate, FoundBy, Probe, TargetError};

/// How many calls for single accounts are under way at once.
const AT_ONCE: usize = 8;

/// Finds accounts.
pub(super) struct Finder {
    client: Arc<Client>,
    protection: Arc<Protection>,
    lists: Lists,
    names: Names,
}

impl Finder {
    pub fn new(client: Arc<Client>, protection: Arc<Protection>) -> Self {
        let (lists, names) = (Lists::new(Arc::clone(&client)), Names::new(Arc::clone(&client)));
        Self { client, protection, lists, names }
    }

    /// Every account that could be each person's, surest first.
    pub async fn find(
        &self,
        platform: &str,
        probes: &[Probe],
        turn: Turn,
    ) -> Result<Vec<Vec<Candidate>>, TargetError> {
        let ours = [("platform[eq]", platform), ("type[eq]", "user")];
        let mappings = OneOf { endpoint: "GET /external-ids", also: &ours, field: "value" };
        let ids: BTreeSet<&str> = probes.iter().filter_map(|p| p.external_id.as_deref()).collect();
        let wanted: Vec<_> = probes.iter().map(|probe| probe.name.as_ref()).collect();
        let (mappings, by_mail, by_username, bearers) = tokio::try_join!(
            self.lists.one_of::<Mapping>(mappings, ids.into_iter().collect(), turn),
            self.logins("mail", Field::Email, probes.iter().map(|p| p.email.as_deref()), turn),
            self.logins(
                "username",
                Field::Username,
                probes.iter().map(|p| p.username.as_deref()),
                turn
            ),
            self.names.find(&wanted, turn),
        )?;
        let mappings: Vec<Mapping> =
            mappings.into_iter().filter(|row| is_ours(row, platform)).collect();

        // What we know of each account, and by what it can be found.
        let mut known: HashMap<AccountId, Account> = HashMap::new();
        let mut mails: HashMap<String, Vec<AccountId>> = HashMap::new();
        let mut usernames: HashMap<String, Vec<AccountId>> = HashMap::new();
        for account in by_mail.into_iter().chain(by_username) {
            if let Entry::Vacant(place) = known.entry(account.id.clone()) {
                for (field, index) in
                    [(Field::Email, &mut mails), (Field::Username, &mut usernames)]
                {
                    if let Some(value) = account.fields.get(&field) {
                        index.entry(fold(value)).or_default().push(account.id.clone());
                    }
                }
                place.insert(account);
            }
        }
        let mut holders: HashMap<&str, Vec<&AccountId>> = HashMap::new();
        let mut claims: HashMap<AccountId, String> = HashMap::new();
        for row in &mappings {
            holders.entry(&row.value).or_default().push(&row.target_id);
            claims.insert(row.target_id.clone(), row.value.clone());
        }

        // Surest first, so that a weaker way to the same account adds nothing.
        let mut found: Vec<Vec<(AccountId, FoundBy)>> = Vec::with_capacity(probes.len());
        for (probe, bearers) in probes.iter().zip(bearers) {
            let at = |index: &HashMap<String, Vec<AccountId>>, key: Option<&String>| {
                key.and_then(|key| index.get(&fold(key))).cloned().unwrap_or_default()
            };
            let mapped = probe.external_id.as_deref().and_then(|id| holders.get(id));
            let ways = [
                (FoundBy::Link, probe.account.iter().cloned().collect()),
                (FoundBy::ExternalId, mapped.into_iter().flatten().copied().cloned().collect()),
                (FoundBy::Email, at(&mails, probe.email.as_ref())),
                (FoundBy::Username, at(&usernames, probe.username.as_ref())),
                (FoundBy::Name, bearers),
            ];
            let mut seen = HashSet::new();
            let mut these = Vec::new();
            for (by, accounts) in ways {
                for account in accounts {
                    if seen.insert(account.clone()) {
                        these.push((account, by));
                    }
                }
            }
            found.push(these);
        }

        self.fetch_unknown(&found, &mut known, turn).await?;
        self.learn_claims(platform, &found, &mut claims, turn).await?;
        let mut candidates: Vec<Vec<Candidate>> = Vec::with_capacity(probes.len());
        for (probe, these) in probes.iter().zip(found) {
            let candidate = |(id, by): (AccountId, FoundBy)| {
                let account = known.get(&id)?.clone();
                // It may have another name by now.
                if by == FoundBy::Name
                    && !probe.name.as_ref().is_some_and(|name| names::bears(&account, name))
                {
                    return None;
                }
                let other =
                    claims.get(&id).filter(|value| Some(*value) != probe.external_id.as_ref());
                let claimed_by = if is_takeover(by) { other.cloned() } else { None };
                let protected = self.protection.listed(&account);
                Some(Candidate { account, by, claimed_by, protected })
            };
            candidates.push(these.into_iter().filter_map(candidate).collect());
        }
        self.protect_offices(&mut candidates, turn).await?;
        Ok(candidates)
    }

    /// Accounts that have one of these mails or user names, whatever the case.
    async fn logins<'p>(
        &self,
        filter: &str,
        field: Field,
        wanted: impl Iterator<Item = Option<&'p str>>,
        turn: Turn,
    ) -> Result<Vec<Account>, TargetError> {
        // Whether the filter minds the case is not documented: ask for both forms.
        let mut forms = BTreeSet::new();
        for value in wanted.flatten().filter(|value| !value.is_empty()) {
            forms.insert(value.to_owned());
            forms.insert(fold(value));
        }
        let ask = |also, forms: BTreeSet<String>| async move {
            let filter = OneOf { endpoint: "GET /users", also, field: filter };
            let values = forms.iter().map(String::as_str).collect();
            let users = self.lists.one_of::<User>(filter, values, turn).await?;
            users.into_iter().map(Account::try_from).collect::<Result<Vec<_>, _>>()
        };
        let mut accounts = ask(&[], forms.clone()).await?;
        // Whether an unfiltered list shows deactivated accounts is not documented either, and a
        // create for such a mail would restore the account unseen: ask for them by name.
        let there: HashSet<String> =
            accounts.iter().filter_map(|account| Some(fold(account.fields.get(&field)?))).collect();
        forms.retain(|form| !there.contains(&fold(form)));
        if !forms.is_empty() {
            accounts.extend(ask(&[("status[eq]", "deleted")], forms).await?);
        }
        Ok(accounts)
    }

    /// Reads the accounts that were found by their id only.
    async fn fetch_unknown(
        &self,
        found: &[Vec<(AccountId, FoundBy)>],
        known: &mut HashMap<AccountId, Account>,
        turn: Turn,
    ) -> Result<(), TargetError> {
        let ids: BTreeSet<AccountId> = found
            .iter()
            .flatten()
            .filter(|(id, _)| !known.contains_key(id))
            .map(|(id, _)| id.clone())
            .collect();
        let client = &self.client;
        let accounts = each(ids, |id| {
            let client = Arc::clone(client);
            async move { client.account(&id, turn).await }
        })
        .await?;
        known.extend(accounts.into_iter().flatten().map(|account| (account.id.clone(), account)));
        Ok(())
    }

    /// Looks up whose external id the accounts hold that were found by mail or user name.
    async fn learn_claims(
        &self,
        platform: &str,
        found: &[Vec<(AccountId, FoundBy)>],
        claims: &mut HashMap<AccountId, String>,
        turn: Turn,
    ) -> Result<(), TargetError> {
        let ids: BTreeSet<&str> = found
            .iter()
            .flatten()
            .filter(|(id, by)| is_takeover(*by) && !claims.contains_key(id))
            .map(|(id, _)| id.as_str())
            .collect();
        let ours = [("platform[eq]", platform), ("type[eq]", "user")];
        let filter = OneOf { endpoint: "GET /external-ids", also: &ours, field: "targetId" };
        let rows = self.lists.one_of::<Mapping>(filter, ids.into_iter().collect(), turn).await?;
        claims.extend(
            rows.into_iter()
                .filter(|row| is_ours(row, platform))
                .map(|row| (row.target_id, row.value)),
        );
        Ok(())
    }

    /// Marks the company's owner and administrators among the accounts that could be taken over:
    /// those of persons for whom there is nothing surer than a mail, a user name or a name.
    async fn protect_offices(
        &self,
        candidates: &mut [Vec<Candidate>],
        turn: Turn,
    ) -> Result<(), TargetError> {
        let doubtful = |candidate: &&mut Candidate| {
            candidate.claimed_by.is_none()
                && candidate.protected.is_none()
                && candidate.account.status != AccountStatus::Deleted
        };
        let mut takeovers: Vec<&mut Candidate> = candidates
            .iter_mut()
            .filter(|these| these.iter().all(|candidate| is_takeover(candidate.by)))
            .flatten()
            .filter(doubtful)
            .collect();
        let ids: BTreeSet<AccountId> =
            takeovers.iter().map(|candidate| candidate.account.id.clone()).collect();
        let reasons = each(ids, |id| {
            let protection = Arc::clone(&self.protection);
            async move {
                let reason = protection.of(&id, turn).await?;
                Ok((id, reason))
            }
        })
        .await?;
        let reasons: HashMap<AccountId, Option<String>> = reasons.into_iter().collect();
        for candidate in &mut takeovers {
            candidate.protected = reasons.get(&candidate.account.id).cloned().flatten();
        }
        Ok(())
    }
}

/// Found by what people share and change, not by what the target or we recorded.
fn is_takeover(by: FoundBy) -> bool {
    matches!(by, FoundBy::Email | FoundBy::Username | FoundBy::Name)
}

fn is_ours(row: &Mapping, platform: &str) -> bool {
    row.platform == platform
        && row.target_type == "user"
        && wire::is_object_id(row.target_id.as_str())
}

/// The form in which mails and user names are compared.
fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Does something for each item, [`AT_ONCE`] at a time; the first error ends it all.
async fn each<I, T, F>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> F,
) -> Result<Vec<T>, TargetError>
where
    F: Future<Output = Result<T, TargetError>> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut done = Vec::new();
    let mut items = items.into_iter();
    loop {
        while tasks.len() < AT_ONCE {
            let Some(item) = items.next() else { break };
            tasks.spawn(work(item));
        }
        match tasks.join_next().await {
            None => return Ok(done),
            Some(Ok(result)) => done.push(result?),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

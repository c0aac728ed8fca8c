//! Each person whom HR shows against the account that is theirs, with the same decisions, matching
//! and planning as a worker's; only who differs is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::accounts::{Accounts, Shared};
use super::links::{Links, is_takeover};
use crate::config::MatchRule;
use crate::model::{
    Account, AccountId, AccountStatus, Catalogue, ChangeKind, Desired, Drift, EmployeeId, Field,
    FoundBy, Link, Probe, Record, Seen,
};
use crate::provisioning::alike::{self, Compared, Tally};
use crate::provisioning::drift::{LINK, differences, gravest};
use crate::provisioning::matching::{self, Match, Search};
use crate::provisioning::planning::{self, Policy};
use crate::provisioning::resolving::{Surroundings, resolve};
use crate::provisioning::rules::{Decision, Rules};
use crate::targets::learning360::Learning360;

/// Somebody who is out of step.
pub(super) struct Found {
    pub employee: EmployeeId,
    /// As HR or the LMS names them.
    pub name: String,
    pub account: Option<AccountId>,
    /// By what the account was found.
    pub by: Option<FoundBy>,
    /// The gravest change; none when there is nothing for us to change.
    pub kind: Option<ChangeKind>,
    pub drift: Vec<Drift>,
    /// The account would be deactivated though only its mail says whose it is. This one.
    pub resembles: Option<String>,
}

/// A comparison that is under way.
pub(super) struct Comparison<'r> {
    pub rules: &'r Rules,
    pub matching: &'r [MatchRule],
    pub policy: &'r Policy,
    pub target: &'r Learning360,
    pub catalogue: Arc<Catalogue>,
    pub accounts: Accounts,
    pub links: Links,
    pub now: Timestamp,
    /// Since when the accounts are so. What the live road did after that is no difference.
    pub since: Timestamp,
    reads: Vec<String>,
    pub result: Compare,
}

/// What a comparison has shown so far.
#[derive(Default)]
pub(super) struct Compare {
    pub people: u64,
    pub in_step: u64,
    pub filtered: BTreeMap<String, u64>,
    /// Rules that could not be judged: for how many people, and which fields they lacked.
    pub unjudged: BTreeMap<String, (u64, BTreeSet<String>)>,
    pub found: Vec<Found>,
    /// How many people had each field.
    pub fields: BTreeMap<String, u64>,
    pub mails: Shared,
    everybody: BTreeMap<String, Tally>,
    slices: BTreeMap<ChangeKind, BTreeMap<String, Tally>>,
}

impl<'r> Comparison<'r> {
    /// Everything that is known before HR is read.
    #[expect(clippy::too_many_arguments, reason = "everything that a comparison knows")]
    pub fn new(
        rules: &'r Rules,
        matching: &'r [MatchRule],
        policy: &'r Policy,
        target: &'r Learning360,
        catalogue: Arc<Catalogue>,
        accounts: Accounts,
        links: Links,
        now: Timestamp,
    ) -> Self {
        let reads = rules.reads();
        let result = Compare::of(&reads);
        Self {
            rules,
            matching,
            policy,
            target,
            catalogue,
            accounts,
            links,
            now,
            since: now,
            reads,
            result,
        }
    }

    /// HR is read from the beginning again.
    pub fn start_anew(&mut self) {
        self.result = Compare::of(&self.reads);
        for known in self.links.people.values_mut() {
            known.is_shown = false;
        }
    }

    /// Compares one person.
    pub fn person(&mut self, id: EmployeeId, record: &Record) {
        self.result.people += 1;
        if let Some(known) = self.links.people.get_mut(&id) {
            known.is_shown = true;
        }
        for field in &self.reads {
            let seen = record.see(field);
            if seen != Seen::Missing
                && let Some(count) = self.result.fields.get_mut(field)
            {
                *count += 1;
            }
            if let Some(tally) = self.result.everybody.get_mut(field) {
                tally.note(seen);
            }
        }
        if self.links.forgotten.contains_key(&id) {
            *self.result.filtered.entry("forgotten".to_owned()).or_default() += 1;
            return self.is_somebodys(&id, record);
        }
        let known = self.links.get(&id).is_some_and(|link| link.account.is_some());
        let found = match self.rules.decide(record, self.now).decision {
            Decision::OutOfScope { deactivate: true, .. } if known => {
                let desired = planning::departed(self.links.get(&id), &id);
                self.judge(&id, &desired, true)
            }
            Decision::OutOfScope { filter, .. } => {
                *self.result.filtered.entry(filter).or_default() += 1;
                return self.is_somebodys(&id, record);
            }
            Decision::Unknown { rule, missing } => {
                let (count, fields) = self.result.unjudged.entry(rule).or_default();
                *count += 1;
                fields.extend(missing);
                return self.is_somebodys(&id, record);
            }
            Decision::AsItIs { .. } => {
                self.is_somebodys(&id, record);
                None
            }
            Decision::Refused { reason, .. } => {
                self.is_somebodys(&id, record);
                Some(refused(reason))
            }
            Decision::Wanted { desired, .. } => {
                if let Some(Some(mail)) = desired.fields.get(&Field::Email) {
                    self.result.mails.note(mail);
                }
                let mut found = self.judge(&id, &desired, false);
                if let Some(found) = found.as_mut() {
                    found.name = name(&desired);
                }
                found
            }
        };
        let Some(mut found) = found else {
            self.result.in_step += 1;
            return;
        };
        found.employee = id;
        if let Some(kind) = found.kind {
            let tallies = self.result.slices.entry(kind).or_default();
            for field in &self.reads {
                tallies.entry(field.clone()).or_default().note(record.see(field));
            }
        }
        self.result.found.push(found);
    }

    /// Those who are linked to an account that is in use, and whom HR did not show.
    pub fn absent(&mut self) -> BTreeSet<EmployeeId> {
        let mut absent = Vec::new();
        for (id, known) in self.links.people.iter().filter(|(_, known)| !known.is_shown) {
            let Some(account) = &known.link.account else { continue };
            let Some(account) = self.accounts.get(account) else { continue };
            absent.push((id.clone(), account));
        }
        let mut ids = BTreeSet::new();
        for (employee, account) in absent {
            self.accounts.matched(&account.id);
            if account.status == AccountStatus::Deleted || self.listed(&account).is_some() {
                continue;
            }
            ids.insert(employee.clone());
            let field = |field| account.fields.get(&field).cloned();
            let names = [field(Field::FirstName), field(Field::LastName)];
            self.result.found.push(Found {
                employee,
                name: names.into_iter().flatten().collect::<Vec<_>>().join(" "),
                account: Some(account.id),
                by: Some(FoundBy::Link),
                kind: Some(ChangeKind::Deactivate),
                drift: vec![Drift::NotShown, Drift::ShouldBeInactive],
                resembles: None,
            });
        }
        ids
    }

    /// What the people in the slice of a kind have in common.
    pub fn common(&self, kind: ChangeKind) -> Vec<String> {
        let Some(tallies) = self.result.slices.get(&kind) else { return Vec::new() };
        let compared = tallies.iter().filter_map(|(field, slice)| {
            let everybody = self.result.everybody.get(field)?;
            Some(Compared { field, slice, everybody })
        });
        alike::common(compared)
    }

    /// The person's link as the target shows that it is.
    fn true_link(&self, employee: &EmployeeId, account: &AccountId, wanted: &str) -> Link {
        let mut link = self.links.get(employee).cloned().unwrap_or_default();
        if link.account.as_ref() != Some(account) {
            // A create that was begun is no account.
            return Link { creating: None, ..Link::default() };
        }
        link.groups.retain(|(group, role)| self.accounts.is_member(account, group, role));
        let held = self.accounts.external(account) == Some(wanted);
        link.external_id = held.then(|| wanted.to_owned());
        link
    }

    /// Compares somebody's account with what is desired.
    fn judge(&mut self, id: &EmployeeId, desired: &Desired, gone: bool) -> Option<Found> {
        let link = self.links.get(id);
        let search = Search { desired, link, rules: self.matching, choice: None };
        let candidates = self.accounts.candidates(
            &search.probe(),
            |account| self.links.other_owner(account, id),
            |account| self.listed(account),
        );
        let found = search.judge(&candidates);
        let was_begun = link.is_some_and(|link| link.creating.is_some());
        let is_linked = link.is_some_and(|link| link.account.is_some());
        let resembles = !desired.active && !was_begun && matching::only_resembles(&found);
        let (account, by) = match found {
            Match::Account(account, by) => {
                self.accounts.matched(&account.id);
                (Some(account), Some(by))
            }
            Match::Unmatched => (None, None),
            Match::Protected(_) => {
                self.mark(candidates.into_iter().map(|it| it.account.id));
                return None;
            }
            Match::Disputed(reason) | Match::InTheWay { reason, .. } => {
                self.mark(candidates.into_iter().map(|it| it.account.id));
                return desired.active.then(|| disputed(reason));
            }
        };
        if account.is_none() && !desired.active {
            return None;
        }
        if resembles && gone {
            return None;
        }
        let manager =
            self.links.manager(id, desired, |mail| self.with_mail(mail).map(|account| account.id));
        let around = Surroundings { catalogue: Arc::clone(&self.catalogue), manager };
        let resolved = match resolve(desired, &around) {
            Ok(resolved) => resolved,
            Err(refusal) => return Some(refused(refusal.reason)),
        };
        let truth = match &account {
            Some(account) => self.true_link(id, &account.id, &desired.external_id),
            None => Link::default(),
        };
        let with = account.as_ref().zip(by);
        let plan = planning::from_account(desired, &resolved, Some(&truth), with, self.policy);
        let plan = match plan {
            Ok(plan) => plan,
            Err(none) => return Some(refused(format!("{none}: fill one of them in HR"))),
        };
        let mut drift = differences(&plan, account.as_ref(), &truth, &self.catalogue);
        if drift.is_empty() && !is_linked && desired.active {
            let new = account.as_ref().map(|account| account.id.to_string());
            drift.push(Drift::Field { name: LINK.to_owned(), old: None, new });
        }
        if drift.is_empty() {
            return None;
        }
        let mail = desired.fields.get(&Field::Email).cloned().flatten().unwrap_or_default();
        Some(Found {
            kind: gravest(&plan, account.as_ref(), self.now),
            account: account.map(|account| account.id),
            by,
            drift,
            resembles: resembles.then_some(mail),
            ..disputed(String::new())
        })
    }

    /// The one usable account with a mail.
    fn with_mail(&self, mail: &str) -> Option<Account> {
        let probe = Probe { email: Some(mail.to_owned()), ..Probe::default() };
        let found = self.accounts.candidates(&probe, |_| None, |_| None);
        let mut usable = found
            .into_iter()
            .map(|it| it.account)
            .filter(|account| account.status != AccountStatus::Deleted);
        let first = usable.next();
        first.filter(|_| usable.next().is_none())
    }

    fn listed(&self, account: &Account) -> Option<String> {
        let mail = account.fields.get(&Field::Email).map(String::as_str);
        let listed = mail.is_some_and(|mail| self.target.is_listed(mail))
            || self.target.is_listed(account.id.as_str());
        listed.then(|| "it is listed under target.protected".to_owned())
    }

    /// Accounts that could be theirs are nobody's orphans, though nothing is decided about them.
    fn is_somebodys(&mut self, id: &EmployeeId, record: &Record) {
        let linked = self.links.get(id).and_then(|link| link.account.clone());
        self.mark(linked);
        if let Seen::Value(mail) = record.see("email")
            && let Some(mail) = mail.as_str()
        {
            self.accounts.matched_by_mail(mail);
        }
    }

    fn mark(&mut self, accounts: impl IntoIterator<Item = AccountId>) {
        for account in accounts {
            self.accounts.matched(&account);
        }
    }
}

impl Compare {
    fn of(reads: &[String]) -> Self {
        Self {
            fields: reads.iter().map(|field| (field.clone(), 0)).collect(),
            everybody: reads.iter().map(|field| (field.clone(), Tally::default())).collect(),
            ..Self::default()
        }
    }
}

impl Found {
    /// Whether the account was found by what people share and change.
    pub fn is_takeover(&self) -> bool {
        self.by.is_some_and(is_takeover)
    }
}

/// Nothing can be applied until HR or the rules are mended.
fn refused(reason: String) -> Found {
    Found { drift: vec![Drift::Refused { reason }], ..disputed(String::new()) }
}

/// A human decides.
fn disputed(reason: String) -> Found {
    Found {
        employee: EmployeeId::new(""),
        name: String::new(),
        account: None,
        by: None,
        kind: None,
        drift: vec![Drift::Disputed { reason }],
        resembles: None,
    }
}

fn name(desired: &Desired) -> String {
    let part = |field| desired.fields.get(&field).cloned().flatten();
    let parts = [part(Field::FirstName), part(Field::LastName)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

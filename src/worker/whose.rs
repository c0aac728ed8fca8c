//! Whose account it is: looks for it, follows the matching rules or a human's choice, and plans from
//! the account as it is. The user name of a new one is made nobody else's.

use std::time::Duration;

use super::Worker;
use super::hold::tell_if_failed;
use super::process::Case;
use super::retry::Verdict;
use super::turn::lane;
use crate::model::{Account, AccountId, Candidate, Choice, Desired, Field, FoundBy, Link, Probe};
use crate::provisioning::matching::{self, Match, Search};
use crate::provisioning::planning::{self, Plan};
use crate::provisioning::resolving::Resolved;
use crate::targets::TargetError;

/// How long work rests when the source does not say who shares a mail.
const SOURCE_REST: Duration = Duration::from_secs(5);

/// How long work rests when the account that a human chose is in somebody else's hands just now.
const CHOSEN_REST: Duration = Duration::from_secs(1);

/// So many user names are asked for together when the first is taken.
const NAMES_TOGETHER: usize = 10;

/// The highest number that a user name gets.
const HIGHEST_NUMBER: u32 = 99;

/// What to do about an account.
pub(super) enum Planned {
    Steps(Plan),
    LeftAlone(String),
}

impl Worker {
    async fn find(
        &self,
        case: &Case,
        probes: &[Probe],
    ) -> Result<Vec<Vec<Candidate>>, TargetError> {
        let (platform, lease) = (self.platform(), &case.lease);
        let found = self.target.target.find(&platform, probes, lane(lease), lease.deadline).await?;
        tell_if_failed(self.target.far_end.answered(&*self.store, case.probing).await);
        Ok(found)
    }

    /// Judges the candidates, looked up now if they were not before, and plans from the account as
    /// it is.
    #[expect(clippy::too_many_arguments, reason = "a turn's whole state")]
    pub(super) async fn plan(
        &self,
        case: &Case,
        desired: &Desired,
        resolved: &Resolved,
        gone: bool,
        link: &mut Link,
        candidates: Option<Vec<Candidate>>,
        done: &mut Vec<String>,
    ) -> Result<Planned, Verdict> {
        let known = link.clone();
        let search = case.search(desired, Some(&known));
        let mut candidates = match candidates {
            Some(candidates) => candidates,
            None => self.find(case, &[search.probe()]).await?.pop().unwrap_or_default(),
        };
        let platform = self.platform();
        let ways = self.ways(case, &platform);
        ways.mark_owners(&case.lease.person, &mut candidates).await.map_err(TargetError::Store)?;
        let found = search.judge(&candidates);
        // The account of a create that was begun is our own work, and nobody else's.
        if !desired.active
            && link.creating.is_none()
            && matching::only_resembles(&found)
            && (gone || self.shares_mail(case, desired).await?)
        {
            let why = "inactive; an account has the same mail, but it may be somebody else's";
            return Ok(Planned::LeftAlone(why.to_owned()));
        }
        let plan = match found {
            Match::Protected(why) => return Ok(Planned::LeftAlone(why)),
            Match::Disputed(advice) => {
                return Err(Verdict::Dead { code: "disputed".to_owned(), advice });
            }
            Match::InTheWay { code, reason } => {
                return Err(Verdict::Dead { code: code.to_owned(), advice: reason });
            }
            Match::Account(account, by) => {
                if link.account.as_ref() != Some(&account.id) {
                    self.take(case, link, &account.id, by, done).await?;
                }
                self.correct(case, desired, &account, by, link).await?;
                let found = Some((&account, by));
                let plan = planning::from_account(
                    desired,
                    resolved,
                    Some(link),
                    found,
                    &self.target.policy,
                );
                see(link, desired, &account, by);
                plan
            }
            Match::Unmatched => {
                let is_free = search.username_is_free(&candidates);
                start_anew(link);
                if desired.active && desired.number_username && !is_free {
                    link.username_number = self.free_number(case, desired).await?;
                }
                let policy = &self.target.policy;
                planning::from_account(desired, resolved, Some(link), None, policy)
            }
        };
        plan.map(Planned::Steps).map_err(|none| Verdict::Dead {
            code: "noIdentity".to_owned(),
            advice: format!("{none}: fill one of them in HR or change rules.fields, then replay"),
        })
    }

    /// Makes an account this person's, before anything is written to it: another person may have
    /// linked it meanwhile.
    async fn take(
        &self,
        case: &Case,
        link: &mut Link,
        account: &AccountId,
        by: FoundBy,
        done: &mut Vec<String>,
    ) -> Result<(), Verdict> {
        let ours = link.creating.is_some();
        let mut before = None;
        if let Some(Choice::Account(_)) = case.choice(link) {
            before = self.free_for_choice(case, account, done).await?;
            done.push(format!("took over account {account}, chosen by a human"));
        } else if let Some(told) = matching::take_over(account, by).filter(|_| !ours) {
            done.push(told);
        }
        start_anew(link);
        link.account = Some(account.clone());
        if let Some(Link { kept, restoring, groups, custom, manager, .. }) = before {
            // What rules gave to the account goes with it: else nothing of it could be taken away.
            *link = Link { kept, restoring, groups, custom, manager, ..std::mem::take(link) };
        }
        self.save(case, link).await
    }

    /// Takes the account that a human chose away from whom it was linked to, who is left alone from
    /// then on: it would only be fought over. Gives their link.
    async fn free_for_choice(
        &self,
        case: &Case,
        account: &AccountId,
        done: &mut Vec<String>,
    ) -> Result<Option<Link>, Verdict> {
        let store = |error| Verdict::from(TargetError::Store(error));
        let other = self.store.owner(account).await.map_err(store)?;
        let Some(other) = other.filter(|other| *other != case.lease.person) else {
            return Ok(None);
        };
        let link = self.store.link(&other).await.map_err(store)?;
        if self.store.choice(&other).await.map_err(store)?.is_none() {
            self.store.choose(&other, Some(&Choice::Ignore)).await.map_err(store)?;
        }
        if !self.store.unlink(&other).await.map_err(store)? {
            return Err(Verdict::GiveBack(CHOSEN_REST));
        }
        done.push(format!(
            "account {account} was employee {}'s, who is left alone from now on (instep match says \
             otherwise)",
            other.employee
        ));
        Ok(link)
    }

    /// The lowest number that makes the user name one that no account has, deactivated ones
    /// included: making an account under such a name would bring that one back.
    async fn free_number(&self, case: &Case, desired: &Desired) -> Result<Option<u32>, Verdict> {
        let Some(username) = desired.fields.get(&Field::Username).cloned().flatten() else {
            return Ok(None);
        };
        let named = |number: Option<u32>| planning::numbered(&username, number);
        let numbers: Vec<Option<u32>> =
            std::iter::once(None).chain((2..=HIGHEST_NUMBER).map(Some)).collect();
        for some in numbers.chunks(NAMES_TOGETHER) {
            let probe =
                |number: &Option<u32>| Probe { username: Some(named(*number)), ..Probe::default() };
            let probes: Vec<Probe> = some.iter().map(probe).collect();
            let found = self.find(case, &probes).await?;
            if let Some((number, _)) = some.iter().zip(found).find(|(_, found)| found.is_empty()) {
                return Ok(*number);
            }
        }
        Err(Verdict::Dead {
            code: "usernameAlreadyUsed".to_owned(),
            advice: format!(
                "the user name is taken up to number {HIGHEST_NUMBER}: let rules.fields.username \
                 make longer names, then replay"
            ),
        })
    }

    /// Whether another employee has the mail by which an account was found.
    async fn shares_mail(&self, case: &Case, desired: &Desired) -> Result<bool, Verdict> {
        let Some(Some(email)) = desired.fields.get(&Field::Email) else { return Ok(true) };
        let lease = &case.lease;
        let holders = case.live.source.with_email(email, lane(lease), lease.deadline).await;
        // The source's failure must not be taken for the target's; the next read meets it.
        let holders = holders.map_err(|_| Verdict::GiveBack(SOURCE_REST))?;
        Ok(holders.iter().any(|id| *id != lease.person.employee))
    }
}

impl Case {
    /// The search for the person's account.
    pub(super) fn search<'a>(&'a self, desired: &'a Desired, link: Option<&'a Link>) -> Search<'a> {
        let none = Link::default();
        let choice = self.choice(link.unwrap_or(&none));
        Search { desired, link, rules: &self.live.matching, choice }
    }

    /// What a human decided, as far as it is not done: an account that was made is made.
    fn choice(&self, link: &Link) -> Option<&Choice> {
        let done = |choice: &&Choice| **choice == Choice::Create && link.account.is_some();
        self.lease.choice.as_ref().filter(|choice| !done(choice))
    }
}

/// Whether a human chose another account than the one that we know.
pub(super) fn is_chosen_anew(case: &Case, link: &Link) -> bool {
    matches!(&case.lease.choice, Some(Choice::Account(id)) if link.account.as_ref() != Some(id))
}

/// Forgets the account, and nothing that is known of the person without one.
fn start_anew(link: &mut Link) {
    *link = Link {
        awaits: link.awaits.take(),
        appointment: link.appointment.take(),
        misses: std::mem::take(&mut link.misses),
        ..Link::default()
    };
}

/// Writes into the link what the target shows of the account.
fn see(link: &mut Link, desired: &Desired, account: &Account, by: FoundBy) {
    link.creating = None;
    link.status = Some(account.status);
    if by == FoundBy::ExternalId {
        link.external_id = Some(desired.external_id.clone());
    }
    for (field, value) in &desired.fields {
        if account.fields.get(field) == value.as_ref() {
            link.applied.insert(*field, value.clone());
        } else {
            link.applied.remove(field);
        }
    }
}

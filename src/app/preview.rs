//! What would be done for somebody, without doing it: read, decide, find and plan as the worker
//! does, and stop there.

mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::verdict::Verdict;
use super::connect::{compile, hibob, learning360};
use super::reading::Shown;
use super::{BuildError, policy};
use crate::clock::{Clock, Deadline};
use crate::config::{HiBobSettings, RuleSettings, Settings};
use crate::model::explanation::Explanation;
use crate::model::{
    Account, AccountId, Appointment, Candidate, Catalogue, Choice, Desired, EmployeeId, Kept, Lane,
    Link, Miss, Person, Probe, Record, SourceName,
};
use crate::provisioning::matching::{self, Match, Search};
use crate::provisioning::planning::{self, Policy};
use crate::provisioning::resolving::{ManagerFound, Refusal, Resolved, resolve};
use crate::sources::SourceError;
use crate::sources::hibob::client::HiBob;
use crate::store::{Store, StoreError};
use crate::targets::TargetError;
use crate::targets::learning360::Learning360;
use crate::worker::surroundings::Ways;
use crate::worker::{Live, Worker};

/// How long one preview may take: reading everyone takes a while.
const TIME: Duration = Duration::from_secs(1800);

/// So many accounts are looked up together.
const TOGETHER: usize = 50;

/// Why a preview could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// A part could not be put together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The source did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target did not answer.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads, decides, finds and plans for one source; changes nothing.
pub struct Previewer {
    pub(super) name: SourceName,
    /// The rules, and the source that shows the fields that they read.
    pub(super) live: Arc<Live>,
    /// Reads nothing but names, to find somebody by theirs.
    pub(super) names: Arc<HiBob>,
    pub(super) target: Arc<Learning360>,
    pub(super) store: Arc<dyn Store>,
    pub(super) deadline: Deadline,
    pub(super) now: Timestamp,
    policy: Policy,
}

/// How closely somebody is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As the worker does: an account is looked up where the link does not say enough.
    Usual,
    /// As the worker does, and the accounts that would change are shown as they are.
    Changing,
    /// Accounts are looked up and shown as they are, with managers by their names.
    Close,
    /// Also what an account has besides its fields: groups, custom fields, managers.
    Closest,
}

/// Everything that led to one person's plan.
#[derive(Debug)]
pub struct Preview {
    /// Whose.
    pub person: Person,
    /// The record; `None` when the source does not show the person.
    pub record: Option<Record>,
    /// What the rules say.
    pub verdict: Verdict,
    /// When that will change, though nobody changes anything.
    pub appointment: Option<Appointment>,
    /// Values that were not in a lookup table.
    pub misses: Vec<Miss>,
    /// What we knew of the account before.
    pub link: Option<Link>,
    /// What a human decided about the account.
    pub choice: Option<Choice>,
    /// The accounts that could be the person's, when they were looked up.
    pub candidates: Vec<Candidate>,
    /// The account, when it was looked up and found.
    pub account: Option<Account>,
    /// What it has besides its fields, when that was asked for and it is in use.
    pub belongings: Option<Kept>,
    /// Groups and custom fields by their names.
    pub catalogue: Arc<Catalogue>,
    /// What the rules want, in the target's own ids.
    resolved: Resolved,
    /// What was found of the manager whom the rules name.
    pub manager: ManagerFound,
    /// Managers who are named by an account, for people: `bob/17, Ann Lee`.
    pub managers: BTreeMap<AccountId, String>,
}

impl Previewer {
    /// A previewer for each source.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub fn all(settings: &Settings, store: &Arc<dyn Store>) -> Result<Vec<Self>, BuildError> {
        Self::with_rules(settings, &|source| source.rules.clone(), store)
    }

    /// A previewer for each source, by other rules than the configuration's.
    pub(super) fn with_rules(
        settings: &Settings,
        rules: &dyn Fn(&HiBobSettings) -> RuleSettings,
        store: &Arc<dyn Store>,
    ) -> Result<Vec<Self>, BuildError> {
        let given = |source: &HiBobSettings| (rules(source), Vec::new());
        Self::reading(settings, &given, store)
    }

    /// A previewer for each source, by these rules, which also reads these fields.
    pub(super) fn reading(
        settings: &Settings,
        rules: &dyn Fn(&HiBobSettings) -> (RuleSettings, Vec<String>),
        store: &Arc<dyn Store>,
    ) -> Result<Vec<Self>, BuildError> {
        let target = Arc::new(learning360(&settings.target, store)?);
        let previewer = |(name, source): (&String, &HiBobSettings)| {
            let (given, reads) = rules(source);
            let name = SourceName::new(name.clone());
            Self::with_target(name, (source, &given, reads), target.clone(), settings, store)
        };
        settings.sources.iter().map(previewer).collect()
    }

    /// One beside a worker, by the rules that are in place now.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub(super) fn beside(worker: &Worker, settings: &Settings) -> Result<Self, BuildError> {
        let live = worker.live();
        let display = vec!["root.displayName".to_owned()];
        let Some(source) = settings.sources.get(worker.name.as_str()) else {
            let error = SourceError::Hold(format!("there is no source {}", worker.name));
            return Err(error.into());
        };
        Ok(Self {
            name: worker.name.clone(),
            live,
            names: Arc::new(hibob(&worker.name, source, display, &worker.store)?),
            target: Arc::new(learning360(&settings.target, &worker.store)?),
            policy: policy(&settings.target),
            store: Arc::clone(&worker.store),
            deadline: Deadline::after(TIME),
            now: worker.clock.now(),
        })
    }

    /// The same as of now, with its whole time before it.
    pub(super) fn afresh(&self, now: Timestamp) -> Self {
        Self {
            name: self.name.clone(),
            live: Arc::clone(&self.live),
            names: Arc::clone(&self.names),
            target: Arc::clone(&self.target),
            policy: self.policy.clone(),
            store: Arc::clone(&self.store),
            deadline: Deadline::after(TIME),
            now,
        }
    }

    /// A previewer for one source, by these rules, with so much time.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub(super) fn of(
        name: &SourceName,
        source: &HiBobSettings,
        rules: &RuleSettings,
        time: Duration,
        settings: &Settings,
        store: &Arc<dyn Store>,
    ) -> Result<Self, BuildError> {
        let target = Arc::new(learning360(&settings.target, store)?);
        let with = (source, rules, Vec::new());
        let previewer = Self::with_target(name.clone(), with, target, settings, store)?;
        Ok(Self { deadline: Deadline::after(time), ..previewer })
    }

    fn with_target(
        name: SourceName,
        (source, given, mut reads): (&HiBobSettings, &RuleSettings, Vec<String>),
        target: Arc<Learning360>,
        settings: &Settings,
        store: &Arc<dyn Store>,
    ) -> Result<Self, BuildError> {
        let rules = compile(given).map_err(BuildError::Rules)?;
        reads.extend(rules.reads());
        let reader = hibob(&name, source, reads, store)?;
        let display = vec!["root.displayName".to_owned()];
        Ok(Self {
            live: Arc::new(Live::new(rules, given, reader)),
            names: Arc::new(hibob(&name, source, display, store)?),
            target,
            policy: policy(&settings.target),
            store: store.clone(),
            deadline: Deadline::after(TIME),
            now: Clock::system().now(),
            name,
        })
    }

    /// Whose previews these are.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// One of this source's people.
    pub fn person(&self, employee: &EmployeeId) -> Person {
        Person { source: self.name.clone(), employee: employee.clone() }
    }

    /// What the rules say of a record, and why.
    pub fn explain(&self, record: &Record) -> Explanation {
        self.live.rules.explain(record, self.now)
    }

    /// The version of the rules that decide.
    pub fn version(&self) -> &str {
        self.live.rules.version()
    }

    /// Previews these people, who were read.
    ///
    /// # Errors
    /// When the target or the store does not answer.
    pub async fn preview(
        &self,
        people: Vec<Shown>,
        look: Look,
    ) -> Result<Vec<Preview>, PreviewError> {
        let mut previews = Vec::with_capacity(people.len());
        let mut probes = Vec::new();
        for (id, record) in people {
            let mut preview = self.decide(&id, record).await?;
            self.look_around(&mut preview).await?;
            let (link, choice) = (preview.link.as_ref(), preview.choice.as_ref());
            if let Verdict::Planned { desired, plan, .. } = &mut preview.verdict {
                let known = link.filter(|link| !is_chosen_anew(choice, link));
                let known = known.and_then(|link| {
                    planning::from_link(desired, &preview.resolved, link, &self.policy)
                });
                let is_enough = match look {
                    Look::Usual => known.is_some(),
                    Look::Changing => known.as_ref().is_some_and(|plan| plan.steps.is_empty()),
                    Look::Close | Look::Closest => false,
                };
                if !is_enough {
                    probes.push((previews.len(), self.search(desired, link, choice).probe()));
                }
                *plan = known.unwrap_or_default();
            }
            previews.push(preview);
        }
        for some in probes.chunks(TOGETHER) {
            let asked: Vec<Probe> = some.iter().map(|(_, probe)| probe.clone()).collect();
            let platform = self.platform();
            let found = self.target.find(&platform, &asked, Lane::Bulk, self.deadline).await?;
            for ((index, _), candidates) in some.iter().zip(found) {
                self.complete(&mut previews[*index], candidates).await?;
            }
        }
        for preview in &mut previews {
            self.look_closely(preview, look).await?;
        }
        Ok(previews)
    }

    /// The platform name under which the target holds this source's employee ids.
    pub(super) fn platform(&self) -> String {
        format!("instep-{}", self.name)
    }

    /// What the rules say of somebody.
    async fn decide(
        &self,
        id: &EmployeeId,
        record: Option<Record>,
    ) -> Result<Preview, PreviewError> {
        let person = self.person(id);
        let link = self.store.link(&person).await?;
        let choice = self.store.choice(&person).await?;
        let ruling = record.as_ref().map(|record| self.live.rules.decide(record, self.now));
        let (decision, appointment, misses) = match ruling {
            Some(ruling) => (Some(ruling.decision), ruling.appointment, ruling.misses),
            None => (None, None, Vec::new()),
        };
        let verdict = match decision.map(Verdict::from) {
            None => Verdict::NotShown,
            Some(_) if choice == Some(Choice::Ignore) => {
                Verdict::LeftAlone("somebody chose to leave this person alone".to_owned())
            }
            Some(Verdict::OutOfScope { deactivate: true, .. }) if is_known(link.as_ref()) => {
                Verdict::planned(planning::departed(link.as_ref(), id), Vec::new())
            }
            Some(verdict) => verdict,
        };
        Ok(Preview {
            person,
            record,
            verdict,
            appointment,
            misses,
            link,
            choice,
            candidates: Vec::new(),
            account: None,
            belongings: None,
            catalogue: Arc::default(),
            resolved: Resolved::default(),
            manager: ManagerFound::NotAsked,
            managers: BTreeMap::new(),
        })
    }

    /// What the plan needs to know beside the account: groups, custom fields, the manager.
    async fn look_around(&self, preview: &mut Preview) -> Result<(), PreviewError> {
        let Verdict::Planned { desired, remarks, .. } = &mut preview.verdict else {
            return Ok(());
        };
        let platform = self.platform();
        let (ways, needs) = (self.ways(&platform), self.live.rules.needs());
        let link = preview.link.as_ref();
        let around = ways.surroundings(&preview.person, desired, link, &needs, false).await?;
        preview.catalogue = around.catalogue.clone();
        preview.manager = around.manager.clone();
        match resolve(desired, &around) {
            Ok(known) => {
                remarks.extend(known.remarks.iter().cloned());
                preview.resolved = known;
            }
            Err(Refusal { code, reason }) => {
                preview.verdict = Verdict::Refused { code: code.to_owned(), reason };
            }
        }
        Ok(())
    }

    fn ways<'a>(&'a self, platform: &'a str) -> Ways<'a> {
        let (store, target) = (&*self.store, &*self.target);
        Ways { store, target, platform, lane: Lane::Bulk, deadline: self.deadline }
    }

    /// The plan from the account as it is.
    async fn complete(
        &self,
        preview: &mut Preview,
        mut candidates: Vec<Candidate>,
    ) -> Result<(), PreviewError> {
        let Verdict::Planned { desired, remarks, plan } = &mut preview.verdict else {
            return Ok(());
        };
        let platform = self.platform();
        self.ways(&platform).mark_owners(&preview.person, &mut candidates).await?;
        let link = preview.link.as_ref();
        let search = self.search(desired, link, preview.choice.as_ref());
        let found = search.judge(&candidates);
        if found == Match::Unmatched
            && desired.number_username
            && !search.username_is_free(&candidates)
        {
            remarks.push("the user name is taken, so it gets a number".to_owned());
        }
        preview.candidates = candidates;
        let resembles = !desired.active && matching::only_resembles(&found);
        let found = match found {
            Match::Account(account, by) => Some((account, by)),
            Match::Unmatched => None,
            Match::Protected(why) => {
                preview.verdict = Verdict::LeftAlone(why);
                return Ok(());
            }
            Match::Disputed(why) => {
                preview.verdict = Verdict::Disputed(why);
                return Ok(());
            }
            Match::InTheWay { code, reason } => {
                preview.verdict = Verdict::Refused { code: code.to_owned(), reason };
                return Ok(());
            }
        };
        let theirs = found.as_ref().map(|(account, by)| (account, *by));
        // What we knew of another account says nothing of this one.
        let same = |link: &&Link| link.account.as_ref() == theirs.map(|(account, _)| &account.id);
        let link = link.filter(same);
        match planning::from_account(desired, &preview.resolved, link, theirs, &self.policy) {
            Ok(from_account) => *plan = from_account,
            Err(none) => {
                let (code, reason) = ("noIdentity".to_owned(), none.to_string());
                preview.verdict = Verdict::Refused { code, reason };
            }
        }
        if resembles {
            preview.verdict = Verdict::LeftAlone(
                "inactive; an account has the same mail and would be deactivated only if nobody \
                 else in HR has that mail"
                    .to_owned(),
            );
        }
        preview.account = found.map(|(account, _)| account);
        Ok(())
    }

    fn search<'a>(
        &'a self,
        desired: &'a Desired,
        link: Option<&'a Link>,
        choice: Option<&'a Choice>,
    ) -> Search<'a> {
        // A new account that was made is made.
        let made = link.is_some_and(|link| link.account.is_some());
        let choice = choice.filter(|choice| !(made && **choice == Choice::Create));
        Search { desired, link, rules: &self.live.matching, choice }
    }
}

/// Whether a human chose another account than the one that we know.
fn is_chosen_anew(choice: Option<&Choice>, link: &Link) -> bool {
    matches!(choice, Some(Choice::Account(id)) if link.account.as_ref() != Some(id))
}

/// Whether an account is known to be this person's.
fn is_known(link: Option<&Link>) -> bool {
    link.is_some_and(|link| link.account.is_some())
}

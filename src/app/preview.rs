//! What would be done for somebody, without doing it: read, decide, find and plan as the worker
//! does, and stop there.

use std::sync::Arc;
use std::time::Duration;

use super::connect::{compile, hibob, learning360};
use super::{BuildError, policy};
use crate::clock::{Clock, Deadline};
use crate::config::{HiBobSettings, RuleSettings, Settings};
use crate::model::{
    Account, Answer, Candidate, Desired, EmployeeId, Lane, Link, Person, Probe, Record, SourceName,
};
use crate::provisioning::matching::{self, Match, Search};
use crate::provisioning::planning::{self, Plan, Policy};
use crate::provisioning::resolving::Resolved;
use crate::provisioning::rules::{Decision, Explained, Rules};
use crate::sources::SourceError;
use crate::sources::hibob::client::HiBob;
use crate::store::{Store, StoreError};
use crate::targets::TargetError;
use crate::targets::learning360::Learning360;

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
    name: SourceName,
    source: HiBob,
    /// Reads nothing but names, to find somebody by theirs.
    names: HiBob,
    target: Arc<Learning360>,
    rules: Rules,
    policy: Policy,
    store: Arc<dyn Store>,
    deadline: Deadline,
    now: jiff::Timestamp,
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
    /// What we knew of the account before.
    pub link: Option<Link>,
    /// The accounts that could be the person's, when they were looked up.
    pub candidates: Vec<Candidate>,
    /// The account, when it was looked up and found.
    pub account: Option<Account>,
}

/// What would become of somebody.
#[derive(Debug)]
pub enum Verdict {
    /// The source does not show the person; nothing would be done.
    NotShown,
    /// Not synchronised.
    OutOfScope {
        /// Which filter said no.
        filter: String,
        /// An account that is known to be theirs would be deactivated.
        deactivate: bool,
    },
    /// A rule that decides cannot be judged.
    Unknown {
        /// Which rule.
        rule: String,
        /// Which fields it misses.
        missing: Vec<String>,
    },
    /// The account would be left alone, or a human must decide, for this reason.
    LeftAlone(String),
    /// This would be done.
    Planned {
        /// How the account should be.
        desired: Desired,
        /// Fields that would be left alone, and why.
        remarks: Vec<String>,
        /// The steps.
        plan: Plan,
    },
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::OutOfScope { filter, deactivate } => Self::OutOfScope { filter, deactivate },
            Decision::Unknown { rule, missing } => Self::Unknown { rule, missing },
            Decision::AsItIs { why } => Self::LeftAlone(why),
            Decision::Refused { reason, .. } => Self::LeftAlone(reason),
            Decision::Wanted { desired, remarks } => {
                Self::Planned { desired, remarks, plan: Plan::default() }
            }
        }
    }
}

impl Previewer {
    /// A previewer for each source.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub fn all(settings: &Settings, store: &Arc<dyn Store>) -> Result<Vec<Self>, BuildError> {
        Self::with_rules(settings, None, store)
    }

    /// A previewer for each source, by other rules than the configuration's.
    pub(super) fn with_rules(
        settings: &Settings,
        rules: Option<&RuleSettings>,
        store: &Arc<dyn Store>,
    ) -> Result<Vec<Self>, BuildError> {
        let target = Arc::new(learning360(&settings.target, store)?);
        let previewer = |(name, source): (&String, &HiBobSettings)| {
            let name = SourceName::new(name.clone());
            let rules = compile(rules.unwrap_or(&source.rules)).map_err(BuildError::Rules)?;
            let display = vec!["root.displayName".to_owned()];
            Ok(Self {
                source: hibob(&name, source, rules.reads(), store)?,
                names: hibob(&name, source, display, store)?,
                target: target.clone(),
                rules,
                policy: policy(&settings.target),
                store: store.clone(),
                deadline: Deadline::after(TIME),
                now: Clock::system().now(),
                name,
            })
        };
        settings.sources.iter().map(previewer).collect()
    }

    /// Whose previews these are.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// What each rule says of a record.
    pub fn explain(&self, record: &Record) -> Vec<Explained> {
        self.rules.explain(record, self.now).rules
    }

    /// The ids of those whom a key names: an id, a mail, or a full name.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn who(&self, key: &str) -> Result<Vec<EmployeeId>, PreviewError> {
        if key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(vec![EmployeeId::new(key)]);
        }
        if key.contains('@') {
            return Ok(self.source.with_email(key, Lane::Live, self.deadline).await?);
        }
        let everyone = self.names.everyone(self.deadline).await?;
        let has_name = |record: &Record| {
            let name = record.0.get("displayName").and_then(serde_json::Value::as_str);
            name.is_some_and(|name| name.to_lowercase() == key.to_lowercase())
        };
        Ok(everyone.into_iter().filter(|(_, record)| has_name(record)).map(|(id, _)| id).collect())
    }

    /// The records of these people; who is not shown is left out.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn records(&self, ids: &[EmployeeId]) -> Result<Vec<(Person, Record)>, PreviewError> {
        let answers = self.source.employees(ids, Lane::Bulk, self.deadline).await?;
        let record = |(employee, answer)| match answer {
            Answer::Present(record) => {
                Some((Person { source: self.name.clone(), employee }, record))
            }
            Answer::Absent => None,
        };
        Ok(answers.into_iter().filter_map(record).collect())
    }

    /// Everyone whom the source shows.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn everyone(&self) -> Result<Vec<EmployeeId>, PreviewError> {
        let everyone = self.names.everyone(self.deadline).await?;
        Ok(everyone.into_iter().map(|(id, _)| id).collect())
    }

    /// Previews these people. `afresh`: look the accounts up even where the link says enough, to
    /// show them as they are.
    ///
    /// # Errors
    /// When the source, the target or the store does not answer.
    pub async fn preview(
        &self,
        ids: &[EmployeeId],
        afresh: bool,
    ) -> Result<Vec<Preview>, PreviewError> {
        let mut answers = self.source.employees(ids, Lane::Bulk, self.deadline).await?;
        let mut previews = Vec::with_capacity(ids.len());
        let mut probes = Vec::new();
        for id in ids {
            let person = Person { source: self.name.clone(), employee: id.clone() };
            let link = self.store.link(&person).await?;
            let (record, mut verdict) = match answers.remove(id) {
                Some(Answer::Present(record)) => {
                    let verdict = match self.rules.decide(&record, self.now).decision.into() {
                        Verdict::OutOfScope { deactivate: true, .. } if is_known(link.as_ref()) => {
                            let desired = planning::departed(link.as_ref(), id);
                            Verdict::Planned { desired, remarks: Vec::new(), plan: Plan::default() }
                        }
                        verdict => verdict,
                    };
                    (Some(record), verdict)
                }
                _ => (None, Verdict::NotShown),
            };
            if let Verdict::Planned { desired, plan, .. } = &mut verdict {
                let known = link.as_ref().and_then(|link| {
                    planning::from_link(desired, &Resolved::default(), link, &self.policy)
                });
                if afresh || known.is_none() {
                    probes.push((previews.len(), search(desired, link.as_ref()).probe()));
                }
                *plan = known.unwrap_or_default();
            }
            let (candidates, account) = (Vec::new(), None);
            previews.push(Preview { person, record, verdict, link, candidates, account });
        }
        let platform = format!("instep-{}", self.name);
        for some in probes.chunks(TOGETHER) {
            let asked: Vec<Probe> = some.iter().map(|(_, probe)| probe.clone()).collect();
            let found = self.target.find(&platform, &asked, Lane::Bulk, self.deadline).await?;
            for ((index, _), candidates) in some.iter().zip(found) {
                self.complete(&mut previews[*index], candidates);
            }
        }
        Ok(previews)
    }

    /// The plan from the account as it is.
    fn complete(&self, preview: &mut Preview, candidates: Vec<Candidate>) {
        let Verdict::Planned { desired, plan, .. } = &mut preview.verdict else { return };
        let found = search(desired, preview.link.as_ref()).judge(&candidates);
        preview.candidates = candidates;
        let resembles = !desired.active && matching::only_resembles(&found);
        let found = match found {
            Match::Protected(why) | Match::Disputed(why) | Match::InTheWay { reason: why, .. } => {
                preview.verdict = Verdict::LeftAlone(why);
                return;
            }
            Match::Unmatched => None,
            Match::Account(account, by) => Some((account, by)),
        };
        let link = preview.link.as_ref();
        let with = found.as_ref().map(|(account, by)| (account, *by));
        match planning::from_account(desired, &Resolved::default(), link, with, &self.policy) {
            Ok(from_account) => *plan = from_account,
            Err(none) => preview.verdict = Verdict::LeftAlone(none.to_string()),
        }
        if resembles {
            preview.verdict = Verdict::LeftAlone(
                "inactive; an account has the same mail and would be deactivated only if nobody \
                 else in HR has that mail"
                    .to_owned(),
            );
        }
        preview.account = found.map(|(account, _)| account);
    }
}

fn search<'a>(desired: &'a Desired, link: Option<&'a Link>) -> Search<'a> {
    Search { desired, link, rules: &matching::USUAL, choice: None }
}

/// Whether an account is known to be this person's.
fn is_known(link: Option<&Link>) -> bool {
    link.is_some_and(|link| link.account.is_some())
}

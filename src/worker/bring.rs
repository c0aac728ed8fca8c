//! Brings one person's account to what is desired: looks around, finds the account, plans, and
//! carries the plan out; again from what the target shows when it is not as thought.

use std::time::Duration;

use super::Worker;
use super::process::Case;
use super::retry::Verdict;
use super::surroundings::{Ways, names_self};
use super::swap::{self, MAIL_TAKEN};
use super::turn::lane;
use super::whose::{Planned, is_chosen_anew};
use crate::model::{AccountId, Appointment, Candidate, Desired, Field, Link};
use crate::provisioning::planning::{self, Plan};
use crate::provisioning::resolving::{ManagerFound, Resolved, resolve};

/// What is decided about an account that is never changed.
pub(super) const LEFT_ALONE: &str = "leave alone";

/// How often one attempt looks for the account again when it is not as thought.
const MOST_FINDS: usize = 3;

/// When a manager is refused because of a circle, the circle may be gone after this though nobody
/// tells: somebody further up has another manager.
const CIRCLE_LOOK: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// What was decided, and the end: `Ok(None)` when nothing was to be done.
pub(super) type Brought = (String, Result<Option<String>, Verdict>);

impl Worker {
    /// Brings the account to what is desired. `gone`: the source has no mail of this person any more
    /// that would prove anything.
    pub(super) async fn bring_about(
        &self,
        case: &Case,
        desired: &Desired,
        gone: bool,
        mut candidates: Option<Vec<Candidate>>,
        link: &mut Link,
        done: &mut Vec<String>,
    ) -> Brought {
        let mut decided = "nothing yet".to_owned();
        if self.target.far_end.is_down() && !case.probing {
            return (decided, Err(Verdict::GiveBack(Duration::from_secs(1))));
        }
        let mut last = None;
        for _ in 0..=MOST_FINDS {
            let resolved = match self.look_around(case, desired, link).await {
                Ok(resolved) => resolved,
                Err(verdict) => return (decided, Err(verdict)),
            };
            for remark in &resolved.remarks {
                if !done.contains(remark) {
                    done.push(remark.clone());
                }
            }
            let found = candidates.take();
            let known = found.is_none()
                && last.is_none()
                && !is_chosen_anew(case, link)
                && !case.sees_account()
                && !self.may_be_protected(link);
            let planned = if known {
                let policy = &self.target.policy;
                planning::from_link(desired, &resolved, link, policy).map(Planned::Steps)
            } else {
                None
            };
            let planned = match planned {
                Some(planned) => Ok(planned),
                None => self.plan(case, desired, &resolved, gone, link, found, done).await,
            };
            let planned = match planned {
                Ok(Planned::Steps(plan)) => self.unless_protected(case, plan).await,
                other => other,
            };
            let plan = match planned {
                Ok(Planned::Steps(plan)) => plan,
                Ok(Planned::LeftAlone(why)) => return (LEFT_ALONE.into(), Ok(Some(why))),
                Err(verdict) => return (decided, Err(verdict)),
            };
            decided = plan.words();
            match self.carry_out(case, &plan, &resolved, link, done).await {
                Ok(()) if plan.steps.is_empty() => return (decided, Ok(None)),
                Ok(()) => {
                    let outcome = done.join("; ");
                    return (decided, Ok(Some(outcome)));
                }
                Err(Verdict::LookAgain { code, advice }) => {
                    done.push(format!("looked again: {code}"));
                    let swapping = last.is_none()
                        && code == MAIL_TAKEN
                        && self.step_aside(case, desired, link, done).await;
                    last = Some(if swapping {
                        swap::verdict()
                    } else {
                        last.filter(swap::is_swap).unwrap_or(Verdict::LookAgain { code, advice })
                    });
                }
                Err(verdict) => return (decided, Err(verdict)),
            }
        }
        (decided, Err(last.unwrap_or(Verdict::GiveBack(Duration::ZERO))))
    }

    /// What the rules want, in the target's ids. Whom they name as the manager is written down before
    /// anybody looks: whoever arrives after the look finds this person waiting.
    async fn look_around(
        &self,
        case: &Case,
        desired: &Desired,
        link: &mut Link,
    ) -> Result<Resolved, Verdict> {
        let person = &case.lease.person;
        let key = match &desired.manager {
            Some(Some(key)) if desired.active && !names_self(key, person) => Some(key.to_string()),
            _ => None,
        };
        let given = link.manager.as_ref().map(|given| given.key.as_str());
        if key.is_none() && desired.manager.is_some() {
            link.awaits = None;
        } else if key.is_some()
            && link.awaits != key
            && (given != key.as_deref() || link.awaits.is_some())
        {
            link.awaits.clone_from(&key);
            self.save(case, link).await?;
        }
        let platform = self.platform();
        let ways = self.ways(case, &platform);
        let needs = case.live.rules.needs();
        let mut around = ways.surroundings(person, desired, Some(&*link), &needs, false).await?;
        let mut resolved = resolve(desired, &around);
        if around.manager == ManagerFound::Awaited && link.awaits != key {
            // They had an account and have none now. They may be back before this is written down.
            link.awaits.clone_from(&key);
            self.save(case, link).await?;
            around = ways.surroundings(person, desired, Some(&*link), &needs, false).await?;
            resolved = resolve(desired, &around);
        }
        // What is missing, or a value that is not allowed, may have been added since it was read.
        let lacks = resolved.as_ref().map_or(true, |resolved| resolved.lacks);
        if lacks && self.target.may_look_afresh() {
            let (lane, deadline) = (ways.lane, ways.deadline);
            around.catalogue = ways.target.catalogue(&needs, true, lane, deadline).await?;
            resolved = resolve(desired, &around);
        }
        match &around.manager {
            ManagerFound::Refused(_) if link.awaits.is_some() => {
                let at = case.started + CIRCLE_LOOK;
                if link.appointment.as_ref().is_none_or(|appointment| appointment.at > at) {
                    let why = "the managers form a circle, which somebody may have opened".into();
                    link.appointment = Some(Appointment { at, why });
                }
            }
            _ => {}
        }
        resolved.map_err(|refusal| Verdict::Dead {
            code: refusal.code.to_owned(),
            advice: refusal.reason,
        })
    }

    pub(super) fn ways<'a>(&'a self, case: &Case, platform: &'a str) -> Ways<'a> {
        Ways {
            store: &*self.store,
            target: &self.target.target,
            platform,
            lane: lane(&case.lease),
            deadline: case.lease.deadline,
        }
    }

    /// Whether the account that we know is listed as protected now: then it is looked at first.
    fn may_be_protected(&self, link: &Link) -> bool {
        let mail = link.applied.get(&Field::Email).and_then(Option::as_deref);
        let id = link.account.as_ref().map(AccountId::as_str);
        mail.into_iter().chain(id).any(|id_or_mail| self.target.target.is_listed(id_or_mail))
    }

    /// The plan, unless it would change an account that must never be changed.
    async fn unless_protected(&self, case: &Case, plan: Plan) -> Result<Planned, Verdict> {
        let Some(account) = plan.account.as_ref().filter(|_| !plan.steps.is_empty()) else {
            return Ok(Planned::Steps(plan));
        };
        let lease = &case.lease;
        let protection =
            self.target.target.protection(account, lane(lease), lease.deadline).await?;
        Ok(match protection {
            Some(why) => Planned::LeftAlone(format!("account {account} is never changed: {why}")),
            None => Planned::Steps(plan),
        })
    }
}

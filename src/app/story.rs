//! Somebody's [`Story`], told from a preview: what the rules saw, what was found, what would be done,
//! and what was done before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::items::{group_name, items, kind, manager_name};
use super::preview::{Preview, PreviewError, Previewer, Verdict};
use crate::model::explanation::{Explained, Input, Part};
use crate::model::story::{
    InGroup, Kind, Manager, ManagerTold, Planned, Sight, Steps, Story, Suspect, Verdict as Said,
};
use crate::model::{Account, Candidate, Field, FoundBy, Person};
use crate::provisioning::resolving::ManagerFound;
use crate::store::Filter;

/// So much of a person's history is told.
const HISTORY: usize = 10;

impl Previewer {
    /// Tells somebody's story from their preview.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn tell(&self, preview: Preview) -> Result<Story, PreviewError> {
        let filter = Filter {
            source: Some(self.name().clone()),
            employee: Some(preview.person.employee.to_string()),
            ..Filter::default()
        };
        let mut candidates = Vec::with_capacity(preview.candidates.len());
        for candidate in &preview.candidates {
            let owner = self.store.owner(&candidate.account.id).await?;
            candidates.push(suspect(candidate, owner));
        }
        let mut story = Story {
            person: preview.person.clone(),
            forgotten: self.store.forgotten(&preview.person).await?,
            shown: preview.record.is_some(),
            record: preview.record.as_ref().map(|record| record.0.clone()),
            missing: BTreeMap::new(),
            version: self.version().to_owned(),
            conclusion: None,
            appointment: None,
            misses: None,
            rules: Vec::new(),
            link: preview.link.clone(),
            choice: preview.choice.clone(),
            candidates,
            account: preview.account.as_ref().map(sight),
            belongings: preview.belongings.clone(),
            groups: groups(&preview),
            managers: managers(&preview),
            manager: match &preview.manager {
                ManagerFound::NotAsked => None,
                ManagerFound::Account(id) => Some(ManagerTold::Found(manager_name(&preview, id))),
                ManagerFound::Awaited => Some(ManagerTold::Awaited),
                ManagerFound::Refused(why) => Some(ManagerTold::Refused(why.clone())),
            },
            plan: planned(&preview),
            history: self.store.deliveries(&filter, HISTORY).await?,
        };
        if let Some(record) = &preview.record {
            story.explained(self.explain(record));
        }
        for told in &mut story.rules {
            told.current = current(&preview, &told.rule);
        }
        let inputs = story.inputs();
        let missing: Vec<&str> = inputs
            .into_iter()
            .filter(|(_, input)| **input == Input::Missing)
            .map(|(field, _)| field)
            .collect();
        story.missing = self.lacks(&missing).await;
        Ok(story)
    }
}

/// An account that could be somebody's, and whose it is.
pub fn suspect(candidate: &Candidate, owner: Option<Person>) -> Suspect {
    Suspect {
        sight: sight(&candidate.account),
        found_by: found_by(candidate.by),
        claimed_by: candidate.claimed_by.clone(),
        owner,
        protected: candidate.protected.clone(),
    }
}

fn sight(account: &Account) -> Sight {
    Sight { account: account.id.clone(), status: account.status, fields: account.fields.clone() }
}

/// By what an account was found, in words.
fn found_by(by: FoundBy) -> &'static str {
    match by {
        FoundBy::Link => "the link",
        FoundBy::ExternalId => "the employee id in the LMS",
        FoundBy::Email => "the mail",
        FoundBy::Username => "the user name",
        FoundBy::Name => "the name",
    }
}

/// What the account has where a rule writes; nothing when that was not looked up.
fn current(preview: &Preview, rule: &Explained) -> Option<Value> {
    let account = preview.account.as_ref()?;
    match &rule.part {
        Part::ExternalId => preview.link.as_ref()?.external_id.clone().map(Value::from),
        Part::Field { .. } => {
            let is_it = |field: &Field| rule.rule.ends_with(&format!("fields.{}", field.word()));
            let field = Field::ALL.into_iter().find(is_it)?;
            Some(account.fields.get(&field).cloned().into())
        }
        Part::CustomField { name, .. } => {
            let had = preview.belongings.as_ref()?;
            let field = preview.catalogue.custom_field(name)?;
            let is_it = |value: &&Value| value["customFieldId"] == field.id.as_str();
            let held = had.custom_values.iter().find(is_it);
            Some(held.map_or(Value::Null, |held| held["value"].clone()))
        }
        _ => None,
    }
}

/// The groups that rules gave, then the others that the account is in.
fn groups(preview: &Preview) -> Vec<InGroup> {
    let given = preview.link.iter().flat_map(|link| &link.groups);
    let had = preview.belongings.iter().flat_map(|had| &had.roles);
    let is_ours = |it: &(_, _)| preview.link.as_ref().is_some_and(|link| link.groups.contains(it));
    let others = had.filter(|it| !is_ours(it)).map(|it| (it, false));
    let all = given.map(|it| (it, true)).chain(others);
    let told = all.map(|((group, role), ours)| InGroup {
        group: group.clone(),
        name: group_name(preview, group, &[]),
        role: role.clone(),
        ours,
    });
    told.collect()
}

/// The manager whom a rule gave, then the others that the account has.
fn managers(preview: &Preview) -> Vec<Manager> {
    let given = preview.link.as_ref().and_then(|link| link.manager.as_ref());
    let given = given.map(|given| &given.account);
    let had = preview.belongings.iter().flat_map(|had| &had.managers);
    let others = had.filter(|id| given != Some(id)).map(|id| (id, false));
    let all = given.into_iter().map(|id| (id, true)).chain(others);
    let name = |id| manager_name(preview, id);
    all.map(|(id, ours)| Manager { account: id.clone(), name: name(id), ours }).collect()
}

/// What would become of somebody's account.
pub fn planned(preview: &Preview) -> Planned {
    let verdict = match preview.verdict.clone() {
        Verdict::NotShown => Said::NotShown,
        Verdict::OutOfScope { filter, .. } => Said::OutOfScope { filter },
        Verdict::Unknown { rule, missing } => Said::Unknown { rule, missing },
        Verdict::AsItIs(reason) => Said::AsItIs { reason },
        Verdict::Refused { code, reason } => Said::Refused { code, reason },
        Verdict::Disputed(reason) => Said::Disputed { reason },
        Verdict::LeftAlone(reason) => Said::LeftAlone { reason },
        Verdict::Planned { plan, remarks, .. } => {
            let kind = kind(&plan);
            let steps = Steps { account: plan.account, items: items(preview), remarks };
            match kind {
                Kind::Create => Said::Create(steps),
                Kind::Restore => Said::Restore(steps),
                Kind::Update => Said::Update(steps),
                Kind::Deactivate => Said::Deactivate(steps),
                Kind::Unchanged => Said::Unchanged(steps),
            }
        }
    };
    Planned {
        person: preview.person.clone(),
        verdict,
        said: said(&preview.verdict),
        appointment: preview.appointment.clone(),
        misses: preview.misses.clone(),
    }
}

/// What the rules come to, in a sentence without values.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::NotShown => {
            "HiBob does not show this person. That proves nothing, so nothing would be done".into()
        }
        Verdict::OutOfScope { filter, .. } => format!("out of scope: {filter} says no"),
        Verdict::Unknown { rule, missing } if missing.is_empty() => {
            format!("{rule} cannot be judged: it has no result")
        }
        Verdict::Unknown { rule, missing } => {
            format!("{rule} cannot be judged: HiBob's answer lacks {}", missing.join(", "))
        }
        Verdict::AsItIs(why) => format!("stays as it is: {why}"),
        Verdict::Refused { code, reason } => format!("refused ({code}): {reason}"),
        Verdict::Disputed(why) => format!("disputed: {why}"),
        Verdict::LeftAlone(why) => format!("left alone: {why}"),
        Verdict::Planned { plan, .. } => plan.words(),
    }
}

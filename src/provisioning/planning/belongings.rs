//! What an account has beside its fields: custom fields, groups and the manager; what is known of
//! them, and the steps to what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::super::resolving::{Resolved, WantedGroup, WantedValue};
use super::Policy;
use crate::model::{
    AccountId, Change, CustomFieldId, GivenManager, GroupId, Kept, Link, Role, Strength,
};

/// The role that a leave takes along into public subgroups, and that everybody has in the group
/// which new accounts join.
const LEARNER: &str = "learner";

/// What an account has beside its fields, as far as it is known.
pub(super) struct Known {
    /// It was just made or restored: what is not listed here is not there.
    fresh: bool,
    /// Memberships that rules gave, or that are put back.
    groups: BTreeSet<(GroupId, Role)>,
    /// Memberships that may be taken away.
    given: BTreeSet<(GroupId, Role)>,
    /// Custom fields that we have written, or that are put back.
    custom: BTreeMap<CustomFieldId, Option<String>>,
    /// The manager that a rule gave.
    manager: Option<GivenManager>,
    /// Managers who are put back.
    managers: Vec<AccountId>,
}

impl Known {
    /// Of an account that is in use.
    pub fn of(link: &Link) -> Self {
        Self {
            fresh: false,
            groups: link.groups.clone(),
            given: link.groups.clone(),
            custom: link.custom.clone(),
            manager: link.manager.clone(),
            managers: Vec::new(),
        }
    }

    /// Of one that has just been made.
    pub fn nothing() -> Self {
        Self { fresh: true, ..Self::of(&Link::default()) }
    }

    /// Of one that is restored, with what is put back.
    pub fn with(kept: &Kept) -> Self {
        Self {
            groups: kept.roles.iter().cloned().collect(),
            custom: custom_values(kept),
            managers: kept.managers.clone(),
            ..Self::nothing()
        }
    }

    /// Of one whose restore was interrupted after it was put back, which the link then tells.
    pub fn half_restored(link: &Link) -> Self {
        Self { fresh: true, given: BTreeSet::new(), ..Self::of(link) }
    }

    /// Whether a custom field is to be written.
    fn lacks(&self, id: &CustomFieldId, wanted: &WantedValue) -> bool {
        let held = self.custom.get(id);
        let is_empty = held.map_or(self.fresh, Option::is_none);
        match wanted.strength {
            Strength::Always => self.fresh || held != Some(&wanted.value),
            Strength::OnCreate => self.fresh && is_empty,
            Strength::IfEmpty => is_empty && wanted.value.is_some(),
        }
    }
}

/// The custom fields that were kept.
pub fn custom_values(kept: &Kept) -> BTreeMap<CustomFieldId, Option<String>> {
    let text = |value: &serde_json::Value, name| Some(value.get(name)?.as_str()?.to_owned());
    let row =
        |value| Some((CustomFieldId::new(text(value, "customFieldId")?), text(value, "value")));
    kept.custom_values.iter().filter_map(row).collect()
}

/// Custom fields, groups and the manager.
pub(super) fn belongings(known: &Known, resolved: &Resolved, policy: &Policy) -> Vec<Change> {
    let mut steps = Vec::new();
    let values = resolved.custom.iter().filter(|(id, wanted)| known.lacks(id, wanted));
    let values: BTreeMap<_, _> =
        values.map(|(id, wanted)| (id.clone(), wanted.value.clone())).collect();
    if !values.is_empty() {
        steps.push(Change::SetCustom(values));
    }
    steps.extend(memberships(known, resolved, policy));
    let held = known.manager.as_ref().map(|given| &given.account);
    let has = |account: &AccountId| held == Some(account) || known.managers.contains(account);
    match &resolved.manager {
        Some(Some(wanted)) if !has(&wanted.account) => steps
            .push(Change::SetManager { add: Some(wanted.account.clone()), remove: held.cloned() }),
        Some(None) if held.is_some() => {
            steps.push(Change::SetManager { add: None, remove: held.cloned() });
        }
        _ => {}
    }
    steps
}

fn memberships(known: &Known, resolved: &Resolved, policy: &Policy) -> Vec<Change> {
    let mut steps = Vec::new();
    let mut made = BTreeSet::new();
    for missing in resolved.groups.iter().filter(|wanted| wanted.id.is_none()) {
        for names in missing.exist + 1..=missing.path.len() {
            let path = missing.path[..names].to_vec();
            if made.insert(path.clone()) {
                steps.push(Change::MakeGroup { path });
            }
        }
    }
    let held = |group: &Option<GroupId>, role: &Role| {
        let group = group.clone().map(|group| (group, role.clone()));
        group.is_some_and(|group| known.groups.contains(&group))
    };
    let join = |wanted: &WantedGroup| Change::Join {
        group: wanted.id.clone(),
        path: wanted.path.clone(),
        role: wanted.role.clone(),
    };
    steps.extend(resolved.groups.iter().filter(|it| !held(&it.id, &it.role)).map(join));
    let wanted = resolved.memberships();
    // Everybody stays in the group that all accounts join.
    let stays = |(group, role): &(GroupId, Role)| {
        wanted.contains(&(group.clone(), role.clone()))
            || (*group == policy.group && role == LEARNER)
    };
    let left: Vec<_> =
        known.given.iter().filter(|it| resolved.groups_known && !stays(it)).collect();
    steps.extend(
        left.iter().map(|(group, role)| Change::Leave { group: group.clone(), role: role.clone() }),
    );
    let falls = |it: &&WantedGroup| {
        it.role == LEARNER
            && it.id.as_ref().is_some_and(|group| {
                let mut left = left.iter().filter(|(_, role)| role == LEARNER);
                left.any(|(left, _)| resolved.falls_with(group, left))
            })
    };
    steps.extend(resolved.groups.iter().filter(falls).map(join));
    steps
}

/// What was kept, without what only rules had given that want it no longer.
pub(super) fn still_wanted(kept: &Kept, link: &Link, resolved: &Resolved) -> Kept {
    let mut kept = kept.clone();
    let wanted = resolved.memberships();
    kept.roles.retain(|role| {
        !resolved.groups_known || !link.groups.contains(role) || wanted.contains(role)
    });
    let given = link.manager.as_ref().map(|given| &given.account);
    let manager = match &resolved.manager {
        None => return kept,
        Some(wanted) => wanted.as_ref().map(|wanted| &wanted.account),
    };
    kept.managers.retain(|account| given != Some(account) || manager == Some(account));
    kept
}

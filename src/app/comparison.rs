//! HR against the LMS, person by person, from what the sandbox's doubles say of themselves.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Account, AccountStatus, Desired, ManagerKey, Record, Strength};
use crate::provisioning::drift::drift;
use crate::provisioning::rules::{Decision, Rules};
use crate::targets::learning360::account;

/// What the comparison shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// People in HR.
    pub people: usize,
    /// Of them, those whom the rules let into the LMS.
    pub in_scope: usize,
    /// Accounts in use.
    pub active: usize,
    /// Who is not in step, and why.
    pub out_of_step: Vec<(String, Vec<String>)>,
}

impl Comparison {
    /// Whether everybody is.
    pub fn in_step(&self) -> bool {
        self.out_of_step.is_empty()
    }
}

/// What the rules want of each of HR's records at this moment; those whom they leave alone are left
/// out. With the record's `displayName`, and why the rules cannot say.
fn wants(
    people: &[Value],
    rules: &Rules,
    now: Timestamp,
) -> Vec<(String, Result<Desired, String>)> {
    let want = |record: &Value| {
        let name = record["displayName"].as_str().unwrap_or("?").to_owned();
        let wanted = match rules.decide(&Record(record.clone()), now).decision {
            Decision::OutOfScope { .. } | Decision::AsItIs { .. } => return None,
            Decision::Refused { reason, .. } => Err(reason),
            Decision::Unknown { rule, .. } => Err(format!("{rule} cannot be judged")),
            Decision::Wanted { desired, .. } => Ok(desired),
        };
        Some((name, wanted))
    };
    people.iter().filter_map(want).collect()
}

/// The accounts that the rules want for HR's people.
pub fn wanted(people: &[Value], rules: &Rules, now: Timestamp) -> Vec<Desired> {
    wants(people, rules, now).into_iter().filter_map(|(_, desired)| desired.ok()).collect()
}

/// Compares HR's records with the LMS's accounts, as the rules see them at this moment.
pub fn compare(people: &[Value], accounts: &[Value], rules: &Rules, now: Timestamp) -> Comparison {
    let accounts: Vec<(Account, &Value)> =
        accounts.iter().filter_map(|shown| Some((account(shown.clone())?, shown))).collect();
    let wants = wants(people, rules, now);
    let desired = wants.iter().filter_map(|(_, desired)| desired.as_ref().ok());
    let lms = Lms {
        by_employee: accounts
            .iter()
            .flat_map(|(account, shown)| {
                let ids = shown["externalIds"].as_array().into_iter().flatten();
                ids.filter_map(move |id| Some((id["value"].as_str()?, (account, *shown))))
            })
            .collect(),
        groups: desired.flat_map(|desired| &desired.groups).map(|it| it.path.join("/")).collect(),
    };
    let active = |(account, _): &&(Account, &Value)| account.status != AccountStatus::Deleted;
    let mut comparison = Comparison {
        people: people.len(),
        in_scope: wants.len(),
        active: accounts.iter().filter(active).count(),
        ..Comparison::default()
    };
    for (name, desired) in &wants {
        let differences = match desired {
            Ok(desired) => lms.differences(desired),
            Err(why) => vec![why.clone()],
        };
        if !differences.is_empty() {
            comparison.out_of_step.push((name.clone(), differences));
        }
    }
    comparison
}

/// The LMS as it shows itself.
struct Lms<'a> {
    by_employee: HashMap<&'a str, (&'a Account, &'a Value)>,
    /// The groups that the rules give to somebody.
    groups: BTreeSet<String>,
}

impl Lms<'_> {
    fn differences(&self, desired: &Desired) -> Vec<String> {
        let found = self.by_employee.get(desired.external_id.as_str());
        let mut differences = drift(desired, found.map(|(account, _)| *account));
        if let (true, true, Some((_, shown))) = (desired.active, differences.is_empty(), found) {
            self.groups(desired, shown, &mut differences);
            custom(desired, shown, &mut differences);
            self.manager(desired, shown, &mut differences);
        }
        differences
    }

    fn groups(&self, desired: &Desired, shown: &Value, differences: &mut Vec<String>) {
        let wanted: BTreeSet<String> = desired.groups.iter().map(|it| it.path.join("/")).collect();
        let rows = shown["memberships"].as_array().into_iter().flatten();
        let had: BTreeSet<&str> = rows.filter_map(|row| row["path"].as_str()).collect();
        let missing = wanted.iter().filter(|path| !had.contains(path.as_str()));
        differences.extend(missing.map(|path| format!("is not in {path}")));
        if !desired.groups_certain {
            return;
        }
        let given = had.into_iter().filter(|path| self.groups.contains(*path));
        let extra = given.filter(|path| !wanted.contains(*path));
        differences.extend(extra.map(|path| format!("is still in {path}")));
    }

    /// Only a manager with a usable account can be one.
    fn manager(&self, desired: &Desired, shown: &Value, differences: &mut Vec<String>) {
        let Some(Some(ManagerKey::Employee(id))) = &desired.manager else { return };
        let Some((manager, _)) = self.by_employee.get(id.as_str()) else { return };
        let mut managers = shown["managers"].as_array().into_iter().flatten();
        if manager.status != AccountStatus::Deleted
            && !managers.any(|id| id.as_str() == Some(manager.id.as_str()))
        {
            differences.push("the manager differs".to_owned());
        }
    }
}

fn custom(desired: &Desired, shown: &Value, differences: &mut Vec<String>) {
    let wishes = desired.custom.iter().filter(|(_, wish)| wish.strength == Strength::Always);
    for (name, wish) in wishes {
        if shown["customValues"][name].as_str() != wish.value.as_deref() {
            differences.push(format!("{name} differs"));
        }
    }
}

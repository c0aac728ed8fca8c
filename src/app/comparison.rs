//! HR against the LMS, person by person, from what the sandbox's doubles say of themselves.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::model::{Account, AccountId, AccountStatus, Desired, Field, Record};
use crate::provisioning::drift::drift;
use crate::provisioning::rules::{Decision, Rules};

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

/// Compares HR's records with the LMS's accounts, as the rules see them at this moment.
pub fn compare(
    people: &[Value],
    accounts: &[Value],
    rules: &Rules,
    now: jiff::Timestamp,
) -> Comparison {
    let accounts: Vec<(Account, &Value)> =
        accounts.iter().filter_map(|shown| Some((account(shown)?, shown))).collect();
    let by_employee: HashMap<&str, &Account> = accounts
        .iter()
        .flat_map(|(account, shown)| {
            let ids = shown["externalIds"].as_array().into_iter().flatten();
            ids.filter_map(move |id| Some((id["value"].as_str()?, account)))
        })
        .collect();
    let active = |(account, _): &&(Account, &Value)| account.status != AccountStatus::Deleted;
    let mut comparison = Comparison {
        people: people.len(),
        active: accounts.iter().filter(active).count(),
        ..Comparison::default()
    };
    for record in people {
        let record = Record(record.clone());
        let differences = match rules.decide(&record, now).decision {
            Decision::OutOfScope { .. } | Decision::AsItIs { .. } => continue,
            Decision::Refused { reason, .. } => vec![reason],
            Decision::Unknown { rule, .. } => vec![format!("{rule} cannot be judged")],
            Decision::Wanted { desired, .. } => judge(&desired, &by_employee),
        };
        comparison.in_scope += 1;
        if !differences.is_empty() {
            let name = record.0["displayName"].as_str().unwrap_or("?").to_owned();
            comparison.out_of_step.push((name, differences));
        }
    }
    comparison
}

fn judge(desired: &Desired, by_employee: &HashMap<&str, &Account>) -> Vec<String> {
    drift(desired, by_employee.get(desired.external_id.as_str()).copied())
}

fn account(shown: &Value) -> Option<Account> {
    let status = match shown["status"].as_str()? {
        "active" => AccountStatus::Active,
        "invited" => AccountStatus::Invited,
        _ => AccountStatus::Deleted,
    };
    let names = [
        (Field::Email, "mail"),
        (Field::Username, "username"),
        (Field::FirstName, "firstName"),
        (Field::LastName, "lastName"),
        (Field::Job, "job"),
        (Field::Lang, "lang"),
        (Field::Organization, "organization"),
        (Field::Phone, "phone"),
    ];
    let field = |(field, name): (Field, &str)| Some((field, shown[name].as_str()?.to_owned()));
    let fields: BTreeMap<Field, String> = names.into_iter().filter_map(field).collect();
    Some(Account { id: AccountId::new(shown["_id"].as_str()?), status, fields })
}

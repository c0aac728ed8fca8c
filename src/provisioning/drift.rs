//! Who is out of step, and in what: the account as it should be against the account as it is.

use crate::model::{Account, AccountStatus, Desired, Field, Strength};

/// How one person's account differs from what the rules want, in words without values; nothing
/// when it is in step.
pub fn drift(desired: &Desired, account: Option<&Account>) -> Vec<String> {
    let usable = account.filter(|account| account.status != AccountStatus::Deleted);
    match (desired.active, usable) {
        (true, None) if account.is_some() => vec!["should be active".to_owned()],
        (true, None) => vec!["has no account".to_owned()],
        (false, Some(_)) => vec!["should be deactivated".to_owned()],
        (false, None) => Vec::new(),
        (true, Some(account)) => desired
            .fields
            .iter()
            .filter(|(field, value)| differs(desired, **field, value.as_ref(), account))
            .map(|(field, _)| format!("{} differs", field.word()))
            .collect(),
    }
}

fn differs(desired: &Desired, field: Field, wanted: Option<&String>, account: &Account) -> bool {
    match desired.strength(field) {
        Strength::Always => {}
        Strength::OnCreate => return false,
        Strength::IfEmpty => return wanted.is_some() && !account.fields.contains_key(&field),
    }
    // A user name that may bear a number is chosen once.
    if desired.number_username && field == Field::Username {
        return false;
    }
    // A sign-in name is never cleared.
    let kept = wanted.is_none() && matches!(field, Field::Email | Field::Username);
    !kept && account.fields.get(&field) != wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    #[test]
    fn drift_is_told_in_words() {
        let account = |status| Account {
            id: AccountId::new("a"),
            status,
            fields: [(Field::Email, "a@example.test".to_owned())].into(),
        };
        let desired = |active, job: Option<&str>| Desired {
            active,
            fields: [(Field::Job, job.map(str::to_owned)), (Field::Email, None)].into(),
            strengths: std::collections::BTreeMap::new(),
            external_id: "1".into(),
            ..Desired::default()
        };
        let (active, deleted) = (account(AccountStatus::Active), account(AccountStatus::Deleted));
        assert_eq!(drift(&desired(true, None), Some(&active)), [""; 0]);
        assert_eq!(drift(&desired(true, Some("Cook")), Some(&active)), ["job differs"]);
        assert_eq!(drift(&desired(true, None), Some(&deleted)), ["should be active"]);
        assert_eq!(drift(&desired(true, None), None), ["has no account"]);
        assert_eq!(drift(&desired(false, None), Some(&active)), ["should be deactivated"]);
        assert_eq!(drift(&desired(false, None), Some(&deleted)), [""; 0]);
    }
}

//! Whose account is it? Candidates that the target found, judged.

use std::collections::BTreeSet;

use crate::model::{Account, AccountStatus, Candidate, Desired, Field, FoundBy, Link, Probe};

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// There is no account.
    Unmatched,
    /// This one is the person's.
    Account(Account, FoundBy),
    /// It is the person's, and must never be changed, for this reason.
    Protected(String),
    /// A human must decide, for this reason.
    Disputed(String),
}

/// Judges candidates. Our own link and the external id are sure; a mail or a user name is only
/// believed when a single account has it and no other employee holds that account.
pub fn judge(candidates: &[Candidate]) -> Match {
    let Some(first) = candidates.iter().min_by_key(|candidate| candidate.by) else {
        return Match::Unmatched;
    };
    if first.by >= FoundBy::Email {
        let distinct: BTreeSet<_> = candidates.iter().map(|c| &c.account.id).collect();
        if distinct.len() > 1 {
            let ids: Vec<&str> = distinct.iter().map(|id| id.as_str()).collect();
            return Match::Disputed(format!(
                "several accounts have this person's mail or user name ({}): merge or rename them \
                 in 360Learning, then replay",
                ids.join(", ")
            ));
        }
        if let Some(other) = &first.claimed_by {
            return Match::Disputed(format!(
                "account {} has this person's mail or user name, but belongs to employee {other}: \
                 correct the mail in HR or the account in 360Learning, then replay",
                first.account.id
            ));
        }
    }
    if let Some(why) = &first.protected {
        return Match::Protected(format!("account {} is never changed: {why}", first.account.id));
    }
    Match::Account(first.account.clone(), first.by)
}

/// What to look for. Who is `gone` from HR has no mail any more that would prove anything; a create
/// that was begun is looked for by what it was made with.
pub fn probe(desired: &Desired, link: Option<&Link>, gone: bool) -> Probe {
    let field = |field| desired.fields.get(&field).cloned().flatten().filter(|_| !gone);
    let began = link.and_then(|link| link.creating.clone());
    let (email, username) = began.map_or((None, None), |intent| (intent.email, intent.username));
    Probe {
        account: link.and_then(|link| link.account.clone()),
        external_id: Some(desired.external_id.clone()),
        email: email.or_else(|| field(Field::Email)),
        username: username.or_else(|| field(Field::Username)),
        name: None,
    }
}

/// Whether a leaver's account was only found by a mail or user name and is in use: then someone
/// else with the same mail could be locked out, and the source must be asked first.
pub fn only_resembles(found: &Match) -> bool {
    matches!(found, Match::Account(account, FoundBy::Email | FoundBy::Username)
        if account.status != AccountStatus::Deleted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::AccountId;

    fn candidate(id: &str, by: FoundBy) -> Candidate {
        let account = Account {
            id: AccountId::new(id),
            status: AccountStatus::Active,
            fields: BTreeMap::new(),
        };
        Candidate { account, by, claimed_by: None, protected: None }
    }

    #[test]
    fn the_surest_candidate_is_the_account() {
        assert_eq!(judge(&[]), Match::Unmatched);
        let found = judge(&[candidate("b", FoundBy::Email), candidate("a", FoundBy::ExternalId)]);
        assert!(
            matches!(found, Match::Account(account, FoundBy::ExternalId) if account.id.as_str() == "a")
        );
    }

    #[test]
    fn doubtful_candidates_are_left_to_a_human() {
        let two = [candidate("a", FoundBy::Email), candidate("b", FoundBy::Username)];
        assert!(matches!(judge(&two), Match::Disputed(why) if why.contains("(a, b)")));
        let mut claimed = candidate("a", FoundBy::Email);
        claimed.claimed_by = Some("42".into());
        assert!(matches!(judge(&[claimed]), Match::Disputed(why) if why.contains("employee 42")));
        let mut owner = candidate("a", FoundBy::Link);
        owner.protected = Some("it owns the company".into());
        assert!(matches!(judge(&[owner]), Match::Protected(_)));
    }
}

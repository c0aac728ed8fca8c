//! Whose account is it? Candidates that the target found, judged by an ordered list of rules.
//!
//! The link from last time decides, always. Then each rule looks at what was found by its key: when
//! there is nothing the next one is asked, and after the last one an account is made, unless one
//! stands in the way that no rule may link. A human's choice outranks all of them.

use std::collections::BTreeSet;

use crate::config::{MatchBy, MatchOutcome, MatchRule};
use crate::model::{
    Account, AccountId, AccountStatus, Candidate, Choice, Desired, Field, FoundBy, Intent, Link,
    Probe,
};

/// The rules of a company that names none: the external id is sure, a mail is believed when a single
/// free account has it, a user name is shown to a human.
pub const USUAL: [MatchRule; 3] = {
    use MatchOutcome::{Dispute, Link};
    const fn rule(by: MatchBy, one: MatchOutcome) -> MatchRule {
        MatchRule { by, one, several: Dispute, taken: Dispute }
    }
    [rule(MatchBy::ExternalId, Link), rule(MatchBy::Email, Link), rule(MatchBy::Username, Dispute)]
};

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// There is no account, and one could be made.
    Unmatched,
    /// This one is the person's.
    Account(Account, FoundBy),
    /// It is the person's, and must never be changed, for this reason.
    Protected(String),
    /// A human must decide, for this reason.
    Disputed(String),
    /// None is the person's, and none can be made: one that no rule may link has the mail or the
    /// user name.
    InTheWay {
        /// The cause, by which failures are grouped: `mailAlreadyUsed`.
        code: &'static str,
        /// Which account, and what to do.
        reason: String,
    },
}

/// The search for one person's account.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The account as it should be.
    pub desired: &'a Desired,
    /// What is known of it.
    pub link: Option<&'a Link>,
    /// The rules, in their order.
    pub rules: &'a [MatchRule],
    /// What a human decided.
    pub choice: Option<&'a Choice>,
}

impl Search<'_> {
    /// What to look for. A create that was begun is looked for by what it was made with.
    pub fn probe(&self) -> Probe {
        if let Some(Choice::Account(id)) = self.choice {
            return Probe { account: Some(id.clone()), ..Probe::default() };
        }
        let account = self.link.and_then(|link| link.account.clone());
        let external_id = Some(self.desired.external_id.clone());
        let by_name = self.rules.iter().any(|rule| rule.by == MatchBy::Name);
        let name = self.wanted(Field::FirstName).zip(self.wanted(Field::LastName));
        let (email, username) = match self.begun() {
            Some(intent) => (intent.email.clone(), intent.username.clone()),
            None => (None, None),
        };
        Probe {
            account,
            external_id: external_id.filter(|_| self.choice.is_none()),
            email: email.or_else(|| self.wanted(Field::Email)),
            username: username.or_else(|| self.wanted(Field::Username)),
            name: name.filter(|_| by_name),
        }
    }

    /// Judges what was found.
    pub fn judge(&self, candidates: &[Candidate]) -> Match {
        if let Some(linked) = candidates.iter().find(|it| it.by == FoundBy::Link) {
            return whole(linked, FoundBy::Link);
        }
        if let Some(Choice::Account(id)) = self.choice {
            return Match::InTheWay {
                code: "noSuchAccount",
                reason: format!(
                    "a human chose account {id}, and 360Learning has none with this id: choose \
                     again with instep match"
                ),
            };
        }
        if let Some((ours, by)) = self.made_by_us(candidates) {
            return whole(ours, by);
        }
        let rules = if self.choice.is_some() { &[] } else { self.rules };
        for rule in rules {
            let these: Vec<&Candidate> =
                candidates.iter().filter(|it| self.has_key(it, rule.by)).collect();
            if let Some(found) = decide(*rule, &these) {
                return found;
            }
        }
        self.in_the_way(candidates).unwrap_or(Match::Unmatched)
    }

    /// Whether the user name as it is is known to be nobody's.
    pub fn username_is_free(&self, candidates: &[Candidate]) -> bool {
        let wanted = self.wanted(Field::Username);
        let taken = |it: &Candidate| same(&it.account, Field::Username, wanted.as_ref());
        self.begun().is_none() && !candidates.iter().any(taken)
    }

    /// A field that the rules fill.
    fn wanted(&self, field: Field) -> Option<String> {
        self.desired.fields.get(&field).cloned().flatten()
    }

    /// The user name, where it says something: one that may bear a number is nobody's proof.
    fn username(&self) -> Option<String> {
        self.wanted(Field::Username).filter(|_| !self.desired.number_username)
    }

    fn begun(&self) -> Option<&Intent> {
        self.link.and_then(|link| link.creating.as_ref())
    }

    /// The account of a create that was begun and whose end is not known. By its mail it is sure:
    /// nobody had that mail before. By its user name alone it must look as we would have made it,
    /// for somebody else may have had that name first.
    fn made_by_us<'c>(&self, candidates: &'c [Candidate]) -> Option<(&'c Candidate, FoundBy)> {
        let intent = self.begun()?;
        let mut free = candidates.iter().filter(|it| it.claimed_by.is_none());
        if intent.email.is_some() {
            let ours = free.find(|it| same(&it.account, Field::Email, intent.email.as_ref()))?;
            return Some((ours, FoundBy::Email));
        }
        let ours = free.find(|it| {
            let names = [Field::FirstName, Field::LastName];
            same(&it.account, Field::Username, intent.username.as_ref())
                && it.account.status == AccountStatus::Invited
                && !it.account.fields.contains_key(&Field::Email)
                && names
                    .iter()
                    .all(|name| it.account.fields.get(name) == self.wanted(*name).as_ref())
        })?;
        Some((ours, FoundBy::Username))
    }

    /// Whether a candidate has the key of a rule; it may have been found by a surer one.
    fn has_key(&self, candidate: &Candidate, by: MatchBy) -> bool {
        let has = |field, wanted: Option<String>| same(&candidate.account, field, wanted.as_ref());
        let numbered = by == MatchBy::Username && self.desired.number_username;
        (candidate.by == found_by(by) && !numbered)
            || match by {
                MatchBy::ExternalId => false,
                MatchBy::Email => has(Field::Email, self.wanted(Field::Email)),
                MatchBy::Username => has(Field::Username, self.username()),
                MatchBy::Name => [Field::FirstName, Field::LastName]
                    .into_iter()
                    .all(|field| has(field, self.wanted(field))),
            }
    }

    /// The account that would be restored or hit by making one with this mail or user name.
    fn in_the_way(&self, candidates: &[Candidate]) -> Option<Match> {
        if !self.desired.active {
            return None;
        }
        let keys = [
            (Field::Email, self.wanted(Field::Email), "mailAlreadyUsed", "mail"),
            (Field::Username, self.username(), "usernameAlreadyUsed", "user name"),
        ];
        keys.into_iter().find_map(|(field, wanted, code, word)| {
            let other = candidates.iter().find(|it| same(&it.account, field, wanted.as_ref()))?;
            let reason = format!(
                "account {} has this person's {word}, and no matching rule makes it theirs, so none \
                 can be made: correct the {word} in HR or in 360Learning, or decide with instep match",
                other.account.id
            );
            Some(Match::InTheWay { code, reason })
        })
    }
}

/// What one rule makes of those that have its key; `None` asks the next rule.
fn decide(rule: MatchRule, these: &[&Candidate]) -> Option<Match> {
    let first = these.first()?;
    let key = word(rule.by);
    let distinct: BTreeSet<&AccountId> = these.iter().map(|it| &it.account.id).collect();
    let (outcome, why) = if distinct.len() > 1 {
        let ids: Vec<&str> = distinct.iter().map(|id| id.as_str()).collect();
        // None of them is more theirs than the others: there is nothing to link.
        let outcome = match rule.several {
            MatchOutcome::Link => MatchOutcome::Dispute,
            other => other,
        };
        (outcome, format!("several accounts have this person's {key} ({})", ids.join(", ")))
    } else if let Some(other) = &first.claimed_by {
        let why = format!(
            "account {} has this person's {key}, but belongs to employee {other}",
            first.account.id
        );
        (rule.taken, why)
    } else {
        (rule.one, format!("account {} has this person's {key}", first.account.id))
    };
    match outcome {
        MatchOutcome::Next => None,
        MatchOutcome::Link => Some(whole(first, found_by(rule.by))),
        MatchOutcome::Dispute => Some(Match::Disputed(format!(
            "{why}: decide with instep match, or correct HR or 360Learning and replay"
        ))),
    }
}

fn whole(candidate: &Candidate, by: FoundBy) -> Match {
    match &candidate.protected {
        Some(why) => {
            Match::Protected(format!("account {} is never changed: {why}", candidate.account.id))
        }
        None => Match::Account(candidate.account.clone(), by),
    }
}

fn same(account: &Account, field: Field, wanted: Option<&String>) -> bool {
    let held = account.fields.get(&field);
    held.zip(wanted).is_some_and(|(held, wanted)| held.to_lowercase() == wanted.to_lowercase())
}

fn found_by(by: MatchBy) -> FoundBy {
    match by {
        MatchBy::ExternalId => FoundBy::ExternalId,
        MatchBy::Email => FoundBy::Email,
        MatchBy::Username => FoundBy::Username,
        MatchBy::Name => FoundBy::Name,
    }
}

fn word(by: MatchBy) -> &'static str {
    match by {
        MatchBy::ExternalId => "external id",
        MatchBy::Email => "mail",
        MatchBy::Username => "user name",
        MatchBy::Name => "name",
    }
}

/// What is told when an account that nobody owned is made somebody's; nothing of one that was theirs
/// for certain.
pub fn take_over(account: &AccountId, by: FoundBy) -> Option<String> {
    let key = match by {
        FoundBy::Link | FoundBy::ExternalId => return None,
        FoundBy::Email => MatchBy::Email,
        FoundBy::Username => MatchBy::Username,
        FoundBy::Name => MatchBy::Name,
    };
    Some(format!("took over account {account}, found by its {}", word(key)))
}

/// Whether a leaver's account was only found by what people share and is in use: then someone else
/// with the same mail could be locked out, and the source must be asked first.
pub fn only_resembles(found: &Match) -> bool {
    matches!(found, Match::Account(account, FoundBy::Email | FoundBy::Username | FoundBy::Name)
        if account.status != AccountStatus::Deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, by: FoundBy) -> Candidate {
        let account = Account {
            id: AccountId::new(id),
            status: AccountStatus::Active,
            fields: std::collections::BTreeMap::new(),
        };
        Candidate { account, by, claimed_by: None, protected: None }
    }

    fn claimed(id: &str, by: FoundBy) -> Candidate {
        Candidate { claimed_by: Some("42".into()), ..candidate(id, by) }
    }

    fn having(field: Field, value: &str, mut candidate: Candidate) -> Candidate {
        candidate.account.fields.insert(field, value.to_owned());
        candidate
    }

    fn desired() -> Desired {
        let fields = [
            (Field::Email, "ann@example.test"),
            (Field::Username, "ann"),
            (Field::FirstName, "Ann"),
            (Field::LastName, "Lee"),
        ];
        let fields = fields.map(|(field, value)| (field, Some(value.to_owned())));
        let external_id = "17".to_owned();
        Desired { active: true, external_id, fields: fields.into(), ..Desired::default() }
    }

    fn rule(by: MatchBy, outcomes: [MatchOutcome; 3]) -> MatchRule {
        let [one, several, taken] = outcomes;
        MatchRule { by, one, several, taken }
    }

    fn judge(rules: &[MatchRule], candidates: &[Candidate]) -> Match {
        let desired = desired();
        Search { desired: &desired, link: None, rules, choice: None }.judge(candidates)
    }

    fn account_of(found: Match) -> Option<(String, FoundBy)> {
        match found {
            Match::Account(account, by) => Some((account.id.to_string(), by)),
            _ => None,
        }
    }

    fn disputed(found: &Match, told: &str) -> bool {
        matches!(found, Match::Disputed(why) if why.contains(told))
    }

    #[test]
    fn the_link_outranks_every_rule_and_the_rules_have_an_order() {
        assert_eq!(judge(&USUAL, &[]), Match::Unmatched);
        let all = [
            candidate("d", FoundBy::Username),
            candidate("c", FoundBy::Email),
            candidate("b", FoundBy::ExternalId),
            candidate("a", FoundBy::Link),
        ];
        let first = |rules: &[MatchRule], these: &[Candidate]| account_of(judge(rules, these));
        assert_eq!(first(&USUAL, &all), Some(("a".into(), FoundBy::Link)));
        assert_eq!(first(&USUAL, &all[..3]), Some(("b".into(), FoundBy::ExternalId)));
        assert_eq!(first(&USUAL, &all[..2]), Some(("c".into(), FoundBy::Email)));
        assert!(disputed(&judge(&USUAL, &all[..1]), "account d has this person's user name"));
        // In another order another one wins, though it was also found by its mail.
        let link = [MatchOutcome::Link, MatchOutcome::Dispute, MatchOutcome::Dispute];
        let rules = [rule(MatchBy::Username, link), rule(MatchBy::Email, link)];
        let both = [having(Field::Username, "ANN", candidate("c", FoundBy::Email))];
        assert_eq!(first(&rules, &both), Some(("c".into(), FoundBy::Username)));
    }

    #[test]
    fn doubtful_candidates_are_left_to_a_human() {
        let two = [candidate("a", FoundBy::Email), candidate("b", FoundBy::Email)];
        assert!(disputed(&judge(&USUAL, &two), "several accounts have this person's mail (a, b)"));
        let other = [claimed("a", FoundBy::Email)];
        assert!(disputed(&judge(&USUAL, &other), "belongs to employee 42"));
        let owner = Candidate {
            protected: Some("it owns the company".into()),
            ..candidate("a", FoundBy::Link)
        };
        assert!(matches!(judge(&USUAL, &[owner]), Match::Protected(why) if why.contains("owns")));
    }

    #[test]
    fn each_outcome_is_followed() {
        use MatchOutcome::{Dispute, Link, Next};
        let with = |outcomes, candidates: &[Candidate]| {
            judge(&[rule(MatchBy::Name, outcomes)], candidates)
        };
        let one = [candidate("a", FoundBy::Name)];
        let two = [candidate("a", FoundBy::Name), claimed("b", FoundBy::Name)];
        let taken = [claimed("a", FoundBy::Name)];
        assert!(account_of(with([Link, Dispute, Dispute], &one)).is_some());
        assert!(disputed(&with([Dispute, Next, Next], &one), "name"));
        assert_eq!(with([Next, Link, Link], &one), Match::Unmatched);
        assert_eq!(with([Link, Next, Link], &two), Match::Unmatched);
        assert!(disputed(&with([Link, Link, Link], &two), "(a, b)"), "there is none to link");
        assert_eq!(with([Link, Link, Next], &taken), Match::Unmatched);
        assert!(account_of(with([Dispute, Dispute, Link], &taken)).is_some());
    }

    #[test]
    fn no_account_is_made_where_another_one_would_be_hit() {
        use MatchOutcome::{Dispute, Next};
        let rules = [rule(MatchBy::Email, [Next, Dispute, Next])];
        let other = having(Field::Email, "Ann@example.test", claimed("a", FoundBy::Email));
        let blocked = |found: &Match, wanted: &str| matches!(found, Match::InTheWay { code, .. } if *code == wanted);
        assert!(blocked(&judge(&rules, &[other]), "mailAlreadyUsed"));
        let named = having(Field::Username, "ann", candidate("a", FoundBy::Username));
        assert!(blocked(&judge(&rules, std::slice::from_ref(&named)), "usernameAlreadyUsed"));
        // Who shall have no account has nothing in the way, and a number makes room.
        let inactive = Desired { active: false, ..desired() };
        let numbered = Desired { number_username: true, ..desired() };
        for desired in [&inactive, &numbered] {
            let search = Search { desired, link: None, rules: &rules, choice: None };
            assert_eq!(search.judge(std::slice::from_ref(&named)), Match::Unmatched);
            assert!(!search.username_is_free(std::slice::from_ref(&named)));
            assert!(search.username_is_free(&[]));
        }
    }

    #[test]
    fn a_human_outranks_all() {
        let (desired, link) = (desired(), Link::default());
        let search = |choice| Search {
            desired: &desired,
            link: Some(&link),
            rules: &USUAL,
            choice: Some(choice),
        };
        let chosen = Choice::Account(AccountId::new("z"));
        let probe = search(&chosen).probe();
        assert_eq!((probe.account, probe.email), (Some(AccountId::new("z")), None));
        let missing = search(&chosen).judge(&[]);
        assert!(matches!(missing, Match::InTheWay { code: "noSuchAccount", .. }), "{missing:?}");
        let by_mail = having(Field::Email, "ann@example.test", candidate("a", FoundBy::Email));
        let other = having(Field::Email, "old@example.test", candidate("b", FoundBy::Username));
        let create = search(&Choice::Create);
        assert!(create.probe().external_id.is_none());
        assert_eq!(create.judge(&[other]), Match::Unmatched);
        let blocked = create.judge(&[by_mail]);
        assert!(matches!(blocked, Match::InTheWay { code: "mailAlreadyUsed", .. }), "{blocked:?}");
    }

    #[test]
    fn our_own_create_is_known_again_and_nobody_elses() {
        let begun = |email: Option<&str>| Link {
            creating: Some(Intent {
                email: email.map(str::to_owned),
                username: Some("ann2".into()),
                at: jiff::Timestamp::UNIX_EPOCH,
            }),
            ..Link::default()
        };
        let desired = Desired { number_username: true, ..desired() };
        let found = |link: &Link, these: &[Candidate]| {
            let rules = &USUAL;
            let search = Search { desired: &desired, link: Some(link), rules, choice: None };
            assert_eq!(search.probe().username.as_deref(), Some("ann2"), "as it was begun");
            search.judge(these)
        };
        let is = |id: &str, found: Match| account_of(found).is_some_and(|(it, _)| it == id);
        let link = begun(Some("first@example.test"));
        let ours = having(Field::Email, "first@example.test", candidate("a", FoundBy::Email));
        assert!(is("a", found(&link, &[ours])));
        let link = begun(None);
        let mut theirs = having(Field::Username, "ann2", candidate("b", FoundBy::Username));
        theirs = having(Field::FirstName, "Anton", having(Field::LastName, "Lee", theirs));
        theirs.account.status = AccountStatus::Invited;
        let ours = having(Field::FirstName, "Ann", theirs.clone());
        assert_eq!(found(&link, &[theirs]), Match::Unmatched, "somebody else had the name first");
        assert!(is("b", found(&link, &[ours])));
    }

    #[test]
    fn names_are_only_looked_for_when_a_rule_asks() {
        let desired = desired();
        let by_name = [rule(MatchBy::Name, [MatchOutcome::Dispute; 3])];
        for (rules, asked) in [(&USUAL[..], false), (&by_name[..], true)] {
            let search = Search { desired: &desired, link: None, rules, choice: None };
            assert_eq!(search.probe().name.is_some(), asked);
        }
        let told = take_over(&AccountId::new("a"), FoundBy::Email);
        assert_eq!(told.as_deref(), Some("took over account a, found by its mail"));
        assert_eq!(take_over(&AccountId::new("a"), FoundBy::ExternalId), None);
    }
}

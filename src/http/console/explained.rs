//! Somebody's story and plan as a page shows them.

use serde_json::Value;

use super::plain::plain;
use crate::model::explanation::{Conclusion, Input, Part, Says};
use crate::model::story::{self, Item, Lack, ManagerTold, Sight, Sign, Story, Suspect, Told, VEIL};
use crate::model::{AccountStatus, Choice};

/// A value as it is shown.
pub struct Shown {
    pub text: String,
    /// The reader may not see it.
    pub masked: bool,
    /// There is none.
    pub empty: bool,
}

impl Shown {
    fn of(value: &Value) -> Self {
        let text = match value {
            Value::String(text) => plain(text),
            other => plain(&other.to_string()),
        };
        let masked = text.contains(VEIL);
        Self { text, masked, empty: value.is_null() || value == "" }
    }

    fn text(text: &str) -> Self {
        Self::of(&Value::from(text))
    }
}

/// What would be done.
pub struct Planned {
    /// In a word, with how it is shown.
    pub kind: Option<(&'static str, &'static str)>,
    pub said: String,
    pub items: Vec<Changed>,
    pub remarks: Vec<String>,
}

/// One thing that changes.
pub struct Changed {
    /// Read out, for whoever does not see colours.
    pub sign: &'static str,
    pub what: String,
    pub before: Option<Shown>,
    pub after: Option<Shown>,
}

impl Planned {
    pub fn of(plan: &story::Planned) -> Self {
        let steps = plan.verdict.steps();
        let remarks = steps.map(|steps| steps.remarks.as_slice()).unwrap_or_default();
        let kind = plan.verdict.kind().map(|kind| {
            let class = match kind {
                story::Kind::Create | story::Kind::Restore | story::Kind::Unchanged => "good",
                story::Kind::Update => "warn",
                story::Kind::Deactivate => "bad",
            };
            (kind.word(), class)
        });
        Self {
            kind,
            said: plain(&plan.said),
            items: steps.iter().flat_map(|steps| &steps.items).map(Changed::of).collect(),
            remarks: remarks.iter().map(|remark| plain(remark)).collect(),
        }
    }
}

impl Changed {
    fn of(item: &Item) -> Self {
        let sign = match item.sign {
            Sign::Add => "added",
            Sign::Change => "changed",
            Sign::Take => "taken away",
        };
        let what = plain(&item.what);
        let (before, after) = (item.before.as_ref(), item.after.as_ref());
        Self { sign, what, before: before.map(Shown::of), after: after.map(Shown::of) }
    }
}

/// Why somebody's account is as it is.
pub struct Explained {
    /// Whether HR shows the person.
    pub shown: bool,
    pub version: String,
    pub inputs: Vec<Read>,
    pub sections: Vec<Section>,
    pub misses: Vec<(String, Shown)>,
    pub candidates: Vec<Candidate>,
    /// Groups and managers: what it is, and whether a rule gave it.
    pub belongings: Vec<(&'static str, Shown, bool)>,
    pub manager: Option<String>,
    pub choice: Option<String>,
    pub plan: Planned,
}

/// A field that rules read.
pub struct Read {
    pub field: String,
    /// What HR says, or why it says nothing.
    pub value: Result<Shown, String>,
}

/// Rules of one kind, and what they come to.
pub struct Section {
    pub heading: &'static str,
    pub verdict: String,
    pub rules: Vec<Rule>,
}

/// What a rule gave.
pub struct Rule {
    pub name: String,
    pub text: String,
    pub result: Result<Shown, String>,
    pub current: Option<Shown>,
    pub remark: Option<String>,
}

/// An account that could be theirs.
pub struct Candidate {
    pub account: String,
    pub status: &'static str,
    pub found_by: &'static str,
    pub theirs: bool,
    pub owner: Option<String>,
    pub protected: Option<String>,
    pub fields: Vec<(&'static str, Shown)>,
}

const SECTIONS: [&str; 6] = ["Scope", "Status", "Fields", "Custom fields", "Groups", "Manager"];

fn section(part: &Part) -> usize {
    match part {
        Part::Scope => 0,
        Part::Status => 1,
        Part::ExternalId | Part::Field { .. } => 2,
        Part::CustomField { .. } => 3,
        Part::GroupWhen { .. } | Part::Group { .. } => 4,
        Part::Manager => 5,
    }
}

impl Explained {
    pub fn of(story: &Story) -> Self {
        let inputs = story.inputs().into_iter().map(|(field, input)| Read::of(field, input, story));
        let sections = SECTIONS.into_iter().enumerate().map(|(index, heading)| {
            let rules = story.rules.iter().filter(|told| section(&told.rule.part) == index);
            let verdict = story.conclusion.as_ref().map(|it| verdict(index, it));
            Section {
                heading,
                verdict: verdict.unwrap_or_default(),
                rules: rules.map(Rule::of).collect(),
            }
        });
        let groups = story.groups.iter().map(|group| {
            ("group", Shown::text(&format!("{} as {}", group.name, group.role)), group.ours)
        });
        let managers = story
            .managers
            .iter()
            .map(|manager| ("manager", Shown::text(&manager.name), manager.ours));
        let misses = story.misses.iter().flatten();
        let theirs = story.account.as_ref().map(|sight| &sight.account);
        Self {
            shown: story.shown,
            version: plain(&story.version),
            inputs: inputs.collect(),
            sections: sections.filter(|section| !section.rules.is_empty()).collect(),
            misses: misses
                .map(|miss| (plain(&miss.table), Shown::text(&miss.keys.join(", "))))
                .collect(),
            candidates: story
                .candidates
                .iter()
                .map(|one| Candidate::of(one, theirs == Some(&one.sight.account)))
                .collect(),
            belongings: groups.chain(managers).collect(),
            manager: story.manager.as_ref().map(|manager| match manager {
                ManagerTold::Found(name) => format!("found: {}", plain(name)),
                ManagerTold::Awaited => {
                    "awaited: they have no account yet, and are added when they have".to_owned()
                }
                ManagerTold::Refused(why) => format!("refused: {}", plain(why)),
            }),
            choice: story.choice.as_ref().map(|choice| match choice {
                Choice::Account(id) => format!("a human chose account {id}"),
                Choice::Create => "a human chose a new account".to_owned(),
                Choice::Ignore => "a human chose to leave this person alone".to_owned(),
            }),
            plan: Planned::of(&story.plan),
        }
    }
}

impl Read {
    fn of(field: &str, input: &Input, story: &Story) -> Self {
        let value = match input {
            Input::Value(value) => Ok(Shown::of(value)),
            Input::Empty => Ok(Shown::of(&Value::Null)),
            Input::Veiled => Ok(Shown::text(VEIL)),
            Input::Missing => Err(match story.missing.get(field) {
                Some(Lack::NotPermitted) => {
                    "not permitted: HiBob knows the field and does not show it here".to_owned()
                }
                Some(Lack::NoSuchField { nearest: Some(nearest) }) => {
                    format!("HiBob has no such field, did you mean {}?", plain(nearest))
                }
                Some(Lack::NoSuchField { nearest: None }) => "HiBob has no such field".to_owned(),
                None => "missing: not permitted, or no such field".to_owned(),
            }),
        };
        Self { field: plain(field), value }
    }
}

impl Rule {
    fn of(Told { rule, current }: &Told) -> Self {
        Self {
            name: plain(&rule.rule),
            text: plain(&rule.expression),
            result: rule.result.as_ref().map(Shown::of).map_err(|why| plain(why)),
            current: current.as_ref().map(Shown::of),
            remark: rule.remark.as_deref().map(plain),
        }
    }
}

impl Candidate {
    fn of(one: &Suspect, theirs: bool) -> Self {
        let Sight { account, status, fields } = &one.sight;
        let claimed = one.claimed_by.as_ref().map(|id| format!("employee {}", plain(id)));
        Self {
            account: plain(account.as_str()),
            status: match status {
                AccountStatus::Invited => "invited",
                AccountStatus::Active => "active",
                AccountStatus::Deleted => "deactivated",
            },
            found_by: one.found_by,
            theirs,
            owner: one.owner.as_ref().map(|owner| plain(&owner.to_string())).or(claimed),
            protected: one.protected.as_deref().map(plain),
            fields: fields.iter().map(|(field, it)| (field.word(), Shown::text(it))).collect(),
        }
    }
}

/// What a section comes to.
fn verdict(section: usize, conclusion: &Conclusion) -> String {
    let Conclusion { says, rule, why } = conclusion;
    let by = rule.as_ref().map_or_else(String::new, |rule| format!(", by rule {rule}"));
    let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let told = match (section, says) {
        (0, Says::OutOfScope) => {
            format!("out: {} says no", rule.as_deref().unwrap_or("a filter"))
        }
        (0, Says::Unknown) => format!("cannot be judged{by}{why}"),
        (0, _) => "in".to_owned(),
        (1, Says::Active) => format!("active{by}"),
        (1, Says::Inactive) => format!("inactive{by}"),
        (1, Says::AsItIs) => format!("the account stays as it is{by}{why}"),
        (1, Says::Refused) => format!("refused{why}"),
        _ => String::new(),
    };
    plain(&told)
}

//! One person's differences as steps: what is added, changed or taken away, and why they were out
//! of step. What personal data may not be told is left out here.

use super::Report;
use super::words::plain;
use crate::model::{Blame, Drift, Item, ItemState, Personal};

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// `+`, `~`, `-`; `!` for what a person must decide, `?` for what is only told.
    pub mark: char,
    /// What: `job`, `join Departments/Finance as learner`.
    pub what: String,
    /// What there was and what there is to be; `None` when it is not told or makes no sense here,
    /// inside it `None` for nothing.
    pub values: Option<(Option<String>, Option<String>)>,
}

impl Step {
    fn new(mark: char, what: impl Into<String>) -> Self {
        Self { mark, what: what.into(), values: None }
    }

    /// `job: "Analyst" -> "Lead analyst"`.
    pub fn sentence(&self) -> String {
        let shown = |value: &Option<String>| {
            value.as_ref().map_or_else(|| "nothing".to_owned(), |text| format!("\"{text}\""))
        };
        match &self.values {
            Some((old, new)) => format!("{}: {} -> {}", self.what, shown(old), shown(new)),
            None => self.what.clone(),
        }
    }
}

/// The steps of one person.
pub fn steps(item: &Item, personal: Personal) -> Vec<Step> {
    item.drift.iter().map(|drift| step(drift, personal)).collect()
}

fn step(drift: &Drift, personal: Personal) -> Step {
    let values = personal == Personal::Values;
    match drift {
        Drift::MissingAccount => Step::new('+', "create the account"),
        Drift::NotShown => Step::new('?', "not shown by HR any more"),
        Drift::ShouldBeInactive => Step::new('-', "deactivate the account"),
        Drift::ShouldBeActive => Step::new('+', "reactivate the account"),
        Drift::NotInGroup { group } if values => Step::new('+', format!("join {}", plain(group))),
        Drift::NotInGroup { .. } => Step::new('+', "join a group"),
        Drift::InGroup { group } if values => Step::new('-', format!("leave {}", plain(group))),
        Drift::InGroup { .. } => Step::new('-', "leave a group"),
        Drift::Field { name, old, new } => {
            let mark = match (old, new) {
                (None, Some(_)) => '+',
                (Some(_), None) => '-',
                _ => '~',
            };
            let told = |value: &Option<String>| value.as_deref().map(plain);
            Step { mark, what: plain(name), values: values.then(|| (told(old), told(new))) }
        }
        Drift::Manager { old, new } => {
            let told =
                |id: &Option<crate::model::AccountId>| id.as_ref().map(|id| plain(id.as_str()));
            Step {
                mark: '~',
                what: "manager".to_owned(),
                values: values.then(|| (told(old), told(new))),
            }
        }
        Drift::Orphan => Step::new('?', "belongs to nobody in HR"),
        Drift::Refused { reason } | Drift::Disputed { reason } => Step::new('!', plain(reason)),
    }
}

/// Why somebody was out of step, in a few words.
pub fn cause(blame: &Blame) -> &'static str {
    match blame {
        Blame::NoEvent => "no event ever came",
        Blame::Filtered { .. } => "an event came and was filtered",
        Blame::Failed { .. } => "an event came and failed",
        Blame::Due { .. } => "an event came and still waits",
        Blame::Raced { .. } => "an event came too early or too late",
        Blame::EditedByHand => "the LMS was edited by hand",
        Blame::New => "the rules changed, or new here",
    }
}

/// Where somebody stands, in a word or two.
pub fn standing(item: &Item) -> &'static str {
    match &item.state {
        ItemState::Told if item.kind.is_some() => "planned",
        ItemState::Told => "told",
        ItemState::Held => "held",
        ItemState::Queued { .. } => "waiting",
        ItemState::Done { done } if done.is_empty() => "no longer needed",
        ItemState::Done { .. } => "changed",
        ItemState::Failed { .. } => "failed",
    }
}

impl Report<'_> {
    /// `bob/3332883894112353`: the person's key; empty for an account of nobody. With the source
    /// in front no spreadsheet takes it for a number and rounds it.
    pub(super) fn person(&self, item: &Item) -> String {
        let source = &self.run.source;
        let key = item.employee.as_ref().map(|employee| plain(&format!("{source}/{employee}")));
        key.unwrap_or_default()
    }

    /// The name, where it may be told.
    pub(super) fn name(&self, item: &Item) -> String {
        if self.personal == Personal::None { String::new() } else { plain(&item.name) }
    }
}

/// The account's id, when there is one.
pub(super) fn account(item: &Item) -> String {
    item.account.as_ref().map(|id| plain(id.as_str())).unwrap_or_default()
}

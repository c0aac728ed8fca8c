//! What is wrong with one person's values, all of it at once: what was left alone, and because of
//! what nothing may be applied. No sentence holds a value.

use super::Decision;
use super::account::Holding;
use super::compile::Rule;
use super::person::NoResult;
use crate::model::OnBad;

/// The code of a value that cannot be used.
const BAD_VALUE: &str = "badValue";

/// The code of a value that is not in a table.
const UNMAPPED: &str = "unmapped";

/// Everything that is wrong.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    pub(super) remarks: Vec<String>,
    bad: Vec<String>,
    unmapped: Vec<String>,
    /// Whoever is deactivated is not kept from it by a field.
    lenient: bool,
}

impl Complaints {
    /// Complaints of which none stands in the way.
    pub(super) fn lenient() -> Self {
        Self { lenient: true, ..Self::default() }
    }

    /// Something is left alone.
    pub(super) fn left_alone(&mut self, what: &str, why: &str) {
        self.remarks.push(format!("{what} left alone: {why}"));
    }

    /// A field is given a value that it cannot hold.
    pub(super) fn bad(&mut self, what: &str, holding: &Holding, why: &str) {
        if holding.on_bad == OnBad::Refuse && !self.lenient {
            self.bad.push(remedy(&holding.rule, why, true));
        } else {
            self.left_alone(what, why);
        }
    }

    /// A field's rule has no result.
    pub(super) fn no_field(&mut self, what: &str, holding: &Holding, no: &NoResult) {
        match no {
            NoResult::Failed(why) => self.bad(what, holding, why),
            no => self.no_result(what, &holding.rule, no),
        }
    }

    /// A rule has no result.
    pub(super) fn no_result(&mut self, what: &str, rule: &Rule, no: &NoResult) {
        if matches!(no, NoResult::Refused(_)) && !self.lenient {
            self.unmapped.push(add_row(rule, no));
        } else {
            self.left_alone(what, &no.why());
        }
    }

    /// What follows when something stands in the way.
    pub(super) fn refusal(&mut self) -> Option<Decision> {
        let code = if self.bad.is_empty() { UNMAPPED } else { BAD_VALUE };
        let all: Vec<String> = self.bad.drain(..).chain(self.unmapped.drain(..)).collect();
        (!all.is_empty()).then(|| Decision::Refused { code, reason: all.join("; ") })
    }
}

/// What follows when a rule that decides over somebody has no result.
pub(super) fn undecided(rule: &Rule, no: NoResult) -> Decision {
    match no {
        NoResult::Missing(missing) => Decision::Unknown { rule: rule.key.clone(), missing },
        NoResult::Failed(_) | NoResult::Unmapped(_) => {
            Decision::Unknown { rule: rule.key.clone(), missing: Vec::new() }
        }
        NoResult::Refused(_) => Decision::Refused { code: UNMAPPED, reason: add_row(rule, &no) },
    }
}

/// What follows when a rule that decides over somebody gives what cannot be used.
pub(super) fn bad_value(rule: &Rule, why: &str) -> Decision {
    Decision::Refused { code: BAD_VALUE, reason: remedy(rule, why, false) }
}

fn remedy(rule: &Rule, why: &str, can_be_skipped: bool) -> String {
    let fields: Vec<&str> = rule.uses.iter().map(String::as_str).collect();
    let correct = if fields.is_empty() {
        "correct the rule".to_owned()
    } else {
        format!("correct {} in HiBob", fields.join(", "))
    };
    let skip = if can_be_skipped { ", or set on_bad = \"skip\" to apply the rest" } else { "" };
    format!("{}: {why} ({correct}{skip})", rule.key)
}

fn add_row(rule: &Rule, no: &NoResult) -> String {
    format!("{}: {} (add one)", rule.key, no.why())
}

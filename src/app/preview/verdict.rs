//! What a preview comes to for one person.

use crate::model::Desired;
use crate::provisioning::planning::Plan;
use crate::provisioning::rules::Decision;

/// What would become of somebody.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The source does not show the person; nothing would be done.
    NotShown,
    /// Not synchronised.
    OutOfScope {
        /// Which filter said no.
        filter: String,
        /// An account that is known to be theirs would be deactivated.
        deactivate: bool,
    },
    /// A rule that decides cannot be judged.
    Unknown {
        /// Which rule.
        rule: String,
        /// Which fields it misses.
        missing: Vec<String>,
    },
    /// The account stays as it is, because a date says so.
    AsItIs(String),
    /// A value cannot be used, and a human must act.
    Refused {
        /// The cause: `unmapped`.
        code: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A human must decide whose account it is.
    Disputed(String),
    /// The account would be left alone, for this reason.
    LeftAlone(String),
    /// This would be done.
    Planned {
        /// How the account should be.
        desired: Desired,
        /// What would be left alone, and why.
        remarks: Vec<String>,
        /// The steps.
        plan: Plan,
    },
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::OutOfScope { filter, deactivate } => Self::OutOfScope { filter, deactivate },
            Decision::Unknown { rule, missing } => Self::Unknown { rule, missing },
            Decision::AsItIs { why } => Self::AsItIs(why),
            Decision::Refused { code, reason } => Self::Refused { code: code.to_owned(), reason },
            Decision::Wanted { desired, remarks } => Self::planned(desired, remarks),
        }
    }
}

impl Verdict {
    /// An account that is wanted; the steps to it are not known yet.
    pub(super) fn planned(desired: Desired, remarks: Vec<String>) -> Self {
        Self::Planned { desired, remarks, plan: Plan::default() }
    }
}

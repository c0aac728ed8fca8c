//! What can be replaced while the worker runs: the rules, and the source, which is asked for the
//! fields that they read.

use crate::config::{MatchRule, RuleSettings};
use crate::provisioning::matching;
use crate::provisioning::rules::Rules;
use crate::sources::hibob::client::HiBob;

/// Rules with what belongs to them.
pub struct Live {
    /// The rules.
    pub rules: Rules,
    /// By what accounts are matched, in this order.
    pub matching: Vec<MatchRule>,
    /// Whether they name managers: then somebody may wait for one.
    pub managers: bool,
    /// The rules as they are written.
    pub written: RuleSettings,
    /// The source; it shows the fields that the rules read.
    pub source: HiBob,
}

impl Live {
    /// Compiled rules, with what the settings say beside them.
    pub fn new(rules: Rules, settings: &RuleSettings, source: HiBob) -> Self {
        let matching = if settings.matching.is_empty() {
            matching::USUAL.to_vec()
        } else {
            settings.matching.clone()
        };
        let (managers, written) = (settings.manager.is_some(), settings.clone());
        Self { rules, matching, managers, written, source }
    }
}

//! 360Learning (API v2) as a target.

pub mod client;
pub mod wire;

use std::sync::Arc;

use crate::clock::Deadline;
use crate::config::Learning360Settings;
use crate::model::{AccountId, Change, Done, Lane};
use crate::store::budget::Budget;
use crate::targets::{Candidate, Probe, TargetError};

/// A 360Learning company.
pub struct Learning360;

impl Learning360 {
    pub fn new(
        settings: &Learning360Settings,
        reads: Arc<Budget>,
        writes: Arc<Budget>,
    ) -> Result<Self, TargetError> {
        todo!()
    }
    /// Every account that could be each person's, surest first, in as few calls as the API allows:
    /// external ids and mails of many persons are asked for together.
    pub async fn find(
        &self,
        platform: &str,
        probes: &[Probe],
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Candidate>>, TargetError> {
        todo!()
    }
    /// The only method that changes anything. `account` is needed by all but `Create`.
    pub async fn apply(
        &self,
        platform: &str,
        account: Option<&AccountId>,
        change: &Change,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Done, TargetError> {
        todo!()
    }
    /// Credentials and scopes; answers with problems in sentences.
    pub async fn check(&self, deadline: Deadline) -> Vec<String> {
        todo!()
    }
}

//! Reads people through a HiBob service user.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Deadline;
use crate::config::HiBobSettings;
use crate::model::{Answer, EmployeeId, Lane, Record, SourceName};
use crate::sources::SourceError;
use crate::store::budget::Budget;

/// A HiBob company, seen through a service user.
pub struct HiBob;

impl HiBob {
    /// `fields`: the HiBob field ids that rules use; `root.id` is always asked for.
    pub fn new(
        name: SourceName,
        settings: &HiBobSettings,
        fields: Vec<String>,
        searches: Arc<Budget>,
    ) -> Result<Self, SourceError> {
        todo!()
    }
    /// One `people/search` for up to `people_per_search` ids. One answer for each id.
    pub async fn employees(
        &self,
        ids: &[EmployeeId],
        lane: Lane,
        deadline: Deadline,
    ) -> Result<HashMap<EmployeeId, Answer>, SourceError> {
        todo!()
    }
    /// Everyone the service user can see (no filter, showInactive).
    pub async fn everyone(
        &self,
        deadline: Deadline,
    ) -> Result<Vec<(EmployeeId, Record)>, SourceError> {
        todo!()
    }
    pub async fn with_email(
        &self,
        email: &str,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<EmployeeId>, SourceError> {
        todo!()
    }
}

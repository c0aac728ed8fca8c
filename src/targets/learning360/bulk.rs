//! Memberships of many accounts in one call: 360Learning takes them in, carries them out a while
//! later, and then says of each what came of it. The call counts against no limit of writes; three at
//! once may be under way in a company.
//!
//! Promises: what is told to be done was told so by 360Learning for just that account, group and role.
//! Whoever submits sees to it that nothing else is done to these memberships until the operation has
//! ended: it cannot be taken back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Learning360;
use super::client::Turn;
use super::codes;
use super::wire;
use crate::clock::Deadline;
use crate::model::{AccountId, GroupId, Lane, Role};
use crate::targets::TargetError;

/// One membership to give or to take away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkRow {
    /// Whose.
    #[serde(rename = "userId")]
    pub account: AccountId,
    /// In which group.
    #[serde(rename = "groupId")]
    pub group: GroupId,
    /// The role.
    pub role: Role,
}

#[derive(Serialize)]
struct Input<'a> {
    input: &'a [BulkRow],
}

#[derive(Deserialize)]
struct Operation {
    status: String,
    r#type: Option<String>,
}

impl Operation {
    fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "error")
    }

    /// Whether it is about memberships, as far as that is known.
    fn is_ours(&self) -> bool {
        let kind = self.r#type.as_deref();
        kind.is_none_or(|kind| matches!(kind, "addUsersToGroups" | "removeUsersFromGroups"))
    }
}

#[derive(Deserialize)]
struct Outcome {
    input: BulkRow,
    status: String,
}

impl Learning360 {
    /// The plural of [`Self::apply`] for memberships: gives or takes away all of these. Answers with
    /// the operation's id when 360Learning has taken them in; nothing is done then yet.
    ///
    /// # Errors
    /// After [`TargetError::Again`] and [`TargetError::OutOfTime`] it is not known whether they were
    /// taken in; see [`Self::is_bulk_under_way`]. After any other they were not.
    pub async fn apply_together(
        &self,
        gives: bool,
        rows: &[BulkRow],
        lane: Lane,
        deadline: Deadline,
    ) -> Result<String, TargetError> {
        if let Some(row) = rows.iter().find(|row| self.protection.is_listed(row.account.as_str())) {
            return Err(super::protected(&row.account, "it is listed under target.protected"));
        }
        for row in rows {
            self.protection.forget(&row.account);
        }
        let endpoint =
            if gives { "POST /bulk/groups/memberships" } else { "DELETE /bulk/groups/memberships" };
        let call = self.client.call(endpoint, &[])?.json(&Input { input: rows }).free();
        let location = self.client.submit(call, Turn { lane, deadline }).await?;
        // Its host may be another one: only the id counts.
        let id = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if wire::is_object_id(id) {
            return Ok(id.to_owned());
        }
        Err(TargetError::Again(format!("360Learning did not say where {endpoint} is carried out")))
    }

    /// Whether an operation has ended; one that does not exist has.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn has_bulk_ended(
        &self,
        id: &str,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<bool, TargetError> {
        let call = self.client.call("GET /bulk/operations/{bulkOperationId}", &[id])?;
        match self.client.ask::<Operation>(call, Turn { lane, deadline }).await {
            Ok((_, operation)) => Ok(operation.has_ended()),
            Err(error) if codes::of(&error) == Some("bulkOperationNotFound") => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The rows that an operation, which has ended, carried out.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn bulk_successes(
        &self,
        id: &str,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<BulkRow>, TargetError> {
        let call = self.client.call("GET /bulk/operations/{bulkOperationId}/results", &[id])?;
        let (_, outcomes) = self.client.ask::<Vec<Outcome>>(call, Turn { lane, deadline }).await?;
        let good = outcomes.into_iter().filter(|outcome| outcome.status == "success");
        Ok(good.map(|outcome| outcome.input).collect())
    }

    /// Whether an operation on memberships that was submitted since has not ended, anybody's.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn is_bulk_under_way(
        &self,
        since: Timestamp,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<bool, TargetError> {
        let since = since.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let call = self.client.call("GET /bulk/operations", &[])?.with("createdAt[gte]", &since);
        let all: Vec<Operation> = self.client.list(call, Turn { lane, deadline }).await?;
        Ok(all.iter().any(|operation| operation.is_ours() && !operation.has_ended()))
    }
}

//! Recording the source's id for an account in the target: the durable tie between the two.

use super::client::{Client, Turn};
use super::codes::{self, VALUE_ALREADY_USED};
use super::wire::{Mapping, NewMapping};
use crate::model::{AccountId, Done};
use crate::targets::TargetError;

/// Makes the target hold `value` for this account under `platform`. Can be repeated.
pub(super) async fn claim(
    client: &Client,
    platform: &str,
    account: &AccountId,
    value: &str,
    turn: Turn,
) -> Result<Done, TargetError> {
    let body = NewMapping { platform, target_id: account, target_type: "user", value };
    let call = client.call("POST /external-ids", &[])?.json(&body);
    let error = match client.tell(call, turn).await {
        Ok(()) => return Ok(Done::default()),
        Err(error) => error,
    };
    if !matches!(codes::of(&error), Some("mappingAlreadyExists" | VALUE_ALREADY_USED)) {
        return Err(error);
    }
    // Perhaps it is our own, from a call whose end we did not see.
    let call = client
        .call("GET /external-ids", &[])?
        .with("platform[eq]", platform)
        .with("type[eq]", "user")
        .with("targetId[eq]", account.as_str());
    let rows: Vec<Mapping> = client.list(call, turn).await?;
    let held = rows.into_iter().find(|row| row.platform == platform && row.target_id == *account);
    match held {
        Some(row) if row.value == value => Ok(Done::default()),
        Some(row) => {
            let call =
                client.call("PUT /external-ids/{mappingId}", &[row.id.as_str()])?.json(&body);
            match client.tell(call, turn).await {
                Err(error) if codes::of(&error) == Some(VALUE_ALREADY_USED) => {
                    taken(client, platform, account, value, turn, error).await
                }
                end => end.map(|()| Done::default()),
            }
        }
        None => taken(client, platform, account, value, turn, error).await,
    }
}

/// The value is in use: says by whom.
async fn taken(
    client: &Client,
    platform: &str,
    account: &AccountId,
    value: &str,
    turn: Turn,
    error: TargetError,
) -> Result<Done, TargetError> {
    let call = client
        .call("GET /external-ids", &[])?
        .with("platform[eq]", platform)
        .with("value[eq]", value);
    let rows: Vec<Mapping> = client.list(call, turn).await?;
    match rows.into_iter().find(|row| row.platform == platform && row.value == value) {
        Some(row) if row.target_id == *account => Ok(Done::default()),
        Some(row) => Err(TargetError::LookAgain {
            code: VALUE_ALREADY_USED.into(),
            advice: format!(
                "360Learning holds the external id {value} for the {} {}: decide which account is \
                 the person's and remove the external id of the other one there",
                row.target_type, row.target_id
            ),
        }),
        None => Err(error),
    }
}

//! What a deactivation takes away from an account: read before, and put back after a restore, which
//! does not do that by itself.
//!
//! Putting back adds what is missing and takes nothing away, so it can be repeated after a failure
//! at any point. What the target refuses becomes a remark, with ids only.

use std::collections::HashSet;

use super::client::{Client, Turn};
use super::codes;
use super::protection::Protection;
use super::wire::{CustomValue, OWNER};
use super::{custom, groups, managers};
use crate::model::{AccountId, AccountStatus, Done, Kept};
use crate::targets::TargetError;

/// What a deactivation would take away; `None` of an account that is deactivated already. Refused
/// for an account that is protected.
pub(super) async fn belongings(
    client: &Client,
    id: &AccountId,
    protection: &Protection,
    turn: Turn,
) -> Result<Option<Kept>, TargetError> {
    let (roles, custom_values, managers, subordinates) = tokio::try_join!(
        groups::roles(client, id, turn),
        custom::values(client, id, turn),
        accounts(client, "GET /users/{userId}/managers", id, turn),
        accounts(client, "GET /users/{userId}/subordinates", id, turn),
    )?;
    // Read last: when the account still lives now, it lived when the rest was read, and the rest is
    // whole. Of a deactivated account it would be empty, and must not replace what was kept before.
    let account = client.user(client.call("GET /users/{userId}", &[id.as_str()])?, turn).await?;
    if account.status == AccountStatus::Deleted {
        return Ok(None);
    }
    if Protection::is_owner(&roles) {
        return Err(codes::judge(codes::USER_IS_COMPANY_OWNER));
    }
    if let Some(why) = protection.listed(&account).or_else(|| protection.learn(id, &roles)) {
        return Err(super::protected(id, &why));
    }
    Ok(Some(Kept {
        roles: roles.into_iter().map(|row| (row.group_id, row.role)).collect(),
        custom_values: custom_values
            .into_iter()
            .filter_map(|value| serde_json::to_value(value).ok())
            .collect(),
        managers,
        subordinates,
    }))
}

/// Puts back what a deactivation took away.
pub(super) async fn put_back(
    client: &Client,
    id: &AccountId,
    kept: &Kept,
    turn: Turn,
) -> Result<Done, TargetError> {
    let mut remarks = Vec::new();
    put_custom_values(client, id, kept, turn, &mut remarks).await?;
    put_roles(client, id, kept, turn, &mut remarks).await?;
    put_managers(client, id, kept, turn, &mut remarks).await?;
    Ok(Done { remarks, ..Done::default() })
}

/// A value that the account has now stays: it is newer than the kept one.
async fn put_custom_values(
    client: &Client,
    id: &AccountId,
    kept: &Kept,
    turn: Turn,
    remarks: &mut Vec<String>,
) -> Result<(), TargetError> {
    if kept.custom_values.is_empty() {
        return Ok(());
    }
    let mut values = custom::values(client, id, turn).await?;
    let present: HashSet<String> =
        values.iter().map(|value| value.custom_field_id.clone()).collect();
    let missing: Vec<CustomValue> = kept
        .custom_values
        .iter()
        .filter_map(|value| serde_json::from_value::<CustomValue>(value.clone()).ok())
        .filter(|value| !present.contains(&value.custom_field_id))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let whole: Vec<CustomValue> = values.iter().chain(&missing).cloned().collect();
    match custom::replace(client, id, &whole, turn).await {
        Err(TargetError::Refused { .. }) => {}
        end => return end,
    }
    // One of them is refused and the answer does not say which: add them one by one. What is
    // refused then is left out, so that the rest is saved.
    for value in missing {
        values.push(value);
        match custom::replace(client, id, &values, turn).await {
            Err(TargetError::Refused { code, advice }) => {
                let field = values.pop().map(|value| value.custom_field_id).unwrap_or_default();
                remarks.push(format!(
                    "the value of custom field {field} was not put back ({code}: {advice})"
                ));
            }
            end => end?,
        }
    }
    Ok(())
}

async fn put_roles(
    client: &Client,
    id: &AccountId,
    kept: &Kept,
    turn: Turn,
    remarks: &mut Vec<String>,
) -> Result<(), TargetError> {
    if kept.roles.iter().all(|(_, role)| role == OWNER) {
        return Ok(());
    }
    let present = groups::roles(client, id, turn).await?;
    for (group, role) in kept.roles.iter().filter(|(_, role)| role != OWNER) {
        if present.iter().any(|row| row.group_id == *group && row.role == *role) {
            continue;
        }
        match groups::give(client, group, role, id, turn).await {
            Err(TargetError::Refused { code, advice }) => {
                let advice = if code == codes::GROUP_NOT_FOUND {
                    "the group was deleted in 360Learning in the meantime".to_owned()
                } else {
                    advice
                };
                remarks.push(format!(
                    "the role {role} in group {group} was not put back ({code}: {advice})"
                ));
            }
            end => end?,
        }
    }
    Ok(())
}

async fn put_managers(
    client: &Client,
    id: &AccountId,
    kept: &Kept,
    turn: Turn,
    remarks: &mut Vec<String>,
) -> Result<(), TargetError> {
    if !kept.managers.is_empty() {
        let present = accounts(client, "GET /users/{userId}/managers", id, turn).await?;
        for manager in kept.managers.iter().filter(|one| *one != id && !present.contains(one)) {
            match managers::add(client, id, manager, turn).await {
                Err(TargetError::Refused { code, advice }) => remarks
                    .push(format!("the manager {manager} was not put back ({code}: {advice})")),
                end => end?,
            }
        }
    }
    if !kept.subordinates.is_empty() {
        let present = accounts(client, "GET /users/{userId}/subordinates", id, turn).await?;
        for other in kept.subordinates.iter().filter(|one| *one != id && !present.contains(one)) {
            match managers::add(client, other, id, turn).await {
                // Here the manager is the account itself.
                Err(error) if managers::is_gone(&error) => return Err(codes::look_again(error)),
                Err(
                    TargetError::Refused { code, advice } | TargetError::LookAgain { code, advice },
                ) => remarks.push(format!(
                    "{other} was not given back as a subordinate ({code}: {advice})"
                )),
                end => end?,
            }
        }
    }
    Ok(())
}

async fn accounts(
    client: &Client,
    endpoint: &'static str,
    id: &AccountId,
    turn: Turn,
) -> Result<Vec<AccountId>, TargetError> {
    client.list(client.call(endpoint, &[id.as_str()])?, turn).await
}

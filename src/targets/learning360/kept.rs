//! What a deactivation takes away from an account: read before, and put back after a restore, which
//! does not do that by itself.
//!
//! Putting back adds what is missing and takes nothing away, so it can be repeated after a failure
//! at any point. What the target refuses becomes a remark, with ids only.

use std::collections::HashSet;

use super::client::{Client, Turn};
use super::codes;
use super::wire::{self, CustomValue, CustomValues, OWNER, UserRole};
use crate::model::{Account, AccountId, AccountStatus, Done, Kept};
use crate::targets::TargetError;

/// What a deactivation would take away; `None` of an account that is deactivated already. Refused
/// for the owner's account, and for one that `protection` gives a reason for.
pub(super) async fn belongings(
    client: &Client,
    id: &AccountId,
    protection: impl Fn(&Account) -> Option<String>,
    turn: Turn,
) -> Result<Option<Kept>, TargetError> {
    let (roles, custom_values, managers, subordinates) = tokio::try_join!(
        roles(client, id, turn),
        custom_values(client, id, turn),
        accounts(client, "GET /users/{userId}/managers", id, turn),
        accounts(client, "GET /users/{userId}/subordinates", id, turn),
    )?;
    // Read last: when the account still lives now, it lived when the rest was read, and the rest is
    // whole. Of a deactivated account it would be empty, and must not replace what was kept before.
    let account = client.user(client.call("GET /users/{userId}", &[id.as_str()])?, turn).await?;
    if account.status == AccountStatus::Deleted {
        return Ok(None);
    }
    if roles.iter().any(|row| row.role == OWNER) {
        return Err(codes::judge(codes::USER_IS_COMPANY_OWNER));
    }
    if let Some(why) = protection(&account) {
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
    let mut values = custom_values(client, id, turn).await?;
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
    match replace_values(client, id, &whole, turn).await {
        Err(TargetError::Refused { .. }) => {}
        end => return end,
    }
    // One of them is refused and the answer does not say which: add them one by one. What is
    // refused then is left out, so that the rest is saved.
    for value in missing {
        values.push(value);
        match replace_values(client, id, &values, turn).await {
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

async fn replace_values(
    client: &Client,
    id: &AccountId,
    values: &[CustomValue],
    turn: Turn,
) -> Result<(), TargetError> {
    let call = client
        .call("PUT /users/{userId}/custom-fields/values", &[id.as_str()])?
        .json(&CustomValues { custom_values: values });
    client.tell(call, turn).await
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
    let present = roles(client, id, turn).await?;
    for (group, role) in kept.roles.iter().filter(|(_, role)| role != OWNER) {
        if present.iter().any(|row| row.group_id == *group && row.role == *role) {
            continue;
        }
        let parts = [group.as_str(), wire::role_in_path(role), id.as_str()];
        let call = client.call("POST /groups/{groupId}/{role}/{userId}", &parts);
        match add(client, call, turn).await {
            Err(TargetError::Refused { code, advice }) => {
                let advice = if code == "groupNotFound" {
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
    let endpoint = "POST /users/{userId}/managers/{managerId}";
    if !kept.managers.is_empty() {
        let present = accounts(client, "GET /users/{userId}/managers", id, turn).await?;
        for manager in kept.managers.iter().filter(|one| *one != id && !present.contains(one)) {
            let call = client.call(endpoint, &[id.as_str(), manager.as_str()]);
            match add(client, call, turn).await {
                Err(TargetError::Refused { code, advice }) => remarks
                    .push(format!("the manager {manager} was not put back ({code}: {advice})")),
                end => end?,
            }
        }
    }
    if !kept.subordinates.is_empty() {
        let present = accounts(client, "GET /users/{userId}/subordinates", id, turn).await?;
        for other in kept.subordinates.iter().filter(|one| *one != id && !present.contains(one)) {
            let call = client.call(endpoint, &[other.as_str(), id.as_str()]);
            match add(client, call, turn).await {
                // Here the manager is the account itself.
                Err(TargetError::Refused { code, advice })
                    if code == "managerNotFound" || code == "managerDeleted" =>
                {
                    return Err(TargetError::LookAgain { code, advice });
                }
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

/// Adds something; that it is there already is as good, whichever code says so (none is
/// documented).
async fn add(
    client: &Client,
    call: Result<super::client::Call, TargetError>,
    turn: Turn,
) -> Result<(), TargetError> {
    match client.tell(call?, turn).await {
        Err(error)
            if codes::of(&error)
                .is_some_and(|code| code.to_ascii_lowercase().contains("already")) =>
        {
            Ok(())
        }
        end => end,
    }
}

async fn roles(client: &Client, id: &AccountId, turn: Turn) -> Result<Vec<UserRole>, TargetError> {
    client.list(client.call("GET /users/{userId}/roles", &[id.as_str()])?, turn).await
}

async fn custom_values(
    client: &Client,
    id: &AccountId,
    turn: Turn,
) -> Result<Vec<CustomValue>, TargetError> {
    client
        .list(client.call("GET /users/{userId}/custom-fields/values", &[id.as_str()])?, turn)
        .await
}

async fn accounts(
    client: &Client,
    endpoint: &'static str,
    id: &AccountId,
    turn: Turn,
) -> Result<Vec<AccountId>, TargetError> {
    client.list(client.call(endpoint, &[id.as_str()])?, turn).await
}

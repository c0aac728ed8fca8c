//! Roles in groups: giving and taking them. Each can be repeated.

use super::catalogue::Shelf;
use super::client::{Client, Turn};
use super::codes::{self, ANALYST_UNAVAILABLE, GROUP_NOT_FOUND};
use super::wire::{self, UserRole};
use crate::model::{AccountId, Done, GroupId};
use crate::targets::TargetError;

/// All roles that an account has.
pub(super) async fn roles(
    client: &Client,
    id: &AccountId,
    turn: Turn,
) -> Result<Vec<UserRole>, TargetError> {
    client.list(client.call("GET /users/{userId}/roles", &[id.as_str()])?, turn).await
}

/// Gives a role; that it is there already is as good.
pub(super) async fn give(
    client: &Client,
    group: &GroupId,
    role: &str,
    id: &AccountId,
    turn: Turn,
) -> Result<(), TargetError> {
    let parts = [group.as_str(), wire::role_in_path(role), id.as_str()];
    let call = client.call("POST /groups/{groupId}/{role}/{userId}", &parts)?;
    codes::or_there_already(client.tell(call, turn).await)
}

/// Gives a role in the group with this id or, without one, in the one at the end of the path. What
/// comes of it names the group, except where the platform does not have the role.
pub(super) async fn join(
    client: &Client,
    shelf: &Shelf,
    id: &AccountId,
    (group, path): (Option<&GroupId>, &[String]),
    role: &str,
    turn: Turn,
) -> Result<Done, TargetError> {
    let group = match group {
        Some(group) => group.clone(),
        None => shelf.group(path, turn).await?,
    };
    match give(client, &group, role, id, turn).await {
        Ok(()) => Ok(Done { group: Some(group), ..Done::default() }),
        Err(error) => match codes::of(&error) {
            Some(GROUP_NOT_FOUND) => {
                shelf.forget();
                Err(codes::look_again(error))
            }
            Some(ANALYST_UNAVAILABLE) => {
                Ok(Done { remarks: vec![without(&group, role, &error)], ..Done::default() })
            }
            _ => Err(error),
        },
    }
}

/// Takes a role away; that it, or the group, is not there any more is as good.
pub(super) async fn leave(
    client: &Client,
    shelf: &Shelf,
    id: &AccountId,
    group: &GroupId,
    role: &str,
    turn: Turn,
) -> Result<Done, TargetError> {
    let parts = [group.as_str(), wire::role_in_path(role), id.as_str()];
    let call = client.call("DELETE /groups/{groupId}/{role}/{userId}", &parts)?;
    let Err(error) = client.tell(call, turn).await else { return Ok(Done::default()) };
    match codes::of(&error) {
        Some("userNotFoundInGroup") => Ok(Done::default()),
        Some(GROUP_NOT_FOUND) => {
            shelf.forget();
            Ok(Done::default())
        }
        // Nobody has a role that the platform does not have.
        Some(ANALYST_UNAVAILABLE) => {
            Ok(Done { remarks: vec![without(group, role, &error)], ..Done::default() })
        }
        _ => Err(error),
    }
}

fn without(group: &GroupId, role: &str, error: &TargetError) -> String {
    format!("the role {role} in group {group} was left alone ({error})")
}

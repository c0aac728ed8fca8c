//! Who manages an account: one is added, another one taken away. Both can be repeated.

use super::client::{Client, Turn};
use super::codes::{self, MANAGER_DELETED, MANAGER_NOT_FOUND};
use crate::model::{AccountId, Done};
use crate::targets::TargetError;

/// Who manages an account.
pub(super) async fn of(
    client: &Client,
    id: &AccountId,
    turn: Turn,
) -> Result<Vec<AccountId>, TargetError> {
    client.list(client.call("GET /users/{userId}/managers", &[id.as_str()])?, turn).await
}

/// Makes one account the manager of another; that it is already is as good.
pub(super) async fn add(
    client: &Client,
    id: &AccountId,
    manager: &AccountId,
    turn: Turn,
) -> Result<(), TargetError> {
    let parts = [id.as_str(), manager.as_str()];
    let call = client.call("POST /users/{userId}/managers/{managerId}", &parts)?;
    codes::or_there_already(client.tell(call, turn).await)
}

/// Adds a manager first, then takes the other one away, so that nobody is without one in between.
pub(super) async fn set(
    client: &Client,
    id: &AccountId,
    new: Option<&AccountId>,
    old: Option<&AccountId>,
    turn: Turn,
) -> Result<Done, TargetError> {
    if new == Some(id) {
        return Err(TargetError::Refused {
            code: "managesSelf".into(),
            advice: "nobody can be their own manager: correct the manager in HR, or the rule \
                     rules.manager"
                .into(),
        });
    }
    if let Some(new) = new {
        match add(client, id, new, turn).await {
            Err(error) if is_gone(&error) => return Err(codes::look_again(error)),
            end => end?,
        }
    }
    if let Some(old) = old.filter(|old| Some(*old) != new) {
        let parts = [id.as_str(), old.as_str()];
        let call = client.call("DELETE /users/{userId}/managers/{managerId}", &parts)?;
        match client.tell(call, turn).await {
            Err(error)
                if is_gone(&error) || codes::of(&error) == Some("managerNotAssignedToUser") => {}
            end => end?,
        }
    }
    Ok(Done::default())
}

/// Whether the manager's account is not there, or deactivated.
pub(super) fn is_gone(error: &TargetError) -> bool {
    matches!(codes::of(error), Some(MANAGER_NOT_FOUND | MANAGER_DELETED))
}

//! The paths of the API that the double knows, and the scope that each needs.

use super::super::service::Endpoint;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Token,
    Users,
    CreateUser,
    User,
    PatchUser,
    DeleteUser,
    Activate,
    UserRoles,
    Managers,
    Subordinates,
    AddManager,
    RemoveManager,
    CustomValues,
    SetCustomValues,
    Groups,
    CreateGroup,
    Group,
    PatchGroup,
    DeleteGroup,
    GroupRoles,
    AddRole,
    RemoveRole,
    CustomFields,
    CreateCustomField,
    PatchCustomField,
    DeleteCustomField,
    Authorized,
    Authorize,
    ExternalIds,
    CreateExternalId,
    PutExternalId,
    DeleteExternalId,
    BulkAdd,
    BulkRemove,
    Operations,
    Operation,
    Results,
}

impl Op {
    /// The scope that the credentials need for it.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Token => "",
            Self::Users
            | Self::User
            | Self::UserRoles
            | Self::CustomValues
            | Self::Managers
            | Self::Subordinates => "users:read",
            Self::CreateUser
            | Self::PatchUser
            | Self::DeleteUser
            | Self::Activate
            | Self::AddManager
            | Self::RemoveManager
            | Self::SetCustomValues => "users:write",
            Self::CustomFields | Self::Authorized => "customFields:read",
            Self::CreateCustomField
            | Self::PatchCustomField
            | Self::DeleteCustomField
            | Self::Authorize => "customFields:write",
            Self::Groups | Self::Group | Self::GroupRoles => "groups:read",
            Self::CreateGroup
            | Self::PatchGroup
            | Self::DeleteGroup
            | Self::AddRole
            | Self::RemoveRole => "groups:write",
            Self::ExternalIds => "externalIds:read",
            Self::CreateExternalId | Self::PutExternalId | Self::DeleteExternalId => {
                "externalIds:write"
            }
            Self::BulkAdd | Self::BulkRemove => "groups:bulk",
            Self::Operations | Self::Operation | Self::Results => "bulkOperations:read",
        }
    }
}

/// Every operation, by the specification's paths.
pub const fn endpoints() -> [Endpoint<Op>; 37] {
    const fn on(method: &'static str, path: &'static str, op: Op) -> Endpoint<Op> {
        Endpoint { method, path, op }
    }
    [
        on("POST", "/api/v2/oauth2/token", Op::Token),
        on("GET", "/api/v2/users", Op::Users),
        on("POST", "/api/v2/users", Op::CreateUser),
        on("GET", "/api/v2/users/{userId}", Op::User),
        on("PATCH", "/api/v2/users/{userId}", Op::PatchUser),
        on("DELETE", "/api/v2/users/{userId}", Op::DeleteUser),
        on("PUT", "/api/v2/users/{userId}/activate", Op::Activate),
        on("GET", "/api/v2/users/{userId}/roles", Op::UserRoles),
        on("GET", "/api/v2/users/{userId}/managers", Op::Managers),
        on("GET", "/api/v2/users/{userId}/subordinates", Op::Subordinates),
        on("POST", "/api/v2/users/{userId}/managers/{managerId}", Op::AddManager),
        on("DELETE", "/api/v2/users/{userId}/managers/{managerId}", Op::RemoveManager),
        on("GET", "/api/v2/users/{userId}/custom-fields/values", Op::CustomValues),
        on("PUT", "/api/v2/users/{userId}/custom-fields/values", Op::SetCustomValues),
        on("GET", "/api/v2/groups", Op::Groups),
        on("POST", "/api/v2/groups", Op::CreateGroup),
        on("GET", "/api/v2/groups/{groupId}", Op::Group),
        on("PATCH", "/api/v2/groups/{groupId}", Op::PatchGroup),
        on("DELETE", "/api/v2/groups/{groupId}", Op::DeleteGroup),
        on("GET", "/api/v2/groups/{groupId}/roles", Op::GroupRoles),
        on("POST", "/api/v2/groups/{groupId}/{role}/{userId}", Op::AddRole),
        on("DELETE", "/api/v2/groups/{groupId}/{role}/{userId}", Op::RemoveRole),
        on("GET", "/api/v2/custom-fields", Op::CustomFields),
        on("POST", "/api/v2/custom-fields", Op::CreateCustomField),
        on("PATCH", "/api/v2/custom-fields/{customFieldId}", Op::PatchCustomField),
        on("DELETE", "/api/v2/custom-fields/{customFieldId}", Op::DeleteCustomField),
        on("GET", "/api/v2/custom-fields/{customFieldId}/authorized-values", Op::Authorized),
        on("PUT", "/api/v2/custom-fields/{customFieldId}/authorized-values", Op::Authorize),
        on("GET", "/api/v2/external-ids", Op::ExternalIds),
        on("POST", "/api/v2/external-ids", Op::CreateExternalId),
        on("PUT", "/api/v2/external-ids/{mappingId}", Op::PutExternalId),
        on("DELETE", "/api/v2/external-ids/{mappingId}", Op::DeleteExternalId),
        on("POST", "/api/v2/bulk/groups/memberships", Op::BulkAdd),
        on("DELETE", "/api/v2/bulk/groups/memberships", Op::BulkRemove),
        on("GET", "/api/v2/bulk/operations", Op::Operations),
        on("GET", "/api/v2/bulk/operations/{bulkOperationId}", Op::Operation),
        on("GET", "/api/v2/bulk/operations/{bulkOperationId}/results", Op::Results),
    ]
}

//! What the documentation leaves open, as switches: whoever calls must survive both outcomes.

use serde::{Deserialize, Serialize};

/// What the documentation leaves open, and what tests want otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an open question of its own")]
pub struct Settings {
    /// How long a token lives.
    pub token_seconds: u64,
    /// The scopes of the credentials.
    pub scopes: Vec<String>,
    /// Whether a missing scope is told as a bare string, as the guide has it.
    pub bare_invalid_scope: bool,
    /// Whether deleting a deleted account is "not found".
    pub delete_deleted_is_404: bool,
    /// Whether the body of a create that restores also updates the profile.
    pub restore_updates_fields: bool,
    /// Whether a restored account has its custom values back.
    pub restore_keeps_custom_fields: bool,
    /// Whether external ids outlive a deletion.
    pub external_ids_survive_delete: bool,
    /// Whether filters on mails look at upper and lower case.
    pub mail_filter_case_sensitive: bool,
    /// Whether a list of users without a filter on their status hides the deleted ones.
    pub unfiltered_hides_deleted: bool,
    /// Whether giving a role twice is refused.
    pub role_twice_is_error: bool,
    /// Whether the company has the role `analyst`.
    pub analyst_available: bool,
    /// How many groups there may be.
    pub most_groups: usize,
    /// How many values a filter may have.
    pub in_limit: usize,
    /// Whether bulk calls work.
    pub bulk_enabled: bool,
    /// How long a bulk operation takes.
    pub bulk_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let scopes = [
            "users:read",
            "users:write",
            "groups:read",
            "groups:write",
            "groups:bulk",
            "bulkOperations:read",
            "customFields:read",
            "customFields:write",
            "externalIds:read",
            "externalIds:write",
        ];
        Self {
            token_seconds: 3600,
            scopes: scopes.map(str::to_owned).to_vec(),
            bare_invalid_scope: false,
            delete_deleted_is_404: false,
            restore_updates_fields: false,
            restore_keeps_custom_fields: false,
            external_ids_survive_delete: true,
            mail_filter_case_sensitive: false,
            unfiltered_hides_deleted: false,
            role_twice_is_error: false,
            analyst_available: true,
            most_groups: 100_000,
            in_limit: 50,
            bulk_enabled: true,
            bulk_ms: 200,
        }
    }
}

//! 360Learning's error codes: what each one makes the caller do, and what a person can do about it.
//! One table; the codes are those of the official specification for the calls that we make.

use crate::targets::TargetError;

/// What the caller does.
#[derive(Clone, Copy)]
enum Then {
    /// The account is not as we thought.
    LookAgain,
    /// It stays so until a person acts.
    Refuse,
}
use Then::{LookAgain, Refuse};

/// An account cannot be created or changed while another one has its mail or user name.
pub(super) const VALUE_ALREADY_USED: &str = "valueAlreadyUsed";
/// The owner cannot be deactivated.
pub(super) const USER_IS_COMPANY_OWNER: &str = "userIsCompanyOwner";
/// There is no such group.
pub(super) const GROUP_NOT_FOUND: &str = "groupNotFound";
/// The platform does not have the role.
pub(super) const ANALYST_UNAVAILABLE: &str = "analystUnavailable";
/// There is no such custom field.
pub(super) const CUSTOM_FIELD_NOT_FOUND: &str = "customFieldNotFound";
/// A custom field does not take this value.
pub(super) const UNAUTHORIZED_VALUE: &str = "unauthorizedValue";
/// A custom field holds something of another type.
pub(super) const WRONG_TYPE_VALUE: &str = "wrongTypeValue";
/// The manager has no account.
pub(super) const MANAGER_NOT_FOUND: &str = "managerNotFound";
/// The manager's account is deactivated.
pub(super) const MANAGER_DELETED: &str = "managerDeleted";

const TABLE: &[(&str, Then, &str)] = &[
    // Users
    (
        "userNotFound",
        LookAgain,
        "360Learning has no account with the id that we know; if looking again does not help, it \
         was erased there: remove the person's external id in 360Learning or make the account again",
    ),
    ("userDeleted", LookAgain, "the account was deactivated in 360Learning in the meantime"),
    (
        "invalidUpdateOnDeletedUser",
        LookAgain,
        "the account was deactivated in 360Learning in the meantime and must be restored first",
    ),
    (
        "mailAlreadyUsed",
        LookAgain,
        "another account, perhaps a deactivated one, has this mail; if looking again does not \
         help, change the mail of that account in 360Learning, or the person's mail in HR",
    ),
    (
        "usernameAlreadyUsed",
        LookAgain,
        "another account, perhaps a deactivated one, has this user name; if looking again does not \
         help, change it there, or the rule rules.fields.username",
    ),
    (
        "mailInvalid",
        Refuse,
        "360Learning does not take the mail for an address: correct it in HR, or the rule \
         rules.fields.email",
    ),
    (
        "mailUsedTooManyTimes",
        Refuse,
        "several accounts in 360Learning have this mail: make it unique there, then replay",
    ),
    (
        "mailAndUsernameUndefined",
        Refuse,
        "the person has neither a mail nor a user name: fill one of them in HR, or give \
         rules.fields.username a rule",
    ),
    (
        "usernameNotAllowed",
        Refuse,
        "360Learning does not take the user name: lower-case letters, digits and _ - . + # ! $ % & \
         ' * / = ? ^ ` { | } ~ are allowed, and user names must be switched on for the platform",
    ),
    (
        "userShouldHaveAtLeastOneValidIdentifier",
        Refuse,
        "the change would leave the account with neither a mail nor a user name: fill one of them \
         in HR",
    ),
    (
        "loginIdentifierMultipleUsersFound",
        Refuse,
        "the mail and the user name belong to two different accounts in 360Learning: decide which \
         one is the person's and correct the other one there, then replay",
    ),
    (
        "deactivationDateInvalid",
        Refuse,
        "the moment at which 360Learning shall deactivate the account must be a date and time in the \
         future: correct the date in HR, or the rule rules.fields.deactivate_at; one that stands in \
         the account already is cleared in 360Learning",
    ),
    (
        "notMemberOfPrimaryGroup",
        Refuse,
        "the account's primary group in 360Learning is one that it is not a member of: correct it \
         there",
    ),
    (
        "ownerDeactivationNotAllowed",
        Refuse,
        "this is the account of the company's owner, which cannot be deactivated: hand the \
         ownership over in 360Learning first, or list the account under target.protected",
    ),
    (
        USER_IS_COMPANY_OWNER,
        Refuse,
        "this is the account of the company's owner, which cannot be deactivated: hand the \
         ownership over in 360Learning first, or list the account under target.protected",
    ),
    ("mediaNotFound", Refuse, "360Learning does not find the account's image: set it anew there"),
    (
        "passwordInvalid",
        Refuse,
        "360Learning does not take the password: it needs at least 8 characters",
    ),
    (
        "userNotDeleted",
        Refuse,
        "only a deactivated account can be pseudonymised: deactivate it first",
    ),
    // Groups and roles
    (
        GROUP_NOT_FOUND,
        Refuse,
        "360Learning has no such group: correct target.default_group or the rule under rules.groups \
         that names it (create = true lets it be made), or make the group there, then replay",
    ),
    (
        "parentGroupNotFound",
        Refuse,
        "360Learning has no such parent group: look whether it was deleted there, and correct the \
         rule under rules.groups that names it",
    ),
    ("userNotFoundInGroup", Refuse, "the account has no such role in this group any more"),
    (
        ANALYST_UNAVAILABLE,
        Refuse,
        "the platform's plan does not include the role analyst: give another role in the rule under \
         rules.groups, or in 360Learning",
    ),
    (
        "maxGroupsLimitReached",
        Refuse,
        "the platform has as many groups as its plan allows: delete some there or ask 360Learning, \
         then replay",
    ),
    ("subdomainUnavailable", Refuse, "another group has this subdomain: choose another one"),
    ("rootGroupNotPublic", Refuse, "the platform's root group cannot be made public"),
    ("groupIsRoot", Refuse, "the platform's root group cannot be deleted"),
    (
        "parentGroupNotDescendantOrSelf",
        Refuse,
        "a group cannot be moved below itself: choose another parent",
    ),
    (
        "hasActiveIntegrationsOrLtiConnectors",
        Refuse,
        "the group has active integrations: end them in 360Learning first",
    ),
    // Custom fields
    (
        CUSTOM_FIELD_NOT_FOUND,
        Refuse,
        "360Learning has no such custom field any more: look whether it was deleted there, and \
         correct the rule under rules.custom_fields that names it",
    ),
    (
        UNAUTHORIZED_VALUE,
        Refuse,
        "the value is not among the authorised values of the custom field: add it there",
    ),
    (
        WRONG_TYPE_VALUE,
        Refuse,
        "the value does not fit the type of the custom field: a date must be YYYY-MM-DD",
    ),
    (
        "multipleValuesForSingleCustomField",
        Refuse,
        "a custom field was given two values: this is a fault in Instep, please report it",
    ),
    (
        "customFieldLimitReached",
        Refuse,
        "the platform has as many custom fields as it can: delete some in 360Learning",
    ),
    ("invalidName", Refuse, "360Learning does not take the name of the custom field: change it"),
    ("nameAlreadyTaken", Refuse, "another custom field has this name: choose another one"),
    (
        "customFieldsTargetTypeNotEnabled",
        Refuse,
        "custom fields of this kind are not switched on for the platform: ask 360Learning",
    ),
    (
        "customFieldValuesConflict",
        Refuse,
        "accounts hold values that would no longer be authorised: change those first",
    ),
    (
        "authorizedValuesTypeMismatch",
        Refuse,
        "the authorised values do not fit the type of the custom field",
    ),
    // External ids
    (
        "mappingAlreadyExists",
        LookAgain,
        "360Learning already holds an external id for this account under our platform name",
    ),
    (
        "targetAlreadyMapped",
        LookAgain,
        "360Learning already holds another external id for this account under our platform name",
    ),
    (
        VALUE_ALREADY_USED,
        LookAgain,
        "360Learning holds the person's external id for another account: decide which account is \
         the person's and remove the external id of the other one there",
    ),
    (
        "mappingIdNotFound",
        LookAgain,
        "the account's external id was removed in 360Learning in the meantime",
    ),
    (
        "resourceNotFound",
        LookAgain,
        "360Learning has no account with the id that we know, so it takes no external id for it",
    ),
    (
        "reservedPlatformName",
        Refuse,
        "360Learning keeps the platform name of this source for itself: give the source another \
         name in the configuration",
    ),
    // Managers
    (
        MANAGER_NOT_FOUND,
        Refuse,
        "360Learning has no account with the id that we know of the manager: look whether it was \
         erased there, then replay the manager",
    ),
    (
        MANAGER_DELETED,
        Refuse,
        "the manager's account is deactivated in 360Learning: correct the manager in HR, or activate \
         that account",
    ),
    ("managerNotAssignedToUser", Refuse, "the account is not managed by this manager any more"),
    // Requests as such
    (
        "badMediaType",
        Refuse,
        "360Learning does not take the form of our request: this is a fault in Instep, please \
         report it",
    ),
    (
        "badRequest",
        Refuse,
        "360Learning finds the request malformed: look whether a value is empty, has the wrong \
         form (a language must be one of its codes) or an id is not one of its own",
    ),
];

/// What a 400, 404 or 409 with this code means for the caller. A code that the table does not know
/// is refused: it is never tried blindly again.
pub(super) fn judge(code: &str) -> TargetError {
    let (then, advice) = TABLE
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or((Refuse, None), |(_, then, advice)| (*then, Some(*advice)));
    let advice = advice.map_or_else(
        || {
            format!(
                "360Learning refuses this and this version of Instep does not know the code: look \
                 up {code} in its API reference, or ask its support"
            )
        },
        str::to_owned,
    );
    let code = code.to_owned();
    match then {
        LookAgain => TargetError::LookAgain { code, advice },
        Refuse => TargetError::Refused { code, advice },
    }
}

/// The code of an error that has one.
pub(super) fn of(error: &TargetError) -> Option<&str> {
    match error {
        TargetError::LookAgain { code, .. } | TargetError::Refused { code, .. } => Some(code),
        _ => None,
    }
}

/// The same, for a caller who knows that finding and planning again is worth a try.
pub(super) fn look_again(error: TargetError) -> TargetError {
    match error {
        TargetError::Refused { code, advice } => TargetError::LookAgain { code, advice },
        other => other,
    }
}

/// Takes "it is there already" for success, whichever code says so: none is documented.
pub(super) fn or_there_already(end: Result<(), TargetError>) -> Result<(), TargetError> {
    match end {
        Err(error)
            if of(&error).is_some_and(|code| code.to_ascii_lowercase().contains("already")) =>
        {
            Ok(())
        }
        end => end,
    }
}

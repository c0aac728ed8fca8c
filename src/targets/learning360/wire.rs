//! What goes over the wire: 360Learning's names and shapes, and nothing that is not documented.
//!
//! Reading is lenient (members we do not know are ignored), writing is exact.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codes;
use crate::model::{
    Account, AccountId, AccountStatus, CustomField, CustomFieldId, CustomKind, Field, Group,
    GroupId,
};
use crate::targets::TargetError;

/// The member of a user object that holds a field.
pub fn member(field: Field) -> &'static str {
    match field {
        Field::Email => "mail",
        Field::Username => "username",
        Field::FirstName => "firstName",
        Field::LastName => "lastName",
        Field::Job => "job",
        Field::Lang => "lang",
        Field::Organization => "organization",
        Field::Phone => "phone",
        Field::DeactivateAt => "toBeDeactivatedAt",
    }
}

/// A field's text as 360Learning wants it: a moment has milliseconds there.
pub(super) fn written(field: Field, text: &str) -> Result<Cow<'_, str>, TargetError> {
    if field != Field::DeactivateAt {
        return Ok(Cow::Borrowed(text));
    }
    match text.trim().parse::<Timestamp>() {
        Ok(at) => Ok(Cow::Owned(at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())),
        // What it would say to it, without the call.
        Err(_) => Err(codes::judge("deactivationDateInvalid")),
    }
}

/// A moment as the model has it: in UTC, to the second. What is none stays as it is.
fn to_the_second(text: String) -> String {
    let at = text.parse::<Timestamp>().and_then(|at| Timestamp::from_second(at.as_second()));
    at.map_or(text, |at| at.to_string())
}

/// A user as 360Learning shows it. Empty members are absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(rename = "_id")]
    id: String,
    status: String,
    lang: Option<String>,
    mail: Option<String>,
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    job: Option<String>,
    organization: Option<String>,
    phone: Option<String>,
    to_be_deactivated_at: Option<String>,
}

impl User {
    /// Its id, first and last name, empty where there is none.
    pub fn name(&self) -> (&str, &str, &str) {
        let first = self.first_name.as_deref().unwrap_or_default();
        let last = self.last_name.as_deref().unwrap_or_default();
        (&self.id, first, last)
    }
}

impl TryFrom<User> for Account {
    type Error = TargetError;

    fn try_from(user: User) -> Result<Self, TargetError> {
        let status = match user.status.as_str() {
            "invited" => AccountStatus::Invited,
            "active" => AccountStatus::Active,
            "deleted" => AccountStatus::Deleted,
            _ => {
                return Err(TargetError::Again(format!(
                    "360Learning shows the account {} with a status that this version of Instep \
                     does not know: look for a newer version",
                    user.id
                )));
            }
        };
        let fields = [
            (Field::Email, user.mail),
            (Field::Username, user.username),
            (Field::FirstName, user.first_name),
            (Field::LastName, user.last_name),
            (Field::Job, user.job),
            (Field::Lang, user.lang),
            (Field::Organization, user.organization),
            (Field::Phone, user.phone),
            (Field::DeactivateAt, user.to_be_deactivated_at.map(to_the_second)),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field, value.filter(|text| !text.is_empty())?)))
            .collect();
        Ok(Self { id: AccountId::new(user.id), status, fields })
    }
}

/// The body of `POST /users`.
#[derive(Serialize)]
pub(super) struct NewUser<'a> {
    #[serde(flatten)]
    pub fields: BTreeMap<&'static str, Cow<'a, str>>,
    pub membership: Membership<'a>,
}

/// The one group that a new user joins.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Membership<'a> {
    pub group_id: &'a GroupId,
    pub role: &'static str,
}

/// A group, as far as we look at it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupRow {
    #[serde(rename = "_id")]
    id: GroupId,
    name: String,
    parent_id: Option<GroupId>,
    #[serde(default)]
    public: bool,
}

impl From<GroupRow> for Group {
    fn from(row: GroupRow) -> Self {
        Self { id: row.id, name: row.name, parent: row.parent_id, public: row.public }
    }
}

/// The body of `POST /groups`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewGroup<'a> {
    pub name: &'a str,
    pub public: bool,
    pub parent_id: &'a GroupId,
}

/// A custom field's definition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Definition {
    #[serde(rename = "_id")]
    id: CustomFieldId,
    name: String,
    target_type: String,
    r#type: String,
}

impl Definition {
    /// The custom field, if it is one of accounts. Its authorised values are told elsewhere.
    pub fn of_accounts(self) -> Option<CustomField> {
        let kind = if self.r#type == "date" { CustomKind::Date } else { CustomKind::Text };
        (self.target_type == "users").then(|| CustomField {
            id: self.id,
            name: self.name,
            kind,
            allowed: Vec::new(),
        })
    }
}

/// The word for what a custom field holds.
pub(super) fn kind(kind: CustomKind) -> &'static str {
    match kind {
        CustomKind::Text => "string",
        CustomKind::Date => "date",
    }
}

/// A row of `/external-ids`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mapping {
    #[serde(rename = "_id")]
    pub id: String,
    pub platform: String,
    pub target_id: AccountId,
    pub target_type: String,
    pub value: String,
}

/// The body of `POST /external-ids` and `PUT /external-ids/{mappingId}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewMapping<'a> {
    pub platform: &'a str,
    pub target_id: &'a AccountId,
    pub target_type: &'static str,
    pub value: &'a str,
}

/// A row of `GET /users/{userId}/roles`.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserRole {
    pub group_id: GroupId,
    pub role: String,
}

/// The role of the company's owner: it can be read, not given.
pub(super) const OWNER: &str = "owner";

/// The role of those who administer a group.
pub(super) const ADMIN: &str = "admin";

/// How a role is spelt in a path.
pub(super) fn role_in_path(role: &str) -> &str {
    if role == "userAdmin" { "user-admin" } else { role }
}

/// One value of a custom field.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomValue {
    pub custom_field_id: String,
    pub r#type: String,
    pub value: Value,
}

/// The body of `PUT /users/{userId}/custom-fields/values`: the whole set.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomValues<'a> {
    pub custom_values: &'a [CustomValue],
}

/// Writes a body.
pub(super) fn body(value: &impl Serialize) -> Vec<u8> {
    // Our bodies are plain data with text keys, which always can be written.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads an answer; the error names the place but shows nothing of the answer.
pub(super) fn read<T: DeserializeOwned>(endpoint: &str, body: &[u8]) -> Result<T, TargetError> {
    serde_json::from_slice(body).map_err(|error| {
        TargetError::Again(if error.is_data() {
            format!(
                "360Learning answered {endpoint} with JSON that is not as documented (line {}, \
                 column {})",
                error.line(),
                error.column()
            )
        } else {
            format!("360Learning answered {endpoint} with something that is not whole JSON")
        })
    })
}

/// Whether a body is JSON at all.
pub(super) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// The error code of an answer: `error.code`, else `error` as text, else `code`. A code is a word;
/// anything else could be about a person and is not taken.
pub(super) fn code(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let error = &answer["error"];
    let code = [&error["code"], error, &answer["code"]].into_iter().find_map(Value::as_str)?;
    let word = (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word.then(|| code.to_owned())
}

/// Whether a text has the form of 360Learning's ids.
pub(super) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

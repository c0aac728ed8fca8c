//! The values of an account's custom fields: read, merged and written as a whole, because a value
//! that is left out of the write is gone.

use std::collections::BTreeMap;

use super::catalogue::Shelf;
use super::client::{Client, Turn};
use super::codes::{self, CUSTOM_FIELD_NOT_FOUND, UNAUTHORIZED_VALUE, WRONG_TYPE_VALUE};
use super::wire::{self, CustomValue, CustomValues};
use crate::model::{AccountId, CustomField, CustomFieldId, CustomKind, Done};
use crate::targets::TargetError;

/// The values that an account has.
pub(super) async fn values(
    client: &Client,
    id: &AccountId,
    turn: Turn,
) -> Result<Vec<CustomValue>, TargetError> {
    client
        .list(client.call("GET /users/{userId}/custom-fields/values", &[id.as_str()])?, turn)
        .await
}

/// Replaces all values of an account.
pub(super) async fn replace(
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

/// Sets or clears these values and leaves all others as they are. Can be repeated. When one is
/// refused, the error names its field, and those before it may have been written.
pub(super) async fn set(
    client: &Client,
    shelf: &Shelf,
    id: &AccountId,
    wanted: &BTreeMap<CustomFieldId, Option<String>>,
    turn: Turn,
) -> Result<Done, TargetError> {
    let present = values(client, id, turn).await?;
    let mut fresh: Vec<(CustomField, CustomValue)> = Vec::new();
    // What stays: values that nobody spoke of, and those that are as they should be.
    let mut whole = Vec::with_capacity(present.len() + wanted.len());
    whole.extend(present.iter().filter(|had| !is_among(had, wanted)).cloned());
    let mut cleared = false;
    for (field, value) in wanted {
        let had = present.iter().find(|had| had.custom_field_id == field.as_str());
        let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else {
            cleared |= had.is_some();
            continue;
        };
        if let Some(had) = had.filter(|had| had.value.as_str() == Some(value)) {
            whole.push(had.clone());
            continue;
        }
        let Some(field) = shelf.field(field, turn).await? else {
            shelf.forget();
            return Err(codes::look_again(codes::judge(CUSTOM_FIELD_NOT_FOUND)));
        };
        let row = CustomValue {
            custom_field_id: field.id.as_str().to_owned(),
            r#type: wire::kind(field.kind).to_owned(),
            value: value.into(),
        };
        fresh.push((field, row));
    }
    if fresh.is_empty() && !cleared {
        return Ok(Done::default());
    }
    let stays = whole.len();
    whole.extend(fresh.iter().map(|(_, value)| value.clone()));
    let Err(error) = replace(client, id, &whole, turn).await else { return Ok(Done::default()) };
    match codes::of(&error) {
        Some(CUSTOM_FIELD_NOT_FOUND) => {
            shelf.forget();
            return Err(codes::look_again(error));
        }
        Some(UNAUTHORIZED_VALUE | WRONG_TYPE_VALUE) => {
            // The authorised values are not as they were read.
            shelf.forget();
        }
        _ => return Err(error),
    }
    let [all_but_last @ .., (last, _)] = fresh.as_slice() else { return Err(error) };
    // The answer does not say which value is refused: add them one by one. When all but the last
    // one are taken, it is the last one.
    for (at, (field, _)) in all_but_last.iter().enumerate() {
        match replace(client, id, &whole[..=stays + at], turn).await {
            Err(error) if is_about_value(&error) => return Err(named(&error, field)),
            end => end?,
        }
    }
    Err(named(&error, last))
}

fn is_among(had: &CustomValue, wanted: &BTreeMap<CustomFieldId, Option<String>>) -> bool {
    wanted.keys().any(|field| field.as_str() == had.custom_field_id)
}

fn is_about_value(error: &TargetError) -> bool {
    matches!(codes::of(error), Some(UNAUTHORIZED_VALUE | WRONG_TYPE_VALUE))
}

/// The refusal of this field's value.
fn named(error: &TargetError, field: &CustomField) -> TargetError {
    let name = &field.name;
    let code = codes::of(error).unwrap_or_default().to_owned();
    let advice = if code == UNAUTHORIZED_VALUE {
        format!(
            "the value for the custom field \"{name}\" is not among its authorised values: add it \
             there in 360Learning, or correct it in HR or in the rule under rules.custom_fields, \
             then replay"
        )
    } else {
        let kind = match field.kind {
            CustomKind::Date => "a day, as in 2026-04-01",
            CustomKind::Text => "text",
        };
        format!(
            "the custom field \"{name}\" holds {kind}, and the value is something else: correct it \
             in HR or in the rule under rules.custom_fields, then replay"
        )
    };
    TargetError::Refused { code, advice }
}

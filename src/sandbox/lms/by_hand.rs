//! What an administrator does in the LMS by hand, past the API and its limits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ask;
use super::external_ids::Mapping;
use super::state::{FIELDS, State, Status};

/// An edit: of the account with this id, or a new one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    #[serde(rename = "_id")]
    id: Option<String>,
    #[serde(default)]
    set: Map<String, Value>,
    /// Deactivates the account, as the administrator's delete button does.
    #[serde(default)]
    delete: bool,
    /// Removes it without a trace.
    #[serde(default)]
    wipe: bool,
}

/// Carries out an edit and answers with the account.
pub fn edit(state: &mut State, edit: &Edit, now: Timestamp) -> Result<Value, String> {
    let known = edit.id.as_ref().map(|id| state.place(id).ok_or("no account has this _id"));
    let known = known.transpose()?;
    check(state, &edit.set, known)?;
    let place = known.unwrap_or_else(|| {
        let lang = BTreeMap::from([("lang", "en".to_owned())]);
        state.add_user(Status::Active, lang, now)
    });
    if edit.wipe {
        state.wipe(place, now);
        return Ok(Value::Null);
    }
    match edit.set.get("status").and_then(Value::as_str) {
        _ if edit.delete => state.set_status(place, Status::Deleted, now),
        Some("active") => state.set_status(place, Status::Active, now),
        Some("invited") => state.set_status(place, Status::Invited, now),
        Some("deleted") => state.set_status(place, Status::Deleted, now),
        _ => {}
    }
    for (name, value) in &edit.set {
        if let Some(name) = FIELDS.into_iter().find(|field| field == name) {
            state.set_field(place, name, value.as_str().map(str::to_owned));
        }
        match (name.as_str(), value) {
            ("groups", Value::Array(rows)) => set_groups(state, place, rows),
            ("managers", Value::Array(ids)) => set_managers(state, place, ids),
            ("customFields", Value::Object(values)) => set_custom(state, place, values),
            ("externalIds", Value::Array(rows)) => set_external(state, place, rows),
            _ => {}
        }
    }
    Ok(state.user(place).map(|user| state.full(user)).unwrap_or_default())
}

/// Finds what could not be done, before anything is.
fn check(state: &State, set: &Map<String, Value>, known: Option<usize>) -> Result<(), String> {
    let others = ["status", "groups", "managers", "customFields", "externalIds"];
    for (name, value) in set {
        if !FIELDS.contains(&name.as_str()) && !others.contains(&name.as_str()) {
            return Err(format!("an account has no {name}"));
        }
        let rows = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let taken = |at: Option<usize>| at.is_some() && at != known;
        let text = value.as_str().unwrap_or_default();
        let wrong = match name.as_str() {
            "mail" => taken(state.place_by_mail(text)),
            "username" => taken(state.place_by_username(text)),
            "status" => !matches!(text, "active" | "invited" | "deleted"),
            "lang" => !ask::LANGS.contains(&text),
            "groups" => !rows.iter().all(|row| membership(state, row).is_some()),
            "managers" => {
                !rows.iter().all(|id| id.as_str().and_then(|id| state.place(id)).is_some())
            }
            "customFields" => !value.is_object(),
            "externalIds" => !rows.iter().all(|row| external(row).is_some()),
            _ => !value.is_null() && text.is_empty(),
        };
        if wrong {
            return Err(format!("{name} is taken, unknown or not as it should be"));
        }
    }
    Ok(())
}

fn membership(state: &State, row: &Value) -> Option<(usize, &'static str)> {
    let role = row["role"].as_str()?;
    let role = if role == "owner" { Some("owner") } else { ask::role(role) };
    Some((state.group_place(row["groupId"].as_str()?)?, role?))
}

fn set_groups(state: &mut State, place: usize, rows: &[Value]) {
    let wanted: BTreeSet<_> = rows.iter().filter_map(|row| membership(state, row)).collect();
    let had = state.user(place).map(|user| user.roles.clone()).unwrap_or_default();
    for (group, role) in had.difference(&wanted) {
        state.remove_role(place, *group, role);
    }
    for (group, role) in wanted {
        state.add_role(place, group, role);
    }
}

fn set_managers(state: &mut State, place: usize, ids: &[Value]) {
    let wanted = ids.iter().filter_map(|id| state.place(id.as_str()?));
    let wanted: BTreeSet<_> = wanted.collect();
    let had = state.user(place).map(|user| user.managers.clone()).unwrap_or_default();
    for manager in had.difference(&wanted) {
        state.set_manager(place, *manager, false);
    }
    for manager in wanted {
        state.set_manager(place, manager, true);
    }
}

/// Values by the custom field's id or name.
fn set_custom(state: &mut State, place: usize, values: &Map<String, Value>) {
    let mut kept = state.user(place).map(|user| user.custom.clone()).unwrap_or_default();
    for (key, value) in values {
        let field = state.custom_fields.iter().find(|f| f.id == *key || f.name == *key);
        let Some(field) = field else { continue };
        match value.as_str() {
            Some(value) => kept.insert(field.id.clone(), (field.kind, value.to_owned())),
            None => kept.remove(&field.id),
        };
    }
    state.set_custom(place, kept);
}

fn external(row: &Value) -> Option<(&str, &str)> {
    Some((row["platform"].as_str()?, row["value"].as_str()?))
}

fn set_external(state: &mut State, place: usize, rows: &[Value]) {
    let Some(target_id) = state.user(place).map(|user| user.id.clone()) else { return };
    state.mappings.forget(&target_id);
    for (platform, value) in rows.iter().filter_map(external) {
        let id = state.mint();
        state.mappings.put(Mapping {
            id,
            platform: platform.to_owned(),
            target_id: target_id.clone(),
            target_type: "user".to_owned(),
            value: value.to_owned(),
        });
    }
}

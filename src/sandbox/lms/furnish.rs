//! What an administrator sets up in the LMS: groups and custom fields.

use serde::Deserialize;
use serde_json::{Value, json};

use super::custom_fields;
use super::state::{CustomField, State};

/// A custom field of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSetup {
    /// Its name.
    pub name: String,
    /// Whether it holds days; otherwise texts.
    #[serde(default)]
    pub date: bool,
    /// The values that it may hold; empty when it may hold any.
    #[serde(default, rename = "authorizedValues")]
    pub authorized: Vec<String>,
}

/// A group: the names from below the root, with slashes between them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSetup {
    path: String,
    #[serde(default)]
    public: bool,
}

/// Makes a group and those above it, as far as they are missing.
pub fn group(state: &mut State, setup: &GroupSetup) -> Result<Value, String> {
    let mut at = state.root();
    for name in setup.path.split('/').map(str::trim) {
        if name.is_empty() {
            return Err("path is names with slashes between them: Departments/Finance".to_owned());
        }
        let below = state.groups().find(|(_, group)| group.parent == at && group.name == name);
        let below = below.map(|(place, _)| place);
        at = Some(below.unwrap_or_else(|| state.add_group(name, setup.public, at, None)));
    }
    Ok(at.and_then(|at| Some(state.group_dto(state.group(at)?))).unwrap_or_default())
}

/// Makes the groups at these paths; gives their ids.
pub fn groups(state: &mut State, paths: &[String]) -> Result<Vec<String>, String> {
    let made = |path: &String| {
        let made = group(state, &GroupSetup { path: path.clone(), public: false })?;
        Ok(made["_id"].as_str().unwrap_or_default().to_owned())
    };
    paths.iter().map(made).collect()
}

/// Makes a custom field, or gives the one with this name other authorised values, whatever accounts
/// hold.
pub fn field(state: &mut State, setup: &FieldSetup) -> Result<Value, String> {
    let kind = if setup.date { "date" } else { "string" };
    if setup.name.trim().is_empty() {
        return Err("a custom field needs a name".to_owned());
    }
    if !setup.authorized.iter().all(|value| custom_fields::fits(kind, value)) {
        return Err("authorizedValues are texts, or days as in 2026-04-01".to_owned());
    }
    let same = state.custom_fields.iter().position(|field| field.name == setup.name);
    let place = same.unwrap_or_else(|| {
        let (id, name) = (state.mint(), setup.name.clone());
        let target = "users".to_owned();
        state.custom_fields.push(CustomField { id, name, target, kind, authorized: Vec::new() });
        state.custom_fields.len() - 1
    });
    let field = &mut state.custom_fields[place];
    if field.kind != kind {
        return Err("the type of a custom field cannot be changed".to_owned());
    }
    field.authorized.clone_from(&setup.authorized);
    let mut shown = custom_fields::dto(field);
    shown["authorizedValues"] = json!(field.authorized);
    Ok(shown)
}

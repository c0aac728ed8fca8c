//! Custom fields: definitions, authorised values, and the values of a user.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::service::Call;
use super::ask::{self, Kind, List, bad};
use super::state::{CustomField, State};
use super::{Outcome, refuse};

/// As `CustomFieldDTO` shows it.
pub fn dto(field: &CustomField) -> Value {
    json!({"_id": field.id, "name": field.name, "targetType": field.target, "type": field.kind})
}

fn kind(word: &str) -> Option<&'static str> {
    ["string", "date"].into_iter().find(|kind| *kind == word)
}

fn place(state: &State, id: &str) -> Result<usize, Answer> {
    let at = state.custom_fields.iter().position(|field| field.id == id);
    at.ok_or_else(|| refuse(404, "customFieldNotFound"))
}

fn name(state: &State, name: &str, of: Option<usize>) -> Result<String, Answer> {
    if name.trim().is_empty() {
        return Err(refuse(400, "invalidName"));
    }
    let same = state.custom_fields.iter().position(|field| field.name == name);
    if same.is_some() && same != of {
        return Err(refuse(400, "nameAlreadyTaken"));
    }
    Ok(name.to_owned())
}

/// `GET /custom-fields`
pub fn list(state: &State, call: &Call) -> Outcome {
    let ops: &[&str] = &["eq", "ne", "in", "nin"];
    let list = List::read(call, &[("name", ops), ("targetType", ops), ("type", ops)], 300)?;
    let fields = state.custom_fields.iter().enumerate().filter(|(_, field)| {
        list.passes("name", &field.name)
            && list.passes("targetType", &field.target)
            && list.passes("type", field.kind)
    });
    Ok(list.page(call, 1000, fields.map(|(at, field)| (at, dto(field)))))
}

/// `POST /custom-fields`
pub fn create(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let members =
        [("name", Kind::Any, true), ("targetType", Kind::Text, true), ("type", Kind::Text, true)];
    let body = ask::body(call, &members)?;
    let name = name(state, body["name"].as_str().unwrap_or_default(), None)?;
    let kind = body["type"].as_str().and_then(kind).ok_or_else(|| bad("an unknown type"))?;
    let target = body["targetType"].as_str().unwrap_or_default().to_owned();
    if !matches!(target.as_str(), "users" | "contents") {
        return Err(bad("an unknown targetType"));
    }
    let id = state.mint();
    let field = CustomField { id, name, target, kind, authorized: Vec::new() };
    let answer = Answer::json(201, &dto(&field));
    state.custom_fields.push(field);
    Ok(answer)
}

/// `PATCH /custom-fields/{customFieldId}`: only the name.
pub fn patch(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let body = ask::body(call, &[("name", Kind::Any, true)])?;
    let at = place(state, ask::id(call, 0)?)?;
    let name = name(state, body["name"].as_str().unwrap_or_default(), Some(at))?;
    state.custom_fields[at].name = name;
    Ok(Answer::json(200, &dto(&state.custom_fields[at])))
}

/// `DELETE /custom-fields/{customFieldId}`
pub fn delete(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let at = place(state, ask::id(call, 0)?)?;
    let gone = state.custom_fields.remove(at);
    state.forget_custom(&gone.id);
    Ok(Answer::empty(204))
}

/// `GET /custom-fields/{customFieldId}/authorized-values`
pub fn authorized(state: &State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let at = place(state, ask::id(call, 0)?)?;
    Ok(Answer::json(200, &state.custom_fields[at].authorized))
}

/// `PUT /custom-fields/{customFieldId}/authorized-values`: replaces all.
pub fn authorize(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let body = ask::body(call, &[("authorizedValues", Kind::List, true)])?;
    let at = place(state, ask::id(call, 0)?)?;
    let values = body["authorizedValues"].as_array().into_iter().flatten();
    let values: Option<Vec<_>> = values.map(|value| value.as_str().map(str::to_owned)).collect();
    let values = values.filter(|values| values.len() <= 300);
    let values = values.ok_or_else(|| bad("authorizedValues holds up to 300 texts"))?;
    if !values.iter().all(|value| fits(state.custom_fields[at].kind, value)) {
        return Err(refuse(400, "authorizedValuesTypeMismatch"));
    }
    let id = &state.custom_fields[at].id;
    let mut used = state.users().filter_map(|(_, user)| user.custom.get(id));
    let conflict = !values.is_empty() && used.any(|(_, value)| !values.contains(value));
    drop(used);
    if conflict {
        return Err(refuse(400, "customFieldValuesConflict"));
    }
    state.custom_fields[at].authorized.clone_from(&values);
    Ok(Answer::json(200, &values))
}

/// Whether a field of this type can hold the value.
pub fn fits(kind: &str, value: &str) -> bool {
    !value.is_empty() && (kind != "date" || value.parse::<Date>().is_ok())
}

/// `GET /users/{userId}/custom-fields/values`
pub fn values(state: &State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    Ok(shown(state, super::users::place(state, call, 0, "userNotFound")?))
}

fn shown(state: &State, place: usize) -> Answer {
    let values = state.user(place).into_iter().flat_map(|user| &user.custom);
    let values = values
        .map(|(id, (kind, value))| json!({"customFieldId": id, "type": kind, "value": value}));
    Answer::json(200, &values.collect::<Value>())
}

/// `PUT /users/{userId}/custom-fields/values`: replaces all; what is left out is gone.
pub fn set_values(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let body = ask::body(call, &[("customValues", Kind::List, true)])?;
    let place = super::users::place(state, call, 0, "userNotFound")?;
    let rows = body["customValues"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.len() > 300 {
        return Err(bad("customValues holds up to 300 entries"));
    }
    let mut values = BTreeMap::new();
    for row in rows {
        let row = row.as_object().ok_or_else(|| bad("a value is an object"))?;
        ask::check(
            row,
            &[
                ("customFieldId", Kind::Id, true),
                ("type", Kind::Text, true),
                ("value", Kind::Text, true),
            ],
        )?;
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let kind = kind(text("type")).ok_or_else(|| bad("an unknown type"))?;
        let field = &state.custom_fields[self::place(state, text("customFieldId"))?];
        let value = text("value").to_owned();
        if field.kind != kind || !fits(kind, &value) {
            return Err(refuse(400, "wrongTypeValue"));
        }
        if !field.authorized.is_empty() && !field.authorized.contains(&value) {
            return Err(refuse(400, "unauthorizedValue"));
        }
        if values.insert(field.id.clone(), (kind, value)).is_some() {
            return Err(refuse(400, "multipleValuesForSingleCustomField"));
        }
    }
    state.set_custom(place, values);
    Ok(shown(state, place))
}

//! Groups and the roles in them.

use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::service::Call;
use super::ask::{self, Kind, List, Member};
use super::state::{State, Status};
use super::{Outcome, Settings, refuse};

/// Branding and policies: accepted, and not kept.
const DRESS: [Member; 10] = [
    ("bannerImageId", Kind::ClearId, false),
    ("backgroundImageId", Kind::ClearId, false),
    ("faviconImageId", Kind::ClearId, false),
    ("logoImageId", Kind::ClearId, false),
    ("subdomain", Kind::Clear, false),
    ("url", Kind::Clear, false),
    ("privacyPolicy", Kind::Any, false),
    ("moderationCharter", Kind::Any, false),
    ("termsOfUse", Kind::Any, false),
    ("imprint", Kind::Any, false),
];

fn place(state: &State, call: &Call) -> Result<usize, Answer> {
    state.group_place(ask::id(call, 0)?).ok_or_else(|| refuse(404, "groupNotFound"))
}

fn shown(state: &State, place: usize, status: u16) -> Answer {
    state.group(place).map_or_else(
        || refuse(404, "groupNotFound"),
        |group| Answer::json(status, &state.group_dto(group)),
    )
}

fn read(call: &Call, members: &[Member]) -> Result<Map<String, Value>, Answer> {
    ask::no_query(call)?;
    let members: Vec<_> = members.iter().chain(&DRESS).copied().collect();
    let body = ask::body(call, &members)?;
    let image = |name: &&str| name.ends_with("ImageId") && !body[*name].is_null();
    if body.keys().map(String::as_str).any(|name| image(&name)) {
        return Err(refuse(400, "mediaNotFound"));
    }
    Ok(body)
}

fn parent(state: &State, body: &Map<String, Value>) -> Result<Option<usize>, Answer> {
    let Some(id) = body.get("parentId").and_then(Value::as_str) else { return Ok(None) };
    state.group_place(id).map(Some).ok_or_else(|| refuse(404, "parentGroupNotFound"))
}

/// `GET /groups`
pub fn list(state: &State, call: &Call) -> Outcome {
    let list = List::read(call, &[], 0)?;
    let groups = state.groups().map(|(at, group)| (at, state.group_dto(group)));
    Ok(list.page(call, 500, groups))
}

/// `GET /groups/{groupId}`
pub fn get(state: &State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    Ok(shown(state, place(state, call)?, 200))
}

/// `POST /groups`
pub fn create(state: &mut State, call: &Call, settings: &Settings) -> Outcome {
    let body = read(
        call,
        &[
            ("name", Kind::Text, true),
            ("public", Kind::Bool, true),
            ("parentId", Kind::Id, true),
            ("custom", Kind::Text, false),
        ],
    )?;
    let parent = parent(state, &body)?;
    if state.groups().count() >= settings.most_groups {
        return Err(refuse(400, "maxGroupsLimitReached"));
    }
    let name = body["name"].as_str().unwrap_or_default();
    let custom = body.get("custom").and_then(Value::as_str).map(str::to_owned);
    let place = state.add_group(name, body["public"] == true, parent, custom);
    Ok(shown(state, place, 201))
}

/// `PATCH /groups/{groupId}`
pub fn patch(state: &mut State, call: &Call) -> Outcome {
    let body = read(
        call,
        &[
            ("name", Kind::Text, false),
            ("public", Kind::Bool, false),
            ("parentId", Kind::Id, false),
            ("custom", Kind::Clear, false),
        ],
    )?;
    let place = place(state, call)?;
    let parent = parent(state, &body)?;
    let mut up = parent;
    while let Some(at) = up {
        if at == place {
            return Err(refuse(400, "parentGroupNotDescendantOrSelf"));
        }
        up = state.group(at).and_then(|group| group.parent);
    }
    let Some(group) = state.group_mut(place) else { return Err(refuse(404, "groupNotFound")) };
    if group.parent.is_none() && body.get("public") == Some(&Value::Bool(true)) {
        return Err(refuse(400, "rootGroupNotPublic"));
    }
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        name.clone_into(&mut group.name);
    }
    if let Some(public) = body.get("public").and_then(Value::as_bool) {
        group.public = public;
    }
    if let Some(custom) = body.get("custom") {
        group.custom = custom.as_str().map(str::to_owned);
    }
    if parent.is_some() && group.parent.is_some() {
        group.parent = parent;
    }
    Ok(shown(state, place, 200))
}

/// `DELETE /groups/{groupId}`
pub fn delete(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let place = place(state, call)?;
    if state.group(place).is_some_and(|group| group.parent.is_none()) {
        return Err(refuse(400, "groupIsRoot"));
    }
    state.remove_group(place);
    Ok(Answer::empty(204))
}

/// `GET /groups/{groupId}/roles`
pub fn roles(state: &State, call: &Call) -> Outcome {
    let list = List::read(call, &[], 0)?;
    let place = place(state, call)?;
    let members = state.group(place).into_iter().flat_map(|group| &group.members).enumerate();
    let id = |at: usize| state.user(at).map_or("", |user| user.id.as_str());
    let rows = members.map(|(n, (at, role))| (n, json!({"userId": id(*at), "role": role})));
    Ok(list.page(call, 1000, rows))
}

/// `POST /groups/{groupId}/{role}/{userId}`
pub fn add_role(state: &mut State, call: &Call, settings: &Settings) -> Outcome {
    ask::no_query(call)?;
    let role = ask::path_role(call.param(1))?;
    let group = place(state, call)?;
    let user = super::users::place(state, call, 2, "userNotFound")?;
    give(state, user, group, role, settings).map_err(|code| refuse(400, code))?;
    Ok(Answer::empty(204))
}

/// Gives a role, or says by which code it is refused.
pub fn give(
    state: &mut State,
    user: usize,
    group: usize,
    role: &'static str,
    settings: &Settings,
) -> Result<(), &'static str> {
    if role == "analyst" && !settings.analyst_available {
        return Err("analystUnavailable");
    }
    if state.user(user).is_some_and(|user| user.status == Status::Deleted) {
        return Err("userDeleted");
    }
    let fresh = state.add_role(user, group, role);
    if fresh || !settings.role_twice_is_error { Ok(()) } else { Err("userAlreadyInGroup") }
}

/// `DELETE /groups/{groupId}/{role}/{userId}`
pub fn remove_role(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    let role = ask::path_role(call.param(1))?;
    let group = place(state, call)?;
    let user = super::users::place(state, call, 2, "userNotFoundInGroup")?;
    if state.remove_role(user, group, role) {
        Ok(Answer::empty(204))
    } else {
        Err(refuse(404, "userNotFoundInGroup"))
    }
}

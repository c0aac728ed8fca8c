//! Accounts: list, get, create or restore, activate, change, deactivate, roles, managers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::service::Call;
use super::ask::{self, Kind, List, Member, bad};
use super::state::{FIELDS, State, Status, User, moment};
use super::{Outcome, Settings, refuse};

const CREATE: [Member; 12] = [
    ("mail", Kind::Text, false),
    ("username", Kind::Text, false),
    ("membership", Kind::Membership, true),
    ("primaryGroupId", Kind::Id, false),
    ("custom", Kind::Text, false),
    ("firstName", Kind::Text, false),
    ("lastName", Kind::Text, false),
    ("job", Kind::Text, false),
    ("lang", Kind::Lang, false),
    ("organization", Kind::Text, false),
    ("phone", Kind::Text, false),
    ("toBeDeactivatedAt", Kind::Date, false),
];

const PATCH: [Member; 12] = [
    ("firstName", Kind::Clear, false),
    ("lastName", Kind::Clear, false),
    ("phone", Kind::Clear, false),
    ("job", Kind::Clear, false),
    ("organization", Kind::Clear, false),
    ("custom", Kind::Clear, false),
    ("mail", Kind::Clear, false),
    ("username", Kind::Clear, false),
    ("primaryGroupId", Kind::ClearId, false),
    ("toBeDeactivatedAt", Kind::ClearDate, false),
    ("profileImageId", Kind::ClearId, false),
    ("lang", Kind::Lang, false),
];

/// The place of the user in the path.
pub fn place(state: &State, call: &Call, at: usize, code: &str) -> Result<usize, Answer> {
    state.place(ask::id(call, at)?).ok_or_else(|| refuse(404, code))
}

fn shown(state: &State, place: usize, status: u16) -> Answer {
    state.user(place).map_or_else(|| refuse(404, "userNotFound"), |user| Answer::json(status, user))
}

/// `GET /users`
pub fn list(state: &State, call: &Call, settings: &Settings) -> Outcome {
    let texts: &[&str] = &["eq", "ne", "in", "nin"];
    let fields = [("mail", texts), ("username", texts), ("status", &["eq", "ne"][..])];
    let mut list = List::read(call, &fields, settings.in_limit)?;
    for filter in &mut list.filters {
        if filter.field == "status"
            && !filter.values.iter().all(|s| matches!(s.as_str(), "active" | "invited" | "deleted"))
        {
            return Err(bad("an unknown status"));
        }
        if filter.field == "mail" && !settings.mail_filter_case_sensitive {
            filter.values.iter_mut().for_each(|mail| *mail = mail.to_lowercase());
        }
    }
    let hides = settings.unfiltered_hides_deleted
        && !list.filters.iter().any(|filter| filter.field == "status");
    let passes = |user: &User| {
        let mail = user.field("mail");
        let mail = if settings.mail_filter_case_sensitive { mail } else { &mail.to_lowercase() };
        list.passes("mail", mail)
            && list.passes("username", user.field("username"))
            && list.passes("status", user.status.word())
            && !(hides && user.status == Status::Deleted)
    };
    let places: Vec<usize> = if let Some(mails) = list.wanted("mail") {
        mails.iter().filter_map(|mail| state.place_by_mail(mail)).collect()
    } else if let Some(names) = list.wanted("username") {
        names.iter().filter_map(|name| state.place_by_username(name)).collect()
    } else {
        (list.start..state.places()).collect()
    };
    let mut places = places;
    places.sort_unstable();
    places.dedup();
    let users = places.into_iter().filter_map(|at| Some((at, state.user(at)?)));
    Ok(list.page(call, 500, users.filter(|(_, user)| passes(user))))
}

/// `GET /users/{userId}`
pub fn get(state: &State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    Ok(shown(state, place(state, call, 0, "userNotFound")?, 200))
}

fn is_mail(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ', ',', ';']);
    plain(name) && plain(domain) && domain.contains('.') && text.is_ascii()
}

fn is_username(text: &str) -> bool {
    let marks = b"_-.+#!$%&'*/=?^\\`{|}~";
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || marks.contains(&b))
}

/// What the specification asks of mails, user names and dates, in creates and changes alike.
fn sound(body: &Map<String, Value>, now: Timestamp) -> Result<(), Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if text("mail").is_some_and(|mail| !is_mail(mail)) {
        return Err(refuse(400, "mailInvalid"));
    }
    if text("username").is_some_and(|name| !is_username(name)) {
        return Err(bad("a letter that a user name cannot have"));
    }
    let date = text("toBeDeactivatedAt").and_then(|at| at.parse::<Timestamp>().ok());
    if date.is_some_and(|at| at <= now) {
        return Err(refuse(400, "deactivationDateInvalid"));
    }
    Ok(())
}

/// A member's text, in the form in which it is kept.
fn kept(name: &str, value: &Value) -> Option<String> {
    let text = value.as_str()?;
    match (name, text.parse::<Timestamp>()) {
        ("toBeDeactivatedAt", Ok(at)) => Some(moment(at)),
        _ => Some(text.to_owned()),
    }
}

/// `POST /users`: 201 for a new account, 200 for a deleted one that was brought back.
pub fn create(state: &mut State, call: &Call, settings: &Settings, now: Timestamp) -> Outcome {
    for (name, value) in ask::pairs(&call.query) {
        if name != "sendInvitationEmail" || !matches!(value.as_str(), "true" | "false") {
            return Err(bad(&format!("unknown parameter {name}")));
        }
    }
    let body = ask::body(call, &CREATE)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (mail, username) = (text("mail"), text("username"));
    if mail.is_none() && username.is_none() {
        return Err(refuse(400, "mailAndUsernameUndefined"));
    }
    sound(&body, now)?;
    let group_id = body["membership"]["groupId"].as_str().unwrap_or_default();
    let group = state.group_place(group_id).ok_or_else(|| refuse(404, "groupNotFound"))?;
    let role = body["membership"]["role"].as_str().and_then(ask::role).unwrap_or("learner");
    if role == "analyst" && !settings.analyst_available {
        return Err(refuse(400, "analystUnavailable"));
    }
    if text("primaryGroupId").is_some_and(|primary| primary != group_id) {
        return Err(refuse(400, "notMemberOfPrimaryGroup"));
    }
    let by_mail = mail.and_then(|mail| state.place_by_mail(mail));
    let by_username = username.and_then(|name| state.place_by_username(name));
    if let (Some(one), Some(other)) = (by_mail, by_username)
        && one != other
    {
        return Err(refuse(400, "loginIdentifierMultipleUsersFound"));
    }
    let found = by_mail.or(by_username);
    let alive = |place: usize| state.user(place).is_some_and(|u| u.status != Status::Deleted);
    if found.is_some_and(alive) {
        let taken = if by_mail.is_some() { "mailAlreadyUsed" } else { "usernameAlreadyUsed" };
        return Err(refuse(400, taken));
    }
    let fields = FIELDS.iter().filter_map(|name| Some((*name, kept(name, body.get(*name)?)?)));
    let mut fields: BTreeMap<_, _> = fields.collect();
    let Some(place) = found else {
        fields.entry("lang").or_insert_with(|| "en".to_owned());
        let place = state.add_user(Status::Invited, fields, now);
        state.add_role(place, group, role);
        return Ok(shown(state, place, 201));
    };
    state.set_status(place, Status::Invited, now);
    state.add_role(place, group, role);
    for (name, value) in fields {
        if name == "lang" || settings.restore_updates_fields {
            state.set_field(place, name, Some(value));
        }
    }
    if !settings.restore_keeps_custom_fields {
        state.set_custom(place, BTreeMap::new());
    }
    Ok(shown(state, place, 200))
}

/// `PUT /users/{userId}/activate`
pub fn activate(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    ask::no_query(call)?;
    let place = place(state, call, 0, "userNotFound")?;
    if state.user(place).is_some_and(|user| user.status == Status::Deleted) {
        return Err(refuse(400, "userDeleted"));
    }
    state.set_status(place, Status::Active, now);
    Ok(shown(state, place, 200))
}

/// `PATCH /users/{userId}`
pub fn patch(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    ask::no_query(call)?;
    let body = ask::body(call, &PATCH)?;
    let place = place(state, call, 0, "userNotFound")?;
    change(state, place, &body, now)?;
    Ok(shown(state, place, 200))
}

/// Checks and applies the members of a PATCH.
pub fn change(
    state: &mut State,
    place: usize,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<(), Answer> {
    sound(body, now)?;
    let user = state.user(place).ok_or_else(|| refuse(404, "userNotFound"))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if body.contains_key("toBeDeactivatedAt") {
        if user.status == Status::Deleted {
            return Err(refuse(400, "invalidUpdateOnDeletedUser"));
        }
        if place == state.owner {
            return Err(refuse(400, "ownerDeactivationNotAllowed"));
        }
    }
    if text("profileImageId").is_some() {
        return Err(refuse(400, "mediaNotFound"));
    }
    if let Some(primary) = text("primaryGroupId") {
        let group = state.group_place(primary);
        if !user.roles.iter().any(|(at, _)| Some(*at) == group) {
            return Err(refuse(400, "notMemberOfPrimaryGroup"));
        }
    }
    let taken = |at: Option<usize>| at.is_some_and(|at| at != place);
    if text("mail").is_some_and(|mail| taken(state.place_by_mail(mail))) {
        return Err(refuse(400, "mailAlreadyUsed"));
    }
    if text("username").is_some_and(|name| taken(state.place_by_username(name))) {
        return Err(refuse(400, "usernameAlreadyUsed"));
    }
    let left = |name: &str| match body.get(name) {
        Some(value) => !value.is_null(),
        None => !user.field(name).is_empty(),
    };
    if !left("mail") && !left("username") {
        return Err(refuse(400, "userShouldHaveAtLeastOneValidIdentifier"));
    }
    for name in FIELDS {
        if let Some(value) = body.get(name) {
            state.set_field(place, name, kept(name, value));
        }
    }
    Ok(())
}

/// `DELETE /users/{userId}`: a soft delete.
pub fn delete(state: &mut State, call: &Call, settings: &Settings, now: Timestamp) -> Outcome {
    ask::no_query(call)?;
    let place = place(state, call, 0, "userNotFound")?;
    if place == state.owner {
        return Err(refuse(400, "userIsCompanyOwner"));
    }
    let gone = state.user(place).is_some_and(|user| user.status == Status::Deleted);
    if gone && settings.delete_deleted_is_404 {
        return Err(refuse(404, "userNotFound"));
    }
    state.set_status(place, Status::Deleted, now);
    if !settings.external_ids_survive_delete
        && let Some(id) = state.user(place).map(|user| user.id.clone())
    {
        state.mappings.forget(&id);
    }
    Ok(Answer::empty(204))
}

/// `GET /users/{userId}/roles`
pub fn roles(state: &State, call: &Call) -> Outcome {
    let list = List::read(call, &[], 0)?;
    let place = place(state, call, 0, "userNotFound")?;
    let roles = state.user(place).into_iter().flat_map(|user| &user.roles).enumerate();
    let group = |at: usize| state.group(at).map_or("", |group| group.id.as_str());
    let rows = roles.map(|(n, (at, role))| (n, json!({"groupId": group(*at), "role": role})));
    Ok(list.page(call, 1000, rows))
}

/// `GET /users/{userId}/managers` and `…/subordinates`
pub fn links(state: &State, call: &Call, managers: bool) -> Outcome {
    let list = List::read(call, &[], 0)?;
    let place = place(state, call, 0, "userNotFound")?;
    let user = state.user(place).ok_or_else(|| refuse(404, "userNotFound"))?;
    let places = if managers { &user.managers } else { &user.subordinates };
    let ids = places.iter().filter_map(|at| Some((*at, state.user(*at)?.id.as_str())));
    Ok(list.page(call, 1000, ids))
}

/// `POST` and `DELETE /users/{userId}/managers/{managerId}`
pub fn set_manager(state: &mut State, call: &Call, on: bool) -> Outcome {
    ask::no_query(call)?;
    let user = place(state, call, 0, "userNotFound")?;
    let manager = place(state, call, 1, "managerNotFound")?;
    let deleted = |at| state.user(at).is_some_and(|user| user.status == Status::Deleted);
    if deleted(user) {
        return Err(refuse(400, "userDeleted"));
    }
    if on && deleted(manager) {
        return Err(refuse(400, "managerDeleted"));
    }
    if !on && !state.user(user).is_some_and(|user| user.managers.contains(&manager)) {
        return Err(refuse(400, "managerNotAssignedToUser"));
    }
    state.set_manager(user, manager, on);
    Ok(Answer::empty(204))
}

//! Bulk memberships: submitted at once, carried out a while later, in order.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::service::Call;
use super::ask::{self, Kind, List, bad};
use super::groups::give;
use super::state::{State, moment};
use super::{Outcome, Settings, refuse};

/// How many may be under way at once.
const AT_ONCE: usize = 3;

/// A submission.
#[derive(Clone, Debug)]
pub struct Operation {
    id: String,
    adds: bool,
    input: Vec<Value>,
    created: Timestamp,
    takes: Duration,
    settings: Settings,
    results: Option<Vec<Value>>,
}

impl Operation {
    /// The word of the API for how far it is.
    fn status(&self, now: Timestamp) -> &'static str {
        let passed = now.duration_since(self.created).as_secs_f64();
        match passed / self.takes.as_secs_f64().max(0.001) {
            _ if self.results.is_some() => "completed",
            ..0.2 => "pending",
            0.2..0.4 => "queued",
            _ => "running",
        }
    }

    fn kind(&self) -> &'static str {
        if self.adds { "addUsersToGroups" } else { "removeUsersFromGroups" }
    }

    fn dto(&self, now: Timestamp) -> Value {
        let status = self.status(now);
        let created = moment(self.created);
        let mut dto =
            json!({"_id": self.id, "type": self.kind(), "createdAt": created, "status": status});
        if status != "pending" {
            dto["queuedAt"] = moment(self.created + self.takes / 5).into();
        }
        if matches!(status, "running" | "completed") {
            let done = if status == "completed" { self.input.len() } else { self.input.len() / 2 };
            dto["startedAt"] = moment(self.created + self.takes / 5 * 2).into();
            dto["progress"] = json!({"index": done, "updatedAt": moment(now)});
        }
        if status == "completed" {
            dto["endedAt"] = moment(self.created + self.takes).into();
        }
        dto
    }
}

/// `POST` and `DELETE /bulk/groups/memberships`
pub fn submit(
    state: &mut State,
    call: &Call,
    adds: bool,
    settings: &Settings,
    now: Timestamp,
) -> Outcome {
    ask::no_query(call)?;
    if !settings.bulk_enabled {
        return Err(refuse(503, "bulkAPIDisabled"));
    }
    let body = ask::body(call, &[("input", Kind::Any, true)])?;
    let Some(input) = body["input"].as_array() else { return Err(refuse(400, "invalidInput")) };
    if input.len() > 20_000 {
        return Err(refuse(400, "inputTooLong"));
    }
    for row in input {
        let row = row.as_object().ok_or_else(|| bad("a membership is an object"))?;
        let members =
            [("userId", Kind::Id, true), ("groupId", Kind::Id, true), ("role", Kind::Text, true)];
        ask::check(row, &members)?;
        row["role"].as_str().and_then(ask::role).ok_or_else(|| bad("an unknown role"))?;
    }
    if state.operations.iter().filter(|op| op.results.is_none()).count() >= AT_ONCE {
        return Err(refuse(429, "bulkOperationsConcurrencyLimitReached"));
    }
    let id = state.mint();
    state.operations.push(Operation {
        id: id.clone(),
        adds,
        input: input.clone(),
        created: now,
        takes: Duration::from_millis(settings.bulk_ms),
        settings: settings.clone(),
        results: None,
    });
    let location = format!("http://{}/api/v2/bulk/operations/{id}", call.host());
    Ok(Answer::empty(202).with("location", location))
}

/// Carries out what is due.
pub fn run(state: &mut State, now: Timestamp) {
    for at in 0..state.operations.len() {
        let operation = &state.operations[at];
        if operation.results.is_some() || now < operation.created + operation.takes {
            continue;
        }
        let Operation { adds, input, settings, .. } = operation.clone();
        let results = input.iter().map(|row| match one(state, row, adds, &settings) {
            Ok(id) => json!({"input": row, "status": "success", "resourceId": id}),
            Err(code) => json!({"input": row, "status": "error", "errorMessage": code}),
        });
        state.operations[at].results = Some(results.collect());
    }
}

fn one(
    state: &mut State,
    row: &Value,
    adds: bool,
    settings: &Settings,
) -> Result<String, &'static str> {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let group = state.group_place(text("groupId")).ok_or("groupNotFound")?;
    let user = state.place(text("userId")).ok_or("userNotFound")?;
    let role = ask::role(text("role")).ok_or("badRequest")?;
    if adds {
        give(state, user, group, role, settings)?;
    } else if !state.remove_role(user, group, role) {
        return Err("userNotFoundInGroup");
    }
    Ok(text("userId").to_owned())
}

fn find<'s>(state: &'s State, call: &Call) -> Result<&'s Operation, Answer> {
    ask::no_query(call)?;
    let id = ask::id(call, 0)?;
    let found = state.operations.iter().find(|operation| operation.id == id);
    found.ok_or_else(|| refuse(404, "bulkOperationNotFound"))
}

/// `GET /bulk/operations/{bulkOperationId}`
pub fn get(state: &State, call: &Call, now: Timestamp) -> Outcome {
    Ok(Answer::json(200, &find(state, call)?.dto(now)))
}

/// `GET /bulk/operations/{bulkOperationId}/results`
pub fn results(state: &State, call: &Call) -> Outcome {
    let results = find(state, call)?.results.as_ref();
    results.map(|rows| Answer::json(200, rows)).ok_or_else(|| refuse(400, "bulkOperationNotRun"))
}

/// `GET /bulk/operations`
pub fn list(state: &State, call: &Call, now: Timestamp) -> Outcome {
    let fields = [("createdAt", &["lt", "gte"][..]), ("status", &["eq"]), ("type", &["eq"])];
    let list = List::read(call, &fields, 1)?;
    let shown = state.operations.iter().enumerate().filter(|(_, operation)| {
        list.passes("createdAt", &moment(operation.created))
            && list.passes("status", operation.status(now))
            && list.passes("type", operation.kind())
    });
    Ok(list.page(call, 20, shown.map(|(at, operation)| (at, operation.dto(now)))))
}

//! External ids: whose account is whose, by a name that another system gives.

use std::collections::HashMap;

use serde::Serialize;

use super::super::answer::Answer;
use super::super::service::Call;
use super::ask::{self, Kind, List, Member, bad};
use super::state::State;
use super::{Outcome, Settings, refuse};

const MEMBERS: [Member; 4] = [
    ("platform", Kind::Text, true),
    ("targetId", Kind::Id, true),
    ("targetType", Kind::Text, true),
    ("value", Kind::Text, true),
];

/// What can bear an external id.
const TYPES: [&str; 15] = [
    "attempt",
    "classroom",
    "classroomAttendance",
    "classroomAttendanceSheet",
    "classroomSlot",
    "classroomSlotRegistration",
    "course",
    "group",
    "learningNeed",
    "path",
    "pathEnrollment",
    "pathSession",
    "pathTracking",
    "registrationRequest",
    "user",
];

/// A platform name that 360Learning keeps for itself. The real ones are not published.
const RESERVED: &str = "360learning";

/// One external id.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    #[serde(rename = "_id")]
    pub id: String,
    pub platform: String,
    pub target_id: String,
    pub target_type: String,
    pub value: String,
}

/// All external ids.
#[derive(Debug, Default)]
pub struct Mappings {
    all: Vec<Option<Mapping>>,
    by_id: HashMap<String, usize>,
    by_value: HashMap<String, Vec<usize>>,
    by_target: HashMap<String, Vec<usize>>,
}

impl Mappings {
    /// The mappings of a target.
    pub fn of(&self, target: &str) -> impl Iterator<Item = &Mapping> {
        self.by_target.get(target).into_iter().flatten().filter_map(|at| self.all[*at].as_ref())
    }

    fn with_value(&self, value: &str) -> impl Iterator<Item = &Mapping> {
        self.by_value.get(value).into_iter().flatten().filter_map(|at| self.all[*at].as_ref())
    }

    /// Adds one, or puts another in the place of one.
    pub fn put(&mut self, mapping: Mapping) {
        let at = self.by_id.get(&mapping.id).copied().unwrap_or(self.all.len());
        if at == self.all.len() {
            self.by_id.insert(mapping.id.clone(), at);
            self.all.push(None);
        }
        self.unlist(at);
        self.by_value.entry(mapping.value.clone()).or_default().push(at);
        self.by_target.entry(mapping.target_id.clone()).or_default().push(at);
        self.all[at] = Some(mapping);
    }

    fn unlist(&mut self, at: usize) {
        let Some(old) = self.all[at].take() else { return };
        let lists = [self.by_value.get_mut(&old.value), self.by_target.get_mut(&old.target_id)];
        for list in lists.into_iter().flatten() {
            list.retain(|other| *other != at);
        }
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(at) = self.by_id.remove(id) else { return false };
        self.unlist(at);
        true
    }

    /// Removes all of a target.
    pub fn forget(&mut self, target: &str) {
        let ids: Vec<_> = self.of(target).map(|mapping| mapping.id.clone()).collect();
        for id in ids {
            self.remove(&id);
        }
    }
}

/// `GET /external-ids`
pub fn list(state: &State, call: &Call, settings: &Settings) -> Outcome {
    let ops: &[&str] = &["eq", "ne", "in", "nin"];
    let fields = [("platform", ops), ("type", ops), ("value", ops), ("targetId", ops)];
    let list = List::read(call, &fields, settings.in_limit)?;
    let mappings = &state.mappings;
    let found = |index: &HashMap<String, Vec<usize>>, wanted: &[String]| -> Vec<usize> {
        wanted.iter().filter_map(|key| index.get(key)).flatten().copied().collect()
    };
    let mut places = match (list.wanted("value"), list.wanted("targetId")) {
        (Some(values), _) => found(&mappings.by_value, values),
        (_, Some(targets)) => found(&mappings.by_target, targets),
        _ => (list.start..mappings.all.len()).collect(),
    };
    places.sort_unstable();
    places.dedup();
    let shown = places.into_iter().filter_map(|at| Some((at, mappings.all[at].as_ref()?)));
    let shown = shown.filter(|(_, mapping)| {
        list.passes("platform", &mapping.platform)
            && list.passes("type", &mapping.target_type)
            && list.passes("value", &mapping.value)
            && list.passes("targetId", &mapping.target_id)
    });
    Ok(list.page(call, 5000, shown))
}

fn read(state: &mut State, call: &Call, id: Option<String>) -> Result<Mapping, Answer> {
    ask::no_query(call)?;
    let body = ask::body(call, &MEMBERS)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (target_id, target_type) = (text("targetId"), text("targetType"));
    let there = match target_type.as_str() {
        "user" => state.place(&target_id).is_some(),
        "group" => state.group_place(&target_id).is_some(),
        other if TYPES.contains(&other) => false,
        _ => return Err(bad("an unknown targetType")),
    };
    if text("platform") == RESERVED {
        return Err(refuse(400, "reservedPlatformName"));
    }
    if !there {
        return Err(refuse(404, "resourceNotFound"));
    }
    let id = id.unwrap_or_else(|| state.mint());
    Ok(Mapping { id, platform: text("platform"), target_id, target_type, value: text("value") })
}

/// Whether someone else has the value on this platform.
fn value_taken(state: &State, mapping: &Mapping) -> bool {
    let mut same = state.mappings.with_value(&mapping.value);
    same.any(|other| other.platform == mapping.platform && other.id != mapping.id)
}

/// Whether the target has another mapping on this platform.
fn target_taken(state: &State, mapping: &Mapping) -> bool {
    let mut same = state.mappings.of(&mapping.target_id);
    same.any(|other| other.platform == mapping.platform && other.id != mapping.id)
}

/// `POST /external-ids`
pub fn create(state: &mut State, call: &Call) -> Outcome {
    let mapping = read(state, call, None)?;
    if target_taken(state, &mapping) {
        return Err(refuse(400, "mappingAlreadyExists"));
    }
    if value_taken(state, &mapping) {
        return Err(refuse(400, "valueAlreadyUsed"));
    }
    state.mappings.put(mapping.clone());
    Ok(Answer::json(201, &mapping))
}

/// `PUT /external-ids/{mappingId}`
pub fn replace(state: &mut State, call: &Call) -> Outcome {
    let id = ask::id(call, 0)?.to_owned();
    if !state.mappings.by_id.contains_key(&id) {
        return Err(refuse(404, "mappingIdNotFound"));
    }
    let mapping = read(state, call, Some(id))?;
    if target_taken(state, &mapping) {
        return Err(refuse(400, "targetAlreadyMapped"));
    }
    if value_taken(state, &mapping) {
        return Err(refuse(400, "valueAlreadyUsed"));
    }
    state.mappings.put(mapping.clone());
    Ok(Answer::json(200, &mapping))
}

/// `DELETE /external-ids/{mappingId}`
pub fn delete(state: &mut State, call: &Call) -> Outcome {
    ask::no_query(call)?;
    if state.mappings.remove(ask::id(call, 0)?) {
        Ok(Answer::empty(204))
    } else {
        Err(refuse(404, "mappingIdNotFound"))
    }
}

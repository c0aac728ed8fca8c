//! A 360Learning that holds a few accounts, speaks the documented API strictly (required headers,
//! members and filters; anything unknown is refused), writes down each call, and can be told to
//! give canned answers instead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use instep::clock::Deadline;
use instep::config::Learning360Settings;
use instep::store::Rate;
use instep::store::budget::Budget;
use instep::targets::learning360::Learning360;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::budgets::OnlyBudgets;

pub const PLATFORM: &str = "instep-bob";
pub const GROUP: &str = "aaaaaaaaaaaaaaaaaaaaaaaa";

/// What the specification allows in the body of `PATCH /users/{userId}`, as far as we have it.
const UPDATE: [&str; 8] =
    ["mail", "username", "firstName", "lastName", "job", "lang", "organization", "phone"];
/// And of `POST /users`.
const CREATE: [&str; 9] = [
    "mail",
    "username",
    "firstName",
    "lastName",
    "job",
    "lang",
    "organization",
    "phone",
    "membership",
];

/// The n-th id.
pub fn id(n: u32) -> String {
    format!("{n:024x}")
}

pub fn user(n: u32, status: &str, mail: &str) -> Value {
    json!({ "_id": id(n), "status": status, "lang": "en", "mail": mail })
}

pub fn mapping(n: u32, value: &str) -> Value {
    json!({
        "_id": format!("f{n:023x}"), "platform": PLATFORM, "targetId": id(n),
        "targetType": "user", "value": value
    })
}

/// A call as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `PATCH /users/000000000000000000000001`
    pub line: String,
    pub query: Vec<(String, String)>,
    pub body: Value,
}

impl Seen {
    /// How many parameters have this name.
    pub fn count(&self, name: &str) -> usize {
        self.query.iter().filter(|(key, _)| key == name).count()
    }
}

/// An answer given instead of the right one.
#[derive(Clone)]
pub enum Canned {
    Say(u16, &'static str, String),
    /// With this header.
    With(u16, &'static str, String, String),
    /// Carries it out, but never answers.
    Silent,
    /// Fewer bytes than announced.
    CutOff,
    /// Refused when a filter has more values.
    MostValues(usize),
}

pub fn code(status: u16, code: &str) -> Canned {
    let body = json!({ "error": { "code": code, "message": "nadia.brisk@example.test" } });
    Canned::Say(status, "application/json", body.to_string())
}

#[derive(Default)]
pub struct Company {
    pub users: Vec<Value>,
    pub external_ids: Vec<Value>,
    pub roles: BTreeMap<String, Vec<Value>>,
    pub values: BTreeMap<String, Vec<Value>>,
    pub managers: BTreeMap<String, Vec<String>>,
    pub seen: Vec<Seen>,
    /// Consumed by the first call whose line begins so.
    pub canned: VecDeque<(String, Canned)>,
    pub token: u32,
    pub token_calls: u32,
    /// The answer to token calls, until it is taken away.
    pub token_answer: Option<(u16, Value)>,
    pub expires_in: Value,
    /// Scopes that are missing.
    pub lacks: Vec<&'static str>,
}

pub struct FarEnd {
    pub base_url: String,
    company: Arc<Shared>,
    pub budgets: Arc<OnlyBudgets>,
}

struct Shared {
    company: Mutex<Company>,
    /// Token calls wait for this when the gate is closed.
    gate: Mutex<Option<Arc<Notify>>>,
}

impl FarEnd {
    pub async fn start() -> Self {
        let company = Company { expires_in: json!(3600), ..Company::default() };
        let shared = Arc::new(Shared { company: Mutex::new(company), gate: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base_url, company: shared, budgets: Arc::default() }
    }

    pub fn company(&self) -> MutexGuard<'_, Company> {
        self.company.company.lock().unwrap()
    }

    pub fn can(&self, line: &str, canned: Canned) {
        self.company().canned.push_back((line.into(), canned));
    }

    /// Token calls wait until the gate is notified.
    pub fn close_gate(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.company.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    /// The calls since the last time, without their queries.
    pub fn lines(&self) -> Vec<String> {
        self.take_seen().into_iter().map(|seen| seen.line).collect()
    }

    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.company().seen)
    }

    pub fn settings(&self) -> Learning360Settings {
        Learning360Settings {
            protect_admins: true,
            base_url: self.base_url.clone(),
            client_id: "client".into(),
            client_secret_expires: None,
            client_secret: "secret".to_owned().into(),
            default_group: GROUP.into(),
            activate: true,
            send_invitation: false,
            protected: Vec::new(),
            writes_per_second: 10,
            reads_per_second: 50,
            timeout: Duration::from_secs(5),
        }
    }

    pub fn target(&self) -> Learning360 {
        self.target_with(|_| ())
    }

    pub fn target_with(&self, change: impl FnOnce(&mut Learning360Settings)) -> Learning360 {
        let mut settings = self.settings();
        change(&mut settings);
        let rate = Rate { calls: 50, per: Duration::from_secs(1), burst: 50 };
        let budget = |name: &str| {
            Arc::new(Budget::new(Arc::clone(&self.budgets) as _, name, rate, settings.timeout))
        };
        Learning360::new(&settings, budget("reads"), budget("writes")).unwrap()
    }
}

/// Long enough for any test.
pub fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn error(status: u16, code: &str) -> Response {
    json_answer(status, &json!({ "error": { "code": code, "message": "no" } }))
}

fn json_answer(status: u16, body: &Value) -> Response {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("content-type", "application/json")], body).into_response()
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = head.uri.path().strip_prefix("/api/v2").unwrap_or("?").to_owned();
    if path == "/oauth2/token" {
        let gate = shared.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        return token(&mut shared.company.lock().unwrap(), &body);
    }
    let query = head.uri.query().unwrap_or_default();
    let query: Vec<(String, String)> = reqwest::Url::parse(&format!("http://h/?{query}"))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    let seen = Seen { line: format!("{} {path}", head.method), query, body };
    let (right, canned) = {
        let mut company = shared.company.lock().unwrap();
        company.seen.push(seen.clone());
        if let Some(refusal) = company.refusal(&head.headers, &seen) {
            return refusal;
        }
        let place = company.canned.iter().position(|(line, _)| seen.line.starts_with(line));
        let canned = place.and_then(|at| match &company.canned[at].1 {
            Canned::MostValues(_) => Some(company.canned[at].1.clone()),
            _ => company.canned.remove(at).map(|(_, canned)| canned),
        });
        let right = match &canned {
            None | Some(Canned::Silent | Canned::MostValues(_)) => {
                Some(company.answer(&head.method, &path, &seen))
            }
            _ => None,
        };
        (right, canned)
    };
    match (canned, right) {
        (Some(Canned::Silent), _) => std::future::pending().await,
        (Some(Canned::MostValues(most)), right) => {
            let values = seen.query.iter().filter(|(key, _)| key.ends_with("[in][]")).count();
            if values > most { error(400, "badRequest") } else { right.unwrap() }
        }
        (Some(Canned::Say(status, kind, body)), _) => {
            (StatusCode::from_u16(status).unwrap(), [("content-type", kind)], body).into_response()
        }
        (Some(Canned::With(status, name, value, body)), _) => {
            (StatusCode::from_u16(status).unwrap(), [(name, value)], body).into_response()
        }
        (Some(Canned::CutOff), _) => ([("content-length", "4000")], "[{\"_id\":").into_response(),
        (None, right) => right.unwrap(),
    }
}

fn token(company: &mut Company, body: &Value) -> Response {
    company.token_calls += 1;
    if let Some((status, answer)) = &company.token_answer {
        return json_answer(*status, answer);
    }
    let right = json!({
        "grant_type": "client_credentials", "client_id": "client", "client_secret": "secret"
    });
    if *body != right {
        return json_answer(401, &json!({ "error": "invalid_client" }));
    }
    company.token += 1;
    let token = format!("token-{}", company.token);
    let expires_in = company.expires_in.clone();
    json_answer(
        200,
        &json!({ "token_type": "Bearer", "access_token": token, "expires_in": expires_in }),
    )
}

impl Company {
    fn refusal(&self, headers: &HeaderMap, seen: &Seen) -> Option<Response> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if header("authorization") != Some(&format!("Bearer token-{}", self.token)) {
            return Some(json_answer(401, &json!({ "error": "invalid_token" })));
        }
        if header("360-api-version") != Some("v2.0")
            || (!seen.body.is_null() && header("content-type") != Some("application/json"))
        {
            return Some(error(400, "badMediaType"));
        }
        let resource = match seen.line.split(['/', ' ']).nth(2) {
            Some("external-ids") => "externalIds",
            Some(other) => other,
            None => "",
        };
        let action = if seen.line.starts_with("GET") { "read" } else { "write" };
        let scope = format!("{resource}:{action}");
        self.lacks.contains(&scope.as_str()).then(|| error(403, "invalid_scope"))
    }

    fn user(&mut self, id: &str) -> Option<&mut Value> {
        self.users.iter_mut().find(|user| user["_id"] == id)
    }

    fn answer(&mut self, method: &Method, path: &str, seen: &Seen) -> Response {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["users"]) => list(&self.users, seen, &["mail", "username", "status"]),
            ("GET", ["external-ids"]) => {
                list(&self.external_ids, seen, &["platform", "type", "value", "targetId"])
            }
            ("GET", ["groups", GROUP]) => json_answer(200, &json!({ "_id": GROUP })),
            ("GET", ["users", id]) => match self.user(id) {
                Some(user) => json_answer(200, &user.clone()),
                None => error(404, "userNotFound"),
            },
            ("POST", ["users"]) => self.create(&seen.body),
            ("PATCH", ["users", id]) => self.patch(id, &seen.body),
            ("PUT", ["users", id, "activate"]) => match self.user(id) {
                None => error(404, "userNotFound"),
                Some(user) if user["status"] == "deleted" => error(400, "userDeleted"),
                Some(user) => {
                    user["status"] = "active".into();
                    json_answer(200, &user.clone())
                }
            },
            ("DELETE", ["users", id]) => match self.user(id) {
                None => error(404, "userNotFound"),
                Some(user) => {
                    user["status"] = "deleted".into();
                    json_answer(204, &Value::Null)
                }
            },
            ("GET", ["users", id, "roles"]) => {
                json_answer(200, &self.roles.get(*id).cloned().unwrap_or_default().into())
            }
            ("GET", ["users", id, "custom-fields", "values"]) => {
                json_answer(200, &self.values.get(*id).cloned().unwrap_or_default().into())
            }
            ("PUT", ["users", id, "custom-fields", "values"]) => {
                let values = seen.body["customValues"].as_array().cloned().unwrap();
                for value in &values {
                    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
                    assert_eq!(keys, ["customFieldId", "type", "value"]);
                    if value["value"] == "not authorised" {
                        return error(400, "unauthorizedValue");
                    }
                }
                self.values.insert((*id).into(), values.clone());
                json_answer(200, &values.into())
            }
            ("GET", ["users", id, "managers"]) => {
                json_answer(200, &self.managers.get(*id).cloned().unwrap_or_default().into())
            }
            ("GET", ["users", id, "subordinates"]) => {
                let theirs = self.managers.iter().filter(|(_, of)| of.iter().any(|one| one == id));
                let theirs: Vec<String> = theirs.map(|(one, _)| one.clone()).collect();
                json_answer(200, &theirs.into())
            }
            ("POST", ["users", one, "managers", other]) => {
                if self.user(one).is_none() {
                    return error(404, "userNotFound");
                }
                match self.user(other).map(|user| user["status"] == "deleted") {
                    None => return error(404, "managerNotFound"),
                    Some(true) => return error(400, "managerDeleted"),
                    Some(false) => {}
                }
                self.managers.entry((*one).into()).or_default().push((*other).into());
                json_answer(204, &Value::Null)
            }
            ("POST", ["groups", group, role, id]) => {
                if *group != GROUP {
                    return error(404, "groupNotFound");
                }
                let role = if *role == "user-admin" { "userAdmin" } else { role };
                let row = json!({ "groupId": group, "role": role });
                self.roles.entry((*id).into()).or_default().push(row);
                json_answer(204, &Value::Null)
            }
            ("GET", ["groups", _]) => error(404, "groupNotFound"),
            ("POST", ["external-ids"]) => self.claim(&seen.body, None),
            ("PUT", ["external-ids", mapping]) => self.claim(&seen.body, Some(mapping)),
            ("DELETE", ["external-ids", _]) => error(404, "mappingIdNotFound"),
            _ => error(404, "endpointNotFound"),
        }
    }

    fn create(&mut self, body: &Value) -> Response {
        let members = body.as_object().unwrap();
        for (member, value) in members {
            assert!(CREATE.contains(&member.as_str()), "unknown member {member}");
            assert!(value != "" && !value.is_null(), "empty member {member}");
        }
        assert!(members.contains_key("mail") || members.contains_key("username"));
        let group = json!({ "groupId": GROUP, "role": "learner" });
        if body["membership"] != group {
            return error(404, "groupNotFound");
        }
        let number = u32::try_from(self.users.len()).unwrap() + 1;
        let same = self.users.iter_mut().find(|user| user["mail"] == body["mail"]);
        match same {
            Some(user) if user["status"] == "deleted" => {
                user["status"] = "invited".into();
                json_answer(200, &user.clone())
            }
            Some(_) => error(400, "mailAlreadyUsed"),
            None => {
                let mut user = body.clone();
                user.as_object_mut().unwrap().remove("membership");
                user["_id"] = id(number).into();
                user["status"] = "invited".into();
                if user["lang"].is_null() {
                    user["lang"] = "en".into();
                }
                self.users.push(user.clone());
                json_answer(201, &user)
            }
        }
    }

    fn patch(&mut self, id: &str, body: &Value) -> Response {
        for (member, value) in body.as_object().unwrap() {
            assert!(UPDATE.contains(&member.as_str()), "unknown member {member}");
            assert!(value != "" && (member != "lang" || !value.is_null()), "bad {member}");
        }
        let Some(user) = self.user(id) else { return error(404, "userNotFound") };
        for (member, value) in body.as_object().unwrap() {
            if value.is_null() {
                user.as_object_mut().unwrap().remove(member);
            } else {
                user[member] = value.clone();
            }
        }
        json_answer(200, &user.clone())
    }

    fn claim(&mut self, body: &Value, mapping: Option<&str>) -> Response {
        let mut members: Vec<&String> = body.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["platform", "targetId", "targetType", "value"]);
        let others = |row: &&Value| {
            row["platform"] == body["platform"] && mapping.is_none_or(|id| row["_id"] != id)
        };
        if self.external_ids.iter().filter(others).any(|row| row["targetId"] == body["targetId"]) {
            return error(400, "mappingAlreadyExists");
        }
        if self.external_ids.iter().filter(others).any(|row| row["value"] == body["value"]) {
            return error(400, "valueAlreadyUsed");
        }
        let status = if mapping.is_some() { 200 } else { 201 };
        let mut row = body.clone();
        row["_id"] = mapping.unwrap_or("eeeeeeeeeeeeeeeeeeeeeeee").into();
        self.external_ids.retain(|old| old["_id"] != row["_id"]);
        self.external_ids.push(row.clone());
        json_answer(status, &row)
    }
}

/// The rows that pass the filters; an unknown filter is refused.
fn list(rows: &[Value], seen: &Seen, fields: &[&str]) -> Response {
    let mut filters: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (name, value) in &seen.query {
        let Some((field, rest)) = name.split_once('[') else { return error(400, "badRequest") };
        let operator = rest.split(']').next().unwrap();
        if !fields.contains(&field) || !["eq", "in"].contains(&operator) {
            return error(400, "badRequest");
        }
        let member = if field == "type" { "targetType" } else { field };
        filters.entry((member, operator)).or_default().push(value);
    }
    // An unfiltered list of users hides deactivated ones here: both is possible.
    let hide = fields.contains(&"status") && !filters.contains_key(&("status", "eq"));
    let rows: Vec<Value> = rows
        .iter()
        .filter(|row| !hide || row["status"] != "deleted")
        .filter(|row| {
            filters.iter().all(|((member, _), values)| {
                row[member].as_str().is_some_and(|value| values.contains(&value))
            })
        })
        .cloned()
        .collect();
    json_answer(200, &rows.into())
}

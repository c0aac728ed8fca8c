//! Holds requests and answers against the official specification (tests/golden).
//!
//! Covers what the specification uses: types, required, enum, pattern of ids, lengths, `allOf`,
//! `oneOf` and `anyOf` (one must fit), `nullable`, dates. A member that the specification does not
//! name is a problem, too. For requests that were made against the sandbox use
//! [`Spec::requests`] with what `GET /_sandbox/requests` answers.

use serde_json::Value;

const FILE: &str = include_str!("../../golden/360learning-openapi.json");

/// The specification.
pub struct Spec(Value);

impl Spec {
    pub fn load() -> Self {
        Self(serde_json::from_str(FILE).expect("the golden file is JSON"))
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let paths = self.0["paths"].as_object()?;
        let mut fitting: Vec<_> =
            paths.iter().filter(|(template, _)| fits(template, path)).collect();
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        fitting.into_iter().find_map(|(_, operations)| operations.get(method.to_lowercase()))
    }

    /// What is wrong with a request's body.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else {
            return vec![format!("{method} {path} is not in the specification")];
        };
        let mut problems = Vec::new();
        match (operation.get("requestBody"), body) {
            (Some(schema), Some(body)) => self.check("body", schema, body, &mut problems),
            (Some(_), None) => problems.push(format!("{method} {path} needs a body")),
            _ => {}
        }
        problems
    }

    /// What is wrong with an answer.
    pub fn answer(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else {
            return vec![format!("{method} {path} is not in the specification")];
        };
        // What violates the schema is 400 without a published code.
        if body["error"]["code"] == "badRequest" || body["error"]["code"] == "badMediaType" {
            return Vec::new();
        }
        let Some(schema) = operation["responses"].get(status.to_string()) else {
            return vec![format!("status {status} is not in the specification")];
        };
        let mut problems = Vec::new();
        if !schema.is_null() {
            self.check("answer", schema, body, &mut problems);
        }
        problems
    }

    /// What is wrong with the requests that the sandbox remembers and did not refuse for a reason
    /// of its own.
    pub fn requests(&self, remembered: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        for (endpoint, calls) in remembered.as_object().into_iter().flatten() {
            let method = endpoint.split(' ').next().unwrap_or_default();
            for call in calls.as_array().into_iter().flatten() {
                let path = call["path"].as_str().unwrap_or_default();
                let body = Some(&call["body"]).filter(|body| **body != "");
                problems.extend(self.request(method, path, body));
            }
        }
        problems
    }

    fn check(&self, at: &str, schema: &Value, value: &Value, problems: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return self.check(at, &self.0["components"]["schemas"][name], value, problems);
        }
        if schema["nullable"] == true && value.is_null() {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(at, part, value, problems);
        }
        for choice in ["oneOf", "anyOf"] {
            let Some(choices) = schema[choice].as_array() else { continue };
            let tries = choices.iter().map(|choice| {
                let mut found = Vec::new();
                self.check(at, choice, value, &mut found);
                found
            });
            let best = tries.min_by_key(Vec::len).unwrap_or_default();
            problems.extend(best);
        }
        let mut wrong = |what: &str| problems.push(format!("{at}: {what}, not {value}"));
        match (schema["type"].as_str(), value) {
            (Some("string"), Value::String(text)) => {
                let long = text.chars().count() as u64;
                if schema["minLength"].as_u64().is_some_and(|least| long < least) {
                    wrong("a longer text");
                }
                let id = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if schema["format"] == "ObjectId" && !id {
                    wrong("an id");
                }
                if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
                    wrong("a moment");
                }
                if schema["format"] == "date" && text.parse::<jiff::civil::Date>().is_err() {
                    wrong("a date");
                }
            }
            (Some("number"), Value::Number(_)) | (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some("array"), Value::Array(items)) => {
                if schema["maxItems"].as_u64().is_some_and(|most| items.len() as u64 > most) {
                    wrong("fewer items");
                }
                for (n, item) in items.iter().enumerate() {
                    self.check(&format!("{at}[{n}]"), &schema["items"], item, problems);
                }
            }
            (Some("object"), Value::Object(members)) => {
                let required = schema["required"].as_array().into_iter().flatten();
                for name in required.filter_map(Value::as_str) {
                    if !members.contains_key(name) {
                        problems.push(format!("{at}: {name} is missing"));
                    }
                }
                let Some(known) = schema["properties"].as_object() else { return };
                for (name, member) in members {
                    match known.get(name) {
                        Some(schema) => {
                            self.check(&format!("{at}.{name}"), schema, member, problems);
                        }
                        None => problems.push(format!("{at}: {name} is unknown")),
                    }
                }
            }
            (Some(kind), _) => wrong(kind),
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            problems.push(format!("{at}: one of {allowed:?}, not {value}"));
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, given) = (template.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted.zip(given).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
}

#[test]
fn what_the_specification_forbids_is_found() {
    let spec = Spec::load();
    let problems = |body: Value| spec.request("POST", "/api/v2/users", Some(&body)).len();
    let group = "65f0c1d2e3a4b5c6d7e8f9a1";
    let right = serde_json::json!({"mail": "a@example.test", "membership": {"groupId": group, "role": "learner"}});
    assert_eq!(problems(right.clone()), 0);
    for (name, value) in [("mail", ""), ("lang", "xx"), ("membership", "me"), ("zone", "UTC")] {
        let mut wrong = right.clone();
        wrong[name] = value.into();
        assert_eq!(problems(wrong), 1, "{name}");
    }
    assert_eq!(problems(serde_json::json!({"mail": "a@example.test"})), 1);
    let path = format!("/api/v2/users/{group}");
    let null = |name: &str| {
        let body = Value::from_iter([(name, Value::Null)]);
        spec.request("PATCH", &path, Some(&body)).len()
    };
    assert_eq!((null("phone"), null("lang") > 0), (0, true));
}

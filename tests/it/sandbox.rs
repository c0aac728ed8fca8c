//! The doubles behave as the fact sheets say the real services do, over real HTTP.

mod control;
mod furnishing;
mod hibob;
mod lms;
pub mod openapi;
mod webhooks;

use std::time::Duration;

use instep::clock::{Clock, Deadline};
use instep::sandbox::{Options, Sandbox};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use openapi::Spec;

/// A running sandbox and someone who calls it.
pub struct Town {
    pub sandbox: Sandbox,
    pub client: Client,
    pub clock: Clock,
    spec: Spec,
    token: String,
}

/// An answer, read in full.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub kind: String,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Got {
    async fn read(response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, kind: kind.unwrap_or_default(), headers, text, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a refusal.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().or(self.body["error"].as_str()).unwrap_or("")
    }

    pub fn id(&self) -> String {
        self.body["_id"].as_str().unwrap_or_else(|| panic!("no _id in {self:?}")).to_owned()
    }
}

impl Town {
    pub async fn with(options: Options) -> Self {
        let clock = Clock::manual("2026-03-02T08:15:30Z".parse().unwrap());
        let sandbox = Sandbox::start(options, clock.clone()).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let mut town = Self { sandbox, client, clock, spec: Spec::load(), token: String::new() };
        town.sign_in().await;
        town
    }

    /// A few people, no limits.
    pub async fn small() -> Self {
        Self::with(Options { people: 40, limits: false, ..Options::default() }).await
    }

    pub async fn sign_in(&mut self) {
        let got = self.token(&self.grant()).await;
        got.body["access_token"].as_str().unwrap().clone_into(&mut self.token);
    }

    pub fn grant(&self) -> Value {
        let known = self.sandbox.credentials();
        json!({"grant_type": "client_credentials", "client_id": known.client_id,
            "client_secret": known.client_secret})
    }

    pub async fn token(&self, body: &Value) -> Got {
        let url = format!("{}/api/v2/oauth2/token", self.sandbox.lms_url());
        Got::read(self.client.post(url).json(body).send().await.unwrap()).await
    }

    /// A call to 360Learning; what goes out and what comes back is held against the specification.
    pub async fn lms(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        let got = self.lms_unchecked(method, path, body.clone()).await;
        let plain = path.split('?').next().unwrap();
        let mut problems = self.spec.answer(method, plain, got.status, &got.body);
        if got.status < 300 {
            problems.extend(self.spec.request(method, plain, body.as_ref()));
        }
        assert!(problems.is_empty(), "{method} {path} -> {}: {problems:#?}", got.status);
        got
    }

    pub async fn lms_unchecked(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        let url = format!("{}{path}", self.sandbox.lms_url());
        let mut request = self
            .client
            .request(Method::from_bytes(method.as_bytes()).unwrap(), url)
            .bearer_auth(&self.token)
            .header("360-api-version", "v2.0");
        if let Some(body) = body {
            request = request.json(&body);
        }
        Got::read(request.send().await.unwrap()).await
    }

    /// A call to HiBob as its service user.
    pub async fn bob(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        let known = self.sandbox.credentials();
        let mut request = self
            .client
            .request(
                Method::from_bytes(method.as_bytes()).unwrap(),
                format!("{}/v1{path}", self.sandbox.hibob_url()),
            )
            .basic_auth(&known.service_user, Some(&known.token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Got::read(request.send().await.unwrap()).await
    }

    /// A control call, on HiBob's port.
    pub async fn order_bob(&self, path: &str, body: Value) -> Got {
        let url = format!("{}/_sandbox/{path}", self.sandbox.hibob_url());
        Got::read(self.client.post(url).json(&body).send().await.unwrap()).await
    }

    /// A control call, on 360Learning's port.
    pub async fn order_lms(&self, path: &str, body: Value) -> Got {
        let url = format!("{}/_sandbox/{path}", self.sandbox.lms_url());
        Got::read(self.client.post(url).json(&body).send().await.unwrap()).await
    }

    pub async fn look(&self, base: &str, what: &str) -> Value {
        Got::read(self.client.get(format!("{base}/_sandbox/{what}")).send().await.unwrap())
            .await
            .body
    }

    pub async fn bob_state(&self) -> Value {
        self.look(&self.sandbox.hibob_url(), "state").await
    }

    pub async fn lms_state(&self) -> Value {
        self.look(&self.sandbox.lms_url(), "state").await
    }
}

/// Waits until something is so; fails after ten seconds.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let deadline = Deadline::after(Duration::from_secs(10));
    while !so().await {
        assert!(!deadline.left().is_zero(), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

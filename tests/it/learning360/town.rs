//! A sandbox with the adapter connected to it: what the tests of groups, custom fields, managers and
//! protection walk through. What the adapter sends is held against the official specification.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use instep::clock::Clock;
use instep::config::Learning360Settings;
use instep::model::{AccountId, Change, Done, GroupId, Lane, Needs};
use instep::sandbox::{FieldSetup, Options, Sandbox};
use instep::store::Rate;
use instep::store::budget::Budget;
use instep::targets::TargetError;
use instep::targets::learning360::Learning360;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::far_end::{PLATFORM, deadline};
use crate::harness::budgets::OnlyBudgets;
use crate::sandbox::openapi::Spec;

pub struct Town {
    pub sandbox: Sandbox,
    pub target: Learning360,
    pub clock: Clock,
    client: Client,
}

impl Town {
    /// A company with a few groups and custom fields, and nobody but its owner.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Learning360Settings)) -> Self {
        let field = |name: &str, date, authorized: &[&str]| FieldSetup {
            name: name.to_owned(),
            date,
            authorized: authorized.iter().map(|&value| value.to_owned()).collect(),
        };
        let options = Options {
            people: 0,
            limits: false,
            groups: vec!["Departments/Finance".into(), "Sites".into()],
            custom_fields: vec![
                field("Cost centre", false, &["CC-1", "CC-2"]),
                field("First day", true, &[]),
                field("Badge", false, &[]),
            ],
            ..Options::default()
        };
        let clock = Clock::manual("2026-03-02T08:15:30Z".parse().unwrap());
        let sandbox = Sandbox::start(options, clock.clone()).await.unwrap();
        let known = sandbox.credentials();
        let mut settings = Learning360Settings {
            protect_admins: true,
            base_url: sandbox.lms_url(),
            client_id: known.client_id.clone(),
            client_secret_expires: None,
            client_secret: known.client_secret.clone().into(),
            default_group: known.default_group.clone(),
            activate: true,
            send_invitation: false,
            protected: Vec::new(),
            writes_per_second: 10,
            reads_per_second: 50,
            timeout: Duration::from_secs(5),
        };
        change(&mut settings);
        let budgets: Arc<OnlyBudgets> = Arc::default();
        let rate = Rate { calls: 50, per: Duration::from_secs(1), burst: 50 };
        let budget = |name: &str| {
            Arc::new(Budget::new(Arc::clone(&budgets) as _, name, rate, settings.timeout))
        };
        let target = Learning360::new(&settings, budget("reads"), budget("writes")).unwrap();
        Self { sandbox, target, clock, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// A control call.
    pub async fn order(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_sandbox/{path}", self.sandbox.lms_url());
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn look(&self, path: &str) -> Value {
        let url = format!("{}/_sandbox/{path}", self.sandbox.lms_url());
        let answer = self.client.get(url).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// The next call of this endpoint is refused so.
    pub async fn refuse(&self, endpoint: &str, status: u16, code: &str) {
        let body = json!({ "error": { "code": code, "message": "nadia.brisk@example.test" } });
        let fault = json!({ "endpoint": endpoint, "status": status, "body": body, "times": 1 });
        self.order("faults", fault).await;
    }

    /// An account made by hand.
    pub async fn account(&self, set: Value) -> AccountId {
        let made = self.order("accounts", json!({ "set": set })).await;
        AccountId::new(made["_id"].as_str().unwrap())
    }

    pub async fn person(&self, mail: &str) -> AccountId {
        self.account(json!({ "mail": mail })).await
    }

    pub async fn edit(&self, id: &AccountId, set: Value) {
        self.order("accounts", json!({ "_id": id, "set": set })).await;
    }

    /// What the LMS holds of an account.
    pub fn held(&self, id: &AccountId) -> Value {
        let all = self.sandbox.accounts();
        all.into_iter().find(|account| account["_id"] == id.as_str()).unwrap()
    }

    /// The id of a group, which is made if it is not there.
    pub async fn group(&self, path: &str) -> GroupId {
        let group = self.order("groups", json!({ "path": path })).await;
        GroupId::new(group["_id"].as_str().unwrap())
    }

    /// Something that an administrator deletes with the API.
    pub async fn delete(&self, path: &str) {
        self.by_api(Method::DELETE, path, None).await;
    }

    /// Something that an administrator changes with the API.
    pub async fn patch(&self, path: &str, body: Value) {
        self.by_api(Method::PATCH, path, Some(body)).await;
    }

    async fn by_api(&self, method: Method, path: &str, body: Option<Value>) {
        let known = self.sandbox.credentials();
        let url = |path: &str| format!("{}/api/v2/{path}", self.sandbox.lms_url());
        let grant = json!({ "grant_type": "client_credentials", "client_id": known.client_id,
            "client_secret": known.client_secret });
        let token = self.client.post(url("oauth2/token")).json(&grant).send().await.unwrap();
        let token: Value = serde_json::from_str(&token.text().await.unwrap()).unwrap();
        let mut call = self.client.request(method, url(path)).header("360-api-version", "v2.0");
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.bearer_auth(token["access_token"].as_str().unwrap()).send().await;
        assert!(answer.unwrap().status().is_success(), "{path}");
    }

    /// How often an endpoint was called: `GET /groups`.
    pub async fn calls(&self, endpoint: &str) -> u64 {
        let stats = self.look("stats").await;
        let endpoint = endpoint.replacen(' ', " /api/v2", 1);
        stats["calls"][endpoint].as_u64().unwrap_or(0)
    }

    /// All calls but those for tokens.
    pub async fn all_calls(&self) -> u64 {
        let stats = self.look("stats").await;
        let calls: BTreeMap<String, u64> = serde_json::from_value(stats["calls"].clone()).unwrap();
        calls.iter().filter(|(name, _)| !name.contains("oauth2")).map(|(_, count)| count).sum()
    }

    /// The bodies of the last calls of an endpoint, each held against the specification.
    pub async fn bodies(&self, endpoint: &str) -> Vec<Value> {
        let remembered = self.look("requests").await;
        assert_eq!(Spec::load().requests(&remembered), Vec::<String>::new());
        let endpoint = endpoint.replacen(' ', " /api/v2", 1);
        let calls = remembered[endpoint].as_array().cloned().unwrap_or_default();
        calls.into_iter().map(|call| call["body"].clone()).collect()
    }

    pub async fn apply(&self, id: &AccountId, change: Change) -> Result<Done, TargetError> {
        self.target.apply(PLATFORM, Some(id), &change, Lane::Live, deadline()).await
    }

    pub async fn make_group(&self, names: &[&str]) -> Result<Done, TargetError> {
        let change = Change::MakeGroup { path: path(names) };
        self.target.apply(PLATFORM, None, &change, Lane::Live, deadline()).await
    }

    pub async fn catalogue(&self, needs: &Needs, afresh: bool) -> Arc<instep::model::Catalogue> {
        self.target.catalogue(needs, afresh, Lane::Live, deadline()).await.unwrap()
    }
}

pub fn path(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Groups, and the custom fields with these names.
pub fn needs(custom_fields: &[&str]) -> Needs {
    Needs { groups: true, custom_fields: path(custom_fields).into_iter().collect() }
}

/// The code of a refusal that is for a person.
pub fn refused(end: Result<Done, TargetError>) -> (String, String) {
    match end {
        Err(TargetError::Refused { code, advice }) => (code, advice),
        other => panic!("refused, not {other:?}"),
    }
}

/// The code of a refusal after which the caller looks again.
pub fn look_again(end: Result<Done, TargetError>) -> String {
    match end {
        Err(TargetError::LookAgain { code, .. }) => code,
        other => panic!("look again, not {other:?}"),
    }
}

//! What an administrator sets up: groups, custom fields, and how accounts show what they hold.

use std::time::Duration;

use instep::clock::Clock;
use instep::sandbox::{FieldSetup, Options, Sandbox};
use serde_json::{Value, json};

use super::Town;

fn furnished() -> Options {
    let site = FieldSetup {
        name: "Site".into(),
        date: false,
        authorized: vec!["Oslo".into(), "Rome".into()],
    };
    let day = FieldSetup { name: "First day".into(), date: true, ..FieldSetup::default() };
    Options {
        people: 3,
        limits: false,
        groups: vec!["Departments/Finance".into(), " Departments / Sales".into(), "Sites".into()],
        custom_fields: vec![site, day],
        ..Options::default()
    }
}

fn account(town: &Town, id: &str) -> Value {
    town.sandbox.accounts().into_iter().find(|account| account["_id"] == id).unwrap()
}

#[tokio::test]
async fn a_sandbox_begins_with_groups_and_custom_fields() {
    let town = Town::with(furnished()).await;
    let groups = town.lms("GET", "/api/v2/groups", None).await.body;
    let named = |name: &str| groups.as_array().unwrap().iter().find(|g| g["name"] == name).unwrap();
    let departments = named("Departments");
    assert_eq!(named("Finance")["parentId"], departments["_id"]);
    assert_eq!(named("Sales")["parentId"], departments["_id"]);
    assert_eq!((&named("Sites")["public"], &departments["public"]), (&json!(false), &json!(false)));
    let fields = town.lms("GET", "/api/v2/custom-fields", None).await.body;
    assert_eq!((&fields[0]["name"], &fields[0]["type"]), (&json!("Site"), &json!("string")));
    assert_eq!((&fields[1]["name"], &fields[1]["type"]), (&json!("First day"), &json!("date")));
    let id = fields[0]["_id"].as_str().unwrap();
    let values = format!("/api/v2/custom-fields/{id}/authorized-values");
    assert_eq!(town.lms("GET", &values, None).await.body, json!(["Oslo", "Rome"]));

    let clock = Clock::manual("2026-03-02T08:15:30Z".parse().unwrap());
    for wrong in ["", "Sites//Oslo"] {
        let options = Options { groups: vec![wrong.into()], ..furnished() };
        assert!(Sandbox::start(options, clock.clone()).await.is_err());
    }
    // Accounts are the same with and without.
    let start = async |options| Sandbox::start(options, clock.clone()).await.unwrap().accounts();
    let (bare, full) = (
        Options { people: 20, in_step: true, ..Options::default() },
        Options { people: 20, in_step: true, ..furnished() },
    );
    assert_eq!(start(bare).await, start(full).await);
}

#[tokio::test]
async fn groups_and_custom_fields_are_made_by_hand() {
    let town = Town::with(furnished()).await;
    let made = town.order_lms("groups", json!({"path": "Departments/Legal/Patents"})).await;
    let again = town.order_lms("groups", json!({"path": "Departments/Legal/Patents"})).await;
    assert_eq!((made.status, &made.body), (200, &again.body));
    let public = town.order_lms("groups", json!({"path": "Clubs", "public": true})).await.body;
    assert_eq!(public["public"], true);
    for wrong in [json!({"path": " "}), json!({"name": "x"}), json!({})] {
        assert_eq!(town.order_lms("groups", wrong).await.status, 400);
    }
    let field = json!({"name": "Grade", "authorizedValues": ["A", "B"]});
    let grade = town.order_lms("custom-fields", field).await;
    assert_eq!((grade.status, &grade.body["type"]), (200, &json!("string")));
    let narrower = json!({"name": "Grade", "authorizedValues": ["C"]});
    let got = town.order_lms("custom-fields", narrower).await.body;
    assert_eq!((&got["_id"], &got["authorizedValues"]), (&grade.body["_id"], &json!(["C"])));
    for wrong in [
        json!({"name": " "}),
        json!({"name": "Grade", "date": true}),
        json!({"name": "When", "date": true, "authorizedValues": ["soon"]}),
    ] {
        assert_eq!(town.order_lms("custom-fields", wrong).await.status, 400);
    }
    assert_eq!(town.lms_state().await["writes"], 0, "what is done by hand is nobody's write");
    town.order_lms("settings", json!({"most_groups": 4})).await;
    let parent = &public["_id"];
    let body = json!({"name": "Chess", "public": false, "parentId": parent});
    let got = town.lms("POST", "/api/v2/groups", Some(body)).await;
    assert_eq!(got.code(), "maxGroupsLimitReached");
}

#[tokio::test]
async fn accounts_show_what_they_hold_by_name() {
    let town = Town::with(furnished()).await;
    let group = async |path: &str| town.order_lms("groups", json!({"path": path})).await.id();
    let finance = group("Departments/Finance").await;
    let root = town.sandbox.accounts()[0]["groups"][0]["groupId"].clone();
    let owner = town.sandbox.accounts()[0]["_id"].clone();
    let set = json!({"mail": "kim@example.test", "toBeDeactivatedAt": "2026-03-02T09:00:00.000Z",
        "groups": [{"groupId": finance, "role": "coach"}, {"groupId": root, "role": "learner"}],
        "customFields": {"Site": "Oslo", "First day": "2026-04-01"}, "managers": [owner]});
    let id = town.order_lms("accounts", json!({"set": set})).await.id();
    let held = account(&town, &id);
    let memberships = held["memberships"].as_array().unwrap();
    for (path, role) in [("Departments/Finance", "coach"), ("Norvane", "learner")] {
        assert!(memberships.contains(&json!({"path": path, "role": role})), "{memberships:?}");
    }
    assert_eq!(held["customValues"], json!({"Site": "Oslo", "First day": "2026-04-01"}));
    assert_eq!(held["managers"], json!([owner]));
    assert_eq!(held["toBeDeactivatedAt"], "2026-03-02T09:00:00.000Z");

    // A custom field that is deleted takes its values with it.
    let fields = town.lms("GET", "/api/v2/custom-fields?name[eq]=Site", None).await.body;
    let field = format!("/api/v2/custom-fields/{}", fields[0]["_id"].as_str().unwrap());
    assert_eq!(town.lms("DELETE", &field, None).await.status, 204);
    assert_eq!(account(&town, &id)["customValues"], json!({"First day": "2026-04-01"}));
    let values = format!("/api/v2/users/{id}/custom-fields/values");
    assert_eq!(town.lms("GET", &values, None).await.body.as_array().unwrap().len(), 1);

    // The planned deactivation comes with the clock, whoever looks first.
    town.clock.advance(Duration::from_secs(3600));
    let stats = town.look(&town.sandbox.lms_url(), "stats").await;
    assert_eq!(stats["accounts"]["deleted"], 1);
    let held = account(&town, &id);
    assert_eq!((&held["status"], &held["memberships"]), (&json!("deleted"), &json!([])));
    assert_eq!((held.get("toBeDeactivatedAt"), &held["managers"]), (None, &json!([])));
}

#[tokio::test]
async fn learners_leave_public_groups_below_though_not_members_of_those_between() {
    let town = Town::with(furnished()).await;
    let group = async |path: &str, public: bool| {
        town.order_lms("groups", json!({"path": path, "public": public})).await.id()
    };
    let top = group("Top", true).await;
    group("Top/Between", true).await;
    let low = group("Top/Between/Low", true).await;
    let private = group("Top/Between/Private", false).await;
    let below = group("Top/Between/Private/Public", true).await;
    let rows: Vec<Value> = [&top, &low, &private, &below]
        .map(|group| json!({"groupId": group, "role": "learner"}))
        .to_vec();
    let set = json!({"mail": "kim@example.test", "groups": rows});
    let id = town.order_lms("accounts", json!({"set": set})).await.id();
    let path = format!("/api/v2/groups/{top}/learner/{id}");
    assert_eq!(town.lms("DELETE", &path, None).await.status, 204);
    let held = account(&town, &id);
    let left: Vec<_> =
        held["memberships"].as_array().unwrap().iter().map(|row| &row["path"]).collect();
    assert_eq!(left, ["Top/Between/Private", "Top/Between/Private/Public"]);
    assert_eq!(town.lms("DELETE", &path, None).await.code(), "userNotFoundInGroup");
}

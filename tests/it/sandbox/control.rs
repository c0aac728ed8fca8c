//! The control calls: state, people, accounts, faults.

use std::time::Duration;

use instep::sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::{Got, Town, until};

const SEARCH: &str = "POST /v1/people/search";

async fn search(town: &Town) -> Got {
    let body = json!({"fields": ["root.id", "root.surname"], "showInactive": true});
    town.bob("POST", "/people/search", Some(body)).await
}

/// A search whose connection may break.
async fn fails(town: &Town) -> bool {
    let known = town.sandbox.credentials();
    let request = town
        .client
        .post(format!("{}/v1/people/search", town.sandbox.hibob_url()))
        .basic_auth(&known.service_user, Some(&known.token))
        .json(&json!({}));
    match request.send().await {
        Ok(answer) => answer.text().await.is_err(),
        Err(_) => true,
    }
}

#[tokio::test]
async fn a_hire_needs_nothing_and_a_merge_is_deep() {
    let town = Town::small().await;
    let hired = town.order_bob("people", json!({"merge": {}})).await.body;
    let id = hired["id"].as_str().unwrap();
    assert_eq!(hired["events"][0], "employee.created");
    let person = async |id: &str| {
        let state = town.bob_state().await;
        state["people"].as_array().unwrap().iter().find(|p| p["id"] == id).cloned().unwrap()
    };
    let fresh = person(id).await;
    assert_eq!(
        (&fresh["work"]["site"], &fresh["internal"]["status"]),
        (&json!("London"), &json!("Active"))
    );
    assert!(fresh["email"].as_str().unwrap().ends_with("@example.test"));

    let boss = town.bob_state().await["people"][0].clone();
    let merge = json!({"surname": "Łuk", "email": null, "work": {"site": "Atlantis", "manager": boss["id"],
        "title": "Chief Juggler", "custom": {"field_9": "x"}}});
    town.order_bob("people", json!({"id": id, "merge": merge})).await;
    let now = person(id).await;
    assert_eq!(now["firstName"], fresh["firstName"], "what is not named stays");
    assert_eq!(now["displayName"], format!("{} Łuk", fresh["firstName"].as_str().unwrap()));
    assert_eq!(
        (&now["email"], &now["work"]["department"]),
        (&Value::Null, &fresh["work"]["department"])
    );
    assert_eq!(now["work"]["reportsTo"]["email"], boss["email"]);
    assert_eq!(now["humanReadable"]["work"]["title"], "Chief Juggler", "no such id: its own label");
    assert_ne!(now["work"]["siteId"], fresh["work"]["siteId"]);

    // Whoever reports to someone shows that person's present name.
    town.order_bob("people", json!({"id": boss["id"], "merge": {"surname": "Novák"}})).await;
    assert_eq!(person(id).await["work"]["reportsTo"]["surname"], "Novák");
    let wrong = town.order_bob("people", json!({"id": id, "merg": {}})).await;
    assert_eq!((wrong.status, wrong.body["error"].is_string()), (400, true));
    let gone = town.order_bob("people", json!({"id": id, "delete": true})).await.body;
    assert_eq!(gone["events"], json!(["employee.deleted"]));
    let again = town.order_bob("people", json!({"id": id, "delete": true})).await.body;
    assert_eq!(again["events"], json!([]));
}

#[tokio::test]
async fn state_counts_calls_by_template() {
    let town = Town::small().await;
    search(&town).await;
    search(&town).await;
    town.bob("GET", "/nowhere", None).await;
    let state = town.bob_state().await;
    assert_eq!(state["calls"], json!({SEARCH: 2, "unknown path": 1}));
    assert_eq!(state["people"].as_array().unwrap().len(), 40);
    assert_eq!(state["webhooks"]["waiting"], 0);
    let nobody = "65f0c1d2e3a4b5c6d7e8f901";
    town.lms("GET", &format!("/api/v2/users/{nobody}"), None).await;
    let counters = town.look(&town.sandbox.lms_url(), "stats").await;
    assert_eq!(
        counters["calls"],
        json!({"POST /api/v2/oauth2/token": 1, "GET /api/v2/users/{userId}": 1})
    );
    assert_eq!((&counters["writes"], &counters["accounts"]["active"]), (&json!(0), &json!(1)));
    let requests = town.look(&town.sandbox.hibob_url(), "requests").await;
    assert_eq!(requests[SEARCH][1]["body"]["fields"][0], "root.id");
    assert_eq!(requests[SEARCH][1]["status"], 200);
}

#[tokio::test]
async fn counted_faults_make_a_sequence_and_then_all_is_well() {
    let town = Town::small().await;
    let orders = json!([
        {"endpoint": SEARCH, "status": 503, "times": 2},
        {"endpoint": SEARCH, "retry_after": 7, "times": 1},
        {"endpoint": SEARCH, "html": true, "times": 1},
        {"endpoint": SEARCH, "truncate": true, "times": 1},
        {"endpoint": SEARCH, "body": {"employees": "?"}, "times": 1},
        {"endpoint": SEARCH, "status": 401, "times": 1},
    ]);
    assert_eq!(town.order_bob("faults", orders).await.status, 200);
    assert_eq!((search(&town).await.status, search(&town).await.status), (503, 503));
    let got = search(&town).await;
    assert_eq!((got.status, got.header("retry-after")), (429, "7"));
    let got = search(&town).await;
    assert_eq!((got.status, got.kind.starts_with("text/html")), (200, true));
    let got = search(&town).await;
    assert_eq!((got.status, got.body, got.text.starts_with('{')), (200, Value::Null, true));
    assert_eq!(search(&town).await.body["employees"], "?");
    let got = search(&town).await;
    assert_eq!((got.status, got.text.as_str()), (401, ""));
    assert_eq!(search(&town).await.body["employees"].as_array().unwrap().len(), 40);
    for wrong in [
        json!({"endpoint": "POST /people"}),
        json!({"endpoint": SEARCH, "drop": "twice"}),
        json!({"endpoint": SEARCH, "stauts": 500}),
        json!({"endpoint": SEARCH, "times": 0}),
    ] {
        assert_eq!(town.order_bob("faults", wrong.clone()).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn people_and_fields_can_be_left_out_and_records_stale() {
    let town = Town::small().await;
    let people = town.sandbox.people();
    let (one, two) = (&people[1]["id"], &people[2]["id"]);
    town.order_bob(
        "faults",
        json!({"endpoint": SEARCH, "omit_person": one, "omit_field": ["root.surname"]}),
    )
    .await;
    let got = search(&town).await.body;
    let shown = got["employees"].as_array().unwrap();
    assert_eq!(shown.len(), 39);
    assert!(shown.iter().all(|p| p.get("surname").is_none() && p.get("/root/surname").is_none()));
    assert!(shown.iter().all(|p| p["id"] != *one));

    town.order_bob("faults", json!({"endpoint": SEARCH, "stale_ms": 5000})).await;
    town.clock.advance(Duration::from_secs(60));
    town.order_bob("people", json!({"id": two, "merge": {"surname": "Now"}})).await;
    town.order_bob("people", json!({"id": "4999999999999999999", "merge": {}})).await;
    town.order_bob("people", json!({"id": one, "delete": true})).await;
    let seen = async || {
        let got = search(&town).await.body;
        let rows = got["employees"].as_array().unwrap().clone();
        let surname = rows.iter().find(|p| p["id"] == *two).unwrap()["surname"].clone();
        let has = |id: &Value| rows.iter().any(|p| p["id"] == *id);
        (surname, has(&json!("4999999999999999999")), has(one))
    };
    assert_eq!(seen().await, (people[2]["surname"].clone(), false, true));
    town.clock.advance(Duration::from_secs(6));
    assert_eq!(seen().await, (json!("Now"), true, false));
    town.order_bob("faults", json!({"clear": true})).await;
    assert_eq!(town.look(&town.sandbox.hibob_url(), "faults").await, json!([]));
}

#[tokio::test]
async fn connections_are_cut_on_either_side_of_the_effect() {
    let town = Town::small().await;
    for how in [json!({"drop": true}), json!({"drop": "before"}), json!({"truncate": "connection"})]
    {
        let mut order = json!({"endpoint": SEARCH});
        for (name, value) in how.as_object().unwrap() {
            order[name] = value.clone();
        }
        town.order_bob("faults", order).await;
        assert!(fails(&town).await, "{how}");
    }
    town.order_bob("faults", json!({"clear": true, "endpoint": SEARCH})).await;
    assert!(!fails(&town).await);

    let group = &town.sandbox.credentials().default_group;
    let create = async |mail: &str| {
        let body = json!({"mail": mail, "membership": {"groupId": group, "role": "learner"}});
        let url = format!("{}/api/v2/users", town.sandbox.lms_url());
        let call = town.client.post(url).bearer_auth(&town.token).header("360-api-version", "v2.0");
        call.json(&body).send().await.map(|answer| answer.status().as_u16()).ok()
    };
    let there = async |mail: &str| {
        town.lms("GET", &format!("/api/v2/users?mail[eq]={mail}"), None).await.body != json!([])
    };
    let cases = [
        (json!({"drop": "before"}), None, false),
        (json!({"drop": "after"}), None, true),
        (json!({"status": 500}), Some(500), false),
        (json!({"status": 502, "when": "after"}), Some(502), true),
        (json!({"latency_ms": 1, "when": "before"}), Some(201), true),
    ];
    for (n, (mut fault, status, done)) in cases.into_iter().enumerate() {
        let mail = format!("case{n}@example.test");
        fault["endpoint"] = "POST /api/v2/users".into();
        fault["times"] = 1.into();
        town.order_lms("faults", fault.clone()).await;
        assert_eq!((create(&mail).await, there(&mail).await), (status, done), "{fault}");
    }
    // Templates by any parameter name, or one account alone.
    let state = town.lms_state().await;
    let id = state["accounts"][0]["_id"].as_str().unwrap();
    for endpoint in ["GET /api/v2/users/{id}".to_owned(), format!("GET /api/v2/users/{id}")] {
        town.order_lms("faults", json!({"endpoint": endpoint, "status": 429, "times": 1})).await;
        let path = format!("/api/v2/users/{id}");
        assert_eq!(town.lms("GET", &path, None).await.status, 429);
        assert_eq!(town.lms("GET", &path, None).await.status, 200);
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_before_the_effect_changes_nothing_unless_it_is_late() {
    let town = Town::small().await;
    let group = &town.sandbox.credentials().default_group;
    let create = |mail: &str| {
        let body = json!({"mail": mail, "membership": {"groupId": group, "role": "learner"}});
        let url = format!("{}/api/v2/users", town.sandbox.lms_url());
        let call = town.client.post(url).bearer_auth(&town.token).header("360-api-version", "v2.0");
        tokio::spawn(call.json(&body).send())
    };
    let there = async |mail: &str| {
        let path = format!("/api/v2/users?mail[eq]={mail}");
        town.lms("GET", &path, None).await.body != json!([])
    };
    let calls = async || {
        let counters = town.look(&town.sandbox.lms_url(), "stats").await;
        counters["calls"]["POST /api/v2/users"].as_u64().unwrap_or(0)
    };
    let pause =
        |when: &str| json!({"endpoint": "POST /api/v2/users", "latency_ms": 1000, "when": when});
    let hang_up = async |mail: &str, nth: u64| {
        let call = create(mail);
        until("the call is under way", async || calls().await == nth).await;
        call.abort();
    };
    town.order_lms("faults", pause("before")).await;
    hang_up("gone@example.test", 1).await;
    // This one is answered after the first would have been.
    assert_eq!(create("patient@example.test").await.unwrap().unwrap().status(), 201);
    assert!(!there("gone@example.test").await);
    town.order_lms("faults", pause("late")).await;
    hang_up("late@example.test", 3).await;
    until("it takes effect all the same", async || there("late@example.test").await).await;
}

#[tokio::test]
async fn an_administrator_edits_accounts_by_hand() {
    let town = Town::small().await;
    let field = json!({"name": "Cost centre", "targetType": "users", "type": "string"});
    let cost = town.lms("POST", "/api/v2/custom-fields", Some(field)).await.id();
    let group = &town.sandbox.credentials().default_group;
    let set = json!({"mail": "by.hand@example.test", "lastName": "Hand", "job": "Clerk",
        "groups": [{"groupId": group, "role": "coach"}], "customFields": {"Cost centre": "CC-1"},
        "externalIds": [{"platform": "p", "value": "1"}]});
    let made = town.order_lms("accounts", json!({"set": set})).await;
    assert_eq!((made.status, &made.body["status"]), (200, &json!("active")));
    assert_eq!(made.body["groups"], json!([{"groupId": group, "role": "coach"}]));
    assert_eq!(made.body["customFields"], json!({cost.as_str(): "CC-1"}));
    assert_eq!(made.body["externalIds"][0]["value"], "1");
    let id = made.id();
    let owner = town.lms_state().await["accounts"][0]["_id"].clone();
    let edit = json!({"_id": id, "set": {"job": null, "status": "invited", "managers": [owner]}});
    let got = town.order_lms("accounts", edit).await.body;
    assert_eq!(
        (got.get("job"), &got["status"], &got["managers"]),
        (None, &json!("invited"), &json!([owner]))
    );
    let got = town.order_lms("accounts", json!({"_id": id, "delete": true})).await.body;
    assert_eq!((&got["status"], &got["groups"]), (&json!("deleted"), &json!([])));
    assert_eq!(
        town.order_lms("accounts", json!({"set": {"mail": "by.hand@example.test"}})).await.status,
        400
    );
    town.order_lms("accounts", json!({"_id": id, "wipe": true})).await;
    assert_eq!(town.lms("GET", &format!("/api/v2/users/{id}"), None).await.status, 404);
    assert_eq!(town.lms_state().await["writes"], 1, "what is done by hand is nobody's write");
}

#[tokio::test]
async fn the_same_seed_makes_the_same_town_and_in_step_means_in_step() {
    let options = Options {
        people: 120,
        seed: 42,
        in_step: true,
        platform: Some("p".into()),
        ..Options::default()
    };
    let (one, other) = (Town::with(options.clone()).await, Town::with(options).await);
    assert_eq!(one.sandbox.people(), other.sandbox.people());
    assert_eq!(one.sandbox.accounts(), other.sandbox.accounts());
    assert_eq!(one.sandbox.credentials().token, other.sandbox.credentials().token);
    let accounts = one.sandbox.accounts();
    let (mut active, mut outside) = (0, 0);
    for person in one.sandbox.people() {
        let account = accounts.iter().find(|a| a["externalIds"][0]["value"] == person["id"]);
        let works = person["internal"]["status"] == "Active";
        if person["work"]["site"] == "Lisbon" {
            outside += 1;
            assert!(account.is_none());
        } else if works {
            active += 1;
            let account = account.unwrap();
            assert_eq!(
                (&account["status"], &account["mail"]),
                (&json!("active"), &person["email"])
            );
            assert_eq!(account["job"], person["humanReadable"]["work"]["title"]);
        } else {
            assert!(account.is_none_or(|account| account["status"] == "deleted"));
        }
    }
    assert!(active > 80 && outside > 0, "{active} {outside}");
}

#[tokio::test]
async fn the_sandbox_writes_a_configuration_and_stops() {
    let town = Town::small().await;
    let config: toml::Table = town.sandbox.config_toml().parse().unwrap();
    let source = &config["source"]["bob"];
    assert_eq!(source["base_url"].as_str().unwrap(), format!("{}/v1", town.sandbox.hibob_url()));
    assert_eq!(source["token"].as_str().unwrap(), town.sandbox.credentials().token);
    let (rules, sites) = (&config["rules"], "work.site in ['London', 'Paris', 'Leeds', 'Berlin']");
    assert_eq!(rules["in_scope"].as_str().unwrap(), sites);
    let lang = "'fr' if work.site == 'Paris' else 'de' if work.site == 'Berlin' else 'en'";
    assert_eq!(rules["fields"]["lang"].as_str().unwrap(), lang);
    let (address, clock) = (town.sandbox.hibob_address(), town.clock.clone());
    town.sandbox.stop().await;
    let again = Sandbox::start(Options { hibob: address, ..Options::default() }, clock).await;
    assert_eq!(again.unwrap().hibob_address(), address, "the port is free again");
}

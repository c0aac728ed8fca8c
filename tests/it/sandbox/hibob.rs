//! The HiBob double, held against facts/hibob.md.

use instep::sandbox::Options;
use serde_json::{Value, json};

use super::{Got, Town};

fn by_id(ids: &[&str]) -> Value {
    json!([{"fieldPath": "root.id", "operator": "equals", "values": ids}])
}

async fn search(town: &Town, body: Value) -> Got {
    town.bob("POST", "/people/search", Some(body)).await
}

#[tokio::test]
async fn a_search_answers_with_slash_keys_nested_forms_and_labels() {
    let town = Town::small().await;
    let state = town.bob_state().await;
    let person = &state["people"][3];
    let id = person["id"].as_str().unwrap();
    assert_eq!((id.len(), id.parse::<u64>().unwrap() > 1 << 53), (19, true));

    let fields = [
        "root.id",
        "root.email",
        "work.title",
        "work.siteId",
        "work.startDate",
        "work.reportsTo",
        "work.workPhone",
        "work.titel",
        "internal.status",
    ];
    let got = search(
        &town,
        json!({"fields": fields, "filters": by_id(&[id]),
        "showInactive": true, "humanReadable": "APPEND"}),
    )
    .await;
    assert_eq!((got.status, got.kind.as_str()), (200, "application/json; charset=utf-8"));
    let found = &got.body["employees"][0];
    assert_eq!(found["id"], id);
    assert_eq!(found["/root/id"], json!({"value": id}));
    assert_eq!(found["/work/title"]["value"], person["work"]["title"]);
    assert_eq!(found["work"]["siteId"], person["work"]["siteId"]);
    assert_eq!(found["work"]["reportsTo"]["id"], person["work"]["manager"]);
    // Known to be empty: null in the nested form, no slash key, no label.
    assert_eq!(found["work"].get("workPhone"), Some(&Value::Null));
    assert_eq!(found.get("/work/workPhone"), None);
    assert_eq!(found["humanReadable"]["work"].get("workPhone"), None);
    // A misspelt field, and one that nobody asked for: silently not there.
    assert_eq!(found["work"].get("titel"), None);
    assert_eq!((found.get("surname"), found["work"].get("site")), (None, None));
    // Labels instead of ids, dates as people write them.
    assert_eq!(found["humanReadable"]["work"]["title"], person["humanReadable"]["work"]["title"]);
    assert_ne!(found["humanReadable"]["work"]["title"], found["work"]["title"]);
    let date = found["humanReadable"]["work"]["startDate"].as_str().unwrap();
    assert_eq!((date.len(), date.matches('/').count()), (10, 2));

    let got = search(
        &town,
        json!({"fields": ["root.id", "work.title"], "filters": by_id(&[id]),
        "showInactive": true, "humanReadable": "REPLACE"}),
    )
    .await;
    let found = &got.body["employees"][0];
    assert_eq!(found["work"]["title"], person["humanReadable"]["work"]["title"]);
    assert_eq!(found.get("humanReadable"), None);
}

#[tokio::test]
async fn only_active_people_are_shown_unless_asked_otherwise() {
    let town = Town::with(Options { people: 200, limits: false, ..Options::default() }).await;
    let count = |got: Got| got.body["employees"].as_array().unwrap().len();
    let all = count(search(&town, json!({"fields": ["root.id"], "showInactive": true})).await);
    let active = count(search(&town, json!({"fields": ["root.id"]})).await);
    let state = town.bob_state().await;
    let people = state["people"].as_array().unwrap();
    let really = people.iter().filter(|p| p["internal"]["status"] == "Active").count();
    assert_eq!((all, active), (200, really));
    assert!(active < all);

    let gone = people.iter().find(|p| p["internal"]["status"] == "Inactive").unwrap();
    let filters = by_id(&[gone["id"].as_str().unwrap()]);
    assert_eq!(count(search(&town, json!({"filters": filters.clone()})).await), 0);
    assert_eq!(count(search(&town, json!({"filters": filters, "showInactive": true})).await), 1);
    let mail = people[0]["email"].as_str().unwrap();
    let by_mail = json!([{"fieldPath": "root.email", "operator": "equals", "values": [mail, "x"]}]);
    assert_eq!(count(search(&town, json!({"filters": by_mail})).await), 1);
}

#[tokio::test]
async fn a_body_that_is_not_as_documented_is_refused() {
    let town = Town::small().await;
    let filter = |path: &str, op: &str, values: Value| json!({"filters": [{"fieldPath": path, "operator": op, "values": values}]});
    let wrong = [
        json!({"filters": []}),
        json!({"filters": [{}, {}]}),
        filter("root.id", "equals", json!([])),
        filter("root.id", "equals", json!([4_000_000])),
        filter("root.id", "contains", json!(["1"])),
        filter("work.site", "equals", json!(["Leeds"])),
        json!({"humanReadable": "append"}),
        json!({"humanReadable": true}),
        json!({"showInactive": "yes"}),
        json!({"limit": 10}),
        json!({"fields": vec!["root.id"; 401]}),
        json!([]),
    ];
    for body in wrong {
        let got = search(&town, body.clone()).await;
        assert_eq!(got.status, 400, "{body}");
        assert!(got.body["key"].is_string() && got.body["error"].is_string(), "{body}");
    }
    assert_eq!(search(&town, json!({"fields": vec!["root.id"; 400]})).await.status, 200);
}

#[tokio::test]
async fn one_person_is_found_by_id_or_mail_and_is_not_wrapped() {
    let town = Town::small().await;
    let state = town.bob_state().await;
    let (id, mail) = (&state["people"][1]["id"], &state["people"][1]["email"]);
    for who in [id, mail] {
        let path = format!("/people/{}", who.as_str().unwrap());
        let got = town.bob("POST", &path, Some(json!({"fields": ["root.id"]}))).await;
        assert_eq!((got.status, &got.body["id"]), (200, id));
    }
    let got = town.bob("POST", "/people/4999999999999999999", Some(json!({}))).await;
    assert_eq!(got.status, 404);
    let filtered = json!({"filters": by_id(&["1"])});
    assert_eq!(town.bob("POST", "/people/1", Some(filtered)).await.status, 400);
}

#[tokio::test]
async fn metadata_and_lists_explain_the_records() {
    let town = Town::small().await;
    let got = town.bob("GET", "/company/people/fields", None).await;
    let fields = got.body.as_array().unwrap();
    let title = fields.iter().find(|field| field["id"] == "work.title").unwrap();
    assert_eq!(
        (&title["jsonPath"], &title["typeData"]["listId"]),
        (&json!("work.title"), &json!("title"))
    );
    let mail = fields.iter().find(|field| field["id"] == "root.email").unwrap();
    assert_eq!((&mail["jsonPath"], &mail["categoryId"]), (&json!("email"), &json!("root")));

    let all = town.bob("GET", "/company/named-lists", None).await.body;
    let one = town.bob("GET", "/company/named-lists/title", None).await.body;
    assert_eq!(all["title"], one);
    let person = &town.bob_state().await["people"][0];
    let items = one["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == person["work"]["title"]).unwrap();
    assert_eq!(item["value"], person["humanReadable"]["work"]["title"]);
    let miss = town.bob("GET", "/company/named-lists/terminationReason", None).await;
    assert_eq!(miss.status, 404, "names are case-sensitive");
}

#[tokio::test]
async fn wrong_paths_are_web_pages_and_wrong_credentials_an_empty_401() {
    let town = Town::with(Options { people: 3, ..Options::default() }).await;
    let got = town.bob("GET", "/people", None).await;
    assert_eq!((got.status, got.kind.starts_with("text/html")), (200, true));

    let url = format!("{}/v1/company/named-lists", town.sandbox.hibob_url());
    let got =
        Got::read(town.client.get(&url).basic_auth("SERVICE-1", Some("no")).send().await.unwrap())
            .await;
    assert_eq!((got.status, got.text.as_str()), (401, ""));
    assert_eq!(
        (got.header("x-ratelimit-limit"), got.header("x-ratelimit-remaining")),
        ("50", "49")
    );

    let typed = town.client.get(&url).header("content-type", "application/json");
    let got = Got::read(typed.send().await.unwrap()).await;
    assert_eq!((got.status, got.kind.starts_with("text/html")), (400, true));
}

#[tokio::test]
async fn fifty_searches_a_minute_and_then_429_until_the_window_opens_again() {
    let town = Town::with(Options { people: 3, ..Options::default() }).await;
    for left in (0..50).rev() {
        let got = search(&town, json!({"fields": ["root.id"]})).await;
        assert_eq!(got.header("x-ratelimit-remaining"), left.to_string());
    }
    let got = search(&town, json!({})).await;
    let now = town.clock.now().as_second();
    let reset: i64 = got.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(got.status, 429);
    assert!(reset > now && reset <= now + 61, "{reset}");
    assert_eq!(got.header("retry-after"), (reset - now).to_string());
    // Every endpoint has a window of its own.
    assert_eq!(town.bob("GET", "/company/named-lists", None).await.status, 200);
    town.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(search(&town, json!({})).await.status, 200);

    town.order_bob("limits", json!({"POST /v1/people/search": 1})).await;
    assert_eq!(search(&town, json!({})).await.status, 429);
    assert_eq!(town.order_bob("limits", json!({"off": true})).await.status, 200);
    let got = search(&town, json!({})).await;
    assert_eq!((got.status, got.header("x-ratelimit-limit")), (200, ""));
    assert_eq!(town.order_bob("limits", json!({"per_hour": 3})).await.status, 400);
}

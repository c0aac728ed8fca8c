//! Reading people: what is asked, what is believed, and what the caller must do otherwise.

use std::time::Duration;

use instep::model::{Answer, EmployeeId, Lane, Seen, SourceName};
use instep::sources::SourceError;
use instep::sources::hibob::wire::{self, missing_fields};
use proptest::prelude::*;

use super::far_end::{FarEnd, Reply, client, json, reply, settings, soon};
use super::properties;

const JSON: &str = "content-type: application/json; charset=utf-8";
const NADIA: &str = r#"{"/root/id":{"value":"4000000000000000017"},"/work/site":{"value":"Leeds"},
 "id":"4000000000000000017","email":"nadia.brisk@example.test","secondName":null,
 "work":{"site":"Leeds","siteId":2154001,"workPhone":null,"reportsTo":{"id":"4000000000000000002"},
 "manager":4000000000000000002,"custom":{"field_1700000000001":"CC-204"}},
 "humanReadable":{"id":"4000000000000000017","work":{"title":"Data Analyst"}}}"#;

fn id(id: &str) -> EmployeeId {
    EmployeeId::new(id)
}

fn people(list: &[&str]) -> String {
    format!("{{\"employees\":[{}]}}", list.join(","))
}

/// What becomes of a search for Nadia when the far end gives this reply.
async fn asked(script: Reply) -> Result<Option<Answer>, SourceError> {
    let far = FarEnd::follow(vec![script]).await;
    let (hibob, _) = client(&settings(&far.base_url), &["work.site", "email"]);
    let nadia = id("4000000000000000017");
    let mut answers = hibob.employees(std::slice::from_ref(&nadia), Lane::Live, soon()).await?;
    Ok(answers.remove(&nadia))
}

async fn again(script: Reply) -> String {
    match asked(script).await {
        Err(error @ SourceError::Again(_)) => error.to_string(),
        other => panic!("it should be tried again: {other:?}"),
    }
}

async fn hold(script: Reply) -> String {
    match asked(script).await {
        Err(error @ SourceError::Hold(_)) => error.to_string(),
        other => panic!("the source should be held: {other:?}"),
    }
}

#[tokio::test]
async fn one_search_asks_for_many_and_answers_for_each() {
    let far = FarEnd::follow(vec![json(&people(&[NADIA, r#"{"id":"99"}"#]))]).await;
    let fields = ["work.site", "email", "root.email", "humanReadable.work.title", "root.id"];
    let (hibob, store) = client(&settings(&far.base_url), &fields);
    let (nadia, owen) = (id("4000000000000000017"), id("4000000000000000018"));
    let ids = [nadia.clone(), owen.clone(), nadia.clone()];
    let answers = hibob.employees(&ids, Lane::Live, soon()).await.expect("an answer");

    assert_eq!(answers.len(), 2, "a stranger is passed over");
    assert_eq!(answers[&owen], Answer::Absent);
    let Answer::Present(record) = &answers[&nadia] else { panic!("Nadia is there") };
    assert_eq!(record.see("work.site"), Seen::Value(&"Leeds".into()));
    assert_eq!(record.see("root.email"), Seen::Value(&"nadia.brisk@example.test".into()));
    assert_eq!(record.see("work.workPhone"), Seen::Empty);
    assert_eq!(record.see("work.department"), Seen::Missing);
    assert_eq!(record.see("work.manager"), Seen::Value(&4_000_000_000_000_000_002_u64.into()));
    assert_eq!(record.see("humanReadable.work.title"), Seen::Value(&"Data Analyst".into()));
    assert!(record.0.get("/work/site").is_none(), "slash keys are dropped");
    let wanted = ["work.site", "work.workPhone", "work.department"].map(str::to_owned);
    assert_eq!(missing_fields(record, &wanted), ["work.department"]);

    assert_eq!(store.granted(), 1);
    assert!(store.paused().is_empty());
    let requests = far.requests();
    assert!(requests[0].head.starts_with("POST /v1/people/search HTTP/1.1\r\n"));
    // printf SERVICE-1234:t0ken | base64
    assert!(requests[0].head.contains("authorization: Basic U0VSVklDRS0xMjM0OnQwa2Vu\r\n"));
    assert!(requests[0].head.contains("content-type: application/json\r\n"));
    let mut body = requests[0].json();
    let values = body["filters"][0]["values"].as_array_mut().expect("ids");
    values.sort_by_key(ToString::to_string);
    assert_eq!(
        body,
        serde_json::json!({
            "fields": ["root.id", "work.site", "root.email", "work.title"],
            "filters": [{
                "fieldPath": "root.id", "operator": "equals",
                "values": ["4000000000000000017", "4000000000000000018"],
            }],
            "showInactive": true,
            "humanReadable": "APPEND",
        })
    );
}

#[tokio::test]
async fn more_people_than_fit_one_search_take_one_more_and_nobody_takes_none() {
    let far = FarEnd::follow(vec![json(&people(&[])), json(&people(&[]))]).await;
    let mut settings = settings(&far.base_url);
    settings.people_per_search = 2;
    let (hibob, store) = client(&settings, &[]);
    assert!(hibob.employees(&[], Lane::Live, soon()).await.expect("nothing").is_empty());
    assert_eq!(store.granted(), 0);
    let ids = [id("1"), id("2"), id("3")];
    let answers = hibob.employees(&ids, Lane::Bulk, soon()).await.expect("answers");
    assert_eq!(answers.len(), 3);
    assert!(answers.values().all(|answer| *answer == Answer::Absent));
    assert_eq!(store.granted(), 2);
}

#[tokio::test]
async fn everyone_is_read_with_one_search_and_no_filter() {
    let list: Vec<_> =
        (0..3000).map(|n| format!(r#"{{"id":{n},"work":{{"site":"é"}}}}"#)).collect();
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let far = FarEnd::follow(vec![json(&people(&list))]).await;
    let (hibob, store) = client(&settings(&far.base_url), &["work.site"]);
    let everyone = hibob.everyone(soon()).await.expect("everyone");
    assert_eq!(everyone.len(), 3000);
    let (first, record) = &everyone[0];
    assert_eq!((first.as_str(), record.see("id")), ("0", Seen::Value(&"0".into())));
    assert_eq!(store.granted(), 1);
    let body = far.requests()[0].json();
    assert!(body.get("filters").is_none());
    assert_eq!(body["showInactive"], true);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_and_documented_is_not_believed() {
    let whole = people(&[NADIA]);
    let cut = |at: usize, length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {length}\r\n\r\n");
        Reply::Bytes([head.as_bytes(), &whole.as_bytes()[..at]].concat())
    };
    let length = whole.len();
    // A body without a length that ends early looks complete to HTTP.
    let unsized_cut = format!("HTTP/1.1 200 OK\r\n{JSON}\r\nconnection: close\r\n\r\n");
    let unsized_cut = unsized_cut.into_bytes().into_iter().chain(whole.bytes().take(length - 1));
    let after_end = cut(length, length + 10);
    for (reply, words) in [
        (cut(length / 2, length), "broke off"),
        (after_end, "broke off"),
        (Reply::Bytes(unsized_cut.collect()), "breaks off"),
        (reply("200 OK", &["content-type: text/html"], "<html>Nadia</html>"), "content type"),
        (reply("200 OK", &[], &whole), "content type"),
        (reply("200 OK", &[JSON], "<html>Nadia</html>"), "not valid JSON"),
        (reply("200 OK", &[JSON], ""), "breaks off"),
        (json(&format!("{whole} Nadia")), "not valid JSON"),
        (json("{}"), "shape"),
        (json("[]"), "shape"),
        (json(r#"{"employees":null}"#), "shape"),
        (json(r#"{"employees":{"id":"Nadia"}}"#), "shape"),
        (json(r#"{"employees":["Nadia"]}"#), "shape"),
        (json(r#"{"employees":[{"id":null}]}"#), "shape"),
        (json(r#"{"employees":[{"id":"17"},{"email":"Nadia"}]}"#), "shape"),
        (json(r#"{"employees":[],"employees":[]}"#), "shape"),
        (json(&format!(r#"{{"employees":[{{"id":"17","a":{}}}]}}"#, "[".repeat(100_000))), "JSON"),
        (reply("204 No Content", &[], ""), "status 204"),
        (reply("302 Found", &["location: https://elsewhere.test/"], ""), "status 302"),
        (reply("404 Not Found", &[JSON], "{}"), "404"),
        (reply("500 Internal Server Error", &[JSON], "Nadia"), "status 500"),
        (reply("503 Service Unavailable", &["retry-after: 5"], ""), "status 503"),
        (Reply::Bytes(Vec::new()), "broke off"),
        (Reply::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "broke off"),
    ] {
        let said = again(reply).await;
        assert!(said.contains(words), "{words}: {said}");
        assert!(!said.contains("Nadia") && !said.contains("Leeds"), "{said}");
    }
}

#[tokio::test]
async fn silence_ends_in_time() {
    let head = format!("HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: 99\r\n\r\n{{\"employees\":[");
    for stall in [Vec::new(), head.into_bytes()] {
        let far = FarEnd::follow(vec![Reply::Stall(stall)]).await;
        let mut settings = settings(&far.base_url);
        settings.timeout = Duration::from_millis(100);
        let (hibob, _) = client(&settings, &[]);
        let error = hibob.employees(&[id("17")], Lane::Live, soon()).await.expect_err("silence");
        assert!(matches!(error, SourceError::Again(_)), "{error:?}");
        assert!(error.to_string().contains("in time"), "{error}");
    }
    let far = FarEnd::follow(Vec::new()).await;
    let (hibob, _) = client(&settings(&far.base_url), &[]);
    let error = hibob.employees(&[id("17")], Lane::Live, soon()).await.expect_err("no door");
    assert!(matches!(error, SourceError::Again(_)), "{error:?}");
}

#[tokio::test]
async fn a_refusal_holds_the_source_and_says_what_to_do() {
    let said = hold(reply("401 Unauthorized", &[], "")).await;
    assert!(said.contains("SERVICE-1234") && said.contains("`token`"), "{said}");
    assert!(said.contains("firewall") && !said.contains("t0ken"), "{said}");
    let said = hold(reply("403 Forbidden", &[], "")).await;
    assert!(said.contains("permission group") && said.contains("firewall"), "{said}");
    let body = r#"{"key":"invalid","error":"Nadia has no work.site","args":{}}"#;
    let said = hold(reply("400 Bad Request", &[JSON], body)).await;
    assert!(said.contains("`work.site`") && !said.contains("`root.email`"), "{said}");
    assert!(!said.contains("Nadia"), "{said}");
    let said = hold(reply("400 Bad Request", &[], "")).await;
    assert!(said.contains("`work.site`, `root.email`"), "{said}");
}

#[tokio::test]
async fn a_limit_that_is_reached_pauses_the_budget_that_all_share() {
    let date = "date: Mon, 02 Mar 2026 08:15:30 GMT";
    let reset = "x-ratelimit-reset: 1772439350";
    let far = FarEnd::follow(vec![
        reply("200 OK", &[JSON, date, reset, "x-ratelimit-remaining: 1"], &people(&[])),
        reply("200 OK", &[JSON, date, reset, "x-ratelimit-remaining: 0"], &people(&[])),
        reply("429 Too Many Requests", &["retry-after: 7"], ""),
        reply("429 Too Many Requests", &[], ""),
    ])
    .await;
    let (hibob, store) = client(&settings(&far.base_url), &[]);
    let ids = [id("17")];
    hibob.employees(&ids, Lane::Live, soon()).await.expect("an answer");
    assert!(store.paused().is_empty());
    hibob.employees(&ids, Lane::Live, soon()).await.expect("an answer");
    assert_eq!(store.paused(), [Duration::from_secs(21)]);
    for seconds in [7, 60] {
        match hibob.employees(&ids, Lane::Live, soon()).await {
            Err(SourceError::Wait { source_name, after }) => {
                assert_eq!((source_name.as_str(), after.as_secs()), ("bob", seconds));
            }
            other => panic!("we were told to wait: {other:?}"),
        }
    }
    assert_eq!(store.paused().last(), Some(&Duration::from_secs(60)));
    assert_eq!(store.granted(), 4);
}

#[tokio::test]
async fn without_time_no_call_is_made() {
    let far = FarEnd::follow(Vec::new()).await;
    let (hibob, _) = client(&settings(&far.base_url), &[]);
    let passed = instep::clock::Deadline::after(Duration::ZERO);
    let error = hibob.employees(&[id("17")], Lane::Live, passed).await.expect_err("no time");
    assert!(!matches!(error, SourceError::Hold(_)), "{error:?}");
    assert!(far.requests().is_empty());
}

const FIELDS: &str = r#"[
 {"id":"root.id","type":"employee-reference","categoryId":"root","categoryDisplayName":"Basic info"},
 {"id":"root.email","type":"text","categoryId":"root","categoryDisplayName":"Basic info"},
 {"id":"work.site","category":"work","categoryId":"work","categoryDisplayName":"Work","type":"text"},
 {"id":"work.reportsTo","categoryId":"work","categoryDisplayName":"Work","type":"employee"},
 {"id":"internal.terminationDate","categoryId":"lifecycle","categoryDisplayName":"Lifecycle"},
 {"name":"no id"}]"#;

#[tokio::test]
async fn the_check_names_fields_that_are_unknown_or_never_come_back() {
    let far =
        FarEnd::follow(vec![json(FIELDS), json(&people(&[NADIA])), json(&people(&[NADIA]))]).await;
    let fields =
        ["root.email", "work.stie", "work.reportsTo.id", "internal.terminationDate", "x.y"];
    let (hibob, store) = client(&settings(&far.base_url), &fields);
    let problems = hibob.check(soon()).await;
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems[0].contains("`work.stie`") && problems[0].contains("`work.site`"));
    assert!(problems[1].contains("`x.y`") && !problems[1].contains("did you mean"));
    assert!(problems[2].contains("`internal.terminationDate`"), "{}", problems[2]);
    assert!(problems[2].contains("View on the category \"Lifecycle\" (`lifecycle`)"));
    let requests = far.requests();
    assert!(requests[0].head.starts_with("GET /v1/company/people/fields HTTP/1.1\r\n"));
    assert!(!requests[0].head.to_ascii_lowercase().contains("content-type"));
    assert_eq!(requests[1].json()["fields"], serde_json::json!(["root.id"]));
    assert!(requests[1].json().get("filters").is_none());
    assert_eq!(requests[2].json()["filters"][0]["values"][0], "4000000000000000017");
    assert_eq!(store.granted(), 2);
}

#[tokio::test]
async fn the_check_says_when_nobody_is_shown_and_stops_at_a_refusal() {
    let far = FarEnd::follow(vec![
        json(&format!("{{\"fields\":{FIELDS}}}")),
        json(&people(&[])),
        reply("401 Unauthorized", &[], ""),
    ])
    .await;
    let (hibob, _) = client(&settings(&far.base_url), &["work.site"]);
    let problems = hibob.check(soon()).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("Access data for"));
    let problems = hibob.check(soon()).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("401"));
    assert_eq!(far.requests().len(), 3, "one refusal is enough");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    use instep::sources::hibob::client::HiBob;
    let refused = |base_url: &str, fields: usize| {
        let (_, store) = client(&settings("http://127.0.0.1:1"), &[]);
        let store: std::sync::Arc<dyn instep::store::Store> = store;
        let rate = instep::store::Rate { calls: 1, per: Duration::from_secs(1), burst: 1 };
        let budget = instep::store::budget::Budget::new(store, "b", rate, Duration::ZERO);
        let fields = (0..fields).map(|n| format!("work.custom.field_{n}")).collect();
        let name = SourceName::new("bob");
        match HiBob::new(name, &settings(base_url), fields, std::sync::Arc::new(budget)) {
            Ok(_) => None,
            Err(SourceError::Hold(why)) => Some(why),
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(refused("https://api.hibob.com/v1", 399), None);
    assert_eq!(refused("http://localhost:9001/v1", 0), None);
    assert_eq!(refused("http://[::1]:9001/v1", 0), None);
    assert!(refused("https://api.hibob.com/v1", 400).is_some_and(|why| why.contains("401")));
    assert!(refused("http://api.hibob.com/v1", 0).is_some_and(|why| why.contains("https")));
    assert!(refused("http://127.0.0.1.example.test", 0).is_some());
    assert!(refused("ftp://127.0.0.1", 0).is_some());
    assert!(refused("api.hibob.com/v1", 0).is_some_and(|why| why.contains("not an address")));
}

#[test]
fn a_person_listed_twice_counts_once_and_the_last_time() {
    let body = r#"{"total":1,"employees":[{"id":"1","a":1},{"id":1,"a":2}]} "#;
    let people = wire::people(body.as_bytes()).expect("people");
    assert_eq!(people.doubled, 1);
    assert_eq!(people.records[&id("1")].see("a"), Seen::Value(&2.into()));
}

proptest! {
    #[test]
    fn any_bytes_end_in_people_or_an_error(body in any::<Vec<u8>>()) {
        properties::search_answer(&body);
    }

    #[test]
    fn a_documented_answer_with_a_broken_byte_ends_in_people_or_an_error(
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut body = people(&[NADIA]).into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        properties::search_answer(&body);
    }

    #[test]
    fn a_documented_answer_is_read_whole_or_not_at_all(
        ids in prop::collection::btree_set(9_007_199_254_740_993_u64.., 1..20),
        as_numbers: bool,
        cut in any::<prop::sample::Index>(),
    ) {
        let list: Vec<_> = ids
            .iter()
            .map(|id| if as_numbers { format!("{{\"id\":{id}}}") } else { format!("{{\"id\":\"{id}\"}}") })
            .collect();
        let list: Vec<_> = list.iter().map(String::as_str).collect();
        let body = people(&list);
        let read = wire::people(body.as_bytes()).expect("people");
        prop_assert_eq!(read.records.len(), ids.len());
        prop_assert!(ids.iter().all(|id| read.records.contains_key(&EmployeeId::new(id.to_string()))));
        prop_assert!(wire::people(&body.as_bytes()[..cut.index(body.len())]).is_err());
    }
}

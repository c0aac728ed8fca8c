//! Reading everyone as a stream: handed on while it arrives, believed only when it was whole.

use std::time::Duration;

use instep::model::{EmployeeId, Record, Seen};
use instep::sources::SourceError;
use instep::sources::hibob::everyone::Snapshot;

use super::far_end::{FarEnd, Reply, client, json, reply, settings, soon};

const JSON: &str = "content-type: application/json";

fn id(id: &str) -> EmployeeId {
    EmployeeId::new(id)
}

fn people(list: &[String]) -> String {
    format!("{{\"employees\":[{}]}}", list.join(","))
}

fn person(n: usize) -> String {
    format!(r#"{{"id":"{n}","/work/site":{{"value":"é"}},"work":{{"site":"site {n}"}}}}"#)
}

/// Everyone that was handed on, and how it ended.
async fn each(script: Reply) -> (Vec<(EmployeeId, Record)>, Result<Snapshot, SourceError>) {
    let far = FarEnd::follow(vec![script]).await;
    let (hibob, store) = client(&settings(&far.base_url), &["work.site"]);
    let mut people = Vec::new();
    let end = hibob.each(soon(), |id, record| people.push((id, record))).await;
    assert_eq!((store.granted(), far.requests().len()), (1, 1), "one call");
    (people, end)
}

#[tokio::test]
async fn everyone_is_handed_on_in_the_order_of_the_answer() {
    // Neither a whole number of handfuls nor fewer than one.
    for many in [0, 1, 63, 64, 65, 3000] {
        let list: Vec<_> = (0..many).rev().map(person).collect();
        let (people, end) = each(json(&people(&list))).await;
        let count = u64::try_from(many).unwrap();
        assert_eq!(end.unwrap(), Snapshot { people: count, ..Snapshot::default() });
        let ids: Vec<_> = people.iter().map(|(id, _)| id.as_str().to_owned()).collect();
        assert!(ids.into_iter().eq((0..many).rev().map(|n| n.to_string())));
        for (id, record) in people {
            let site = format!("site {id}");
            assert_eq!(record.see("work.site"), Seen::Value(&site.as_str().into()));
            assert!(record.0.get("/work/site").is_none());
        }
    }
}

#[tokio::test]
async fn whoever_is_listed_again_is_counted_and_not_handed_on_again() {
    let again = |id: &str, site: u32| format!(r#"{{"id":{id},"work":{{"site":{site}}}}}"#);
    let list = [
        again("\"17\"", 1),
        again("18", 2),
        again("17", 3),
        again("\"017\"", 4),
        again("\"abc\"", 5),
        again("\"abc\"", 6),
        again("17", 7),
        // Two ids that are one as floating point numbers.
        again("9007199254740993", 8),
        again("9007199254740992", 9),
    ];
    let (people, end) = each(json(&people(&list))).await;
    let end = end.unwrap();
    assert_eq!((end.people, end.doubled), (6, [id("17"), id("abc")].into()));
    let sites: Vec<_> = people.iter().map(|(_, record)| record.0["work"]["site"].clone()).collect();
    assert_eq!(sites, [1, 2, 4, 5, 8, 9]);
}

#[tokio::test]
async fn what_was_handed_on_of_a_broken_answer_may_not_be_believed() {
    let list: Vec<_> = (0..500).map(person).collect();
    let whole = people(&list);
    let cut = |at: usize, length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {length}\r\n\r\n");
        Reply::Bytes([head.as_bytes(), &whole.as_bytes()[..at]].concat())
    };
    let unsized_cut = |at: usize| {
        let head = format!("HTTP/1.1 200 OK\r\n{JSON}\r\nconnection: close\r\n\r\n");
        Reply::Bytes([head.as_bytes(), &whole.as_bytes()[..at]].concat())
    };
    let with = |last: &str| json(&people(&[list.clone(), vec![last.to_owned()]].concat()));
    let last_page = format!("{},\"employees\":[]}}", &whole[..whole.len() - 1]);
    for (reply, some, words) in [
        (cut(whole.len() / 2, whole.len()), true, "broke off"),
        (cut(whole.len(), whole.len() + 10), true, "broke off"),
        (unsized_cut(whole.len() / 2), true, "breaks off"),
        (unsized_cut(whole.len() - 1), true, "breaks off"),
        (with(r#"{"id":null}"#), true, "shape"),
        (with(r#"{"email":"nadia@example.test"}"#), true, "shape"),
        (with("\"nadia\""), true, "shape"),
        (json(&format!("{whole} nadia")), true, "not valid JSON"),
        (json(&last_page), true, "shape"),
        (reply("200 OK", &["content-type: text/html"], &whole), false, "content type"),
        (reply("200 OK", &[], &whole), false, "content type"),
        (reply("200 OK", &[JSON], "<html>nadia</html>"), false, "not valid JSON"),
        (reply("200 OK", &[JSON], ""), false, "breaks off"),
        (json("{}"), false, "shape"),
        (json("[]"), false, "shape"),
        (json(r#"{"employees":null}"#), false, "shape"),
        (reply("204 No Content", &[], ""), false, "status 204"),
        (reply("500 Internal Server Error", &[JSON], &whole), false, "status 500"),
    ] {
        let (handed_on, end) = each(reply).await;
        let Err(error @ SourceError::Again(_)) = end else { panic!("{words}: {end:?}") };
        let said = error.to_string();
        assert!(said.contains(words) && !said.contains("nadia"), "{words}: {said}");
        assert_eq!(!handed_on.is_empty(), some, "{words}");
    }
    let (_, end) = each(reply("401 Unauthorized", &[], "")).await;
    assert!(matches!(end, Err(SourceError::Hold(_))), "{end:?}");
    let (_, end) = each(reply("429 Too Many Requests", &["retry-after: 7"], "")).await;
    assert!(matches!(end, Err(SourceError::Wait { .. })), "{end:?}");
}

#[tokio::test]
async fn people_come_while_the_answer_arrives_and_silence_ends_in_time() {
    let list: Vec<_> = (0..200).map(person).collect();
    let whole = people(&list);
    let head = format!("HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {}\r\n\r\n", whole.len());
    let stalled = [head.as_bytes(), &whole.as_bytes()[..whole.len() - 2]].concat();
    let far = FarEnd::follow(vec![Reply::Stall(stalled)]).await;
    let mut settings = settings(&far.base_url);
    // The people before the silence must arrive within it, however busy the machine is.
    settings.timeout = Duration::from_secs(1);
    let (hibob, _) = client(&settings, &[]);
    let mut people = 0;
    let end = hibob.each(soon(), |_, _| people += 1).await;
    assert!(matches!(&end, Err(SourceError::Again(why)) if why.contains("in time")), "{end:?}");
    assert!((100..=200).contains(&people), "{people}");
}

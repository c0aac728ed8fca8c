//! Webhooks: pings, signatures, envelopes, and what must become of each.

use instep::model::{Arrival, EmployeeId, Fate, Lane, SourceName};
use instep::sources::hibob::webhook::{NotJson, Verifier, arrival, is_ping};
use jiff::Timestamp;
use proptest::prelude::*;

use super::properties::{self, SECRET, arrive, sign};

/// The bodies of facts/hibob.md 2.4, as documented.
const BODIES: [&str; 13] = [
    r#"{"companyId":990017,"type":"employee.created","triggeredBy":"4000000000000000002","triggeredAt":"2026-03-02T08:15:30.123456","version":"v2","data":{"employeeId":"4000000000000000017"}}"#,
    r#"{"companyId":990017,"type":"employee.updated","triggeredBy":"4000000000000000002","triggeredAt":"2026-03-02T08:16:02.000941","version":"v2","data":{"employeeId":"4000000000000000017","fieldUpdates":[{"id":"root.surname"},{"id":"work.department"}]}}"#,
    r#"{"companyId":990017,"type":"employee.updated","triggeredBy":"system","triggeredAt":"2026-03-02T08:16:03.500000","version":"v2","data":{"employeeId":"4000000000000000017","fieldUpdates":["work.title"]}}"#,
    r#"{"companyId":990017,"type":"employee.deleted","triggeredBy":"4000000000000000002","triggeredAt":"2026-03-09T10:00:00.000001","version":"v2","data":{"employeeId":"4000000000000000031"}}"#,
    r#"{"companyId":990017,"type":"employee.joined","triggeredBy":"system","triggeredAt":"2026-04-01T00:00:04.118200","version":"v2","data":{"employeeId":"4000000000000000017"}}"#,
    r#"{"companyId":990017,"type":"employee.activated","triggeredBy":"system","triggeredAt":"2026-04-01T00:00:04.201733","version":"v2","data":{"employeeId":"4000000000000000017"}}"#,
    r#"{"companyId":990017,"type":"employee.temporaryLeave","triggeredBy":"system","triggeredAt":"2026-06-01T00:00:02.330010","version":"v2","data":{"employeeId":"4000000000000000018"}}"#,
    r#"{"companyId":990017,"type":"employee.inactivated","triggeredBy":"system","triggeredAt":"2026-06-01T00:00:02.410877","version":"v2","data":{"employeeId":"4000000000000000018"}}"#,
    r#"{"companyId":990017,"type":"employee.left","triggeredBy":"system","triggeredAt":"2026-09-01T00:00:09.007100","version":"v2","data":{"employeeId":"4000000000000000019"}}"#,
    r#"{"companyId":990017,"type":"employee.access.revoked.immediately","triggeredBy":"4000000000000000002","triggeredAt":"2026-08-14T15:42:10.640021","version":"v2","data":{"employeeId":"4000000000000000019"}}"#,
    r#"{"companyId":990017,"type":"table.entry.created","triggeredBy":"4000000000000000002","triggeredAt":"2026-05-20T09:30:00.777000","version":"v2","data":{"employeeId":"4000000000000000017","tableId":"work","effectiveDate":"2026-07-01"}}"#,
    r#"{"companyId":990017,"type":"table.entry.updated","triggeredBy":"4000000000000000002","triggeredAt":"2026-05-20T09:31:00.000000","version":"v2","data":{"employeeId":"4000000000000000017","tableId":"category_1700000000021__table_3","id":"881204"}}"#,
    r#"{"companyId":990017,"type":"table.entry.created","triggeredBy":"4000000000000000002","triggeredAt":"2026-01-05T09:30:00.777000","version":"v2","data":{"employeeId":"4000000000000000017","tableId":"lifecycle","effectiveDate":"2026-01-05","id":null}}"#,
];

/// The vectors of facts/hibob.md 2.7 whose secret is `test-secret`.
const VECTORS: [(&str, &str); 8] = [
    (
        r#"{"companyId":636192,"type":"employee.updated"}"#,
        "SUJg9L3zqgg45BS84oPxQD1yN15oU6S/8SmXxyYKPx3LlyVAythYPzahvF7sTi/zCVy1l2xNiMaFp30OWpiDhQ==",
    ),
    (
        r#"{"text":"Ping test"}"#,
        "mKOqLeizWbUS+ZRCf1NG4lla6WWnC75oALOfyEPndK3x0cs1+SmhIaie2cpsYiPmUSZBHDFnkK/Sz2al7JIgMA==",
    ),
    (
        r#""Ping test""#,
        "dptNIZ+bN1q9PlzajhEtjAnHvKERQGc7WpAy/v16pKipoNj36BNMogak9WDQW+bGwMmqFZW3BiKkcVUVq+BaHg==",
    ),
    (
        "Ping test",
        "eDct8FSJDg1POGEfcRZD6uLCbmHvWtRwawOvBRDe5wc6UyQkpVfQC1tYsUzKOjET/BM0uXABNaUu6BvKQ5/mEw==",
    ),
    (
        BODIES[0],
        "WcwsGtlSe0bSME1t+OV2bcC4L6Rf7N9vCNgRdrbh7BBl/IyqaLYUgZpaM189M7yflqZ8C3Lu+UMQ0z4xW3nabw==",
    ),
    (
        "{\"companyId\":990017,\"type\":\"employee.created\",\"triggeredBy\":\"4000000000000000002\",\"triggeredAt\":\"2026-03-02T08:15:30.123456\",\"version\":\"v2\",\"data\":{\"employeeId\":\"4000000000000000017\"}}\n",
        "ZAytpnplbcU1bQvbLmxGxUJDj92srHA4mh/bAeRwDuv40Rhq/JKadPKFx2pWak7VXT6Ro8vuVJ6Vn/5jI8wwLA==",
    ),
    (
        "{\"name\":\"Zoë Łuk\"}",
        "iUWSM3GSIW81TGbR31HUBXOaZkTvqRwmT1FwQRg5oO9DUw5hwKYzOHsaG2cYFGJX5oRAnxBXXfAV0end+mh3KQ==",
    ),
    (
        "",
        "wICP91NvXx2q1KXvRFK5x4BLROop5QkQbqOSz9p5gPRU1bPRiP4rhh8iu/ekeEPA3KFD6mQxEEpGqGrCyqDQhg==",
    ),
];

fn fits(secrets: &[&str], signature: &str, body: &[u8]) -> bool {
    let secrets: Vec<_> = secrets.iter().map(|&secret| secret.into()).collect();
    Verifier::new(&secrets).verify(Some(signature.as_bytes()), body).is_ok()
}

fn taken(body: &str) -> Arrival {
    arrive(body.as_bytes(), Some("990017")).expect("a JSON object")
}

fn reason(body: &str) -> String {
    match taken(body).fate {
        Fate::Ignore(reason) => reason,
        Fate::Deliver(_) => panic!("it is to be delivered: {body}"),
    }
}

#[test]
fn pings_are_known_in_every_form_and_nothing_else_is_one() {
    for ping in [
        "Ping test",
        "\"Ping test\"",
        r#"{"text":"Ping test"}"#,
        " \r\nPing test\n",
        " { \"text\" : \"Ping test\" }\n",
    ] {
        assert!(is_ping(ping.as_bytes()), "{ping}");
    }
    for other in [
        "",
        "ping test",
        "Ping test!",
        r#"{"text":"Ping"}"#,
        r#"["Ping test"]"#,
        r#"{"text":"Ping test","type":"employee.left"}"#,
        BODIES[0],
    ] {
        assert!(!is_ping(other.as_bytes()), "{other}");
    }
}

#[test]
fn the_published_signatures_fit_and_no_other() {
    for (at, (body, signature)) in VECTORS.iter().enumerate() {
        assert!(fits(&[SECRET], signature, body.as_bytes()), "{body}");
        for (other, (body, _)) in VECTORS.iter().enumerate().filter(|(other, _)| *other != at) {
            assert!(!fits(&[SECRET], signature, body.as_bytes()), "{at} fits {other}");
        }
    }
    let signature =
        "Dz1QmglplKIoVHcuWXXe9wT1zuwPRiS9xRqxngoK3/CYR2n2M6wUur796e629v+bCFLFvL0xUxidzfmGShe1gA==";
    let body = BODIES[0].as_bytes();
    assert!(fits(&["k3y-ünï"], signature, body));
    assert!(fits(&[SECRET, "k3y-ünï"], signature, body), "while the secret is being changed");
    assert!(fits(&["k3y-ünï", SECRET], signature, body), "in any order");
    assert!(!fits(&[SECRET], signature, body));
}

#[test]
fn a_signature_is_strict_base64_or_none() {
    let body = BODIES[0].as_bytes();
    let good = sign(SECRET, body);
    let verifier = Verifier::new(&[SECRET.into()]);
    assert!(verifier.verify(None, body).is_err());
    let bad = [
        String::new(),
        good.trim_end_matches('=').to_owned(),
        good.replace('+', "-").replace('/', "_"),
        format!("{good}\n"),
        format!(" {good}"),
        format!("sha512={good}"),
        good.repeat(2),
        format!("{}Z==", &good[..85]),
        "=".repeat(88),
        "ö".repeat(44),
    ];
    for bad in bad.iter().filter(|bad| **bad != good) {
        assert!(verifier.verify(Some(bad.as_bytes()), body).is_err(), "{bad}");
    }
    assert!(verifier.verify(Some(good.as_bytes()), body).is_ok());
}

#[test]
fn without_a_secret_nothing_fits() {
    assert!(!fits(&[], &sign("", b"{}"), b"{}"));
    assert!(!fits(&[""], &sign("", b"{}"), b"{}"), "anybody could sign with the empty secret");
    assert_eq!(format!("{:?}", Verifier::new(&[SECRET.into()])), "Verifier(1 secrets)");
}

#[test]
fn every_documented_body_is_delivered() {
    for body in BODIES {
        let Arrival { event, fate, .. } = taken(body);
        let said: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(fate, Fate::Deliver(Lane::Live), "{body}");
        assert_eq!(event.kind, said["type"]);
        assert_eq!(event.company.as_deref(), Some("990017"));
        assert_eq!(event.employee.expect("an employee").as_str(), said["data"]["employeeId"]);
        assert_eq!(event.source, SourceName::new("bob"));
        assert_eq!(event.raw, body.as_bytes());
    }
}

#[test]
fn envelopes_are_read_leniently() {
    let person = |body: &str| {
        let Arrival { event, fate, .. } = taken(body);
        assert_eq!(fate, Fate::Deliver(Lane::Live), "{body}");
        event.employee.expect("an employee").to_string()
    };
    for (body, id) in [
        (
            r#"{"type":"employee.left","data":{"employeeId":4000000000000000017}}"#,
            "4000000000000000017",
        ),
        (
            r#"{"type":"employee.left","data":{"employeeId":98765432109876543210123}}"#,
            "98765432109876543210123",
        ),
        (r#"{"type":"employee.left","data":{"employeeId":" 17 "}}"#, "17"),
        (r#"{"type":"employee.left","employeeId":"17"}"#, "17"),
        (r#"{"type":"employee.left","employeeId":"17","data":{"employeeId":null}}"#, "17"),
        (
            r#"{"companyId":"990017","type":"employee.someday.new","version":null,"data":{"employeeId":"17"}}"#,
            "17",
        ),
        (
            r#"{"companyId":null,"type":"employee.updated","data":{"employeeId":"17","fieldUpdatesIds":["a",{"id":"b"},null]}}"#,
            "17",
        ),
        (
            r#"{"companyId":990017,"type":"table.entry.updated","data":{"employeeId":"17","tableId":null,"id":881204}}"#,
            "17",
        ),
        (
            r#"{"companyId":{"odd":[1.5]},"type":"employee.updated","data":{"employeeId":"17","fieldUpdates":null},"new":[{}]}"#,
            "17",
        ),
        (
            r#"{"type":"employee.left","type":"employee.left","data":{"employeeId":"16"},"data":{"employeeId":"17"}}"#,
            "17",
        ),
    ] {
        assert_eq!(person(body), id, "{body}");
    }
}

#[test]
fn what_is_nobodys_business_is_kept_with_its_reason() {
    for (body, words) in [
        (
            r#"{"companyId":990018,"type":"employee.left","data":{"employeeId":"17"}}"#,
            "company 990018",
        ),
        (
            r#"{"companyId":990017,"type":"timeoff.request.created","data":{"employeeId":"17"}}"#,
            "this type",
        ),
        (r#"{"companyId":990017,"type":"employee.left","data":{}}"#, "names no employee"),
        (r#"{"companyId":990017,"type":"employee.left","data":null}"#, "names no employee"),
        (r#"{"companyId":990017,"type":"employee.left"}"#, "names no employee"),
        (r#"{"companyId":990017,"type":"employee.left","data":["17"]}"#, "names no employee"),
        (r#"{"companyId":990017,"type":"employee.left","data":{"employeeId":1.5}}"#, "not an id"),
        (r#"{"companyId":990017,"type":"employee.left","data":{"employeeId":-5}}"#, "not an id"),
        (r#"{"companyId":990017,"type":"employee.left","data":{"employeeId":""}}"#, "not an id"),
        (
            r#"{"companyId":990017,"type":"employee.left","data":{"employeeId":{"id":"17"}}}"#,
            "not an id",
        ),
        (
            r#"{"companyId":990017,"type":"employee.left","data":{"employeeId":"1\u0000\n7"}}"#,
            "not an id",
        ),
        (r#"{"companyId":990017,"type":null,"data":{"employeeId":"17"}}"#, "no event type"),
        (r#"{"companyId":990017,"type":" ","data":{"employeeId":"17"}}"#, "no event type"),
        ("{}", "no event type"),
        (
            r#"{"type":"employee.updated","creationDate":"2024-01-01","employee":{"id":"17"},"changedBy":{"id":"2"},"data":{"fieldUpdates":[{"id":"work.title","oldValue":"a","newValue":"b"}]}}"#,
            "version 1",
        ),
    ] {
        assert!(reason(body).contains(words), "{body}: {}", reason(body));
        assert_eq!(taken(body).event.raw, body.as_bytes());
    }
    let long = "1".repeat(65);
    let body = format!(r#"{{"type":"employee.left","data":{{"employeeId":"{long}"}}}}"#);
    assert!(reason(&body).contains("not an id"));
}

#[test]
fn all_companies_are_taken_when_none_is_configured() {
    let body = br#"{"companyId":990018,"type":"employee.left","data":{"employeeId":"17"}}"#;
    assert_eq!(arrive(body, None).expect("an object").fate, Fate::Deliver(Lane::Live));
}

#[test]
fn an_event_type_is_bounded_and_can_be_shown() {
    let kind = format!("employee.\\u001b[31m\\u202e{}", "x".repeat(300));
    let body = format!(r#"{{"type":"{kind}","data":{{"employeeId":"17"}}}}"#);
    let kind = taken(&body).event.kind;
    assert_eq!(kind.chars().count(), 200);
    assert!(kind.starts_with("employee.\u{fffd}[31m\u{fffd}xxx"), "{kind}");
}

#[test]
fn what_is_not_a_json_object_says_where_and_not_what() {
    for body in [
        "",
        "Nadia",
        "[]",
        "17",
        "null",
        "\"Nadia\"",
        "{\"type\":",
        "{\"a\":Nadia}",
        "{} Nadia",
        "{\n\"type\":tru}",
    ] {
        let error = arrive(body.as_bytes(), None).expect_err(body);
        assert!(!error.to_string().contains("Nadia"), "{error}");
    }
    assert_eq!(arrive(b"{\n\"type\":}", None).expect_err("broken"), NotJson { line: 2, column: 8 });
    assert!(arrive(b"{\"type\":\"\xff\"}", None).is_err(), "not UTF-8");
}

#[test]
fn depth_exhausts_nothing() {
    let deep = "[".repeat(500_000) + &"]".repeat(500_000);
    let body = format!(
        r#"{{"type":"employee.left","odd":{deep},"data":{{"employeeId":"17","odd":{deep}}}}}"#
    );
    assert_eq!(taken(&body).fate, Fate::Deliver(Lane::Live));
    let body = format!(r#"{{"type":{deep},"companyId":{deep},"data":{{"employeeId":{deep}}}}}"#);
    assert!(reason(&body).contains("no event type"));
    assert!(arrive(deep.as_bytes(), None).is_err());
    assert!(arrive("{\"a\":".repeat(500_000).as_bytes(), None).is_err());
}

#[test]
fn the_same_bytes_from_the_same_source_are_the_same_event() {
    let id = |source: &str, body: &str| {
        let checker = Verifier::new(&[SECRET.into()]);
        let signature = sign(SECRET, body.as_bytes());
        let verified = checker.verify(Some(signature.as_bytes()), body.as_bytes()).expect("good");
        let arrival = arrival(verified, &SourceName::new(source), None, Timestamp::UNIX_EPOCH);
        arrival.expect("an object").event.id.to_string()
    };
    // printf 'bob\0{}' | sha256sum
    let bob = "854f64984f822e2009cad337a9933e12632139ca0b150f1550aaf954121ae662";
    assert_eq!(id("bob", "{}"), bob);
    assert_ne!(id("bob", "{}"), id("alice", "{}"));
    assert_ne!(id("bob", "{}"), id("bob", "{} "));
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(body in any::<Vec<u8>>()) {
        properties::webhook_body(&body);
    }

    #[test]
    fn anything_like_an_envelope_ends_in_an_answer(body in envelope()) {
        properties::webhook_body(body.as_bytes());
        prop_assert!(arrive(body.as_bytes(), None).is_ok());
    }

    #[test]
    fn documented_shapes_always_parse(
        at in 0..BODIES.len(),
        id in 9_007_199_254_740_993_u64..,
        as_number: bool,
        extra in "[a-z]{1,8}",
    ) {
        let mut body: serde_json::Value = serde_json::from_str(BODIES[at]).expect("JSON");
        body["data"]["employeeId"] = if as_number { id.into() } else { id.to_string().into() };
        body[format!("x-{extra}")] = serde_json::Value::Null;
        let Arrival { event, fate, .. } = taken(&body.to_string());
        prop_assert_eq!(fate, Fate::Deliver(Lane::Live));
        prop_assert_eq!(event.employee, Some(EmployeeId::new(id.to_string())));
    }

    #[test]
    fn a_signature_fits_its_own_secret_and_body_only(
        secret in ".{1,80}",
        other in ".{1,80}",
        body in any::<Vec<u8>>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let signature = sign(&secret, &body);
        prop_assert!(fits(&[&secret], &signature, &body));
        prop_assert!(fits(&[&other, &secret], &signature, &body));
        // HMAC pads keys with zero bytes, so secrets that differ only in those are the same key.
        if other.trim_end_matches('\0') != secret.trim_end_matches('\0') {
            prop_assert!(!fits(&[&other], &signature, &body));
        }
        let mut longer = body.clone();
        longer.push(b'\n');
        prop_assert!(!fits(&[&secret], &signature, &longer));
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1 << bit;
            prop_assert!(!fits(&[&secret], &signature, &changed));
        }
        let mut forged = signature.into_bytes();
        let at = at.index(86);
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        prop_assert!(!fits(&[&secret], &String::from_utf8_lossy(&forged), &body));
    }
}

/// JSON objects whose members have the documented names and any values.
fn envelope() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,80}".prop_map(Into::into),
        prop::sample::select(vec!["employee.left", "table.entry.created", "990017"])
            .prop_map(Into::into),
    ];
    let names = vec![
        "companyId",
        "type",
        "version",
        "data",
        "employeeId",
        "employee",
        "fieldUpdates",
        "id",
        "creationDate",
        "fieldUpdatesIds",
        "tableId",
    ];
    let members = |value: BoxedStrategy<serde_json::Value>| {
        prop::collection::btree_map(prop::sample::select(names.clone()), value, 0..8)
            .prop_map(|members| serde_json::json!(members))
    };
    let inner = members(scalar.clone().boxed());
    let list = prop::collection::vec(scalar.clone(), 0..3).prop_map(serde_json::Value::Array);
    members(prop_oneof![3 => scalar, 2 => inner, 1 => list].boxed())
        .prop_map(|envelope| envelope.to_string())
}

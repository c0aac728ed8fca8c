//! Hostile input: marked names and ids, huge and broken forms, odd queries. Each is answered by a page
//! in the frame, nothing of it becomes markup, and nothing is done.

use axum::body::Body;
use axum::http::{Request, header};
use instep::model::{Access, Failure, Somebody};

use super::{Pages, ask, person, request};

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}evil\u{0}";

#[tokio::test]
async fn what_others_wrote_is_never_markup() {
    let pages = Pages::open(Access::Operator);
    let long = format!("{EVIL}{}", "ä".repeat(10_000));
    pages.made.knows(vec![Somebody {
        person: person(&long),
        name: long.clone(),
        mail: long.clone(),
        account: Some(instep::model::AccountId::new(EVIL)),
        active: true,
    }]);
    let delivery = pages.arrival(EVIL, EVIL, &long).await;
    pages.made.fails(vec![Failure {
        cause: EVIL.to_owned(),
        source: person("1").source,
        code: long.clone(),
        shape: long.clone(),
        dead: true,
        deliveries: u64::MAX,
        people: u64::MAX,
        first: jiff::Timestamp::MIN,
        last: jiff::Timestamp::MAX,
        trend: vec![u64::MAX; 24],
        advice: long.clone(),
        examples: Vec::new(),
    }]);
    let shown = pages.post("/console/people?q=x", "do=unmask").await.location;
    let raw = format!("/console/deliveries/{}", delivery.id);
    let raw = pages.post(&raw, "do=unmask").await.location;
    let of_person = pages.get("/console/deliveries").await;
    let of_person = of_person.text.split("class=\"mono\" href=\"").nth(1).expect("a link");
    let of_person = of_person.split('"').next().expect("an address").to_owned();
    let of_cause = pages.get("/console/failures").await;
    let of_cause = of_cause.text.split("class=\"mono\" href=\"").nth(1).expect("a link");
    let of_cause = of_cause.split('"').next().expect("an address").to_owned();
    let query = "?text=%3Cscript%3Ealert(1)%3C/script%3E%22%27&q=%3Cscript%3E%22";
    let all = [
        shown,
        raw,
        of_person,
        of_cause,
        "/console/failures".to_owned(),
        format!("/console/people{query}"),
        format!("/console/deliveries{query}"),
    ];
    for path in all {
        let page = pages.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let body = page.text.split("<main").nth(1).expect("a body");
        for not in ["<script", "<img src=x", "\u{202e}", "\u{0}", "\"'>"] {
            assert!(!body.contains(not), "{not:?} on {path}:\n{body}");
        }
        assert!(page.text.len() < 100_000, "{path} is {} bytes long", page.text.len());
    }
}

#[tokio::test]
async fn whatever_is_sent_is_answered_in_the_frame_and_nothing_is_done() {
    let pages = Pages::open(Access::Administrator);
    let delivery = pages.arrival("17", "employee.updated", "{}").await;
    let paths = [
        "/console/people".to_owned(),
        "/console/people/bob/17".to_owned(),
        "/console/people/nobody/%3Cb%3E".to_owned(),
        "/console/deliveries".to_owned(),
        format!("/console/deliveries/{}", delivery.id),
        "/console/failures/gone".to_owned(),
    ];
    let huge = format!("do=replay&reason={}", "x".repeat(100_000));
    let forms = [
        "",
        "do",
        "do=",
        "do=%00",
        "do=drop",
        "do=replay",
        "do=decide",
        "do=decide&choice=account",
        "do=decide&choice=everything",
        "%ff%fe=%zz&&&==",
        &huge,
    ];
    for path in &paths {
        for form in forms {
            let page = pages.post(path, form).await;
            let what = format!("{path} with {}", &form[..form.len().min(40)]);
            assert!(matches!(page.status, 404 | 409 | 422), "{what}: {}", page.status);
            assert!(page.text.contains("role=\"alert\""), "{what}:\n{}", page.text);
        }
        let json = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::HOST, "127.0.0.1")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{\"do\":\"sync\"}"))
            .expect("a request");
        let page = ask(&pages.as_somebody_else("ann", Access::Operator), json).await;
        assert!(matches!(page.status, 404 | 422), "{path}: {}", page.status);
    }
    assert!(pages.made.wanted().is_empty(), "nothing was done");
}

#[tokio::test]
async fn odd_queries_are_refused_or_mean_nothing() {
    let pages = Pages::open(Access::Operator);
    let long = "x".repeat(201);
    for query in [
        "state=broken",
        "since=yesterday",
        "until=2026-13-45",
        "since=99999999999999",
        "before=%3Cscript%3E",
        &format!("text={long}"),
        &format!("source={long}"),
    ] {
        let page = pages.get(&format!("/console/deliveries?{query}")).await;
        page.is_refused(422, "Not done");
    }
    let page = pages.get(&format!("/console/people?q={long}")).await;
    page.is_refused(422, "longer than 200");
    for query in ["%zz=%", "state=&since=", "a=b&a=c", "did=%00", "did=0199", "shown=~~~"] {
        let page = pages.get(&format!("/console/deliveries?{query}")).await;
        assert_eq!(page.status, 200, "{query}");
    }
    let page = pages.get("/console/people/%FF/1").await;
    page.is_refused(404, "no such page");
    let unknown = request("PUT", "/console/deliveries", None);
    let page = ask(&pages.as_somebody_else("ann", Access::Operator), unknown).await;
    assert_eq!(page.status, 405);
}

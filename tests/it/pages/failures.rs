//! Failures: by cause, and one cause with what can be done about it.

use instep::model::{Access, DeliveryId, Failure, SourceName, Verb, Which};
use jiff::Timestamp;

use super::Pages;

fn failure(cause: &str) -> Failure {
    Failure {
        cause: cause.to_owned(),
        source: SourceName::new("bob"),
        code: "unmapped".to_owned(),
        shape: "table sites has no row for …".to_owned(),
        dead: true,
        deliveries: 37,
        people: 12,
        first: "2026-11-21T01:00:00Z".parse::<Timestamp>().expect("a time"),
        last: "2026-11-22T02:00:00Z".parse::<Timestamp>().expect("a time"),
        trend: vec![0, 4, 8],
        advice: "Add the row to the table.".to_owned(),
        examples: vec![DeliveryId::new("0199")],
    }
}

#[tokio::test]
async fn causes_are_listed_with_what_to_do() {
    let pages = Pages::open(Access::Operator);
    pages.get("/console/failures").await.has("Nothing needs a human");
    let waiting = Failure { dead: false, ..failure("held-2") };
    pages.made.fails(vec![failure("unmapped-1/ö"), waiting]);
    let page = pages.get("/console/failures").await;
    page.has("href=\"/console/failures/unmapped-1%2F%C3%B6\"");
    page.has("Add the row to the table.");
    page.has("aria-label=\"12 in the last 3 hours, at most 8 in one\"");
    page.has(">dead<");
    page.has(">waits<");

    pages.made.fails((0..120).map(|id| failure(&format!("cause-{id}"))).collect());
    let page = pages.get("/console/failures").await;
    assert_eq!(page.text.matches("<tr>").count(), 101, "the heading and a hundred causes");
    page.has("20 more causes");
}

#[tokio::test]
async fn one_cause_is_replayed_or_discarded_as_a_whole() {
    let pages = Pages::open(Access::Operator);
    pages.made.fails(vec![failure("unmapped-1")]);
    pages.arrival("17", "employee.updated", "{}").await;
    let path = "/console/failures/unmapped-1";
    let page = pages.get(path).await;
    for said in ["table sites has no row", "37", "12", "href=\"/console/people/bob/17\"", "Discard"]
    {
        page.has(said);
    }
    let which = || Which { cause: Some("unmapped-1".to_owned()), ..Which::default() };
    let replayed = pages.post(path, "do=replay&reason=row+added").await;
    assert!(replayed.location.starts_with("/console/runs/0199-run?did="), "{}", replayed.location);
    let reason = "row added".to_owned();
    assert_eq!(pages.made.wanted(), [Verb::Replay { which: which(), reason, per_minute: None }]);
    let discarded = pages.post(path, "do=discard&reason=tests").await;
    assert!(discarded.location.starts_with("/console/failures?did="), "{}", discarded.location);
    assert_eq!(pages.made.wanted(), [Verb::Discard { which: which(), reason: "tests".to_owned() }]);

    pages.post(path, "do=discard").await.is_refused(422, "say why");
    for gone in ["gone", "%3Cscript%3E", &"x".repeat(3000)] {
        let path = format!("/console/failures/{gone}");
        pages.get(&path).await.is_refused(404, "othing fails by this cause");
        let posted = pages.post(&path, "do=discard&reason=x").await;
        assert!(matches!(posted.status, 404 | 422), "{}", posted.status);
    }
    assert!(pages.made.wanted().is_empty(), "a cause that is gone means no deliveries");
}

#[tokio::test]
async fn what_waits_behind_a_hold_is_not_discarded() {
    let pages = Pages::open(Access::Operator);
    pages.made.fails(vec![Failure { dead: false, ..failure("held-2") }]);
    let page = pages.get("/console/failures/held-2").await;
    page.has("deliveries wait");
    page.has_not("Discard");
}

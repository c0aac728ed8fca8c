//! Deliveries: the list with its filter, its pages and its forms; and one delivery.

use instep::model::{Access, DeliveryId, DeliveryState, Question, Verb, Which};

use super::Pages;

#[tokio::test]
async fn the_filter_says_which_and_keeps_what_was_typed() {
    let pages = Pages::open(Access::Operator);
    pages.get("/console/deliveries").await.has("Nothing came in yet");
    pages.arrival("17", "employee.updated", "{}").await;
    pages.made.asked();
    let query = "state=dead&source=bob&employee=17&code=unmapped&kind=employee.updated\
                 &since=2026-11-22&until=2026-11-23T05:30&text=%22two%20words%22&cause=x-1";
    let page = pages.get(&format!("/console/deliveries?{query}")).await;
    assert_eq!(page.status, 200);
    page.has("No delivery fits");
    page.has("<option selected>dead</option>");
    page.has("value=\"&#34;two words&#34;\"");
    let [Question::Deliveries { which, before: None, most: 100 }] = &pages.made.asked()[..] else {
        panic!("one question")
    };
    assert_eq!(which.state, Some(DeliveryState::Dead));
    assert_eq!(which.since.map(|at| at.to_string()).as_deref(), Some("2026-11-22T00:00:00Z"));
    assert_eq!(which.until.map(|at| at.to_string()).as_deref(), Some("2026-11-23T05:30:00Z"));
    assert_eq!(which.text.as_deref(), Some("\"two words\""));
    assert_eq!(which.cause.as_deref(), Some("x-1"));
}

#[tokio::test]
async fn a_page_holds_a_hundred_and_leads_to_the_older_ones() {
    let pages = Pages::open(Access::Operator);
    for id in 0..103 {
        pages.arrival(&id.to_string(), "employee.updated", &format!("{{\"id\":{id}}}")).await;
    }
    let first = pages.get("/console/deliveries?kind=employee.updated").await;
    assert_eq!(first.text.matches("type=\"checkbox\"").count(), 100);
    let older = first.text.split("<a href=\"").find(|it| it.contains(">Older<")).expect("a link");
    let older = older.split('"').next().expect("an address").replace("&#38;", "&");
    assert!(older.starts_with("/console/deliveries?kind=employee.updated&before="), "{older}");
    let last = pages.get(&older).await;
    assert_eq!(last.text.matches("type=\"checkbox\"").count(), 3);
    last.has(">Newest<");
    last.has_not(">Older<");
}

#[tokio::test]
async fn what_is_ticked_or_all_that_fits_is_replayed_or_discarded() {
    let pages = Pages::open(Access::Operator);
    let one = pages.arrival("17", "employee.updated", "{}").await.id;
    let path = "/console/deliveries?state=dead&did=x";

    let form = format!("whom=ticked&id={one}&id=0199-b&do=replay&reason=HR+mended+it");
    let replayed = pages.post(path, &form).await;
    assert_eq!(replayed.status, 303, "{}", replayed.text);
    assert!(replayed.location.starts_with("/console/runs/0199-run?did="), "{}", replayed.location);
    let which = Which { ids: vec![one, DeliveryId::new("0199-b")], ..Which::default() };
    let reason = "HR mended it".to_owned();
    assert_eq!(pages.made.wanted(), [Verb::Replay { which, reason, per_minute: None }]);

    let discarded = pages.post(path, "whom=all&do=discard&reason=tests").await;
    let back = "/console/deliveries?state=dead&did=";
    assert!(discarded.location.starts_with(back), "{}", discarded.location);
    let which = Which { state: Some(DeliveryState::Dead), ..Which::default() };
    assert_eq!(pages.made.wanted(), [Verb::Discard { which, reason: "tests".to_owned() }]);

    for (form, why) in [
        ("do=replay&reason=x", "tick at least one"),
        ("whom=ticked&do=replay&reason=x&id=", "no delivery&#39;s id"),
        ("whom=ticked&do=replay&reason=x&id=%3Cscript%3E", "no delivery&#39;s id"),
        ("whom=all&do=replay", "say why"),
        ("whom=all&do=replay&reason=+++", "say why"),
        ("whom=all&reason=x", "nothing that can be done"),
        ("whom=all&do=forget&reason=x", "nothing that can be done"),
        ("whom=everything&do=replay&reason=x", "all that fit"),
        ("", "tick at least one"),
    ] {
        pages.post(path, form).await.is_refused(422, why);
    }
    let many = "&id=0199".repeat(101);
    pages
        .post(path, &format!("do=replay&reason=x{many}"))
        .await
        .is_refused(422, "100 can be ticked");
    let long = format!("whom=all&do=replay&reason={}", "x".repeat(1001));
    pages.post(path, &long).await.is_refused(422, "longer than 1000");
    assert!(pages.made.wanted().is_empty());
}

#[tokio::test]
async fn one_delivery_says_what_happened_and_what_to_do() {
    let pages = Pages::open(Access::Operator);
    let delivery = pages.arrival("17", "employee.updated", "{\"a\":1}").await;
    let path = format!("/console/deliveries/{}", delivery.id);
    let page = pages.get(&path).await;
    assert_eq!(page.status, 200);
    page.has("employee.updated");
    page.has("a worker takes it next");
    page.has("Nothing was tried yet");
    page.has("href=\"/console/people/bob/17\"");
    page.has_not("Preview the replay");

    let form = "do=discard&reason=seen";
    let discarded = pages.post(&path, form).await;
    assert!(discarded.location.starts_with(&format!("{path}?did=")), "{}", discarded.location);
    let which = Which { ids: vec![delivery.id], ..Which::default() };
    assert_eq!(pages.made.wanted(), [Verb::Discard { which, reason: "seen".to_owned() }]);

    for wrong in ["0199", "%3Cscript%3E", "a%2Fb", "%FF", &"x".repeat(5000)] {
        let path = format!("/console/deliveries/{wrong}");
        pages.get(&path).await.is_refused(404, "here is no such");
        pages.post(&path, "do=discard&reason=x").await.is_refused(404, "here is no such");
    }
    assert!(pages.made.wanted().is_empty());
}

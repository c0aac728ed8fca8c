//! Personal data: hidden, shown to whoever asked on the page for which they asked, for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use instep::model::explanation::{Conclusion, Explained, Input, Part, Says};
use instep::model::story::{Sight, Story, Suspect, Told};
use instep::model::{Access, AccountId, AccountStatus, Field, Somebody, Verb};
use serde_json::json;

use super::desk::nothing_to_do;
use super::{Pages, person};

/// Stands in each value, and nowhere else.
const SECRET: &str = "Zanzibar";

/// The story of somebody whose every value is marked.
fn story(employee: &str) -> Story {
    let person = person(employee);
    let sight = Sight {
        account: AccountId::new("5f0a"),
        status: AccountStatus::Active,
        fields: [(Field::Email, format!("{SECRET}@example.test"))].into(),
    };
    let rule = Explained {
        rule: "rules.fields.last_name".to_owned(),
        expression: "root.surname".to_owned(),
        inputs: vec![("root.surname".to_owned(), Input::Value(json!(SECRET)))],
        result: Ok(json!(SECRET)),
        part: Part::Field { write: "always", on_bad: "refuse" },
        remark: Some(format!("it becomes {SECRET}")),
    };
    Story {
        forgotten: None,
        shown: true,
        record: Some(json!({"surname": SECRET, "work": {"title": [SECRET]}})),
        missing: BTreeMap::new(),
        version: "abc".to_owned(),
        conclusion: Some(Conclusion { says: Says::Active, rule: None, why: None }),
        appointment: None,
        misses: None,
        rules: vec![Told { rule, current: Some(json!(SECRET)) }],
        link: None,
        choice: None,
        candidates: vec![Suspect {
            sight: sight.clone(),
            found_by: "the mail",
            claimed_by: None,
            owner: None,
            protected: None,
        }],
        account: Some(sight),
        belongings: None,
        groups: Vec::new(),
        managers: Vec::new(),
        manager: None,
        plan: nothing_to_do(&person),
        history: Vec::new(),
        person,
    }
}

#[tokio::test]
async fn whoever_asks_sees_values_on_that_page_alone() {
    let pages = Pages::open(Access::Operator);
    pages.arrival("17", "employee.updated", "{}").await;
    pages.made.tells(story("17"));
    let path = "/console/people/bob/17?explain=1";
    let veiled = pages.get(path).await;
    veiled.has("root.surname");
    veiled.has("5f0a");
    veiled.has("class=\"masked\"");
    veiled.has_not(SECRET);

    let shown = pages.post(path, "do=unmask").await;
    assert_eq!(shown.status, 303);
    assert!(shown.location.starts_with(path), "{}", shown.location);
    assert_eq!(pages.made.wanted(), [Verb::Unmask { about: "person bob/17".to_owned() }]);
    let page = pages.get(&shown.location).await;
    page.has(SECRET);
    page.has_not("Show personal data");

    pages.get("/console/people/bob/18?explain=1").await.has_not(SECRET);
    pages.clock.advance(Duration::from_secs(14 * 60));
    pages.get(path).await.has(SECRET);
    pages.clock.advance(Duration::from_secs(2 * 60));
    pages.get(path).await.has_not(SECRET);
}

#[tokio::test]
async fn a_viewer_never_sees_values() {
    let pages = Pages::open(Access::Viewer);
    pages.arrival("17", "employee.updated", "{}").await;
    pages.made.tells(story("17"));
    let path = "/console/people/bob/17?explain=1";
    let veiled = pages.get(path).await;
    veiled.has_not(SECRET);
    veiled.has_not("Show personal data");
    assert_ne!(pages.post(path, "do=unmask").await.status, 303);
    pages.get(path).await.has_not(SECRET);
}

#[tokio::test]
async fn names_in_a_search_and_raw_events_are_asked_for_alike() {
    let pages = Pages::open(Access::Operator);
    pages.made.knows(vec![Somebody {
        person: person("17"),
        name: SECRET.to_owned(),
        mail: format!("{SECRET}@example.test"),
        account: None,
        active: false,
    }]);
    pages.get("/console/people?q=17").await.has_not(SECRET);
    let shown = pages.post("/console/people?q=17", "do=unmask").await;
    let about = "people in the search".to_owned();
    assert_eq!(pages.made.wanted(), [Verb::Unmask { about }], "what was searched is not written");
    pages.get(&shown.location).await.has(&format!("{SECRET}@example.test"));

    let raw = format!("{{\"surname\":\"{SECRET}\"}}");
    let delivery = pages.arrival("17", "employee.updated", &raw).await;
    let path = format!("/console/deliveries/{}", delivery.id);
    pages.get(&path).await.has_not(SECRET);
    let shown = pages.post(&path, "do=unmask").await;
    let about = format!("delivery {}", delivery.id);
    assert_eq!(pages.made.wanted(), [Verb::Unmask { about }]);
    pages.get(&shown.location).await.has("{&#34;surname&#34;:&#34;Zanzibar&#34;}");
}

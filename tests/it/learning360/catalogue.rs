//! The catalogue: what is read, when, how often, and by whom.

use std::sync::Arc;
use std::time::Duration;

use instep::clock::Deadline;
use instep::model::catalogue::Found;
use instep::model::{Catalogue, CustomKind, Lane, Needs};
use instep::targets::TargetError;
use serde_json::json;
use tokio::task::JoinSet;

use super::town::{Town, needs, path};

#[tokio::test]
async fn nothing_is_read_that_nobody_needs() {
    let town = Town::start().await;
    for afresh in [false, true] {
        assert_eq!(*town.catalogue(&Needs::default(), afresh).await, Catalogue::default());
    }
    assert_eq!(town.all_calls().await, 0);
    let only_groups = town.catalogue(&needs(&[]), false).await;
    assert!(only_groups.custom_fields.is_empty());
    let finance = town.group("Departments/Finance").await;
    assert_eq!(only_groups.group(&path(&["Departments", "Finance"])), Found::Group(finance));
    assert_eq!((town.all_calls().await, town.calls("GET /groups").await), (1, 1));

    let fields = Needs { groups: false, ..needs(&["First day", "Shoe size", " Cost centre"]) };
    let catalogue = town.catalogue(&fields, false).await;
    let field = |name: &str| catalogue.custom_field(name);
    assert_eq!(field("First day").unwrap().kind, CustomKind::Date);
    let cost = field("Cost centre").unwrap();
    assert_eq!((cost.kind, cost.allowed.join(" ")), (CustomKind::Text, "CC-1 CC-2".to_owned()));
    assert!(field("Badge").is_none() && field("Shoe size").is_none());
    let values = "GET /custom-fields/{customFieldId}/authorized-values";
    assert_eq!(town.calls(values).await, 2, "of those only that are needed");
    assert_eq!((town.calls("GET /groups").await, town.calls("GET /custom-fields").await), (1, 1));

    // Again, all at once: nothing is read, not even for the field that does not exist.
    let all = needs(&["First day", "Shoe size"]);
    let before = town.all_calls().await;
    let again = town.catalogue(&all, false).await;
    assert!(Arc::ptr_eq(&catalogue, &again));
    assert_eq!(town.all_calls().await, before);
    // One more field: the groups are not read again.
    assert!(town.catalogue(&needs(&["Badge"]), false).await.custom_field("Badge").is_some());
    assert_eq!((town.calls("GET /groups").await, town.calls("GET /custom-fields").await), (1, 2));
    // And now everything.
    town.group("Departments/Sales").await;
    assert_ne!(town.catalogue(&all, true).await, again);
    assert_eq!((town.calls("GET /groups").await, town.calls("GET /custom-fields").await), (2, 3));
}

#[tokio::test]
async fn all_groups_are_read_page_by_page() {
    let town = Town::start().await;
    for n in 0..520 {
        town.group(&format!("Teams/Team {n}")).await;
    }
    let catalogue = town.catalogue(&needs(&[]), false).await;
    assert!(matches!(catalogue.group(&path(&["Teams", "Team 519"])), Found::Group(_)));
    assert_eq!(town.calls("GET /groups").await, 2);
}

#[tokio::test]
async fn one_reads_and_the_others_wait_for_the_same() {
    let town = Arc::new(Town::start().await);
    let many = async |afresh: bool| {
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let town = Arc::clone(&town);
            callers.spawn(async move { town.catalogue(&needs(&["Badge"]), afresh).await });
        }
        let all = callers.join_all().await;
        assert!(all.iter().all(|catalogue| catalogue.groups == all[0].groups));
    };
    many(false).await;
    assert_eq!(town.calls("GET /groups").await, 1);
    // Who asks afresh gets a read that began after the asking: the first one's, or the next one's,
    // which all others share.
    many(true).await;
    let reads = town.calls("GET /groups").await;
    assert!((2..=3).contains(&reads), "{reads}");
}

#[tokio::test]
async fn a_failed_read_is_told_and_leaves_what_was_known() {
    let town = Arc::new(Town::start().await);
    let known = town.catalogue(&needs(&[]), false).await;
    let broken = json!({ "endpoint": "GET /api/v2/groups", "status": 503 });
    town.order("faults", broken).await;
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let town = Arc::clone(&town);
        callers.spawn(async move {
            let deadline = Deadline::after(Duration::from_secs(60));
            town.target.catalogue(&needs(&[]), true, Lane::Live, deadline).await.map(drop)
        });
    }
    for end in callers.join_all().await {
        assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    }
    let reads = town.calls("GET /groups").await;
    assert!(reads < 20, "the failure is shared, too: {reads}");
    assert!(Arc::ptr_eq(&known, &town.catalogue(&needs(&[]), false).await));
    // Whoever has no time left is told so, and nobody else.
    let (groups, soon) = (needs(&[]), Deadline::after(Duration::from_millis(1)));
    let end = town.target.catalogue(&groups, true, Lane::Live, soon).await;
    assert!(matches!(end, Err(TargetError::OutOfTime)), "{end:?}");
}

#[tokio::test]
async fn the_check_asks_for_custom_fields_only_when_one_is_needed() {
    let town = Town::start().await;
    let deadline = || Deadline::after(Duration::from_secs(60));
    let scopes = [
        "users:read",
        "users:write",
        "groups:read",
        "groups:write",
        "externalIds:read",
        "externalIds:write",
    ];
    town.order("settings", json!({ "scopes": scopes })).await;
    assert_eq!(town.target.check(&needs(&[]), deadline()).await, Vec::<String>::new());
    let problems = town.target.check(&needs(&["Badge"]), deadline()).await;
    assert!(problems.len() == 1 && problems[0].contains("customFields:read"), "{problems:?}");
    let end = town.target.catalogue(&needs(&["Badge"]), false, Lane::Live, deadline()).await;
    assert!(
        matches!(&end, Err(TargetError::Hold(why)) if why.contains("customFields:read")),
        "{end:?}"
    );
}

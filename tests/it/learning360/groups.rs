//! Groups: made once, joined and left, and what each refusal leads to.

use std::sync::Arc;

use instep::model::{Change, Done, GroupId};
use instep::targets::TargetError;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::town::{Town, look_again, needs, path, refused};

const JOIN: &str = "POST /api/v2/groups/{groupId}/{role}/{userId}";
const LEAVE: &str = "DELETE /api/v2/groups/{groupId}/{role}/{userId}";

fn join(group: Option<&GroupId>, names: &[&str], role: &str) -> Change {
    Change::Join { group: group.cloned(), path: path(names), role: role.to_owned() }
}

fn leave(group: &GroupId, role: &str) -> Change {
    Change::Leave { group: group.clone(), role: role.to_owned() }
}

fn memberships(held: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = held["memberships"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["path"]), text(&row["role"]))).collect()
}

fn member(path: &str, role: &str) -> (String, String) {
    (path.to_owned(), role.to_owned())
}

#[tokio::test]
async fn a_group_is_made_below_its_parent_and_joined() {
    let town = Town::start().await;
    let made = town.make_group(&["Departments", " Sales "]).await.unwrap().group.unwrap();
    assert_eq!(town.group("Departments/Sales").await, made, "white space around names is no name");
    let top = town.make_group(&["Teams"]).await.unwrap().group.unwrap();
    assert_eq!(town.group("Teams").await, top);
    let bodies = town.bodies("POST /groups").await;
    let parent = town.group("Departments").await;
    assert_eq!(bodies[0], json!({ "name": "Sales", "public": false, "parentId": parent.as_str() }));
    // Who joins by the path needs no other read: what was made is known.
    let reads = town.calls("GET /groups").await;
    let id = town.person("kim@example.test").await;
    let names = ["Departments", "Sales"];
    let done = town.apply(&id, join(None, &names, "learner")).await.unwrap();
    assert_eq!(done, Done { group: Some(made.clone()), ..Done::default() });
    assert_eq!(town.calls("GET /groups").await, reads);
    // Again, by its id and by the path, and in another role.
    for (group, role) in [(Some(&made), "learner"), (None, "learner"), (Some(&made), "userAdmin")] {
        let done = town.apply(&id, join(group, &names, role)).await.unwrap();
        assert_eq!(done.group.as_ref(), Some(&made));
    }
    let held = memberships(&town.held(&id));
    let sales = "Departments/Sales";
    assert_eq!(held, [member(sales, "learner"), member(sales, "userAdmin")]);
    assert!(town.bodies("POST /groups/{groupId}/{role}/{userId}").await.iter().all(|b| b == ""));
}

#[tokio::test]
async fn a_group_that_exists_is_not_made() {
    let town = Arc::new(Town::start().await);
    let finance = town.group("Departments/Finance").await;
    let done = town.make_group(&["Departments", "Finance"]).await.unwrap();
    assert_eq!(done.group, Some(finance));
    // Somebody makes it by hand after the catalogue was read.
    town.catalogue(&needs(&[]), false).await;
    let sales = town.group("Departments/Sales").await;
    assert_eq!(town.make_group(&["Departments", "Sales"]).await.unwrap().group, Some(sales));
    assert_eq!(town.calls("POST /groups").await, 0);
    // Many at once make one.
    let mut makers = JoinSet::new();
    for _ in 0..10 {
        let town = Arc::clone(&town);
        makers.spawn(async move { town.make_group(&["Sites", "Oslo"]).await.unwrap().group });
    }
    let made = makers.join_all().await;
    assert!(made.iter().all(|group| group.is_some() && *group == made[0]));
    assert_eq!(town.calls("POST /groups").await, 1);
    // One whose making was not answered is found.
    let cut = json!({ "endpoint": "POST /api/v2/groups", "drop": "after", "times": 1 });
    town.order("faults", cut).await;
    let end = town.make_group(&["Sites", "Rome"]).await;
    assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    let rome = town.group("Sites/Rome").await;
    assert_eq!(town.make_group(&["Sites", "Rome"]).await.unwrap().group, Some(rome));
    assert_eq!(town.calls("POST /groups").await, 2);
}

#[tokio::test]
async fn what_stands_against_a_new_group_is_told() {
    let town = Town::start().await;
    assert_eq!(look_again(town.make_group(&["Nowhere", "Oslo"]).await), "groupNotFound");
    assert_eq!(look_again(town.make_group(&[&"a".repeat(24)]).await), "groupNotFound", "an id");
    assert_eq!(refused(town.make_group(&["Sites", " "]).await).0, "noGroupName");
    assert_eq!(town.calls("POST /groups").await, 0);
    town.refuse("POST /api/v2/groups", 404, "parentGroupNotFound").await;
    assert_eq!(look_again(town.make_group(&["Sites", "Oslo"]).await), "parentGroupNotFound");
    town.order("settings", json!({ "most_groups": 3 })).await;
    let (code, advice) = refused(town.make_group(&["Sites", "Oslo"]).await);
    assert!(code == "maxGroupsLimitReached" && advice.contains("replay"), "{advice}");

    // Two groups with one name: nobody can say which is meant.
    town.order("settings", json!({ "most_groups": 100 })).await;
    let twin = town.make_group(&["Sites", "Oslo"]).await.unwrap().group.unwrap();
    let other = town.group("Elsewhere/Oslo").await;
    let sites = town.group("Sites").await;
    town.patch(&format!("groups/{other}"), json!({ "parentId": sites })).await;
    let id = town.person("kim@example.test").await;
    town.catalogue(&needs(&[]), true).await;
    for end in [
        town.make_group(&["Sites", "Oslo"]).await,
        town.apply(&id, join(None, &["Sites", "Oslo"], "learner")).await,
    ] {
        let (code, advice) = refused(end);
        assert_eq!(code, "ambiguousGroup");
        assert!(advice.contains(twin.as_str()) && advice.contains(other.as_str()), "{advice}");
    }
}

#[tokio::test]
async fn a_group_that_is_gone_is_looked_for_again() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let finance = town.group("Departments/Finance").await;
    let names = ["Departments", "Finance"];
    town.apply(&id, join(Some(&finance), &names, "learner")).await.unwrap();
    town.catalogue(&needs(&[]), false).await;
    town.delete(&format!("groups/{finance}")).await;
    let end = town.apply(&id, join(None, &names, "learner")).await;
    assert_eq!(look_again(end), "groupNotFound");
    // The catalogue was forgotten: the next one sees what is.
    let reads = town.calls("GET /groups").await;
    let end = town.apply(&id, join(None, &names, "learner")).await;
    assert_eq!(look_again(end), "groupNotFound");
    assert_eq!(town.calls("GET /groups").await, reads + 2, "and afresh, before it says so");
    // To leave what is gone is no trouble.
    assert_eq!(town.apply(&id, leave(&finance, "learner")).await.unwrap(), Done::default());
    // It is there again, under another id.
    let again = town.make_group(&names).await.unwrap().group.unwrap();
    let done = town.apply(&id, join(None, &names, "learner")).await.unwrap();
    assert_eq!(done.group, Some(again));
}

#[tokio::test]
async fn leaving_takes_one_role_and_can_be_repeated() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let finance = town.group("Departments/Finance").await;
    for role in ["learner", "coach", "userAdmin"] {
        town.apply(&id, join(Some(&finance), &[], role)).await.unwrap();
    }
    for role in ["userAdmin", "coach", "coach"] {
        assert_eq!(town.apply(&id, leave(&finance, role)).await.unwrap(), Done::default());
    }
    assert_eq!(memberships(&town.held(&id)), [member("Departments/Finance", "learner")]);
    assert_eq!(town.calls("DELETE /groups/{groupId}/{role}/{userId}").await, 3);
}

#[tokio::test]
async fn each_refusal_of_a_role_leads_somewhere() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let finance = town.group("Departments/Finance").await;
    town.order("settings", json!({ "analyst_available": false, "role_twice_is_error": true }))
        .await;
    // The platform has no such role: everything else goes on, and the group is not taken for given.
    let done = town.apply(&id, join(Some(&finance), &[], "analyst")).await.unwrap();
    assert_eq!(done.group, None);
    assert!(done.remarks[0].contains("analyst") && done.remarks[0].contains(finance.as_str()));
    town.refuse(LEAVE, 400, "analystUnavailable").await;
    assert_eq!(town.apply(&id, leave(&finance, "analyst")).await.unwrap().remarks.len(), 1);
    // There already, as an error.
    for _ in 0..2 {
        let done = town.apply(&id, join(Some(&finance), &[], "coach")).await.unwrap();
        assert_eq!(done.group.as_ref(), Some(&finance));
    }
    // No role of the platform's at all.
    assert_eq!(refused(town.apply(&id, join(Some(&finance), &[], "king")).await).0, "badRequest");
    town.refuse(JOIN, 404, "userNotFound").await;
    let end = town.apply(&id, join(Some(&finance), &[], "learner")).await;
    assert_eq!(look_again(end), "userNotFound");
    town.edit(&id, json!({ "status": "deleted" })).await;
    let end = town.apply(&id, join(Some(&finance), &[], "learner")).await;
    assert_eq!(look_again(end), "userDeleted");
    let strange = GroupId::new("../users");
    let end = town.apply(&id, join(Some(&strange), &[], "learner")).await;
    assert_eq!(refused(end).0, "invalidId");
}

//! `instep explain`: from the record to the plan and the history, for people and for programs.

use serde_json::json;

use super::{objects, stepping, text};
use crate::harness::town::{Kept, Town, as_it_is};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_says_why_somebodys_account_is_as_it_is() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = Town::new(stepping(12), kept, |toml| {
            *toml = toml.replace(
                "[rules.fields]",
                "[rules.filters]\nnot_a_robot = \"work.title != 'robot'\"\n\n[rules.fields]",
            );
        })
        .await;
        let _serving = town.open().await;
        let id = &town.actives()[1];
        town.change(id, json!({"surname": "Explained", "work": {"workMobile": null}}));
        town.in_step().await;
        let account = town.account_of(id)["_id"].as_str().expect("an id").to_owned();
        let mail = town.person(id)["email"].as_str().expect("a mail").to_owned();
        let name = town.person(id)["displayName"].as_str().expect("a name").to_owned();

        let by_id = town.told(&["explain", id]).await;
        for said in [
            format!("bob/{id}\n"),
            "work.workMobile            empty".to_owned(),
            "rules.filters.not_a_robot  true".to_owned(),
            "Status: active".to_owned(),
            "rules.fields.last_name     \"Explained\"".to_owned(),
            "in the LMS now: \"Explained\"".to_owned(),
            format!("linked to {account}"),
            "found by the link, theirs".to_owned(),
            "nothing to do: all is as it should be".to_owned(),
            "employee.updated".to_owned(),
            "update last_name".to_owned(),
        ] {
            assert!(by_id.contains(&said), "{said} is not in:\n{by_id}");
        }
        for key in [&mail, &name, &format!("bob/{id}")] {
            let shown = town.told(&["explain", key]).await;
            assert!(shown.contains(&format!("linked to {account}")), "{key}: {shown}");
        }

        let shown = objects(&town.told(&["explain", id, "--json"]).await);
        let [shown] = shown.as_slice() else { panic!("one person: {shown:?}") };
        assert_eq!(shown["record"]["work"]["workMobile"], json!(null));
        assert_eq!(shown["plan"]["verdict"], "unchanged");
        let version = shown["version"].as_str().expect("a version");
        assert!(!version.is_empty() && by_id.contains(&format!("by rules {version}")), "{by_id}");
        let attempts = shown["history"][0]["history"].as_array().expect("attempts");
        assert_eq!(attempts[0]["rules"], version, "{attempts:?}");

        let delivery = shown["history"][0]["id"].as_str().expect("an id");
        let told = town.told(&["deliveries", "show", delivery]).await;
        assert!(told.contains(&format!("rules    {version}")), "{told}");

        let output = town.cli(&["explain", "471147114711"]).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("nobody is found"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_permitted_is_told_from_what_there_is_not() {
    let town = Town::new(stepping(6), Kept::Sqlite, |toml| {
        *toml = toml.replace("\"root.surname\"", "\"work.tytle\"");
    })
    .await;
    let hide = json!({"endpoint": "POST /v1/people/search", "omit_field": ["work.workMobile"]});
    town.hr("/_sandbox/faults", hide).await;
    let id = &town.actives()[0];
    let said = town.told(&["explain", id]).await;
    assert!(said.contains("work.workMobile            not permitted"), "{said}");
    assert!(said.contains("HiBob has no such field, did you mean work.title?"), "{said}");
    let shown = objects(&town.told(&["explain", id, "--json"]).await);
    assert_eq!(
        shown[0]["missing"],
        json!({
            "work.tytle": {"no_such_field": {"nearest": "work.title"}},
            "work.workMobile": "not_permitted",
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_nobody_shows_is_explained_from_what_is_known() {
    let town = Town::new(stepping(6), Kept::Sqlite, as_it_is).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"work": {"site": "Rome"}}));
    town.at_rest().await;
    let said = town.told(&["explain", &id]).await;
    assert!(said.contains("Scope: out: rules.in_scope says no"), "{said}");
    assert!(said.contains("work.site: \"Rome\""), "the values that it saw: {said}");
    town.delete(&id);
    town.at_rest().await;
    let said = town.told(&["explain", &id]).await;
    assert!(said.contains("HiBob does not show this person"), "{said}");
    assert!(said.contains("employee.deleted"), "{said}");
}

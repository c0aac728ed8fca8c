//! Groups: given by value and by condition, made once when they are missing, taken away only where a
//! rule gave them, and given back to who returns.

use std::collections::BTreeSet;

use instep::model::DeliveryState;
use serde_json::{Value, json};

use super::{empty, on_both, ruled, stepping};
use crate::harness::town::{Kept, Town, as_it_is, patient};

on_both! {
    each_department_has_a_group
    who_moves_leaves_only_what_a_rule_gave
    who_returns_is_in_the_groups_of_now
    a_group_that_is_missing_stops_nobody
    many_newcomers_make_a_group_once
    a_group_that_was_deleted_by_hand_is_made_again
    who_dies_while_making_a_group_leaves_it_to_others
    what_rules_gave_goes_with_the_account
}

const DEPARTMENTS: &str = r#"
[rules.groups.departments]
path = "['Departments', label.work.department]"
create = true

[rules.groups.testers]
when = "label.work.title == 'Tester'"
path = "'Leaders'"
role = "coach"
"#;

/// Departments and the title Tester, by their numbers in HR.
const ENGINEERING: &str = "261454001";
const FINANCE: &str = "261454011";
const TESTER: &str = "255490104";
const ENGINEER: &str = "255490101";

fn department(id: &str) -> Value {
    json!({"work": {"department": id}})
}

/// Where somebody is and as what, beside the group that everybody is in.
fn memberships(town: &Town, id: &str) -> BTreeSet<String> {
    let account = town.account_of(id);
    let rows = account["memberships"].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let named = rows.iter().map(|row| format!("{} as {}", text(row, "path"), text(row, "role")));
    named.filter(|name| name != "Everyone as learner").collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn has(town: &Town, id: &str, names: &[&str]) {
    let wanted = set(names);
    let is_so = async || memberships(town, id) == wanted;
    town.until(&format!("{id} is in {names:?}"), is_so).await;
    town.in_step().await;
    assert_eq!(memberships(town, id), wanted);
}

async fn what_rules_gave_goes_with_the_account(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", DEPARTMENTS)).await;
    let _serving = town.open().await;
    let first = town.hire(department(ENGINEERING));
    has(&town, &first, &["Departments/Engineering as learner"]).await;
    let account = town.account_of(&first);
    // The same person under a second id and in another department.
    let second = town.hire(json!({"email": account["mail"], "work": {"department": FINANCE}}));
    town.at_rest().await;
    let id = account["_id"].as_str().expect("an id");
    town.told(&["match", &second, "--account", id, "--yes"]).await;
    let wanted = set(&["Departments/Finance Operations as learner"]);
    let moved = async || memberships(&town, &second) == wanted;
    town.until("the account is the second id's, and in its group only", moved).await;
    assert_eq!(town.account_of(&second)["_id"], account["_id"]);
}

async fn named(town: &Town, name: &str) -> usize {
    town.lms_groups().await.iter().filter(|group| group["name"] == name).count()
}

async fn each_department_has_a_group(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", DEPARTMENTS)).await;
    let _serving = town.open().await;
    let id = town.hire(department(ENGINEERING));
    has(&town, &id, &["Departments/Engineering as learner"]).await;
    let other = town.hire(json!({"work": {"department": ENGINEERING, "title": TESTER}}));
    has(&town, &other, &["Departments/Engineering as learner", "Leaders as coach"]).await;
    let made = town.lms_calls().await.of("POST /api/v2/groups");
    assert_eq!(made, 2, "Departments and one below");
    // What is so already costs nothing.
    let writes = town.sandbox.writes();
    town.nudge(&id);
    town.in_step().await;
    assert_eq!(town.sandbox.writes(), writes);
}

async fn who_moves_leaves_only_what_a_rule_gave(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", DEPARTMENTS)).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"work": {"department": ENGINEERING, "title": TESTER}}));
    has(&town, &id, &["Departments/Engineering as learner", "Leaders as coach"]).await;
    let account = town.account_of(&id);
    let group = town.lms("/_sandbox/groups", json!({"path": "Clubs/Chess"})).await;
    let mut rows = account["groups"].as_array().expect("groups").clone();
    rows.push(json!({"groupId": group["_id"], "role": "learner"}));
    town.by_hand(json!({"_id": account["_id"], "set": {"groups": rows}})).await;
    let before = town.lms_calls().await;
    town.change(&id, json!({"work": {"department": FINANCE, "title": ENGINEER}}));
    let now = ["Departments/Finance Operations as learner", "Clubs/Chess as learner"];
    has(&town, &id, &now).await;
    let after = town.lms_calls().await;
    let leaves = "DELETE /api/v2/groups/{groupId}/{role}/{userId}";
    assert_eq!(after.of(leaves) - before.of(leaves), 2);
    // Job and department in one, the group, a join and two leaves.
    assert_eq!(after.writes() - before.writes(), 5, "{after:?}");
}

async fn who_returns_is_in_the_groups_of_now(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", DEPARTMENTS)).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"work": {"department": ENGINEERING, "title": TESTER}}));
    has(&town, &id, &["Departments/Engineering as learner", "Leaders as coach"]).await;
    let account = town.account_of(&id);
    let group = town.lms("/_sandbox/groups", json!({"path": "Clubs/Chess"})).await;
    let mut rows = account["groups"].as_array().expect("groups").clone();
    rows.push(json!({"groupId": group["_id"], "role": "editor"}));
    town.by_hand(json!({"_id": account["_id"], "set": {"groups": rows}})).await;
    town.change(&id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    assert_eq!(memberships(&town, &id), set(&[]));
    let back =
        json!({"internal": {"lifecycleStatus": "employed"}, "work": {"department": FINANCE}});
    town.change(&id, back);
    let now =
        ["Departments/Finance Operations as learner", "Leaders as coach", "Clubs/Chess as editor"];
    has(&town, &id, &now).await;
    assert_eq!(town.account_of(&id)["_id"], account["_id"]);
    // And once more, deactivated by hand, so that nothing was written down before.
    town.by_hand(json!({"_id": account["_id"], "delete": true})).await;
    town.change(&id, json!({"surname": "Returned"}));
    has(&town, &id, &["Departments/Finance Operations as learner", "Leaders as coach"]).await;
}

async fn a_group_that_is_missing_stops_nobody(kept: Kept) {
    let tables = "[rules.groups.gone]\npath = \"'Gone/Astray'\"\n";
    let town = Town::new(stepping(8), kept, ruled("", tables)).await;
    let _serving = town.open().await;
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "Grouped"}));
    town.in_step().await;
    assert_eq!(town.account_of(id)["lastName"], "Grouped");
    let deliveries = town.deliveries_of(id).await;
    for delivery in &deliveries {
        assert_eq!(delivery.state, DeliveryState::Done, "{delivery:?}");
        let reason = delivery.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("not added to group Gone/Astray"), "{reason}");
        assert!(reason.contains("create = true"), "it says what to do: {reason}");
    }
    // Once somebody has made it, the next event finds it.
    town.lms("/_sandbox/groups", json!({"path": "Gone/Astray"})).await;
    let mut looks = 0;
    town.until("the group is found", async || {
        looks += 1;
        if looks % 40 == 1 {
            town.nudge(id);
        }
        memberships(&town, id) == set(&["Gone/Astray as learner"])
    })
    .await;
}

async fn many_newcomers_make_a_group_once(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", DEPARTMENTS)).await;
    town.sandbox.limit(false);
    let _serving = town.open().await;
    let ids: Vec<String> = (0..12).map(|_| town.hire(department(ENGINEERING))).collect();
    town.in_step().await;
    for id in &ids {
        has(&town, id, &["Departments/Engineering as learner"]).await;
    }
    assert_eq!((named(&town, "Departments").await, named(&town, "Engineering").await), (1, 1));
}

async fn a_group_that_was_deleted_by_hand_is_made_again(kept: Kept) {
    let town = Town::new(empty(), kept, ruled("", DEPARTMENTS)).await;
    let _serving = town.open().await;
    let id = town.hire(department(ENGINEERING));
    has(&town, &id, &["Departments/Engineering as learner"]).await;
    let groups = town.lms_groups().await;
    let group = groups.iter().find(|group| group["name"] == "Engineering").expect("a group");
    let path = format!("/groups/{}", group["_id"].as_str().expect("an id"));
    town.lms_api("DELETE", &path, Value::Null).await;
    // Instep does not know yet: the join is refused, and looking again makes the group anew.
    let other = town.hire(department(ENGINEERING));
    has(&town, &other, &["Departments/Engineering as learner"]).await;
    assert_eq!(named(&town, "Engineering").await, 1);
}

async fn who_dies_while_making_a_group_leaves_it_to_others(kept: Kept) {
    let town = Town::new(stepping(8), kept, ruled("", DEPARTMENTS)).await;
    let serving = town.open().await;
    let drop = json!({"endpoint": "POST /api/v2/groups", "drop": "before"});
    town.lms("/_sandbox/faults", drop).await;
    let id = &town.actives()[2];
    town.change(id, json!({"work": {"department": ENGINEERING, "title": ENGINEER}}));
    let begun = async || town.lms_calls().await.of("POST /api/v2/groups") > 0;
    town.until("the group is about to be made", begun).await;
    serving.kill();
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    let _serving = town.open().await;
    has(&town, id, &["Departments/Engineering as learner"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_make_a_group_once() {
    let everybody = "[rules.groups.all]\npath = \"'Staff/All'\"\ncreate = true\n";
    let town = Town::new(stepping(30), Kept::Redis, |toml| {
        ruled("", everybody)(toml);
        patient(toml);
        *toml = toml.replace("[target]\n", "[target]\nwrites_per_second = 1000\n");
    })
    .await;
    town.sandbox.limit(false);
    // Time enough for both to have looked before the first has made it.
    let slow = json!({"endpoint": "POST /api/v2/groups", "latency_ms": 1500, "when": "before"});
    town.lms("/_sandbox/faults", slow).await;
    let _one = town.open().await;
    let other = town.serve(&[]).await;
    let people = town.actives();
    let (some, others) = people.split_at(people.len() / 2);
    for id in some {
        town.change(id, json!({"surname": "Grouped"}));
    }
    let make = "POST /api/v2/groups";
    let begun = async || town.lms_calls().await.of(make) > 0;
    town.until("one is about to make the group", begun).await;
    town.hook_to(&other);
    for id in others {
        town.change(id, json!({"surname": "Grouped"}));
    }
    town.in_step().await;
    assert_eq!(town.lms_calls().await.of(make), 2, "Staff and one below");
    for id in &people {
        has(&town, id, &["Staff/All as learner"]).await;
    }
    assert_eq!((named(&town, "Staff").await, named(&town, "All").await), (1, 1));
    for delivery in town.deliveries(&instep::store::Filter::default()).await {
        assert_eq!(delivery.attempts, 0, "{delivery:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_without_rules_are_nobodys_business() {
    let town = Town::new(stepping(8), Kept::Sqlite, as_it_is).await;
    let _serving = town.open().await;
    town.change(&town.actives()[1], json!({"surname": "Groupless"}));
    town.in_step().await;
    assert_eq!(town.lms_calls().await.of("GET /api/v2/groups"), 0);
}

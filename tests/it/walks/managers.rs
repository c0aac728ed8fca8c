//! Managers: linked in whichever order two people arrive, changed, taken away; nobody manages
//! themselves, and a circle is refused until somebody opens it.

use instep::model::{DeliveryState, Person, SourceName};
use serde_json::{Value, json};

use super::{empty, on_both, ruled};
use crate::harness::town::{Kept, Town};

on_both! {
    a_manager_who_is_there_is_linked
    a_manager_who_comes_later_is_linked_then
    a_manager_named_by_mail_is_linked_in_either_order
    a_manager_changes_and_one_added_by_hand_stays
    a_manager_who_leaves_and_returns_is_linked_again
    nobody_manages_themselves
    a_circle_is_refused_until_it_is_opened
    a_circle_of_two_newcomers_never_stands
    a_kill_while_the_manager_arrives_loses_nobody
}

const BY_ID: &str = "manager = \"work.reportsTo.id\"\n";
const BY_MAIL: &str = "manager = \"work.reportsTo.email\"\n";

fn below(manager: &str) -> Value {
    json!({"work": {"manager": manager}})
}

fn not_yet() -> Value {
    json!({"internal": {"lifecycleStatus": "hired"}})
}

fn employed() -> Value {
    json!({"internal": {"lifecycleStatus": "employed"}})
}

fn account(town: &Town, id: &str) -> Value {
    town.account_of(id)["_id"].clone()
}

/// Waits until somebody is managed by exactly these.
async fn managed(town: &Town, id: &str, by: &[&str]) {
    let is_so = async || {
        let wanted: Vec<Value> = by.iter().map(|manager| account(town, manager)).collect();
        let held = town.account_of(id)["managers"].as_array().cloned().unwrap_or_default();
        held.len() == wanted.len() && wanted.iter().all(|one| held.contains(one))
    };
    town.until(&format!("{id} is managed by {by:?}"), is_so).await;
    town.in_step().await;
    assert!(is_so().await, "and stays so");
}

/// What somebody's newest delivery says.
async fn told(town: &Town, id: &str) -> String {
    let newest = town.deliveries_of(id).await.into_iter().next();
    newest.and_then(|delivery| delivery.reason).unwrap_or_default()
}

async fn no_dead_letter(town: &Town) {
    for delivery in town.deliveries(&instep::store::Filter::default()).await {
        assert_ne!(delivery.state, DeliveryState::Dead, "{delivery:?}");
    }
}

async fn a_manager_who_is_there_is_linked(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let boss = town.hire(json!({}));
    town.in_step().await;
    let id = town.hire(below(&boss));
    managed(&town, &id, &[&boss]).await;
    // What is so already costs nothing.
    let writes = town.sandbox.writes();
    town.nudge(&id);
    town.nudge(&boss);
    town.in_step().await;
    assert_eq!(town.sandbox.writes(), writes);
}

async fn a_manager_who_comes_later_is_linked_then(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let boss = town.hire(not_yet());
    let ids: Vec<String> = (0..3).map(|_| town.hire(below(&boss))).collect();
    town.in_step().await;
    for id in &ids {
        managed(&town, id, &[]).await;
        assert!(told(&town, id).await.contains(&format!("manager {boss} is awaited")));
    }
    town.change(&boss, employed());
    for id in &ids {
        managed(&town, id, &[&boss]).await;
        let kinds = town.deliveries_of(id).await;
        assert!(kinds.iter().any(|it| it.kind == "manager.arrived"), "{kinds:?}");
    }
    no_dead_letter(&town).await;
}

async fn a_manager_named_by_mail_is_linked_in_either_order(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_MAIL, "")).await;
    let _serving = town.open().await;
    let boss = town.hire(json!({}));
    town.in_step().await;
    let first = town.hire(below(&boss));
    managed(&town, &first, &[&boss]).await;
    let mut late = not_yet();
    late["email"] = "Late.Boss@example.test".into();
    let late = town.hire(late);
    let second = town.hire(below(&late));
    managed(&town, &second, &[]).await;
    assert!(!told(&town, &second).await.contains("example.test"), "a mail is nobody's business");
    town.change(&late, employed());
    managed(&town, &second, &[&late]).await;
    // Another mail of the same manager is the same manager.
    let writes = town.sandbox.writes();
    town.change(&boss, json!({"email": "new.boss@example.test"}));
    town.in_step().await;
    town.nudge(&first);
    managed(&town, &first, &[&boss]).await;
    assert_eq!(town.sandbox.writes(), writes + 1, "only the mail was written");
}

async fn a_manager_changes_and_one_added_by_hand_stays(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let [one, two, mentor] = [0, 1, 2].map(|_| town.hire(json!({})));
    town.in_step().await;
    let id = town.hire(below(&one));
    managed(&town, &id, &[&one]).await;
    let managers = json!([account(&town, &one), account(&town, &mentor)]);
    town.by_hand(json!({"_id": account(&town, &id), "set": {"managers": managers}})).await;
    town.change(&id, below(&two));
    managed(&town, &id, &[&two, &mentor]).await;
    // HR names none: what a rule gave goes, and nothing else.
    town.change(&id, json!({"work": {"manager": null}}));
    managed(&town, &id, &[&mentor]).await;
}

async fn a_manager_who_leaves_and_returns_is_linked_again(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let boss = town.hire(json!({}));
    town.in_step().await;
    let id = town.hire(below(&boss));
    managed(&town, &id, &[&boss]).await;
    town.change(&boss, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    town.change(&id, json!({"surname": "Orphan"}));
    managed(&town, &id, &[]).await;
    town.change(&boss, employed());
    managed(&town, &id, &[&boss]).await;
    // And somebody who leaves and returns has the manager back.
    town.change(&id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    town.change(&id, employed());
    managed(&town, &id, &[&boss]).await;
    no_dead_letter(&town).await;
}

async fn nobody_manages_themselves(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let boss = town.hire(json!({}));
    town.in_step().await;
    let id = town.hire(below(&boss));
    managed(&town, &id, &[&boss]).await;
    town.change(&id, json!({"work": {"manager": id}, "surname": "Ouroboros"}));
    town.in_step().await;
    assert_eq!(town.account_of(&id)["lastName"], "Ouroboros", "everything else is applied");
    let told = told(&town, &id).await;
    assert!(told.contains("their own manager: correct it"), "{told}");
    managed(&town, &id, &[&boss]).await;
    no_dead_letter(&town).await;
}

async fn a_circle_is_refused_until_it_is_opened(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let top = town.hire(json!({}));
    let one = town.hire(json!({}));
    town.in_step().await;
    let two = town.hire(below(&one));
    managed(&town, &two, &[&one]).await;
    let three = town.hire(below(&two));
    managed(&town, &three, &[&two]).await;
    town.change(&one, json!({"work": {"manager": three}, "surname": "Circular"}));
    town.in_step().await;
    assert_eq!(town.account_of(&one)["lastName"], "Circular", "everything else is applied");
    let told = told(&town, &one).await;
    assert!(told.contains("a circle") && told.contains("Correct the managers in HR"), "{told}");
    managed(&town, &one, &[]).await;
    let (source, employee) = (SourceName::new("bob"), instep::model::EmployeeId::new(one.as_str()));
    let link = town.store().await.link(&Person { source, employee }).await.expect("a store");
    assert!(link.is_some_and(|link| link.appointment.is_some()), "somebody looks again one day");
    // The one whom the first waits for gets another manager: nobody has to tell the first.
    town.change(&three, below(&top));
    managed(&town, &three, &[&top]).await;
    managed(&town, &one, &[&three]).await;
    no_dead_letter(&town).await;
}

async fn a_circle_of_two_newcomers_never_stands(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let _serving = town.open().await;
    let one = town.hire(not_yet());
    let two = town.hire(not_yet());
    town.at_rest().await;
    town.change(
        &one,
        json!({"work": {"manager": two}, "internal": {"lifecycleStatus": "employed"}}),
    );
    town.change(
        &two,
        json!({"work": {"manager": one}, "internal": {"lifecycleStatus": "employed"}}),
    );
    town.in_step().await;
    let (first, second) = (account(&town, &one), account(&town, &two));
    let manages = |id: &str, by: &Value| {
        town.account_of(id)["managers"].as_array().is_some_and(|them| them.contains(by))
    };
    assert!(!(manages(&one, &second) && manages(&two, &first)), "{}", town.report().await);
    no_dead_letter(&town).await;
}

async fn a_kill_while_the_manager_arrives_loses_nobody(kept: Kept) {
    let town = Town::new(empty(), kept, ruled(BY_ID, "")).await;
    let serving = town.open().await;
    let boss = town.hire(not_yet());
    let id = town.hire(below(&boss));
    town.in_step().await;
    // The account is made and written down, and the turn never ends.
    let slow = json!({"endpoint": "PUT /api/v2/users/{userId}/activate", "latency_ms": 900,
        "when": "after"});
    town.lms("/_sandbox/faults", slow).await;
    town.change(&boss, employed());
    let mail = town.person(&boss)["email"].clone();
    let made = async || town.sandbox.accounts().iter().any(|account| account["mail"] == mail);
    town.until("the manager's account is made", made).await;
    serving.kill();
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    let _serving = town.open().await;
    managed(&town, &id, &[&boss]).await;
}

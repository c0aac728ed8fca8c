//! Whose account is it: one that was made by hand is taken over once; one that is somebody else's,
//! the owner's or protected is never touched.

use instep::model::DeliveryState;
use serde_json::{Value, json};

use super::{empty, on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    an_account_made_by_hand_is_taken_over_once
    an_account_of_another_employee_is_left_to_a_person
    two_people_with_one_mail_are_left_to_a_person
    the_owner_and_the_protected_are_never_touched
    a_known_account_that_is_protected_now_is_not_touched
    an_account_erased_by_hand_is_made_again
    an_account_deactivated_by_hand_is_restored
}

fn holding(town: &Town, mail: &str) -> Value {
    let mut accounts = town.sandbox.accounts().into_iter();
    accounts.find(|account| account["mail"] == mail).unwrap_or_default()
}

async fn an_account_made_by_hand_is_taken_over_once(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let made =
        town.by_hand(json!({"set": {"mail": "Nadia.Brisk@example.test", "firstName": "N."}})).await;
    let _serving = town.open().await;
    let hire =
        json!({"email": "nadia.brisk@example.test", "firstName": "Nadia", "surname": "Brisk"});
    let id = town.hire(hire);
    town.in_step().await;
    let account = town.account_of(&id);
    assert_eq!(account["_id"], made["_id"]);
    assert_eq!(account["firstName"], "Nadia");
    let calls = town.lms_calls().await;
    assert_eq!(calls.of("POST /api/v2/users"), 0);
    assert_eq!(calls.of("POST /api/v2/external-ids"), 1);
    town.nudge(&id);
    town.in_step().await;
    assert_eq!(town.lms_calls().await.of("POST /api/v2/external-ids"), 1);
}

async fn an_account_of_another_employee_is_left_to_a_person(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let mail = "shared@example.test";
    let ids = json!([{"platform": "instep-bob", "value": "4711"}]);
    let theirs = town.by_hand(json!({"set": {"mail": mail, "externalIds": ids}})).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"email": mail}));
    town.at_rest().await;
    let dead = town.deliveries_of(&id).await;
    assert!(dead.iter().all(|d| d.code.as_deref() == Some("disputed")), "{dead:?}");
    assert_eq!(town.sandbox.writes(), 0);
    assert_eq!(holding(&town, mail), theirs);
}

async fn two_people_with_one_mail_are_left_to_a_person(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let mail = "reception@example.test";
    town.by_hand(json!({"set": {"mail": mail, "firstName": "Desk"}})).await;
    let serving = town.open().await;
    let one = town.hire(json!({"email": mail, "firstName": "One"}));
    let other = town.hire(json!({"email": mail, "firstName": "Other"}));
    town.at_rest().await;
    let mut owners = Vec::new();
    for id in [&one, &other] {
        let deliveries = town.deliveries_of(id).await;
        let dead: Vec<_> = deliveries.iter().filter(|d| d.state == DeliveryState::Dead).collect();
        if dead.is_empty() {
            owners.push(id);
        } else {
            assert!(dead.iter().all(|d| d.code.as_deref() == Some("disputed")), "{dead:?}");
        }
    }
    assert_eq!(owners.len(), 1, "one has it, the other is told about\n{}", serving.log());
    let account = holding(&town, mail);
    assert_eq!(account["externalIds"].as_array().map(Vec::len), Some(1));
    assert_eq!(account["externalIds"][0]["value"], owners[0].as_str());
    assert_eq!(account["firstName"], town.person(owners[0])["firstName"]);
}

async fn the_owner_and_the_protected_are_never_touched(kept: Kept) {
    let town = Town::new(empty(), kept, |toml| {
        *toml = toml.replace("[target]\n", "[target]\nprotected = [\"CEO@example.test\"]\n");
    })
    .await;
    town.by_hand(json!({"set": {"mail": "ceo@example.test", "firstName": "Chief"}})).await;
    let before = town.sandbox.accounts();
    let _serving = town.open().await;
    for mail in ["ceo@example.test", "owner@example.test"] {
        let id = town.hire(json!({"email": mail, "firstName": "Other"}));
        town.at_rest().await;
        town.change(&id, json!({"internal": {"lifecycleStatus": "terminated"}}));
        town.at_rest().await;
        let done = town.deliveries_of(&id).await;
        assert!(done.iter().all(|d| d.state == DeliveryState::Done), "{done:?}");
    }
    assert_eq!(town.sandbox.accounts(), before);
    assert_eq!(town.sandbox.writes(), 0);
}

async fn a_known_account_that_is_protected_now_is_not_touched(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let serving = town.open().await;
    let id = &town.actives()[2];
    town.nudge(id);
    town.in_step().await;
    serving.terminate().await;
    let before = town.account_of(id);
    let mail = before["mail"].as_str().expect("a mail");
    town.rewrite(|toml| {
        *toml = toml.replace("[target]\n", &format!("[target]\nprotected = [\"{mail}\"]\n"));
    });
    let _serving = town.open().await;
    let writes = town.sandbox.writes();
    town.change(id, json!({"surname": "Untouchable"}));
    town.at_rest().await;
    town.change(id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.at_rest().await;
    assert_eq!((town.account_of(id), town.sandbox.writes()), (before, writes));
}

async fn an_account_erased_by_hand_is_made_again(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = &town.actives()[2];
    town.nudge(id);
    town.in_step().await;
    let before = town.account_of(id);
    town.by_hand(json!({"_id": before["_id"], "wipe": true})).await;
    town.change(id, json!({"surname": "Phoenix"}));
    town.in_step().await;
    assert_ne!(town.account_of(id)["_id"], before["_id"]);
    // And one that was erased after its owner had left is simply forgotten.
    town.change(id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    town.by_hand(json!({"_id": town.account_of(id)["_id"], "wipe": true})).await;
    town.change(id, json!({"internal": {"lifecycleStatus": "employed"}}));
    town.in_step().await;
}

async fn an_account_deactivated_by_hand_is_restored(kept: Kept) {
    let town = Town::new(stepping(8), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = &town.actives()[2];
    town.nudge(id);
    town.in_step().await;
    let before = town.account_of(id);
    town.by_hand(json!({"_id": before["_id"], "delete": true})).await;
    town.change(id, json!({"surname": "Returned"}));
    town.in_step().await;
    assert_eq!(town.account_of(id)["_id"], before["_id"]);
}

//! People who come: an account is made once, activated, in the default group, with the employee's
//! id beside it; whoever cannot have one is told about.

use instep::model::DeliveryState;
use serde_json::json;

use super::{empty, on_both, small, unbraked};
use crate::harness::town::{Kept, Town, as_it_is, patient};

on_both! {
    a_hire_gets_an_account
    who_has_neither_mail_nor_user_name_is_told_about
    a_sync_makes_an_account_for_everybody
}

async fn a_hire_gets_an_account(kept: Kept) {
    let town = Town::new(empty(), kept, patient).await;
    let _serving = town.open().await;
    let before = town.lms_calls().await;
    let id = town.hire(json!({"firstName": "Nadia", "surname": "Brisk"}));
    town.in_step().await;
    let account = town.account_of(&id);
    assert_eq!(account["status"], "active");
    let group = &town.sandbox.credentials().default_group;
    assert_eq!(account["groups"], json!([{"groupId": group, "role": "learner"}]));
    assert_eq!(account["externalIds"][0]["platform"], "instep-bob");
    assert_eq!(account["externalIds"][0]["value"], id);
    // Create, activate, record the id; whatever else HiBob said about the hire costs nothing.
    let after = town.lms_calls().await;
    assert_eq!(after.writes() - before.writes(), 3 + 1, "with the token: {after:?}");
}

async fn who_has_neither_mail_nor_user_name_is_told_about(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"email": null}));
    town.at_rest().await;
    assert!(town.account_of(&id).is_null());
    let dead = town.deliveries_of(&id).await;
    assert!(dead.iter().all(|delivery| delivery.state == DeliveryState::Dead), "{dead:?}");
    assert!(dead.iter().all(|delivery| delivery.code.as_deref() == Some("noIdentity")));
    // The next event of this person is judged afresh.
    town.change(&id, json!({"email": "found@example.test"}));
    town.in_step().await;
    assert_eq!(town.account_of(&id)["mail"], "found@example.test");
}

async fn a_sync_makes_an_account_for_everybody(kept: Kept) {
    let town = Town::new(small(60), kept, unbraked).await;
    town.sandbox.limit(false);
    town.rewrite(|toml| {
        *toml = toml.replace("[target]\n", "[target]\nwrites_per_second = 1000\n");
    });
    let _serving = town.serve(&[]).await;
    let said = town.told(&["sync"]).await;
    assert!(said.contains("60 people in HR"), "{said}");
    town.in_step().await;
    assert!(town.hr_calls().await.of("POST /v1/people/search") <= 1 + 3);
    let writes = town.sandbox.writes();
    town.told(&["sync", "--source", "bob"]).await;
    town.in_step().await;
    assert_eq!(town.sandbox.writes(), writes, "a second sync finds nothing to do");
    let other = town.cli(&["sync", "--source", "nobody"]).await;
    assert_eq!(other.status.code(), Some(2));
}

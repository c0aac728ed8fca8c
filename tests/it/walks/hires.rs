//! People who come: an account is made, in the default group, with the employee's id beside it.

use instep::sandbox::Options;
use serde_json::json;

use super::on_both;
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    a_hire_gets_an_account
}

async fn a_hire_gets_an_account(kept: Kept) {
    let options = Options { people: 0, ..Options::default() };
    let town = Town::new(options, kept, as_it_is).await;
    let _serving = town.open().await;
    let id = town.hire(json!({"firstName": "Nadia", "surname": "Brisk"}));
    town.in_step().await;
    let account = town.account_of(&id);
    assert_eq!(account["status"], "active");
    let group = &town.sandbox.credentials().default_group;
    assert_eq!(account["groups"], json!([{"groupId": group, "role": "learner"}]));
    assert_eq!(account["externalIds"][0]["platform"], "instep-bob");
    assert_eq!(account["externalIds"][0]["value"], id);
}

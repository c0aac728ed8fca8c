//! User names with numbers: each is somebody's alone, chosen once, and nobody's proof.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{empty, on_both};
use crate::harness::town::{Kept, Town};

on_both! {
    names_that_are_taken_get_numbers
    a_name_of_a_deactivated_account_does_not_bring_it_back
    a_lost_answer_makes_one_account
}

/// User names from the names; the mail only where HR has one.
fn numbered(toml: &mut String) {
    *toml = toml.replace(
        "[rules.fields]\n",
        "[rules.fields]\nusername = { value = \"(root.firstName ~ '.' ~ root.surname)|slug\", \
         number = true }\n",
    );
}

fn smith() -> Value {
    json!({"firstName": "Jo", "surname": "Smith"})
}

fn username(town: &Town, id: &str) -> String {
    town.account_of(id)["username"].as_str().unwrap_or_default().to_owned()
}

async fn names_that_are_taken_get_numbers(kept: Kept) {
    let town = Town::new(empty(), kept, numbered).await;
    let _serving = town.open().await;
    let first = town.hire(smith());
    town.in_step().await;
    let base = username(&town, &first);
    assert!(!base.is_empty());
    // Two at once, one of them without a mail.
    let mut mailless = smith();
    mailless["email"] = Value::Null;
    let others = [town.hire(smith()), town.hire(mailless)];
    town.in_step().await;
    let names: BTreeSet<String> = others.iter().map(|id| username(&town, id)).collect();
    assert_eq!(names, BTreeSet::from([format!("{base}2"), format!("{base}3")]));
    // Chosen once: neither an event nor another name changes it.
    for id in [&first, &others[0]] {
        let held = username(&town, id);
        town.change(id, json!({"surname": "Married"}));
        town.in_step().await;
        assert_eq!(username(&town, id), held);
    }
    town.change(&others[1], json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    town.change(&others[1], json!({"internal": {"lifecycleStatus": "employed"}}));
    town.in_step().await;
    assert_eq!(town.sandbox.accounts().len(), 1 + 3, "the owner's and theirs");
}

async fn a_name_of_a_deactivated_account_does_not_bring_it_back(kept: Kept) {
    let town = Town::new(empty(), kept, numbered).await;
    let _serving = town.open().await;
    let first = town.hire(smith());
    town.in_step().await;
    let base = username(&town, &first);
    town.by_hand(json!({"_id": town.account_of(&first)["_id"], "wipe": true})).await;
    let old = town.by_hand(json!({"set": {"username": base, "firstName": "Joan"}})).await;
    town.by_hand(json!({"_id": old["_id"], "delete": true})).await;
    let id = town.hire(smith());
    town.until("the newcomer has an account", async || !town.account_of(&id).is_null()).await;
    town.at_rest().await;
    assert_eq!(username(&town, &id), format!("{base}2"));
    let held = town.sandbox.accounts().into_iter().find(|account| account["_id"] == old["_id"]);
    assert_eq!(held.expect("the old one")["status"], "deleted");
}

async fn a_lost_answer_makes_one_account(kept: Kept) {
    let town = Town::new(empty(), kept, numbered).await;
    let _serving = town.open().await;
    let _first = town.hire(smith());
    town.in_step().await;
    let mut mailless = smith();
    mailless["email"] = Value::Null;
    let lost = json!({"endpoint": "POST /api/v2/users", "drop": "after", "times": 1});
    town.lms("/_sandbox/faults", lost).await;
    let id = town.hire(mailless);
    town.in_step().await;
    assert_eq!(town.sandbox.accounts().len(), 1 + 2, "the owner's and theirs");
    assert!(username(&town, &id).ends_with('2'));
}

//! Managers: the new one first, then the old one away, and what each refusal leads to.

use instep::model::{AccountId, Change, Done};
use serde_json::{Value, json};

use super::town::{Town, look_again, refused};

const ADD: &str = "POST /users/{userId}/managers/{managerId}";
const REMOVE: &str = "DELETE /users/{userId}/managers/{managerId}";

fn manager(add: Option<&AccountId>, remove: Option<&AccountId>) -> Change {
    Change::SetManager { add: add.cloned(), remove: remove.cloned() }
}

fn managers(held: &Value) -> &Value {
    &held["managers"]
}

#[tokio::test]
async fn a_manager_is_set_changed_and_taken_away() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let (ann, bea) = (town.person("ann@example.test").await, town.person("bea@example.test").await);
    let by_hand = town.person("hand@example.test").await;
    town.edit(&id, json!({ "managers": [by_hand] })).await;
    for (add, remove, left) in [
        (Some(&ann), None, vec![&by_hand, &ann]),
        (Some(&ann), None, vec![&by_hand, &ann]),
        (Some(&bea), Some(&ann), vec![&by_hand, &bea]),
        (Some(&bea), Some(&ann), vec![&by_hand, &bea]),
        (Some(&bea), Some(&bea), vec![&by_hand, &bea]),
        (None, Some(&bea), vec![&by_hand]),
        (None, Some(&bea), vec![&by_hand]),
        (None, None, vec![&by_hand]),
    ] {
        assert_eq!(town.apply(&id, manager(add, remove)).await.unwrap(), Done::default());
        let held = town.held(&id);
        let mut held: Vec<&str> =
            managers(&held).as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let mut left: Vec<&str> = left.into_iter().map(AccountId::as_str).collect();
        held.sort_unstable();
        left.sort_unstable();
        assert_eq!(held, left);
    }
    assert_eq!((town.calls(ADD).await, town.calls(REMOVE).await), (5, 4));
}

#[tokio::test]
async fn each_refusal_of_a_manager_leads_somewhere() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let ann = town.person("ann@example.test").await;
    let nobody = AccountId::new("0".repeat(24));
    let (code, advice) = refused(town.apply(&id, manager(Some(&id), Some(&ann))).await);
    assert!(code == "managesSelf" && advice.contains("rules.manager"), "{advice}");
    assert_eq!(town.all_calls().await, 0, "nothing was tried");
    assert_eq!(look_again(town.apply(&id, manager(Some(&nobody), None)).await), "managerNotFound");
    // One who is gone cannot be taken away, and need not be.
    town.apply(&id, manager(None, Some(&nobody))).await.unwrap();
    town.edit(&ann, json!({ "status": "deleted" })).await;
    assert_eq!(look_again(town.apply(&id, manager(Some(&ann), None)).await), "managerDeleted");
    town.apply(&id, manager(None, Some(&ann))).await.unwrap();
    assert_eq!(look_again(town.apply(&nobody, manager(Some(&id), None)).await), "userNotFound");
    assert_eq!(look_again(town.apply(&ann, manager(Some(&id), None)).await), "userDeleted");
    // The old manager stays until the new one is there.
    let bea = town.person("bea@example.test").await;
    town.edit(&id, json!({ "managers": [bea] })).await;
    look_again(town.apply(&id, manager(Some(&ann), Some(&bea))).await);
    assert_eq!(*managers(&town.held(&id)), json!([bea]));
    // "It is so already", however it is said.
    town.refuse(&ADD.replacen(' ', " /api/v2", 1), 400, "managerAlreadyAssigned").await;
    town.apply(&id, manager(Some(&bea), None)).await.unwrap();
}

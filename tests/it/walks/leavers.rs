//! People who go, and those who come back: deactivated only on proof, and restored with all that
//! the deactivation took away.

use instep::model::DeliveryState;
use serde_json::{Value, json};

use super::{on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    a_leaver_comes_back_with_everything
    a_leaver_comes_back_with_another_mail
    what_a_lost_answer_took_away_is_put_back
    who_is_deleted_from_hr_is_deactivated_after_two_looks
    who_is_merely_not_shown_keeps_the_account
    who_moves_out_of_scope_is_left_alone
}

fn left() -> Value {
    json!({"internal": {"lifecycleStatus": "terminated"}})
}

fn back() -> Value {
    json!({"internal": {"lifecycleStatus": "employed"}})
}

/// Someone whom an administrator has given a group, a value, a manager and somebody to manage.
async fn furnished(town: &Town) -> (String, Value) {
    let actives = town.actives();
    let (id, boss, report) = (&actives[3], &actives[1], &actives[5]);
    // Each is known to Instep.
    for id in [id, boss, report] {
        town.change(id, json!({"work": {"workMobile": "+442000000001"}}));
    }
    town.in_step().await;
    let field = town.lms_api(
        "POST",
        "/custom-fields",
        json!({
            "name": "Cost centre", "targetType": "users", "type": "string",
        }),
    );
    let field = field.await["_id"].as_str().expect("an id").to_owned();
    let groups = town.lms_groups().await;
    let leaders = groups.iter().find(|group| group["name"] == "Leaders").expect("a group");
    let account = |id: &str| town.account_of(id)["_id"].clone();
    let mut roles = town.account_of(id)["groups"].as_array().expect("groups").clone();
    roles.push(json!({"groupId": leaders["_id"], "role": "coach"}));
    town.by_hand(json!({"_id": account(id), "set": {
        "groups": roles, "customFields": {field: "CC-77"}, "managers": [account(boss)],
    }}))
    .await;
    town.by_hand(json!({"_id": account(report), "set": {"managers": [account(id)]}})).await;
    (id.clone(), town.account_of(id))
}

fn belongings(account: &Value) -> Value {
    let keys = ["groups", "customFields", "managers", "subordinates"];
    keys.iter().map(|key| (*key, account[*key].clone())).collect()
}

async fn a_leaver_comes_back_with_everything(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let (id, before) = furnished(&town).await;
    town.change(&id, left());
    town.in_step().await;
    let gone = town.account_of(&id);
    assert_eq!((&gone["status"], &gone["groups"]), (&json!("deleted"), &json!([])));
    // Leaving twice costs nothing.
    let writes = town.sandbox.writes();
    town.nudge(&id);
    town.in_step().await;
    assert_eq!(town.sandbox.writes(), writes);
    town.change(&id, back());
    town.in_step().await;
    let again = town.account_of(&id);
    assert_eq!(again["_id"], before["_id"], "the same account");
    assert_eq!(belongings(&again), belongings(&before));
}

async fn a_leaver_comes_back_with_another_mail(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let (id, before) = furnished(&town).await;
    town.change(&id, left());
    town.in_step().await;
    let mut again = back();
    again["email"] = "quite.other@example.test".into();
    again["surname"] = "Remarried".into();
    town.change(&id, again);
    town.in_step().await;
    let account = town.account_of(&id);
    assert_eq!(account["_id"], before["_id"], "the same account");
    assert_eq!(belongings(&account), belongings(&before));
    assert_eq!(account["mail"], "quite.other@example.test");
}

async fn what_a_lost_answer_took_away_is_put_back(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let (id, before) = furnished(&town).await;
    let lost = json!({"endpoint": "DELETE /api/v2/users/{userId}", "drop": "after", "times": 1});
    town.lms("/_sandbox/faults", lost).await;
    town.change(&id, left());
    town.in_step().await;
    assert_eq!(town.account_of(&id)["status"], "deleted");
    let lost = json!({"endpoint": "POST /api/v2/users", "drop": "after", "times": 1});
    town.lms("/_sandbox/faults", lost).await;
    town.change(&id, back());
    town.in_step().await;
    let account = town.account_of(&id);
    assert_eq!(account["_id"], before["_id"], "the same account");
    assert_eq!(belongings(&account), belongings(&before));
}

async fn who_is_deleted_from_hr_is_deactivated_after_two_looks(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = &town.actives()[4];
    town.nudge(id);
    town.in_step().await;
    town.delete(id);
    town.until("the account is deactivated", async || town.account_of(id)["status"] == "deleted")
        .await;
    town.at_rest().await;
    let deleted = town.deliveries_of(id).await;
    let deleted = deleted.iter().find(|d| d.kind == "employee.deleted").expect("the event");
    assert!(deleted.history.len() >= 2, "one look is not enough: {deleted:?}");
}

async fn who_is_merely_not_shown_keeps_the_account(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let (hidden, seen) = (&town.actives()[4], &town.actives()[5]);
    let hide = json!({"endpoint": "POST /v1/people/search", "omit_person": [hidden]});
    town.hr("/_sandbox/faults", hide).await;
    town.change(hidden, json!({"surname": "Unseen"}));
    town.change(seen, json!({"surname": "Seen"}));
    town.at_rest().await;
    let mail = town.person(hidden)["email"].clone();
    let account = town.sandbox.accounts().into_iter().find(|account| account["mail"] == mail);
    assert_eq!(account.expect("an account")["status"], "active");
    assert_eq!(town.account_of(seen)["lastName"], "Seen");
    let dead = town.deliveries_of(hidden).await;
    assert!(dead.iter().all(|d| d.code.as_deref() == Some("notVisible")), "{dead:?}");
    // Once HiBob shows the person again, a replay puts everything right.
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    town.told(&["replay", "--state", "dead", "--yes"]).await;
    town.in_step().await;
    assert_eq!(town.account_of(hidden)["lastName"], "Unseen");
}

async fn who_moves_out_of_scope_is_left_alone(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let _serving = town.open().await;
    let id = &town.actives()[4];
    town.nudge(id);
    town.in_step().await;
    let (before, writes) = (town.account_of(id), town.sandbox.writes());
    town.change(id, json!({"work": {"siteId": 2_154_005}, "surname": "Lisboeta"}));
    town.at_rest().await;
    town.change(id, left());
    town.at_rest().await;
    assert_eq!((town.account_of(id), town.sandbox.writes()), (before, writes));
    let done = town.deliveries_of(id).await;
    assert!(done.iter().all(|delivery| delivery.state == DeliveryState::Done), "{done:?}");
}

//! 360Learning in trouble: nobody ends with two accounts, nothing is lost, and what is nobody's
//! fault costs no attempt.

use instep::model::DeliveryState;
use instep::store::Filter;
use serde_json::{Value, json};

use super::{empty, on_both, stepping};
use crate::harness::town::{Kept, Town, as_it_is};

on_both! {
    an_lms_that_is_down_costs_no_attempt
    a_create_whose_end_is_unknown_makes_one_account
    a_create_that_restores_somebody_is_noticed
    tokens_that_end_are_replaced
    a_missing_scope_holds_the_target
    one_persons_failure_is_not_everybodys
    each_lost_answer_is_made_good
}

async fn fault(town: &Town, fault: Value) {
    town.lms("/_sandbox/faults", fault).await;
}

async fn held(town: &Town) -> bool {
    let holds = town.store().await.holds().await.unwrap_or_default();
    holds.iter().any(|hold| hold.scope == "target")
}

async fn no_attempt_was_spent(town: &Town) {
    for delivery in town.deliveries(&Filter::default()).await {
        assert_eq!(delivery.attempts, 0, "{delivery:?}");
    }
}

async fn an_lms_that_is_down_costs_no_attempt(kept: Kept) {
    let town = Town::new(stepping(20), kept, as_it_is).await;
    let _serving = town.open().await;
    let actives = town.actives();
    for (round, wrong) in [
        json!({"endpoint": "*", "status": 503}),
        json!({"endpoint": "*", "drop": "before"}),
        json!({"endpoint": "*", "html": true}),
    ]
    .into_iter()
    .enumerate()
    {
        fault(&town, wrong).await;
        for id in &actives {
            town.change(id, json!({"surname": format!("Outage{round}")}));
        }
        town.until("the target is held", async || held(&town).await).await;
        fault(&town, json!({"clear": true})).await;
        town.in_step().await;
        town.until("the hold has ended", async || !held(&town).await).await;
    }
    no_attempt_was_spent(&town).await;
    // Told to wait, it waits.
    fault(&town, json!({"endpoint": "PATCH /api/v2/users/{userId}", "retry_after": 1, "times": 3}))
        .await;
    for id in &actives {
        town.change(id, json!({"surname": "Throttled"}));
    }
    town.in_step().await;
    no_attempt_was_spent(&town).await;
}

async fn a_create_whose_end_is_unknown_makes_one_account(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let _serving = town.open().await;
    let create = "POST /api/v2/users";
    let mut hired = Vec::new();
    for (n, mut wrong) in [
        json!({"drop": "after"}),
        json!({"status": 502, "when": "after"}),
        json!({"latency_ms": 1300}),
        json!({"truncate": true}),
        json!({"html": true, "when": "after"}),
    ]
    .into_iter()
    .enumerate()
    {
        wrong["endpoint"] = create.into();
        wrong["times"] = 1.into();
        fault(&town, wrong).await;
        let id = town.hire(json!({"firstName": "Once", "surname": format!("Only{n}")}));
        town.in_step().await;
        hired.push(id);
    }
    // Even when the mail changes before anybody could look.
    fault(&town, json!({"endpoint": create, "drop": "after", "times": 1})).await;
    let id = town.hire(json!({"firstName": "Quick", "email": "first@example.test"}));
    town.until("the create was made", async || {
        town.sandbox.accounts().iter().any(|account| account["mail"] == "first@example.test")
    })
    .await;
    town.change(&id, json!({"email": "second@example.test"}));
    town.in_step().await;
    hired.push(id);
    assert_eq!(town.sandbox.accounts().len(), 1 + hired.len(), "the owner's and theirs");
}

async fn a_create_that_restores_somebody_is_noticed(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let _serving = town.open().await;
    // An account that nobody linked was deactivated, and its owner is hired again.
    let mail = "once.here@example.test";
    let old = town.by_hand(json!({"set": {"mail": mail, "job": "Old job"}})).await;
    town.by_hand(json!({"_id": old["_id"], "delete": true})).await;
    let id = town.hire(json!({"email": mail}));
    town.in_step().await;
    assert_eq!(town.account_of(&id)["_id"], old["_id"]);
    // And one that is deactivated between the look and the create.
    let mail = "meanwhile@example.test";
    let slow = json!({"endpoint": "POST /api/v2/users", "latency_ms": 700, "when": "before",
        "times": 1});
    fault(&town, slow).await;
    let before = town.lms_calls().await.of("POST /api/v2/users");
    let id = town.hire(json!({"email": mail}));
    let begun = async || town.lms_calls().await.of("POST /api/v2/users") > before;
    town.until("the create has begun", begun).await;
    let old = town.by_hand(json!({"set": {"mail": mail, "job": "Old job"}})).await;
    town.by_hand(json!({"_id": old["_id"], "delete": true})).await;
    town.in_step().await;
    assert_eq!(town.account_of(&id)["_id"], old["_id"]);
}

async fn tokens_that_end_are_replaced(kept: Kept) {
    let town = Town::new(stepping(20), kept, as_it_is).await;
    let _serving = town.open().await;
    let actives = town.actives();
    for round in 0..3 {
        for id in &actives[..6] {
            town.change(id, json!({"surname": format!("Token{round}")}));
        }
        town.lms("/_sandbox/revoke", json!({})).await;
        town.in_step().await;
    }
    no_attempt_was_spent(&town).await;
    assert!(town.lms_calls().await.of("POST /api/v2/oauth2/token") <= 4);
}

async fn a_missing_scope_holds_the_target(kept: Kept) {
    let town = Town::new(stepping(12), kept, as_it_is).await;
    let all = town.lms("/_sandbox/settings", json!({})).await["scopes"].clone();
    let without = all.as_array().expect("scopes").iter().filter(|scope| *scope != "users:write");
    let without: Value = without.cloned().collect();
    town.lms("/_sandbox/settings", json!({"scopes": without})).await;
    let _serving = town.open().await;
    let actives = town.actives();
    for id in &actives {
        town.change(id, json!({"surname": "Scopeless"}));
    }
    town.until("the target is held", async || held(&town).await).await;
    let holds = town.store().await.holds().await.expect("holds");
    let hold = holds.iter().find(|hold| hold.scope == "target").expect("a hold");
    assert!(hold.reason.contains("users:write"), "{}", hold.reason);
    let minute = hold.probe_at.duration_since(hold.since).as_secs();
    assert!((55..=65).contains(&minute), "{hold:?}");
    let patches = town.lms_calls().await.of("PATCH /api/v2/users/{userId}");
    assert!(patches <= 16, "no more than were under way: {patches}");
    assert_eq!(town.sandbox.writes(), 0);
    no_attempt_was_spent(&town).await;
}

async fn one_persons_failure_is_not_everybodys(kept: Kept) {
    let town = Town::new(stepping(12), kept, |toml| {
        *toml = toml.replace("[worker]\n", "[worker]\nattempts = 3\n");
    })
    .await;
    let _serving = town.open().await;
    let actives = town.actives();
    let poison = town.account_of(&actives[2])["_id"].as_str().expect("an id").to_owned();
    let wrong = json!({"endpoint": format!("PATCH /api/v2/users/{poison}"), "status": 500});
    fault(&town, wrong).await;
    town.change(&actives[2], json!({"surname": "Poison"}));
    let (mut round, dead) = (0, async || {
        let deliveries = town.deliveries_of(&actives[2]).await;
        deliveries.iter().any(|delivery| delivery.state == DeliveryState::Dead)
    });
    // While others go on, the one that always fails ends as a dead letter.
    town.until("it is a dead letter", async || {
        round += 1;
        if round % 20 == 1 {
            let id = &actives[3 + (round / 20) % 5];
            town.change(id, json!({"surname": format!("Healthy{round}")}));
        }
        dead().await
    })
    .await;
    town.at_rest().await;
    let differing = town.differing();
    assert_eq!(differing.len(), 1, "{differing:?}");
    fault(&town, json!({"clear": true})).await;
    town.told(&["replay", "--person", &actives[2], "--yes"]).await;
    town.in_step().await;
}

/// Every call of a life, its answer lost once.
async fn each_lost_answer_is_made_good(kept: Kept) {
    let town = Town::new(empty(), kept, as_it_is).await;
    let _serving = town.open().await;
    let lost = |endpoint: &str| json!({"endpoint": endpoint, "drop": "after", "times": 1});
    for endpoint in [
        "GET /api/v2/users",
        "GET /api/v2/external-ids",
        "POST /api/v2/users",
        "PUT /api/v2/users/{userId}/activate",
        "POST /api/v2/external-ids",
    ] {
        fault(&town, lost(endpoint)).await;
    }
    let id = town.hire(json!({"firstName": "Many", "surname": "Losses"}));
    town.in_step().await;
    fault(&town, lost("PATCH /api/v2/users/{userId}")).await;
    town.change(&id, json!({"surname": "Found"}));
    town.in_step().await;
    fault(&town, lost("DELETE /api/v2/users/{userId}")).await;
    fault(&town, lost("GET /api/v2/users/{userId}/roles")).await;
    town.change(&id, json!({"internal": {"lifecycleStatus": "terminated"}}));
    town.in_step().await;
    for endpoint in [
        "POST /api/v2/users",
        "PUT /api/v2/users/{userId}/activate",
        "GET /api/v2/users/{userId}",
        "PATCH /api/v2/users/{userId}",
    ] {
        fault(&town, lost(endpoint)).await;
    }
    let again = json!({"internal": {"lifecycleStatus": "employed"}, "surname": "Again"});
    town.change(&id, again);
    town.in_step().await;
    assert_eq!(town.sandbox.accounts().len(), 2);
    // Whatever was left over was never met.
    fault(&town, json!({"clear": true})).await;
}

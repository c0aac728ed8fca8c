//! What happens now goes before what is done again, though that came first and waits.

use super::*;

/// How many are done again: more than may be in hand at once.
const MANY: usize = 130;

/// One person is applied at a time, so that there is one order.
fn one_by_one(toml: &mut String) {
    *toml = toml.replace("[worker]\n", "[worker]\nconcurrency = 1\n");
    toml.push_str("\n[replay]\nper_minute = 60000\n");
}

/// When the last attempt of a delivery ended.
fn ended(delivery: &instep::model::Delivery) -> jiff::Timestamp {
    let last = delivery.history.last().expect("an attempt");
    last.at + Duration::from_millis(last.took_ms)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_event_goes_before_what_a_replay_has_queued() {
    let town = town(MANY * 2, Kept::Sqlite, one_by_one).await;
    let actives = town.actives();
    let (now, again) = (&actives[0], &actives[1..=MANY]);
    let mut letters = Vec::new();
    for id in again {
        letters.push(failed(&town, id).await);
        town.change(id, json!({"surname": "Again"}));
    }
    let slow = json!({"endpoint": "PATCH /api/v2/users/{userId}", "latency_ms": 80});
    town.lms("/_sandbox/faults", slow).await;
    let _serving = town.open().await;
    let run = run_id(&preview(&town, &["--state", "dead"]).await);
    town.told(&["runs", "approve", &run, "--by", "ann"]).await;
    let under_way = async || town.sandbox.writes() > 0;
    town.until("the replay is under way", under_way).await;
    town.change(now, json!({"surname": "Now"}));
    until_ended(&town).await;
    town.at_rest().await;

    assert_eq!(town.account_of(now)["lastName"], "Now");
    let live = town.deliveries_of(now).await.pop().expect("a delivery");
    let applied = ended(&live);
    let (mut overtaken, mut before) = (0, 0);
    for letter in &letters {
        let letter = town.store().await.delivery(letter).await.expect("a store").expect("kept");
        assert_eq!(letter.state, DeliveryState::Done, "{letter:#?}");
        if ended(&letter) > applied {
            overtaken += 1;
        } else if ended(&letter) > live.received_at {
            before += 1;
        }
    }
    // Those that were applied in between had begun, or went while HR was read about the live one.
    assert!(overtaken > 0, "none waited when it came: {before}");
    assert!(overtaken > before, "{overtaken} were overtaken, {before} went before it");
}

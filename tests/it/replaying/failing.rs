//! Failures by cause: listed, shown, discarded; and those that close by themselves.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_grouped_by_cause() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = town(12, kept, |_| {}).await;
        let (code, told) = said(&town, &["failures"]).await;
        assert_eq!(code, Some(0), "{told}");
        let actives = town.actives();
        for (n, id) in actives[1..5].iter().enumerate() {
            let reason = format!("account 65ab0{n} has the mail \"x{n}@norvane.example\"");
            dead(&town, id, "employee.updated", "mailAlreadyUsed", &reason).await;
        }
        let other = dead(&town, &actives[6], "employee.joined", "disputed", "two of them").await;

        let (code, listed) = said(&town, &["failures", "--json"]).await;
        assert_eq!(code, Some(1), "somebody must look");
        let causes: Vec<Value> =
            listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(causes.len(), 2, "{listed}");
        let first = &causes[0];
        assert_eq!((&first["code"], &first["people"]), (&json!("mailAlreadyUsed"), &json!(4)));
        assert_eq!(first["shape"], "account … has the mail …");
        let name = first["cause"].as_str().expect("a name").to_owned();
        let shown = town.told(&["failures", "show", &name]).await;
        let replay = format!("instep replay --cause {name}");
        for said in [replay.as_str(), "deliveries discard --cause", "65ab03", &actives[1]] {
            assert!(shown.contains(said), "{said} in\n{shown}");
        }
        assert_eq!(said(&town, &["failures", "--source", "nobody"]).await.0, Some(0));
        assert_eq!(said(&town, &["failures", "show", "nothing"]).await.0, Some(1));
        let of_cause = town.told(&["deliveries", "--cause", &name, "--json"]).await;
        assert_eq!(of_cause.lines().count(), 4);
        let by_text = town.told(&["deliveries", "--text", "TWO them", "--json"]).await;
        assert!(by_text.lines().count() == 1 && by_text.contains(other.as_str()), "{by_text}");

        let seen = preview(&town, &["--cause", &name]).await;
        assert_eq!(seen["run"]["deliveries"], 4, "{seen:#}");
        let discard = ["deliveries", "discard", "--cause", &name, "--reason", "left", "--yes"];
        town.told(&[&discard[..], &["--by", "ann"]].concat()).await;
        let (_, listed) = said(&town, &["failures", "--json"]).await;
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert_eq!(said(&town, &discard).await.0, Some(1), "none is left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_closes_when_its_person_is_brought_in_step() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = town(12, kept, |_| {}).await;
        let actives = town.actives();
        let (mended, hidden, other) = (&actives[1], &actives[2], &actives[3]);
        let closes = failed(&town, mended).await;
        let (stays, apart) = (failed(&town, hidden).await, failed(&town, other).await);
        let hide = json!({"endpoint": SEARCH, "omit_person": [hidden]});
        town.hr("/_sandbox/faults", hide).await;
        let _serving = town.open().await;
        town.change(mended, json!({"surname": "Mended"}));
        town.change(hidden, json!({"surname": "Hidden"}));
        town.at_rest().await;
        assert_eq!(town.account_of(mended)["lastName"], "Mended");
        let mended_one =
            town.store().await.delivery(&closes).await.expect("a store").expect("kept");
        assert_eq!(mended_one.state, DeliveryState::Done);
        let reason = mended_one.reason.unwrap_or_default();
        assert!(reason.starts_with("closed by itself: delivery"), "{reason}");
        assert_eq!(state(&town, &stays).await, DeliveryState::Dead, "it failed again");
        assert_eq!(state(&town, &apart).await, DeliveryState::Dead, "nobody looked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_is_brought_in_step_on_request() {
    let town = town(12, Kept::Sqlite, |_| {}).await;
    let _serving = town.serve(&[]).await;
    town.told(&["sync"]).await;
    let id = town.actives()[1].clone();
    let account = town.account_of(&id);
    town.by_hand(json!({"_id": account["_id"], "set": {"lastName": "By hand"}})).await;
    let told = town.told(&["sync", "--person", &id, "--by", "ann"]).await;
    assert!(told.contains(&format!("bob/{id}")), "{told}");
    town.until("it is set right", async || town.account_of(&id)["lastName"] == account["lastName"])
        .await;
    assert_eq!(said(&town, &["sync", "--person", "nobody/1"]).await.0, Some(1));
    assert_eq!(said(&town, &["sync", "--person", "bob/"]).await.0, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_can_be_nothing_to_replay() {
    let town = town(12, Kept::Sqlite, |_| {}).await;
    let id = town.actives()[1].clone();
    let ordered = dead(&town, &id, "sync", "targetFailed", "of a full sync").await;
    for (args, code, word) in [
        (vec!["replay", "--state", "dead", "--yes"], 1, "nothing to replay"),
        (vec!["replay", ordered.as_str(), "--yes"], 1, "nothing to replay"),
        (vec!["replay", "00000000", "--yes"], 1, "There is no delivery"),
        (vec!["replay", "--yes"], 2, "Say which deliveries"),
        (vec!["replay", ordered.as_str(), "--state", "dead"], 2, "Say which deliveries"),
        (vec!["replay", "--source", "nobody", "--yes"], 1, "no source nobody"),
        (vec!["replay", "--state", "dead", "--per-minute", "0"], 2, "people a minute"),
    ] {
        let (ended, told) = said(&town, &args).await;
        assert!(ended == Some(code) && told.contains(word), "{args:?}: {ended:?} {told}");
    }
}

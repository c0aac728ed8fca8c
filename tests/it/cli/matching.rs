//! `instep matches` and `instep match`: disputed accounts wait for a human, and what the human says
//! is done.

use instep::model::DeliveryState;
use serde_json::{Value, json};

use super::{objects, text};
use crate::harness::town::{Kept, Town, as_it_is};

fn empty() -> instep::sandbox::Options {
    instep::sandbox::Options { people: 0, ..Default::default() }
}

async fn disputed(town: &Town) -> Vec<Value> {
    objects(&text(&town.cli(&["matches", "--json"]).await.stdout))
}

/// An account that was made by hand, and bears the id of another employee or none.
async fn account(town: &Town, mail: &str, employee: Option<&str>) -> String {
    let ids: Vec<Value> =
        employee.iter().map(|id| json!({"platform": "instep-bob", "value": id})).collect();
    let made = town.by_hand(json!({"set": {"mail": mail, "externalIds": ids}})).await;
    made["_id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disputed_account_is_given_to_whom_a_human_says() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = Town::new(empty(), kept, as_it_is).await;
        let nobody = town.cli(&["matches"]).await;
        assert_eq!((nobody.status.code(), text(&nobody.stdout)), (Some(0), String::new()));
        let theirs = account(&town, "shared@example.test", Some("4711")).await;
        let _serving = town.open().await;
        let id = town.hire(json!({"email": "shared@example.test", "firstName": "Ada"}));
        town.at_rest().await;

        let listed = town.cli(&["matches"]).await;
        let said = text(&listed.stdout);
        assert_eq!(listed.status.code(), Some(1), "there is something to look at\n{said}");
        for told in [
            format!("bob/{id}"),
            theirs.clone(),
            "found by the mail".to_owned(),
            "shared@example.test".to_owned(),
            "employee 4711".to_owned(),
            format!("instep match bob/{id} --account ID | --create | --ignore"),
        ] {
            assert!(said.contains(&told), "{told} is not in:\n{said}");
        }
        let shown = disputed(&town).await;
        assert_eq!(shown[0]["candidates"][0]["account"], theirs.as_str());
        assert_eq!(shown[0]["candidates"][0]["claimed_by"], "4711");

        // Somebody loses the account: without a terminal that must be said.
        let output = town.cli(&["match", &id, "--account", &theirs]).await;
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("add --yes"), "{}", text(&output.stderr));
        assert_eq!(disputed(&town).await.len(), 1, "nothing was decided");
        let said = town.told(&["match", &id, "--account", &theirs, "--yes"]).await;
        assert!(said.contains("bob/4711 has no account any more and is left alone"), "{said}");
        town.in_step().await;
        assert_eq!(town.account_of(&id)["_id"], theirs.as_str());
        assert_eq!(disputed(&town).await, [Value::Null; 0]);
        let explained = town.told(&["explain", &id]).await;
        assert!(explained.contains(&format!("a human chose account {theirs}")), "{explained}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_taken_from_one_and_given_to_another() {
    let town = Town::new(empty(), Kept::Sqlite, as_it_is).await;
    let _serving = town.open().await;
    let one = town.hire(json!({"email": "one@example.test", "firstName": "One"}));
    let other = town.hire(json!({"email": "other@example.test", "firstName": "Other"}));
    town.in_step().await;
    let account = |id: &str| town.account_of(id)["_id"].as_str().map(str::to_owned);
    let (of_one, of_other) = (account(&one).expect("one"), account(&other).expect("other"));

    let said = town.told(&["match", &one, "--account", &of_other, "--yes"]).await;
    assert!(said.contains(&format!("bob/{other} has no account any more")), "{said}");
    let linked = async |id: &str| {
        let said = town.told(&["person", id, "--json"]).await;
        objects(&said)[0]["link"]["account"].clone()
    };
    town.until("the account is theirs", async || linked(&one).await == of_other.as_str()).await;
    assert_ne!(linked(&other).await, of_other.as_str());
    let explained = town.told(&["explain", &other]).await;
    assert!(explained.contains("a human chose to leave this person alone"), "{explained}");
    assert_ne!(of_one, of_other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_account_nobody_and_taking_it_back() {
    let town = Town::new(empty(), Kept::Sqlite, |toml| {
        toml.push_str("\n[[rules.match]]\nby = \"name\"\none = \"dispute\"\n");
    })
    .await;
    let names = json!({"mail": "a.lee@example.test", "firstName": "Ada", "lastName": "Lee"});
    let first = town.by_hand(json!({"set": names})).await["_id"].clone();
    let _serving = town.open().await;
    let id = town.hire(json!({"email": "ada@example.test", "firstName": "Ada", "surname": "Lee"}));
    town.at_rest().await;
    let said = town.told(&["match", &id, "--ignore"]).await;
    assert!(said.contains("left alone") && said.contains("done again"), "{said}");
    town.at_rest().await;
    assert_eq!(disputed(&town).await, [Value::Null; 0], "who is left alone waits for nobody");
    assert_eq!(town.sandbox.writes(), 0);
    let planned = town.told(&["plan", &id]).await;
    assert!(planned.contains("left alone"), "{planned}");

    let said = town.told(&["match", &id, "--undo"]).await;
    assert!(said.contains("the matching rules decide again"), "{said}");
    town.at_rest().await;
    assert_eq!(disputed(&town).await.len(), 1);

    let said = text(&town.cli(&["matches"]).await.stdout);
    assert!(said.contains("found by the name") && said.contains("a.lee@example.test"), "{said}");

    town.told(&["match", &id, "--create"]).await;
    town.until("a new one is made", async || town.account_of(&id)["status"] == "active").await;
    assert_ne!(town.account_of(&id)["_id"], first);
    assert_eq!(disputed(&town).await, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decided_is_said_and_nothing_follows() {
    let town = Town::new(empty(), Kept::Sqlite, |toml| {
        *toml = toml.replace("[target]\n", "[target]\nprotected = [\"ceo@example.test\"]\n");
    })
    .await;
    let chief = account(&town, "ceo@example.test", None).await;
    let id = town.hire(json!({"email": "ann@example.test"}));
    for (args, code, said) in [
        (vec!["match", "471147114711", "--create"], 1, "nobody is found"),
        (vec!["match", "Nobody At All", "--create"], 1, "nobody is found"),
        (vec!["match", &id, "--account", "65f0c1d2e3a4b5c6d7e8f9ff"], 1, "has no account"),
        (vec!["match", &id, "--account", &chief], 1, "is never changed"),
        (vec!["match", &id], 2, "--account"),
        (vec!["match", &id, "--create", "--ignore"], 2, "cannot be used with"),
    ] {
        let output = town.cli(&args).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(said), "{args:?}: {told}");
    }
    let store = town.store().await;
    let deliveries = store.deliveries(&instep::store::Filter::default(), 10).await;
    let waiting = deliveries.expect("listed");
    assert!(waiting.iter().all(|it| it.state != DeliveryState::Waiting), "{waiting:?}");
}

//! What happens while a run is under way, and people who stand in each other's way.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_changed_during_the_run_is_left_to_the_live_road() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let serving = town.serve(&[]).await;
    town.hook_to(&serving);
    let id = &town.actives()[4];
    let account = town.account_of(id)["_id"].clone();
    town.by_hand(json!({"_id": account, "set": {"lastName": "Edited"}})).await;
    let slow = json!({"endpoint": SEARCH, "latency_ms": 4000, "times": 1, "when": "before"});
    town.hr("/_sandbox/faults", slow).await;
    let searches = town.hr_calls().await.of(SEARCH);
    let change = async {
        town.until("HR is read", async || town.hr_calls().await.of(SEARCH) > searches).await;
        town.change(id, json!({"surname": "Newest"}));
    };
    let (run, ()) = tokio::join!(sync(&town), change);
    let found = items(&town, &run).await;
    let is_theirs = |it: &&Item| it.employee.as_ref().is_some_and(|it| it.as_str() == id);
    assert!(!found.iter().any(|it| is_theirs(&it)), "{found:#?}");
    town.in_step().await;
    assert_eq!(town.account_of(id)["lastName"], "Newest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_swapped_their_mails_get_each_others() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let _serving = town.serve(&[]).await;
    let actives = town.actives();
    let (one, other) = (&actives[2], &actives[3]);
    let mail = |id: &str| town.person(id)["email"].clone();
    let (first, second) = (mail(one), mail(other));
    town.change(one, json!({"email": second}));
    town.change(other, json!({"email": first}));
    let run = sync(&town).await;
    assert_eq!(slice(&run, ChangeKind::ChangeMail), &SliceState::Free);
    town.in_step().await;
    assert_eq!(town.account_of(one)["mail"], second);
    assert_eq!(town.account_of(other)["mail"], first);
}

//! Memberships of many people in one call: where it is cheaper, exact for each person, and harmless
//! when an answer is lost or the worker dies.

use super::*;
use crate::harness::town::as_it_is;

const SUBMIT: &str = "POST /api/v2/bulk/groups/memberships";
const WITHDRAW: &str = "DELETE /api/v2/bulk/groups/memberships";
const JOIN: &str = "POST /api/v2/groups/{groupId}/{role}/{userId}";
const LEAVE: &str = "DELETE /api/v2/groups/{groupId}/{role}/{userId}";

const RULES: &str = r#"
[rules.groups.everybody]
path = "['Programmes', 'True' if label.work.title == 'Tester' else 'False']"
"#;

/// People with accounts, of whom nobody is in the group that the rules give.
async fn town(kept: Kept, adjust: fn(&mut String)) -> Town {
    let groups = vec!["Programmes/False".to_owned(), "Programmes/True".to_owned()];
    let options = Options { groups, ..known(60) };
    let town = Town::new(options, kept, |toml| {
        adjust(toml);
        let free = "{ percent = 100, least = 1000 }";
        let brake = format!("[brake]\nupdate = {free}\nleave_group = {free}\n");
        *toml = toml.replace("[brake]\n", &brake);
        toml.push_str(RULES);
    })
    .await;
    town.sandbox.limit(false);
    town
}

/// Everybody is in exactly one of the two groups.
fn all_are_in_one(town: &Town) -> bool {
    town.actives().iter().all(|id| is_in_one(town, id))
}

fn is_in_one(town: &Town, id: &str) -> bool {
    let account = town.account_of(id);
    let rows = account["memberships"].as_array().cloned().unwrap_or_default();
    let paths = rows.iter().filter_map(|row| row["path"].as_str());
    let title = town.person(id)["work"]["title"] == "255490104";
    let wanted = if title { "Programmes/True" } else { "Programmes/False" };
    let ours: Vec<&str> = paths.filter(|path| path.starts_with("Programmes/")).collect();
    ours == [wanted]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_memberships_take_few_calls_on_sqlite() {
    Box::pin(few_calls(Kept::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_memberships_take_few_calls_on_redis() {
    Box::pin(few_calls(Kept::Redis)).await;
}

async fn few_calls(kept: Kept) {
    let town = town(kept, patient).await;
    let _serving = town.serve(&[]).await;
    let run = sync(&town).await;
    assert_eq!(run.state, RunState::Done, "{run:#?}");
    assert!(all_are_in_one(&town), "{}", town.report().await);
    let (people, calls) = (town.actives().len(), town.lms_calls().await);
    assert!(people >= 30, "{people}");
    let submitted = calls.of(SUBMIT);
    assert!((1..=3).contains(&submitted), "{submitted} submissions for {people} people");
    assert_eq!(calls.of(JOIN), 0, "nobody one by one");
    assert_eq!(run.calls["360learning bulk operations"], submitted);
    let by_one = items(&town, &run).await;
    let told = by_one.iter().filter(|it| match &it.state {
        ItemState::Done { done } => done.iter().any(|it| it.contains(" by the bulk operation ")),
        _ => false,
    });
    assert_eq!(told.count(), people);

    // All of them move, and leave the old group.
    for id in town.actives() {
        town.change(&id, json!({"work": {"title": "255490104"}}));
    }
    let run = sync(&town).await;
    assert_eq!((&run.state, run.failed), (&RunState::Done, 0), "{run:#?}");
    assert!(all_are_in_one(&town), "{}", town.report().await);
    let calls = town.lms_calls().await;
    assert!((1..=4).contains(&calls.of(WITHDRAW)), "{}", calls.of(WITHDRAW));
    assert_eq!((calls.of(JOIN), calls.of(LEAVE)), (0, 0));

    // Few are done one by one, and a second run finds nothing.
    let writes = town.sandbox.writes();
    let again = sync(&town).await;
    assert!(again.slices.is_empty() && town.sandbox.writes() == writes, "{again:#?}");
    let id = &town.actives()[3];
    town.change(id, json!({"work": {"title": "255490101"}}));
    sync(&town).await;
    let now = town.lms_calls().await;
    assert_eq!(now.of(SUBMIT), calls.of(SUBMIT));
    assert_eq!((now.of(JOIN), now.of(LEAVE)), (1, 1));
    assert!(all_are_in_one(&town));
}

/// Some are in the group already, which the LMS calls a failure of their rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_fails_is_that_persons_own() {
    let town = town(Kept::Sqlite, patient).await;
    town.lms("/_sandbox/settings", json!({"role_twice_is_error": true})).await;
    let groups = town.lms_groups().await;
    let group = groups.iter().find(|group| group["name"] == "False").expect("a group");
    let there: Vec<String> = town.actives().into_iter().take(3).collect();
    for id in &there {
        let account = town.account_of(id);
        let mut roles = account["groups"].as_array().expect("groups").clone();
        roles.push(json!({"groupId": group["_id"], "role": "learner"}));
        town.by_hand(json!({"_id": account["_id"], "set": {"groups": roles}})).await;
    }
    let _serving = town.serve(&[]).await;
    let run = sync(&town).await;
    assert_eq!((&run.state, run.failed), (&RunState::Done, 0), "{run:#?}");
    assert!(all_are_in_one(&town), "{}", town.report().await);
    let calls = town.lms_calls().await;
    assert_eq!(calls.of(JOIN), 3, "those alone, and only those");
    assert!(calls.of(SUBMIT) >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_bulk_operations_are_refused_each_is_done_alone() {
    let town = town(Kept::Sqlite, patient).await;
    town.lms("/_sandbox/settings", json!({"bulk_enabled": false})).await;
    let _serving = town.serve(&[]).await;
    let run = sync(&town).await;
    assert_eq!((&run.state, run.failed), (&RunState::Done, 0), "{run:#?}");
    assert!(all_are_in_one(&town), "{}", town.report().await);
    let calls = town.lms_calls().await;
    assert_eq!(calls.of(SUBMIT), 1, "it is not tried again at once");
    assert_eq!(calls.of(JOIN), u64::try_from(town.actives().len()).expect("few"));
    assert!(town.store().await.holds().await.expect("holds").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_does_no_harm() {
    let town = town(Kept::Sqlite, as_it_is).await;
    let lost = json!({"endpoint": SUBMIT, "drop": "after", "times": 1});
    town.lms("/_sandbox/faults", lost).await;
    let _serving = town.serve(&[]).await;
    let run = sync(&town).await;
    assert_eq!((&run.state, run.failed), (&RunState::Done, 0), "{run:#?}");
    assert!(all_are_in_one(&town), "{}", town.report().await);
    assert_eq!(town.store().await.note("bulk memberships").await.expect("a store"), None);
}

/// Killed while an operation is under way: until it has ended, nobody whom it names is touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_during_an_operation_leaves_it_to_its_end() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = town(kept, as_it_is).await;
        town.lms("/_sandbox/settings", json!({"bulk_ms": 6_000})).await;
        let serving = town.serve(&[]).await;
        let killed = async {
            let looked = "GET /api/v2/bulk/operations/{bulkOperationId}";
            let known = async || town.lms_calls().await.of(looked) > 0;
            town.until("an operation is under way", known).await;
            serving.kill();
            let note = town.store().await.note("bulk memberships").await.expect("a store");
            let note: Value = serde_json::from_str(&note.expect("a note")).expect("JSON");
            let named: Vec<Value> = note["accounts"].as_array().cloned().expect("accounts");
            // On a slow machine not everybody comes in time for the first operation.
            assert!((8..=town.actives().len()).contains(&named.len()), "{note}");
            let together = || {
                let actives = town.actives();
                let ours = actives.iter().filter(|id| named.contains(&town.account_of(id)["_id"]));
                ours.filter(|id| is_in_one(&town, id)).count()
            };
            assert_eq!(together(), 0, "it is not carried out yet");
            town.lms("/_sandbox/settings", json!({"bulk_ms": 200})).await;
            let again = town.serve(&[]).await;
            town.until("somebody whom it names is in a group", async || together() > 0).await;
            assert_eq!(together(), named.len(), "nobody of them was touched before its end");
            town.until("all are carried out", async || all_are_in_one(&town)).await;
            again
        };
        let (run, _again) = tokio::join!(sync(&town), killed);
        assert_eq!((&run.state, run.failed), (&RunState::Done, 0), "{run:#?}");
        assert!(all_are_in_one(&town) && town.differing().is_empty(), "{}", town.report().await);
        assert_eq!(town.store().await.note("bulk memberships").await.expect("a store"), None);
    }
}

//! Killed at every step: after an event was taken in, while people are read, during each call to
//! the LMS (before it took effect and after), and before the end is written down.

use instep::sandbox::Options;
use redis::cmd;
use serde_json::json;

use super::{
    all_is_well, all_of, back, belongings, case, empty, furnished, in_step_with, killed_during,
    left, made,
};
use crate::harness::redis::Server;
use crate::harness::town::{Kept, Town, as_it_is};

const SEARCH: &str = "POST /v1/people/search";

/// What is called to make an account, in order.
const CREATING: [&str; 6] = [
    "POST /api/v2/oauth2/token",
    "GET /api/v2/external-ids",
    "GET /api/v2/users",
    "POST /api/v2/users",
    "PUT /api/v2/users/{userId}/activate",
    "POST /api/v2/external-ids",
];

/// What is called to deactivate one.
const DEACTIVATING: [&str; 6] = [
    "GET /api/v2/users/{userId}/roles",
    "GET /api/v2/users/{userId}/custom-fields/values",
    "GET /api/v2/users/{userId}/managers",
    "GET /api/v2/users/{userId}/subordinates",
    "GET /api/v2/users/{userId}",
    "DELETE /api/v2/users/{userId}",
];

/// What is called to bring one back with everything it had.
const RESTORING: [&str; 10] = [
    "POST /api/v2/users",
    "GET /api/v2/users/{userId}/custom-fields/values",
    "PUT /api/v2/users/{userId}/custom-fields/values",
    "GET /api/v2/users/{userId}/roles",
    "POST /api/v2/groups/{groupId}/{role}/{userId}",
    "GET /api/v2/users/{userId}/managers",
    "POST /api/v2/users/{userId}/managers/{managerId}",
    "GET /api/v2/users/{userId}/subordinates",
    "PATCH /api/v2/users/{userId}",
    "PUT /api/v2/users/{userId}/activate",
];

/// Each call before and after it took effect; a read has none.
fn sides(calls: &[&'static str]) -> Vec<(&'static str, &'static str)> {
    let both = |call: &&'static str| {
        let sides: &[&str] =
            if call.starts_with("GET") { &["after"] } else { &["before", "after"] };
        sides.iter().map(|side| (*call, *side)).collect::<Vec<_>>()
    };
    calls.iter().flat_map(both).collect()
}

macro_rules! on_both {
    ($($test:ident)+) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::harness::town::Kept::Sqlite).await;
                }
            )+
        }
        mod on_redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::harness::town::Kept::Redis).await;
                }
            )+
        }
    };
}

on_both! {
    killed_while_an_account_is_made
    killed_while_an_account_is_changed
    killed_while_an_account_is_deactivated
    killed_while_an_account_is_brought_back
    what_a_lost_worker_did_is_not_taken_for_undone
}

async fn killed_while_an_account_is_made(kept: Kept) {
    let mut at = sides(&CREATING);
    // Taken in but not read; read but not judged.
    at.extend([(SEARCH, "before"), (SEARCH, "after")]);
    all_of(at.into_iter().map(|at| case(format!("{at:?}"), a_create_killed(kept, at))).collect())
        .await;
}

async fn a_create_killed(kept: Kept, at: (&'static str, &'static str)) {
    let town = empty(kept).await;
    let serving = town.open().await;
    let mut id = String::new();
    killed_during(&town, serving, at, || id = town.hire(json!({"firstName": "Nadia"}))).await;
    let _next = town.open().await;
    all_is_well(&town).await;
    assert_eq!(town.accounts_of(&id).len(), 1);
    assert_eq!(town.sandbox.accounts().len(), 2, "that one and the owner's");
}

async fn killed_while_an_account_is_changed(kept: Kept) {
    let mut at = sides(&["PATCH /api/v2/users/{userId}"]);
    at.push((SEARCH, "after"));
    all_of(at.into_iter().map(|at| case(format!("{at:?}"), a_change_killed(kept, at))).collect())
        .await;
}

async fn a_change_killed(kept: Kept, at: (&'static str, &'static str)) {
    let town = in_step_with(8, kept).await;
    let serving = town.open().await;
    let id = &town.actives()[2];
    killed_during(&town, serving, at, || {
        town.change(id, json!({"surname": "Remarried"}));
    })
    .await;
    let _next = town.open().await;
    all_is_well(&town).await;
    assert_eq!(town.account_of(id)["lastName"], "Remarried");
}

async fn killed_while_an_account_is_deactivated(kept: Kept) {
    let at = sides(&DEACTIVATING);
    let cases = at.into_iter();
    all_of(cases.map(|at| case(format!("{at:?}"), a_deactivation_killed(kept, at))).collect())
        .await;
}

async fn a_deactivation_killed(kept: Kept, at: (&'static str, &'static str)) {
    let town = in_step_with(12, kept).await;
    let (id, before) = furnished(&town).await;
    let serving = town.open().await;
    killed_during(&town, serving, at, || {
        town.change(&id, left());
    })
    .await;
    let _next = town.open().await;
    all_is_well(&town).await;
    assert_eq!(town.account_of(&id)["status"], "deleted");
    town.change(&id, back());
    all_is_well(&town).await;
    assert_eq!(belongings(&town.account_of(&id)), belongings(&before), "nothing was lost");
}

async fn killed_while_an_account_is_brought_back(kept: Kept) {
    let at = sides(&RESTORING);
    all_of(at.into_iter().map(|at| case(format!("{at:?}"), a_restore_killed(kept, at))).collect())
        .await;
}

async fn a_restore_killed(kept: Kept, at: (&'static str, &'static str)) {
    let town = in_step_with(12, kept).await;
    let (id, before) = furnished(&town).await;
    let serving = town.open().await;
    town.change(&id, left());
    all_is_well(&town).await;
    killed_during(&town, serving, at, || {
        let mut again = back();
        again["surname"] = "Returned".into();
        town.change(&id, again);
    })
    .await;
    let _next = town.open().await;
    all_is_well(&town).await;
    let account = town.account_of(&id);
    assert_eq!(account["_id"], before["_id"], "the same account");
    assert_eq!(account["lastName"], "Returned");
    assert_eq!(belongings(&account), belongings(&before), "nothing was lost");
}

/// A change took effect and its worker died before it could say so. Then HR takes the change back:
/// whoever goes on must not believe that nothing was done.
async fn what_a_lost_worker_did_is_not_taken_for_undone(kept: Kept) {
    all_of(vec![
        case("a change", a_change_taken_back(kept)),
        case("a deactivation", a_deactivation_taken_back(kept)),
        case("a hire with another mail", a_hire_corrected(kept)),
    ])
    .await;
}

async fn a_change_taken_back(kept: Kept) {
    let town = in_step_with(8, kept).await;
    let serving = town.open().await;
    let id = &town.actives()[2];
    // So that the link knows every field.
    town.change(id, json!({"surname": "First"}));
    all_is_well(&town).await;
    killed_during(&town, serving, ("PATCH /api/v2/users/{userId}", "after"), || {
        town.change(id, json!({"surname": "Mistaken"}));
    })
    .await;
    assert_eq!(town.account_of(id)["lastName"], "Mistaken");
    town.change(id, json!({"surname": "First"}));
    let _next = town.open().await;
    all_is_well(&town).await;
    assert_eq!(town.account_of(id)["lastName"], "First");
}

async fn a_deactivation_taken_back(kept: Kept) {
    let town = in_step_with(12, kept).await;
    let (id, before) = furnished(&town).await;
    let serving = town.open().await;
    town.nudge(&id);
    all_is_well(&town).await;
    killed_during(&town, serving, ("DELETE /api/v2/users/{userId}", "after"), || {
        town.change(&id, left());
    })
    .await;
    assert_eq!(town.account_of(&id)["status"], "deleted");
    town.change(&id, back());
    let _next = town.open().await;
    all_is_well(&town).await;
    assert_eq!(belongings(&town.account_of(&id)), belongings(&before), "nothing was lost");
}

async fn a_hire_corrected(kept: Kept) {
    let town = empty(kept).await;
    let serving = town.open().await;
    let mut id = String::new();
    killed_during(&town, serving, ("POST /api/v2/users", "after"), || {
        id = town.hire(json!({"firstName": "Nadia"}));
    })
    .await;
    town.change(&id, json!({"email": "corrected@example.test"}));
    let _next = town.open().await;
    all_is_well(&town).await;
    assert_eq!(town.account_of(&id)["mail"], "corrected@example.test");
    assert_eq!(town.sandbox.accounts().len(), 2, "that one and the owner's");
}

/// The store cannot be written when the LMS's answer comes, and then the process is killed: what was
/// done is not known to anybody but the LMS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_end_is_written_down() {
    let redis = Server::single();
    let options = Options { people: 8, in_step: true, ..Options::default() };
    let on_redis = Town::kept_at(options, &redis.url(), as_it_is).await;
    let on_sqlite = in_step_with(8, Kept::Sqlite).await;
    let lock = |town: &Town| {
        let db = town.config().with_file_name("instep.db");
        let db = rusqlite::Connection::open(db).expect("the file");
        db.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
        db
    };
    all_of(vec![
        case("on SQLite", async move { an_end_not_written_down(&on_sqlite, lock, drop).await }),
        case("on Redis", async move {
            let pause = |_: &Town| {
                redis.ask::<()>(cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE"));
            };
            let go_on = |()| redis.ask::<()>(cmd("CLIENT").arg("UNPAUSE"));
            an_end_not_written_down(&on_redis, pause, go_on).await;
        }),
    ])
    .await;
}

async fn an_end_not_written_down<L>(
    town: &Town,
    lock: impl FnOnce(&Town) -> L,
    unlock: impl FnOnce(L),
) {
    let serving = town.open().await;
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "First"}));
    all_is_well(town).await;
    // Long enough to lock the store while the call is under way, short enough for its answer.
    let call = "PATCH /api/v2/users/{userId}";
    let fault = json!({"endpoint": call, "times": 1, "latency_ms": 700, "when": "before"});
    town.lms("/_sandbox/faults", fault).await;
    let (before, answers) = (made(town, call).await, answered(town, call).await);
    town.change(id, json!({"surname": "Mistaken"}));
    town.until("the call is made", async || made(town, call).await > before).await;
    let locked = lock(town);
    town.until("it is answered", async || answered(town, call).await > answers).await;
    assert_eq!(town.account_of(id)["lastName"], "Mistaken");
    serving.kill();
    unlock(locked);
    town.change(id, json!({"surname": "First"}));
    let _next = town.open().await;
    all_is_well(town).await;
    assert_eq!(town.account_of(id)["lastName"], "First");
}

/// How often this call was answered, or cut.
async fn answered(town: &Town, call: &str) -> usize {
    let url = format!("{}/_sandbox/requests", town.sandbox.lms_url());
    let answer = town.http().get(url).send().await.expect("the sandbox answers");
    let requests: serde_json::Value = answer.json().await.expect("JSON");
    requests[call].as_array().map_or(0, Vec::len)
}

//! The token, the pages of a list, and trying the connection out.

use std::sync::Arc;

use instep::model::{AccountId, Change, Lane, Needs};
use instep::targets::learning360::Learning360;
use instep::targets::{Probe, TargetError};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::far_end::{Canned, FarEnd, PLATFORM, deadline, id, user};

async fn read(target: &Learning360) -> Result<(), TargetError> {
    target.account(&AccountId::new(id(1)), Lane::Live, deadline()).await.map(drop)
}

/// Many reads at once: those that succeeded, and the error texts of the others.
async fn many(far_end: &FarEnd, target: &Arc<Learning360>) -> (usize, Vec<TargetError>) {
    let gate = far_end.close_gate();
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let target = Arc::clone(target);
        tasks.spawn(async move { read(&target).await });
    }
    // The test runs on one thread: after these turns all of them wait for the one token call.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    let ends = tasks.join_all().await;
    let errors: Vec<_> = ends.into_iter().filter_map(Result::err).collect();
    (20 - errors.len(), errors)
}

#[tokio::test]
async fn one_token_serves_all_and_is_fetched_once() {
    let far_end = FarEnd::start().await;
    let target = Arc::new(far_end.target());
    assert_eq!(many(&far_end, &target).await.0, 20);
    assert_eq!(far_end.company().token_calls, 1);
}

#[tokio::test]
async fn a_failure_to_get_a_token_is_shared_by_all_who_wait() {
    let far_end = FarEnd::start().await;
    far_end.company().token_answer = Some((503, json!({ "error": "later" })));
    let target = Arc::new(far_end.target());
    let (good, errors) = many(&far_end, &target).await;
    assert_eq!(good, 0);
    assert!(errors.iter().all(|error| matches!(error, TargetError::Again(_))), "{errors:?}");
    assert_eq!(far_end.company().token_calls, 1);
    // The next one tries anew.
    far_end.company().token_answer = None;
    far_end.close_gate().notify_one();
    read(&target).await.unwrap();
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_and_each_call_repeated_once() {
    let far_end = FarEnd::start().await;
    let target = Arc::new(far_end.target());
    read(&target).await.unwrap();
    far_end.take_seen();
    // The far end now takes another token only, which the next token call will give out.
    far_end.company().token = 41;
    let gate = far_end.close_gate();
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let target = Arc::clone(&target);
        tasks.spawn(async move { read(&target).await });
    }
    gate.notify_one();
    for end in tasks.join_all().await {
        end.unwrap();
    }
    assert_eq!(far_end.company().token_calls, 2);
    assert!(far_end.lines().len() <= 40);
}

#[tokio::test]
async fn a_second_401_holds() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    for _ in 0..2 {
        let body = r#"{"error":"invalid_token"}"#.to_owned();
        far_end.can("PATCH", Canned::Say(401, "application/json", body));
    }
    let change = Change::Update([(instep::model::Field::Job, None)].into());
    let account = AccountId::new(id(1));
    let end = target.apply(PLATFORM, Some(&account), &change, Lane::Live, deadline()).await;
    assert!(matches!(end, Err(TargetError::Hold(_))), "{end:?}");
    assert_eq!(far_end.lines().len(), 2);
    assert_eq!(far_end.company().token_calls, 2);
}

#[tokio::test]
async fn a_token_lives_as_long_as_it_says() {
    let far_end = FarEnd::start().await;
    for (expires_in, calls) in [
        (json!(3600), 1),
        (json!("3600"), 1),
        (json!(3600.5), 1),
        (Value::Null, 1),
        (json!("for ever"), 1),
        (json!(-5), 1),
        (json!(1e300), 1),
        // Nothing left of it: each call needs its own.
        (json!("0"), 3),
    ] {
        far_end.company().expires_in = expires_in.clone();
        far_end.company().token_calls = 0;
        let target = far_end.target();
        for _ in 0..3 {
            read(&target).await.unwrap();
        }
        assert_eq!(far_end.company().token_calls, calls, "{expires_in}");
    }
}

#[tokio::test]
async fn refused_credentials_hold_with_an_advice() {
    let far_end = FarEnd::start().await;
    for (status, body, advice) in [
        (401, json!({ "error": "invalid_client" }), "target.client_secret"),
        (400, json!({ "error": "invalid_request" }), "target.client_id"),
        (400, json!({ "error": "unsupported_grant_type" }), "target.client_id"),
        (404, json!({}), "target.base_url"),
        (302, Value::Null, "target.base_url"),
    ] {
        far_end.company().token_answer = Some((status, body));
        match read(&far_end.target()).await {
            Err(TargetError::Hold(why)) => assert!(why.contains(advice), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    for (status, body) in [(200, json!({ "token": "?" })), (500, Value::Null)] {
        far_end.company().token_answer = Some((status, body));
        let end = read(&far_end.target()).await;
        assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    }
    far_end.company().token_answer = Some((429, json!({ "error": "tooManyRequests" })));
    assert!(matches!(read(&far_end.target()).await, Err(TargetError::Wait { .. })));
    assert!(far_end.lines().is_empty(), "no call was made without a token");
}

#[tokio::test]
async fn an_address_that_cannot_work_is_named() {
    let far_end = FarEnd::start().await;
    let mut settings = far_end.settings();
    for address in ["app.360learning.com", "ftp://x", ""] {
        settings.base_url = address.into();
        let rate =
            instep::store::Rate { calls: 1, per: std::time::Duration::from_secs(1), burst: 1 };
        let budget = Arc::new(instep::store::budget::Budget::new(
            Arc::clone(&far_end.budgets) as _,
            "b",
            rate,
            settings.timeout,
        ));
        let end = Learning360::new(&settings, Arc::clone(&budget), budget);
        assert!(matches!(end, Err(TargetError::Hold(why)) if why.contains("target.base_url")));
    }
}

fn page(link: &str, users: &Value) -> Canned {
    Canned::With(200, "link", link.into(), users.to_string())
}

async fn find(target: &Learning360, mails: &[&str]) -> Result<Vec<usize>, TargetError> {
    let probe = |mail: &&str| Probe { email: Some((*mail).into()), ..Probe::default() };
    let probes: Vec<Probe> = mails.iter().map(probe).collect();
    let found = target.find(PLATFORM, &probes, Lane::Bulk, deadline()).await?;
    Ok(found.iter().map(Vec::len).collect())
}

#[tokio::test]
async fn pages_are_followed_as_given() {
    let far_end = FarEnd::start().await;
    let next = format!("{}/api/v2/users?next=a%2Cb&mail[in][]=x", far_end.base_url);
    let link = format!("<{next}>; rel=\"next\"");
    far_end.can("GET /users", page(&link, &json!([user(1, "active", "a@x.test")])));
    let last = json!([user(2, "active", "b@x.test")]).to_string();
    far_end.can("GET /users", Canned::Say(200, "application/json", last));
    assert_eq!(find(&far_end.target(), &["a@x.test", "b@x.test"]).await.unwrap(), [1, 1]);
    let seen = far_end.take_seen();
    let second = seen.iter().find(|call| call.count("next") == 1).unwrap();
    assert_eq!(second.query[0], ("next".into(), "a,b".into()));
    assert_eq!(second.count("mail[in][]"), 1, "the filter comes with the address alone");
    // A relative address, and other relations beside it, are understood too.
    let link = "</api/v2/users?x=1>; rel=\"first\", </api/v2/users?next=c>; title=t; rel=next";
    far_end.can("GET /users", page(link, &json!([user(1, "active", "a@x.test")])));
    far_end.can("GET /users", Canned::Say(200, "application/json", "[]".into()));
    assert_eq!(find(&far_end.target(), &["a@x.test"]).await.unwrap(), [1]);
    assert!(far_end.take_seen().iter().any(|call| call.count("next") == 1));
}

#[tokio::test]
async fn a_page_on_another_host_or_without_end_is_refused() {
    let far_end = FarEnd::start().await;
    let stranger = FarEnd::start().await;
    let target = far_end.target();
    let own = format!("{}/api/v2/users?next=1", far_end.base_url);
    for next in [
        format!("{}/api/v2/users?next=1", stranger.base_url),
        "https://app.360learning.com/api/v2/users?next=1".into(),
        far_end.base_url.replace("127.0.0.1", "localhost"),
        "file:///etc/passwd".into(),
    ] {
        far_end.can("GET /users", page(&format!("<{next}>; rel=\"next\""), &json!([])));
        let end = find(&target, &["a@x.test"]).await;
        assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
        assert!(stranger.lines().is_empty());
    }
    for _ in 0..2 {
        far_end.can("GET /users", page(&format!("<{own}>; rel=\"next\""), &json!([])));
    }
    let end = find(&target, &["a@x.test"]).await;
    assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    assert!(far_end.company().canned.is_empty());
}

#[tokio::test]
async fn the_check_finds_nothing_wrong_and_changes_nothing() {
    let far_end = FarEnd::start().await;
    far_end.company().users.push(user(1, "active", "a@x.test"));
    let problems = far_end.target().check(&Needs::default(), deadline()).await;
    assert!(problems.is_empty(), "{problems:?}");
    let company = far_end.company();
    assert_eq!(company.users, [user(1, "active", "a@x.test")]);
    assert!(company.roles.is_empty() && company.external_ids.is_empty());
    drop(company);
    let writes = far_end.lines().into_iter().filter(|line| !line.starts_with("GET"));
    assert!(writes.into_iter().all(|line| line.contains(&"0".repeat(24))));
}

#[tokio::test]
async fn the_check_names_what_is_missing() {
    let far_end = FarEnd::start().await;
    let scopes = [
        "users:read",
        "users:write",
        "groups:read",
        "groups:write",
        "externalIds:read",
        "externalIds:write",
    ];
    for scope in scopes {
        far_end.company().lacks = vec![scope];
        let problems = far_end.target().check(&Needs::default(), deadline()).await;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(scope), "{problems:?}");
    }
    far_end.company().lacks = scopes.to_vec();
    assert_eq!(far_end.target().check(&Needs::default(), deadline()).await.len(), scopes.len());
    far_end.company().lacks.clear();

    for group in ["Everyone", "bbbbbbbbbbbbbbbbbbbbbbbb"] {
        let target = far_end.target_with(|settings| settings.default_group = group.into());
        let problems = target.check(&Needs::default(), deadline()).await;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("target.default_group"), "{problems:?}");
    }
    let target = far_end.target_with(|settings| settings.client_id = "other".into());
    let problems = target.check(&Needs::default(), deadline()).await;
    assert!(problems.len() == 1 && problems[0].contains("target.client_id"), "{problems:?}");
}

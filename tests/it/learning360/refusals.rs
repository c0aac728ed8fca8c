//! What each answer of the far end makes the caller do.

use std::time::Duration;

use instep::clock::Deadline;
use instep::model::{AccountId, Change, Field, Lane};
use instep::targets::TargetError;
use instep::targets::learning360::Learning360;

use super::far_end::{Canned, FarEnd, PLATFORM, code, deadline, id, user};

async fn update(target: &Learning360) -> Result<(), TargetError> {
    let change = Change::Update([(Field::Job, Some("Chef".to_owned()))].into());
    let account = AccountId::new(id(1));
    target.apply(PLATFORM, Some(&account), &change, Lane::Live, deadline()).await.map(drop)
}

async fn read(target: &Learning360) -> Result<(), TargetError> {
    target.account(&AccountId::new(id(1)), Lane::Live, deadline()).await.map(drop)
}

async fn populated() -> FarEnd {
    let far_end = FarEnd::start().await;
    far_end.company().users.push(user(1, "active", "a@x.test"));
    far_end
}

#[tokio::test]
async fn every_documented_code_has_an_advice() {
    let far_end = populated().await;
    let target = far_end.target();
    let look_again = "userNotFound userDeleted invalidUpdateOnDeletedUser mailAlreadyUsed \
        usernameAlreadyUsed mappingAlreadyExists targetAlreadyMapped valueAlreadyUsed \
        mappingIdNotFound resourceNotFound";
    let refused = "analystUnavailable deactivationDateInvalid loginIdentifierMultipleUsersFound \
        mailInvalid mailAndUsernameUndefined mailUsedTooManyTimes notMemberOfPrimaryGroup \
        usernameNotAllowed groupNotFound mediaNotFound ownerDeactivationNotAllowed \
        userShouldHaveAtLeastOneValidIdentifier userIsCompanyOwner passwordInvalid userNotDeleted \
        maxGroupsLimitReached subdomainUnavailable parentGroupNotFound rootGroupNotPublic \
        parentGroupNotDescendantOrSelf groupIsRoot hasActiveIntegrationsOrLtiConnectors \
        userNotFoundInGroup customFieldLimitReached invalidName nameAlreadyTaken \
        customFieldsTargetTypeNotEnabled customFieldNotFound customFieldValuesConflict \
        authorizedValuesTypeMismatch unauthorizedValue wrongTypeValue \
        multipleValuesForSingleCustomField reservedPlatformName managerNotFound managerDeleted \
        managerNotAssignedToUser badMediaType badRequest";
    for (again, codes) in [(true, look_again), (false, refused)] {
        for name in codes.split_whitespace() {
            for status in [400, 404, 409] {
                far_end.can("PATCH", code(status, name));
                let (code, advice) = match update(&target).await {
                    Err(TargetError::LookAgain { code, advice }) if again => (code, advice),
                    Err(TargetError::Refused { code, advice }) if !again => (code, advice),
                    other => panic!("{name}: {other:?}"),
                };
                assert_eq!(code, name);
                assert!(advice.len() > 30 && !advice.contains("does not know the code"), "{name}");
                assert!(!advice.contains("nadia"), "the far end's own text stays out: {advice}");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_code_is_refused_by_name_and_a_strange_one_without() {
    let far_end = populated().await;
    let target = far_end.target();
    far_end.can("PATCH", code(400, "tooShiny"));
    let error = update(&target).await.unwrap_err();
    assert!(matches!(&error, TargetError::Refused { code, .. } if code == "tooShiny"));
    assert!(error.to_string().contains("look up tooShiny"), "{error}");
    for body in [
        r#"{"error":{"code":"mail nadia@x.test is taken"}}"#,
        r#"{"message":"no"}"#,
        "[]",
        r#"{"error":null}"#,
    ] {
        far_end.can("PATCH", Canned::Say(409, "application/json", body.into()));
        let error = update(&target).await.unwrap_err();
        assert!(matches!(&error, TargetError::Refused { code, .. } if code == "http409"));
        assert!(!error.to_string().contains("nadia"), "{error}");
    }
    for body in [r#"{"error":"mailInvalid"}"#, r#"{"code":"mailInvalid"}"#] {
        far_end.can("PATCH", Canned::Say(400, "application/json", body.into()));
        let error = update(&target).await.unwrap_err();
        assert!(matches!(&error, TargetError::Refused { code, .. } if code == "mailInvalid"));
    }
}

#[tokio::test]
async fn a_429_pauses_the_budget_it_was_taken_from() {
    let far_end = populated().await;
    let target = far_end.target();
    let limited = |retry_after: &str| {
        let body = r#"{"error":"tooManyRequests"}"#.to_owned();
        Canned::With(429, "retry-after", retry_after.into(), body)
    };
    for (retry_after, seconds) in [("7", 7), ("0", 1), ("soon", 1), ("99999999", 300)] {
        far_end.can("PATCH", limited(retry_after));
        let after = Duration::from_secs(seconds);
        let end = update(&target).await;
        assert!(matches!(end, Err(TargetError::Wait { after: told }) if told == after), "{end:?}");
        assert_eq!(far_end.budgets.pauses.lock().unwrap().pop(), Some(("writes".into(), after)));
    }
    far_end
        .can("GET", Canned::Say(429, "application/json", r#"{"error":"tooManyRequests"}"#.into()));
    assert!(matches!(read(&target).await, Err(TargetError::Wait { .. })));
    let paused = far_end.budgets.pauses.lock().unwrap().pop();
    assert_eq!(paused, Some(("reads".into(), Duration::from_secs(1))));
}

#[tokio::test]
async fn trouble_of_any_kind_is_tried_again_later() {
    let far_end = populated().await;
    let target = far_end.target_with(|settings| settings.timeout = Duration::from_secs(1));
    let html = || "<html>We are down</html>".to_owned();
    for canned in [
        Canned::Say(500, "application/json", r#"{"error":{"code":"userNotFound"}}"#.into()),
        Canned::Say(503, "text/html", html()),
        Canned::Say(408, "text/html", html()),
        Canned::Say(200, "text/html", html()),
        Canned::Say(404, "text/html", html()),
        Canned::Say(200, "application/json", r#"{"_id":"#.into()),
        Canned::Say(200, "application/json", String::new()),
        Canned::Say(200, "application/json", r#"{"_id":7,"status":"nadia@x.test"}"#.into()),
        Canned::Say(200, "application/json", user(1, "asleep", "nadia@x.test").to_string()),
        Canned::CutOff,
        Canned::Silent,
    ] {
        for line in ["GET", "PATCH"] {
            far_end.can(line, canned.clone());
            let end = if line == "GET" { read(&target).await } else { update(&target).await };
            match end {
                Err(TargetError::Again(why)) => assert!(!why.contains("nadia"), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }
    let nobody = far_end.target_with(|settings| settings.base_url = "http://127.0.0.1:9".into());
    let error = read(&nobody).await.unwrap_err();
    assert!(
        matches!(&error, TargetError::Again(why) if why.contains("cannot be reached")),
        "{error}"
    );
}

#[tokio::test]
async fn html_in_place_of_no_content_is_not_success() {
    let far_end = populated().await;
    far_end.can("POST", Canned::Say(200, "text/html", "<p>Sign in to this network</p>".into()));
    let change = Change::ClaimExternalId("101".into());
    let account = AccountId::new(id(1));
    let target = far_end.target();
    let end = target.apply(PLATFORM, Some(&account), &change, Lane::Live, deadline()).await;
    assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
}

#[tokio::test]
async fn a_403_holds_and_names_the_scope() {
    let far_end = populated().await;
    let target = far_end.target();
    for body in
        [r#"{"error":{"code":"invalid_scope","message":"no"}}"#, r#"{"error":"invalid_scope"}"#]
    {
        for (line, scope) in [("GET", "users:read"), ("PATCH", "users:write")] {
            far_end.can(line, Canned::Say(403, "application/json", body.into()));
            let end = if line == "GET" { read(&target).await } else { update(&target).await };
            assert!(matches!(&end, Err(TargetError::Hold(why)) if why.contains(scope)), "{end:?}");
        }
    }
    far_end.can("GET", Canned::Say(403, "text/html", "<p>Blocked</p>".into()));
    assert!(matches!(read(&target).await, Err(TargetError::Hold(_))));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let far_end = populated().await;
    let target = far_end.target();
    let elsewhere = format!("{}/api/v2/users/{}", far_end.base_url, id(1));
    for status in [301, 302, 307, 308] {
        far_end.can("PATCH", Canned::With(status, "location", elsewhere.clone(), String::new()));
        assert!(matches!(update(&target).await, Err(TargetError::Hold(_))));
        assert_eq!(far_end.lines().len(), 1);
    }
}

#[tokio::test]
async fn no_call_begins_that_could_end_too_late() {
    let far_end = populated().await;
    let target = far_end.target();
    read(&target).await.unwrap();
    far_end.take_seen();
    let soon = Deadline::after(Duration::from_secs(4));
    let end = target.account(&AccountId::new(id(1)), Lane::Live, soon).await;
    assert!(matches!(end, Err(TargetError::OutOfTime)), "{end:?}");
    assert!(far_end.lines().is_empty());
}

#[tokio::test]
async fn reads_and_writes_have_their_own_budgets_and_the_token_has_none() {
    let far_end = populated().await;
    let target = far_end.target();
    read(&target).await.unwrap();
    read(&target).await.unwrap();
    update(&target).await.unwrap();
    let taken = far_end.budgets.taken.lock().unwrap().clone();
    assert_eq!(taken, [("reads".to_owned(), 2), ("writes".to_owned(), 1)].into());
    assert_eq!(far_end.company().token_calls, 1);
}

#[tokio::test]
async fn calls_are_counted_by_endpoint_and_status() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let far_end = populated().await;
    let target = far_end.target_with(|settings| settings.timeout = Duration::from_secs(1));
    far_end.can("PATCH", code(418, "teapot"));
    far_end.can("PATCH", Canned::Silent);
    for _ in 0..3 {
        let _ = update(&target).await;
    }
    let page = page.render();
    for (endpoint, status) in [
        ("POST /oauth2/token", "200"),
        ("PATCH /users/{userId}", "200"),
        ("PATCH /users/{userId}", "418"),
        ("PATCH /users/{userId}", "timeout"),
    ] {
        let line = format!(
            "instep_far_end_calls_total{{far_end=\"360learning\",endpoint=\"{endpoint}\",\
             status=\"{status}\"}} 1"
        );
        assert!(page.contains(&line), "{line} in {page}");
    }
    assert!(page.contains("instep_far_end_call_seconds_count{"), "{page}");
}

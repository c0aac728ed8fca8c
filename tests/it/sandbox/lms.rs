//! The 360Learning double, held against facts/360learning.md; every call also against the official
//! specification.

use std::time::Duration;

use instep::sandbox::Options;
use serde_json::{Value, json};

use super::{Got, Town, until};

impl Town {
    fn group(&self) -> &str {
        &self.sandbox.credentials().default_group
    }

    async fn create(&self, mail: &str) -> Got {
        let body = json!({"mail": mail, "firstName": "Nadia", "lang": "fr",
            "membership": {"groupId": self.group(), "role": "learner"}});
        self.lms("POST", "/api/v2/users?sendInvitationEmail=false", Some(body)).await
    }
}

#[tokio::test]
async fn tokens_are_given_for_json_and_expire() {
    let town = Town::small().await;
    let got = town.token(&town.grant()).await;
    assert_eq!((got.status, &got.body["token_type"]), (200, &json!("Bearer")));
    assert_eq!(got.body["expires_in"], "3600", "a text, as in the published example");
    let changed = |name: &str, value: &str| {
        let mut grant = town.grant();
        grant[name] = value.into();
        grant
    };
    let refused = [
        ("client_secret", "wrong", 401, "invalid_client"),
        ("grant_type", "password", 400, "unsupported_grant_type"),
        ("user_id", "65f0c1d2e3a4b5c6d7e8f901", 400, "non_existing_user"),
        ("scope", "users:read", 400, "invalid_request"),
    ];
    for (name, value, status, error) in refused {
        let got = town.token(&changed(name, value)).await;
        assert_eq!((got.status, got.code()), (status, error));
    }
    let url = format!("{}/api/v2/oauth2/token", town.sandbox.lms_url());
    let form = town.client.post(url).header("content-type", "application/x-www-form-urlencoded");
    let got = Got::read(form.body("grant_type=client_credentials").send().await.unwrap()).await;
    assert_eq!((got.status, got.code()), (400, "invalid_request"));

    assert_eq!(town.lms("GET", "/api/v2/groups", None).await.status, 200);
    town.clock.advance(Duration::from_secs(3600));
    let got = town.lms("GET", "/api/v2/groups", None).await;
    assert_eq!((got.status, got.body), (401, json!({"error": "invalid_token"})));
}

#[tokio::test]
async fn a_user_is_created_changed_deactivated_and_restored() {
    let town = Town::small().await;
    let made = town.create("nadia.brisk@example.test").await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("invited")));
    assert_eq!(made.body.get("job"), None, "what is empty is absent");
    let user = format!("/api/v2/users/{}", made.id());
    let boss = town.create("boss@example.test").await.id();
    let activate = format!("{user}/activate");
    assert_eq!(town.lms("PUT", &activate, None).await.body["status"], "active");
    let got = town.lms("PATCH", &user, Some(json!({"job": "Analyst", "firstName": null}))).await;
    assert_eq!((&got.body["job"], got.body.get("firstName")), (&json!("Analyst"), None));
    let manager = format!("{user}/managers/{boss}");
    assert_eq!(town.lms("POST", &manager, None).await.status, 204);
    assert_eq!(town.lms("GET", &format!("{user}/managers"), None).await.body, json!([boss]));
    let subordinates = format!("/api/v2/users/{boss}/subordinates");
    assert_eq!(town.lms("GET", &subordinates, None).await.body, json!([made.id()]));

    assert_eq!(town.lms("DELETE", &user, None).await.status, 204);
    let got = town.lms("GET", &user, None).await;
    assert_eq!((&got.body["status"], &got.body["mail"]), (&json!("deleted"), &made.body["mail"]));
    assert_eq!(town.lms("GET", &format!("{user}/roles"), None).await.body, json!([]));
    assert_eq!(town.lms("GET", &subordinates, None).await.body, json!([]));
    assert_eq!(town.lms("PUT", &activate, None).await.code(), "userDeleted");
    assert_eq!(town.lms("DELETE", &user, None).await.status, 204, "and again");
    let later = json!({"toBeDeactivatedAt": "2030-01-01T00:00:00.000Z"});
    assert_eq!(town.lms("PATCH", &user, Some(later)).await.code(), "invalidUpdateOnDeletedUser");

    // Coming back: the same account, invited, in the one group, with the profile it had.
    let back = town.create("Nadia.Brisk@example.test").await;
    assert_eq!((back.status, back.id()), (200, made.id()));
    assert_eq!((&back.body["status"], &back.body["job"]), (&json!("invited"), &json!("Analyst")));
    assert_eq!(back.body.get("firstName"), None, "a restore does not update the profile");
    let roles = town.lms("GET", &format!("{user}/roles"), None).await.body;
    assert_eq!(roles, json!([{"groupId": town.group(), "role": "learner"}]));
    assert_eq!(town.create("nadia.brisk@example.test").await.code(), "mailAlreadyUsed");
    assert_eq!(town.lms_state().await["writes"], 8);
    let remembered = town.look(&town.sandbox.lms_url(), "requests").await;
    assert_eq!(remembered["POST /api/v2/users"].as_array().unwrap().len(), 4);
    assert_eq!(town.spec.requests(&remembered), Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_its_code() {
    let town = Town::small().await;
    let one = town.create("one@example.test").await.id();
    let two = town.create("two@example.test").await.id();
    let (path, group) = (format!("/api/v2/users/{one}"), town.group().to_owned());
    let member = json!({"groupId": group, "role": "learner"});
    let nowhere = "65f0c1d2e3a4b5c6d7e8f901";
    let patches = [
        (json!({"mail": "TWO@example.test"}), "mailAlreadyUsed"),
        (json!({"mail": "nobody"}), "mailInvalid"),
        (json!({"mail": null}), "userShouldHaveAtLeastOneValidIdentifier"),
        (json!({"primaryGroupId": nowhere}), "notMemberOfPrimaryGroup"),
        (json!({"profileImageId": nowhere}), "mediaNotFound"),
        (json!({"toBeDeactivatedAt": "2020-01-01T00:00:00.000Z"}), "deactivationDateInvalid"),
        (json!({"job": ""}), "badRequest"),
        (json!({"lang": null}), "badRequest"),
        (json!({"lang": "en-GB"}), "badRequest"),
        (json!({"country": "FR"}), "badRequest"),
        (json!({"username": "Upper"}), "badRequest"),
    ];
    for (body, code) in patches {
        assert_eq!(town.lms("PATCH", &path, Some(body.clone())).await.code(), code, "{body}");
    }
    let creates = [
        (json!({"membership": member}), "mailAndUsernameUndefined"),
        (json!({"mail": "x@example.test"}), "badRequest"),
        (
            json!({"mail": "x@example.test", "membership": {"groupId": nowhere, "role": "learner"}}),
            "groupNotFound",
        ),
        (
            json!({"mail": "x@example.test", "membership": {"groupId": group, "role": "owner"}}),
            "badRequest",
        ),
        (
            json!({"mail": "one@example.test", "username": "one", "membership": member}),
            "mailAlreadyUsed",
        ),
    ];
    for (body, code) in creates {
        let got = town.lms("POST", "/api/v2/users", Some(body.clone())).await;
        assert_eq!(got.code(), code, "{body}");
    }
    let named = json!({"username": "two"});
    town.lms("PATCH", &format!("/api/v2/users/{two}"), Some(named)).await;
    let split = json!({"mail": "one@example.test", "username": "two", "membership": member});
    let got = town.lms("POST", "/api/v2/users", Some(split)).await;
    assert_eq!(got.code(), "loginIdentifierMultipleUsersFound");

    let state = town.lms_state().await;
    let owner = state["accounts"][0]["_id"].as_str().unwrap();
    assert_eq!(state["accounts"][0]["groups"][0]["role"], "owner");
    let got = town.lms("DELETE", &format!("/api/v2/users/{owner}"), None).await;
    assert_eq!((got.status, got.code()), (400, "userIsCompanyOwner"));
    let calls = [
        ("GET", format!("/api/v2/users/{nowhere}"), 404, "userNotFound"),
        ("GET", "/api/v2/users/me".to_owned(), 400, "badRequest"),
        ("GET", "/api/v2/users?page=2".to_owned(), 400, "badRequest"),
        ("GET", "/api/v2/users?firstName[eq]=Nadia".to_owned(), 400, "badRequest"),
        ("GET", "/api/v2/users?status[in]=active".to_owned(), 400, "badRequest"),
        ("POST", format!("/api/v2/users/{one}/managers/{nowhere}"), 404, "managerNotFound"),
        ("DELETE", format!("/api/v2/users/{one}/managers/{two}"), 400, "managerNotAssignedToUser"),
        ("POST", format!("/api/v2/groups/{nowhere}/learner/{one}"), 404, "groupNotFound"),
        ("DELETE", format!("/api/v2/groups/{group}/admin/{one}"), 404, "userNotFoundInGroup"),
        ("POST", format!("/api/v2/groups/{group}/userAdmin/{one}"), 400, "badRequest"),
    ];
    for (method, path, status, code) in calls {
        let got = town.lms(method, &path, None).await;
        assert_eq!((got.status, got.code()), (status, code), "{method} {path}");
    }
    let url = format!("{}/api/v2/groups", town.sandbox.lms_url());
    let bare = Got::read(town.client.get(url).bearer_auth(&town.token).send().await.unwrap()).await;
    assert_eq!((bare.status, bare.code()), (400, "badRequest"), "without 360-api-version");
    town.order_lms("settings", json!({"scopes": ["users:read"]})).await;
    let got = town.lms("GET", "/api/v2/groups", None).await;
    assert_eq!((got.status, got.code()), (403, "invalid_scope"));
}

#[tokio::test]
async fn lists_filter_and_page_by_link() {
    let town =
        Town::with(Options { people: 1300, in_step: true, limits: false, ..Options::default() })
            .await;
    let (mut pages, mut ids) = (Vec::new(), Vec::new());
    let mut next = Some("/api/v2/users?status[ne]=deleted".to_owned());
    while let Some(path) = next {
        let got = town.lms("GET", &path, None).await;
        let rows = got.body.as_array().unwrap();
        pages.push(rows.len());
        ids.extend(rows.iter().map(|row| row["_id"].to_string()));
        let link = got.header("link").to_owned();
        let url = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        next = url.map(|url| url.strip_prefix(&town.sandbox.lms_url()).unwrap().to_owned());
    }
    let state = town.lms_state().await;
    let accounts = state["accounts"].as_array().unwrap();
    let alive = accounts.iter().filter(|account| account["status"] != "deleted").count();
    ids.dedup();
    assert_eq!((pages[0], pages[1], ids.len()), (500, 500, alive));

    let mails: Vec<_> = (3..6).map(|n| accounts[n]["mail"].as_str().unwrap()).collect();
    let spellings = [
        format!("mail[in][0]={}&mail[in][1]={}", mails[0], mails[1]),
        format!("mail[in]={}&mail[in]={}&status[ne]=invited", mails[0], mails[1].to_uppercase()),
        format!(
            "mail%5Bin%5D%5B%5D={}&mail%5Bin%5D%5B%5D={}",
            mails[0],
            mails[1].replace('@', "%40")
        ),
    ];
    for query in spellings {
        let got = town.lms("GET", &format!("/api/v2/users?{query}"), None).await;
        let found: Vec<_> = got.body.as_array().unwrap().iter().map(|user| &user["mail"]).collect();
        assert_eq!(found, [mails[0], mails[1]], "{query}");
    }
    let got = town
        .lms("GET", &format!("/api/v2/users?mail[eq]={}&status[eq]=deleted", mails[0]), None)
        .await;
    assert_eq!(got.body, json!([]));
}

#[tokio::test]
async fn groups_form_a_tree_and_roles_go_down_public_branches() {
    let town = Town::small().await;
    let kim = town.create("kim@example.test").await.id();
    let group = async |name: &str, public: bool, parent: &str| {
        let body = json!({"name": name, "public": public, "parentId": parent});
        town.lms("POST", "/api/v2/groups", Some(body)).await.id()
    };
    let top = group("Top", false, town.group()).await;
    let open = group("Open", true, &top).await;
    let shut = group("Shut", false, &open).await;
    for at in [&top, &open, &shut] {
        let path = format!("/api/v2/groups/{at}/learner/{kim}");
        assert_eq!(town.lms("POST", &path, None).await.status, 204);
    }
    let path = format!("/api/v2/groups/{top}/user-admin/{kim}");
    town.lms("POST", &path, None).await;
    let got = town.lms("GET", &format!("/api/v2/groups/{top}/roles"), None).await;
    assert_eq!(
        got.body,
        json!([{"userId": kim, "role": "learner"}, {"userId": kim, "role": "userAdmin"}])
    );

    town.lms("DELETE", &format!("/api/v2/groups/{top}/learner/{kim}"), None).await;
    let roles = town.lms("GET", &format!("/api/v2/users/{kim}/roles"), None).await.body;
    let left: Vec<_> =
        roles.as_array().unwrap().iter().map(|row| row["groupId"].as_str().unwrap()).collect();
    assert_eq!(left, [town.group(), &top, &shut]);

    let renamed =
        town.lms("PATCH", &format!("/api/v2/groups/{open}"), Some(json!({"name": "Wide"}))).await;
    assert_eq!(renamed.body["name"], "Wide");
    let loops = json!({"parentId": shut});
    let got = town.lms("PATCH", &format!("/api/v2/groups/{top}"), Some(loops)).await;
    assert_eq!(got.code(), "parentGroupNotDescendantOrSelf");
    assert_eq!(town.lms("DELETE", &format!("/api/v2/groups/{top}"), None).await.status, 204);
    let all = town.lms("GET", "/api/v2/groups", None).await.body;
    let root =
        all.as_array().unwrap().iter().find(|group| group.get("parentId").is_none()).unwrap();
    let got = town
        .lms("DELETE", &format!("/api/v2/groups/{}", root["_id"].as_str().unwrap()), None)
        .await;
    assert_eq!(got.code(), "groupIsRoot");
}

#[tokio::test]
async fn custom_values_are_replaced_as_a_whole() {
    let town = Town::small().await;
    let user = town.create("kim@example.test").await.id();
    let field = async |name: &str, kind: &str| {
        let body = json!({"name": name, "targetType": "users", "type": kind});
        town.lms("POST", "/api/v2/custom-fields", Some(body)).await.id()
    };
    let (cost, start) = (field("Cost centre", "string").await, field("Start", "date").await);
    let path = format!("/api/v2/users/{user}/custom-fields/values");
    let put = async |rows: Value| town.lms("PUT", &path, Some(json!({"customValues": rows}))).await;
    let row = |id: &str, kind: &str, value: &str| json!({"customFieldId": id, "type": kind, "value": value});
    let both = json!([row(&cost, "string", "CC-1"), row(&start, "date", "2026-04-01")]);
    assert_eq!(put(both.clone()).await.body, both);
    assert_eq!(town.lms("GET", &path, None).await.body, both);
    let one = json!([row(&start, "date", "2026-05-01")]);
    assert_eq!(put(one.clone()).await.body, one, "what is left out is gone");
    assert_eq!(put(json!([row(&start, "string", "x")])).await.code(), "wrongTypeValue");
    let twice = json!([row(&cost, "string", "a"), row(&cost, "string", "b")]);
    assert_eq!(put(twice).await.code(), "multipleValuesForSingleCustomField");
    let allowed = format!("/api/v2/custom-fields/{cost}/authorized-values");
    town.lms("PUT", &allowed, Some(json!({"authorizedValues": ["CC-1"]}))).await;
    assert_eq!(put(json!([row(&cost, "string", "CC-2")])).await.code(), "unauthorizedValue");
    let unknown = json!([row("65f0c1d2e3a4b5c6d7e8f901", "string", "x")]);
    assert_eq!(put(unknown).await.code(), "customFieldNotFound");
    let found = town.lms("GET", "/api/v2/custom-fields?name[eq]=Start", None).await.body;
    assert_eq!((&found[0]["_id"], &found[1]), (&json!(start), &Value::Null));
}

#[tokio::test]
async fn external_ids_belong_to_one_target_and_outlive_a_deletion() {
    let town = Town::small().await;
    let (one, two) =
        (town.create("a@example.test").await.id(), town.create("b@example.test").await.id());
    let body = |target: &str, value: &str| json!({"platform": "instep-bob", "targetId": target, "targetType": "user", "value": value});
    let post = async |body: Value| town.lms("POST", "/api/v2/external-ids", Some(body)).await;
    let made = post(body(&one, "4001")).await;
    assert_eq!(made.status, 201);
    assert_eq!(post(body(&one, "4002")).await.code(), "mappingAlreadyExists");
    assert_eq!(post(body(&two, "4001")).await.code(), "valueAlreadyUsed");
    assert_eq!(post(body("65f0c1d2e3a4b5c6d7e8f901", "9")).await.code(), "resourceNotFound");
    town.lms("DELETE", &format!("/api/v2/users/{one}"), None).await;
    let find = async |query: &str| {
        town.lms("GET", &format!("/api/v2/external-ids?{query}"), None).await.body
    };
    let query = "platform[eq]=instep-bob&type[eq]=user&value[in][0]=4001&value[in][1]=4002";
    assert_eq!(find(query).await, json!([made.body]));
    assert_eq!(find(&format!("targetId[eq]={one}")).await, json!([made.body]));
    let path = format!("/api/v2/external-ids/{}", made.id());
    let moved = town.lms("PUT", &path, Some(body(&two, "4001"))).await;
    assert_eq!((moved.status, &moved.body["targetId"]), (200, &json!(two)));
    assert_eq!(town.lms("DELETE", &path, None).await.status, 204);
    assert_eq!(town.lms("DELETE", &path, None).await.code(), "mappingIdNotFound");
    assert_eq!(find("platform[eq]=instep-bob").await, json!([]));
}

#[tokio::test]
async fn bulk_memberships_are_carried_out_later_and_three_at_once() {
    let town = Town::small().await;
    let user = town.create("kim@example.test").await.id();
    let row =
        |role: &str, user: &str| json!({"userId": user, "groupId": town.group(), "role": role});
    let input = json!({"input": [row("coach", &user), row("coach", "65f0c1d2e3a4b5c6d7e8f901")]});
    let bulk = "/api/v2/bulk/groups/memberships";
    let got = town.lms("POST", bulk, Some(input.clone())).await;
    assert_eq!(got.status, 202);
    let at = got.header("location").strip_prefix(&town.sandbox.lms_url()).unwrap().to_owned();
    assert_eq!(town.lms("GET", &at, None).await.body["status"], "pending");
    assert_eq!(town.lms("GET", &format!("{at}/results"), None).await.code(), "bulkOperationNotRun");
    for status in [202, 202, 429] {
        assert_eq!(town.lms("DELETE", bulk, Some(input.clone())).await.status, status);
    }
    town.clock.advance(Duration::from_millis(100));
    assert_eq!(town.lms("GET", &at, None).await.body["status"], "running");
    town.clock.advance(Duration::from_millis(100));
    assert_eq!(town.lms("GET", &at, None).await.body["status"], "completed");
    let results = town.lms("GET", &format!("{at}/results"), None).await.body;
    assert_eq!(
        (&results[0]["status"], &results[1]["errorMessage"]),
        (&json!("success"), &json!("userNotFound"))
    );
    let list =
        town.lms("GET", "/api/v2/bulk/operations?type[eq]=removeUsersFromGroups", None).await.body;
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn reads_and_writes_have_a_second_s_worth_each() {
    let town = Town::with(Options { people: 2, ..Options::default() }).await;
    let user = town.create("kim@example.test").await.id();
    let path = format!("/api/v2/users/{user}");
    let write = async || town.lms("PATCH", &path, Some(json!({"job": "x"}))).await;
    for _ in 0..9 {
        assert_eq!(write().await.status, 200);
    }
    let got = write().await;
    assert_eq!((got.status, got.body), (429, json!({"error": "tooManyRequests"})));
    for _ in 0..50 {
        assert_eq!(town.lms("GET", &path, None).await.status, 200);
    }
    assert_eq!(town.lms("GET", &path, None).await.status, 429);
    town.clock.advance(Duration::from_millis(100));
    assert_eq!((write().await.status, write().await.status), (200, 429));
    town.order_lms("limits", json!({"off": true})).await;
    assert_eq!(write().await.status, 200);
}

#[tokio::test]
async fn a_planned_deactivation_happens_by_itself() {
    let town = Town::small().await;
    let path = format!("/api/v2/users/{}", town.create("kim@example.test").await.id());
    let at = json!({"toBeDeactivatedAt": "2026-03-02T08:20:00.000Z"});
    assert_eq!(town.lms("PATCH", &path, Some(at)).await.status, 200);
    town.clock.advance(Duration::from_secs(300));
    until("it is done", async || town.lms("GET", &path, None).await.body["status"] == "deleted")
        .await;
}

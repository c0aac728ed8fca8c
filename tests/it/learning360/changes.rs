//! Each change: the calls it takes, their exact bodies, and that it can be repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use instep::model::{AccountId, AccountStatus, Change, Done, Field, GroupId, Kept, Lane};
use instep::targets::TargetError;
use instep::targets::learning360::Learning360;
use serde_json::{Value, json};

use super::far_end::{Canned, FarEnd, GROUP, PLATFORM, deadline, id, mapping, user};

async fn apply(target: &Learning360, n: u32, change: Change) -> Result<Done, TargetError> {
    let account = AccountId::new(id(n));
    let account = (n > 0).then_some(&account);
    target.apply(PLATFORM, account, &change, Lane::Live, deadline()).await
}

fn create() -> Change {
    let fields = [(Field::Email, "Nadia@example.test"), (Field::FirstName, "Nadia")];
    let fields = fields.into_iter().map(|(field, value)| (field, value.to_owned())).collect();
    Change::Create { fields, group: GroupId::new(GROUP) }
}

fn update(fields: &[(Field, Option<&str>)]) -> Change {
    let fields = fields.iter().map(|(field, value)| (*field, value.map(str::to_owned)));
    Change::Update(fields.collect::<BTreeMap<_, _>>())
}

fn code(error: &TargetError) -> &str {
    match error {
        TargetError::LookAgain { code, .. } => code,
        other => panic!("look again, not {other}"),
    }
}

fn value(field: &str, value: &str) -> Value {
    json!({ "customFieldId": field, "type": "string", "value": value })
}

#[tokio::test]
async fn create_makes_an_account_with_exactly_the_given_fields() {
    let far_end = FarEnd::start().await;
    let done = apply(&far_end.target(), 0, create()).await.unwrap();
    let account = done.account.unwrap();
    assert_eq!(account.id.as_str(), id(1));
    assert_eq!(account.status, AccountStatus::Invited);
    assert_eq!(account.fields[&Field::Email], "Nadia@example.test");
    assert!(!done.restored);
    let seen = far_end.take_seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, "POST /users");
    assert_eq!(seen[0].query, [("sendInvitationEmail".to_owned(), "false".to_owned())]);
    assert_eq!(
        seen[0].body,
        json!({
            "mail": "Nadia@example.test", "firstName": "Nadia",
            "membership": { "groupId": GROUP, "role": "learner" }
        })
    );
}

#[tokio::test]
async fn create_says_when_it_restored() {
    let far_end = FarEnd::start().await;
    far_end.company().users.push(user(9, "deleted", "Nadia@example.test"));
    let target = far_end.target_with(|settings| settings.send_invitation = true);
    let done = apply(&target, 0, create()).await.unwrap();
    assert!(done.restored);
    assert_eq!(done.account.unwrap().id.as_str(), id(9));
    assert_eq!(far_end.take_seen()[0].query[0].1, "true");
    let error = apply(&target, 0, create()).await.unwrap_err();
    assert_eq!(code(&error), "mailAlreadyUsed");
}

#[tokio::test]
async fn create_is_sent_once_even_when_the_answer_never_comes() {
    let far_end = FarEnd::start().await;
    let target = far_end.target_with(|settings| settings.timeout = Duration::from_secs(1));
    for canned in [
        Canned::Silent,
        Canned::CutOff,
        Canned::Say(502, "text/html", "<h1>Bad gateway</h1>".into()),
        Canned::Say(201, "text/html", "<h1>Hello</h1>".into()),
    ] {
        far_end.can("POST /users", canned);
        match apply(&target, 0, create()).await.unwrap_err() {
            TargetError::Again(why) => {
                assert!(why.contains("whether the account was made is unknown"), "{why}");
                assert!(!why.contains("example.test"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(far_end.lines(), ["POST /users"]);
    }
    // The silent one was carried out, which only a look can show.
    assert_eq!(far_end.company().users.len(), 1);
}

#[tokio::test]
async fn update_sends_exactly_what_changes() {
    let far_end = FarEnd::start().await;
    far_end.company().users.push(user(1, "active", "a@x.test"));
    let target = far_end.target();
    let change = update(&[
        (Field::LastName, Some("Brisk")),
        (Field::Job, None),
        (Field::Phone, Some("")),
        (Field::Lang, None),
        (Field::Username, Some("nbrisk")),
        (Field::Organization, Some("Norvane")),
    ]);
    let done = apply(&target, 1, change).await.unwrap();
    assert_eq!(done.account.unwrap().fields[&Field::LastName], "Brisk");
    let seen = far_end.take_seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, format!("PATCH /users/{}", id(1)));
    assert_eq!(
        seen[0].body,
        json!({
            "lastName": "Brisk", "job": null, "phone": null, "username": "nbrisk",
            "organization": "Norvane"
        })
    );
    // A language cannot be cleared, so nothing is left to say.
    assert_eq!(apply(&target, 1, update(&[(Field::Lang, None)])).await.unwrap(), Done::default());
    assert!(far_end.lines().is_empty());
}

#[tokio::test]
async fn activate_activates() {
    let far_end = FarEnd::start().await;
    far_end.company().users = vec![user(1, "invited", "a@x.test"), user(2, "deleted", "b@x.test")];
    let target = far_end.target();
    let done = apply(&target, 1, Change::Activate).await.unwrap();
    assert_eq!(done.account.unwrap().status, AccountStatus::Active);
    assert_eq!(far_end.lines(), [format!("PUT /users/{}/activate", id(1))]);
    assert_eq!(code(&apply(&target, 2, Change::Activate).await.unwrap_err()), "userDeleted");
    assert_eq!(code(&apply(&target, 3, Change::Activate).await.unwrap_err()), "userNotFound");
}

/// An account with everything that a deactivation takes away.
async fn furnished() -> (FarEnd, Kept) {
    let far_end = FarEnd::start().await;
    let mut company = far_end.company();
    company.users = (1..=4).map(|n| user(n, "active", &format!("u{n}@x.test"))).collect();
    company.roles.insert(
        id(1),
        vec![
            json!({ "groupId": GROUP, "role": "learner" }),
            json!({ "groupId": GROUP, "role": "userAdmin" }),
        ],
    );
    let cost_centre = value("cccccccccccccccccccccccc", "CC-204");
    company.values.insert(id(1), vec![cost_centre.clone()]);
    company.managers.insert(id(1), vec![id(2)]);
    company.managers.insert(id(3), vec![id(1)]);
    drop(company);
    let kept = Kept {
        roles: vec![
            (GroupId::new(GROUP), "learner".into()),
            (GroupId::new(GROUP), "userAdmin".into()),
        ],
        custom_values: vec![cost_centre],
        managers: vec![AccountId::new(id(2))],
        subordinates: vec![AccountId::new(id(3))],
    };
    (far_end, kept)
}

async fn belongings(target: &Learning360, n: u32) -> Result<Option<Kept>, TargetError> {
    target.belongings(&AccountId::new(id(n)), Lane::Live, deadline()).await
}

#[tokio::test]
async fn what_a_deactivation_takes_away_is_read_before() {
    let (far_end, kept) = furnished().await;
    let target = far_end.target();
    assert_eq!(belongings(&target, 1).await.unwrap(), Some(kept));
    let lines = far_end.lines();
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| line.starts_with("GET ")));
    assert_eq!(apply(&target, 1, Change::Deactivate).await.unwrap(), Done::default());
    assert_eq!(far_end.lines(), [format!("DELETE /users/{}", id(1))]);
    // It is deactivated now, and what it shows is not what it had.
    assert_eq!(belongings(&target, 1).await.unwrap(), None);
    assert_eq!(code(&belongings(&target, 8).await.unwrap_err()), "userNotFound");
}

#[tokio::test]
async fn the_owner_and_the_protected_are_never_deactivated() {
    let (far_end, _) = furnished().await;
    far_end.company().roles.insert(id(2), vec![json!({ "groupId": GROUP, "role": "owner" })]);
    let target = far_end.target_with(|settings| {
        settings.protected = vec!["U3@X.test".into(), id(4)];
    });
    for n in 2..=4 {
        match belongings(&target, n).await.unwrap_err() {
            TargetError::Refused { code, .. } if n == 2 => assert_eq!(code, "userIsCompanyOwner"),
            TargetError::Refused { code, .. } => assert_eq!(code, "protected"),
            other => panic!("{other:?}"),
        }
    }
    assert!(apply(&target, 4, Change::Deactivate).await.is_err());
    assert!(far_end.lines().iter().all(|line| line.starts_with("GET ")));
}

#[tokio::test]
async fn put_back_adds_what_is_missing_and_can_be_repeated() {
    let (far_end, mut kept) = furnished().await;
    kept.roles.push((GroupId::new(GROUP), "owner".into()));
    kept.custom_values.push(value("dddddddddddddddddddddddd", "old"));
    {
        let mut company = far_end.company();
        company.roles.insert(id(1), vec![json!({ "groupId": GROUP, "role": "learner" })]);
        company.values.insert(id(1), vec![value("dddddddddddddddddddddddd", "new")]);
        company.managers.clear();
    }
    let target = far_end.target();
    let done = apply(&target, 1, Change::PutBack(kept.clone())).await.unwrap();
    assert_eq!(done, Done::default());
    let seen = far_end.take_seen();
    let writes: Vec<_> = seen.iter().filter(|seen| !seen.line.starts_with("GET")).collect();
    let lines: Vec<_> = writes.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            format!("PUT /users/{}/custom-fields/values", id(1)),
            format!("POST /groups/{GROUP}/user-admin/{}", id(1)),
            format!("POST /users/{}/managers/{}", id(1), id(2)),
            format!("POST /users/{}/managers/{}", id(3), id(1)),
        ]
    );
    assert_eq!(
        writes[0].body,
        json!({ "customValues": [
            value("dddddddddddddddddddddddd", "new"), value("cccccccccccccccccccccccc", "CC-204")
        ] })
    );
    assert_eq!(apply(&target, 1, Change::PutBack(kept)).await.unwrap(), Done::default());
    assert!(far_end.lines().iter().all(|line| line.starts_with("GET ")));
    let nothing = Change::PutBack(Kept::default());
    assert_eq!(apply(&target, 1, nothing).await.unwrap(), Done::default());
    assert!(far_end.lines().is_empty());
}

#[tokio::test]
async fn put_back_reports_what_is_refused_and_goes_on() {
    let (far_end, kept) = furnished().await;
    let gone = "bbbbbbbbbbbbbbbbbbbbbbbb";
    let kept = Kept {
        roles: [vec![(GroupId::new(gone), "learner".into())], kept.roles].concat(),
        custom_values: vec![
            value("000000000000000000000c01", "not authorised"),
            value("000000000000000000000c02", "fine"),
        ],
        managers: vec![AccountId::new(id(77)), AccountId::new(id(4)), AccountId::new(id(1))],
        subordinates: vec![AccountId::new(id(78)), AccountId::new(id(2))],
    };
    far_end.company().users[3]["status"] = "deleted".into();
    let done = apply(&far_end.target(), 1, Change::PutBack(kept)).await.unwrap();
    let remarks = done.remarks.join("\n");
    for part in [
        "custom field 000000000000000000000c01",
        "unauthorizedValue",
        gone,
        "groupNotFound",
        &id(77),
        "managerNotFound",
        &id(4),
        "managerDeleted",
        &id(78),
        "userNotFound",
    ] {
        assert!(remarks.contains(part), "{part} in {remarks}");
    }
    assert_eq!(done.remarks.len(), 5, "{remarks}");
    let company = far_end.company();
    assert_eq!(company.values[&id(1)].len(), 2);
    assert!(company.values[&id(1)].contains(&value("000000000000000000000c02", "fine")));
    assert_eq!(company.managers[&id(2)], [id(1)]);
}

#[tokio::test]
async fn put_back_looks_again_when_the_account_itself_is_gone() {
    let (far_end, kept) = furnished().await;
    {
        let mut company = far_end.company();
        company.managers.clear();
        company.users[0]["status"] = "deleted".into();
    }
    let kept = Kept { subordinates: kept.subordinates, ..Kept::default() };
    let error = apply(&far_end.target(), 1, Change::PutBack(kept)).await.unwrap_err();
    assert_eq!(code(&error), "managerDeleted");
}

#[tokio::test]
async fn a_claim_is_made_moved_and_disputed() {
    let far_end = FarEnd::start().await;
    far_end.company().users = (1..=3).map(|n| user(n, "active", "x")).collect();
    let target = far_end.target();
    let claim = |value: &str| Change::ClaimExternalId(value.to_owned());
    assert_eq!(apply(&target, 1, claim("100")).await.unwrap(), Done::default());
    let seen = far_end.take_seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].body,
        json!({ "platform": PLATFORM, "targetId": id(1), "targetType": "user", "value": "100" })
    );
    // Again: it is there already.
    assert_eq!(apply(&target, 1, claim("100")).await.unwrap(), Done::default());
    assert_eq!(far_end.lines(), ["POST /external-ids", "GET /external-ids"]);
    // Another value for the same account.
    assert_eq!(apply(&target, 1, claim("101")).await.unwrap(), Done::default());
    assert_eq!(far_end.company().external_ids[0]["value"], "101");
    assert_eq!(far_end.company().external_ids.len(), 1);
    // The value of another account, for one with a mapping and for one without.
    far_end.company().external_ids.push(mapping(2, "200"));
    for n in [3, 2] {
        let error = apply(&target, n, claim("101")).await.unwrap_err();
        assert_eq!(code(&error), "valueAlreadyUsed");
        assert!(error.to_string().contains(&id(1)), "{error}");
    }
    assert_eq!(far_end.company().external_ids.len(), 2);
}

#[tokio::test]
async fn a_change_without_an_account_or_with_a_strange_one_goes_nowhere() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    for account in [None, Some(AccountId::new("../groups")), Some(AccountId::new(""))] {
        let change = update(&[(Field::Job, Some("Chef"))]);
        let end = target.apply(PLATFORM, account.as_ref(), &change, Lane::Live, deadline()).await;
        assert!(matches!(end, Err(TargetError::Refused { .. })), "{end:?}");
    }
    assert!(far_end.lines().is_empty());
}

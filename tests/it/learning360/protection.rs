//! Who is never changed: the owner, administrators, and those who are listed.

use instep::model::{AccountId, Change, Lane};
use instep::targets::{Probe, TargetError};
use serde_json::json;

use super::far_end::{PLATFORM, deadline};
use super::town::Town;

const ROLES: &str = "GET /users/{userId}/roles";

impl Town {
    async fn protection(&self, id: &AccountId) -> Option<String> {
        self.target.protection(id, Lane::Live, deadline()).await.unwrap()
    }

    async fn admin(&self, mail: &str, name: [&str; 2]) -> AccountId {
        let group = self.group("Sites").await;
        self.account(json!({
            "mail": mail, "firstName": name[0], "lastName": name[1],
            "groups": [{ "groupId": group, "role": "learner" }, { "groupId": group, "role": "admin" }],
        }))
        .await
    }

    fn owner(&self) -> AccountId {
        AccountId::new(self.sandbox.accounts()[0]["_id"].as_str().unwrap())
    }
}

#[tokio::test]
async fn owners_and_administrators_are_protected_and_remembered() {
    let town = Town::start().await;
    let (owner, admin) = (town.owner(), town.admin("a@example.test", ["Ada", "Mins"]).await);
    let group = town.group("Sites").await;
    let plain = town
        .account(json!({ "mail": "u@example.test", "groups": [
            { "groupId": group, "role": "userAdmin" }, { "groupId": group, "role": "learner" }] }))
        .await;
    for _ in 0..3 {
        assert!(town.protection(&owner).await.unwrap().contains("owner"));
        let why = town.protection(&admin).await.unwrap();
        assert!(why.contains(group.as_str()) && why.contains("protect_admins = false"), "{why}");
        assert_eq!(town.protection(&plain).await, None);
    }
    assert_eq!((town.calls(ROLES).await, town.all_calls().await), (3, 3));
    // What we give ourselves is seen at once.
    let join = Change::Join { group: Some(group), path: Vec::new(), role: "admin".into() };
    town.apply(&plain, join).await.unwrap();
    assert!(town.protection(&plain).await.is_some());
    // An account that is gone is nobody's to protect; whoever changes it will see.
    assert_eq!(town.protection(&AccountId::new("0".repeat(24))).await, None);

    let town = Town::with(|settings| {
        settings.protect_admins = false;
        settings.protected = vec!["0".repeat(24)];
    })
    .await;
    let admin = town.admin("a@example.test", ["Ada", "Mins"]).await;
    assert_eq!(town.protection(&admin).await, None);
    assert!(town.protection(&town.owner()).await.is_some(), "the owner in any case");
    let calls = town.all_calls().await;
    let why = town.protection(&AccountId::new("0".repeat(24))).await.unwrap();
    assert!(why.contains("target.protected"), "{why}");
    assert_eq!(town.all_calls().await, calls, "what is listed is not asked about");
}

#[tokio::test]
async fn roles_that_cannot_be_read_are_no_permission() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    town.order(
        "faults",
        json!({ "endpoint": "GET /api/v2/users/{userId}/roles", "status": 503, "times": 1 }),
    )
    .await;
    let end = town.target.protection(&id, Lane::Live, deadline()).await;
    assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    assert_eq!(town.protection(&id).await, None, "and the failure is not remembered");
}

#[tokio::test]
async fn administrators_are_marked_and_not_deactivated() {
    let town = Town::start().await;
    let admin = town.admin("a@example.test", ["Ada", "Mins"]).await;
    let probes = [
        Probe { email: Some("a@example.test".into()), ..Probe::default() },
        Probe { name: Some(("Ada".into(), "Mins".into())), ..Probe::default() },
    ];
    let found = town.target.find(PLATFORM, &probes, Lane::Live, deadline()).await.unwrap();
    for found in found {
        assert!(found[0].protected.as_ref().is_some_and(|why| why.contains("role admin")));
    }
    let belongings = async |town: &Town, id: &AccountId| {
        town.target.belongings(id, Lane::Live, deadline()).await
    };
    match belongings(&town, &admin).await {
        Err(TargetError::Refused { code, advice }) => {
            assert!(code == "protected" && advice.contains("target.protect_admins"), "{advice}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(town.held(&admin)["status"], "active");

    let town = Town::with(|settings| settings.protect_admins = false).await;
    let admin = town.admin("a@example.test", ["Ada", "Mins"]).await;
    let found = town.target.find(PLATFORM, &probes[..1], Lane::Live, deadline()).await.unwrap();
    assert_eq!(found[0][0].protected, None);
    let kept = belongings(&town, &admin).await.unwrap().unwrap();
    assert!(kept.roles.iter().any(|(_, role)| role == "admin"));
}

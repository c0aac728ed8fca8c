//! Finding by name: all accounts are read once, and what is found is looked at again.

use std::time::Duration;

use instep::clock::Deadline;
use instep::model::{AccountId, AccountStatus, Lane};
use instep::targets::{Candidate, FoundBy, Probe, TargetError};
use serde_json::json;

use super::far_end::{PLATFORM, deadline};
use super::town::Town;

const LIST: &str = "GET /users";

fn named(first: &str, last: &str) -> Probe {
    Probe { name: Some((first.into(), last.into())), ..Probe::default() }
}

impl Town {
    async fn find(&self, probes: &[Probe]) -> Vec<Vec<Candidate>> {
        self.target.find(PLATFORM, probes, Lane::Live, deadline()).await.unwrap()
    }

    async fn called(&self, mail: &str, first: &str, last: &str) -> AccountId {
        self.account(json!({ "mail": mail, "firstName": first, "lastName": last })).await
    }
}

fn ids(found: &[Candidate]) -> Vec<&AccountId> {
    found.iter().map(|one| &one.account.id).collect()
}

#[tokio::test]
async fn accounts_are_found_by_name_whatever_the_capitals_and_accents() {
    let town = Town::start().await;
    town.order("settings", json!({ "unfiltered_hides_deleted": true })).await;
    let zoe = town.called("zoe@example.test", "Zoë", "O'Neil").await;
    let gone = town.called("gone@example.test", "Jose", "Garcia Perez").await;
    town.edit(&gone, json!({ "status": "deleted" })).await;
    let twins = [
        town.called("one@example.test", "Kim", "Lee").await,
        town.called("two@example.test", "KIM", "lee").await,
    ];
    let probes = [
        named(" zoe", "O'NEIL "),
        named("José", "García  Pérez"),
        named("Kim", "Lee"),
        named("Lee", "Kim"),
        named("", ""),
        Probe::default(),
    ];
    let found = town.find(&probes).await;
    assert_eq!(ids(&found[0]), [&zoe]);
    assert_eq!(found[0][0].by, FoundBy::Name);
    assert_eq!(found[1][0].account.status, AccountStatus::Deleted);
    let mut both = ids(&found[2]);
    both.sort();
    assert_eq!(both, [&twins[0], &twins[1]]);
    assert!(found[3..].iter().all(Vec::is_empty));
    assert_eq!(town.calls(LIST).await, 2, "the living and the deactivated");

    // Surer ways come first, and nothing is read again.
    let probe = Probe {
        email: Some("zoe@example.test".into()),
        account: Some(twins[0].clone()),
        ..named("Kim", "Lee")
    };
    let found = town.find(&[probe]).await;
    let ways: Vec<_> = found[0].iter().map(|one| (&one.account.id, one.by)).collect();
    assert_eq!(
        ways,
        [(&twins[0], FoundBy::Link), (&zoe, FoundBy::Email), (&twins[1], FoundBy::Name)]
    );
    // Who has another name by now is not found by the old one.
    town.edit(&twins[1], json!({ "lastName": "Ray" })).await;
    assert_eq!(ids(&town.find(&[named("Kim", "Lee")]).await[0]), [&twins[0]]);
    assert_eq!(town.calls(LIST).await, 3, "one for the mail");
}

#[tokio::test]
async fn nothing_is_read_when_nobody_asks_for_a_name() {
    let town = Town::start().await;
    town.called("zoe@example.test", "Zoë", "O'Neil").await;
    assert!(town.find(&[Probe::default(), named("Zoe", " ")]).await[0].is_empty());
    assert_eq!(town.all_calls().await, 0);
}

#[tokio::test]
async fn claims_of_those_found_by_name_are_told() {
    let town = Town::start().await;
    let kim = town.called("kim@example.test", "Kim", "Lee").await;
    let mapping = json!([{ "platform": PLATFORM, "value": "101" }]);
    town.edit(&kim, json!({ "externalIds": mapping })).await;
    let other = Probe { external_id: Some("102".into()), ..named("Kim", "Lee") };
    let found = town.find(&[other]).await;
    assert_eq!(found[0][0].claimed_by.as_deref(), Some("101"));
}

#[tokio::test]
async fn a_reading_outlives_the_one_who_began_it_and_is_shared() {
    let town = Town::start().await;
    let kim = town.called("kim@example.test", "Kim", "Lee").await;
    let over = Deadline::after(Duration::ZERO);
    let end = town.target.find(PLATFORM, &[named("Kim", "Lee")], Lane::Bulk, over).await;
    assert!(matches!(end, Err(TargetError::OutOfTime)), "{end:?}");
    // The next ones wait for the same reading.
    let probes = [named("Kim", "Lee")];
    let (one, other) = tokio::join!(town.find(&probes), town.find(&probes));
    assert_eq!((ids(&one[0]), ids(&other[0])), (vec![&kim], vec![&kim]));
    assert_eq!(town.calls(LIST).await, 2);
}

#[tokio::test]
async fn half_a_reading_is_none() {
    let town = Town::start().await;
    let kim = town.called("kim@example.test", "Kim", "Lee").await;
    let broken = json!({ "endpoint": "GET /api/v2/users", "status": 502, "times": 1 });
    town.order("faults", broken).await;
    let end = town.target.find(PLATFORM, &[named("Kim", "Lee")], Lane::Live, deadline()).await;
    assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    assert_eq!(ids(&town.find(&[named("Kim", "Lee")]).await[0]), [&kim]);
}

#[tokio::test]
async fn all_pages_are_read() {
    let town = Town::start().await;
    for n in 0..520 {
        town.called(&format!("u{n}@example.test"), "Person", &format!("Number{n}")).await;
    }
    let found = town.find(&[named("person", "number519"), named("Person", "Number0")]).await;
    assert!(found.iter().all(|found| found.len() == 1));
    assert_eq!(town.calls(LIST).await, 3);
}

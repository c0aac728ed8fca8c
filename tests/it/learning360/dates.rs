//! The moment at which 360Learning deactivates an account by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use instep::model::{AccountId, Change, Field, GroupId, Lane};
use serde_json::json;

use super::far_end::{PLATFORM, deadline};
use super::town::{Town, look_again, refused};

fn at(moment: Option<&str>) -> Change {
    Change::Update(BTreeMap::from([(Field::DeactivateAt, moment.map(str::to_owned))]))
}

impl Town {
    async fn moment(&self, id: &AccountId) -> Option<String> {
        let account = self.target.account(id, Lane::Live, deadline()).await.unwrap().unwrap();
        account.fields.get(&Field::DeactivateAt).cloned()
    }
}

#[tokio::test]
async fn it_is_written_with_milliseconds_and_read_to_the_second() {
    let town = Town::start().await;
    let fields =
        [(Field::Email, "kim@example.test"), (Field::DeactivateAt, "2026-06-30T21:59:59Z")];
    let fields = fields.into_iter().map(|(field, text)| (field, text.to_owned())).collect();
    let group = GroupId::new(town.sandbox.credentials().default_group.clone());
    let create = Change::Create { fields, group };
    let made = town.target.apply(PLATFORM, None, &create, Lane::Live, deadline()).await.unwrap();
    let made = made.account.unwrap();
    assert_eq!(made.fields[&Field::DeactivateAt], "2026-06-30T21:59:59Z");
    let id = made.id;
    assert_eq!(town.held(&id)["toBeDeactivatedAt"], "2026-06-30T21:59:59.000Z");
    let done = town.apply(&id, at(Some("2026-12-31T23:59:59+01:00"))).await.unwrap();
    let shown = done.account.unwrap().fields[&Field::DeactivateAt].clone();
    assert_eq!(shown, "2026-12-31T22:59:59Z");
    let bodies = town.bodies("PATCH /users/{userId}").await;
    assert_eq!(bodies[0], json!({ "toBeDeactivatedAt": "2026-12-31T22:59:59.000Z" }));
    town.edit(&id, json!({ "toBeDeactivatedAt": "2026-11-30T22:59:59.750Z" })).await;
    assert_eq!(town.moment(&id).await.as_deref(), Some("2026-11-30T22:59:59Z"));
    town.apply(&id, at(None)).await.unwrap();
    assert_eq!(town.moment(&id).await, None);
    assert_eq!(town.held(&id).get("toBeDeactivatedAt"), None);
}

#[tokio::test]
async fn it_must_be_a_moment_in_the_future_of_a_living_account() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    for wrong in ["2026-03-02T08:15:29Z", "2026-03-02", "tomorrow"] {
        let (code, advice) = refused(town.apply(&id, at(Some(wrong))).await);
        assert_eq!(code, "deactivationDateInvalid");
        assert!(
            advice.contains("rules.fields.deactivate_at") && !advice.contains(wrong),
            "{advice}"
        );
    }
    assert_eq!(town.calls("PATCH /users/{userId}").await, 1, "what is no moment is not sent");
    // The platform does it by itself when the moment has come.
    town.apply(&id, at(Some("2026-03-02T08:20:00Z"))).await.unwrap();
    town.clock.advance(Duration::from_secs(300));
    assert_eq!(town.held(&id)["status"], "deleted");
    let end = town.apply(&id, at(Some("2026-12-31T22:59:59Z"))).await;
    assert_eq!(look_again(end), "invalidUpdateOnDeletedUser");
}

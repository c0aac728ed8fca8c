//! Custom fields: merged with what is there, and a refusal that names the field.

use std::collections::BTreeMap;

use instep::model::{AccountId, Change, CustomFieldId, Done};
use serde_json::{Value, json};

use super::town::{Town, look_again, needs, refused};

const PUT: &str = "PUT /users/{userId}/custom-fields/values";

impl Town {
    async fn field(&self, name: &str) -> CustomFieldId {
        let catalogue = self.catalogue(&needs(&["Cost centre", "First day", "Badge"]), false).await;
        catalogue.custom_field(name).unwrap().id.clone()
    }

    async fn set(&self, values: &[(&str, Option<&str>)]) -> Change {
        let mut set = BTreeMap::new();
        for (name, value) in values {
            set.insert(self.field(name).await, value.map(str::to_owned));
        }
        Change::SetCustom(set)
    }

    fn values(&self, id: &AccountId) -> Value {
        self.held(id)["customValues"].clone()
    }
}

#[tokio::test]
async fn values_are_merged_and_written_once() {
    let town = Town::start().await;
    let kim = json!({ "mail": "kim@example.test", "customFields": { "Badge": "B-7" } });
    let id = town.account(kim).await;
    let change =
        town.set(&[("Cost centre", Some("CC-1")), ("First day", Some("2026-04-01"))]).await;
    assert_eq!(town.apply(&id, change.clone()).await.unwrap(), Done::default());
    let all = json!({ "Badge": "B-7", "Cost centre": "CC-1", "First day": "2026-04-01" });
    assert_eq!(town.values(&id), all);
    let bodies = town.bodies(PUT).await;
    let (cost, badge) = (town.field("Cost centre").await, town.field("Badge").await);
    let rows = bodies[0]["customValues"].as_array().unwrap();
    let row = |field: &CustomFieldId, value: &str| json!({ "customFieldId": field, "type": "string", "value": value });
    assert!(
        rows.len() == 3 && rows.contains(&row(&badge, "B-7")) && rows.contains(&row(&cost, "CC-1"))
    );
    // Nothing changes: nothing is written, and nothing is needed to know that.
    assert_eq!(town.apply(&id, change).await.unwrap(), Done::default());
    let nothing = town.set(&[("Badge", Some("B-7"))]).await;
    town.apply(&id, nothing).await.unwrap();
    assert_eq!(town.calls(PUT).await, 1);
    // One changes, one is cleared, one stays; to clear what is empty is nothing.
    let change = town.set(&[("Cost centre", Some("CC-2")), ("First day", None)]).await;
    town.apply(&id, change).await.unwrap();
    assert_eq!(town.values(&id), json!({ "Badge": "B-7", "Cost centre": "CC-2" }));
    let change = town.set(&[("First day", None), ("Cost centre", Some(""))]).await;
    town.apply(&id, change.clone()).await.unwrap();
    town.apply(&id, change).await.unwrap();
    assert_eq!(town.values(&id), json!({ "Badge": "B-7" }));
    assert_eq!(town.calls(PUT).await, 3);
}

#[tokio::test]
async fn a_refusal_names_the_field_and_not_the_value() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    for (values, code, name) in [
        (vec![("Cost centre", "CC-9")], "unauthorizedValue", "\"Cost centre\""),
        (vec![("First day", "soon")], "wrongTypeValue", "\"First day\""),
        (vec![("Badge", "B-1"), ("Cost centre", "CC-9")], "unauthorizedValue", "\"Cost centre\""),
        (
            vec![("Cost centre", "CC-9"), ("Badge", "B-2"), ("First day", "2026-04-01")],
            "unauthorizedValue",
            "\"Cost centre\"",
        ),
        (
            vec![("Cost centre", "CC-2"), ("First day", "1 April"), ("Badge", "B-3")],
            "wrongTypeValue",
            "\"First day\"",
        ),
    ] {
        let pairs: Vec<_> = values.iter().map(|(name, value)| (*name, Some(*value))).collect();
        let change = town.set(&pairs).await;
        let (was, advice) = refused(town.apply(&id, change).await);
        assert_eq!(was, code, "{advice}");
        assert!(advice.contains(name) && advice.contains("rules.custom_fields"), "{advice}");
        assert!(values.iter().all(|(_, value)| !advice.contains(value)), "{advice}");
    }
    // The authorised values are read again by the next who needs them.
    let wider = json!({ "name": "Cost centre", "authorizedValues": ["CC-9"] });
    town.order("custom-fields", wider).await;
    let catalogue = town.catalogue(&needs(&["Cost centre"]), false).await;
    assert_eq!(catalogue.custom_field("Cost centre").unwrap().allowed, ["CC-9"]);
    let change = town.set(&[("Cost centre", Some("CC-9"))]).await;
    town.apply(&id, change).await.unwrap();
    assert_eq!(town.values(&id)["Cost centre"], "CC-9");
}

#[tokio::test]
async fn a_field_or_an_account_that_is_gone_is_looked_for_again() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let change = town.set(&[("Badge", Some("B-1"))]).await;
    let badge = town.field("Badge").await;
    town.delete(&format!("custom-fields/{badge}")).await;
    // Seen by the write first, and then by the definitions.
    assert_eq!(look_again(town.apply(&id, change.clone()).await), "customFieldNotFound");
    assert_eq!(town.calls(PUT).await, 1);
    assert_eq!(look_again(town.apply(&id, change).await), "customFieldNotFound");
    assert_eq!(town.calls(PUT).await, 1);
    let nobody = AccountId::new("0".repeat(24));
    let change = Change::SetCustom(BTreeMap::new());
    assert_eq!(look_again(town.apply(&nobody, change).await), "userNotFound");
}

#[tokio::test]
async fn types_are_known_without_a_catalogue() {
    let town = Town::start().await;
    let id = town.person("kim@example.test").await;
    let field = json!({ "name": "First day", "date": true });
    let field = town.order("custom-fields", field).await["_id"].as_str().unwrap().to_owned();
    let set = |day: &str| {
        Change::SetCustom([(CustomFieldId::new(field.clone()), Some(day.to_owned()))].into())
    };
    for day in ["2026-04-01", "2026-05-01"] {
        town.apply(&id, set(day)).await.unwrap();
        assert_eq!(town.values(&id)["First day"], day);
    }
    assert_eq!(town.calls("GET /custom-fields").await, 1);
}

//! The command against a real store: what is shown, and that no value is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::cli::deliveries::tests::{DONE, Office, Printed, printed};
use crate::model::{AccountId, Field, GroupId, Intent, Kept};

async fn typed(office: &Office, key: &str, json: bool, sources: &[&str]) -> Printed {
    let args = PersonArgs { key: key.to_owned(), json };
    let sources: Vec<_> = sources.iter().map(|&name| SourceName::new(name)).collect();
    printed(None, None, async |terminal| {
        show(&args, office.store.as_ref(), &sources, terminal).await
    })
    .await
}

fn link() -> Link {
    Link {
        account: Some(AccountId::new("507f1f77bcf86cd799439011")),
        creating: Some(Intent {
            email: Some("zoe@example.com".into()),
            username: None,
            at: "2026-11-21T11:00:00Z".parse().expect("a time"),
        }),
        status: Some(AccountStatus::Deleted),
        applied: BTreeMap::from([
            (Field::Email, Some("zoe@example.com".to_owned())),
            (Field::FirstName, Some("Zoë".to_owned())),
        ]),
        external_id: Some("1001".to_owned()),
        kept: Some(Kept {
            roles: vec![(GroupId::new("g"), "learner".to_owned()); 3],
            ..Kept::default()
        }),
        ..Link::default()
    }
}

#[tokio::test]
async fn a_person_is_shown_without_a_value() {
    let office = Office::open();
    office.event(1, "1001", Duration::from_secs(600)).await;
    office.settle(&DONE, Some(&link())).await;
    office.event(2, "1001", Duration::from_secs(60)).await;
    for key in ["1001", "bob/1001", " 1001 "] {
        let shown = typed(&office, key, false, &[]).await;
        assert_eq!(shown.exit, Exit::Done, "{shown:?}");
        for said in [
            "Person bob/1001",
            "507f1f77bcf86cd799439011",
            "deactivated",
            "email, first_name",
            "3 roles in groups, 0 custom values",
            "since 2026-11-21 11:00:00 UTC",
            "1, the first due 2026-11-21 11:59:00 UTC",
            "update job",
        ] {
            assert!(shown.out.contains(said), "{said} in\n{}", shown.out);
        }
        let json = typed(&office, key, true, &[]).await;
        let value: Value = serde_json::from_str(&json.out).expect("one object");
        assert_eq!(value["link"]["kept"]["roles"], 3);
        assert_eq!(value["deliveries"].as_array().map(Vec::len), Some(2));
        assert_eq!(value["waiting"].as_array().map(Vec::len), Some(1));
        for text in [&shown.out, &json.out] {
            assert!(!text.contains("Zoë") && !text.contains("zoe@"), "{text}");
        }
    }
}

#[tokio::test]
async fn who_is_unknown_is_not_found() {
    let office = Office::open();
    for (key, sources) in [("1001", vec![]), ("1001", vec!["bob"]), ("bob/1", vec![]), ("", vec![])]
    {
        let shown = typed(&office, key, false, &sources).await;
        assert_eq!((shown.exit, shown.out.as_str()), (Exit::Nothing, ""), "{key}");
        assert!(shown.notes.contains("instep deliveries"), "{shown:?}");
    }
}

//! Finding: who is found by what, in which order, in how many calls.

use instep::model::{AccountId, AccountStatus, Lane};
use instep::targets::learning360::Learning360;
use instep::targets::{Candidate, FoundBy, Probe, TargetError};
use serde_json::json;

use super::far_end::{Canned, FarEnd, GROUP, PLATFORM, deadline, id, mapping, user};

async fn find(target: &Learning360, probes: &[Probe]) -> Vec<Vec<Candidate>> {
    target.find(PLATFORM, probes, Lane::Live, deadline()).await.unwrap()
}

fn by_mail(mail: &str) -> Probe {
    Probe { email: Some(mail.into()), ..Probe::default() }
}

fn ways(found: &[Candidate]) -> Vec<(String, FoundBy)> {
    found.iter().map(|one| (one.account.id.to_string(), one.by)).collect()
}

#[tokio::test]
async fn finds_each_account_once_by_its_surest_way() {
    let far_end = FarEnd::start().await;
    {
        let mut company = far_end.company();
        company.users = (1..=4).map(|n| user(n, "active", &format!("u{n}@x.test"))).collect();
        company.users[3]["username"] = "four".into();
        company.external_ids = vec![mapping(2, "102"), mapping(1, "101")];
    }
    let probe = Probe {
        name: None,
        account: Some(AccountId::new(id(1))),
        external_id: Some("102".into()),
        email: Some("u3@x.test".into()),
        username: Some("four".into()),
    };
    let sure = Probe {
        name: None,
        account: Some(AccountId::new(id(1))),
        external_id: Some("101".into()),
        email: Some("u1@x.test".into()),
        username: None,
    };
    let nobody = Probe { account: Some(AccountId::new(id(99))), ..by_mail("nobody@x.test") };
    let strange = Probe { account: Some(AccountId::new("not an id")), ..Probe::default() };
    let target = far_end.target();
    let found = find(&target, &[probe, sure, nobody, strange, Probe::default()]).await;
    assert_eq!(found.len(), 5);
    assert_eq!(
        ways(&found[0]),
        [
            (id(1), FoundBy::Link),
            (id(2), FoundBy::ExternalId),
            (id(3), FoundBy::Email),
            (id(4), FoundBy::Username),
        ]
    );
    assert_eq!(ways(&found[1]), [(id(1), FoundBy::Link)]);
    assert!(found[2].is_empty() && found[3].is_empty() && found[4].is_empty());
    // Account 1 came with the mails; only 2 and the unknown one are read by themselves.
    let single: Vec<_> =
        far_end.lines().into_iter().filter(|line| line.starts_with("GET /users/")).collect();
    assert_eq!(single.len(), 2, "{single:?}");
}

#[tokio::test]
async fn mails_are_compared_without_case_and_deactivated_accounts_are_found() {
    let far_end = FarEnd::start().await;
    far_end.company().users =
        vec![user(1, "active", "Nadia.Brisk@x.test"), user(2, "deleted", "gone@x.test")];
    let target = far_end.target();
    let probes = [by_mail("Nadia.Brisk@x.test"), by_mail("GONE@x.test")];
    let found = find(&target, &probes).await;
    assert_eq!(ways(&found[0]), [(id(1), FoundBy::Email)]);
    assert_eq!(ways(&found[1]), [(id(2), FoundBy::Email)]);
    assert_eq!(found[1][0].account.status, AccountStatus::Deleted);
}

#[tokio::test]
async fn many_persons_cost_few_calls() {
    let far_end = FarEnd::start().await;
    far_end.company().users =
        (1..=120).map(|n| user(n, "active", &format!("u{n}@x.test"))).collect();
    far_end.company().external_ids = (1..=120).map(|n| mapping(n, &n.to_string())).collect();
    let probes: Vec<Probe> = (1..=120)
        .map(|n| Probe { external_id: Some(n.to_string()), ..by_mail(&format!("u{n}@x.test")) })
        .collect();
    let found = find(&far_end.target(), &probes).await;
    for (n, found) in (1..=120).zip(&found) {
        assert_eq!(ways(found), [(id(n), FoundBy::ExternalId)]);
        assert_eq!(found[0].claimed_by, None);
    }
    let seen = far_end.take_seen();
    assert_eq!(seen.len(), 6, "three calls for mails, three for external ids");
    for call in &seen {
        let name = if call.line == "GET /users" { "mail[in][]" } else { "value[in][]" };
        assert!((1..=50).contains(&call.count(name)), "{call:?}");
        if call.line == "GET /external-ids" {
            assert_eq!(call.count("platform[eq]"), 1);
            assert!(call.query.contains(&("type[eq]".into(), "user".into())));
        }
    }
}

#[tokio::test]
async fn long_values_make_shorter_filters_and_refused_filters_are_halved() {
    let far_end = FarEnd::start().await;
    let long = |n: u32| format!("{}{n}@x.test", "x".repeat(300));
    far_end.company().users = (1..=40).map(|n| user(n, "active", &long(n))).collect();
    let target = far_end.target();
    let probes: Vec<Probe> = (1..=40).map(|n| by_mail(&long(n))).collect();
    assert!(find(&target, &probes).await.iter().all(|found| found.len() == 1));
    let seen = far_end.take_seen();
    let longest = seen.iter().map(|call| call.count("mail[in][]")).max();
    assert_eq!(longest, Some(6), "2,000 bytes of values at most");

    far_end.company().users =
        (1..=60).map(|n| user(n, "active", &format!("u{n}@x.test"))).collect();
    far_end.can("GET /users", Canned::MostValues(20));
    let probes: Vec<Probe> = (1..=60).map(|n| by_mail(&format!("u{n}@x.test"))).collect();
    assert!(find(&target, &probes).await.iter().all(|found| found.len() == 1));
    // What was learned stays learned.
    far_end.take_seen();
    assert!(find(&target, &probes).await.iter().all(|found| found.len() == 1));
    let lists: Vec<_> =
        far_end.take_seen().into_iter().filter(|call| call.line == "GET /users").collect();
    assert!(lists.iter().all(|call| call.count("mail[in][]") <= 20));
}

#[tokio::test]
async fn a_filter_that_is_refused_for_another_reason_is_an_error() {
    let far_end = FarEnd::start().await;
    far_end.can("GET /users", Canned::MostValues(0));
    let probes: Vec<Probe> = (1..=60).map(|n| by_mail(&format!("u{n}@x.test"))).collect();
    let end = far_end.target().find(PLATFORM, &probes, Lane::Live, deadline()).await;
    assert!(matches!(end, Err(TargetError::Refused { .. })), "{end:?}");
}

#[tokio::test]
async fn rows_that_were_not_asked_for_are_not_believed() {
    let far_end = FarEnd::start().await;
    far_end.company().users = vec![user(1, "active", "a@x.test")];
    let mut foreign = mapping(1, "101");
    foreign["platform"] = "another".into();
    let mut group = mapping(1, "101");
    group["targetType"] = "group".into();
    for (line, rows) in [
        ("GET /external-ids", json!([foreign, group, mapping(1, "999")])),
        ("GET /users", json!([user(1, "active", "a@x.test")])),
    ] {
        far_end.can(line, Canned::Say(200, "application/json", rows.to_string()));
    }
    let probe = Probe { external_id: Some("101".into()), ..by_mail("b@x.test") };
    assert!(find(&far_end.target(), &[probe]).await[0].is_empty());
}

#[tokio::test]
async fn says_whom_an_account_is_claimed_by() {
    let far_end = FarEnd::start().await;
    {
        let mut company = far_end.company();
        company.users = (1..=3).map(|n| user(n, "active", &format!("u{n}@x.test"))).collect();
        company.external_ids = vec![mapping(1, "101"), mapping(2, "102")];
    }
    let target = far_end.target();
    let probes = [
        Probe { external_id: Some("555".into()), ..by_mail("u1@x.test") },
        Probe { external_id: Some("101".into()), ..by_mail("u1@x.test") },
        Probe { external_id: Some("556".into()), ..by_mail("u2@x.test") },
        Probe { external_id: Some("557".into()), ..by_mail("u3@x.test") },
    ];
    let found = find(&target, &probes).await;
    let claims: Vec<_> = found.iter().map(|found| found[0].claimed_by.as_deref()).collect();
    assert_eq!(claims, [Some("101"), None, Some("102"), None]);
    assert_eq!(found[1][0].by, FoundBy::ExternalId);
    // The claims of all are asked for together; the first is known already.
    let seen = far_end.take_seen();
    let asked: Vec<_> = seen.iter().filter(|call| call.count("targetId[in][]") > 0).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].count("targetId[in][]"), 2);
    // Only the unclaimed one could be taken over, so only its roles are looked at.
    let roles: Vec<_> = seen.iter().filter(|call| call.line.ends_with("/roles")).collect();
    assert_eq!(roles.len(), 1);
    assert_eq!(roles[0].line, format!("GET /users/{}/roles", id(3)));
}

#[tokio::test]
async fn the_own_external_id_is_no_other_claim_even_when_it_appears_late() {
    let far_end = FarEnd::start().await;
    far_end.company().users = vec![user(1, "active", "a@x.test")];
    far_end.company().external_ids = vec![mapping(1, "101")];
    far_end.can("GET /external-ids", Canned::Say(200, "application/json", "[]".into()));
    let probe = Probe { external_id: Some("101".into()), ..by_mail("a@x.test") };
    let found = find(&far_end.target(), &[probe]).await;
    assert_eq!(ways(&found[0]), [(id(1), FoundBy::Email)]);
    assert_eq!(found[0][0].claimed_by, None);
}

#[tokio::test]
async fn owners_and_listed_accounts_are_protected() {
    let far_end = FarEnd::start().await;
    {
        let mut company = far_end.company();
        company.users = (1..=4).map(|n| user(n, "active", &format!("u{n}@x.test"))).collect();
        let owner = json!({ "groupId": GROUP, "role": "owner" });
        company.roles.insert(id(1), vec![json!({ "groupId": GROUP, "role": "admin" }), owner]);
        company.external_ids = vec![mapping(3, "103")];
    }
    let target = far_end.target_with(|settings| {
        settings.protected = vec!["U2@X.TEST".into(), id(3)];
    });
    let probes = [
        by_mail("u1@x.test"),
        by_mail("u2@x.test"),
        Probe { external_id: Some("103".into()), ..Probe::default() },
        by_mail("u4@x.test"),
    ];
    let found = find(&target, &probes).await;
    let reasons: Vec<_> = found.iter().map(|found| found[0].protected.as_deref()).collect();
    assert_eq!(
        reasons,
        [
            Some("it belongs to the company's owner"),
            Some("it is listed under target.protected"),
            Some("it is listed under target.protected"),
            None,
        ]
    );
    // Who is protected anyway is not asked about.
    assert_eq!(far_end.lines().iter().filter(|line| line.ends_with("/roles")).count(), 2);
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let probe = Probe { external_id: Some("101".into()), ..by_mail("a@x.test") };
    for line in ["GET /external-ids", "GET /users", "GET /users/"] {
        let far_end = FarEnd::start().await;
        far_end.company().users = vec![user(1, "active", "a@x.test")];
        far_end.can(line, Canned::Say(500, "text/html", "<p>Sorry</p>".into()));
        let target = far_end.target();
        let end = target.find(PLATFORM, std::slice::from_ref(&probe), Lane::Bulk, deadline()).await;
        assert!(matches!(end, Err(TargetError::Again(_))), "{line}: {end:?}");
        assert_eq!(find(&target, std::slice::from_ref(&probe)).await[0].len(), 1);
    }
}

#[tokio::test]
async fn finding_can_be_spawned() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    let task = tokio::spawn(async move { find(&target, &[by_mail("a@x.test")]).await });
    assert_eq!(task.await.unwrap(), [vec![]]);
}

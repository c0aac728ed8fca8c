//! Everything at once: pages, the fewest calls, and lists that are none.

use std::collections::BTreeSet;
use std::time::Duration;

use instep::clock::{Clock, Deadline};
use instep::model::{Account, AccountId, AccountStatus, GroupId, Role};
use instep::sandbox::{Options, Sandbox};
use instep::targets::TargetError;
use instep::targets::learning360::Learning360;
use instep::targets::learning360::snapshot::{Counted, List, Rows};
use serde_json::{Value, json};

use super::far_end::{Canned, FarEnd, GROUP, PLATFORM, code, deadline, id, mapping, user};

const USERS: &str = "GET /users";

fn last(rows: &Value) -> Canned {
    Canned::Say(200, "application/json", rows.to_string())
}

/// A page that says where the next one is.
fn page(far_end: &FarEnd, next: &str, rows: &Value) -> Canned {
    let link = format!("<{}/api/v2/{next}>; rel=\"next\"", far_end.base_url);
    Canned::With(200, "link", link, rows.to_string())
}

fn users(numbers: std::ops::Range<u32>) -> Value {
    numbers.map(|n| user(n, "active", &format!("u{n}@x.test"))).collect()
}

/// All rows of these lists that were handed on, and how it ended.
async fn read(
    target: &Learning360,
    lists: &[List],
    deadline: Deadline,
) -> (Vec<Rows>, Result<Counted, TargetError>) {
    let mut snapshot = target.snapshot(PLATFORM, lists.iter().cloned(), deadline);
    let mut all = Vec::new();
    let end = loop {
        match snapshot.next().await {
            Ok(Some(part)) => all.push(part.rows),
            Ok(None) => break Ok(snapshot.counted().clone()),
            Err(error) => break Err(error),
        }
    };
    (all, end)
}

/// All accounts that were handed on, and how it ended.
async fn accounts(target: &Learning360) -> (Vec<Account>, Result<Counted, TargetError>) {
    let (rows, end) = read(target, &[List::InUse, List::Deactivated], deadline()).await;
    (in_all(rows), end)
}

/// The accounts among rows.
fn in_all(rows: Vec<Rows>) -> Vec<Account> {
    let accounts = |rows| match rows {
        Rows::Accounts(accounts) => accounts,
        rows => panic!("{rows:?}"),
    };
    rows.into_iter().flat_map(accounts).collect()
}

async fn claims(target: &Learning360) -> (Vec<(AccountId, String)>, Counted) {
    let (rows, end) = read(target, &[List::ExternalIds], deadline()).await;
    let claims = |rows| match rows {
        Rows::Claims(claims) => claims,
        rows => panic!("{rows:?}"),
    };
    (rows.into_iter().flat_map(claims).collect(), end.unwrap())
}

async fn members_of(target: &Learning360, groups: &[GroupId]) -> (Vec<(AccountId, Role)>, Counted) {
    let lists: Vec<List> = groups.iter().cloned().map(List::Members).collect();
    let (rows, end) = read(target, &lists, deadline()).await;
    let members = |rows| match rows {
        Rows::Members(members) => members,
        rows => panic!("{rows:?}"),
    };
    (rows.into_iter().flat_map(members).collect(), end.unwrap())
}

#[tokio::test]
async fn a_whole_company_takes_the_fewest_calls() {
    let options = Options {
        people: 1300,
        in_step: true,
        platform: Some(PLATFORM.into()),
        limits: false,
        ..Options::default()
    };
    let clock = Clock::manual("2026-03-02T08:15:30Z".parse().unwrap());
    let sandbox = Sandbox::start(options, clock).await.unwrap();
    let far_end = FarEnd::start().await;
    let known = sandbox.credentials();
    let target = far_end.target_with(|settings| {
        settings.base_url = sandbox.lms_url();
        settings.client_id.clone_from(&known.client_id);
        settings.client_secret = known.client_secret.clone().into();
    });
    let there: BTreeSet<String> = sandbox
        .accounts()
        .iter()
        .map(|account| account["_id"].as_str().unwrap().to_owned())
        .collect();
    assert!(there.len() > 501, "{}", there.len());

    let (all, end) = accounts(&target).await;
    let counted = end.unwrap();
    let ids: BTreeSet<String> = all.iter().map(|account| account.id.to_string()).collect();
    assert_eq!(ids, there);
    assert_eq!(usize::try_from(counted.rows).unwrap(), there.len());
    let gone = all.iter().filter(|account| account.status == AccountStatus::Deleted).count();
    let calls = (all.len() - gone).div_ceil(500) + gone.div_ceil(500).max(1);
    assert_eq!(usize::try_from(counted.calls).unwrap(), calls);
    assert_eq!(counted.doubled, 0);

    let (mapped, counted) = claims(&target).await;
    let mapped: BTreeSet<_> = mapped.into_iter().collect();
    assert_eq!(counted.calls, 1, "5,000 to a page");
    assert_eq!(usize::try_from(counted.rows).unwrap(), mapped.len());
    assert!(mapped.len() > 501 && mapped.iter().all(|(id, _)| there.contains(id.as_str())));

    let groups = [GroupId::new(&known.default_group), GroupId::new(id(99))];
    let (members, counted) = members_of(&target, &groups).await;
    assert_eq!(counted.gone, groups[1..], "a group that does not exist is no failure");
    assert_eq!(usize::try_from(counted.calls).unwrap(), members.len().div_ceil(1000) + 1);
    assert!(members.iter().any(|(_, role)| role == "learner"));
    assert!(members.iter().all(|(account, _)| there.contains(account.as_str())));
}

#[tokio::test]
async fn what_is_shown_again_is_handed_on_once() {
    let far_end = FarEnd::start().await;
    far_end.can(USERS, page(&far_end, "users?next=b", &users(1..4)));
    far_end.can(USERS, last(&users(3..6)));
    far_end.can(USERS, last(&json!([user(5, "deleted", "u5@x.test"), user(6, "deleted", "")])));
    let (all, end) = accounts(&far_end.target()).await;
    let ids: Vec<String> = all.iter().map(|account| account.id.to_string()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6].map(id));
    assert_eq!(end.unwrap(), Counted { rows: 6, doubled: 2, calls: 3, gone: Vec::new() });
    let seen = far_end.take_seen();
    assert_eq!(seen[0].query, [("status[ne]".into(), "deleted".into())]);
    assert_eq!(seen[1].query, [("next".into(), "b".into())], "followed as given");
    assert_eq!(seen[2].query, [("status[eq]".into(), "deleted".into())]);
    assert_eq!(far_end.budgets.taken.lock().unwrap()["reads"], 3);
}

#[tokio::test]
async fn a_list_that_leads_back_or_elsewhere_is_none() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    for links in
        [vec!["users?next=a", "users?next=a"], vec!["users?next=a", "users?next=b", "users?next=a"]]
    {
        for next in &links {
            far_end.can(USERS, page(&far_end, next, &users(1..2)));
        }
        let (_, end) = accounts(&target).await;
        assert!(matches!(&end, Err(TargetError::Again(why)) if why.contains("no end")), "{end:?}");
        assert_eq!(far_end.lines().len(), links.len());
        assert!(far_end.company().canned.is_empty());
    }
    let stranger = FarEnd::start().await;
    let there = page(&stranger, "users?next=1", &users(1..2));
    for _ in 0..4 {
        far_end.can(USERS, there.clone());
    }
    let (all, end) = accounts(&target).await;
    assert!(
        matches!(&end, Err(TargetError::Again(why)) if why.contains("another host")),
        "{end:?}"
    );
    assert!(all.is_empty() && stranger.lines().is_empty() && stranger.company().token_calls == 0);
}

#[tokio::test]
async fn a_page_that_fails_is_asked_for_again_and_in_the_end_all_is_given_up() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    far_end.can(USERS, page(&far_end, "users?next=b", &users(1..3)));
    far_end.can(USERS, Canned::CutOff);
    far_end.can(USERS, Canned::Say(200, "text/html", "<html>maintenance</html>".into()));
    far_end.can(USERS, last(&users(3..5)));
    far_end.can(USERS, last(&json!([])));
    let (all, end) = accounts(&target).await;
    assert_eq!((all.len(), end.unwrap().calls), (4, 5));

    far_end.can(USERS, page(&far_end, "users?next=b", &users(1..3)));
    for _ in 0..4 {
        far_end.can(USERS, Canned::Say(503, "text/plain", String::new()));
    }
    let (_, end) = accounts(&target).await;
    assert!(matches!(end, Err(TargetError::Again(_))), "{end:?}");
    assert!(far_end.company().canned.is_empty());

    // Nobody waits for longer than there is time.
    far_end.can(USERS, Canned::With(429, "retry-after", "60".into(), "{}".into()));
    let soon = Deadline::after(Duration::from_secs(20));
    let (_, end) = read(&target, &[List::InUse], soon).await;
    assert!(matches!(end, Err(TargetError::Wait { .. })), "{end:?}");
    // What is refused is not asked for again.
    far_end.lines();
    far_end.can(USERS, code(403, "invalid_scope"));
    let (_, end) = accounts(&target).await;
    assert!(matches!(end, Err(TargetError::Hold(_))), "{end:?}");
    assert_eq!(far_end.lines().len(), 1);
}

#[tokio::test]
async fn rows_that_were_not_asked_for_are_not_handed_on() {
    let far_end = FarEnd::start().await;
    let mut foreign = mapping(1, "101");
    foreign["platform"] = "another".into();
    let mut group = mapping(2, "102");
    group["targetType"] = "group".into();
    let rows = json!([foreign, group, mapping(3, "103"), mapping(3, "103")]);
    far_end.can("GET /external-ids", last(&rows));
    let (all, counted) = claims(&far_end.target()).await;
    let all: Vec<_> = all.iter().map(|(id, value)| (id.to_string(), value.as_str())).collect();
    assert_eq!(all, [(id(3), "103")]);
    assert_eq!((counted.rows, counted.doubled), (1, 1));
}

#[tokio::test]
async fn a_role_is_told_once_however_often_it_is_shown() {
    let far_end = FarEnd::start().await;
    let row = |n: u32, role: &str| json!({ "userId": id(n), "role": role });
    let roles = format!("groups/{GROUP}/roles");
    let rows = json!([row(1, "learner"), row(1, "admin")]);
    far_end.can("GET /groups", page(&far_end, &format!("{roles}?next=b"), &rows));
    far_end.can("GET /groups", last(&json!([row(1, "admin"), row(2, "owner")])));
    let (all, counted) = members_of(&far_end.target(), &[GroupId::new(GROUP)]).await;
    let all: Vec<_> = all.iter().map(|(id, role)| (id.to_string(), role.as_str())).collect();
    assert_eq!(all, [(id(1), "learner"), (id(1), "admin"), (id(2), "owner")]);
    assert_eq!((counted.rows, counted.doubled, counted.calls), (3, 1, 2));
}

#[tokio::test]
async fn what_was_kept_is_not_asked_for_again() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    let lists = [List::InUse, List::Deactivated];
    far_end.can(USERS, page(&far_end, "users?next=b", &users(1..4)));
    let mut first = target.snapshot(PLATFORM, lists.clone(), deadline());
    let kept = first.next().await.unwrap().expect("a page");
    assert!(kept.next.as_deref().is_some_and(|next| next.ends_with("users?next=b")), "{kept:?}");
    far_end.take_seen();

    let mut second = target.snapshot(PLATFORM, lists.clone(), deadline());
    assert_eq!(second.skip("in use", &kept.rows, kept.next.as_deref()), Some(List::InUse));
    // What was in the kept page comes once more, and goes no further.
    far_end.can(USERS, last(&users(3..6)));
    far_end.can(USERS, last(&json!([])));
    let part = second.next().await.unwrap().expect("a page");
    let ids: Vec<String> =
        in_all(vec![part.rows]).iter().map(|account| account.id.to_string()).collect();
    assert_eq!(ids, [4, 5].map(id));
    assert_eq!(second.next().await.unwrap().map(|part| part.list), Some(List::Deactivated));
    assert_eq!(second.next().await.unwrap(), None);
    let seen = far_end.take_seen();
    assert_eq!(seen[0].query, [("next".into(), "b".into())], "behind the last page");
    assert_eq!((seen.len(), second.counted().calls), (2, 2));
}

/// The far end promises nothing about the addresses of pages.
#[tokio::test]
async fn an_address_that_means_nothing_any_more_starts_the_list_anew() {
    let far_end = FarEnd::start().await;
    let target = far_end.target();
    let kept = Rows::Accounts(Vec::new());
    for address in [format!("{}/api/v2/users?next=b", far_end.base_url), "http://x.test/".into()] {
        let is_ours = !address.starts_with("http://x");
        let mut snapshot = target.snapshot(PLATFORM, [List::InUse], deadline());
        snapshot.skip("in use", &kept, Some(&address));
        if is_ours {
            far_end.can(USERS, code(400, "badRequest"));
        }
        far_end.can(USERS, last(&users(1..3)));
        let part = snapshot.next().await.unwrap().expect("a page");
        assert_eq!(in_all(vec![part.rows]).len(), 2);
        assert_eq!(snapshot.next().await.unwrap(), None);
        let seen = far_end.take_seen();
        assert_eq!(seen.len(), if is_ours { 2 } else { 1 });
        let first = seen.last().expect("a call");
        assert_eq!(first.query, [("status[ne]".into(), "deleted".into())]);
    }
    // One that we were given just now is believed: then the list is none.
    far_end.can(USERS, page(&far_end, "users?next=b", &users(1..3)));
    far_end.can(USERS, code(400, "badRequest"));
    let (_, end) = read(&target, &[List::InUse], deadline()).await;
    assert!(matches!(end, Err(TargetError::Refused { .. })), "{end:?}");
}

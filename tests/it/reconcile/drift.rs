//! Every way of being out of step is found, told with its cause, and mended; a second run finds
//! nothing.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_found_and_mended_on_sqlite() {
    Box::pin(everything(Kept::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_found_and_mended_on_redis() {
    Box::pin(everything(Kept::Redis)).await;
}

async fn everything(kept: Kept) {
    let town = linked(known(30), kept, |_| {}).await;
    let actives = town.actives();
    let account = |id: &str| town.account_of(id)["_id"].clone();
    let [edited, ended, wiped, renamed, leaver, deleted, nameless, idless] =
        [1, 2, 3, 4, 5, 6, 7, 8].map(|n| actives[n].clone());
    town.by_hand(json!({"_id": account(&edited), "set": {"lastName": "Edited"}})).await;
    town.by_hand(json!({"_id": account(&ended), "delete": true})).await;
    town.by_hand(json!({"_id": account(&wiped), "wipe": true})).await;
    town.by_hand(json!({"_id": account(&idless), "set": {"externalIds": []}})).await;
    town.change(&renamed, json!({"surname": "Renamed"}));
    town.change(&leaver, left());
    town.delete(&deleted);
    town.change(&nameless, json!({"email": "new.mail@example.test"}));
    let newcomer = town.hire(json!({"surname": "Newcomer"}));
    let orphan = json!({"set": {"mail": "stranger@example.test", "lastName": "Stranger"}});
    let orphan = town.by_hand(orphan).await;

    let gone = account(&deleted);
    let (run, planned) = plan(&town).await;
    let told = |id: &str| {
        let found = item(&planned, id);
        (found.drift.clone(), found.blame.clone().expect("a blame"), found.kind.expect("a kind"))
    };
    let field = |name: &str, old: Option<&str>, new: &str| Drift::Field {
        name: name.into(),
        old: old.map(Into::into),
        new: Some(new.into()),
    };
    let surname = |id: &str| town.person(id)["surname"].as_str().expect("a name").to_owned();
    let (drift, blame, kind) = told(&edited);
    assert_eq!(drift, [field("last_name", Some("Edited"), &surname(&edited))]);
    assert_eq!((blame, kind), (Blame::EditedByHand, ChangeKind::Update));
    let (drift, blame, kind) = told(&ended);
    assert!(drift.contains(&Drift::ShouldBeActive), "{drift:?}");
    assert_eq!((blame, kind), (Blame::EditedByHand, ChangeKind::Reactivate));
    let (drift, blame, kind) = told(&wiped);
    assert_eq!(drift, [Drift::MissingAccount]);
    assert_eq!((blame, kind), (Blame::EditedByHand, ChangeKind::Create));
    let (drift, blame, kind) = told(&idless);
    assert_eq!(drift, [field("external_id", None, &idless)]);
    assert_eq!((blame, kind), (Blame::EditedByHand, ChangeKind::Update));
    let (drift, blame, _) = told(&renamed);
    assert!(matches!(&drift[..], [Drift::Field { name, .. }] if name == "last_name"), "{drift:?}");
    assert_eq!(blame, Blame::NoEvent);
    let (drift, blame, kind) = told(&leaver);
    assert_eq!(drift, [Drift::ShouldBeInactive]);
    assert_eq!((blame, kind), (Blame::NoEvent, ChangeKind::Deactivate));
    let (drift, _, kind) = told(&deleted);
    assert_eq!(drift, [Drift::NotShown, Drift::ShouldBeInactive]);
    assert_eq!(kind, ChangeKind::Deactivate);
    assert_eq!(told(&nameless).2, ChangeKind::ChangeMail);
    assert_eq!(told(&newcomer), (vec![Drift::MissingAccount], Blame::New, ChangeKind::Create));
    let orphans: Vec<_> = planned.iter().filter(|it| it.drift == [Drift::Orphan]).collect();
    assert!(
        orphans.iter().any(|it| it.account.as_ref().map(instep::model::AccountId::as_str)
            == orphan["_id"].as_str())
    );
    assert_eq!(orphans.len(), 2, "and the owner: {orphans:#?}");
    assert_eq!(planned.len(), 9 + orphans.len(), "{planned:#?}");
    assert!(planned.iter().all(|it| it.state == ItemState::Told));
    assert_eq!((run.state.clone(), run.certificate.missing.len()), (RunState::Done, 0), "{run:#?}");
    assert!(town.deliveries_of(&renamed).await.iter().all(|it| it.kind != "sync.absent"));

    let _serving = town.serve(&[]).await;
    let acted = sync(&town).await;
    assert_eq!(acted.state, RunState::Done, "{acted:#?}");
    for item in items(&town, &acted).await.iter().filter(|it| it.kind.is_some()) {
        let done = matches!(&item.state, ItemState::Done { done } if !done.is_empty());
        assert!(done, "{item:#?}\n{}", town.report().await);
    }
    let differing = town.differing();
    assert!(differing.iter().all(|it| it.who == orphan["_id"]), "{differing:#?}");
    let accounts = town.sandbox.accounts();
    let gone = accounts.iter().find(|account| account["_id"] == gone);
    assert_eq!(gone.expect("it is kept")["status"], "deleted");
    assert_eq!(town.account_of(&idless)["status"], "active");

    let writes = town.sandbox.writes();
    let again = sync(&town).await;
    let left = items(&town, &again).await;
    assert!(left.iter().all(|it| it.drift == [Drift::Orphan]), "{left:#?}");
    assert_eq!((town.sandbox.writes(), again.slices.len()), (writes, 0));
}

const RULES: &str = r#"
[rules.groups.departments]
path = "['Departments', label.work.department]"
create = true

[rules.custom_fields]
"Phone at work" = "work.workPhone"
"#;

/// Groups, custom fields and managers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn belongings_are_found_and_mended() {
    let field = instep::sandbox::FieldSetup { name: "Phone at work".into(), ..Default::default() };
    let options = Options { custom_fields: vec![field], people: 0, ..known(0) };
    let town = linked(options, Kept::Sqlite, |toml| {
        *toml = toml.replace("[rules]\n", "[rules]\nmanager = \"work.reportsTo.id\"\n");
        toml.push_str(RULES);
    })
    .await;
    let [boss, other] = ["Boss", "Other"].map(|surname| town.hire(json!({"surname": surname})));
    let work = json!({"department": "261454001", "workPhone": "1", "manager": boss});
    let id = town.hire(json!({"work": work}));
    let serving = town.serve(&[]).await;
    let made = sync(&town).await;
    assert_eq!(made.state, RunState::Done);
    town.equal().await;
    let again = sync(&town).await;
    let left = items(&town, &again).await;
    assert!(left.iter().all(|it| it.drift == [Drift::Orphan]), "{left:#?}");

    // Removed from the group by hand, and two changes of which HR told nobody.
    let account = town.account_of(&id);
    let mut roles = account["groups"].as_array().expect("groups").clone();
    let groups = town.lms_groups().await;
    let engineering = groups.iter().find(|group| group["name"] == "Engineering").expect("a group");
    roles.retain(|row| row["groupId"] != engineering["_id"]);
    town.by_hand(json!({"_id": account["_id"], "set": {"groups": roles}})).await;
    town.change(&id, json!({"work": {"workPhone": "2", "manager": other}}));
    let (_, planned) = plan(&town).await;
    let drift = &item(&planned, &id).drift;
    let joins =
        |it: &Drift| matches!(it, Drift::NotInGroup { group } if group.starts_with("Departments/"));
    assert!(drift.iter().any(joins), "{drift:?}");
    let field =
        Drift::Field { name: "Phone at work".into(), old: Some("1".into()), new: Some("2".into()) };
    assert!(drift.contains(&field), "{drift:?}");
    assert!(drift.iter().any(|it| matches!(it, Drift::Manager { old: Some(_), new: Some(_) })));
    sync(&town).await;
    let now = town.account_of(&id);
    assert_eq!(now["memberships"], account["memberships"]);
    assert_eq!(now["customValues"], json!({"Phone at work": "2"}));
    assert_eq!(now["managers"], json!([town.account_of(&other)["_id"]]));

    // Another department: the old one is left.
    town.change(&id, json!({"work": {"department": "261454011"}}));
    let (_, planned) = plan(&town).await;
    let moved = item(&planned, &id);
    assert_eq!(moved.kind, Some(ChangeKind::LeaveGroup));
    assert!(moved.drift.iter().any(|it| matches!(it, Drift::InGroup { .. })), "{moved:?}");
    sync(&town).await;
    let writes = town.sandbox.writes();
    let end = sync(&town).await;
    assert!(end.slices.is_empty() && town.sandbox.writes() == writes, "{end:#?}");
    drop(serving);
}

/// What somebody edits by hand where the LMS's lists do not show it: each account has its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn belongings_edited_by_hand_are_found_in_turn() {
    let field = instep::sandbox::FieldSetup { name: "Phone at work".into(), ..Default::default() };
    let options = Options { custom_fields: vec![field], people: 0, ..known(0) };
    let town = linked(options, Kept::Sqlite, |toml| {
        *toml = toml.replace("[rules]\n", "[rules]\nmanager = \"work.reportsTo.id\"\n");
        toml.push_str("\n[rules.custom_fields]\n\"Phone at work\" = \"work.workPhone\"\n");
        toml.push_str("\n[schedule]\ncloser_looks = 2\n");
    })
    .await;
    let boss = town.hire(json!({"surname": "Boss", "work": {"workPhone": "0"}}));
    let hire = |phone: &str| town.hire(json!({"work": {"workPhone": phone, "manager": boss}}));
    let [one, two, three] = ["1", "2", "3"].map(hire);
    let _serving = town.serve(&[]).await;
    sync(&town).await;
    // Managers who had no account yet are added when they have one.
    town.at_rest().await;
    town.equal().await;

    // A value, a manager, and a value that nobody else knows of and everybody keeps.
    let account = |id: &str| town.account_of(id)["_id"].clone();
    let edited = json!({"_id": account(&one), "set": {"customFields": {"Phone at work": "666"}}});
    town.by_hand(edited).await;
    town.by_hand(json!({"_id": account(&two), "set": {"managers": []}})).await;
    let strange = json!({"_id": account(&three), "set": {"managers":
        [account(&boss), account(&one)]}});
    town.by_hand(strange).await;

    let (mut found, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (planned, _) = plan(&town).await;
        let run = sync(&town).await;
        assert_eq!(planned.remarks, run.remarks, "a plan takes nobody's turn");
        assert!(run.remarks.iter().any(|it| it.contains("2 of 4 accounts")), "{run:#?}");
        calls.push(run.calls["360learning closer looks"]);
        found.extend(items(&town, &run).await.into_iter().filter(|it| it.kind.is_some()));
    }
    assert_eq!(calls, [4, 4]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|it| it.blame == Some(Blame::EditedByHand)), "{found:#?}");
    let of = |id: &str| item(&found, id).drift.clone();
    let (old, new) = (Some("666".to_owned()), Some("1".to_owned()));
    assert_eq!(of(&one), [Drift::Field { name: "Phone at work".into(), old, new }]);
    assert!(matches!(&of(&two)[..], [Drift::Manager { old: None, new: Some(_) }]));
    assert_eq!(town.account_of(&one)["customValues"], json!({"Phone at work": "1"}));
    assert_eq!(town.account_of(&two)["managers"], json!([account(&boss)]));
    assert_eq!(town.account_of(&three)["managers"].as_array().map(Vec::len), Some(2), "left alone");

    let writes = town.sandbox.writes();
    for _ in 0..2 {
        let run = sync(&town).await;
        assert!(run.slices.is_empty(), "{run:#?}");
    }
    assert_eq!(town.sandbox.writes(), writes);
}

/// Two accounts could be one person's: nothing is done, a human decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_disputed_is_only_told() {
    let town = linked(known(10), Kept::Sqlite, |_| {}).await;
    let name = "same.mail@example.test";
    let first = town.hire(json!({"email": name}));
    let mine = json!({"set": {"mail": name, "externalIds": [
        {"platform": "instep-bob", "value": "4711"},
    ]}});
    town.by_hand(mine).await;
    let (run, planned) = plan(&town).await;
    let told = item(&planned, &first);
    assert!(matches!(&told.drift[..], [Drift::Disputed { .. }]), "{told:?}");
    assert_eq!((told.kind, run.slices.len()), (None, 0));

    // Whom only a full sync found is listed until somebody has decided.
    let listed = async || {
        let output = town.cli(&["matches", "--json"]).await;
        let text = String::from_utf8(output.stdout).expect("text");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.collect::<Vec<_>>()
    };
    let waiting = listed().await;
    let [one] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((&one["person"], &one["delivery"]), (&json!(format!("bob/{first}")), &Value::Null));
    assert!(one["candidates"].to_string().contains(name), "{one}");
    town.told(&["match", &first, "--ignore"]).await;
    assert_eq!(listed().await, [Value::Null; 0]);
}

/// A value that the rules refuse is no dispute about an account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_rules_refuse_is_told_as_such() {
    let town = linked(known(10), Kept::Sqlite, |_| {}).await;
    let id = town.hire(json!({"email": "nobody at example.test"}));
    let (run, planned) = plan(&town).await;
    let told = item(&planned, &id);
    assert!(matches!(&told.drift[..], [Drift::Refused { .. }]), "{told:?}");
    assert_eq!((told.kind, run.slices.len()), (None, 0));
    let said = town.told(&["runs", "show", "last"]).await;
    assert!(said.contains("1 person refused by the rules") && !said.contains("disputed"), "{said}");
    assert!(said.contains("instep explain"), "{said}");
}

/// As few calls as there are pages: with at most one page of everything, one call each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_makes_as_few_calls_as_possible() {
    let town = linked(known(40), Kept::Sqlite, |_| {}).await;
    let (hr, lms) = (town.hr_calls().await, town.lms_calls().await);
    let (run, _) = plan(&town).await;
    let (hr_now, lms_now) = (town.hr_calls().await, town.lms_calls().await);
    assert_eq!(hr_now.of(SEARCH) - hr.of(SEARCH), 1);
    // Accounts in use, those that are deactivated, and external ids.
    assert_eq!(lms_now.reads() - lms.reads(), 3);
    assert_eq!(run.calls["360learning reads"], 3);
}

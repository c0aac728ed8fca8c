//! What the API and the console leave out for whoever may not see it.

use instep::model::{
    Access, AccountId, ChangeKind, Drift, EmployeeId, Item, ItemState, Run, RunId, SourceName,
};

use super::Pages;

/// Stands in each value, and nowhere else.
const SECRET: &str = "Zanzibar";

async fn furnish(pages: &Pages) -> RunId {
    let now = pages.clock.now();
    let run = Run::begun(RunId::fresh(), SourceName::new("bob"), "ann", now);
    assert!(pages.store.save_run(&run).await.expect("a store"));
    let group = || format!("Departments/{SECRET} as learner");
    let item = Item {
        number: 1,
        employee: Some(EmployeeId::new("17")),
        name: format!("Ann {SECRET}"),
        account: Some(AccountId::new("5f0a")),
        kind: Some(ChangeKind::LeaveGroup),
        drift: vec![
            Drift::Field { name: "job".into(), old: Some(SECRET.into()), new: Some(SECRET.into()) },
            Drift::NotInGroup { group: group() },
            Drift::InGroup { group: group() },
            Drift::Manager { old: None, new: Some(AccountId::new("5f0b")) },
        ],
        blame: None,
        state: ItemState::Told,
        again: Vec::new(),
    };
    pages.store.save_items(&run.id, &[item]).await.expect("a store");
    run.id
}

#[tokio::test]
async fn items_of_a_run_say_nothing_of_names_values_and_groups_unless_asked() {
    for access in [Access::Viewer, Access::Operator] {
        let pages = Pages::open(access);
        let run = furnish(&pages).await;
        let path = format!("/api/v1/runs/{run}/items");
        let veiled = pages.get(&path).await;
        assert_eq!(veiled.status, 200, "{}", veiled.text);
        veiled.has("\"not_in_group\"");
        veiled.has("5f0b");
        veiled.has_not(SECRET);
        pages.get(&format!("/console/runs/{run}")).await.has_not(SECRET);
        for file in ["report.html", "report.json"] {
            pages.get(&format!("/console/runs/{run}/files/{file}")).await.has_not(SECRET);
        }
        let asked = pages.get(&format!("{path}?personal=true")).await;
        if access == Access::Viewer {
            assert_eq!(asked.status, 403);
            asked.has_not(SECRET);
        } else {
            asked.has(&format!("Departments/{SECRET} as learner"));
        }
    }
}

#[tokio::test]
async fn viewers_do_not_read_what_others_did() {
    let pages = Pages::open(Access::Operator);
    pages.post("/console/people?q=17", "do=unmask").await;
    let page = pages.get("/console/audit").await;
    page.has("unmask");
    page.has("href=\"/console/audit\"");
    let viewer = Pages::open(Access::Viewer);
    viewer.get("/console/audit").await.is_refused(403, "operator");
    viewer.get("/console").await.has_not("/console/audit");
    assert_eq!(viewer.get("/api/v1/audit").await.status, 403);
}

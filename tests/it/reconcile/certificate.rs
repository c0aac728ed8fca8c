//! Without proof that HR's answer was complete nobody is deactivated, and the run says what was
//! missing.

use super::*;

/// What a run says when HR answers like this; nobody may have been deactivated by it.
async fn answered(town: &Town, fault: Value) -> Run {
    let before = in_use(town);
    let mut fault = fault;
    fault["endpoint"] = SEARCH.into();
    town.hr("/_sandbox/faults", fault).await;
    let run = sync(town).await;
    town.at_rest().await;
    assert_eq!(in_use(town), before, "{run:#?}");
    town.hr("/_sandbox/faults", json!({"clear": true})).await;
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_no_whole_list_deactivates_nobody() {
    let town = linked(known(30), Kept::Sqlite, |_| {}).await;
    let serving = town.serve(&[]).await;
    // Somebody has left for certain: also they stay until the answer is whole.
    let leaver = &town.actives()[3];
    town.change(leaver, left());
    for fault in [json!({"truncate": true}), json!({"html": true})] {
        let run = answered(&town, fault.clone()).await;
        let RunState::Failed { reason } = &run.state else { panic!("{fault}: {run:#?}") };
        assert!(reason.contains("HR did not show everyone"), "{reason}");
        assert!(run.certificate.missing[0].contains("not read to its end"), "{run:#?}");
        assert!(run.slices.is_empty() && items(&town, &run).await.is_empty());
    }
    let run = answered(&town, json!({"status": 200, "body": {"employees": []}})).await;
    assert!(run.certificate.missing[0].contains("nobody at all"), "{run:#?}");
    assert!(matches!(slice(&run, ChangeKind::Deactivate), SliceState::Held { .. }), "{run:#?}");
    // Now it is whole.
    let run = sync(&town).await;
    assert_eq!(run.certificate.missing.len(), 0, "{run:#?}");
    assert_eq!(town.account_of(leaver)["status"], "deleted");
    drop(serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_fields_that_are_missing_deactivate_nobody() {
    let town = linked(known(30), Kept::Sqlite, |_| {}).await;
    let _serving = town.serve(&[]).await;
    let actives = town.actives();
    let half: Vec<&String> = actives.iter().take(actives.len() / 2).collect();
    let run = answered(&town, json!({"omit_person": half})).await;
    let missing = run.certificate.missing.join(" ");
    assert!(missing.contains("active account were not shown"), "{missing}");
    assert!(matches!(slice(&run, ChangeKind::Deactivate), SliceState::Held { .. }), "{run:#?}");
    let held = items(&town, &run).await;
    let held = held.iter().filter(|item| item.state == ItemState::Held).count();
    assert_eq!(held, half.len());
    for field in ["internal.status", "work.site"] {
        let run = answered(&town, json!({"omit_field": field})).await;
        let missing = run.certificate.missing.join(" ");
        assert!(missing.contains(&format!("{field} came for nobody")), "{missing}");
        assert!(run.remarks.iter().any(|it| it.contains("could not be judged")), "{run:#?}");
    }
    assert!(town.differing().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_lms_that_does_not_show_everything_ends_the_run() {
    let town = linked(known(20), Kept::Sqlite, |_| {}).await;
    let _serving = town.serve(&[]).await;
    town.change(&town.actives()[3], json!({"surname": "Later"}));
    let fault = json!({"endpoint": "GET /api/v2/external-ids", "status": 500});
    town.lms("/_sandbox/faults", fault).await;
    let writes = town.sandbox.writes();
    let run = sync(&town).await;
    let RunState::Failed { reason } = &run.state else { panic!("{run:#?}") };
    assert!(reason.contains("the LMS did not show everything"), "{reason}");
    assert_eq!(town.sandbox.writes(), writes);
    // One page that fails is asked for again.
    town.lms("/_sandbox/faults", json!({"clear": true})).await;
    let fault = json!({"endpoint": "GET /api/v2/users", "status": 500, "times": 1});
    town.lms("/_sandbox/faults", fault).await;
    assert_eq!(sync(&town).await.state, RunState::Done);
    assert!(town.differing().is_empty());
}

//! Far ends that show something twice in a run: a page of the LMS, a person of HR. Each counts once,
//! nobody is deactivated for it, and the run and its report say it.

use super::*;

const USERS: &str = "GET /api/v2/users";

/// What `instep sync` says, and what the report says of that run.
async fn told(town: &Town) -> (Run, String) {
    town.cli(&["sync", "--by", "ann"]).await;
    town.at_rest().await;
    let run = newest(town).await;
    (run, town.told(&["runs", "show", "last"]).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_the_lms_shows_twice_deactivates_nobody() {
    let town = linked(known(620), Kept::Sqlite, |_| {}).await;
    town.sandbox.limit(false);
    let _serving = town.serve(&["--role", "worker"]).await;
    town.change(&town.actives()[3], json!({"surname": "Later"}));
    let before = in_use(&town);
    // The first page says that the next one is there: the same list, from its beginning.
    let next = format!("{}/api/v2/users?", town.sandbox.lms_url());
    town.lms("/_sandbox/faults", json!({"endpoint": USERS, "times": 1, "next": next})).await;
    let (run, report) = told(&town).await;
    assert_eq!((&run.state, run.changed, run.failed), (&RunState::Done, 1, 0), "{run:#?}");
    assert_eq!(in_use(&town), before, "{run:#?}");
    assert!(run.slices.iter().all(|it| it.kind == ChangeKind::Update), "{run:#?}");
    let repeated = "rows more than once; each counts once.";
    assert!(report.contains(repeated), "{report}");
    assert!(town.differing().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_whom_hr_shows_twice_is_one_person() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = linked(known(40), kept, |_| {}).await;
        town.sandbox.limit(false);
        let _serving = town.serve(&["--role", "worker"]).await;
        let actives = town.actives();
        let (before, leaver) = (in_use(&town), &actives[7]);
        town.change(&actives[3], json!({"surname": "Later"}));
        town.change(leaver, left());
        // As many are shown twice as are missing: the count alone looks right.
        let twice = json!({
            "endpoint": SEARCH, "times": 1,
            "repeat_person": &actives[..6], "omit_person": &actives[10..16],
        });
        town.hr("/_sandbox/faults", twice).await;
        let (run, report) = told(&town).await;
        assert_eq!((&run.state, run.changed), (&RunState::Done, 1), "{run:#?}");
        assert_eq!(in_use(&town), before, "nobody, not even who left: {run:#?}");
        let held = slice(&run, ChangeKind::Deactivate);
        assert!(matches!(held, SliceState::Held { .. }), "{run:#?}");
        assert_eq!(town.account_of(&actives[3])["lastName"], "Later");
        let missing = run.certificate.missing.join(" ");
        assert!(missing.contains("6 people were listed more than once"), "{missing}");
        assert!(report.contains("listed more than once"), "{report}");
        assert!(report.contains("HR listed 6 people more than once."), "{report}");
        // The next answer is whole.
        let (run, _) = told(&town).await;
        assert_eq!(run.certificate.missing.len(), 0, "{run:#?}");
        assert!(run.remarks.iter().all(|it| !it.contains("more than once")), "{run:#?}");
        assert_eq!(
            (town.account_of(leaver)["status"].as_str(), in_use(&town)),
            (Some("deleted"), before - 1)
        );
        assert!(town.differing().is_empty());
    }
}

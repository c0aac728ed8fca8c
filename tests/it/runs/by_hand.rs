//! `instep sync` and `instep runs`, through the binary.

use instep::sandbox::Options;
use serde_json::{Value, json};

use crate::harness::town::{Kept, Town, as_it_is};

fn stepping(people: usize) -> Options {
    let platform = Some("instep-bob".to_owned());
    Options { people, in_step: true, platform, ..Options::default() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command says and by which code it ends.
async fn said(town: &Town, args: &[&str]) -> (Option<i32>, String) {
    let output = town.cli(args).await;
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_looks_and_a_sync_acts() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = Town::new(stepping(24), kept, as_it_is).await;
        assert_eq!(said(&town, &["runs"]).await.0, Some(1), "there was none yet");
        town.sandbox.limit(false);
        let id = &town.actives()[1];
        town.change(id, json!({"surname": "Drifted"}));

        let (code, told) = said(&town, &["sync", "--plan"]).await;
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("1 person would change"), "{told}");
        assert_eq!(town.sandbox.writes(), 0, "a plan changes nothing");
        let (code, told) = said(&town, &["sync", "--source", "nobody"]).await;
        assert_eq!(code, Some(2), "{told}");

        let serving = town.serve(&[]).await;
        let document = town.told(&["sync", "--json", "--by", "ann"]).await;
        let document = parsed(&document);
        assert_eq!(document["run"]["asked_by"], "ann");
        assert_eq!(document["run"]["changed"], 1, "{document:#}");
        assert_eq!(town.account_of(id)["lastName"], "Drifted");

        let listed = town.told(&["runs", "--json"]).await;
        let listed: Vec<Value> = listed.lines().map(parsed).collect();
        assert_eq!(listed.len(), 2, "{listed:#?}");
        assert_eq!(listed[1]["plan_only"], true, "newest first");
        let run = listed[0]["id"].as_str().expect("an id").to_owned();
        let table = town.told(&["runs"]).await;
        assert!(table.contains(&run) && table.contains("ann"), "{table}");

        let shown = town.told(&["runs", "show", "last", "--items"]).await;
        assert!(shown.contains("Drifted"), "{shown}");
        let shown = town.told(&["runs", "show", &run, "--items", "--personal", "none"]).await;
        assert!(shown.contains(id) && !shown.contains("Drifted"), "{shown}");
        let folder = town.config().with_file_name("sheets");
        let page = town.config().with_file_name("run.html");
        let (folder, page) = (folder.display().to_string(), page.display().to_string());
        town.told(&["runs", "show", "last", "--csv", &folder, "--html", &page]).await;
        let sheet = std::fs::read_to_string(format!("{folder}/changed.csv")).expect("a sheet");
        assert!(sheet.contains(&format!("bob/{id}")), "{sheet}");
        assert!(std::fs::read_to_string(page).expect("a page").contains("</html>"));
        // It has ended: there is nothing to wait for.
        let watched = town.told(&["runs", "watch", &run]).await;
        assert!(watched.contains("1 person changed"), "{watched}");
        for (args, expected) in [
            (vec!["runs", "show", "0"], Some(1)),
            (vec!["runs", "cancel", &run, "--by", "ann"], Some(1)),
            (
                vec!["runs", "reject", &run, "--slice", "update", "--by", "ann", "--reason", " "],
                Some(2),
            ),
            (vec!["runs", "approve", &run, "--slice", "everything"], Some(2)),
            (vec!["runs", "approve", &run, "--slice", "update", "--by", "ann"], Some(1)),
        ] {
            let (code, told) = said(&town, &args).await;
            assert_eq!(code, expected, "{args:?}: {told}");
        }
        drop(serving);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_wait_leaves_the_run_to_those_who_serve() {
    let town = Town::new(stepping(20), Kept::Sqlite, as_it_is).await;
    town.sandbox.limit(false);
    let id = &town.actives()[2];
    town.change(id, json!({"surname": "Later"}));
    let (code, told) = said(&town, &["sync", "--no-wait"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("queued") && told.contains("instep runs watch"), "{told}");
    assert_eq!(town.sandbox.writes(), 0, "nobody serves yet");
    let _serving = town.serve(&[]).await;
    let (code, told) = said(&town, &["runs", "watch", "last"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(town.account_of(id)["lastName"], "Later");
}

/// The brake lets two go.
fn braked(toml: &mut String) {
    *toml = toml.replace("[brake]\n", "[brake]\ndeactivate = { percent = 1, least = 2 }\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_brake_held_is_decided_by_people() {
    let town = Town::new(stepping(40), Kept::Sqlite, braked).await;
    town.sandbox.limit(false);
    let _serving = town.serve(&[]).await;
    town.told(&["sync"]).await;
    let leavers: Vec<String> = town.actives().into_iter().skip(1).take(6).collect();
    for id in &leavers {
        town.change(id, json!({"internal": {"status": "Inactive"}}));
    }
    let active = |id: &String| town.account_of(id)["status"] == "active";

    let (code, told) = said(&town, &["sync"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("6 deactivations held"), "{told}");
    assert!(leavers.iter().all(active), "nobody was deactivated");

    // With one wrong digit nobody is approved.
    let slice = ["runs", "approve", "last", "--slice", "deactivate"];
    let (code, told) =
        said(&town, &[&slice[..], &["--by", "ann", "--except", "4711"]].concat()).await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("4711"), "{told}");

    let sheets = town.config().with_file_name("sheets").display().to_string();
    town.told(&["runs", "show", "last", "--csv", &sheets]).await;
    let sheet = std::fs::read_to_string(format!("{sheets}/held.csv")).expect("a sheet");
    let is_kept = |line: &&str| !line.contains(&leavers[0]) && !line.contains(&leavers[1]);
    let some: Vec<&str> = sheet.lines().filter(is_kept).collect();
    let file = format!("{sheets}/some.csv");
    std::fs::write(&file, some.join("\r\n")).expect("a file");
    let (code, told) = said(&town, &[&slice[..], &["--only", &file, "--by", "ann"]].concat()).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("for 4 people"), "{told}");
    let gone = || leavers[2..].iter().all(|id| !active(id));
    town.until("those four are deactivated", async || gone()).await;
    town.at_rest().await;
    assert!(leavers[..2].iter().all(active), "and the other two are not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_slice_is_left_as_it_is() {
    let town = Town::new(stepping(40), Kept::Sqlite, braked).await;
    town.sandbox.limit(false);
    let _serving = town.serve(&[]).await;
    town.told(&["sync"]).await;
    for id in town.actives().iter().skip(1).take(6) {
        town.change(id, json!({"internal": {"status": "Inactive"}}));
    }
    assert_eq!(said(&town, &["sync"]).await.0, Some(1));
    let reject = ["runs", "reject", "last", "--slice", "deactivate", "--by", "ann", "--reason"];
    town.told(&[&reject[..], &["a mistake in HR"]].concat()).await;
    let shown = town.told(&["runs", "show", "last"]).await;
    assert!(shown.contains("a mistake in HR") && shown.contains("ann"), "{shown}");
    let approve = ["runs", "approve", "last", "--slice", "deactivate", "--by", "ann"];
    assert_eq!(said(&town, &approve).await.0, Some(1), "it was rejected");
}

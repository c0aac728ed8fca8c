//! `instep doctor`: finds what is wrong, and says nothing that others may not read.

use instep::sandbox::Options;
use serde_json::{Value, json};

use crate::harness::town::{Kept, Town, as_it_is};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn said(town: &Town, args: &[&str]) -> (Option<i32>, String) {
    let output = town.cli(args).await;
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn stepping() -> Options {
    let platform = Some("instep-bob".to_owned());
    Options { people: 12, in_step: true, platform, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_well_is_told_so() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let town = Town::new(stepping(), kept, as_it_is).await;
        let serving = town.open().await;
        // The doctor looks at the port that is configured.
        let port = serving.url("").rsplit_once(':').expect("a port").1.to_owned();
        town.rewrite(|toml| *toml = toml.replace("127.0.0.1:0", &format!("127.0.0.1:{port}")));
        town.told(&["sync"]).await;
        let (code, told) = said(&town, &["doctor"]).await;
        assert_eq!(code, Some(0), "{told}");
        for line in [
            "configuration",
            "source bob",
            "clock of target",
            "serves here as receiver, worker, scheduler",
            "full sync of bob",
            "0 failed",
            "Verdict: ",
        ] {
            assert!(told.contains(line), "{line} is not in:\n{told}");
        }
        assert!(!told.contains("ILL"), "{told}");
        let (_, told) = said(&town, &["doctor", "--json"]).await;
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
        let parts: Vec<&str> = told["remarks"]
            .as_array()
            .expect("remarks")
            .iter()
            .filter_map(|it| it["part"].as_str())
            .collect();
        for part in ["store", "target", "rules", "queue", "holds", "dead letters", "process"] {
            assert!(parts.contains(&part), "{part} is not among {parts:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ill_is_told_without_secrets_names_or_places() {
    let marks = "[mail]\nserver = \"smtp.marked-host.example:587\"\nuser = \"marked-user\"\n\
                 password = { env = \"MARKED\" }\nfrom = \"marked.from@norvane.example\"\n\
                 to = [\"marked.to@norvane.example\"]\n\
                 [telemetry]\notlp_endpoint = \"https://otel.marked-host.example\"\n";
    let town = Town::new(stepping(), Kept::Sqlite, |toml| {
        toml.push_str(&marks.replace("{ env = \"MARKED\" }", "{ file = \"marked-password\" }"));
    })
    .await;
    std::fs::write(town.config().with_file_name("marked-password"), "marked-hunter2\n")
        .expect("it");
    let serving = town.open().await;
    let person = town.actives()[0].clone();
    town.change(&person, json!({"surname": "Markedname", "email": "marked mail@x"}));
    town.until("there is a dead letter", async || {
        town.depth().await.is_some_and(|depth| depth.dead > 0)
    })
    .await;
    // Now HiBob refuses us, and its answer is full of what nobody may read.
    let fault = json!({"endpoint": "POST /v1/people/search", "status": 401, "times": 100});
    town.hr("/_sandbox/faults", fault).await;
    town.nudge(&town.actives()[1]);
    town.until("it is on hold", async || {
        town.store().await.holds().await.is_ok_and(|holds| !holds.is_empty())
    })
    .await;

    let (code, told) = said(&town, &["doctor"]).await;
    assert_eq!(code, Some(1), "{told}");
    for line in ["ILL   holds", "source bob since", "dead letters", "Verdict: ILL"] {
        assert!(told.contains(line), "{line} is not in:\n{told}");
    }
    let (_, document) = said(&town, &["doctor", "--json"]).await;
    let known = town.sandbox.credentials();
    let folder = town.config().parent().expect("a folder").display().to_string();
    let hidden = [
        "arked".to_owned(),
        "norvane.example".to_owned(),
        known.token.clone(),
        known.service_user.clone(),
        known.client_id.clone(),
        known.client_secret.clone(),
        known.webhook_secret.clone(),
        person,
        folder,
    ];
    for hidden in hidden {
        assert!(!told.contains(&hidden), "{hidden} is in:\n{told}");
        assert!(!document.contains(&hidden), "{hidden} is in:\n{document}");
    }
    drop(serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_not_in_order_is_named_by_its_keys() {
    let town = Town::new(stepping(), Kept::Sqlite, |toml| {
        *toml = toml.replace("type = \"360learning\"", "type = \"marked-hunter2\"");
    })
    .await;
    let (code, told) = said(&town, &["doctor"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("target.type") && told.contains("instep check"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

//! `check --connect`: what the rules name at the far ends is there; `rules misses`, `rules test`.

use serde_json::{Value, json};

use super::{objects, stepping, text};
use crate::harness::town::{Kept, Town};

/// Rules that name groups, custom fields and values, some of which there are not.
const WRONG: &str = r#"
[rules.custom_fields]
"Cost center" = "root.id"
Contract = "'permanent'"

[rules.groups.sites]
path = "'Sites/Londn'"

[rules.groups.made]
path = "'Sites/Rome'"
create = true

[rules.groups.twins]
path = "'Twin'"
"#;

async fn far_end(town: &Town) {
    let field = json!({"name": "Cost centre", "targetType": "users", "type": "string"});
    town.lms_api("POST", "/custom-fields", field).await;
    let field = json!({"name": "Contract", "targetType": "users", "type": "string"});
    let made = town.lms_api("POST", "/custom-fields", field).await;
    let values =
        format!("/custom-fields/{}/authorized-values", made["_id"].as_str().expect("an id"));
    town.lms_api("PUT", &values, json!({"authorizedValues": ["Permanent", "Fixed term"]})).await;
    let root = town.lms_groups().await.into_iter().find(|it| it["parentId"].is_null());
    let root = root.expect("a root")["_id"].clone();
    let group = async |name: &str, parent: &Value| {
        let group = json!({"name": name, "public": false, "parentId": parent});
        town.lms_api("POST", "/groups", group).await["_id"].clone()
    };
    let known = town.lms_groups().await.into_iter().find(|it| it["name"] == "Sites");
    let sites = match known {
        Some(sites) => sites["_id"].clone(),
        None => group("Sites", &root).await,
    };
    if !town.lms_groups().await.iter().any(|it| it["name"] == "London") {
        group("London", &sites).await;
    }
    group("Twin", &root).await;
    group("Twin", &root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_rules_name_and_there_is_not_is_told_at_its_place() {
    let town = Town::new(stepping(4), Kept::Sqlite, |toml| {
        *toml = toml.replace("\"label.work.title\"", "\"label.work.tytle\"");
        toml.push_str(WRONG);
    })
    .await;
    far_end(&town).await;
    let writes = town.sandbox.writes();
    let said = town.told(&["check"]).await;
    assert!(said.contains("is in order"), "without the far ends: {said}");
    let output = town.cli(&["check", "--connect", "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    let findings = objects(&out[out.find("\n{\"").map_or(0, |at| at + 1)..]);
    let named: Vec<(&str, String)> = findings
        .iter()
        .filter(|it| it["part"] == "rules")
        .map(|it| {
            (it["key"].as_str().expect("a key"), it["message"].as_str().expect("words").into())
        })
        .collect();
    let twins = named.iter().find(|(key, _)| key.contains("twins")).expect("twins");
    assert!(twins.1.contains("several groups `Twin`: name the id of one"), "{named:?}");
    for (key, words) in [
        ("fields.job", "HiBob has no field `work.tytle`, did you mean `work.title`?"),
        ("custom_fields.Cost center", "did you mean `Cost centre`?"),
        ("custom_fields.Contract", "does not allow the value `permanent`"),
        ("groups.sites", "360Learning has no group `Sites/Londn`, did you mean `Sites/London`?"),
    ] {
        let found = named.iter().any(|(at, told)| at.contains(key) && told.contains(words));
        assert!(found, "{key}: {words} is not in {named:#?}");
    }
    assert_eq!(named.len(), 5, "{named:#?}");
    let toml = town.toml();
    let line = toml.lines().position(|line| line.contains("Londn")).expect("there") + 1;
    let groups =
        findings.iter().find(|it| it["key"].as_str().is_some_and(|it| it.contains("sites")));
    assert_eq!(groups.expect("found")["line"], line);

    let output = town.cli(&["check", "--connect"]).await;
    let said = text(&output.stdout);
    assert!(said.contains(&format!("instep.toml:{line}:")) && said.contains("Londn"), "{said}");
    assert_eq!(said.matches("work.tytle`").count(), 1, "told once: {said}");

    // It starts all the same, and warns: a restart is never refused because of a far end.
    let serving = town.serve(&[]).await;
    town.until("it has warned", async || {
        ["work.tytle", "Londn", "Cost center"].iter().all(|name| serving.log().contains(name))
    })
    .await;
    assert_eq!(town.sandbox.writes(), writes, "a look changes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_a_table_lacks_are_listed_with_those_they_touch() {
    let town = Town::new(stepping(10), Kept::Sqlite, |toml| {
        *toml = toml.replace("\"label.work.title\"", "\"work.site|lookup('sites', 'city')\"");
        toml.push_str(
            "\n[rules.tables.sites]\nfile = \"sites.csv\"\nkeys = [\"site\"]\non_miss = \"skip\"\n",
        );
    })
    .await;
    let table = town.config().with_file_name("sites.csv");
    std::fs::write(&table, "site,city\nLondon,London\nLeeds,Leeds\nBerlin,Berlin\n")
        .expect("written");
    let nobody = town.cli(&["rules", "misses"]).await;
    assert_eq!((nobody.status.code(), text(&nobody.stdout)), (Some(0), String::new()));
    let _serving = town.open().await;
    town.told(&["sync"]).await;
    town.at_rest().await;
    let touched: Vec<String> = town
        .sandbox
        .people()
        .iter()
        .filter(|it| it["work"]["site"] == "Paris")
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect();
    let output = town.cli(&["rules", "misses", "--json"]).await;
    assert_eq!(output.status.code(), Some(1), "there is something to look at");
    let shown = objects(&text(&output.stdout));
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!((&shown[0]["table"], &shown[0]["keys"]), (&json!("sites"), &json!(["Paris"])));
    assert_eq!(shown[0]["people"], touched.len(), "{shown:?}");
    assert!(shown[0]["file"].as_str().is_some_and(|it| it.ends_with("sites.csv")), "{shown:?}");
    let said = text(&town.cli(&["rules", "misses"]).await.stdout);
    assert!(said.contains("Paris") && said.contains(&touched[0]), "{said}");

    std::fs::write(&table, "site,city\nLondon,L\nLeeds,L\nBerlin,B\nParis,P\n").expect("written");
    town.told(&["reload"]).await;
    town.told(&["sync"]).await;
    town.at_rest().await;
    assert_eq!(town.cli(&["rules", "misses"]).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_are_run_without_a_store_and_far_ends() {
    let town = Town::new(stepping(4), Kept::Sqlite, |toml| {
        *toml = toml.replace("sqlite:", "sqlite:/nowhere/at/all/");
    })
    .await;
    let examples = town.config().with_file_name("instep.tests.toml");
    let output = town.cli(&["rules", "test"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("instep.tests.toml cannot be read"));
    let example = |job: &str| {
        format!(
            "[[example]]\nname = \"A cook\"\n[example.record]\nid = \"1\"\nemail = \
             \"a@example.test\"\nwork = {{ site = \"London\", title = \"7\" }}\ninternal = {{ status \
             = \"Active\" }}\nhumanReadable = {{ work = {{ title = \"Cook\" }} }}\n\
             [example.expect]\nactive = true\nfields = {{ job = \"{job}\" }}\n"
        )
    };
    std::fs::write(&examples, example("Cook")).expect("written");
    let said = town.told(&["rules", "test"]).await;
    assert!(
        said.contains("ok      A cook") && said.contains("1 examples hold, 0 do not"),
        "{said}"
    );
    std::fs::write(&examples, example("Chef")).expect("written");
    let output = town.cli(&["rules", "test", "--source", "bob"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(
        said.contains("FAILED  A cook\n        job  - \"Chef\"\n             + \"Cook\""),
        "{said}"
    );
    std::fs::write(&examples, "[[example]]\nnaem = 1\n").expect("written");
    let output = town.cli(&["rules", "test"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let other = town.cli(&["rules", "test", "--source", "nobody"]).await;
    assert_eq!(other.status.code(), Some(1));
    let shown = town.told(&["rules", "show"]).await;
    assert!(shown.contains("version") && shown.contains("instep.toml"), "{shown}");
}

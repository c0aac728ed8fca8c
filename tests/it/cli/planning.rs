//! `instep plan`: what would change, item by item, and what other rules would make otherwise; nothing
//! is changed by either.

use serde_json::{Value, json};

use super::{objects, stepping, text};
use crate::harness::town::{Kept, Town, as_it_is};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_shows_old_and_new_values_and_changes_nothing() {
    let town = Town::new(stepping(12), Kept::Sqlite, as_it_is).await;
    let actives = town.actives();
    let (renamed, leaver) = (&actives[0], &actives[1]);
    town.change(renamed, json!({"surname": "Newname"}));
    let before = town.account_of(renamed)["lastName"].clone();
    town.change(leaver, json!({"internal": {"lifecycleStatus": "terminated"}}));
    let newcomer = town.hire(json!({"firstName": "Nadia", "email": "nadia@example.test"}));
    let outsider = town.hire(json!({"work": {"site": "Rome"}}));

    let said = town.told(&["plan", "--all"]).await;
    for line in [
        format!("+ bob/{newcomer}: create\n    + email         \"nadia@example.test\""),
        format!("~ bob/{renamed} ({}): update\n", id_of(&town, renamed)),
        format!("    ~ last_name  {before} -> \"Newname\"\n"),
        format!("- bob/{leaver} ({}): deactivate\n    - status  \"active\"\n", id_of(&town, leaver)),
        "Plan: 1 to create, 0 to restore, 1 to update, 1 to deactivate; groups: 0 new, 0 joins, 0 leaves; "
            .to_owned(),
        "1 out of scope, 0 to look at. Nothing was changed.".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}is not in:\n{said}");
    }
    assert!(!said.contains(&outsider), "who needs nothing is not shown to --all:\n{said}");
    let named = town.told(&["plan", &outsider, renamed]).await;
    assert!(named.contains(&format!("bob/{outsider}: out of scope: rules.in_scope")), "{named}");

    let shown = objects(&town.told(&["plan", "--all", "--json"]).await);
    let (totals, people) = shown.split_last().expect("totals");
    assert_eq!(
        (&totals["totals"]["create"], &totals["totals"]["deactivate"]),
        (&json!(1), &json!(1))
    );
    let of =
        |id: &str| people.iter().find(|it| it["person"] == format!("bob/{id}")).expect("a line");
    assert_eq!(of(renamed)["verdict"], "update");
    let item = json!({"sign": "change", "what": "last_name", "before": before, "after": "Newname"});
    assert_eq!(of(renamed)["items"], json!([item]));
    assert_eq!(people.len(), town.sandbox.people().len());

    let sample = objects(&town.told(&["plan", "--sample", "3", "--json"]).await);
    assert_eq!(sample.len(), 4, "three people and the totals");
    let output = town.cli(&["plan", "nobody@example.test", renamed]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nobody@example.test: nobody is found"));
    assert_eq!(town.sandbox.writes(), 0);
    assert_eq!(town.depth().await.map(|depth| depth.waiting), Some(0), "nobody is queued");
}

fn id_of(town: &Town, employee: &str) -> String {
    town.account_of(employee)["_id"].as_str().expect("an id").to_owned()
}

const RICH: &str = r#"
[rules.custom_fields]
"Cost centre" = "work.custom.field_1700000000001"

[rules.groups.sites]
path = "['Sites', work.site]"
create = true
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_custom_fields_and_managers_are_planned_under_their_names() {
    let town = Town::new(stepping(12), Kept::Sqlite, |toml| {
        *toml = toml.replace("[rules]\n", "[rules]\nmanager = \"work.reportsTo.id\"\n");
        toml.push_str(RICH);
    })
    .await;
    let field = json!({"name": "Cost centre", "targetType": "users", "type": "string"});
    town.lms_api("POST", "/custom-fields", field).await;
    let serving = town.open().await;
    let chief = |name: &str| json!({"firstName": name, "surname": "Chief", "email": format!("{name}@example.test")});
    let (old, new) = (town.hire(chief("old")), town.hire(chief("new")));
    let under = |id: &str, site: &str, centre: &str| {
        json!({"work": {"site": site, "reportsTo": {"id": id},
            "custom": {"field_1700000000001": centre}}})
    };
    let id = town.hire(under(&old, "London", "CC-1"));
    town.until("everybody has an account", async || {
        town.account_of(&id)["managers"].as_array().is_some_and(|all| !all.is_empty())
    })
    .await;
    town.at_rest().await;
    let said = town.told(&["plan", &id]).await;
    assert!(said.contains(": nothing to do"), "{said}");
    serving.terminate().await;

    town.change(&id, under(&new, "Paris", "CC-2"));
    let writes = town.sandbox.writes();
    let said = town.told(&["plan", &id]).await;
    for line in [
        "~ Cost centre  \"CC-1\" -> \"CC-2\"".to_owned(),
        "+ group        \"Sites/Paris as learner\"".to_owned(),
        "- group        \"Sites/London as learner\"".to_owned(),
        format!("~ manager      \"bob/{old}, old Chief\" -> \"bob/{new}, new Chief\""),
        "1 joins, 1 leaves".to_owned(),
    ] {
        assert!(said.contains(&line), "{line} is not in:\n{said}");
    }
    let explained = town.told(&["explain", &id]).await;
    for told in [
        "gives Sites/Paris as learner".to_owned(),
        format!("found: bob/{new}, new Chief"),
        "Sites/London as learner (by a rule)".to_owned(),
        "in the LMS now: \"CC-1\"".to_owned(),
    ] {
        assert!(explained.contains(&told), "{told} is not in:\n{explained}");
    }
    assert_eq!(town.sandbox.writes(), writes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_rules_are_compared_with_the_present_ones_on_one_read() {
    let town = Town::new(stepping(20), Kept::Sqlite, as_it_is).await;
    let outsider = town.hire(json!({"work": {"site": "Rome"}, "firstName": "Roma"}));
    let toml = town.toml();
    let rules = &toml[toml.find("[rules]").expect("rules")..];
    let new = rules
        .replace("'London'", "'Rome'")
        .replace("\"label.work.title\"", "\"label.work.title|upper\"")
        .replace("\"root.firstName\"", "\"root.displayName\"");
    // A file that holds nothing but rules has no [rules] of its own; a whole configuration does.
    let alone = new.replace("[rules]\n", "").replace("[rules.", "[");
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, alone_at) = (folder.path().join("new.toml"), folder.path().join("rules.toml"));
    std::fs::write(&whole, &new).expect("written");
    std::fs::write(&alone_at, &alone).expect("written");

    let (hr, lms) = (town.hr_calls().await, town.lms_calls().await);
    let path = whole.display().to_string();
    let said = town.told(&["plan", "--rules", &path]).await;
    let (hr_after, lms_after) = (town.hr_calls().await, town.lms_calls().await);
    let searches = "POST /v1/people/search";
    assert_eq!(hr_after.of(searches) - hr.of(searches), 1, "everyone is read once for both");
    assert_eq!(lms_after.reads(), lms.reads(), "the LMS is not asked");

    let people = town.sandbox.people();
    let at = |site: &str| people.iter().filter(|it| it["work"]["site"] == site).collect::<Vec<_>>();
    for line in [
        format!("+ bob/{outsider}: enters the scope (rules.in_scope)\n"),
        format!("- bob/{}: leaves the scope (rules.in_scope)\n", text_of(&at("London")[0]["id"])),
        format!("Of {} people: 1 enter the scope, {} leave it", people.len(), at("London").len()),
    ] {
        assert!(said.contains(&line), "{line} is not in:\n{said}");
    }
    let somebody = at("Paris")[0];
    let title = text_of(&somebody["humanReadable"]["work"]["title"]);
    let line = format!("\"{title}\" -> \"{}\"", title.to_uppercase());
    assert!(said.contains(&line), "{line} is not in:\n{said}");

    let id = text_of(&somebody["id"]);
    let path = alone_at.display().to_string();
    let shown = objects(&town.told(&["plan", &id, "--rules", &path, "--json"]).await);
    assert_eq!(shown.len(), 2, "one person and the totals: {shown:?}");
    assert_eq!(shown[0]["turn"], "changes");
    let counts = &shown[1]["totals"]["rules"];
    assert_eq!(counts, &json!({"fields.first_name": 1, "fields.job": 1}));
    let same = objects(
        &town.told(&["plan", &id, "--rules", &town.config().display().to_string(), "--json"]).await,
    );
    assert_eq!(same[0]["totals"]["same"], 1, "{same:?}");

    std::fs::write(&alone_at, alone.replace("|upper", "|uper")).expect("written");
    let output = town.cli(&["plan", "--rules", &path]).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("rules.toml:") && said.contains("uper"), "{said}");
    assert_eq!(town.sandbox.writes(), 0);
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

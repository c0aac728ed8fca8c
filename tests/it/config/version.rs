//! The version of rules: changes with what they say, and with nothing else.

use std::collections::BTreeSet;
use std::fs;

use instep::config;

const RULES: &str = r#"in_scope = "work.site == 'London'"
active = "true"
manager = "work.reportsTo.id"
[filters]
a = "true"
b = "1 == 1"
[joiner]
who = "true"
start_date = "work.startDate"
[leaver]
end_date = "internal.terminationDate"
[fields]
email = "root.email"
username = { value = "root.id", number = true }
first_name = "root.firstName"
last_name = "root.surname"
[custom_fields]
Cost = "work.custom.field_1"
[groups.a]
path = "'A'"
[groups.b]
path = "'B'"
[tables.sites]
file = "sites.csv"
keys = ["site"]
[[match]]
by = "email"
[[match]]
by = "name"
"#;

const SITES: &str = "site,lang\nLondon,en\nParis,fr\n";

fn version(rules: &str, sites: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    fs::write(&path, rules).unwrap();
    fs::write(folder.path().join("sites.csv"), sites).unwrap();
    config::load_rules(&path).unwrap_or_else(|failed| panic!("{failed:?}")).version
}

#[test]
fn the_version_changes_with_each_thing_that_rules_say() {
    let edits = [
        ("'London'", "'Paris'"),
        ("active = \"true\"", "active = \"false\""),
        ("manager = \"work.reportsTo.id\"", "manager = \"work.reportsTo.email\""),
        ("manager = \"work.reportsTo.id\"\n", ""),
        ("active", "out_of_scope = \"deactivate\"\nactive"),
        ("active", "time_zone = \"'Europe/Paris'\"\nactive"),
        ("b = \"1 == 1\"", "c = \"1 == 1\""),
        ("who = \"true\"", "who = \"false\""),
        ("\"work.startDate\"", "\"work.startDate\"\ndays_before = 1"),
        ("[joiner]\nwho = \"true\"\nstart_date = \"work.startDate\"\n", ""),
        ("\"internal.terminationDate\"", "\"internal.terminationDate\"\ngrace_days = 1"),
        ("email = \"root.email\"", "email = \"root.email|lower\""),
        ("email = \"root.email\"", "email = { value = \"root.email\", write = \"on_create\" }"),
        ("email = \"root.email\"", "email = { value = \"root.email\", on_bad = \"skip\" }"),
        ("number = true", "write = \"on_create\""),
        ("[custom_fields]", "external_id = \"root.email\"\n[custom_fields]"),
        ("Cost =", "Costs ="),
        ("\"work.custom.field_1\"", "{ value = \"work.custom.field_1\", write = \"if_empty\" }"),
        ("path = \"'A'\"", "path = \"'A'\"\nrole = \"coach\""),
        ("path = \"'A'\"", "path = \"'A'\"\ncreate = true"),
        ("path = \"'A'\"", "path = \"'A'\"\nwhen = \"true\""),
        ("[groups.a]", "[groups.c]"),
        ("[tables.sites]", "[tables.places]"),
        ("keys = [\"site\"]", "keys = [\"site\"]\non_miss = \"skip\""),
        ("keys = [\"site\"]", "keys = [\"lang\"]"),
        ("by = \"email\"\n", "by = \"email\"\none = \"dispute\"\n"),
        ("[[match]]\nby = \"email\"\n", ""),
        ("by = \"name\"\n", "by = \"name\"\ntaken = \"dispute\"\n"),
    ];
    let mut seen = BTreeSet::from([version(RULES, SITES)]);
    for (from, to) in edits {
        assert!(RULES.contains(from), "{from}");
        let new = version(&RULES.replacen(from, to, 1), SITES);
        assert_eq!(new.len(), 12);
        assert!(seen.insert(new), "{from} -> {to}");
    }
    for sites in [
        "site,lang\nLondon,en\n",
        "site,lang\nLondon,en\nParis,es\n",
        "site,tongue\nLondon,en\nParis,fr\n",
    ] {
        assert!(seen.insert(version(RULES, sites)), "{sites}");
    }
}

#[test]
fn the_version_is_the_same_however_it_is_written_down() {
    let same = version(RULES, SITES);
    for (from, to) in [
        ("active = \"true\"\n", "# Everybody.\nactive = ' true '\n\n"),
        ("a = \"true\"\nb = \"1 == 1\"\n", "b = \"1 == 1\"\na = \"true\"\n"),
        ("email = \"root.email\"", "email = { value = \"root.email\", write = \"always\" }"),
        ("active", "time_zone = \"'UTC'\"\nactive"),
        (
            "[groups.a]\npath = \"'A'\"\n[groups.b]\npath = \"'B'\"\n",
            "[groups.b]\npath = \"'B'\"\n[groups.a]\npath = \"'A'\"\n",
        ),
    ] {
        assert!(RULES.contains(from), "{from}");
        assert_eq!(version(&RULES.replacen(from, to, 1), SITES), same, "{from} -> {to}");
    }
    for sites in ["site;lang\r\n\r\nLondon;en\r\nParis; fr\r\n", "lang,site\nen,London\nfr,Paris\n"]
    {
        assert_eq!(version(RULES, sites), same, "{sites}");
    }
    // The same rules as a part of a whole configuration.
    let whole = [
        "filters",
        "joiner",
        "leaver",
        "fields",
        "custom_fields",
        "groups.a",
        "groups.b",
        "tables.sites",
    ]
    .iter()
    .fold(format!("[rules]\n{RULES}"), |text, table| {
        text.replace(&format!("[{table}]"), &format!("[rules.{table}]"))
    })
    .replace("[[match]]", "[[rules.match]]");
    assert_eq!(version(&whole, SITES), same);
}

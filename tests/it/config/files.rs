//! Rules in a file of their own: whose they are, and where their mistakes are shown.

use std::fs;
use std::path::Path;

use instep::cli::check;
use instep::config::{self, Failed, RuleSettings};
use tempfile::TempDir;

use super::{GOOD, env, lines};

/// The rules of `GOOD`, as they stand in a file of their own.
const RULES: &str = r#"in_scope = "work.site in ['London', 'Paris']"
active = "internal.status == 'Active'"
[fields]
email = "root.email"
"#;

/// `GOOD` with a source that names this file, and without `[rules]`.
fn naming(file: &str) -> String {
    let before = GOOD.split_once("[rules]").unwrap().0;
    before.replace("[target]", &format!("rules = \"{file}\"\n[target]"))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(text: &str, files: &[(&str, &str)]) -> Result<config::Loaded, Failed> {
    let folder = folder(files);
    config::parse(&folder.path().join("instep.toml"), text, &env)
}

#[track_caller]
fn wrong(text: &str, files: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(lines(&load(text, files).unwrap_err()), expected);
}

fn rules(file: &str, files: &[(&str, &str)]) -> Result<RuleSettings, Failed> {
    config::load_rules(&folder(files).path().join(file))
}

#[test]
fn a_source_names_its_own_rules() {
    let table = "[tables.sites]\nfile = \"sites.csv\"\nkeys = [\"site\"]\n";
    let bob = ("hr/bob.toml", &*format!("{RULES}{table}"));
    let sites = ("hr/sites.csv", "site,lang\nParis,fr\n");
    let second = GOOD.split_once("[target]").unwrap().0.replace("source.bob", "source.paris");
    let loaded = load(&naming("hr/bob.toml"), &[bob, sites]).unwrap();
    assert!(loaded.warnings.is_empty());
    let rules = &loaded.settings.sources["bob"].rules;
    assert!(rules.origin.path.ends_with("hr/bob.toml"));
    assert_eq!(rules.in_scope.key, "in_scope");
    assert_eq!(rules.tables["sites"].rows.len(), 1, "its paths begin at its own folder");

    // One has a file, the other has what everybody has.
    let shared = format!("{second}{}", GOOD.split_once("[rules]").unwrap().1);
    let shared = shared.replacen("in_scope", "[rules]\nin_scope", 1);
    let both = format!("{}{shared}", naming("hr/bob.toml"));
    let loaded = load(&both, &[bob, sites]).unwrap();
    assert_eq!(loaded.settings.sources["paris"].rules.in_scope.key, "rules.in_scope");
    assert_eq!(loaded.settings.sources["bob"].rules.in_scope.key, "in_scope");

    // Rules that nobody has.
    let idle = format!("{}[rules]{}", naming("hr/bob.toml"), GOOD.split_once("[rules]").unwrap().1);
    let warnings = load(&idle, &[bob, sites]).unwrap().warnings;
    let expected = "is for nobody: every source names a file of rules; take one of them out";
    assert_eq!(warnings.iter().map(|w| w.message.as_str()).collect::<Vec<_>>(), [expected]);
}

#[test]
fn mistakes_in_rules_are_shown_in_their_file() {
    let text = naming("bob.toml");
    wrong(
        &text,
        &[],
        &[
            "7:9 source.bob.rules: bob.toml: there is no such file; the path begins at the folder of \
         this file",
        ],
    );
    wrong(
        &text.replace("\"bob.toml\"", "5"),
        &[],
        &["7:9 source.bob.rules: expected text, found the number 5: put it in quotes"],
    );
    wrong(
        &text.replace("bob.toml", ""),
        &[],
        &["7:9 source.bob.rules: is empty: the file of rules, as in \"bob.rules.toml\""],
    );
    wrong(
        &text,
        &[("bob.toml", "in_scope = \n")],
        &[
            "bob.toml:1:12 : this is not TOML: string values must be quoted, expected literal string",
        ],
    );
    // Everything at once: the configuration's first.
    let rules = RULES
        .replace("active", "actvie")
        .replace("[fields]", "[tables.x]\nkeys = [\"a\"]\nfile = \"x.csv\"\n[fields]\njob = 5");
    wrong(
        &text.replace("an-id", ""),
        &[("bob.toml", &rules), ("x.csv", "place\n")],
        &[
            "11:13 target.client_id: is empty: the id of the API credentials; 360Learning shows it under \
         the platform group > Settings > API v2",
            "bob.toml:2:1 actvie: unknown key `actvie`, did you mean `active`?",
            "bob.toml:7:7 fields.job: expected an expression, or { value = \"...\", write = \
         \"on_create\" }, found a number",
            "x.csv:1:1 tables.x: there is no column `a`: the first line names the columns, and `keys` \
         must name some of them",
        ],
    );
    // Two sources with one file: each mistake once.
    let second = text.split_once("[target]").unwrap().0.replace("source.bob", "source.paris");
    wrong(
        &format!("{second}{text}"),
        &[("bob.toml", &RULES.replace("[fields]", "[field]"))],
        &["bob.toml:3:2 field: unknown key `field`, did you mean `fields`?"],
    );
}

#[test]
fn a_file_of_rules_is_tried_out_by_itself() {
    let rules_of = |text: &str| rules("new.toml", &[("new.toml", text)]);
    assert_eq!(rules_of(RULES).unwrap().in_scope.key, "in_scope");
    let whole = rules_of(GOOD).unwrap();
    assert_eq!(whole.in_scope.key, "rules.in_scope", "a whole configuration is taken, too");
    let wrong = |text: &str| lines(&rules_of(text).unwrap_err());
    assert_eq!(
        wrong(&GOOD.replace("active =", "actvie =")),
        ["15:1 rules.actvie: unknown key `actvie`, did you mean `active`?"]
    );
    assert_eq!(
        wrong(&format!("active = \"true\"\n{GOOD}")),
        [
            "1:1 active: stands outside of [rules], and only what stands inside is read: move it there"
        ]
    );
    assert_eq!(
        wrong(&naming("bob.toml")),
        [": this configuration has no [rules]: name the file of rules that its source names"]
    );
    assert_eq!(
        wrong(&RULES.replace("[fields]", "[weather]\n[fields]")),
        [
            "3:2 weather: unknown key `weather`, known here: in_scope, out_of_scope, active, time_zone, \
         manager, filters, joiner, leaver, fields, custom_fields, groups, match, tables"
        ]
    );
    assert_eq!(
        wrong(""),
        [
            "in_scope: is missing: an expression that says who is kept in step, as in \"work.site in \
         ['London', 'Paris']\"",
            "active: is missing: an expression that says who may use the LMS, as in \"internal.status \
         == 'Active'\"",
            "fields: [fields] with email or username is missing: people sign in with one of them, as in \
         email = \"root.email\"",
        ]
    );
    assert_eq!(lines(&rules("old.toml", &[]).unwrap_err()), [": there is no such file"]);
}

#[test]
fn the_worked_example_is_in_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/example/rules.toml");
    let rules = config::load_rules(&path).unwrap_or_else(|failed| panic!("{:?}", lines(&failed)));
    assert_eq!(rules.tables.len(), 2);
}

/// What the compiler finds later is placed in the file in which the rule stands.
#[test]
fn check_names_the_file_of_a_mistake() {
    let text = naming("bob.toml")
        .replace("https://api.hibob.com/v1", "http://localhost:1/v1")
        .replace("https://app.360learning.com/", "http://localhost:2")
        .replace("{ env = \"BOB_TOKEN\" }", "\"hunter2\"")
        .replace("{ env = \"BOB_WEBHOOK_SECRET\" }", "\"hunter2\"")
        .replace("{ env = \"LMS_CLIENT_SECRET\" }", "\"hunter2\"");
    let groups = "[groups.all]\npath = \"'A'\"\n";
    let folder = folder(&[("instep.toml", &text), ("bob.toml", &format!("{RULES}{groups}"))]);
    let (path, file) = (folder.path().join("instep.toml"), folder.path().join("bob.toml"));
    let found = |loaded: &config::Loaded| {
        let (rules, checked) = (&loaded.settings.sources["bob"].rules, &loaded.settings.path);
        vec![
            rules.problem("fields.email", Some(5..10), "unknown field", checked),
            rules.problem("groups.all", None, "no such group", checked),
            rules.problem("match", None, "too few", checked),
        ]
    };
    let mut out = Vec::new();
    check::run(&path, check::Form::Text { color: false }, &found, &mut out).unwrap();
    let expected = format!(
        "{0}:4:15: fields.email: unknown field\n  |\n4 | email = \"root.email\"\n  |               \
         ^^^^^\n\n{0}:5:1: groups.all: no such group\n  |\n5 | [groups.all]\n  | ^^^^^^^^^^^^\n\n{0}: \
         match: too few\n\n{1} has 3 problems\n",
        file.display(),
        path.display(),
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    check::run(&path, check::Form::Json, &found, &mut out).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        report["problems"][0],
        serde_json::json!({
            "file": file.display().to_string(), "line": 4, "column": 15, "key": "fields.email",
            "message": "unknown field",
        })
    );

    // In the configuration itself, the place is enough.
    let loaded = super::parse(GOOD).unwrap();
    let rules = &loaded.settings.sources["bob"].rules;
    let problem = rules.problem("rules.active", None, "no", &loaded.settings.path);
    assert_eq!((problem.file, &GOOD[problem.span.unwrap()]), (None, "internal.status == 'Active'"));
}

/// Secrets of a whole configuration that is named as a file of rules are shown nowhere.
#[test]
fn a_file_of_rules_shows_no_secret() {
    let other = GOOD.replace("{ env = \"BOB_TOKEN\" }", "\"hunter2\"");
    let other = other
        .replace("in_scope = ", "in_scop = ")
        .replace("[target]", "tokn = \"hunter2\"\n[target]");
    let failed = load(&naming("other.toml"), &[("other.toml", &other)]).unwrap_err();
    let shown =
        config::show(Path::new("instep.toml"), failed.text.as_deref(), &failed.problems, false);
    assert!(shown.contains("did you mean `in_scope`?"), "{shown}");
    let printed = format!("{shown}{failed:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    let whole =
        load(&naming("other.toml"), &[("other.toml", &other.replace("in_scop ", "in_scope "))]);
    assert!(!format!("{whole:?}").contains("hunter2"));
}

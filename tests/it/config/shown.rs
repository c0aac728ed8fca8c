//! What people see of a configuration that is not in order: everything at once, and no secret.

use std::path::Path;

use instep::cli::{check, init};
use instep::config::{self, EXAMPLE, Problem};

use super::{GOOD, edited, parse};

fn shown(text: &str) -> String {
    match parse(text) {
        Ok(_) => String::new(),
        Err(failed) => {
            assert_eq!(failed.text.as_deref(), Some(text));
            config::show(Path::new("instep.toml"), Some(text), &failed.problems, false)
        }
    }
}

const WRONG: &str = r#"colour = "blue"
[server]
listen = "localhost:8080"
body_limit = 12
shutdown_seconds = 1.5
[store]
url = "redas://:hunter2@db:6379"
namespace = "In Step"
[worker]
attempts = true
[source.bob]
type = "hibbob"
base_url = "http://api.hibob.com/v1/"
tokn = "hunter2" # hunter2
webhook_secrets = [{ env = "NOPE" }, "hunter2", 5]
people_per_search = 500
[target]
type = "360learning"
base_url = "https://me:hunter2@app.360learning.com"
client_secret = "hunter2"
default_group = "abc"
protected = ["boss@example.test", ""]
[rules]
in_scope = ""
[rules.fields]
emial = "root.email"
"#;

const WRONG_SHOWN: &str = r#"instep.toml:1:1: colour: unknown key `colour`, known here: server, console, store, worker, source, rules, target, schedule, certificate, brake, replay, maintenance, mail, report, notify, telemetry
  |
1 | colour = ***
  | ^^^^^^

instep.toml:3:10: server.listen: expected an IP address and a port, as in "127.0.0.1:8080", found "localhost:8080"
  |
3 | listen = "localhost:8080"
  |          ^^^^^^^^^^^^^^^^

instep.toml:4:14: server.body_limit: expected a whole number from 1024 to 16777216, found 12
  |
4 | body_limit = 12
  |              ^^

instep.toml:5:20: server.shutdown_seconds: expected a whole number from 1 to 600, found 1.5
  |
5 | shutdown_seconds = 1.5
  |                    ^^^

instep.toml:7:7: store.url: unknown kind of store, did you mean `redis://`?
  |
7 | url = ***
  |       ^^^

instep.toml:8:13: store.namespace: expected 1 to 32 characters of a-z 0-9 _ -
  |
8 | namespace = "In Step"
  |             ^^^^^^^^^

instep.toml:10:12: worker.attempts: expected a whole number from 1 to 100, found true
   |
10 | attempts = true
   |            ^^^^

instep.toml:11:1: source.bob.service_user: is missing: the service user's id, as in SERVICE-1234; Bob shows it under System settings > Integrations > Service users
   |
11 | [source.bob]
   | ^^^^^^^^^^^^

instep.toml:12:8: source.bob.type: unknown type "hibbob", did you mean "hibob"?
   |
12 | type = "hibbob"
   |        ^^^^^^^^

instep.toml:13:12: source.bob.base_url: plain http is only for this machine itself: use https
   |
13 | base_url = "http://api.hibob.com/v1/"
   |            ^^^^^^^^^^^^^^^^^^^^^^^^^^

instep.toml:14:1: source.bob.tokn: unknown key `tokn`, did you mean `token`?
   |
14 | tokn = ***
   | ^^^^

instep.toml:15:20: source.bob.webhook_secrets: the environment variable NOPE is not set
   |
15 | webhook_secrets = [{ env = "NOPE" }, ***, ***]
   |                    ^^^^^^^^^^^^^^^^

instep.toml:15:38: source.bob.webhook_secrets: a secret must not stand in this file: use { env = "BOB_WEBHOOK_SECRET" } or { file = "/path" }
   |
15 | webhook_secrets = [{ env = "NOPE" }, ***, ***]
   |                                      ^^^

instep.toml:15:49: source.bob.webhook_secrets: expected { env = "BOB_WEBHOOK_SECRET" } or { file = "/path" }, found a number
   |
15 | webhook_secrets = [{ env = "NOPE" }, ***, ***]
   |                                           ^^^

instep.toml:16:21: source.bob.people_per_search: expected a whole number from 1 to 100, found 500
   |
16 | people_per_search = 500
   |                     ^^^

instep.toml:17:1: target.client_id: is missing: the id of the API credentials; 360Learning shows it under the platform group > Settings > API v2
   |
17 | [target]
   | ^^^^^^^^

instep.toml:19:12: target.base_url: must not hold a user or a password: they have keys of their own
   |
19 | base_url = ***
   |            ^^^

instep.toml:20:17: target.client_secret: a secret must not stand in this file: use { env = "LMS_CLIENT_SECRET" } or { file = "/path" }
   |
20 | client_secret = ***
   |                 ^^^

instep.toml:21:17: target.default_group: is not the _id of the group that every new account joins, 24 digits of 0-9 a-f; GET /api/v2/groups lists them
   |
21 | default_group = "abc"
   |                 ^^^^^

instep.toml:22:35: target.protected: expected a list of texts, found an empty text in it
   |
22 | protected = [***, ***]
   |                   ^^^

instep.toml:23:1: rules.active: is missing: an expression that says who may use the LMS, as in "internal.status == 'Active'"
   |
23 | [rules]
   | ^^^^^^^

instep.toml:24:12: rules.in_scope: is empty: an expression that says who is kept in step, as in "work.site in ['London', 'Paris']"
   |
24 | in_scope = ""
   |            ^^

instep.toml:26:1: rules.fields.emial: unknown key `emial`, did you mean `email`?
   |
26 | emial = ***
   | ^^^^^

"#;

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    assert_eq!(shown(WRONG), WRONG_SHOWN);
}

#[test]
fn what_is_not_toml_is_shown_line_by_line() {
    let text = "[source.bob]\ntoken = \"hunter2\nservice_user = SERVICE-1\n[target\n\
                webhook_secrets = [\n \"hunter2\" \"hunter2==\"\n]\n";
    let expected = r#"instep.toml:2:17: this is not TOML: invalid basic string, expected `"`
  |
2 | token = ***
  |            ^

instep.toml:3:16: this is not TOML: string values must be quoted, expected literal string
  |
3 | service_user = SERVICE-1
  |                ^^^^^^^^^

instep.toml:4:8: this is not TOML: unclosed table, expected `]`
  |
4 | [target
  |        ^

instep.toml:6:12: this is not TOML: missing comma between array elements, expected `,`
  |
6 |  ***
  |  ^^^

"#;
    assert_eq!(shown(text), expected);
}

/// Every one-character slip in a configuration full of literal secrets: nothing panics, and no
/// secret is in anything that is printed.
#[test]
fn no_slip_of_the_hand_shows_a_secret() {
    let secrets = edited("{ env = \"BOB_TOKEN\" }", "\"hunter2\" # was hunter2")
        .replace("[{ env = \"BOB_WEBHOOK_SECRET\" }]", "[\n  \"hunter2==\",\n  'hunter2',\n]")
        .replace("{ env = \"LMS_CLIENT_SECRET\" }", "\"\"\"\nhunter2 = \\\n  hunter2\"\"\"")
        .replace("'London'", "'Zürich ⛰'");
    let secrets = format!("[store]\nurl = 'redis://:hunter2@db'\n{secrets}");
    assert!(shown(&secrets).contains("a secret must not stand in this file"));
    let insertions = ["", "\"", "'", "\n", "#", "[", "=", "{", "\u{7}"];
    for (at, old) in secrets.char_indices() {
        let (before, after) = (&secrets[..at], &secrets[at + old.len_utf8()..]);
        for new in insertions {
            for text in [format!("{before}{new}{after}"), format!("{before}{new}{old}{after}")] {
                let printed = match parse(&text) {
                    Ok(loaded) => format!("{loaded:?}"),
                    Err(failed) => format!("{failed:?}{}", shown(&text)),
                };
                // A slip may fall into the secret itself.
                assert!(!printed.contains("unter2"), "{at} {new:?} in:\n{text}\n{printed}");
                assert!(!printed.contains("hunter"), "{at} {new:?} in:\n{text}\n{printed}");
            }
        }
    }
}

#[test]
fn settings_do_not_print_their_secrets() {
    let printed = format!("{:?}", parse(GOOD).unwrap());
    assert!(printed.contains("SERVICE-1234"));
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let text = edited("an-id", "");
    let failed = parse(&text).unwrap_err();
    let show = |color| config::show(Path::new("x.toml"), Some(&text), &failed.problems, color);
    let colored = show(true);
    assert!(colored.contains("\u{1b}["));
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), show(false));
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.toml");
    let message = || {
        let failed = config::load(&path).unwrap_err();
        assert_eq!(failed.text, None);
        failed.problems[0].message.clone()
    };
    let missing = "there is no such file: `instep init` writes one to start from, and --config or \
                   INSTEP_CONFIG says where yours is";
    assert_eq!(message(), missing);
    std::fs::write(&path, b"[server]\n\xff\n").unwrap();
    assert_eq!(message(), "is not UTF-8 text: look at line 2");
    std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(message(), "is larger than 1 MiB: this is not a configuration");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(message(), "is a folder, not a file");
}

#[test]
fn init_writes_a_start_and_never_over_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.toml");
    let mut out = Vec::new();
    init::run(&path, "paris-2", &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("instep check --config "));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("[source.paris-2]") && text.contains("/webhooks/paris-2"));
    assert!(!text.to_lowercase().contains("bob_"), "{text}");
    assert!(text.contains("paris-2.rules.toml") && !text.contains("bob.rules"), "{text}");
    let failed = config::parse(&path, &text, &|_| None).unwrap_err();
    let mut keys = failed.problems.iter().map(|problem| problem.message.as_str());
    assert!(keys.any(|message| message.contains("PARIS_2_TOKEN is not set")));

    let again = init::run(&path, "bob", &mut Vec::new()).unwrap_err().to_string();
    assert!(again.ends_with("exists already and was left as it is: name another with --config"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let other = folder.path().join("other.toml");
    let name = init::run(&other, "Bob!", &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(name, "a source's name is 1 to 32 characters of a-z 0-9 -, as in bob");
    assert!(!other.exists());
    assert_eq!(config::starter("bob"), EXAMPLE);
}

#[test]
fn check_names_what_is_wrong_for_people_and_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instep.toml");
    // Literals, since `check` looks into the real environment.
    let text = GOOD
        .replace("https://api.hibob.com/v1", "http://localhost:1/v1")
        .replace("https://app.360learning.com/", "http://localhost:2")
        .replace("{ env = \"BOB_TOKEN\" }", "\"hunter2\"")
        .replace("{ env = \"BOB_WEBHOOK_SECRET\" }", "\"hunter2\"")
        .replace("{ env = \"LMS_CLIENT_SECRET\" }", "\"hunter2\"");
    std::fs::write(&path, &text).unwrap();
    let json = |rules: &dyn Fn(&config::Loaded) -> Vec<Problem>| {
        let mut out = Vec::new();
        let loaded = check::run(&path, check::Form::Json, rules, &mut out).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(report["ok"], loaded.is_some());
        report
    };
    assert_eq!(json(&|_| Vec::new())["problems"], serde_json::json!([]));
    let report = json(&|loaded| {
        let rule = &loaded.settings.sources["bob"].rules.active;
        vec![rule.problem(&loaded.text, 0..8, "unknown field")]
    });
    let problem = serde_json::json!({
        "line": 15, "column": 11, "key": "rules.active", "message": "unknown field",
    });
    assert_eq!(report["problems"], serde_json::json!([problem]));

    let mut out = Vec::new();
    let form = check::Form::Text { color: false };
    check::run(&path, form, &|_| Vec::new(), &mut out).unwrap().unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{} is in order\n", path.display()));
    std::fs::write(&path, text.replace("[rules]", "[rulse]")).unwrap();
    let mut out = Vec::new();
    assert!(check::run(&path, form, &|_| Vec::new(), &mut out).unwrap().is_none());
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("did you mean `rules`?"), "{out}");
    assert!(out.ends_with(&format!("{} has 1 problem\n", path.display())), "{out}");
}

//! The configuration: each mistake with the message a person gets, the defaults, and that no secret
//! is ever shown.

mod console;
mod files;
mod maintenance;
mod notify;
mod rules;
mod shown;
mod sync;
mod tables;
mod telemetry;
mod version;

use std::path::Path;
use std::time::Duration;

use instep::config::{self, EXAMPLE, Expression, Failed, Loaded};
use instep::model::Field;
use secrecy::ExposeSecret;

/// The smallest configuration that is in order.
const GOOD: &str = r#"[source.bob]
type = "hibob"
base_url = "https://api.hibob.com/v1"
service_user = "SERVICE-1234"
token = { env = "BOB_TOKEN" }
webhook_secrets = [{ env = "BOB_WEBHOOK_SECRET" }]
[target]
type = "360learning"
base_url = "https://app.360learning.com/"
client_id = "an-id"
client_secret = { env = "LMS_CLIENT_SECRET" }
default_group = "507f1f77bcf86cd799439011"
[rules]
in_scope = "work.site in ['London', 'Paris']"
active = "internal.status == 'Active'"
fields.email = "root.email"
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "BOB_TOKEN" => Some("token-hunter2".to_owned()),
        "BOB_WEBHOOK_SECRET" => Some("hook-hunter2\n".to_owned()),
        "STORE_KEY" => Some("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n".to_owned()),
        "LMS_CLIENT_SECRET" | "STORE" => Some("redis://:hunter2@db".to_owned()),
        "EMPTY" => Some("\n".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Loaded, Failed> {
    config::parse(Path::new("instep.toml"), text, &env)
}

/// `GOOD` after one edit.
fn edited(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

/// What is wrong, one line a problem: `LINE:COLUMN key: message`.
fn problems(text: &str) -> Vec<String> {
    parse(text).err().map(|failed| lines(&failed)).unwrap_or_default()
}

/// One line a problem: `LINE:COLUMN key: message`, and before it the name of a file beside the
/// configuration.
fn lines(failed: &Failed) -> Vec<String> {
    let findings = failed.problems.iter().map(|problem| problem.finding(failed.text.as_deref()));
    findings
        .map(|it| {
            let file = it.file.map(|file| format!("{}:", file.rsplit('/').next().unwrap_or("")));
            let place = it.line.zip(it.column).map(|(line, column)| format!("{line}:{column} "));
            let (file, place) = (file.unwrap_or_default(), place.unwrap_or_default());
            format!("{file}{place}{}: {}", it.key, it.message)
        })
        .collect()
}

/// Every mistake is one problem: no more and no less than this.
#[track_caller]
fn mistake(from: &str, to: &str, expected: &str) {
    assert_eq!(problems(&edited(from, to)), [expected], "after {from:?} -> {to:?}");
}

#[test]
fn what_is_in_order_has_the_examples_values_for_everything_else() {
    let loaded = parse(GOOD).unwrap();
    assert!(loaded.warnings.is_empty());
    let settings = loaded.settings;
    let (server, store, worker) = (settings.server, settings.store, settings.worker);
    assert_eq!(server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!((server.body_limit, server.webhooks_per_second), (1_048_576, 1000));
    assert_eq!((server.connections, server.shutdown), (1024, Duration::from_secs(20)));
    assert_eq!(store.url.expose_secret(), "sqlite:instep.db");
    assert_eq!(store.namespace, "instep");
    let day = Duration::from_secs(86_400);
    assert_eq!((store.keep_events, store.keep_deliveries), (day * 30, day * 90));
    assert_eq!((store.keep_runs, store.keep_audit), (day * 90, day * 365));
    assert!(store.key.is_none() && store.old_keys.is_empty());
    assert_eq!((worker.lease, worker.concurrency), (Duration::from_secs(180), 16));
    assert_eq!((worker.attempts, worker.first_retry), (12, Duration::from_secs(2)));
    assert_eq!(worker.longest_retry, Duration::from_secs(3600));
    assert_eq!(worker.second_look, Duration::from_secs(25));

    let bob = &settings.sources["bob"];
    assert_eq!(bob.base_url, "https://api.hibob.com/v1");
    assert_eq!((bob.service_user.as_str(), &bob.company_id), ("SERVICE-1234", &None));
    assert_eq!(bob.token.expose_secret(), "token-hunter2");
    assert_eq!(bob.webhook_secrets.len(), 1);
    assert_eq!(bob.webhook_secrets[0].expose_secret(), "hook-hunter2");
    assert_eq!((bob.searches_per_minute, bob.people_per_search), (50, 100));
    assert_eq!(bob.timeout, Duration::from_secs(30));

    let lms = &settings.target;
    assert_eq!(lms.base_url, "https://app.360learning.com");
    assert_eq!(lms.client_id, "an-id");
    assert_eq!(lms.default_group, "507f1f77bcf86cd799439011");
    assert_eq!((lms.activate, lms.send_invitation), (true, false));
    assert!(lms.protected.is_empty() && lms.protect_admins);
    assert_eq!((lms.writes_per_second, lms.reads_per_second), (10, 50));
    assert_eq!(lms.timeout, Duration::from_secs(20));

    let rules = &settings.sources["bob"].rules;
    assert_eq!(rules.in_scope.text, "work.site in ['London', 'Paris']");
    assert_eq!(rules.fields.keys().collect::<Vec<_>>(), [&Field::Email]);
    assert_eq!(rules.external_id.text, "root.id");
}

#[test]
fn the_example_lacks_only_what_must_be_yours() {
    let nothing = |_: &str| None;
    let failed = config::parse(Path::new("instep.toml"), EXAMPLE, &nothing).unwrap_err();
    let keys: Vec<&str> = failed.problems.iter().map(|problem| problem.key.as_str()).collect();
    let yours = [
        "source.bob.service_user",
        "source.bob.token",
        "source.bob.webhook_secrets",
        "target.client_id",
        "target.client_secret",
        "target.default_group",
    ];
    assert_eq!(keys, yours);

    let ours = EXAMPLE
        .replace("SERVICE-00000", "SERVICE-1")
        .replace("your-client-id", "an-id")
        .replace("000000000000000000000000", "507f1f77bcf86cd799439011");
    assert!(parse(&ours).unwrap().warnings.is_empty());
    let rules = parse(&ours).unwrap().settings.sources["bob"].rules.clone();
    let fields: Vec<&str> = rules.fields.keys().map(|field| field.word()).collect();
    let words = ["email", "first_name", "last_name", "job", "lang", "organization", "phone"];
    assert_eq!(fields, words);
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    mistake("token =", "tokn =", "5:1 source.bob.tokn: unknown key `tokn`, did you mean `token`?");
    mistake("[target]", "[targets]", "7:2 targets: unknown key `targets`, did you mean `target`?");
    mistake(
        "fields.email",
        "fields.emial",
        "16:8 rules.fields.emial: unknown key `emial`, did you mean `email`?",
    );
    mistake(
        "{ env = \"BOB_TOKEN\" }",
        "{ evn = \"BOB_TOKEN\" }",
        "5:11 source.bob.token.evn: unknown key `evn`, did you mean `env`?",
    );
    mistake(
        "[target]",
        "[worker]\nretries = 5\n[target]",
        "8:1 worker.retries: unknown key `retries`, known here: lease_seconds, concurrency, \
         attempts, first_retry_seconds, longest_retry_seconds, second_look_seconds",
    );
}

#[test]
fn what_is_missing_is_named_with_the_place_where_it_is_found() {
    mistake(
        "service_user = \"SERVICE-1234\"\n",
        "",
        "1:1 source.bob.service_user: is missing: the service user's id, as in SERVICE-1234; Bob \
         shows it under System settings > Integrations > Service users",
    );
    mistake(
        "token = { env = \"BOB_TOKEN\" }\n",
        "",
        "1:1 source.bob.token: is missing: { env = \"BOB_TOKEN\" }; Bob shows it under System \
         settings > Integrations > Service users, once",
    );
    mistake(
        "fields.email = \"root.email\"\n",
        "[rules.fields]\njob = \"work.title\"\n",
        "16:1 rules.fields: email or username is missing: people sign in with one of them, as in \
         email = \"root.email\"",
    );
    mistake(
        "client_id = \"an-id\"",
        "client_id = \" \"",
        "10:13 target.client_id: is empty: the id of the API credentials; 360Learning shows it \
         under the platform group > Settings > API v2",
    );
    let all = [
        "rules: the table [rules] is missing: who is in scope, who is active, and [rules.fields]",
        "source: there is no source: a table [source.NAME] says where employees come from",
        "target: the table [target] is missing: where accounts live",
    ];
    assert_eq!(problems(""), all);
    assert_eq!(problems("[source]\n")[0].strip_prefix("1:1 "), Some(all[1]));
}

#[test]
fn wrong_kinds_and_bounds_say_what_was_expected() {
    for (key, value, expected) in [
        ("searches_per_minute", "0", "a whole number from 1 to 1000000, found 0"),
        ("people_per_search", "\"abc\"", "a whole number from 1 to 100, found the text \"abc\""),
        ("people_per_search", "101", "a whole number from 1 to 100, found 101"),
        ("people_per_search", "0x1", ""),
        ("timeout_seconds", "2.5", "a whole number from 1 to 300, found 2.5"),
        ("timeout_seconds", "[1]", "a whole number from 1 to 300, found a list"),
        (
            "timeout_seconds",
            "99999999999999999999",
            "a whole number from 1 to 300, found \
          99999999999999999999",
        ),
        ("company_id", "990017", "text, found the number 990017: put it in quotes"),
        ("company_id", "\"acme\"", "digits, as in \"990017\""),
    ] {
        let text = edited("[target]", &format!("{key} = {value}\n[target]"));
        let column = key.len() + 4;
        let wrong = format!("7:{column} source.bob.{key}: expected {expected}");
        let expected = if expected.is_empty() { Vec::new() } else { vec![wrong] };
        assert_eq!(problems(&text), expected, "{key} = {value}");
    }
    mistake(
        "[target]",
        "[target]\nactivate = 1",
        "8:12 target.activate: expected true or false, found 1",
    );
    mistake(
        "[target]",
        "[target]\nprotected = [\"boss@example.test\", 5]",
        "8:35 target.protected: expected a list of texts, found a number in it",
    );
    mistake("[target]", "[[server]]\n[target]", "7:1 server: expected a table, found a list");
    mistake(
        "[target]",
        "[server]\nlisten = \"localhost:8080\"\n[target]",
        "8:10 server.listen: expected an IP address and a port, as in \"127.0.0.1:8080\", found \
         \"localhost:8080\"",
    );
    mistake(
        "507f1f77bcf86cd799439011",
        "London",
        "12:17 target.default_group: is not the _id of the group that every new account joins, 24 \
         digits of 0-9 a-f; GET /api/v2/groups lists them",
    );
    mistake(
        "\"internal.status == 'Active'\"",
        "true",
        "15:10 rules.active: expected text, found true or false",
    );
    mistake(
        "[source.bob]",
        "[source.Bob_1]",
        "1:9 source.Bob_1: a source's name is 1 to 32 characters of a-z 0-9 -: it is part of the \
         webhook's address",
    );
    mistake(
        "\"hibob\"",
        "\"HiBobb\"",
        "2:8 source.bob.type: unknown type \"HiBobb\", did you mean \"hibob\"?",
    );
    mistake(
        "\"360learning\"",
        "\"moodle\"",
        "8:8 target.type: \"moodle\" is not there yet: this version knows \"360learning\"",
    );
}

#[test]
fn addresses_are_https_unless_they_are_this_machine() {
    let plain = "plain http is only for this machine itself: use https";
    for (url, expected) in [
        ("http://bob.example.test", plain),
        ("http://127.0.0.1.example.test", plain),
        ("http://localhost.example.test", plain),
        ("http://0.0.0.0", plain),
        ("http://127.9.9.9:1", ""),
        ("http://localhost:1/v1/", ""),
        ("http://[::1]:1", ""),
        (
            "ftp://bob.example.test",
            "expected an https address: HiBob's is https://api.hibob.com/v1",
        ),
        (
            "bob",
            "is not an address (relative URL without a base): HiBob's is \
          https://api.hibob.com/v1",
        ),
        (
            "https://me:hunter2@bob.example.test",
            "must not hold a user or a password: they have \
          keys of their own",
        ),
        ("https://bob.example.test/v1?key=hunter2", "must end before ? and #"),
        ("https://api.hibob.com", "HiBob's ends in /v1: https://api.hibob.com/v1"),
    ] {
        let text = edited("https://api.hibob.com/v1", url);
        let wrong = format!("3:12 source.bob.base_url: {expected}");
        let expected = if expected.is_empty() { Vec::new() } else { vec![wrong] };
        assert_eq!(problems(&text), expected, "{url}");
    }
    mistake(
        "https://app.360learning.com/",
        "https://app.360learning.com/api/v2",
        "9:12 target.base_url: must end before /api, which is added: https://app.360learning.com",
    );
    assert!(parse(&edited("https://app.360learning.com/", "https://api.example.test")).is_ok());
    for (url, expected) in [
        ("sqlite:x.db", ""),
        ("redis://:hunter2@db:6379/0", ""),
        ("rediss://db", ""),
        ("redis+sentinel://a:26379,b:26379/main", ""),
        ("redis+cluster://a:6379,b:6379", ""),
        ("sqlite:", "names no file: expected sqlite:PATH"),
        ("redis://:hunter2@", "names no host: expected redis://HOST:PORT"),
        ("redis+sentinels://a", "unknown kind of store, did you mean `redis+sentinel://`?"),
        ("sqllite:x.db", "unknown kind of store, did you mean `sqlite:`?"),
        (
            "hunter2",
            "is not a store's address: expected sqlite:PATH, redis://, rediss://, \
          redis+sentinel:// or redis+cluster://",
        ),
    ] {
        let text = format!("[store]\nurl = \"{url}\"\n{GOOD}");
        let wrong = format!("2:7 store.url: {expected}");
        let expected = if expected.is_empty() { Vec::new() } else { vec![wrong] };
        assert_eq!(problems(&text), expected, "{url}");
    }
}

#[test]
fn secrets_come_from_the_environment_or_a_file() {
    let token = "{ env = \"BOB_TOKEN\" }";
    let place = "5:9 source.bob.token:";
    let advice = "{ env = \"BOB_TOKEN\" } or { file = \"/path\" }";
    for (value, expected) in [
        ("\"hunter2\"", format!("a secret must not stand in this file: use {advice}")),
        ("\"\"", format!("is empty: it comes from {advice}")),
        ("5", format!("expected {advice}, found a number")),
        ("{}", format!("expected {advice}")),
        ("{ env = \"A\", file = \"B\" }", "has both `env` and `file`: keep one".to_owned()),
        ("{ env = \"NOPE\" }", "the environment variable NOPE is not set".to_owned()),
        ("{ env = \"EMPTY\" }", "the environment variable EMPTY is empty".to_owned()),
        (
            "{ env = \"hunter2\" }",
            "the environment variable that `env` names (as in BOB_TOKEN) is not set".to_owned(),
        ),
        (
            "{ file = \"/nowhere/token\" }",
            "the file /nowhere/token cannot be read: it does not exist".to_owned(),
        ),
        (
            "{ file = \"hunter2\" }",
            "the file that `file` names cannot be read: it does not exist".to_owned(),
        ),
        ("{ file = \"/\" }", "the file / cannot be read: it is a folder".to_owned()),
    ] {
        mistake(token, value, &format!("{place} {expected}"));
    }
    mistake(
        "[{ env = \"BOB_WEBHOOK_SECRET\" }]",
        "[]",
        "6:19 source.bob.webhook_secrets: expected a list of one to five secrets, [{ env = \
         \"BOB_WEBHOOK_SECRET\" }], found 0 of them",
    );
    mistake(
        "[{ env = \"BOB_WEBHOOK_SECRET\" }]",
        "\"hunter2\"",
        "6:19 source.bob.webhook_secrets: expected a list of one to five secrets, [{ env = \
         \"BOB_WEBHOOK_SECRET\" }], found a text",
    );
    // To this machine itself, text is good enough: the sandbox.
    let local = edited("https://api.hibob.com/v1", "http://127.0.0.1:9001/v1");
    let local = local.replace(token, "\"hunter2\"");
    assert_eq!(parse(&local).unwrap().settings.sources["bob"].token.expose_secret(), "hunter2");
    let store = format!("[store]\nurl = {{ env = \"STORE\" }}\n{GOOD}");
    let store = parse(&store).unwrap();
    assert_eq!(store.settings.store.url.expose_secret(), "redis://:hunter2@db");
    assert!(store.warnings.is_empty());
}

#[test]
fn the_store_takes_keys_and_refuses_what_is_none() {
    let with = |table: &str| parse(&format!("[store]\n{table}\n{GOOD}"));
    let key = "key = { env = \"STORE_KEY\" }";
    let store = with(&format!("{key}\nold_keys = [{{ env = \"STORE_KEY\" }}]")).unwrap();
    let store = store.settings.store;
    assert!(store.key.is_some() && store.old_keys.len() == 1);
    assert!(!format!("{store:?}").contains("AQEB"), "it never prints");
    let weak = "is not 32 bytes in base64, 44 characters: `openssl rand -base64 32` makes some";
    for (table, expected) in [
        ("key = { env = \"BOB_TOKEN\" }", format!("2:7 store.key: {weak}")),
        (
            "key = \"hunter2\"",
            "2:7 store.key: a secret must not stand in this file: use { env = \
             \"INSTEP_STORE_KEY\" } or { file = \"/path\" }"
                .to_owned(),
        ),
        (
            "old_keys = [{ env = \"STORE_KEY\" }]",
            "2:12 store.old_keys: needs a `key`: the one that seals from now on".to_owned(),
        ),
    ] {
        assert_eq!(problems(&format!("[store]\n{table}\n{GOOD}")), [expected]);
    }
}

#[cfg(unix)]
#[test]
fn a_secret_file_is_read_beside_the_configuration() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("bob.token");
    std::fs::write(&secret, "hunter2\r\n").unwrap();
    let path = folder.path().join("instep.toml");
    let text = edited("{ env = \"BOB_TOKEN\" }", "{ file = \"./bob.token\" }");
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
        let loaded = config::parse(&path, &text, &env).unwrap();
        assert_eq!(loaded.settings.sources["bob"].token.expose_secret(), "hunter2");
        assert_eq!(loaded.warnings.len(), warnings, "{mode:o}");
    }
    let warnings = config::parse(&path, &text, &env).unwrap().warnings;
    let shown = config::show_warnings(Path::new("instep.toml"), &text, &warnings, false);
    let expected = "instep.toml:5:9: warning: source.bob.token: the file ./bob.token can be read by \
                    every user of this machine: `chmod o-rwx` it\n  |\n5 | token = { file = \
                    \"./bob.token\" }\n  |         ^^^^^^^^^^^^^^^^^^^^^^^^\n\n";
    assert_eq!(shown, expected);
}

#[test]
fn what_does_not_fit_together_is_refused_and_what_is_unwise_is_said() {
    mistake(
        "[target]",
        "[worker]\nlease_seconds = 60\n[target]",
        "8:17 worker.lease_seconds: a lease of 60 s does not outlast one attempt, which may take \
         150 s: 30 s to read from the source and 6 calls of 20 s to the target; set it to 151 or \
         more, or lower a timeout_seconds",
    );
    mistake(
        "[target]",
        "[worker]\nfirst_retry_seconds = 60\nlongest_retry_seconds = 30\n[target]",
        "9:25 worker.longest_retry_seconds: 30 is less than first_retry_seconds, which is 60",
    );
    let unwise = format!("[store]\nurl = \"redis://:hunter2@db:6379\"\n{GOOD}")
        .replace("[target]", "searches_per_minute = 51\n[target]\nwrites_per_second = 11");
    let warnings = parse(&unwise).unwrap().warnings;
    let keys: Vec<&str> = warnings.iter().map(|warning| warning.key.as_str()).collect();
    let expected = ["store.url", "source.bob.searches_per_minute", "target.writes_per_second"];
    assert_eq!(keys, expected);
}

#[test]
fn several_sources_are_taken() {
    let second = GOOD.split_once("[target]").unwrap().0.replace("source.bob", "source.paris-2");
    let loaded = parse(&format!("{second}{GOOD}")).unwrap();
    assert_eq!(loaded.settings.sources.keys().collect::<Vec<_>>(), ["bob", "paris-2"]);
}

#[test]
fn a_rule_is_pointed_at_whatever_quotes_it_has() {
    for quoted in [
        "\"name ~ oops\"",
        "'name ~ oops'",
        "\"\"\"\nname ~ oops\"\"\"",
        "'''\r\nname ~ oops'''",
        "\"\"\"name ~ oops\"\"\"",
        "\"na\\u006de ~ oops\"",
        "\"n\\x61me \\u007E oops\"",
        "\"\"\"name \\\n   ~ oops\"\"\"",
    ] {
        let text = edited("\"root.email\"", quoted);
        let loaded = parse(&text).unwrap();
        let email: &Expression = &loaded.settings.sources["bob"].rules.fields[&Field::Email].value;
        assert_eq!(email.text, "name ~ oops");
        let problem = email.problem(&text, 7..11, "unknown field");
        assert_eq!(&text[problem.span.clone().unwrap()], "oops", "{quoted}");
        assert_eq!(problem.key, "rules.fields.email");
    }
}

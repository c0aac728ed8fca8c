//! `instep users`, `tokens` and `audit`, as people type them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use instep::config::EXAMPLE;
use tempfile::TempDir;

/// The folder of a configuration in which nothing is reached.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let text = EXAMPLE
        .replace("SERVICE-00000", "SERVICE-1")
        .replace("your-client-id", "an-id")
        .replace("000000000000000000000000", "507f1f77bcf86cd799439011");
    std::fs::write(folder.path().join("instep.toml"), text).expect("a configuration");
    folder
}

/// Types a command: exit code, what it found, what it said beside.
fn type_in(folder: &TempDir, words: &str, input: &str) -> (i32, String, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_instep"))
        .args(words.split(' '))
        .current_dir(folder.path())
        .envs(["BOB_TOKEN", "BOB_WEBHOOK_SECRET", "LMS_CLIENT_SECRET"].map(|name| (name, "x")))
        .env("USER", "rosa")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // What asks for no input may have ended already.
    let _ = process.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = process.wait_with_output().expect("an end");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn users_come_and_go_and_no_password_is_ever_shown() {
    let folder = folder();
    let (code, _, said) = type_in(&folder, "users", "");
    assert!(code == 0 && said.contains("instep users add NAME"), "{said}");
    let (code, found, said) =
        type_in(&folder, "users add Anna@example.com --access operator", "three good words\n");
    assert_eq!((code, found.trim()), (0, "anna@example.com is a new user, as operator"), "{said}");
    for (words, input, code, why) in [
        ("users add anna@example.com --access viewer", "three good words\n", 1, "already"),
        ("users add b&b --access viewer", "three good words\n", 1, "a name has"),
        ("users add bert --access viewer", "short\n", 1, "has 5 characters"),
        ("users add bert --access viewer", "password1234\n", 1, "tried first"),
        ("users add bert --access viewer", "", 1, "has 0 characters"),
        ("users add bert --access king", "", 2, "viewer, operator, administrator"),
        ("users set bert --access viewer", "", 1, "there is no user bert"),
        ("users password bert", "three good words\n", 1, "there is no user bert"),
        ("users remove bert", "", 1, "there is no user bert"),
    ] {
        let (got, found, said) = type_in(&folder, words, input);
        assert_eq!(got, code, "{words}: {found}{said}");
        assert!(said.contains(why), "{words}: {said}");
    }
    let (code, found, _) = type_in(&folder, "users set anna@example.com --access viewer", "");
    assert!(code == 0 && found.contains("is viewer now"), "{found}");
    let (_, found, _) = type_in(&folder, "users", "");
    let line = found.lines().nth(1).unwrap_or_default();
    assert!(line.starts_with("anna@example.com  viewer") && line.ends_with("has a password"));
    let (_, json, _) = type_in(&folder, "users --json", "");
    assert!(!json.contains("argon2") && json.contains(r#""access":"viewer""#), "{json}");
    let (code, found, _) =
        type_in(&folder, "users password anna@example.com", "another good one\n");
    assert!(code == 0 && found.contains("signs in again"), "{found}");
    assert_eq!(type_in(&folder, "users remove anna@example.com", "").0, 0);

    let (_, audit, _) = type_in(&folder, "audit --who rosa", "");
    for told in
        ["save_user", "remove_user", "with a new password", "REFUSED: there is no user bert"]
    {
        assert!(audit.contains(told), "{told}: {audit}");
    }
    assert!(!audit.contains("good") && !audit.contains("argon2"), "{audit}");
    let (_, refused, _) = type_in(&folder, "audit --refused --json --limit 1", "");
    let refused: serde_json::Value = serde_json::from_str(&refused).expect("one object");
    assert_eq!((&refused["verb"], &refused["via"]), (&"remove_user".into(), &"cli".into()));
}

#[test]
fn a_token_is_printed_once() {
    let folder = folder();
    let (code, token, said) = type_in(&folder, "tokens make ci --access operator --days 30", "");
    assert_eq!(code, 0, "{said}");
    assert!(token.starts_with("instep_ci_") && token.lines().count() == 1, "{token}");
    assert!(said.contains("the only time"), "{said}");
    let (code, _, said) = type_in(&folder, "tokens make ci", "");
    assert!(code == 1 && said.contains("revoke it first"), "{said}");
    assert_eq!(type_in(&folder, "tokens make ci --days 0", "").0, 2);
    assert_eq!(type_in(&folder, "tokens make c_i", "").0, 2);
    let (_, found, _) = type_in(&folder, "tokens", "");
    assert!(found.contains("ci    operator  rosa") && found.contains("never"), "{found}");
    let (_, json, _) = type_in(&folder, "tokens --json", "");
    let (_, audit, _) = type_in(&folder, "audit --about token", "");
    let secret = &token.trim()["instep_ci_".len()..];
    for text in [&found, &json, &audit] {
        assert!(!text.contains(secret) && !text.contains("proof"), "{text}");
    }
    assert_eq!(type_in(&folder, "tokens revoke ci", "").0, 0);
    let (code, _, said) = type_in(&folder, "tokens revoke ci", "");
    assert!(code == 1 && said.contains("no token ci"), "{said}");
    assert_eq!(type_in(&folder, "audit --since 2h --verb approve", "").0, 1, "nothing fits");
}

//! Where traces go: each mistake in `[telemetry]`, and that nothing is sent without it.

use secrecy::ExposeSecret as _;

use super::{GOOD, parse, problems};

fn with(table: &str) -> String {
    format!("{GOOD}[telemetry]\n{table}\n")
}

#[test]
fn nothing_is_sent_unless_somebody_says_where() {
    assert!(parse(GOOD).expect("in order").settings.telemetry.otlp.is_none());
}

#[test]
fn what_is_given_is_read_and_the_path_is_added() {
    for (given, read) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://otel.norvane.example/otlp/", "https://otel.norvane.example/otlp/v1/traces"),
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
    ] {
        let loaded = parse(&with(&format!("otlp_endpoint = \"{given}\""))).expect("in order");
        let otlp = loaded.settings.telemetry.otlp.expect("traces");
        assert_eq!((otlp.endpoint.as_str(), otlp.sample_percent), (read, 100));
        assert!(otlp.headers.is_empty());
    }
    let table = "otlp_endpoint = \"http://[::1]:4318\"\notlp_headers = \"Api-Key=a=b, x-team = hr\"\n\
                 sample_percent = 10";
    let otlp = parse(&with(table)).expect("in order").settings.telemetry.otlp.expect("traces");
    let headers: Vec<(&str, &str)> =
        otlp.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(headers, [("api-key", "a=b"), ("x-team", "hr")]);
    assert_eq!(otlp.sample_percent, 10);
}

#[test]
fn each_mistake_is_told_and_no_secret_is() {
    let here = "otlp_endpoint = \"http://127.0.0.1:4318\"\n";
    for (table, told) in [
        ("otlp_endpoint = \"127.0.0.1:4318\"".to_owned(), "the collector's address"),
        ("otlp_endpoint = \"https://me:hunter2@otel.example\"".to_owned(), "must hold no secret"),
        ("otlp_endpoint = \"https://otel.example?key=hunter2\"".to_owned(), "must hold no secret"),
        (format!("{here}otlp_headers = \"hunter2\""), "NAME=VALUE"),
        (format!("{here}sample_percent = 101"), "from 0 to 100"),
        ("otlp_headers = { env = \"BOB_TOKEN\" }".to_owned(), "is missing"),
        (
            "otlp_endpoint = \"http://collector:4318\"\notlp_headers = \"x=hunter2\"".to_owned(),
            "a secret must not stand in this file",
        ),
    ] {
        let found = problems(&with(&table)).join("\n");
        assert!(found.contains(told), "{table}: {found}");
        assert!(!found.contains("hunter2"), "{table}: {found}");
    }
}

//! `country`: countries by their ISO 3166 code, from codes and names.

use std::collections::HashMap;
use std::sync::LazyLock;

use minijinja::Value;

use super::{Given, Stop, spelling, tidy};

/// A line a country: its two codes and its names.
const TABLE: &str = include_str!("countries.txt");

static COUNTRIES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    rows()
        .flat_map(|(code, words)| words.map(move |word| (spelling::key(word), code)))
        .filter(|(key, _)| !key.is_empty())
        .collect()
});

pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(0)?;
    match text.map(tidy).filter(|text| !text.is_empty()) {
        None => Ok(Value::from(())),
        Some(text) => {
            code(&text).map(Value::from).ok_or_else(|| "this is no country's code or name".into())
        }
    }
}

/// The code of two letters, from a code of two or three or from a name: in English, French, German,
/// Spanish or the country's own languages.
pub fn code(text: &str) -> Option<&'static str> {
    COUNTRIES.get(&spelling::key(text)).copied()
}

fn rows() -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| (line.split('|').next().unwrap_or_default().trim(), line.split('|')))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_spelling_means_two_countries() {
        let mut owners = HashMap::new();
        let mut count = 0;
        for (code, words) in rows() {
            count += 1;
            assert!(code.len() == 2 && code.bytes().all(|c| c.is_ascii_uppercase()), "{code}");
            for word in words {
                let key = spelling::key(word);
                assert!(!key.is_empty(), "{code}: {word:?}");
                let other = owners.insert(key, code);
                assert!(other.is_none_or(|other| other == code), "{word}: {code} and {other:?}");
            }
        }
        assert_eq!(count, 250, "249 of ISO 3166-1, and Kosovo");
    }

    #[test]
    fn countries_are_found_by_code_and_by_name() {
        for (typed, expected) in [
            ("gb", Some("GB")),
            ("GBR", Some("GB")),
            ("UK", Some("GB")),
            ("the United Kingdom", Some("GB")),
            ("Deutschland", Some("DE")),
            ("Allemagne", Some("DE")),
            ("ESPAÑA", Some("ES")),
            ("espana", Some("ES")),
            ("日本", Some("JP")),
            ("Côte d'Ivoire", Some("CI")),
            ("Trinidad and Tobago", Some("TT")),
            ("U.S.A.", Some("US")),
            ("Congo", None),
            ("Korea", None),
            ("Londonland", None),
        ] {
            assert_eq!(code(typed), expected, "{typed}");
        }
    }
}

//! Who may: users and their passwords, sessions, tokens for the API, and sign-in at an OpenID
//! provider.
//!
//! Everything is a note in the store, so all processes on it know the same people. Of passwords,
//! sessions and tokens only hashes are kept: whoever reads the store cannot sign in with what is
//! there. Whether somebody may do a deed is not said here but by
//! [`Verb::needs`](crate::model::Verb::needs).

pub mod attempts;
pub mod oidc;
pub mod password;
pub mod sessions;
pub mod tokens;
pub mod users;

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::store::StoreError;

/// The longest name of a user or a token.
const LONGEST_NAME: usize = 64;

/// How often a note is written again when somebody else was faster.
const TRIES: usize = 8;

/// What is wrong with the name of a user or a token.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".@-".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    (name.len() > LONGEST_NAME || !begins || !name.chars().all(known))
        .then_some("a name has 1 to 64 characters of a-z 0-9 . @ -, and begins with one of a-z 0-9")
}

/// 256 bits that nobody can guess, in hexadecimal.
///
/// # Errors
/// When the system has no randomness to give.
pub fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// The SHA-256 of a text, in hexadecimal. It is for what nobody can guess; passwords have
/// [`password`].
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether two texts are the same, found out in a time that tells nothing of where they differ.
fn same(a: &str, b: &str) -> bool {
    let difference = a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

/// A note that others keep changing.
fn contended(doing: &'static str) -> StoreError {
    StoreError::Unavailable { doing, source: "others keep changing it; try again".into() }
}

fn write<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Unreadable { what, why: error.to_string() })
}

fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    // What serde says can hold a part of the text.
    let why = "a newer program wrote it, or it is damaged";
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable { what, why: why.to_owned() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_same_is_the_same_and_nothing_else_is() {
        for (a, b, wanted) in [
            ("abc", "abc", true),
            ("", "", true),
            ("abc", "abd", false),
            ("abc", "abcd", false),
            ("", "a", false),
        ] {
            assert_eq!(super::same(a, b), wanted, "{a:?} {b:?}");
        }
    }

    #[test]
    fn names_are_plain() {
        for name in ["anna", "a", "anna.lee@example.com", "ci-7"] {
            assert_eq!(super::name_problem(name), None, "{name}");
        }
        let long = "a".repeat(65);
        for name in ["", "Anna", "a b", "a_b", "-a", "a\n", "ä", "a:b", "a/b", &long] {
            assert!(super::name_problem(name).is_some(), "{name:?}");
        }
    }
}

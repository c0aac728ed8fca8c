//! The stored form of things: JSON with a version, so that a newer program reads what an older one
//! left, and an older one says so instead of guessing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::Choice;

/// The version that this program writes.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Writes a record.
///
/// # Panics
/// Never for the records of this crate: they are plain data with text keys.
pub fn write<T: Serialize>(record: &T) -> String {
    let text = serde_json::to_string(record).expect("plain data");
    // Put before the members as they are: `serde(flatten)` would copy each of them first.
    match text.strip_prefix('{') {
        Some(empty @ "}") => format!("{{\"v\":{VERSION}{empty}"),
        Some(members) => format!("{{\"v\":{VERSION},{members}"),
        None => unreachable!("a record is an object"),
    }
}

/// A choice as it is stored: a word alone could not carry a version.
#[derive(Serialize, Deserialize)]
struct Chosen {
    choice: Choice,
}

/// Writes what a human decided.
pub fn write_choice(choice: &Choice) -> String {
    write(&Chosen { choice: choice.clone() })
}

/// Reads what a human decided.
///
/// # Errors
/// As for [`read`].
pub fn read_choice(text: &str) -> Result<Choice, StoreError> {
    read("choice", text).map(|Chosen { choice }| choice)
}

/// Reads a record; `what` names it in errors.
///
/// # Errors
/// [`StoreError::Unreadable`] when it is damaged or of a version that this program does not know.
pub fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    let unreadable = |why: String| StoreError::Unreadable { what, why };
    let Version { v } = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    if v > VERSION {
        return Err(unreadable(format!(
            "it has version {v} and this program knows {VERSION}: upgrade this program"
        )));
    }
    serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))
}

//! An employee as the source shows them: the record, and what its silence means.

use serde_json::Value;

/// One employee's record in nested form: `work.site` is `["work"]["site"]`, fields of HiBob's
/// category `root` have no prefix. Labels of list values stand under `humanReadable`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(pub Value);

/// What a record says of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen<'r> {
    /// The field has this value.
    Value(&'r Value),
    /// The field is known to be empty (`null`).
    Empty,
    /// The field is not in the record: not permitted, misspelt or left out. It proves nothing.
    Missing,
}

impl Record {
    /// Looks at a field by its HiBob id: `work.site`, `root.email` or, for short, `email`.
    pub fn see(&self, field: &str) -> Seen<'_> {
        let mut at = &self.0;
        for part in field.strip_prefix("root.").unwrap_or(field).split('.') {
            match at {
                Value::Object(members) => match members.get(part) {
                    Some(next) => at = next,
                    None => return Seen::Missing,
                },
                Value::Null => return Seen::Empty,
                _ => return Seen::Missing,
            }
        }
        if at.is_null() { Seen::Empty } else { Seen::Value(at) }
    }
}

/// The source's answer about one person we asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The record.
    Present(Record),
    /// A complete answer did not contain the person. By itself this proves nothing.
    Absent,
}

//! What HiBob says on the wire: the search request, its answer, the field metadata and ids.
//!
//! Promises: an answer is whole or an error; a record is kept in its nested form only; ids
//! never pass through floating point; errors say where an answer stops making sense, never what it
//! holds.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::{EmployeeId, Record, Seen};

/// The longest employee id, in characters. HiBob's have 19 digits.
pub(super) const LONGEST_ID: usize = 64;

/// The body of `POST /people/search`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Search<'a> {
    fields: &'a [String],
    /// Left out for everybody: HiBob answers 400 to an empty list and to empty values.
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<[Filter<'a>; 1]>,
    /// Without it HiBob shows active people only.
    show_inactive: bool,
    /// `APPEND`: machine values, and the labels beside them. `REPLACE` would spoil the dates.
    human_readable: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    field_path: &'static str,
    operator: &'static str,
    values: Vec<&'a str>,
}

impl<'a> Search<'a> {
    /// Everyone the service user can see.
    pub(super) fn everyone(fields: &'a [String]) -> Self {
        Self { fields, filters: None, show_inactive: true, human_readable: "APPEND" }
    }

    /// These people; there must be one at least.
    pub(super) fn people(fields: &'a [String], ids: &'a [EmployeeId]) -> Self {
        let values = ids.iter().map(EmployeeId::as_str).collect();
        Self::filtered(fields, "root.id", values)
    }

    /// Whoever has this mail.
    pub(super) fn email(fields: &'a [String], email: &'a str) -> Self {
        Self::filtered(fields, "root.email", vec![email])
    }

    fn filtered(fields: &'a [String], field_path: &'static str, values: Vec<&'a str>) -> Self {
        let filter = Filter { field_path, operator: "equals", values };
        Self { filters: Some([filter]), ..Self::everyone(fields) }
    }

    /// Whether it has no filter.
    pub(super) fn is_for_everyone(&self) -> bool {
        self.filters.is_none()
    }
}

/// An answer that is not what it should be; nothing follows from it for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (line {line}, column {column})")]
pub struct Unusable {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for Unusable {
    fn from(error: serde_json::Error) -> Self {
        // serde's own sentences quote the value they stumble over, so none of them is passed on.
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it breaks off",
            serde_json::error::Category::Io => "it could not be read to its end",
            serde_json::error::Category::Syntax => "it is not valid JSON",
            serde_json::error::Category::Data => "it does not have the documented shape",
        };
        Self { what, line: error.line(), column: error.column() }
    }
}

fn read<T: DeserializeOwned>(body: impl Read) -> Result<T, Unusable> {
    read_with(PhantomData::<T>, body)
}

/// Reads a body to its end by a seed.
fn read_with<'de, S: DeserializeSeed<'de>>(seed: S, body: impl Read) -> Result<S::Value, Unusable> {
    let mut json = serde_json::Deserializer::from_reader(body);
    let value = seed.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// The people in an answer to `people/search`.
#[derive(Debug, Default, PartialEq)]
pub struct People {
    /// Each person's record.
    pub records: BTreeMap<EmployeeId, Record>,
    /// How often a person was listed again. The last one counts: HiBob is not known to do this, and
    /// refusing the answer would stop everyone for as long as it did.
    pub doubled: usize,
}

/// Reads an answer to `people/search` person by person, so that memory holds the records that are
/// kept and not the body: `{"employees":[{"id":…},…]}`.
///
/// # Errors
/// [`Unusable`] unless the answer has that shape to its end and each person has an id.
pub fn people(body: impl Read) -> Result<People, Unusable> {
    let mut people = People::default();
    each(body, |id, record| {
        if people.records.insert(id, record).is_some() {
            people.doubled += 1;
        }
    })?;
    Ok(people)
}

/// Reads an answer to `people/search` and hands each person on as soon as they are read, in the
/// order in which they are listed, however often. Until it ends without an error nothing that was
/// handed on may be believed.
///
/// # Errors
/// As [`people`].
pub fn each(body: impl Read, mut hand_on: impl FnMut(EmployeeId, Record)) -> Result<(), Unusable> {
    read_with(Answer(&mut hand_on), body)
}

/// Takes a person.
type HandOn<'h> = &'h mut dyn FnMut(EmployeeId, Record);

struct Answer<'h>(HandOn<'h>);

impl<'de> DeserializeSeed<'de> for Answer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `employees`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != "employees" {
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(de::Error::duplicate_field("employees"));
            } else {
                map.next_value_seed(List(&mut *self.0))?;
                found = true;
            }
        }
        if found { Ok(()) } else { Err(de::Error::missing_field("employees")) }
    }
}

struct List<'h>(HandOn<'h>);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of employees")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(Person { id, record }) = list.next_element()? {
            (self.0)(id, record);
        }
        Ok(())
    }
}

struct Person {
    id: EmployeeId,
    record: Record,
}

impl<'de> Deserialize<'de> for Person {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Person;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an employee with an id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Person, A::Error> {
                let mut id = None;
                let mut record = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key.starts_with('/') {
                        // `"/work/site":{"value":…}` says the same as `"work":{"site":…}`, but
                        // leaves empty fields out. It is half of the answer and never used.
                        map.next_value::<IgnoredAny>()?;
                    } else if key == "id" {
                        id = employee_id(&map.next_value::<Box<RawValue>>()?);
                    } else {
                        record.insert(key, map.next_value()?);
                    }
                }
                let id = id.ok_or_else(|| de::Error::missing_field("id"))?;
                record.insert("id".to_owned(), Value::String(id.as_str().to_owned()));
                Ok(Person { id, record: Record(Value::Object(record)) })
            }
        }
        json.deserialize_map(Members)
    }
}

/// The text of an id: a string, or a number of any size without sign, point or exponent.
pub(super) fn id_text(raw: &RawValue) -> Option<String> {
    let raw = raw.get();
    let text = if raw.starts_with('"') {
        serde_json::from_str::<String>(raw).ok()?.trim().to_owned()
    } else {
        raw.bytes().all(|c| c.is_ascii_digit()).then(|| raw.to_owned())?
    };
    (!text.is_empty()).then_some(text)
}

/// An employee's id: visible ASCII, [`LONGEST_ID`] at most.
pub(super) fn employee_id(raw: &RawValue) -> Option<EmployeeId> {
    id_text(raw)
        .filter(|id| id.len() <= LONGEST_ID && id.bytes().all(|c| c.is_ascii_graphic()))
        .map(EmployeeId::new)
}

/// Which of these fields the record does not have at all: not permitted, misspelt or left out. A
/// field that is known to be empty is not among them.
pub fn missing_fields<'f>(record: &Record, fields: &'f [String]) -> Vec<&'f str> {
    let missing = |field: &&str| record.see(field) == Seen::Missing;
    fields.iter().map(String::as_str).filter(missing).collect()
}

/// What HiBob says of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Its id: `work.site`.
    pub id: String,
    /// Its type: `text`, `list`, `employee`.
    pub kind: String,
    /// The id of the category whose right lets a service user see it.
    pub category: String,
    /// That category's name as people see it.
    pub category_name: String,
}

/// Reads the answer to `GET /company/people/fields`: an array, or an object that has it under
/// `fields`. Entries without an id are passed over.
///
/// # Errors
/// [`Unusable`] when it is neither.
pub fn fields(body: impl Read) -> Result<Vec<FieldInfo>, Unusable> {
    let list = match read::<Value>(body)? {
        Value::Array(list) => Some(list),
        Value::Object(mut members) => match members.remove("fields") {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        },
        _ => None,
    };
    let what = "it is neither an array of fields nor an object that has one";
    let list = list.ok_or(Unusable { what, line: 1, column: 1 })?;
    Ok(list.iter().filter_map(field).collect())
}

fn field(entry: &Value) -> Option<FieldInfo> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = entry.get("id")?.as_str()?.to_owned();
    let category = match text("categoryId") {
        id if id.is_empty() => text("category"),
        id => id,
    };
    let category_name = match text("categoryDisplayName") {
        name if name.is_empty() => category.clone(),
        name => name,
    };
    Some(FieldInfo { id, kind: text("type"), category, category_name })
}

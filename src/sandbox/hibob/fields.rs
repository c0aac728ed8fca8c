//! The fields that the company's HiBob knows: ids, types, and the lists their values come from.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::super::record::at;

/// A field: its id, its type and, for list types, its list.
type Field = (&'static str, &'static str, &'static str);

/// Every field, in the order in which the metadata shows them.
const FIELDS: [Field; 44] = [
    ("root.id", "employee-reference", ""),
    ("root.companyId", "number", ""),
    ("root.email", "text", ""),
    ("root.firstName", "text", ""),
    ("root.secondName", "text", ""),
    ("root.surname", "text", ""),
    ("root.displayName", "text", ""),
    ("root.fullName", "text", ""),
    ("root.creationDateTime", "time", ""),
    ("about.avatar", "avatar", ""),
    ("about.hobbies", "multi-list", ""),
    ("work.title", "list", "title"),
    ("work.department", "list", "department"),
    ("work.site", "text", ""),
    ("work.siteId", "list_id", "site"),
    ("work.startDate", "date", ""),
    ("work.originalStartDate", "date", ""),
    ("work.employeeIdInCompany", "number", ""),
    ("work.workMobile", "text", ""),
    ("work.workPhone", "text", ""),
    ("work.reportsTo", "employee", ""),
    ("work.reportsTo.id", "employee-reference", ""),
    ("work.reportsTo.email", "text", ""),
    ("work.reportsTo.firstName", "text", ""),
    ("work.reportsTo.surname", "text", ""),
    ("work.reportsTo.displayName", "text", ""),
    ("work.reportsToIdInCompany", "number", ""),
    ("work.manager", "employee-reference", ""),
    ("work.secondLevelManager", "employee-reference", ""),
    ("work.custom.field_1700000000001", "text", ""),
    ("work.custom.field_1700000000002", "text", ""),
    ("internal.status", "list", "status"),
    ("internal.lifecycleStatus", "list", "lifecycleStatus"),
    ("internal.terminationDate", "date", ""),
    ("internal.terminationReason", "list", "terminationreason"),
    ("internal.terminationType", "list", "lifecycleReasonType"),
    ("internal.probationEndDate", "date", ""),
    ("employee.lastDayOfWork", "date", ""),
    ("employee.firstDayOfWork", "date", ""),
    ("payroll.employment.contract", "list", "employmentstatus"),
    ("personal.pronouns", "list", "pronouns"),
    ("personal.honorific", "text", ""),
    ("address.country", "list", "countries"),
    ("address.city", "text", ""),
];

/// By id without `root.`: it is looked at for each field of each record that is read.
static BY_ID: LazyLock<HashMap<&str, &Field>> =
    LazyLock::new(|| FIELDS.iter().map(|field| (bare(field.0), field)).collect());

/// A field's id without the category that records do not show.
pub fn bare(id: &str) -> &str {
    id.strip_prefix("root.").unwrap_or(id)
}

fn find(field: &str) -> Option<&'static Field> {
    BY_ID.get(bare(field)).copied()
}

/// Whether an object is one value rather than a category.
pub fn is_whole(field: &str) -> bool {
    find(field).is_some_and(|(_, kind, _)| *kind == "employee")
}

/// What a read of this field shows: the value, `null` for known to be empty, nothing for a field
/// that does not exist. A record may hold fields beyond the metadata, such as custom ones.
pub fn seen(record: &Value, field: &str) -> Option<Value> {
    match at(record, field) {
        Some(Value::Object(_)) if !is_whole(field) => None,
        Some(value) => Some(value.clone()),
        None => find(field).map(|_| Value::Null),
    }
}

/// What a search shows that names no fields: root, about, employment and work, nothing custom.
pub fn defaults() -> Vec<String> {
    let ids = FIELDS.iter().map(|(id, _, _)| *id);
    let shown = |id: &str| {
        ["root.", "about.", "employment.", "work."].iter().any(|part| id.starts_with(part))
            && !id.contains(".custom.")
            && !id.starts_with("work.reportsTo.")
    };
    ids.filter(|id| shown(id)).map(str::to_owned).collect()
}

/// Every field there is.
pub fn all() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(id, _, _)| *id)
}

/// How people would read a value; `None` for one that is empty.
pub fn display(field: &str, value: &Value, label: impl Fn(&str, &str) -> String) -> Option<Value> {
    let (kind, list) = find(field).map_or(("text", ""), |(_, kind, list)| (*kind, *list));
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => if *yes { "Yes" } else { "No" }.to_owned(),
        Value::Object(person) if kind == "employee" => {
            person.get("displayName").and_then(Value::as_str)?.to_owned()
        }
        _ => return None,
    };
    Some(match kind {
        "list" | "list_id" => label(list, &text).into(),
        "date" => day(&text).into(),
        _ => text.into(),
    })
}

/// `2026-04-01` as `01/04/2026`.
fn day(iso: &str) -> String {
    let mut parts = iso.splitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day)) => format!("{day}/{month}/{year}"),
        _ => iso.to_owned(),
    }
}

/// The answer of `GET /company/people/fields`: a bare array.
pub fn metadata() -> Value {
    FIELDS
        .iter()
        .map(|(id, kind, list)| {
            let (category, name) = id.split_once('.').unwrap_or(("root", id));
            let type_data = if list.is_empty() { json!({}) } else { json!({"listId": list}) };
            json!({
                "id": id, "category": category, "categoryId": category,
                "categoryDisplayName": category, "name": name, "description": null,
                "jsonPath": bare(id), "type": kind,
                "typeData": type_data,
                "historical": matches!(category, "work" | "payroll" | "address"),
            })
        })
        .collect()
}

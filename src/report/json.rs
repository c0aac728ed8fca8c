//! A run as one JSON document, for programs.
//!
//! ```text
//! verdict   the sentence that the mail has as its subject
//! personal  "none" | "names" | "values": what may be in it
//! run       the run as it is stored: id, source, state, certificate, slices, calls, ...
//! items     everybody who was out of step: number, employee, account, kind, drift, blame, state;
//!           `name` only with "names" or "values"; `old`, `new` and `group` of a drift only with "values"
//! unmapped  [{"table", "people", "keys"}]; `keys` only with "values"
//! ```

use serde_json::{Value, json};

use super::Report;
use crate::model::Personal;

/// The document.
pub fn json(report: &Report<'_>) -> Value {
    let personal = match report.personal {
        Personal::None => "none",
        Personal::Names => "names",
        Personal::Values => "values",
    };
    let mut items = json!(report.items);
    for item in items.as_array_mut().into_iter().flatten() {
        redact(item, report.personal);
    }
    let values = report.personal == Personal::Values;
    let unmapped: Vec<Value> = report
        .misses
        .iter()
        .map(|(miss, people)| {
            let mut told = json!({"table": miss.table, "people": people});
            if values {
                told["keys"] = json!(miss.keys);
            }
            told
        })
        .collect();
    json!({
        "verdict": report.verdict(),
        "personal": personal,
        "run": report.run,
        "items": items,
        "unmapped": unmapped,
    })
}

/// Takes out of an item what may not be told. Nothing and untold are not the same, so the whole key
/// goes.
fn redact(item: &mut Value, personal: Personal) {
    let Some(item) = item.as_object_mut() else { return };
    if personal == Personal::None {
        item.remove("name");
    }
    if personal == Personal::Values {
        return;
    }
    for drift in item.get_mut("drift").and_then(Value::as_array_mut).into_iter().flatten() {
        for detail in drift.as_object_mut().into_iter().flat_map(|drift| drift.values_mut()) {
            if let Some(detail) = detail.as_object_mut() {
                detail.retain(|key, _| !["old", "new", "group"].contains(&key.as_str()));
            }
        }
    }
    // What was done is told call by call, with what was written.
    if let Some(state) = item.get_mut("state").and_then(Value::as_object_mut)
        && let Some(done) = state.get_mut("done").and_then(Value::as_object_mut)
        && let Some(calls) = done.get_mut("done").and_then(Value::as_array_mut)
    {
        let count = calls.len();
        done.insert("done".to_owned(), json!(count));
    }
}

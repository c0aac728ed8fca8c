//! What HiBob says when someone changes: which webhooks follow from which change.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::company::{Applied, today};
use super::super::record::{changed, text};
use super::{COMPANY_ID, fields};

/// The whole body of a webhook, in the order of the documentation's examples.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'e> {
    company_id: u64,
    #[serde(rename = "type")]
    kind: &'e str,
    triggered_by: &'e str,
    triggered_at: String,
    version: &'e str,
    data: Value,
}

/// An event without its time.
pub struct Event {
    /// Its type: `employee.updated`.
    pub kind: String,
    data: Value,
}

impl Event {
    /// The body to send.
    pub fn body(&self, at: Timestamp) -> Vec<u8> {
        let by_itself = ["joined", "activated", "left", "inactivated", "temporaryLeave"];
        let system = by_itself.iter().any(|end| self.kind.ends_with(end));
        let envelope = Envelope {
            company_id: COMPANY_ID,
            kind: &self.kind,
            triggered_by: if system { "system" } else { "4000000000000000002" },
            triggered_at: at.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            version: "v2",
            data: self.data.clone(),
        };
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

/// Fields that HiBob calculates from others and does not report.
const CALCULATED: [&str; 7] = [
    "root.displayName",
    "root.fullName",
    "work.site",
    "work.manager",
    "work.reportsToIdInCompany",
    "work.secondLevelManager",
    "work.isManager",
];

/// The events that follow from a change, in the order in which they are sent.
pub fn of(applied: &Applied, now: Timestamp) -> Vec<Event> {
    let id = &applied.id;
    let about = |kind: &str| Event { kind: kind.to_owned(), data: json!({"employeeId": id}) };
    let (before, after) = match (applied.before.as_ref(), applied.after.as_ref()) {
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec![about("employee.deleted")],
        (None, Some(after)) => {
            let mut events = vec![about("employee.created")];
            if text(after, "internal.status") == "Active" {
                events.extend([about("employee.joined"), about("employee.activated")]);
            }
            return events;
        }
        (Some(before), Some(after)) => (before, after),
    };
    let mut updates = changed(before, after, &fields::is_whole);
    updates.retain(|field| !CALCULATED.contains(&field.as_str()));
    if updates.is_empty() {
        return Vec::new();
    }
    let row = |table: &str| Event {
        kind: "table.entry.created".to_owned(),
        data: json!({"employeeId": id, "tableId": table, "effectiveDate": today(now).to_string()}),
    };
    let mut events = Vec::new();
    let historical =
        ["work.title", "work.department", "work.siteId", "work.reportsTo", "work.customColumns"];
    if updates.iter().any(|field| historical.contains(&field.as_str())) {
        events.push(row("work"));
    }
    if updates.iter().any(|field| field == "internal.lifecycleStatus") {
        events.push(row("lifecycle"));
    }
    let list: Vec<_> = updates.iter().map(|field| json!({"id": field})).collect();
    events.push(Event {
        kind: "employee.updated".to_owned(),
        data: json!({"employeeId": id, "fieldUpdates": list}),
    });
    events.extend(turn(before, after).into_iter().map(about));
    events
}

/// An event of this type about someone, whether something changed or not.
pub fn plain(kind: &str, id: &str) -> Event {
    let data = match kind {
        "employee.updated" => json!({"employeeId": id, "fieldUpdates": []}),
        _ => json!({"employeeId": id}),
    };
    Event { kind: kind.to_owned(), data }
}

/// What a change of status or life cycle is called.
fn turn(before: &Value, after: &Value) -> Vec<&'static str> {
    let life = |record| text(record, "internal.lifecycleStatus").to_lowercase();
    let active = |record| text(record, "internal.status") == "Active";
    let (was, is) = (life(before), life(after));
    let on_leave = |life: &str| life.contains("leave") && life != "garden leave";
    let gone = |life: &str| matches!(life, "terminated" | "garden leave");
    let mut turns = Vec::new();
    if on_leave(&is) && was != is {
        turns.push("employee.temporaryLeave");
    } else if gone(&is) && !gone(&was)
        || active(before) && !active(after) && !gone(&was) && !on_leave(&is)
    {
        turns.push("employee.left");
    }
    match (active(before), active(after)) {
        (true, false) => turns.push("employee.inactivated"),
        (false, true) if on_leave(&was) => turns.push("employee.activated"),
        (false, true) => turns.extend(["employee.joined", "employee.activated"]),
        _ => {}
    }
    turns
}

//! What workers leave behind in some days: deliveries that are settled, with their events and their
//! histories, and an audit log. The store takes it in as it takes an export in.

use std::time::Duration;

use instep::clock::Clock;
use instep::model::{
    Access, Attempt, AuditEntry, AuditId, Delivery, DeliveryId, DeliveryState, EmployeeId, Event,
    EventId, Lane, SourceName, Via,
};
use instep::store::{Store, Stored, StoredEvent};
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// So many things are handed to the store at once.
const AT_ONCE: usize = 500;

/// How long ago it began.
const AGE: Duration = Duration::from_hours(6 * 24);

/// One delivery of so many is a dead letter.
const DEAD: usize = 100;

/// Why they are dead, with what stands in the reason for each alone.
const CAUSES: [(&str, &str); 7] = [
    ("mailAlreadyUsed", "another account has this mail; free it or correct it in HR ("),
    ("disputed", "two accounts could be this person's; a human must say whose it is ("),
    ("fieldMissing", "HiBob's answer lacks work.site, which rules.in_scope needs ("),
    ("notVisible", "HiBob does not show this person to the service user ("),
    ("ruleFailed", "rules.fields.lang has no result for this record ("),
    ("targetFailed", "360Learning answered 500 again and again ("),
    ("mailInvalid", "360Learning does not take this mail; correct it in HR ("),
];

/// What was there of it.
pub struct Past {
    /// A dead letter in the middle.
    pub dead: DeliveryId,
    /// A delivery in the middle.
    pub middle: DeliveryId,
}

/// Writes so many deliveries of these people, one after the other, into a store that nobody works
/// on; and so many entries of the audit log.
///
/// # Errors
/// When the store does not take them.
pub async fn write(
    store: &dyn Store,
    people: &[String],
    deliveries: usize,
    entries: usize,
) -> anyhow::Result<Past> {
    let now = Clock::system().now();
    let moment = |at: usize, of: usize| -> anyhow::Result<Timestamp> {
        let (at, of) = (u32::try_from(at)?, u32::try_from(of)?);
        Ok(now - AGE + AGE / of.max(1) * at)
    };
    let mut some = Vec::with_capacity(AT_ONCE);
    for number in 0..deliveries {
        let (event, delivery) = settled(number, people, moment(number, deliveries)?);
        let carriers = vec![delivery.id.clone()];
        some.push(Stored::Event(StoredEvent::new(event, carriers, 0)));
        some.push(Stored::Delivery(delivery));
        if some.len() >= AT_ONCE {
            store.restore(&some).await?;
            some.clear();
        }
    }
    for number in 0..entries {
        some.push(Stored::Audit(deed(number, moment(number, entries)?)));
        if some.len() >= AT_ONCE {
            store.restore(&some).await?;
            some.clear();
        }
    }
    store.restore(&some).await?;
    let name = |number: usize| anyhow::Ok(DeliveryId::new(id(moment(number, deliveries)?, number)));
    let middle = deliveries / 2;
    Ok(Past { dead: name(middle / DEAD * DEAD)?, middle: name(middle)? })
}

/// An id as it would have been made then.
fn id(at: Timestamp, number: usize) -> String {
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
    let made = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos));
    // What chance fills is a number here, so that it can be made again.
    let text = made.to_string();
    format!("{}-7000-8000-{number:012x}", &text[..13])
}

/// An event and its delivery, which was settled a second later.
fn settled(number: usize, people: &[String], at: Timestamp) -> (Event, Delivery) {
    let source = SourceName::new("bob");
    let employee = &people[number * 7 % people.len()];
    let kind = if number % 20 == 7 { "employee.joined" } else { "employee.updated" };
    let raw = format!(
        r#"{{"companyId":990017,"type":"{kind}","triggeredBy":"4000000000000000002","triggeredAt":"{}","version":"v2","data":{{"employeeId":"{employee}","fieldUpdates":[{{"id":"root.surname"}},{{"id":"work.title"}}]}}}}"#,
        at.strftime("%Y-%m-%dT%H:%M:%S%.6f"),
    );
    let event = Event {
        id: EventId::of(&source, raw.as_bytes()),
        source: source.clone(),
        kind: kind.to_owned(),
        company: Some("990017".to_owned()),
        employee: Some(EmployeeId::new(employee.as_str())),
        received_at: at,
        raw: raw.into(),
    };
    let dead = number.is_multiple_of(DEAD).then(|| CAUSES[number / DEAD % CAUSES.len()]);
    let due = at + Duration::from_millis(1_050);
    let attempt = |decided: &str, done: Vec<String>, outcome: String| Attempt {
        at: due - Duration::from_millis(80),
        took_ms: 80,
        read: READ.map(str::to_owned).to_vec(),
        rules: "5c3f09a1b2d4".to_owned(),
        decided: decided.to_owned(),
        done,
        outcome,
    };
    let (state, code, reason, attempt) = if let Some((code, reason)) = dead {
        let reason = format!("{reason}{employee})");
        let attempt = attempt("update last_name, job", Vec::new(), format!("dead: {code}"));
        (DeliveryState::Dead, Some(code.to_owned()), Some(reason), attempt)
    } else {
        let done = vec!["update last_name, job".to_owned()];
        (DeliveryState::Done, None, None, attempt("update last_name, job", done, "done".to_owned()))
    };
    let delivery = Delivery {
        id: DeliveryId::new(id(at, number)),
        event: event.id.clone(),
        source,
        employee: event.employee.clone(),
        kind: event.kind.clone(),
        lane: Lane::Live,
        received_at: at,
        state,
        due,
        attempts: 1,
        looks: 0,
        absences: 0,
        kills: 0,
        replays: 0,
        reason,
        code,
        history: vec![attempt],
    };
    (event, delivery)
}

/// The fields that a worker reads under the rules of the sandbox.
const READ: [&str; 9] = [
    "internal.status",
    "root.email",
    "root.firstName",
    "root.id",
    "root.surname",
    "work.department",
    "work.site",
    "work.title",
    "work.workMobile",
];

/// Somebody did something.
fn deed(number: usize, at: Timestamp) -> AuditEntry {
    let (verb, about, outcome) = match number % 4 {
        0 => ("sign_in", "by a password of this console".to_owned(), "signed in"),
        1 => ("unmask", format!("person bob/{number}"), "shown"),
        2 => ("replay", format!("cause mailAlreadyUsed-{number:06x}"), "a preview is made"),
        _ => ("discard", format!("delivery {}", id(at, number)), "1 delivery was discarded"),
    };
    AuditEntry {
        id: AuditId::new(id(at, number)),
        at,
        who: format!("operator{}@example.test", number % 9),
        access: Access::Operator,
        via: Via::Console,
        from: Some("192.0.2.17".to_owned()),
        verb: verb.to_owned(),
        about,
        reason: None,
        outcome: Some(outcome.to_owned()),
        refused: false,
    }
}

//! A company that has drifted: every way in which HR and the LMS come apart, and every cause, for
//! whoever wants to see what a full sync makes of them.
//!
//! HR changes and tells nobody; an administrator edits the LMS; events came and were filtered, failed,
//! wait, or were overtaken.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::model::{
    AccountStatus, Arrival, Attempt, DeliveryState, EmployeeId, Event, EventId, Link, SourceName,
};
use crate::sandbox::{Change, Sandbox};
use crate::store::{LeaseRequest, Store};

/// In a smaller company there would be nobody left who is in step.
pub const SMALLEST: u32 = 60;

/// What the brake lets pass of so many people is exceeded by as many.
const TOO_MANY: usize = 3;

/// The company that drifts.
pub struct Drifting<'d> {
    /// HR and the LMS.
    pub sandbox: &'d Sandbox,
    /// What Instep keeps.
    pub store: &'d dyn Store,
    /// The version of the rules that decided until now.
    pub rules: &'d str,
    /// The time.
    pub clock: &'d Clock,
}

/// Somebody who works there.
struct Person<'d> {
    id: String,
    record: Value,
    link: &'d Link,
}

impl Person<'_> {
    fn account(&self) -> Value {
        json!(self.link.account)
    }

    fn text(&self, pointer: &str) -> &str {
        self.record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// An event of the last hour, and what became of it.
struct Past {
    minutes: i64,
    state: DeliveryState,
    decided: &'static str,
    reason: &'static str,
    code: Option<&'static str>,
}

impl Past {
    /// How its attempt ended, in the worker's words.
    fn outcome(&self) -> String {
        match (self.state, self.code) {
            (DeliveryState::Dead, Some(code)) => format!("dead: {code}"),
            (DeliveryState::Waiting, _) => format!("again in {LATER}.0 s: {}", self.reason),
            _ => self.reason.to_owned(),
        }
    }
}

impl Drifting<'_> {
    /// Lets it drift; says how, a line for each way.
    ///
    /// # Errors
    /// When the company is too small, or the sandbox or the store does not take something.
    pub async fn drift(&self, links: &HashMap<String, Link>) -> anyhow::Result<Vec<String>> {
        let mut people: Vec<Person<'_>> = self
            .sandbox
            .people()
            .into_iter()
            .filter_map(|record| {
                let id = record["id"].as_str()?.to_owned();
                Some(Person { link: links.get(&id)?, id, record })
            })
            .collect();
        let active = |person: &Person<'_>| person.link.status == Some(AccountStatus::Active);
        let linked = people.iter().filter(|person| active(person)).count();
        let back = people.iter().position(|person| {
            !active(person) && person.text("/internal/lifecycleStatus") == "parental leave"
        });
        let back = back.map(|place| people.remove(place));
        people.retain(active);
        // Those who came last manage nobody.
        let mut next = move || people.pop().context("the company is too small");
        let mut told = Vec::new();

        let mut tell = |what: &str| told.push(what.to_owned());
        self.by_hr(&mut next, back, &mut tell)?;
        let leavers = (linked * 2 / 100).max(5) + TOO_MANY;
        for _ in 1..leavers {
            let leaver = next()?;
            self.change(&leaver.id, json!({"internal": {"lifecycleStatus": "terminated"}}))?;
        }
        let deleted = Change { id: Some(next()?.id), delete: true, ..Change::default() };
        self.sandbox.change(&Change { silent: true, ..deleted }).map_err(refused)?;
        tell(&format!("{leavers} people left, one of them deleted: more than the brake lets pass"));
        self.by_hand(&mut next, &mut tell)?;
        self.in_doubt(&mut tell)?;
        self.events(&mut next, &mut tell).await?;
        Ok(told)
    }

    /// HR changes, and no event comes.
    fn by_hr<'p>(
        &self,
        next: &mut impl FnMut() -> anyhow::Result<Person<'p>>,
        back: Option<Person<'p>>,
        tell: &mut impl FnMut(&str),
    ) -> anyhow::Result<()> {
        self.change(&next()?.id, json!({"surname": "Overlooked"}))?;
        self.change(&next()?.id, json!({"work": {"workMobile": "+44 20 7946 0999"}}))?;
        tell("HR told nobody of a new name and a new number");
        // Their department has a group, and so has the other one.
        let person = loop {
            let person = next()?;
            if person.link.misses.is_empty() && person.link.groups.len() > 1 {
                break person;
            }
        };
        let department = if person.text("/work/department") == SALES { FINANCE } else { SALES };
        self.change(&person.id, json!({"work": {"department": department}}))?;
        tell("somebody changed the department: another group");
        self.change(&next()?.id, json!({"work": {"department": LEGAL}}))?;
        tell("somebody joined a department that is in no table");
        let mail = json!({"email": "newly.married@example.test"});
        self.change(&next()?.id, mail)?;
        tell("somebody has a new mail");
        let hire = json!({"firstName": "Nia", "surname": "Newcomer"});
        self.sandbox
            .change(&Change { merge: hire, silent: true, ..Change::default() })
            .map_err(refused)?;
        tell("somebody was hired, and has no account");
        if let Some(back) = back {
            self.change(&back.id, json!({"internal": {"lifecycleStatus": "employed"}}))?;
            tell("somebody came back from leave, and the account is still deactivated");
        }
        Ok(())
    }

    /// An administrator edits the LMS.
    fn by_hand<'p>(
        &self,
        next: &mut impl FnMut() -> anyhow::Result<Person<'p>>,
        tell: &mut impl FnMut(&str),
    ) -> anyhow::Result<()> {
        let everyone = &self.sandbox.credentials().default_group;
        let edits = [
            (json!({"set": {"job": "Chief Fun Officer"}}), "gave somebody another job"),
            (
                json!({"set": {"groups": [{"groupId": everyone, "role": "learner"}]}}),
                "took somebody out of all groups",
            ),
            (json!({"delete": true}), "deactivated somebody"),
            (json!({"wipe": true}), "removed an account for good"),
        ];
        for (mut edit, what) in edits {
            edit["_id"] = next()?.account();
            self.sandbox.edit_account(edit).map_err(refused)?;
            tell(&format!("an administrator of the LMS {what}"));
        }
        let stranger = json!({"firstName": "Pat", "lastName": "Stranger",
            "mail": "pat.stranger@example.test"});
        self.sandbox.edit_account(json!({ "set": stranger })).map_err(refused)?;
        tell("and made an account for somebody whom HR does not know: an orphan");
        Ok(())
    }

    /// Accounts that a human must decide about.
    fn in_doubt(&self, tell: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        let hire = |first: &str| {
            let merge = json!({"firstName": first, "surname": "Twofold"});
            let hire = Change { merge, silent: true, ..Change::default() };
            self.sandbox.change(&hire).map(|hired| hired.id).map_err(refused)
        };
        let account = |first: &str, mail: &str, id: Option<&str>| {
            let mut set = json!({"firstName": first, "lastName": "Twofold", "mail": mail});
            if let Some(id) = id {
                set["externalIds"] = json!([{"platform": "instep-bob", "value": id}]);
            }
            self.sandbox.edit_account(json!({ "set": set })).map_err(refused)
        };
        hire("Robin")?;
        account("Robin", "robin.private@example.test", None)?;
        tell("somebody of a newcomer's name has an account: is it theirs?");
        let doubled = hire("Dana")?;
        account("Dana", "dana.one@example.test", Some(&doubled))?;
        account("Dana", "dana.two@example.test", Some(&doubled))?;
        tell("an import made two accounts for one newcomer: a duplicate");
        Ok(())
    }

    /// Events that came, and did not put things right.
    async fn events<'p>(
        &self,
        next: &mut impl FnMut() -> anyhow::Result<Person<'p>>,
        tell: &mut impl FnMut(&str),
    ) -> anyhow::Result<()> {
        let done = DeliveryState::Done;
        let filtered = Past {
            minutes: 50,
            state: done,
            decided: "out of scope (rules.filters.no_contractors)",
            reason: "nothing to do",
            code: None,
        };
        let person = next()?;
        self.happened(&person.id, &filtered).await?;
        self.change(&person.id, json!({"surname": "Permanent"}))?;
        tell("somebody's event was filtered: a contractor then, an employee now");

        let mail = "shared.desk@example.test";
        let desk = json!({"firstName": "Shared", "lastName": "Desk", "mail": mail});
        self.sandbox.edit_account(json!({ "set": desk })).map_err(refused)?;
        let failed = Past {
            minutes: 40,
            state: DeliveryState::Dead,
            decided: "update email",
            reason: "another account, perhaps a deactivated one, has this mail; if looking again does \
                      not help, change the mail of that account in 360Learning, or the person's mail \
                      in HR",
            code: Some("mailAlreadyUsed"),
        };
        let person = next()?;
        self.happened(&person.id, &failed).await?;
        self.change(&person.id, json!({"email": mail}))?;
        tell("somebody's event failed, and will again: the mail is another account's");

        let waits = Past {
            minutes: 5,
            state: DeliveryState::Waiting,
            decided: "update last_name",
            reason: "360Learning answered 503 to PATCH /users: it has trouble",
            code: None,
        };
        let person = next()?;
        self.happened(&person.id, &waits).await?;
        self.change(&person.id, json!({"surname": "Waiting"}))?;
        tell("somebody's event still waits for its next attempt");

        let raced = Past {
            minutes: 30,
            state: done,
            decided: "nothing to do",
            reason: "nothing to do",
            code: None,
        };
        let person = next()?;
        self.happened(&person.id, &raced).await?;
        self.change(&person.id, json!({"surname": "Overtaken"}))?;
        tell("somebody changed again while the event was settled: a race");
        Ok(())
    }

    /// HR changes somebody, and tells nobody.
    fn change(&self, id: &str, merge: Value) -> anyhow::Result<()> {
        let id = Some(id.to_owned());
        let change = Change { id, merge, silent: true, ..Change::default() };
        self.sandbox.change(&change).map(drop).map_err(refused)
    }

    /// An event about somebody came, and this became of it.
    async fn happened(&self, id: &str, past: &Past) -> anyhow::Result<()> {
        let now = self.clock.now();
        let (source, at) = (SourceName::new("bob"), now - past.minutes.minutes());
        let raw = serde_json::to_vec(&json!({
            "companyId": 990_017, "type": "employee.updated", "triggeredBy": "1", "version": "v2",
            "triggeredAt": at.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            "data": {"employeeId": id},
        }))?;
        let arrival = Arrival::live(Event {
            id: EventId::of(&source, &raw),
            source: source.clone(),
            kind: "employee.updated".to_owned(),
            company: Some("990017".to_owned()),
            employee: Some(EmployeeId::new(id)),
            received_at: at,
            raw: raw.into(),
        });
        self.store.accept(arrival).await?;
        let lasting = Duration::from_secs(60);
        let request = LeaseRequest { source: &source, persons: 10, lasting, without: None };
        for mut lease in self.store.lease(request).await? {
            let mut deliveries = std::mem::take(&mut lease.deliveries);
            for delivery in &mut deliveries {
                delivery.state = past.state;
                delivery.attempts = 1;
                delivery.due = later(now);
                delivery.reason = Some(past.reason.to_owned());
                delivery.code = past.code.map(str::to_owned);
                delivery.remember(Attempt {
                    at,
                    took_ms: 212,
                    read: Vec::new(),
                    rules: self.rules.to_owned(),
                    decided: past.decided.to_owned(),
                    done: Vec::new(),
                    outcome: past.outcome(),
                });
            }
            self.store.settle(lease, deliveries, None).await?;
        }
        Ok(())
    }
}

/// In how many seconds what waits is tried again.
const LATER: i64 = 1800;

fn later(now: Timestamp) -> Timestamp {
    now + LATER.seconds()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn refused(why: String) -> anyhow::Error {
    anyhow!("the sandbox: {why}")
}

/// Departments, as HR's list has them; the last one is in no table of the example's rules.
const FINANCE: &str = "261454011";
const SALES: &str = "261454021";
const LEGAL: &str = "261454061";

//! The company as HR knows it: seeded people, and the one way in which they change.
//!
//! The same seed and the same changes always make the same company. Records are kept in nested form
//! with list ids; what HiBob calculates (display name, site name, the manager's details) is kept in
//! step here.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};

use super::lists::{DEPARTMENTS, Lists, SITES, TITLES, department_id, title_id};
use super::names;
use super::record::{Kept, at, merge, put, text};

/// How long old records are kept, for reads that are stale on command.
const KEPT: Duration = Duration::from_secs(600);

/// The first id; ids are 19-digit numbers above 2^53.
const FIRST_ID: u64 = 4_000_000_000_000_000_000;

/// What someone does to one person's record.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Whom; an unknown id is a hire, none is a hire with a fresh id.
    #[serde(default)]
    pub id: Option<String>,
    /// What to merge into the record, in nested form; `null` clears.
    #[serde(default)]
    pub merge: Value,
    /// Whether the person is removed from HR altogether.
    #[serde(default)]
    pub delete: bool,
    /// Event types to send in any case, whether something changed or not.
    #[serde(default)]
    pub send: Vec<String>,
    /// Nothing is sent of itself, as when a webhook got lost.
    #[serde(default)]
    pub silent: bool,
}

/// What came of a [`Change`].
pub(super) struct Applied {
    /// Whom it was about.
    pub id: String,
    /// The record before; none for a hire.
    pub before: Option<Value>,
    /// The record now; none for someone who was deleted.
    pub after: Option<Value>,
}

#[derive(Debug)]
struct Seat {
    id: String,
    now: Option<Kept>,
    /// Until when the record was how; oldest first.
    past: VecDeque<(Timestamp, Option<Kept>)>,
}

/// The company.
#[derive(Debug)]
pub struct Company {
    rng: fastrand::Rng,
    base: u64,
    seats: Vec<Seat>,
    by_id: HashMap<String, usize>,
    by_email: HashMap<String, Vec<usize>>,
    reports: HashMap<String, BTreeSet<usize>>,
    stems: HashMap<String, u32>,
    lists: Arc<Lists>,
}

impl Company {
    /// A company of so many people on the day of `now`.
    pub fn new(people: usize, seed: u64, now: Timestamp) -> Self {
        let mut company = Self {
            rng: fastrand::Rng::with_seed(seed),
            base: FIRST_ID + (seed % 1_000_000) * 1_000_000_000,
            seats: Vec::with_capacity(people),
            by_id: HashMap::with_capacity(people),
            by_email: HashMap::with_capacity(people),
            reports: HashMap::new(),
            stems: HashMap::new(),
            lists: Arc::new(Lists::new()),
        };
        for _ in 0..people {
            let (id, record) = company.invent(now);
            company.seat(&id, &record, now);
        }
        company
    }

    /// How many people there are or ever were.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether there never was anyone.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// A record by id.
    pub fn person(&self, id: &str) -> Option<Value> {
        Some(self.seats[*self.by_id.get(id)?].now.as_ref()?.open())
    }

    /// The id and record at a place; none when that person was deleted.
    pub fn nth(&self, place: usize) -> Option<(&str, Value)> {
        let seat = self.seats.get(place)?;
        Some((&seat.id, seat.now.as_ref()?.open()))
    }

    /// Everybody, in the order of arrival.
    pub fn people(&self) -> impl Iterator<Item = Value> {
        self.kept().map(Kept::open)
    }

    /// Everybody's record as it is kept, in the order of arrival.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.seats.iter().filter_map(|seat| seat.now.as_ref())
    }

    pub(super) fn lists(&self) -> &Arc<Lists> {
        &self.lists
    }

    /// The label of a list's id.
    pub fn label<'l>(&'l self, list: &str, id: &'l str) -> &'l str {
        self.lists.label(list, id)
    }

    /// The places of those whose id or mail is one of these; everybody's when there is no filter.
    pub(super) fn places(&self, filter: Option<(&str, &[String])>) -> Vec<usize> {
        match filter {
            None => (0..self.seats.len()).collect(),
            Some(("root.email", mails)) => {
                mails.iter().filter_map(|mail| self.by_email.get(mail)).flatten().copied().collect()
            }
            Some((_, ids)) => ids.iter().filter_map(|id| self.by_id.get(id)).copied().collect(),
        }
    }

    /// The record at a place as it was at `then`; now when that is `None`.
    pub(super) fn seen(&self, place: usize, then: Option<Timestamp>) -> Option<&Kept> {
        let seat = self.seats.get(place)?;
        let old = then.and_then(|then| seat.past.iter().find(|(until, _)| then < *until));
        old.map_or(seat.now.as_ref(), |(_, record)| record.as_ref())
    }

    /// Applies a change.
    ///
    /// # Errors
    /// When the change cannot be understood.
    pub(super) fn apply(&mut self, change: &Change, now: Timestamp) -> Result<Applied, String> {
        if !change.merge.is_object() && !change.merge.is_null() {
            return Err("merge is an object: the record's nested form".to_owned());
        }
        let id = change.id.clone().unwrap_or_else(|| self.fresh_id());
        let before = self.person(&id);
        if change.delete {
            if before.is_some() {
                self.set(&id, None, now);
            }
            return Ok(Applied { id, before, after: None });
        }
        let mut record = match &before {
            Some(record) => record.clone(),
            None => self.hire(&id, &change.merge, now),
        };
        let mut wanted = change.merge.clone();
        if let Some(members) = wanted.as_object_mut() {
            members.remove("id");
            members.remove("humanReadable");
        }
        if !wanted.is_null() {
            merge(&mut record, &wanted);
        }
        self.settle(&mut record, before.as_ref(), &wanted, now);
        if before.as_ref() != Some(&record) {
            self.set(&id, Some(&record), now);
        }
        Ok(Applied { id, before, after: Some(record) })
    }

    /// What HiBob calculates, and what a merge of one part means for the other.
    fn settle(
        &mut self,
        record: &mut Value,
        before: Option<&Value>,
        wanted: &Value,
        now: Timestamp,
    ) {
        let given = |field: &str| at(wanted, field).is_some();
        let (first, last) = (text(record, "firstName"), text(record, "surname"));
        let name = format!("{first} {last}").trim().to_owned();
        for field in ["displayName", "fullName"] {
            if !given(field) {
                put(record, field, name.as_str().into());
            }
        }
        if given("work.siteId") && !given("work.site") {
            let id = at(record, "work.siteId").and_then(Value::as_u64).map(|id| id.to_string());
            let site = id.map(|id| self.lists.label("site", &id).to_owned());
            put(record, "work.site", site.into());
        } else if given("work.site") && !given("work.siteId") {
            let id = at(record, "work.site").and_then(Value::as_str).map(str::to_owned);
            let id = id.map(|name| Arc::make_mut(&mut self.lists).site_id(&name));
            put(record, "work.siteId", id.into());
        }
        let manager = if given("work.manager") || !given("work.reportsTo") {
            at(record, "work.manager").and_then(Value::as_str)
        } else {
            at(record, "work.reportsTo.id").and_then(Value::as_str)
        };
        let manager = manager.map(str::to_owned);
        let boss = manager.as_deref().and_then(|id| self.person(id));
        report(record, manager, boss.as_ref());

        let (status, life) = ("internal.status", "internal.lifecycleStatus");
        let today = || today(now).to_string();
        let was = before.map_or("", |before| text(before, life)).to_owned();
        if given(life) && !given(status) {
            let active = matches!(text(record, life), "employed" | "garden leave");
            put(record, status, if active { "Active" } else { "Inactive" }.into());
        } else if given(status) && !given(life) {
            match (text(record, status), was.as_str()) {
                ("Inactive", "employed" | "garden leave" | "") => {
                    put(record, life, "terminated".into());
                }
                ("Active", "hired" | "terminated" | "") => put(record, life, "employed".into()),
                _ => {}
            }
        }
        let ended = text(record, life) == "terminated";
        if !given("internal.terminationDate") && ended != (was == "terminated") {
            put(record, "internal.terminationDate", ended.then(today).into());
        }
    }

    /// Puts a record in someone's place, or takes it away, and keeps every index right.
    fn set(&mut self, id: &str, record: Option<&Value>, now: Timestamp) {
        let place = self.by_id.get(id).copied().unwrap_or(self.seats.len());
        if place == self.seats.len() {
            self.by_id.insert(id.to_owned(), place);
            self.seats.push(Seat { id: id.to_owned(), now: None, past: VecDeque::new() });
        }
        let kept = self.seats[place].now.take();
        let old = kept.as_ref().map(Kept::open);
        let value = |record: Option<&Value>, field: &str| {
            record.map(|record| text(record, field).to_owned()).unwrap_or_default()
        };
        let (mail_was, mail_is) = (value(old.as_ref(), "email"), value(record, "email"));
        if mail_was != mail_is {
            if let Some(places) = self.by_email.get_mut(&mail_was) {
                places.retain(|other| *other != place);
            }
            if !mail_is.is_empty() {
                self.by_email.entry(mail_is).or_default().push(place);
            }
        }
        let field = "work.manager";
        let (boss_was, boss_is) = (value(old.as_ref(), field), value(record, field));
        if boss_was != boss_is {
            if let Some(places) = self.reports.get_mut(&boss_was) {
                places.remove(&place);
            }
            if !boss_is.is_empty() {
                self.reports.entry(boss_is).or_default().insert(place);
            }
        }
        let seat = &mut self.seats[place];
        seat.past.push_back((now, kept));
        while seat.past.front().is_some_and(|(until, _)| *until + KEPT < now) {
            seat.past.pop_front();
        }
        seat.now = record.map(Kept::of);
        // Those who report to this person show the new name and address at once.
        if let (Some(old), Some(new)) = (old, record)
            && card(&old) != card(new)
        {
            let places = self.reports.get(id).cloned().unwrap_or_default();
            for place in places {
                if let Some(kept) = &mut self.seats[place].now {
                    let mut report = kept.open();
                    put(&mut report, "work.reportsTo", card(new));
                    *kept = Kept::of(&report);
                }
            }
        }
    }

    fn seat(&mut self, id: &str, record: &Value, now: Timestamp) {
        self.set(id, Some(record), now);
        if let Some(seat) = self.seats.last_mut() {
            seat.past = VecDeque::new();
        }
    }

    fn fresh_id(&self) -> String {
        let mut id = self.base + self.seats.len() as u64 + 1;
        while self.by_id.contains_key(&id.to_string()) {
            id += 1;
        }
        id.to_string()
    }

    /// An address nobody has yet: `nadia.brisk@example.test`.
    pub(super) fn fresh_email(&mut self, first: &str, last: &str) -> String {
        let stem = format!("{}.{}", names::plain(first), names::plain(last));
        loop {
            let count = self.stems.entry(stem.clone()).or_insert(0);
            *count += 1;
            let number = if *count == 1 { String::new() } else { count.to_string() };
            let email = format!("{stem}{number}@example.test");
            if !self.by_email.contains_key(&email) {
                return email;
            }
        }
    }

    /// A hire of today: an employee in London unless the merge says otherwise.
    fn hire(&mut self, id: &str, wanted: &Value, now: Timestamp) -> Value {
        let mut rng = self.rng.fork();
        let name = |field: &str, else_: &str| match at(wanted, field).and_then(Value::as_str) {
            Some(given) => given.to_owned(),
            None => else_.to_owned(),
        };
        let first = name("firstName", names::first(&mut rng));
        let last = name("surname", names::last(&mut rng));
        let email = match at(wanted, "email") {
            Some(given) => given.clone(),
            None => self.fresh_email(&first, &last).into(),
        };
        let number = self.seats.len() as u64 + 1;
        let mut record = blank(id, &first, &last, &email, number, now);
        place(&mut record, 0, 0, 0, today(now), &mut rng);
        record
    }

    /// Someone who has been here for a while, in some state or other.
    fn invent(&mut self, now: Timestamp) -> (String, Value) {
        let number = self.seats.len();
        let id = self.fresh_id();
        let mut rng = self.rng.fork();
        let (first, last) = (names::first(&mut rng), names::last(&mut rng));
        let email = self.fresh_email(first, last);
        // Some tenants hold addresses as people typed them.
        let email = if rng.u32(..50) == 0 { capital(&email) } else { email };
        let began = today(now).saturating_sub(rng.i64(30..2500).days());
        let mut record = blank(&id, first, last, &email.into(), number as u64 + 1, now);
        let (site, department) = (names::site(&mut rng), rng.usize(..DEPARTMENTS));
        place(&mut record, site, department, rng.usize(..TITLES), began, &mut rng);
        // A tree of eight reports each; the first person reports to nobody.
        let boss = number.checked_sub(1).map(|n| n / 8).and_then(|n| self.nth(n));
        if let Some((id, boss)) = boss {
            report(&mut record, Some(id.to_owned()), Some(&boss));
        }
        let fate = rng.u32(..100);
        if number >= 9 && fate < 10 {
            let life = match fate {
                0..6 => "terminated",
                6..8 => "parental leave",
                _ => "hired",
            };
            put(&mut record, "internal.status", "Inactive".into());
            put(&mut record, "internal.lifecycleStatus", life.into());
            if life == "terminated" {
                let left = today(now).saturating_sub(rng.i64(1..29).days());
                put(&mut record, "internal.terminationDate", left.to_string().into());
            } else if life == "hired" {
                let starts = today(now).saturating_add(rng.i64(1..60).days()).to_string();
                put(&mut record, "work.startDate", starts.clone().into());
                put(&mut record, "work.originalStartDate", starts.into());
                if rng.bool() {
                    put(&mut record, "email", Value::Null);
                }
            }
        }
        (id, record)
    }
}

/// The day of a moment, in UTC.
pub(super) fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Makes someone report to a manager, whose record shows as much as it has.
fn report(record: &mut Value, manager: Option<String>, boss: Option<&Value>) {
    let part = |field: &str| boss.and_then(|boss| at(boss, field)).cloned().unwrap_or_default();
    put(record, "work.manager", manager.into());
    put(record, "work.reportsTo", boss.map(card).unwrap_or_default());
    put(record, "work.reportsToIdInCompany", part("work.employeeIdInCompany"));
    put(record, "work.secondLevelManager", part("work.manager"));
}

/// A person as they appear on the records of those who report to them.
fn card(record: &Value) -> Value {
    let part = |field: &str| at(record, field).cloned().unwrap_or_default();
    json!({"id": part("id"), "firstName": part("firstName"), "surname": part("surname"),
        "email": part("email"), "displayName": part("displayName")})
}

/// `nadia.brisk@…` as `Nadia.Brisk@…`.
fn capital(email: &str) -> String {
    let mut up = true;
    let mut out = String::with_capacity(email.len());
    for letter in email.chars() {
        out.push(if up { letter.to_ascii_uppercase() } else { letter });
        up = letter == '.' && !out.contains('@');
    }
    out
}

/// An active employee's record with every field known and most of them empty.
fn blank(id: &str, first: &str, last: &str, email: &Value, number: u64, now: Timestamp) -> Value {
    let name = format!("{first} {last}");
    let created = now.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    json!({
        "id": id, "companyId": super::hibob::COMPANY_ID, "email": email, "firstName": first,
        "secondName": null, "surname": last, "displayName": name, "fullName": name,
        "creationDateTime": created,
        "work": {"title": null, "department": null, "siteId": null, "site": null,
            "startDate": null, "originalStartDate": null, "employeeIdInCompany": number,
            "workMobile": null, "workPhone": null, "reportsTo": null, "manager": null,
            "reportsToIdInCompany": null, "secondLevelManager": null,
            "custom": {"field_1700000000001": null, "field_1700000000002": null}},
        "internal": {"status": "Active", "lifecycleStatus": "employed", "terminationDate": null},
        "payroll": {"employment": {"contract": "260048001"}},
        "personal": {"pronouns": null, "honorific": null},
        "address": {"country": null, "city": null},
        "about": {"avatar": null, "hobbies": []},
    })
}

/// Gives someone a desk, a trade and a telephone.
fn place(
    record: &mut Value,
    site: usize,
    department: usize,
    title: usize,
    since: Date,
    rng: &mut fastrand::Rng,
) {
    let site = &SITES[site];
    put(record, "work.siteId", site.id.into());
    put(record, "work.site", site.name.into());
    put(record, "work.department", department_id(department).into());
    put(record, "work.title", title_id(department, title).into());
    put(record, "work.startDate", since.to_string().into());
    put(record, "work.originalStartDate", since.to_string().into());
    put(record, "address.country", site.country.into());
    put(record, "address.city", site.name.into());
    let cost = format!("CC-{}", rng.u32(100..400));
    put(record, "work.custom.field_1700000000001", cost.into());
    if rng.u32(..4) > 0 {
        let phone = format!("{}{:07}", site.dial, rng.u32(..10_000_000));
        put(record, "work.workMobile", phone.into());
    }
}

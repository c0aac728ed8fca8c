//! How a company lives: hires, moves, new names, new managers, leaves, leavers and returns.
//!
//! Pure: the same seed and the same company always yield the same next deed.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::company::{Change, Company};
use super::lists::{DEPARTMENTS, SITES, TITLES, department_id, title_id};
use super::names;
use super::record::text;

/// Something that happens to someone, in a sentence and as a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// `Nadia Brisk moves to Leeds`
    pub what: String,
    /// What HR types in.
    pub change: Change,
}

/// The generator.
#[derive(Clone, Debug)]
pub struct Life {
    rng: fastrand::Rng,
}

/// What can happen, and how often out of a hundred times.
const ODDS: [(Kind, u32); 10] = [
    (Kind::Hire, 14),
    (Kind::Move, 18),
    (Kind::Promotion, 20),
    (Kind::Name, 10),
    (Kind::Manager, 10),
    (Kind::LeaveBegins, 6),
    (Kind::LeaveEnds, 6),
    (Kind::Leaver, 9),
    (Kind::Return, 6),
    (Kind::Deletion, 1),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hire,
    Move,
    Promotion,
    Name,
    Manager,
    LeaveBegins,
    LeaveEnds,
    Leaver,
    Return,
    Deletion,
}

impl Life {
    /// A life that the seed decides.
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed) }
    }

    /// What happens next in this company, on this day.
    pub fn next(&mut self, company: &Company, today: Date) -> Deed {
        let mut draw = self.rng.u32(..100);
        let kind = ODDS.iter().find(|(_, odds)| {
            let hit = draw < *odds;
            draw = draw.saturating_sub(*odds);
            hit
        });
        let kind = kind.map_or(Kind::Hire, |(kind, _)| *kind);
        self.deed(kind, company, today).unwrap_or_else(|| self.hire(today))
    }

    /// Someone in one of these states of life; none when there seems to be nobody.
    fn someone<'c>(&mut self, company: &'c Company, states: &[&str]) -> Option<(&'c str, Value)> {
        // The first person stays, so that there is always someone to report to.
        (0..200).find_map(|_| {
            let place = self.rng.usize(..company.len().max(1));
            let found = company.nth(place).filter(|_| place > 0)?;
            states.contains(&text(&found.1, "internal.lifecycleStatus")).then_some(found)
        })
    }

    fn deed(&mut self, kind: Kind, company: &Company, today: Date) -> Option<Deed> {
        let states: &[&str] = match kind {
            Kind::Hire => return Some(self.hire(today)),
            Kind::LeaveEnds => &["parental leave"],
            Kind::Return => &["terminated", "hired"],
            Kind::Deletion => &["terminated"],
            _ => &["employed"],
        };
        let (id, record) = self.someone(company, states)?;
        let record = &record;
        let name = text(record, "displayName");
        let life = |word: &str| json!({"internal": {"lifecycleStatus": word}});
        let (what, merge) = match kind {
            Kind::Move => {
                let site = &SITES[names::site(&mut self.rng)];
                if site.name == text(record, "work.site") {
                    return self.deed(Kind::Promotion, company, today);
                }
                let address = json!({"country": site.country, "city": site.name});
                let merge = json!({"work": {"siteId": site.id}, "address": address});
                (format!("{name} moves to {}", site.name), merge)
            }
            Kind::Promotion => self.new_trade(company, record),
            Kind::Name => {
                let last = names::last(&mut self.rng);
                let first = text(record, "firstName");
                let mut merge = json!({"surname": last});
                // Often the address stays as it was, for a while or for ever.
                if self.rng.u32(..3) == 0 {
                    merge["email"] = address(first, last, id).into();
                }
                (format!("{name} is now {first} {last}"), merge)
            }
            Kind::Manager => {
                let (boss, boss_record) = self.someone(company, &["employed"])?;
                if boss == id || text(&boss_record, "work.manager") == id {
                    return self.deed(Kind::Promotion, company, today);
                }
                let what = format!("{name} reports to {}", text(&boss_record, "displayName"));
                (what, json!({"work": {"manager": boss}}))
            }
            Kind::LeaveBegins => (format!("{name} goes on leave"), life("parental leave")),
            Kind::LeaveEnds => (format!("{name} is back from leave"), life("employed")),
            Kind::Leaver => {
                let ended =
                    json!({"lifecycleStatus": "terminated", "terminationDate": today.to_string()});
                (format!("{name} leaves the company"), json!({"internal": ended}))
            }
            Kind::Return => {
                let mut merge = life("employed");
                merge["work"] = json!({"startDate": today.to_string()});
                if text(record, "email").is_empty() {
                    let (first, last) = (text(record, "firstName"), text(record, "surname"));
                    merge["email"] = address(first, last, id).into();
                }
                let again = text(record, "internal.lifecycleStatus") == "terminated";
                let what = if again { "comes back" } else { "has the first day" };
                (format!("{name} {what}"), merge)
            }
            Kind::Deletion => {
                let what = format!("{name} is deleted from HR");
                let change = Change { id: Some(id.to_owned()), delete: true, ..Change::default() };
                return Some(Deed { what, change });
            }
            Kind::Hire => return None,
        };
        let change = Change { id: Some(id.to_owned()), merge, ..Change::default() };
        Some(Deed { what, change })
    }

    fn new_trade(&mut self, company: &Company, record: &Value) -> (String, Value) {
        let (department, trade) = (self.rng.usize(..DEPARTMENTS), self.rng.usize(..TITLES));
        let (unit, title) = (department_id(department), title_id(department, trade));
        let name = text(record, "displayName");
        let label = company.label("title", &title);
        let what = if text(record, "work.department") == unit {
            format!("{name} becomes {label}")
        } else {
            format!("{name} joins {} as {label}", company.label("department", &unit))
        };
        (what, json!({"work": {"department": unit, "title": title}}))
    }

    fn hire(&mut self, today: Date) -> Deed {
        let (first, last) = (names::first(&mut self.rng), names::last(&mut self.rng));
        let site = &SITES[names::site(&mut self.rng)];
        let (department, trade) = (self.rng.usize(..DEPARTMENTS), self.rng.usize(..TITLES));
        let what = format!("{first} {last} is hired in {}", site.name);
        let merge = json!({
            "firstName": first, "surname": last,
            "work": {
                "siteId": site.id, "startDate": today.to_string(),
                "department": department_id(department), "title": title_id(department, trade),
            },
            "address": {"country": site.country, "city": site.name},
        });
        Deed { what, change: Change { merge, ..Change::default() } }
    }
}

/// An address that nobody else has, since it ends in a part of the id.
fn address(first: &str, last: &str, id: &str) -> String {
    let number = id.get(id.len().saturating_sub(6)..).unwrap_or(id);
    format!("{}.{}.{number}@example.test", names::plain(first), names::plain(last))
}

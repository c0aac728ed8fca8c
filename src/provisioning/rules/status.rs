//! Whether somebody may use the account, and when that changes though nobody changes anything: the
//! rule `active`, and the dates of those who come and go.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::compile::Rule;
use super::complaints::{bad_value, undecided};
use super::person::{NoResult, Person};
use super::{Decision, days};
use crate::model::Appointment;

/// The rules that decide it.
pub(super) struct Status {
    pub(super) active: Rule,
    pub(super) time_zone: Rule,
    pub(super) joiner: Option<Joiner>,
    pub(super) leaver: Option<Leaver>,
}

/// Who has been hired and has not begun yet.
pub(super) struct Joiner {
    pub(super) who: Rule,
    pub(super) start_date: Rule,
    pub(super) days_before: u32,
}

/// Who has an end date.
pub(super) struct Leaver {
    pub(super) end_date: Rule,
    pub(super) grace_days: u32,
}

/// What they say of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) standing: Standing,
    /// The key of the rule that said so.
    pub(super) by: String,
    pub(super) appointment: Option<Appointment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Active,
    Inactive,
    /// The account stays as it is.
    AsItIs {
        why: String,
    },
}

impl Status {
    /// Judges somebody who is in scope.
    ///
    /// # Errors
    /// The decision that follows when it cannot be said.
    pub(super) fn judge(&self, person: &Person<'_>) -> Result<Judged, Box<Decision>> {
        // Only who has a date needs a zone.
        let zone = || {
            self.zone(person).map_err(|no| {
                Box::new(match no {
                    NoResult::Failed(why) => bad_value(&self.time_zone, &why),
                    no => undecided(&self.time_zone, no),
                })
            })
        };
        let mut hired = None;
        if let Some(joiner) = &self.joiner
            && person.holds(&joiner.who).map_err(|no| Box::new(undecided(&joiner.who, no)))?
            && let Some(start) = day(person, &joiner.start_date)?
        {
            let (key, from) = (&joiner.start_date.key, days::earlier(start, joiner.days_before));
            let zone = zone()?;
            if days::today(person.now, &zone) < from {
                let why = format!("{key} is {start}: the account stays as it is until {from}");
                return Ok(Judged {
                    standing: Standing::AsItIs { why },
                    by: key.clone(),
                    appointment: appointment(from, &zone, format!("{key} is {start}")),
                });
            }
            hired = Some(key);
        }
        let mut appointed = None;
        if let Some(leaver) = &self.leaver
            && let Some(end) = day(person, &leaver.end_date)?
            && !self.begins_after(person, end)?
        {
            let (key, zone) = (&leaver.end_date.key, zone()?);
            let gone = days::later(end, u64::from(leaver.grace_days) + 1);
            let today = days::today(person.now, &zone);
            if today >= gone {
                let by = key.clone();
                return Ok(Judged { standing: Standing::Inactive, by, appointment: None });
            }
            appointed = appointment(gone, &zone, format!("{key} is {end}"));
            if today > end {
                let why = format!("{key} was {end}: the account stays as it is until {gone}");
                return Ok(Judged {
                    standing: Standing::AsItIs { why },
                    by: key.clone(),
                    appointment: appointed,
                });
            }
        }
        let (active, by) = if let Some(key) = hired {
            (true, key)
        } else {
            let active = person.holds(&self.active);
            (active.map_err(|no| Box::new(undecided(&self.active, no)))?, &self.active.key)
        };
        let standing = if active { Standing::Active } else { Standing::Inactive };
        Ok(Judged { standing, by: by.clone(), appointment: appointed })
    }

    /// Whether an end belongs to an older employment than the one that the joiner rule dates.
    fn begins_after(&self, person: &Person<'_>, end: Date) -> Result<bool, Box<Decision>> {
        let Some(joiner) = &self.joiner else { return Ok(false) };
        Ok(day(person, &joiner.start_date)?.is_some_and(|start| start > end))
    }

    /// The zone in which a person's dates are meant.
    ///
    /// # Errors
    /// When the rule gives none.
    pub(super) fn zone(&self, person: &Person<'_>) -> Result<TimeZone, NoResult> {
        let failed = |why: &str| NoResult::Failed(why.to_owned());
        let name = person.text(&self.time_zone)?;
        let name = name.ok_or_else(|| failed("no time zone is given, and dates need one"))?;
        days::zone(&name).ok_or_else(|| failed("this is no time zone such as Europe/Paris"))
    }

    /// Every rule, in the order in which people are shown them.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        let joiner = self.joiner.iter().flat_map(|joiner| [&joiner.who, &joiner.start_date]);
        let leaver = self.leaver.iter().map(|leaver| &leaver.end_date);
        [&self.active, &self.time_zone].into_iter().chain(joiner).chain(leaver)
    }
}

/// The day that a rule gives; `None` when it gives none.
fn day(person: &Person<'_>, rule: &Rule) -> Result<Option<Date>, Box<Decision>> {
    let text = match person.text(rule) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(NoResult::Failed(why)) => return Err(Box::new(bad_value(rule, &why))),
        Err(no) => return Err(Box::new(undecided(rule, no))),
    };
    days::day(&text).map_err(|why| Box::new(bad_value(rule, why)))
}

fn appointment(day: Date, zone: &TimeZone, why: String) -> Option<Appointment> {
    let at: Timestamp = days::begin(day, zone)?;
    Some(Appointment { at, why })
}

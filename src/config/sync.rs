//! The tables of runs: `[schedule]`, `[certificate]`, `[brake]` and `[replay]`.

use std::collections::BTreeMap;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil;
use jiff::tz::TimeZone;

use super::table::Table;
use super::value::printable;
use crate::model::ChangeKind;

/// When the full sync runs, when HR's answer is believed complete, and what needs an approval.
#[derive(Clone, Debug)]
pub struct SyncSettings {
    /// `[schedule]`
    pub schedule: ScheduleSettings,
    /// `[certificate]`
    pub certificate: CertificateSettings,
    /// `[brake]`
    pub brake: BrakeSettings,
    /// `[replay]`
    pub replay: ReplaySettings,
}

/// `[replay]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaySettings {
    /// `per_minute`: so many people a minute are queued again at most, unless somebody says
    /// otherwise.
    pub per_minute: u32,
}

/// `[schedule]`
#[derive(Clone, Debug)]
pub struct ScheduleSettings {
    /// `full_sync`: when; `None` is never.
    pub full_sync: Option<Cron>,
    /// `time_zone`, in which that is meant.
    pub time_zone: TimeZone,
    /// `missed`: what becomes of a run that was due while no process ran.
    pub missed: Missed,
    /// `closer_looks`: at the custom fields and managers of so many accounts a run looks.
    pub closer_looks: u32,
}

/// What becomes of a run that was due while no process ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// One run makes up for all that were missed.
    Once,
    /// The next one comes when it is due.
    Skip,
}

/// `[certificate]`: when HR's answer is believed to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateSettings {
    /// `people_percent`, of the people whom the last complete run saw: fewer are not all.
    pub people_percent: u32,
    /// `fields_percent`, of the people who had a field in the last complete run.
    pub fields_percent: u32,
    /// `absent`: so many active people with an account may be missing or listed twice.
    pub absent: Limit,
}

/// `[brake]`: what goes on without a human.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakeSettings {
    /// A limit for each kind of change in a run.
    pub limits: BTreeMap<ChangeKind, Limit>,
    /// `deactivations_per_hour`, by webhooks and runs together.
    pub per_hour: Limit,
    /// `approval_hours`: how long a held slice can be approved.
    pub approval: Duration,
}

/// How many people: a share of those who are linked to an account, but never fewer than `least`
/// and never more than `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Percent of the linked people, rounded down.
    pub percent: u32,
    /// The floor: in a small company, two percent is nobody.
    pub least: u32,
    /// The ceiling, if any: in a large company, two percent is a crowd.
    pub most: Option<u32>,
}

impl Limit {
    /// How many that is when so many people are linked.
    pub fn of(self, linked: u64) -> u64 {
        let share = u128::from(linked) * u128::from(self.percent) / 100;
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        share.max(self.least.into()).min(self.most.map_or(u64::MAX, u64::from))
    }

    /// The limit in words: `2 % of the 1000 linked people, 5 at least`.
    pub fn words(self, linked: u64) -> String {
        let least =
            if self.least > 0 { format!(", {} at least", self.least) } else { String::new() };
        let most = self.most.map(|most| format!(", {most} at most")).unwrap_or_default();
        format!("{} % of the {linked} linked people{least}{most}", self.percent)
    }
}

/// The most that a limit can be set to.
const MOST: u32 = 10_000_000;

/// Any moment: a pattern that never fires after this one never fires.
const ANY_DAY: civil::Date = civil::date(2026, 1, 1);

/// Reads the tables.
pub(super) fn read(root: &Table<'_>) -> SyncSettings {
    SyncSettings {
        schedule: schedule(root.table("schedule")),
        certificate: certificate(root.table("certificate")),
        brake: brake(root.table("brake")),
        replay: replay(root.table("replay")),
    }
}

fn schedule(table: Table<'_>) -> ScheduleSettings {
    let text = table.text_or_default("full_sync").trim();
    let full_sync = match text {
        "never" => None,
        // What is not text was noted already.
        "" if table.get("full_sync").is_some_and(|value| !value.get_ref().is_str()) => None,
        _ => pattern(text).map_err(|why| table.wrong("full_sync", why)).ok(),
    };
    let text = table.text_or_default("time_zone").trim();
    let time_zone = TimeZone::get(text).unwrap_or_else(|_| {
        if table.get("time_zone").is_none_or(|value| value.get_ref().is_str()) {
            let message = format!(
                "unknown time zone \"{}\": expected a name of the IANA database, as in \
                 \"Europe/London\" or \"UTC\"",
                printable(text)
            );
            table.wrong("time_zone", message);
        }
        TimeZone::UTC
    });
    let missed = match table.text_or_default("missed") {
        "once" => Missed::Once,
        "skip" => Missed::Skip,
        _ => {
            table.wrong("missed", "expected \"once\" or \"skip\"");
            Missed::Once
        }
    };
    let closer_looks = table.number("closer_looks", 0..=100_000);
    table.finish();
    ScheduleSettings { full_sync, time_zone, missed, closer_looks }
}

/// Reads a cron pattern that fires at some time.
pub(super) fn pattern(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(text).map_err(|_| {
        format!(
            "\"{}\" is not a time: expected minute, hour, day of the month, month and day of the \
             week, as in \"30 2 * * *\" for every night at half past two, or \"never\"",
            printable(text)
        )
    })?;
    let fires = TimeZone::UTC
        .to_zoned(ANY_DAY.at(0, 0, 0, 0))
        .is_ok_and(|start| cron.find_next_occurrence(&start, true).is_ok());
    if fires {
        Ok(cron)
    } else {
        let text = printable(text);
        Err(format!("\"{text}\" is never: there is no such day. Write \"never\" if that is meant"))
    }
}

fn certificate(table: Table<'_>) -> CertificateSettings {
    let settings = CertificateSettings {
        people_percent: table.number("people_percent", 0..=100),
        fields_percent: table.number("fields_percent", 0..=100),
        absent: limit(&table, "absent"),
    };
    table.finish();
    settings
}

fn brake(table: Table<'_>) -> BrakeSettings {
    let limits = ChangeKind::ALL.map(|kind| (kind, limit(&table, kind.word())));
    let settings = BrakeSettings {
        limits: limits.into(),
        per_hour: limit(&table, "deactivations_per_hour"),
        approval: table.seconds("approval_hours", 1..=8760) * 3600,
    };
    table.finish();
    settings
}

fn replay(table: Table<'_>) -> ReplaySettings {
    let per_minute = table.number("per_minute", 1..=100_000);
    table.finish();
    ReplaySettings { per_minute }
}

fn limit(table: &Table<'_>, key: &'static str) -> Limit {
    let limit = table.table(key);
    let (percent, least) = (limit.number("percent", 0..=100), limit.number("least", 0..=MOST));
    let most = limit.optional_number("most", 0..=MOST);
    if let Some(most) = most.filter(|most| *most < least) {
        limit.wrong("most", format!("{most} is less than `least`, which is {least}"));
    }
    limit.finish();
    Limit { percent, least, most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_share_with_a_floor_and_a_ceiling() {
        let limit = Limit { percent: 2, least: 5, most: None };
        assert_eq!([0, 100, 299, 300, 1_000_000].map(|n| limit.of(n)), [5, 5, 5, 6, 20_000]);
        assert_eq!(limit.of(u64::MAX), u64::MAX / 50);
        let limit = Limit { most: Some(100), ..limit };
        assert_eq!([0, 5_000, 1_000_000].map(|n| limit.of(n)), [5, 100, 100]);
        assert_eq!(limit.words(10), "2 % of the 10 linked people, 5 at least, 100 at most");
    }

    #[test]
    fn a_pattern_must_have_five_parts_and_fire() {
        for good in ["30 2 * * *", "0 3 * * MON-FRI", "0 4 L * *", "@daily", "15 1 29 2 *"] {
            assert!(pattern(good).is_ok(), "{good}");
        }
        for bad in ["", "2:30", "0 30 2 * * *", "30 2 * * * 2027", "61 2 * * *", "every night"] {
            assert!(pattern(bad).is_err_and(|why| why.contains("is not a time")), "{bad}");
        }
        assert!(pattern("0 0 30 2 *").is_err_and(|why| why.contains("is never")));
    }
}

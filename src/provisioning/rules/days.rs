//! Days, and the moments at which they begin where a person works.
//!
//! Zones come from the tables inside the program, so the same rules say the same on every machine.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};

use crate::config::nearest;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The first year that is taken at its word: what is older stands for "unknown" in some systems.
const FIRST_YEAR: i16 = 1901;

/// The year that stands for "never" in some systems.
const NEVER: i16 = 9999;

/// Why a text is no day.
const NO_DAY: &str = "this is not a date such as 2026-11-21";

/// Why a text is no day that can be meant.
const TOO_OLD: &str = "a date before 1901 is meant for none, but nobody can be sure";

/// The zone with this IANA name: `Europe/Paris`.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" { Some(TimeZone::UTC) } else { ZONES.get(name).ok() }
}

/// What is wrong with the name of a zone that a rule states for everybody.
pub(super) fn wrong_zone(name: &str) -> String {
    let known: Vec<String> = ZONES.available().map(|name| name.as_str().to_owned()).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("there is no time zone {name}; {meant} was perhaps meant"),
        None => format!("there is no time zone {name}; they are called as in Europe/Paris"),
    }
}

/// A day, from `2026-11-21` or from a point in time that begins with it. `None` when it is the day
/// that stands for never.
///
/// # Errors
/// In words that hold no value.
pub(super) fn day(text: &str) -> Result<Option<Date>, &'static str> {
    let (day, rest) = text.split_at_checked("2026-11-21".len()).ok_or(NO_DAY)?;
    let is_written_so = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !is_written_so || !(rest.is_empty() || rest.starts_with(['T', 't', ' '])) {
        return Err(NO_DAY);
    }
    let date: Date = day.parse().map_err(|_| NO_DAY)?;
    match date.year() {
        year if year < FIRST_YEAR => Err(TOO_OLD),
        NEVER => Ok(None),
        _ => Ok(Some(date)),
    }
}

/// So many days later.
pub(super) fn later(date: Date, days: u64) -> Date {
    shifted(date, i64::try_from(days).unwrap_or(i64::MAX))
}

/// So many days earlier.
pub(super) fn earlier(date: Date, days: u32) -> Date {
    shifted(date, -i64::from(days))
}

fn shifted(date: Date, days: i64) -> Date {
    match Span::new().try_days(days) {
        Ok(span) => date.saturating_add(span),
        Err(_) if days < 0 => Date::MIN,
        Err(_) => Date::MAX,
    }
}

/// The first moment of a day; `None` when that is beyond all calendars.
pub(super) fn begin(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp())
}

/// The day it is.
pub(super) fn today(now: Timestamp, zone: &TimeZone) -> Date {
    now.to_zoned(zone.clone()).date()
}

/// When something ends, in whole seconds: at the last second of a day, or at a point in time. `None`
/// when it never does. `zone` is asked only when the text does not say which it means.
///
/// # Errors
/// In words that hold no value.
pub(super) fn end(
    text: &str,
    zone: impl FnOnce() -> Result<TimeZone, String>,
) -> Result<Option<Timestamp>, String> {
    let Some(date) = day(text)? else { return Ok(None) };
    if text.len() == "2026-11-21".len() {
        let next = begin(later(date, 1), &zone()?);
        return Ok(next.and_then(|next| Timestamp::from_second(next.as_second() - 1).ok()));
    }
    let moment = if let Ok(moment) = text.parse::<Timestamp>() {
        moment
    } else {
        let no_moment = "this is neither a date such as 2026-11-21 nor a point in time";
        let time: DateTime = text.parse().map_err(|_| no_moment)?;
        time.to_zoned(zone()?).map_err(|_| no_moment)?.timestamp()
    };
    Ok(Timestamp::from_second(moment.as_second()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_or_refused() {
        let of = |text: &str| day(text).map(|day| day.map(|day| day.to_string()));
        for (text, expected) in [
            ("2026-11-21", Ok(Some("2026-11-21"))),
            ("2028-02-29", Ok(Some("2028-02-29"))),
            ("2026-11-21T23:30:00Z", Ok(Some("2026-11-21"))),
            ("2026-11-21 08:00", Ok(Some("2026-11-21"))),
            ("9999-12-31", Ok(None)),
            ("2027-02-29", Err(NO_DAY)),
            ("2026-11-31", Err(NO_DAY)),
            ("21/11/2026", Err(NO_DAY)),
            ("2026-11-2", Err(NO_DAY)),
            ("2026-11-211", Err(NO_DAY)),
            ("+02026-11-21", Err(NO_DAY)),
            ("soon", Err(NO_DAY)),
            ("é2026-11-2", Err(NO_DAY)),
            ("0001-01-01", Err(TOO_OLD)),
            ("1900-01-01", Err(TOO_OLD)),
        ] {
            assert_eq!(of(text), expected.map(|day| day.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn a_day_begins_when_its_zone_says() {
        for (name, date, expected) in [
            ("Europe/Paris", "2026-03-29", "2026-03-28T23:00:00Z"),
            ("Europe/Paris", "2026-03-30", "2026-03-29T22:00:00Z"),
            // Clocks go forward at midnight: the day begins at one.
            ("America/Asuncion", "2023-10-01", "2023-10-01T04:00:00Z"),
            // Clocks go back to midnight: of the two first hours the first counts.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // The day that Samoa left out.
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
            ("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00Z"),
        ] {
            let zone = zone(name).expect("it exists");
            let date: Date = date.parse().expect("a date");
            let begin = begin(date, &zone).expect("within the calendar");
            assert_eq!(begin.to_string(), expected, "{name}");
            assert_eq!(today(begin, &zone), date, "{name}");
        }
    }

    #[test]
    fn an_end_is_a_moment() {
        let paris = || Ok(zone("Europe/Paris").expect("it exists"));
        let of = |text: &str| end(text, paris).map(|end| end.map(|end| end.to_string()));
        let is = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(of("2026-12-31"), is("2026-12-31T22:59:59Z"));
        assert_eq!(of("2026-03-28"), is("2026-03-28T22:59:59Z"));
        assert_eq!(of("2026-12-31T10:00:00.750+05:30"), is("2026-12-31T04:30:00Z"));
        assert_eq!(of("2026-06-30T10:00"), is("2026-06-30T08:00:00Z"));
        assert_eq!(of("9999-12-31"), Ok(None));
        assert!(of("2026-12-31Tonight").is_err());
        assert!(end("2026-12-31", || Err("no zone".to_owned())).is_err());
        assert!(end("2026-12-31T10:00:00Z", || Err("no zone".to_owned())).is_ok());
    }

    #[test]
    fn a_zone_has_a_name() {
        assert!(zone("Europe/Paris").is_some() && zone("Europe/Pariss").is_none());
        assert!(wrong_zone("Europe/Pariss").ends_with("Europe/Paris was perhaps meant"));
        assert_eq!(later("2026-01-31".parse().expect("a date"), u64::MAX), Date::MAX);
        assert_eq!(earlier("2024-03-01".parse().expect("a date"), 1).to_string(), "2024-02-29");
    }
}

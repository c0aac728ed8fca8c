//! When a full sync is due: a cron pattern in a time zone.
//!
//! Promises: a pattern that names one time a day fires once on every day, whatever the clocks do. A
//! time that a change of clocks skips is made up for at the moment of the change; one that it
//! repeats counts the first time only.

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::config::{Missed, ScheduleSettings};

/// A pattern fires so often within the hours that a change of clocks repeats, at most.
const REPEATED: usize = 2 * 24 * 60;

/// A cron pattern in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    pattern: Cron,
    zone: TimeZone,
    missed: Missed,
}

impl Timetable {
    /// The timetable of full syncs; `None` when there shall be none.
    pub fn of(settings: &ScheduleSettings) -> Option<Self> {
        let (zone, missed) = (settings.time_zone.clone(), settings.missed);
        Some(Self { pattern: settings.full_sync.clone()?, zone, missed })
    }

    /// The timetable of something else in a zone; what was missed is missed.
    pub fn at(pattern: &Cron, zone: &TimeZone) -> Self {
        Self { pattern: pattern.clone(), zone: zone.clone(), missed: Missed::Skip }
    }

    /// What becomes of a run that was due while nobody watched.
    pub fn missed(&self) -> Missed {
        self.missed
    }

    /// The first firing after a moment; `None` when there is none in any foreseeable time.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        // The pattern is asked on a calendar without any change of clocks, and each of its times is
        // then looked up in the zone. Both only go forward, so nothing fires twice or is left out.
        let mut civil = TimeZone::UTC.to_zoned(self.zone.to_datetime(after)).ok()?;
        for _ in 0..REPEATED {
            civil = self.pattern.find_next_occurrence(&civil, false).ok()?;
            let moment = self.moment(&civil)?;
            // Within the hour that is repeated, the times that have had their turn are passed over.
            if moment > after {
                return Some(moment);
            }
        }
        None
    }

    /// Whether a run is due now. `last`: when the last one began; `since`: since when this process
    /// has been watching. What fell due while nobody watched is made up for once or never, as
    /// configured; before the very first run nothing can have been missed.
    pub fn is_due(&self, last: Option<Timestamp>, since: Timestamp, now: Timestamp) -> bool {
        let from = match self.missed {
            Missed::Once => last.unwrap_or(since),
            Missed::Skip => last.map_or(since, |last| last.max(since)),
        };
        self.next(from).is_some_and(|next| next <= now)
    }

    /// The moment at which the clocks of the zone show this time, or would have.
    fn moment(&self, civil: &jiff::Zoned) -> Option<Timestamp> {
        let found = self.zone.to_ambiguous_timestamp(civil.datetime());
        match found.offset() {
            AmbiguousOffset::Gap { .. } => {
                let before = found.earlier().ok()?;
                self.zone.following(before).next().map(|change| change.timestamp())
            }
            _ => found.earlier().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use croner::parser::{CronParser, Seconds};
    use proptest::prelude::*;

    use super::*;

    fn table(pattern: &str, zone: &str) -> Timetable {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let settings = ScheduleSettings {
            closer_looks: 0,
            full_sync: Some(parser.parse(pattern).unwrap()),
            time_zone: TimeZone::get(zone).unwrap(),
            missed: Missed::Once,
        };
        Timetable::of(&settings).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The first firings after a moment.
    fn firings(pattern: &str, zone: &str, after: &str, many: usize) -> Vec<String> {
        let table = table(pattern, zone);
        let next = |moment: &Timestamp| table.next(*moment);
        std::iter::successors(table.next(at(after)), next)
            .take(many)
            .map(|t| t.to_string())
            .collect()
    }

    #[test]
    fn a_time_that_is_skipped_is_made_up_for_at_the_change() {
        // London: 01:00 becomes 02:00 on 28 March 2027.
        assert_eq!(
            firings("30 1 * * *", "Europe/London", "2027-03-27T00:00:00Z", 3),
            ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]
        );
        assert_eq!(
            firings("30 2 * * *", "Europe/London", "2027-03-27T12:00:00Z", 2),
            ["2027-03-28T01:30:00Z", "2027-03-29T01:30:00Z"]
        );
        // Paris: 02:00 becomes 03:00. Several skipped times are made up for by one firing.
        assert_eq!(
            firings("0,15,30 2,3 * * *", "Europe/Paris", "2027-03-28T00:00:00Z", 3),
            ["2027-03-28T01:00:00Z", "2027-03-28T01:15:00Z", "2027-03-28T01:30:00Z"]
        );
        // São Paulo: midnight became 01:00 on 4 November 2018.
        assert_eq!(
            firings("30 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2),
            ["2018-11-04T03:00:00Z", "2018-11-05T02:30:00Z"]
        );
    }

    #[test]
    fn a_time_that_is_repeated_counts_once() {
        // London: 02:00 becomes 01:00 on 31 October 2027.
        assert_eq!(
            firings("30 1 * * *", "Europe/London", "2027-10-30T12:00:00Z", 2),
            ["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]
        );
        assert_eq!(
            firings("30 2 * * *", "Europe/London", "2027-10-30T12:00:00Z", 2),
            ["2027-10-31T02:30:00Z", "2027-11-01T02:30:00Z"]
        );
        // Asked within the repeated hour, before and after its second 01:30.
        for moment in ["2027-10-31T01:10:00Z", "2027-10-31T01:40:00Z"] {
            let next = firings("30 1 * * *", "Europe/London", moment, 1);
            assert_eq!(next, ["2027-11-01T01:30:00Z"], "{moment}");
            let next = firings("*/10 * * * *", "Europe/London", moment, 1);
            assert_eq!(next, ["2027-10-31T02:00:00Z"], "{moment}");
        }
        // São Paulo: midnight became 23:00 on 18 February 2018.
        assert_eq!(
            firings("30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00Z", 2),
            ["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"]
        );
    }

    #[test]
    fn what_fell_due_while_nobody_watched_is_made_up_for_once_or_never() {
        let mut table = table("30 2 * * *", "UTC");
        let (day1, day3) = (at("2026-03-01T02:30:00Z"), at("2026-03-03T12:00:00Z"));
        assert!(table.is_due(Some(day1), day3, day3), "two nights were missed");
        assert!(!table.is_due(Some(day3), day3, day3), "and one run makes up for both");
        assert!(!table.is_due(None, day3, day3), "nothing was missed before the first run");
        let next = at("2026-03-04T02:30:00Z");
        for last in [None, Some(day3)] {
            assert!(!table.is_due(last, day3, at("2026-03-04T02:29:59Z")));
            assert!(table.is_due(last, day3, next));
        }
        table.missed = Missed::Skip;
        assert!(!table.is_due(Some(day1), day3, day3));
        assert!(table.is_due(Some(day1), day3, next));
        // A clock that was set back does not run it again.
        assert!(!table.is_due(Some(next), day3, at("2026-03-04T02:30:00Z")));
        assert!(!table.is_due(Some(next), day3, at("2026-03-03T02:30:00Z")));
    }

    proptest! {
        #[test]
        fn a_daily_run_comes_once_on_every_day(
            hour in 0..24_u8,
            minute in 0..60_u8,
            zone in prop::sample::select(vec![
                "Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Casablanca", "UTC",
            ]),
            year in 2010..2040_i16,
        ) {
            let table = table(&format!("{minute} {hour} * * *"), zone);
            let zone = TimeZone::get(zone).unwrap();
            let begin = jiff::civil::date(year, 1, 1);
            let before = zone.to_timestamp(begin.at(0, 0, 0, 0)).unwrap() - jiff::SignedDuration::from_nanos(1);
            let mut moment = before;
            for day in 0..365 {
                moment = table.next(moment).unwrap();
                let date = zone.to_datetime(moment).date();
                prop_assert_eq!(date, begin.checked_add(jiff::Span::new().days(day)).unwrap());
            }
        }
    }
}

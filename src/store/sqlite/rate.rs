//! A budget in memory: the generic cell rate algorithm, exactly as [`Rate`] documents it.
//!
//! One number says when the budget would be full again. A call moves it on by one interval, and is
//! allowed while it is not more than a burst ahead of now. In any period there are then at most
//! `burst` calls saved up and `calls - burst` new ones.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::{Grant, Rate};

/// One budget. Times are microseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    full_at: i64,
    paused_until: i64,
}

impl Bucket {
    /// Takes up to so many calls, one at least.
    pub(super) fn grant(&mut self, rate: Rate, want: u32, now: Timestamp) -> Grant {
        let now = now.as_microsecond();
        if self.paused_until > now {
            return Grant::Wait(micros(self.paused_until - now));
        }
        let period = whole_micros(rate.per);
        if rate.calls == 0 {
            return Grant::Wait(micros(period.max(1_000)));
        }
        let burst = i64::from(rate.burst.clamp(1, rate.calls));
        let interval = match i64::from(rate.calls) - burst {
            // All calls may come at once; then one by one, just less often than one a period.
            0 => period + 1_000,
            steady => (period + steady - 1) / steady,
        }
        .max(1);
        let ahead = self.full_at.max(now) - now;
        let free = burst - (ahead + interval - 1) / interval;
        if free <= 0 {
            return Grant::Wait(micros(ahead - (burst - 1) * interval));
        }
        let calls = free.min(i64::from(want.max(1)));
        self.full_at = now + ahead + calls * interval;
        Grant::Calls(u32::try_from(calls).unwrap_or(u32::MAX))
    }

    /// Gives nothing for so long.
    pub(super) fn pause(&mut self, pause: Duration, now: Timestamp) {
        let until = now.as_microsecond().saturating_add(whole_micros(pause));
        self.paused_until = self.paused_until.max(until);
    }
}

fn micros(time: i64) -> Duration {
    Duration::from_micros(u64::try_from(time).unwrap_or(0))
}

fn whole_micros(time: Duration) -> i64 {
    // Far below the end of the range, so that sums stay inside it: thirty thousand years.
    const MOST: i64 = i64::MAX / 8;
    i64::try_from(time.as_micros()).map_or(MOST, |time| time.min(MOST))
}

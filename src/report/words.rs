//! Numbers, times and texts from elsewhere, as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) use crate::model::words::count;
pub use crate::model::words::{number, people};

/// `0.4 s`, `12 s`, `3 min 12 s`, `2 h 5 min`.
pub(super) fn duration(ms: u64) -> String {
    let seconds = (ms + 500) / 1000;
    match seconds {
        _ if ms < 9950 => format!("{}.{} s", (ms + 50) / 1000, (ms + 50) % 1000 / 100),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `Sat 21 Nov 2026, 02:30`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b %Y, %H:%M").to_string()
}

/// `02:30`.
pub(super) fn hour(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

/// `21 Nov`.
pub(super) fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %b").to_string()
}

/// Without characters that move the cursor or turn the direction of what follows.
pub(super) fn plain(text: &str) -> String {
    let moves =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{duration, plain};

    #[test]
    fn times_read_well() {
        let times = [0, 449, 9_949, 9_950, 59_400, 59_600, 192_000, 7_500_000].map(duration);
        let read = ["0.0 s", "0.4 s", "9.9 s", "10 s", "59 s", "1 min 0 s", "3 min 12 s"];
        assert_eq!(times[..7], read);
        assert_eq!(times[7], "2 h 5 min");
    }

    #[test]
    fn a_name_from_elsewhere_moves_nothing() {
        assert_eq!(plain("A\u{1b}[31m\u{202e}B"), "A\u{fffd}[31m\u{fffd}B");
    }
}

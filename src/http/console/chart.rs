//! Lines over time, drawn as SVG into a box of fixed proportions, with what they say in words.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The box, in its own units; it is stretched to the place that it has.
const WIDE: f64 = 600.0;
const HIGH: f64 = 200.0;

/// Room above the highest point and below the lowest.
const ROOM: f64 = 6.0;

/// The shortest time that a chart shows, in seconds: a few points would stretch over all of it.
const SHORTEST: i64 = 600;

/// The classes of lines, in their order.
const CLASSES: [&str; 3] = ["first", "second", "third"];

/// A moment and what there was; nothing where nothing is known.
type Points = Vec<Option<(Timestamp, u64)>>;

/// A chart as a page shows it.
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The value at its upper end.
    pub top: String,
    /// When it begins and ends, as hours and minutes.
    pub from: String,
    /// When it ends.
    pub to: String,
    /// What it says, in a sentence.
    pub told: String,
}

/// A line of a chart.
pub struct Line {
    /// How it is drawn.
    pub class: &'static str,
    /// What it is; empty when it is the only one.
    pub name: &'static str,
    /// Its path in the box.
    pub path: String,
}

impl Chart {
    /// Draws lines of one kind of value; `show` says how a value reads.
    pub fn new(
        title: &'static str,
        show: fn(u64) -> String,
        zone: &TimeZone,
        lines: &[(&'static str, Points)],
    ) -> Self {
        let known = || lines.iter().flat_map(|(_, points)| points).flatten();
        let to = known().map(|(at, _)| *at).max();
        let first = known().map(|(at, _)| *at).min();
        let Some((to, first)) = to.zip(first) else {
            let told = "Nothing is known yet.".to_owned();
            let (top, from, to) = (String::new(), String::new(), String::new());
            return Self { title, lines: Vec::new(), top, from, to, told };
        };
        let to_s = to.as_second();
        let from_s = first.as_second().min(to_s - SHORTEST);
        let top = known().map(|(_, value)| *value).max().unwrap_or(0);
        let mut told = Vec::new();
        for (name, points) in lines {
            let last = points.iter().flatten().next_back().map_or(0, |(_, value)| *value);
            let most = points.iter().flatten().map(|(_, value)| *value).max().unwrap_or(0);
            let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
            told.push(format!("{name}{} last, {} at most", show(last), show(most)));
        }
        let drawn = lines.iter().zip(CLASSES).map(|((name, points), class)| Line {
            class,
            name,
            path: path(points, from_s, to_s, top),
        });
        let hour = |second: i64| {
            let at = Timestamp::from_second(second).unwrap_or(to);
            at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
        };
        Self {
            title,
            lines: drawn.collect(),
            top: show(top),
            from: hour(from_s),
            to: hour(to_s),
            told: format!("{}.", told.join("; ")),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel more or less does not matter")]
fn path(points: &Points, from: i64, to: i64, top: u64) -> String {
    let (wide, high) = ((to - from).max(1) as f64, top.max(1) as f64);
    let mut path = String::new();
    for (at, value) in points.iter().flatten() {
        let x = (at.as_second() - from) as f64 / wide * WIDE;
        let y = HIGH - ROOM - *value as f64 / high * (HIGH - 2.0 * ROOM);
        let sign = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{sign}{x:.1} {y:.1}");
    }
    if points.iter().flatten().count() == 1 {
        // A single point would not be seen.
        path.push_str("h-4");
    }
    path
}

/// A time in milliseconds as people read it: `340 ms`, `2.4 s`, `3 min`.
pub fn short(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => super::frame::lasting(ms),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Chart, short};

    #[test]
    fn a_chart_says_what_it_draws() {
        let at = |second| jiff::Timestamp::from_second(second).expect("a time");
        let points = vec![Some((at(0), 1)), None, Some((at(600), 4))];
        let chart = Chart::new("Waiting", |it| it.to_string(), &TimeZone::UTC, &[("", points)]);
        assert_eq!(chart.lines[0].path, "M0.0 147.0L600.0 6.0");
        assert_eq!((chart.from.as_str(), chart.to.as_str()), ("00:00", "00:10"));
        assert_eq!(chart.told, "4 last, 4 at most.");
        let none = Chart::new("Waiting", short, &TimeZone::UTC, &[("", Vec::new())]);
        assert!(none.lines.is_empty());
    }

    #[test]
    fn short_times_read_well() {
        assert_eq!([0, 999, 2_450, 59_999].map(short), ["0 ms", "999 ms", "2.4 s", "59.9 s"]);
        assert_eq!(short(185_000), "3 min");
    }
}

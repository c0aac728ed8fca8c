//! The report as an HTML mail: tables and inline styles, which all mail programs understand; light
//! and dark; no script and nothing from elsewhere.
//!
//! Its size stays below 100 kB, where Gmail cuts mails off: tables are short, the attachments hold
//! the rest.

use askama::Template;

use super::Report;
use super::facts::{Cells, Facts, Figure, Section, Tone, outcome};
use super::words::{count, day, moment, number};
use crate::model::Run;

/// The most runs that are drawn, this one included.
const RUNS: usize = 30;

/// How high the tallest bar is, in pixels.
const HIGH: u64 = 72;

/// The colours that carry meaning, for light and for dark mails: `dark` goes into the style sheet,
/// `light` stands at each element.
struct Colors {
    light: &'static str,
    dark: &'static str,
}

const fn colors(light: &'static str, dark: &'static str) -> Colors {
    Colors { light, dark }
}

const PAGE: Colors = colors("#f2f4f7", "#0d1117");
const CARD: Colors = colors("#ffffff", "#161b22");
const INK: Colors = colors("#1f2328", "#e6edf3");
const MUTED: Colors = colors("#57606a", "#9ea7b3");
const LINE: Colors = colors("#dfe3e8", "#30363d");
const CODE: Colors = colors("#f2f4f7", "#0d1117");
const GOOD: Colors = colors("#116329", "#56d364");
const LOOK: Colors = colors("#7d4e00", "#e3b341");
const BAD: Colors = colors("#a40e26", "#ff8f87");
const LINK: Colors = colors("#0b5cc4", "#58a6ff");
const CHANGED: Colors = colors("#1f6feb", "#58a6ff");
const HELD: Colors = colors("#b77800", "#d29922");
const FAILED: Colors = colors("#cf222e", "#f85149");

/// The whole mail.
///
/// # Panics
/// Never: the template writes into memory.
pub fn html(report: &Report<'_>) -> String {
    let facts = Facts::of(report);
    let chart = Chart::of(report, &facts);
    Mail { facts, chart, run: report.run, link: report.link.as_deref() }
        .render()
        .expect("memory takes every text")
}

#[derive(Template)]
#[template(path = "mail.html", config = "src/report/askama.toml")]
struct Mail<'a> {
    facts: Facts,
    chart: Option<Chart>,
    run: &'a Run,
    link: Option<&'a str>,
}

/// Changed, held and failed of the last runs, as bars made of table cells: Gmail shows no SVG.
struct Chart {
    bars: Vec<Bar>,
    /// What is to be seen, for those who do not see it.
    told: String,
    title: String,
    tallest: String,
    first: String,
    last: String,
}

/// One run: each part's height in pixels, from above.
struct Bar {
    failed: u64,
    held: u64,
    changed: u64,
    title: String,
}

impl Chart {
    /// Needs two runs; a plan is none.
    fn of(report: &Report<'_>, facts: &Facts) -> Option<Self> {
        let before = report.before.iter().filter(|run| !run.plan_only);
        let is_run = (!report.run.plan_only).then_some(report.run);
        let mut runs: Vec<&Run> = is_run.into_iter().chain(before).take(RUNS).collect();
        runs.reverse();
        let counts: Vec<[u64; 3]> = runs
            .iter()
            .map(|run| if run.id == report.run.id { facts.outcome } else { outcome(run) })
            .collect();
        let total = |counts: &[u64; 3]| counts.iter().sum::<u64>();
        let tallest = counts.iter().map(total).max().unwrap_or_default();
        if runs.len() < 2 || tallest == 0 {
            return None;
        }
        // What there is can be seen, however small it is.
        let high = |count: u64| match count {
            0 => 0,
            count => (count.saturating_mul(HIGH) / tallest).max(3),
        };
        let bars = runs.iter().zip(&counts).map(|(run, [changed, held, failed])| Bar {
            failed: high(*failed),
            held: high(*held),
            changed: high(*changed),
            title: format!(
                "{}: {} changed, {} held, {} failed",
                moment(run.started_at, &report.zone),
                number(*changed),
                number(*held),
                number(*failed)
            ),
        });
        let sum = |at: usize| number(counts.iter().map(|counts| counts[at]).sum());
        let runs_with = |at: usize| counts.iter().filter(|counts| counts[at] > 0).count() as u64;
        let times = |at: usize| count(runs_with(at), "run", "runs");
        let told = format!(
            "In all, {} changed; {} held in {}; {} failed in {}.",
            sum(0),
            sum(1),
            times(1),
            sum(2),
            times(2),
        );
        Some(Self {
            bars: bars.collect(),
            told,
            title: format!("The last {} runs", runs.len()),
            tallest: number(tallest),
            first: day(runs[0].started_at, &report.zone),
            last: day(runs[runs.len() - 1].started_at, &report.zone),
        })
    }
}

impl Tone {
    fn light(self) -> &'static str {
        self.colors().light
    }

    fn colors(self) -> Colors {
        match self {
            Self::Good => GOOD,
            Self::Look => LOOK,
            Self::Bad => BAD,
            Self::Plain => INK,
        }
    }

    /// Its class in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Bad => "bad",
            Self::Plain => "ink",
        }
    }
}

impl Section {
    /// Whether its rows hold sentences: on a phone their cells stand one below the other.
    fn is_wide(&self) -> bool {
        self.columns.len() > 2 && self.columns.iter().any(|column| column.kind == Cells::Codes)
    }

    fn cells<'a>(&'a self, row: &'a [String]) -> impl Iterator<Item = (Cells, &'a String)> {
        self.columns.iter().map(|column| column.kind).zip(row)
    }

    fn more(&self) -> Option<(String, &'static str)> {
        self.more.map(|(more, file)| (number(more), file))
    }
}

impl Figure {
    fn is_first(&self, facts: &Facts) -> bool {
        facts.figures.first().is_some_and(|first| std::ptr::eq(first, self))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BAD, CARD, CHANGED, CODE, Colors, FAILED, GOOD, HELD, INK, LINK, LOOK, MUTED, PAGE,
    };

    /// WCAG's relative luminance.
    fn luminance(hex: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"));
            let value = value / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn holds(front: &Colors, back: &Colors, least: f64) {
        for (front, back) in [(front.light, back.light), (front.dark, back.dark)] {
            let found = contrast(front, back);
            assert!(found >= least, "{front} on {back}: {found:.2}");
        }
    }

    #[test]
    fn everything_can_be_read_in_light_and_dark() {
        for text in [INK, MUTED, GOOD, LOOK, BAD, LINK] {
            holds(&text, &CARD, 4.5);
        }
        holds(&MUTED, &PAGE, 4.5);
        holds(&INK, &CODE, 4.5);
        for bar in [CHANGED, HELD, FAILED] {
            holds(&bar, &CARD, 3.0);
        }
    }
}

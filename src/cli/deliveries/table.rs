//! Deliveries as a table that fits the terminal.
//!
//! What a source or a far end wrote is shown without control characters, so that it cannot move the
//! cursor or colour the screen.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use crate::model::{Delivery, DeliveryState};

/// The least room for reasons beside the other columns; with less they stand below their line.
const REASON: usize = 40;

/// What is less important than the rest.
pub(in crate::cli) const DIM: Style = Style::new().dimmed();

/// Headings.
pub(in crate::cli) const BOLD: Style = Style::new().bold();

/// The colour of a state.
pub(in crate::cli) fn style(state: DeliveryState) -> Style {
    match state {
        DeliveryState::Waiting => AnsiColor::Yellow.on_default(),
        DeliveryState::Dead => AnsiColor::Red.on_default().bold(),
        DeliveryState::Done => AnsiColor::Green.on_default(),
        DeliveryState::Ignored => DIM,
    }
}

/// The table, header included. Without a width lines are as long as they need to be; on a terminal
/// that is too narrow each delivery takes two. Ids are whole, to be copied.
pub(in crate::cli) fn table(deliveries: &[Delivery], width: Option<usize>) -> String {
    let mut rows = vec![["id", "received", "state", "person", "kind", "tries"].map(str::to_owned)];
    rows.extend(deliveries.iter().map(|delivery| {
        [
            delivery.id.to_string(),
            time(delivery.received_at),
            delivery.state.word().to_owned(),
            person(delivery),
            plain(&delivery.kind),
            delivery.attempts.to_string(),
        ]
    }));
    let beside = cells(&rows[0], &widths(&rows)).chars().count() + 2;
    match width {
        Some(width) if width < beside + REASON => two_lines_each(deliveries, rows, width),
        _ => one_line_each(deliveries, &rows, width.map(|width| width - beside)),
    }
}

fn one_line_each(deliveries: &[Delivery], rows: &[[String; 6]], room: Option<usize>) -> String {
    let widths = widths(rows);
    let mut text = format!("{BOLD}{}  reason{BOLD:#}\n", cells(&rows[0], &widths));
    for (delivery, row) in deliveries.iter().zip(&rows[1..]) {
        let reason = cut(&summary(delivery), room);
        let line = coloured(&cells(row, &widths), delivery.state);
        let _ = writeln!(text, "{}", format!("{line}  {reason}").trim_end());
    }
    text
}

fn two_lines_each(deliveries: &[Delivery], rows: Vec<[String; 6]>, width: usize) -> String {
    let rows: Vec<[String; 3]> =
        rows.into_iter().map(|[id, received, state, ..]| [id, received, state]).collect();
    let widths = widths(&rows);
    let mut text = String::new();
    let head = cut(cells(&rows[0], &widths).trim_end(), Some(width));
    let _ = writeln!(text, "{BOLD}{head}{BOLD:#}");
    for (delivery, row) in deliveries.iter().zip(&rows[1..]) {
        let line = cut(cells(row, &widths).trim_end(), Some(width));
        let _ = writeln!(text, "{}", coloured(&line, delivery.state));
        let (person, kind, tries) = (person(delivery), plain(&delivery.kind), delivery.attempts);
        let tries = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
        let reason = summary(delivery);
        let colon = if reason.is_empty() { "" } else { ": " };
        let second = format!("  {person}, {kind}, {tries}{colon}{reason}");
        let _ = writeln!(text, "{DIM}{}{DIM:#}", cut(&second, Some(width)));
    }
    text
}

fn person(delivery: &Delivery) -> String {
    delivery.person().map_or_else(|| "-".to_owned(), |person| plain(&person.to_string()))
}

fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

fn cells<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let padded = row.iter().zip(widths).map(|(cell, &width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ")
}

/// Colours the state's own word in a line of cells; it stands there between spaces.
fn coloured(line: &str, state: DeliveryState) -> String {
    let (style, word) = (style(state), state.word());
    line.replacen(&format!("  {word}"), &format!("  {style}{word}{style:#}"), 1)
}

/// Why it stands where it stands, in one line.
fn summary(delivery: &Delivery) -> String {
    let last = delivery.history.last();
    let why = match &delivery.reason {
        Some(reason) => plain(reason),
        None => last.map_or_else(String::new, |attempt| plain(&attempt.decided)),
    };
    match delivery.state {
        DeliveryState::Waiting if why.is_empty() => format!("due {}", time(delivery.due)),
        DeliveryState::Waiting => format!("due {}: {why}", time(delivery.due)),
        _ => why,
    }
}

/// A time as people read it, in UTC: `2026-11-21 09:14:03`.
pub(in crate::cli) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Without control characters.
pub(in crate::cli) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn cut(text: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if text.chars().count() > width => {
            let mut text: String = text.chars().take(width.saturating_sub(1)).collect();
            text.push('…');
            text
        }
        _ => text.to_owned(),
    }
}

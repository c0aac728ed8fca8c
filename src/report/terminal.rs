//! The report for people at a terminal, and the plain text beside the HTML mail.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::facts::{Cells, Column, Facts, Section, Tone};
use super::words::number;
use super::{Report, Screen};

/// The least room for a column of words; with less each row is told line by line.
const LEAST: usize = 18;

/// The widest text without a terminal's width.
const READABLE: usize = 100;

/// The whole report, as wide as the screen.
pub fn terminal(report: &Report<'_>, screen: Screen) -> String {
    let facts = Facts::of(report);
    let paint = Paint { color: screen.color };
    let width = screen.width.unwrap_or(READABLE).max(40);
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint.with(BOLD, &facts.title));
    for line in wrap(&facts.when, width) {
        let _ = writeln!(out, "{}", paint.with(DIM, &line));
    }
    out.push('\n');
    for line in wrap(&facts.verdict, width) {
        let _ = writeln!(out, "{}", paint.with(tone(facts.tone).bold(), &line));
    }
    out.push('\n');
    let figures: Vec<String> =
        facts.figures.iter().map(|figure| format!("{} {}", figure.value, figure.label)).collect();
    for line in wrap(&figures.join(" · "), width) {
        let _ = writeln!(out, "{line}");
    }
    if let Some(link) = &report.link {
        let _ = writeln!(out, "{link}");
    }
    for section in &facts.sections {
        out.push('\n');
        tell(&mut out, section, width, paint);
    }
    let _ = writeln!(
        out,
        "\n{}",
        paint.with(DIM, &format!("Run {}, rules {}", report.run.id, report.run.rules))
    );
    out
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn tone(tone: Tone) -> Style {
    match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Look => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Plain => Style::new(),
    }
}

/// Colours text, or leaves it.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub color: bool,
}

impl Paint {
    pub fn with(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn tell(out: &mut String, section: &Section, width: usize, paint: Paint) {
    let style = if section.grave { tone(Tone::Look).bold() } else { BOLD };
    let _ = writeln!(out, "{}", paint.with(style, &section.title));
    for sentence in &section.lead {
        for line in wrap(sentence, width - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !section.rows.is_empty() {
        table(out, &section.columns, &section.rows, width - 2, paint);
    }
    if let Some((more, file)) = section.more {
        let more =
            format!("  and {} more: --csv FOLDER writes them all, into {file}", number(more));
        let _ = writeln!(out, "{}", paint.with(DIM, &more));
    }
    let widest = section.commands.iter().map(|(command, _)| command.chars().count()).max();
    for (command, what) in &section.commands {
        let padded = format!("{command:<width$}", width = widest.unwrap_or_default());
        if padded.chars().count() + what.chars().count() + 8 <= width {
            let _ = writeln!(out, "  $ {padded}  {}", paint.with(DIM, &format!("# {what}")));
        } else {
            // A command stays whole, to be copied.
            let _ = writeln!(out, "  {}\n  $ {command}", paint.with(DIM, &format!("# {what}")));
        }
    }
}

fn table(out: &mut String, columns: &[Column], rows: &[Vec<String>], width: usize, paint: Paint) {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    // The widest columns of words give way and are wrapped.
    while widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > width {
        let words = (0..widths.len()).filter(|&at| columns[at].kind == Cells::Words);
        match words.max_by_key(|&at| widths[at]) {
            Some(widest) if widths[widest] > LEAST => widths[widest] -= 1,
            _ => return stacked(out, columns, rows, width, paint),
        }
    }
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    for line in lines(&heads, columns, &widths) {
        let _ = writeln!(out, "  {}", paint.with(DIM, &line));
    }
    for row in rows {
        for line in lines(row, columns, &widths) {
            let _ = writeln!(out, "  {line}");
        }
    }
}

/// One row, over as many lines as its longest cell needs.
fn lines(row: &[String], columns: &[Column], widths: &[usize]) -> Vec<String> {
    let cells: Vec<Vec<String>> =
        row.iter().zip(widths).map(|(cell, &width)| wrap(cell, width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    let line = |at: usize| {
        let cells = cells.iter().zip(columns).zip(widths).map(|((cell, column), &width)| {
            let text = cell.get(at).map(String::as_str).unwrap_or_default();
            match column.kind {
                Cells::Numbers => format!("{text:>width$}"),
                Cells::Words | Cells::Codes => format!("{text:<width$}"),
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

/// For a screen that is too narrow for the table.
fn stacked(out: &mut String, columns: &[Column], rows: &[Vec<String>], width: usize, paint: Paint) {
    for row in rows {
        for (at, (cell, column)) in row.iter().zip(columns).enumerate() {
            let lines = wrap(cell, width - 2);
            match lines.as_slice() {
                [line] if at > 0 && column.kind == Cells::Numbers => {
                    let _ = writeln!(out, "    {} {line}", paint.with(DIM, column.head));
                }
                lines => {
                    for line in lines.iter().filter(|line| !line.is_empty()) {
                        let _ = writeln!(out, "  {}{line}", if at > 0 { "  " } else { "" });
                    }
                }
            }
        }
    }
}

/// Lines of at most so many characters, broken between words; a longer word is broken too, so that
/// nothing is lost.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
            continue;
        }
        if !last.is_empty() {
            lines.push(String::new());
        }
        for c in word.chars() {
            let last = lines.last_mut().expect("there is one");
            if last.chars().count() < width.max(1) {
                last.push(c);
            } else {
                lines.push(c.to_string());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("the sync of bob", 8), ["the sync", "of bob"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("incomprehensible", 8), ["incompre", "hensible"]);
    }
}

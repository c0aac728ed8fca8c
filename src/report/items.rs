//! Everybody who is out of step, step by step: what is added (`+`), changed (`~`), taken away (`-`),
//! what a person must decide (`!`) and what is only told (`?`).

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::steps::{account, cause, standing, steps};
use super::terminal::{Paint, wrap};
use super::{Report, Screen};
use crate::model::ChangeKind;

/// The list, in the order of the items.
pub fn items(report: &Report<'_>, screen: Screen) -> String {
    let paint = Paint { color: screen.color };
    let width = screen.width.unwrap_or(usize::MAX).max(40);
    let mut out = String::new();
    for item in report.items {
        let steps = steps(item, report.personal);
        let mark = match item.kind {
            Some(ChangeKind::Create | ChangeKind::Reactivate) => '+',
            Some(ChangeKind::Deactivate) => '-',
            Some(_) => '~',
            None => steps.first().map_or('?', |step| step.mark),
        };
        let (person, account) = (report.person(item), account(item));
        let who = if person.is_empty() { format!("account {account}") } else { person };
        let mut head = who;
        for part in [report.name(item), standing(item).to_owned()] {
            if !part.is_empty() {
                let _ = write!(head, "  {part}");
            }
        }
        if let Some(blame) = &item.blame {
            let _ = write!(head, ": {}", cause(blame));
        }
        write(&mut out, (mark, paint), &head, 0, width);
        for step in &steps {
            write(&mut out, (step.mark, paint), &step.sentence(), 4, width);
        }
    }
    out
}

fn write(out: &mut String, (mark, paint): (char, Paint), text: &str, indent: usize, width: usize) {
    let style = match mark {
        '+' => AnsiColor::Green.on_default(),
        '-' => AnsiColor::Red.on_default(),
        '~' | '!' => AnsiColor::Yellow.on_default(),
        _ => Style::new().dimmed(),
    };
    let lines = wrap(text, width.saturating_sub(indent + 2));
    for (at, line) in lines.iter().enumerate() {
        let mark = if at == 0 { paint.with(style, &mark.to_string()) } else { " ".to_owned() };
        let _ = writeln!(out, "{:indent$}{mark} {line}", "");
    }
}

//! `instep plan --rules NEW.toml`: what the new rules would make otherwise than the present ones.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::super::USAGE;
use super::super::colours::{BAD, BOLD, GOOD, WARN};
use super::super::deliveries::table::plain;
use super::items::show_items;
use super::{PlanArgs, Progress, found, whom};
use crate::app::{Counts, Difference, Rivals, Turn};
use crate::config::Settings;
use crate::model::Person;
use crate::model::words::count_of;
use crate::store::Store;

/// Shows the differences.
pub(super) async fn run(
    args: &PlanArgs,
    path: &Path,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<ExitCode> {
    let Some(new) = super::super::load_rules(path) else { return Ok(ExitCode::from(USAGE)) };
    let mut counts = Counts::default();
    let mut nobody: Vec<&String> = args.employees.iter().collect();
    let mut not_shown = 0_usize;
    for rivals in Rivals::all(settings, &new, store)? {
        if !args.is_for(&rivals.reader) {
            continue;
        }
        let people = whom(args, &rivals.reader, &mut nobody).await?;
        let mut progress = Progress::of("people judged", people.len());
        for (employee, record) in people {
            let Some(record) = record else {
                not_shown += 1;
                continue;
            };
            let difference = rivals.judge(&record);
            counts.count(difference.as_ref());
            if counts.people.is_multiple_of(super::TOGETHER) {
                progress.advance(super::TOGETHER);
            }
            let Some(difference) = difference else { continue };
            let person = rivals.reader.person(&employee);
            progress.wipe();
            if args.json {
                let Difference { turn, items } = &difference;
                println!("{}", json!({"person": person.to_string(), "turn": turn, "items": items}));
            } else {
                show(&person, &difference);
            }
        }
    }
    if args.json {
        println!("{}", json!({ "totals": counts, "not_shown": not_shown }));
    } else {
        summary(&counts, not_shown);
    }
    Ok(found(&nobody))
}

fn show(person: &Person, difference: &Difference) {
    let (sign, style, what) = match difference.turn {
        Turn::Enters => ('+', GOOD, "enters the scope"),
        Turn::Leaves => ('-', BAD, "leaves the scope"),
        Turn::Changes => ('~', WARN, "changes"),
    };
    let person = plain(&person.to_string());
    // The filter that decided stands with the first item.
    let filter = match (difference.turn, difference.items.first()) {
        (Turn::Enters | Turn::Leaves, Some((rule, _))) => format!(" ({rule})"),
        _ => String::new(),
    };
    anstream::println!("{style}{sign} {person}: {what}{filter}{style:#}");
    show_items(difference.items.iter().map(|(_, item)| item));
}

fn summary(counts: &Counts, not_shown: usize) {
    let of = |turn| counts.turns.get(&turn).copied().unwrap_or(0);
    if !counts.rules.is_empty() {
        anstream::println!("\n{BOLD}People touched, by rule{BOLD:#}");
        for (rule, people) in &counts.rules {
            anstream::println!("  {people:>7}  {}", plain(rule));
        }
    }
    let not_shown = match not_shown {
        0 => String::new(),
        some => format!(" HiBob does not show {some}."),
    };
    anstream::println!(
        "\n{BOLD}Of {}:{BOLD:#} {GOOD}{} enter the scope{GOOD:#}, {BAD}{} leave it{BAD:#}, \
         {WARN}{} change{WARN:#}, {} stay the same.{not_shown} Nothing was changed.",
        count_of(counts.people, "person", "people"),
        of(Turn::Enters),
        of(Turn::Leaves),
        of(Turn::Changes),
        counts.same,
    );
}

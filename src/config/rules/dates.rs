//! `[rules.joiner]` and `[rules.leaver]`: what dates decide.

use super::super::table::Table;
use super::read::{Page, behind};
use super::{Joiner, Leaver};

/// Days that a rule may look ahead or back.
const DAYS: std::ops::RangeInclusive<u32> = 0..=366;

/// `[rules.joiner]`; absent when there is no such table.
pub(super) fn joiner(rules: &Table<'_>, page: Page<'_>) -> Option<Joiner> {
    let table = rules.optional("joiner", behind(&["joiner"]))?;
    let joiner = Joiner {
        who: page.need(
            &table,
            "who",
            "an expression that says who has been hired and has not begun, as in \
             \"internal.lifecycleStatus == 'hired'\"",
        ),
        start_date: page.need(
            &table,
            "start_date",
            "an expression that gives the first day, as in \"work.startDate\"",
        ),
        days_before: table.number("days_before", DAYS),
    };
    table.finish();
    Some(joiner)
}

/// `[rules.leaver]`; absent when there is no such table.
pub(super) fn leaver(rules: &Table<'_>, page: Page<'_>) -> Option<Leaver> {
    let table = rules.optional("leaver", behind(&["leaver"]))?;
    let leaver = Leaver {
        end_date: page.need(
            &table,
            "end_date",
            "an expression that gives the last day, as in \"internal.terminationDate\"",
        ),
        grace_days: table.number("grace_days", DAYS),
    };
    table.finish();
    Some(leaver)
}

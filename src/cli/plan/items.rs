//! The items of a plan in lines: `~ job  "Cook" -> "Chef"`.

use anstyle::Style;

use super::super::colours::{BAD, GOOD, WARN};
use super::super::deliveries::table::plain;
use super::value;
use crate::model::story::{Item, Kind, Sign};

/// The sign and the colour of what becomes of an account.
pub(in crate::cli) fn sign_of(kind: Kind) -> (char, Style) {
    match kind {
        Kind::Create | Kind::Restore => ('+', GOOD),
        Kind::Update => ('~', WARN),
        Kind::Deactivate => ('-', BAD),
        Kind::Unchanged => (' ', Style::new()),
    }
}

/// Shows items, one below the other.
pub(in crate::cli) fn show_items<'i>(items: impl IntoIterator<Item = &'i Item>) {
    let items: Vec<&Item> = items.into_iter().collect();
    let width = items.iter().map(|item| item.what.chars().count()).max().unwrap_or(0);
    for item in items {
        let what = plain(&item.what);
        let (before, after) = (value(item.before.as_ref()), value(item.after.as_ref()));
        let (sign, style, said) = match item.sign {
            Sign::Add => ('+', GOOD, after),
            Sign::Take => ('-', BAD, before),
            Sign::Change => ('~', WARN, format!("{before} -> {after}")),
        };
        anstream::println!("    {style}{sign}{style:#} {what:<width$}  {said}");
    }
}

/// A text with quotes, in which nothing moves the cursor.
pub(in crate::cli) fn quoted(text: &str) -> String {
    format!("{:?}", plain(text))
}

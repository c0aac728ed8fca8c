//! `[maintenance.NAME]`: times in which nothing is leased, over and over again.

use std::collections::BTreeMap;
use std::time::Duration;

use croner::Cron;

use super::HiBobSettings;
use super::sync::pattern;
use super::table::Table;
use crate::model::PauseScope;

/// One window. Its times are meant in the time zone of `[schedule]`.
#[derive(Clone, Debug)]
pub struct WindowSettings {
    /// Its name.
    pub name: String,
    /// `scope`: what is paused.
    pub scope: PauseScope,
    /// `begins`: when, as `[schedule]` says it.
    pub begins: Cron,
    /// `minutes`: for so long.
    pub lasting: Duration,
    /// `reason`: for those who wonder.
    pub reason: String,
}

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// Reads all windows, in the order of the file.
pub(super) fn read(
    root: &Table<'_>,
    sources: &BTreeMap<String, HiBobSettings>,
) -> Vec<WindowSettings> {
    let mut windows = Vec::new();
    for (name, _, table) in root.named("maintenance", None) {
        windows.extend(window(name, &table, sources));
        table.finish();
    }
    windows
}

fn window(
    name: &str,
    table: &Table<'_>,
    sources: &BTreeMap<String, HiBobSettings>,
) -> Option<WindowSettings> {
    let scope = table.need_text("scope", "what is paused: \"target\"")?;
    let scope: Result<PauseScope, _> = scope.parse();
    let scope = scope.map_err(|why| table.wrong("scope", why)).ok();
    if let Some(PauseScope::Source(source)) = &scope
        && !sources.contains_key(source.as_str())
    {
        table.wrong("scope", format!("there is no table [source.{source}]"));
    }
    let begins = table.need_text("begins", "when: \"0 22 * * SAT\"")?;
    let begins = pattern(begins.trim()).map_err(|why| table.wrong("begins", why)).ok();
    let minutes = table.optional_number("minutes", 1..=7 * 24 * 60).or_else(|| {
        if table.get("minutes").is_none() {
            table.missing(&["minutes"], "minutes", "`minutes` is missing: for how long");
        }
        None
    });
    let reason = table.text("reason").unwrap_or("a maintenance window").trim().to_owned();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        table.wrong("reason", format!("expected 1 to {LONGEST_REASON} characters"));
    }
    let lasting = Duration::from_secs(u64::from(minutes?) * 60);
    Some(WindowSettings { name: name.to_owned(), scope: scope?, begins: begins?, lasting, reason })
}

//! `instep rules misses`: values that were not in a lookup table, and whom that touches.

use std::process::ExitCode;

use super::super::colours::{BOLD, DIM, WARN};
use super::super::deliveries::table::plain;
use crate::app;
use crate::config::Settings;
use crate::model::EmployeeId;
use crate::model::question::MissedValue;
use crate::model::words;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct MissesArgs {
    /// Only of people of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// One JSON object per value.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    args: &MissesArgs,
    settings: &Settings,
    store: &dyn Store,
) -> anyhow::Result<ExitCode> {
    let found = app::misses(settings, store, args.source.as_deref()).await?;
    if found.is_empty() {
        anstream::eprintln!(
            "Every value that was looked up is in its table, as of the last look at each person."
        );
        return Ok(ExitCode::SUCCESS);
    }
    for missing in &found {
        if args.json {
            println!("{}", serde_json::to_string(missing)?);
        } else {
            show(missing);
        }
    }
    if !args.json {
        anstream::eprintln!(
            "\nAdd a row for each to its table, then `instep reload`. People are looked at again by \
             their next event or by `instep sync`."
        );
    }
    Ok(ExitCode::FAILURE)
}

fn show(missing: &MissedValue) {
    let MissedValue { source, table, file, keys, people, some } = missing;
    let keys = plain(&keys.join(", "));
    let who = words::people(*people as u64);
    let ids: Vec<&str> = some.iter().map(EmployeeId::as_str).collect();
    let more = if some.len() < *people { ", ..." } else { "" };
    let file = file.as_ref().map_or_else(
        || "the table is not in the configuration any more".to_owned(),
        |file| file.display().to_string(),
    );
    anstream::println!("{BOLD}{}{BOLD:#}  {WARN}{keys}{WARN:#}  {who}", plain(table));
    anstream::println!("  {DIM}{source}/{}{more}{DIM:#}", plain(&ids.join(", ")));
    anstream::println!("  {DIM}{file}{DIM:#}");
}

//! `instep plan`: what would change, and nothing is changed.
//!
//! With `--rules NEW.toml` only what those rules would make otherwise than the present ones.

pub(super) mod items;
mod rivals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use self::items::{quoted, show_items};
use super::colours::{BAD, BOLD, DIM, GOOD, WARN};
use super::deliveries::table::plain;
use super::progress::Progress;
use crate::app::{self, Look, Previewer, Shown, Totals};
use crate::config::Settings;
use crate::model::EmployeeId;
use crate::model::story::{Kind, Planned, Steps, Verdict};
use crate::store::Store;

/// So many people are looked at together.
const TOGETHER: usize = 100;

/// What `instep plan` takes.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// People, by id, mail or full name.
    #[arg(value_name = "EMPLOYEE", required_unless_present_any = ["all", "sample", "rules"])]
    employees: Vec<String>,
    /// Everyone whom the sources show.
    #[arg(long, conflicts_with_all = ["employees", "sample"])]
    all: bool,
    /// So many of them, drawn at random.
    #[arg(long, value_name = "N", conflicts_with = "employees")]
    sample: Option<usize>,
    /// Only what these rules would make otherwise than the present ones, of everyone unless some are
    /// named: a file of rules, or a whole configuration.
    #[arg(long, value_name = "NEW.toml")]
    rules: Option<PathBuf>,
    /// Only people of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// One JSON object per person, and one with the totals.
    #[arg(long)]
    json: bool,
}

impl PlanArgs {
    fn everyone(&self) -> bool {
        self.all || (self.employees.is_empty() && self.sample.is_none())
    }

    fn is_for(&self, previewer: &Previewer) -> bool {
        self.source.as_deref().is_none_or(|only| only == previewer.name().as_str())
    }
}

/// Shows the plans. Exit code 1 when somebody whom a key names is not found.
///
/// # Errors
/// When a source, the target or the store does not answer.
pub async fn run(
    args: PlanArgs,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<ExitCode> {
    if let Some(only) = args.source.as_ref().filter(|only| !settings.sources.contains_key(*only)) {
        anyhow::bail!("there is no source {} in the configuration", plain(only));
    }
    if let Some(path) = &args.rules {
        return Box::pin(rivals::run(&args, path, settings, store)).await;
    }
    let mut totals = Totals::default();
    let mut nobody: Vec<&String> = args.employees.iter().collect();
    let few = !args.all;
    let look = if few { Look::Close } else { Look::Usual };
    for previewer in Previewer::all(settings, store)? {
        if !args.is_for(&previewer) {
            continue;
        }
        let mut people = whom(&args, &previewer, &mut nobody).await?;
        let mut progress = Progress::of("people looked at", people.len());
        while !people.is_empty() {
            let rest = people.split_off(people.len().min(TOGETHER));
            let some = std::mem::replace(&mut people, rest);
            let count = some.len();
            let previews = Box::pin(previewer.preview(some, look)).await?;
            progress.wipe();
            for preview in previews {
                totals.count(&preview);
                let planned = app::planned(&preview);
                if args.json {
                    println!("{}", json!(planned));
                } else {
                    show(&planned, few);
                }
            }
            progress.advance(count);
        }
    }
    if args.json {
        println!("{}", json!({ "totals": totals }));
    } else {
        summary(&totals);
    }
    Ok(found(&nobody))
}

/// The exit code, after saying whom nobody is found for.
fn found(nobody: &[&String]) -> ExitCode {
    for key in nobody {
        anstream::eprintln!(
            "{}: nobody is found; give the id, the mail exactly as HiBob has it, or the full name",
            plain(key)
        );
    }
    if nobody.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whom to look at, with their records; a key that names somebody is taken out of `nobody`.
async fn whom(
    args: &PlanArgs,
    previewer: &Previewer,
    nobody: &mut Vec<&String>,
) -> anyhow::Result<Vec<Shown>> {
    if args.everyone() {
        let note = Progress::note(&format!("Reading everyone from {}", previewer.name()));
        let read = |count| note.so_far("people read", count);
        return Ok(previewer.everyones_records(read).await?);
    }
    let mut ids: Vec<EmployeeId> = Vec::new();
    for key in &args.employees {
        let named = previewer.who(key).await?;
        if !named.is_empty() {
            nobody.retain(|left| *left != key);
        }
        let known: Vec<EmployeeId> = named.into_iter().filter(|id| !ids.contains(id)).collect();
        ids.extend(known);
    }
    if let Some(sample) = args.sample {
        ids = previewer.everyone().await?;
        fastrand::shuffle(&mut ids);
        ids.truncate(sample);
    }
    let mut people = Vec::with_capacity(ids.len());
    let mut progress = Progress::of("people read", ids.len());
    for some in ids.chunks(TOGETHER) {
        people.extend(previewer.records(some).await?);
        progress.advance(some.len());
    }
    Ok(people)
}

fn summary(totals: &Totals) {
    let Totals { create, update, deactivate, restore, joins, leaves, .. } = totals;
    let Totals { unchanged, out_of_scope, left_alone, look, .. } = totals;
    let new = totals.new_groups.len();
    let to_look_at: usize = look.values().sum();
    let why: Vec<String> = look.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    let alone = if *left_alone == 0 { String::new() } else { format!("{left_alone} left alone, ") };
    anstream::println!(
        "\n{BOLD}Plan:{BOLD:#} {GOOD}{create} to create{GOOD:#}, {GOOD}{restore} to restore{GOOD:#}, \
         {WARN}{update} to update{WARN:#}, {BAD}{deactivate} to deactivate{BAD:#}; groups: {new} new, \
         {joins} joins, {leaves} leaves; {unchanged} unchanged, {out_of_scope} out of scope, {alone}\
         {to_look_at} to look at{why}. Nothing was changed."
    );
}

/// Shows one person's plan; who needs no change only when few were asked for.
fn show(planned: &Planned, few: bool) {
    let person = plain(&planned.person.to_string());
    let said = plain(&planned.said);
    match (&planned.verdict, planned.verdict.steps()) {
        (verdict, Some(Steps { account, items, remarks })) => {
            let account = account.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
            match verdict.kind() {
                Some(Kind::Unchanged) if few => {
                    anstream::println!("{DIM}  {person}{account}: nothing to do{DIM:#}");
                }
                Some(Kind::Unchanged) | None => {}
                Some(kind) => {
                    let (sign, style) = items::sign_of(kind);
                    let word = kind.word();
                    anstream::println!("{style}{sign} {person}{account}: {word}{style:#}");
                }
            }
            show_items(items);
            for remark in remarks.iter().filter(|_| few) {
                anstream::println!("    {DIM}{}{DIM:#}", plain(remark));
            }
        }
        (Verdict::OutOfScope { .. } | Verdict::AsItIs { .. } | Verdict::LeftAlone { .. }, _) => {
            if few {
                anstream::println!("{DIM}  {person}: {said}{DIM:#}");
            }
        }
        _ => anstream::println!("{WARN}?{WARN:#} {person}: {said}"),
    }
}

/// A value as people read it.
fn value(value: Option<&Value>) -> String {
    match value {
        None => "?".to_owned(),
        Some(Value::Null) => "(empty)".to_owned(),
        Some(Value::String(text)) => quoted(text),
        Some(other) => other.to_string(),
    }
}

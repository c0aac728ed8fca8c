//! `instep explain`: why somebody's account is as it is, from the record to the plan.

use std::process::ExitCode;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use anyhow::bail;
use serde_json::json;

use super::plan;
use crate::app::{Explained, Input, Preview, Previewer, Verdict};
use crate::config::Settings;
use crate::model::{Delivery, FoundBy, Record};
use crate::store::{Filter, Store};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();

/// So much of a person's history is shown.
const HISTORY: usize = 10;

/// What `instep explain` takes.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// Somebody, by id, mail or full name.
    #[arg(value_name = "EMPLOYEE")]
    employee: String,
    /// As one JSON object per person.
    #[arg(long)]
    json: bool,
}

/// Explains everybody whom the key names.
///
/// # Errors
/// When a source, the target or the store does not answer, or nobody is found.
pub async fn run(
    args: ExplainArgs,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<ExitCode> {
    let mut found = false;
    for previewer in Previewer::all(settings, store)? {
        let ids = previewer.who(&args.employee).await?;
        for preview in previewer.preview(&ids, true).await? {
            found = true;
            let rules = preview.record.as_ref().map(|record| previewer.explain(record));
            let rules = rules.unwrap_or_default();
            let filter = Filter {
                source: Some(previewer.name().clone()),
                employee: Some(preview.person.employee.to_string()),
                ..Filter::default()
            };
            let history = store.deliveries(&filter, HISTORY).await?;
            if args.json {
                println!("{}", as_json(&preview, &rules, &history));
            } else {
                show(&preview, &rules, &history);
            }
        }
    }
    if !found {
        bail!(
            "nobody is found: give the employee's id, the mail exactly as HiBob has it, or the full \
             name"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn show(preview: &Preview, rules: &[Explained], history: &[Delivery]) {
    let Preview { person, record, verdict, link, candidates, account } = preview;
    anstream::println!("{BOLD}{person}{BOLD:#}\n");
    match record {
        None => {
            anstream::println!("Record: HiBob does not show this person. That proves nothing, so");
            anstream::println!(
                "nothing would be done. Check the service user's 'Access data for'."
            );
        }
        Some(record) => show_record(record, rules),
    }
    anstream::println!("\n{BOLD}Rules{BOLD:#}");
    for rule in rules {
        let (style, result) = match &rule.result {
            Ok(value) => (GOOD, value.to_string()),
            Err(why) => (WARN, why.clone()),
        };
        anstream::println!("  {:<26} {style}{result}{style:#}", rule.rule);
        anstream::println!("    {DIM}{}{DIM:#}", rule.expression);
    }
    anstream::println!("\n{BOLD}Account{BOLD:#}");
    match link.as_ref().and_then(|link| link.account.as_ref()) {
        Some(account) => anstream::println!("  linked to {account}"),
        None => anstream::println!("  not linked"),
    }
    for candidate in candidates {
        let by = match candidate.by {
            FoundBy::Link => "the link",
            FoundBy::ExternalId => "the employee id in the LMS",
            FoundBy::Email => "the mail",
            FoundBy::Username => "the user name",
            FoundBy::Name => "the name",
        };
        let status = format!("{:?}", candidate.account.status).to_lowercase();
        anstream::println!("  found {} by {by}: {status}", candidate.account.id);
        if let Some(other) = &candidate.claimed_by {
            anstream::println!("    {WARN}it belongs to employee {other}{WARN:#}");
        }
        if let Some(why) = &candidate.protected {
            anstream::println!("    {WARN}it is never changed: {why}{WARN:#}");
        }
    }
    for (field, value) in account.iter().flat_map(|account| &account.fields) {
        anstream::println!("    {:<13} {value:?}", field.word());
    }
    anstream::println!("\n{BOLD}Plan{BOLD:#}");
    show_plan(preview, verdict);
    anstream::println!("\n{BOLD}History{BOLD:#} (newest first; `instep deliveries show ID`)");
    for delivery in history {
        let received = delivery.received_at.strftime("%Y-%m-%d %H:%M:%S");
        anstream::println!(
            "  {}  {received}  {:<8} {:<18} {}",
            delivery.id,
            delivery.state.word(),
            delivery.kind,
            delivery.reason.as_deref().unwrap_or_default(),
        );
    }
    if history.is_empty() {
        anstream::println!("  no event ever came, or it is past its retention");
    }
    anstream::println!();
}

/// What was read; only fields that rules use were asked for.
fn show_record(record: &Record, rules: &[Explained]) {
    anstream::println!("{BOLD}Record{BOLD:#}, as HiBob shows it now (only what the rules use)");
    let mut fields: Vec<&(String, Input)> = rules.iter().flat_map(|rule| &rule.inputs).collect();
    fields.sort_by_key(|(field, _)| field);
    fields.dedup_by_key(|(field, _)| field);
    for (field, input) in fields {
        let label = label(record, field).map_or_else(String::new, |label| format!("  ({label})"));
        match input {
            Input::Value(value) => anstream::println!("  {field:<26} {value}{label}"),
            Input::Empty => anstream::println!("  {field:<26} {DIM}empty{DIM:#}"),
            Input::Missing => anstream::println!(
                "  {field:<26} {WARN}missing: not permitted, or no such field{WARN:#}"
            ),
        }
    }
}

/// The label of a list value, when there is one that differs.
fn label(record: &Record, field: &str) -> Option<String> {
    let pointer = format!("/{}", field.trim_start_matches("root.").replace('.', "/"));
    let label = record.0.get("humanReadable")?.pointer(&pointer)?.as_str()?;
    (record.0.pointer(&pointer)?.as_str() != Some(label)).then(|| label.to_owned())
}

fn show_plan(preview: &Preview, verdict: &Verdict) {
    match verdict {
        Verdict::NotShown => anstream::println!("  nothing: HiBob does not show this person"),
        Verdict::OutOfScope { filter, .. } => anstream::println!("  nothing: {filter} says no"),
        Verdict::Unknown { rule, missing } if missing.is_empty() => {
            anstream::println!("  {WARN}nothing: {rule} has no result{WARN:#}");
        }
        Verdict::Unknown { rule, missing } => anstream::println!(
            "  {WARN}nothing: {rule} cannot be judged without {}{WARN:#}",
            missing.join(", ")
        ),
        Verdict::LeftAlone(why) => anstream::println!("  {WARN}nothing: {why}{WARN:#}"),
        Verdict::Planned { plan, remarks, .. } => {
            if plan.steps.is_empty() {
                anstream::println!("  {GOOD}nothing to do: all is as it should be{GOOD:#}");
            }
            plan::steps(preview, plan);
            for remark in remarks {
                anstream::println!("  {WARN}{remark}{WARN:#}");
            }
        }
    }
}

fn as_json(preview: &Preview, rules: &[Explained], history: &[Delivery]) -> serde_json::Value {
    let candidates: Vec<_> = preview
        .candidates
        .iter()
        .map(|candidate| {
            json!({
                "account": candidate.account.id,
                "status": candidate.account.status,
                "found_by": format!("{:?}", candidate.by),
                "claimed_by": candidate.claimed_by,
                "protected": candidate.protected,
                "fields": candidate.account.fields,
            })
        })
        .collect();
    json!({
        "person": preview.person.to_string(),
        "shown": preview.record.is_some(),
        "rules": rules,
        "link": preview.link,
        "candidates": candidates,
        "plan": plan::as_json(preview),
        "history": history,
    })
}

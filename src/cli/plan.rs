//! `instep plan`: what would change, and nothing is changed.

use std::process::ExitCode;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::app::{Preview, Previewer, Verdict, words};
use crate::config::Settings;
use crate::model::{Change, EmployeeId};
use crate::store::Store;

const ADD: Style = AnsiColor::Green.on_default();
const CHANGE: Style = AnsiColor::Yellow.on_default();
const TAKE: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// So many people are read together.
const TOGETHER: usize = 100;

/// What `instep plan` takes.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// People, by id, mail or full name.
    #[arg(value_name = "EMPLOYEE", required_unless_present_any = ["all", "sample"])]
    employees: Vec<String>,
    /// Everyone whom the sources show.
    #[arg(long, conflicts_with_all = ["employees", "sample"])]
    all: bool,
    /// So many of them, drawn at random.
    #[arg(long, value_name = "N", conflicts_with = "employees")]
    sample: Option<usize>,
    /// One JSON object per person.
    #[arg(long)]
    json: bool,
}

/// How many people would get which change.
#[derive(Debug, Default)]
struct Totals {
    create: usize,
    update: usize,
    deactivate: usize,
    unchanged: usize,
    out_of_scope: usize,
    look: usize,
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
    let mut totals = Totals::default();
    let mut nobody: Vec<&String> = args.employees.iter().collect();
    for previewer in Previewer::all(settings, store)? {
        let ids = ids(&args, &previewer, &mut nobody).await?;
        let few = !args.all;
        for some in ids.chunks(TOGETHER) {
            for preview in previewer.preview(some, few).await? {
                totals.count(&preview);
                if args.json {
                    println!("{}", as_json(&preview));
                } else {
                    show(&preview, few);
                }
            }
        }
    }
    if !args.json {
        let Totals { create, update, deactivate, unchanged, out_of_scope, look } = totals;
        anstream::println!(
            "\nPlan: {ADD}{create} to create{ADD:#}, {CHANGE}{update} to update{CHANGE:#}, \
             {TAKE}{deactivate} to deactivate{TAKE:#}; {unchanged} unchanged, {out_of_scope} out of \
             scope, {look} to look at. Nothing was changed."
        );
    }
    for key in &nobody {
        anstream::eprintln!(
            "{key}: nobody is found; give the id, the mail exactly as HiBob has it, or the full name"
        );
    }
    Ok(if nobody.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whom to preview; a key that names somebody is taken out of `nobody`.
async fn ids(
    args: &PlanArgs,
    previewer: &Previewer,
    nobody: &mut Vec<&String>,
) -> anyhow::Result<Vec<EmployeeId>> {
    let mut ids = Vec::new();
    for key in &args.employees {
        let named = previewer.who(key).await?;
        if !named.is_empty() {
            nobody.retain(|left| *left != key);
        }
        ids.extend(named);
    }
    if args.all || args.sample.is_some() {
        ids = previewer.everyone().await?;
    }
    if let Some(sample) = args.sample {
        fastrand::shuffle(&mut ids);
        ids.truncate(sample);
    }
    Ok(ids)
}

impl Totals {
    fn count(&mut self, preview: &Preview) {
        let place = match &preview.verdict {
            Verdict::OutOfScope { .. } => &mut self.out_of_scope,
            Verdict::NotShown | Verdict::Unknown { .. } | Verdict::LeftAlone(_) => &mut self.look,
            Verdict::Planned { plan, .. } => match plan.steps.first() {
                None => &mut self.unchanged,
                Some(Change::Create { .. }) => &mut self.create,
                Some(Change::Deactivate) => &mut self.deactivate,
                Some(_) => &mut self.update,
            },
        };
        *place += 1;
    }
}

/// Shows one person's plan; who needs no change only when few were asked for.
fn show(preview: &Preview, few: bool) {
    let person = &preview.person;
    match &preview.verdict {
        Verdict::NotShown => anstream::println!(
            "{CHANGE}?{CHANGE:#} {person}: HiBob does not show this person; nothing would be done"
        ),
        Verdict::OutOfScope { filter, .. } if few => {
            anstream::println!("{DIM}  {person}: out of scope ({filter}){DIM:#}");
        }
        Verdict::OutOfScope { .. } => {}
        Verdict::Unknown { rule, missing } => anstream::println!(
            "{CHANGE}?{CHANGE:#} {person}: {rule} cannot be judged ({})",
            if missing.is_empty() {
                "it has no result".to_owned()
            } else {
                format!("HiBob's answer lacks {}", missing.join(", "))
            }
        ),
        Verdict::LeftAlone(why) => anstream::println!("{CHANGE}?{CHANGE:#} {person}: {why}"),
        Verdict::Planned { plan, remarks, .. } => {
            if plan.steps.is_empty() && few {
                anstream::println!("{DIM}  {person}: nothing to do{DIM:#}");
            }
            steps(preview, plan);
            for remark in remarks.iter().filter(|_| few) {
                anstream::println!("    {DIM}{remark}{DIM:#}");
            }
        }
    }
}

/// The steps, with the values before and after.
pub(super) fn steps(preview: &Preview, plan: &crate::app::Plan) {
    for step in &plan.steps {
        let (sign, style) = match step {
            Change::Create { .. } => ('+', ADD),
            Change::Deactivate => ('-', TAKE),
            _ => ('~', CHANGE),
        };
        let what = words(step, plan.account.as_ref());
        let account = plan.account.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
        anstream::println!("{style}{sign}{style:#} {}: {what}{account}", preview.person);
        match step {
            Change::Create { fields, .. } => {
                for (field, value) in fields {
                    anstream::println!("    {ADD}+{ADD:#} {:<13} {value:?}", field.word());
                }
            }
            Change::Update(fields) => {
                for (field, value) in fields {
                    let old = preview
                        .account
                        .as_ref()
                        .map(|account| account.fields.get(field))
                        .or_else(|| Some(preview.link.as_ref()?.applied.get(field)?.as_ref()));
                    let old = old.map_or_else(|| "?".to_owned(), quoted);
                    let new = quoted(value.as_ref());
                    anstream::println!(
                        "    {CHANGE}~{CHANGE:#} {:<13} {old} -> {new}",
                        field.word()
                    );
                }
            }
            _ => {}
        }
    }
}

fn quoted(value: Option<&String>) -> String {
    value.map_or_else(|| "(empty)".to_owned(), |value| format!("{value:?}"))
}

pub(super) fn as_json(preview: &Preview) -> serde_json::Value {
    let person = preview.person.to_string();
    match &preview.verdict {
        Verdict::NotShown => json!({"person": person, "verdict": "not_shown"}),
        Verdict::OutOfScope { filter, .. } => {
            json!({"person": person, "verdict": "out_of_scope", "filter": filter})
        }
        Verdict::Unknown { rule, missing } => {
            json!({"person": person, "verdict": "unknown", "rule": rule, "missing": missing})
        }
        Verdict::LeftAlone(why) => {
            json!({"person": person, "verdict": "left_alone", "reason": why})
        }
        Verdict::Planned { plan, remarks, .. } => json!({
            "person": person,
            "verdict": if plan.steps.is_empty() { "unchanged" } else { "change" },
            "account": plan.account,
            "steps": plan.steps.iter().map(step_json).collect::<Vec<_>>(),
            "remarks": remarks,
        }),
    }
}

fn step_json(step: &Change) -> serde_json::Value {
    let kind = words(step, None);
    match step {
        Change::Create { fields, group } => json!({"step": kind, "fields": fields, "group": group}),
        Change::Update(fields) => json!({"step": "update", "fields": fields}),
        _ => json!({"step": kind}),
    }
}

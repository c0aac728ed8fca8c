//! `instep explain`: why somebody's account is as it is, from the record to the plan and the history.
//!
//! It shows values: it is for the administrator's eyes, and nothing of it is logged.

mod page;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use serde_json::json;

pub(super) use self::page::show_candidate;
use super::progress::Progress;
use crate::app::{Look, Previewer};
use crate::config::Settings;
use crate::store::Store;

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
        let note = Progress::note("Reading");
        let ids = previewer.who(&args.employee).await?;
        let people = previewer.records(&ids).await?;
        let previews = Box::pin(previewer.preview(people, Look::Closest)).await?;
        drop(note);
        for preview in previews {
            let told = previewer.tell(preview).await?;
            // An id that neither HiBob nor we have ever seen is nobody's.
            if told.is_of_nobody() {
                continue;
            }
            found = true;
            if args.json {
                println!("{}", json!(told));
            } else {
                page::show(&told);
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

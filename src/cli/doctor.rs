//! `instep doctor`: examines everything, and prints a verdict that can be shown to anybody.

use crate::model::words::count_of;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::colours::{BAD, BOLD, GOOD, WARN};
use crate::app::doctor::{Diagnosis, Grade, examine};
use crate::clock::Clock;

/// What `instep doctor` takes.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

/// Examines everything and prints what was found. Exit code 1 when something does not work.
///
/// # Errors
/// When stdout cannot be written to.
pub async fn run(args: DoctorArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let found = examine(config, &Clock::system()).await;
    let mut out = anstream::stdout();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &found)?;
        writeln!(out)?;
    } else {
        tell(&found, &mut out)?;
    }
    Ok(if found.verdict == Grade::Ill { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(found: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let Diagnosis { version, system, at, .. } = found;
    writeln!(out, "{BOLD}instep doctor{BOLD:#}, version {version}, {system}, {at:.0}")?;
    let widest = found.remarks.iter().map(|remark| remark.part.len()).max().unwrap_or(0);
    for remark in &found.remarks {
        let (style, word) = match remark.grade {
            Grade::Well => (GOOD, "ok"),
            Grade::Look => (WARN, "look"),
            Grade::Ill => (BAD, "ILL"),
        };
        let (part, message) = (&remark.part, &remark.message);
        writeln!(out, "{style}{word:<4}{style:#}  {part:<widest$}  {message}")?;
    }
    let count = |grade| found.remarks.iter().filter(|remark| remark.grade == grade).count();
    let (ill, look) = (count(Grade::Ill), count(Grade::Look));
    match found.verdict {
        Grade::Well => writeln!(out, "Verdict: well."),
        Grade::Look => writeln!(out, "Verdict: works; {} to look at.", things(look)),
        Grade::Ill => {
            let verb = if ill == 1 { "does" } else { "do" };
            writeln!(out, "Verdict: ILL; {} {verb} not work, {look} more to look at.", things(ill))
        }
    }
}

fn things(many: usize) -> String {
    count_of(many, "thing", "things")
}

//! Benchmarks: what the program promises about speed and memory, measured on this machine beside a
//! floor that is measured in the same run. `deploy/bench.sh --help` says how to run them.
//!
//! The real program runs as a child process; the doubles of HiBob and 360Learning, the load and a
//! real Redis run beside it and share the machine's cores with it. Exit code 1: a target is missed.
#![expect(clippy::disallowed_methods, reason = "benchmarks ask for the time: that is what they do")]

mod company;
mod drain;
mod floor;
mod live;
mod load;
mod machine;
mod pages;
mod past;
mod program;
mod receive;
mod replay;
mod rules;
mod storm;
mod sync;
mod table;

#[expect(dead_code, reason = "the tests use all of it, the benchmarks a part")]
#[path = "../it/harness/redis.rs"]
mod redis_server;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;

use self::table::Table;

const HELP: &str = "\
Measures the program against its targets and prints a table.

  deploy/bench.sh [--quick] [NAME...]

  NAME     receive, paced, sqlite, drain, storm, wide, rules, sync, million,
           live, replay, pages; all when none is named
  --quick  small numbers: shows that everything runs, judges nothing";

/// A benchmark by its name.
type Named = (&'static str, fn(&mut Bench) -> anyhow::Result<()>);

const ALL: [Named; 12] = [
    ("receive", receive::on_redis),
    ("paced", receive::paced),
    ("sqlite", receive::on_sqlite),
    ("drain", drain::drain),
    ("storm", storm::few_people),
    ("wide", storm::many_people),
    ("rules", rules::decide),
    ("sync", sync::large),
    ("million", sync::very_large),
    ("live", sync::beside_live),
    ("replay", replay::beside_live),
    ("pages", pages::all),
];

/// What all benchmarks share.
pub struct Bench {
    /// Small numbers, no judgement.
    quick: bool,
    /// What was measured.
    table: Table,
    /// The most memory that the program ever held, in KiB, and in which benchmark.
    most_memory: (u64, &'static str),
}

impl Bench {
    /// A number of things to do; few of them in a quick run.
    fn many(&self, full: usize) -> usize {
        if self.quick { (full / 20).max(200) } else { full }
    }

    /// Notes how much memory the program has held.
    fn held(&mut self, kib: u64, during: &'static str) {
        if kib > self.most_memory.0 {
            self.most_memory = (kib, during);
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && floor::is_child(first)
    {
        return floor::child(first, rest).map(|()| ExitCode::SUCCESS);
    }
    let mut quick = false;
    let mut chosen = Vec::new();
    for argument in &arguments {
        match argument.as_str() {
            "--bench" => {}
            "--quick" => quick = true,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            name => match ALL.iter().find(|(known, _)| *known == name) {
                Some(one) => chosen.push(*one),
                None => bail!("there is no benchmark {name}\n\n{HELP}"),
            },
        }
    }
    if chosen.is_empty() {
        chosen = ALL.to_vec();
    }
    // The folder for temporary files may lie in memory, where an fsync costs nothing.
    let _ = tempfile::env::override_temp_dir(Path::new(env!("CARGO_TARGET_TMPDIR")));
    print!("{}", machine::describe()?);
    let mut bench = Bench { quick, table: Table::new(!quick), most_memory: (0, "") };
    let began = Instant::now();
    for (name, run) in chosen {
        eprintln!("{name}...");
        run(&mut bench)?;
    }
    let (kib, during) = bench.most_memory;
    if kib > 0 {
        bench.table.memory(kib, during);
    }
    println!("\n{}", bench.table);
    println!("took {:.0} s", began.elapsed().as_secs_f64());
    Ok(if bench.table.all_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

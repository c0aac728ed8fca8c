//! What the demo shows: one line for each thing that happened, and a line of totals below.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use tokio::sync::broadcast::error::RecvError;

use super::DemoArgs;
use crate::app::{Comparison, Settled};
use crate::clock::Clock;
use crate::model::{DeliveryState, SYNC, SYNC_ABSENT};
use crate::sandbox::Sandbox;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The widest line.
const WIDE: usize = 124;

/// The columns of time.
const WHEN: usize = 10;
const AFTER: usize = 8;

/// So many people who are out of step are named.
const NAMED: usize = 20;

/// The view.
pub struct View {
    terminal: bool,
    clock: Clock,
    /// How wide the two columns of text are.
    what: usize,
    decided: usize,
    /// What happened to whom and was not settled yet.
    deeds: HashMap<String, Vec<String>>,
    events: u64,
    changes: u64,
    nothing: u64,
    dead: u64,
    /// From the webhook to the LMS, of changes.
    latencies: Vec<Duration>,
}

impl View {
    /// An empty view; with a line of totals when it is a terminal.
    pub fn new(terminal: bool, clock: Clock) -> Self {
        let wide = terminal_size::terminal_size()
            .filter(|_| terminal)
            .map_or(WIDE, |(terminal_size::Width(wide), _)| usize::from(wide))
            .clamp(80, WIDE);
        let text = wide - WHEN - AFTER;
        let what = text * 5 / 9;
        Self {
            terminal,
            clock,
            what,
            decided: text - what,
            deeds: HashMap::new(),
            events: 0,
            changes: 0,
            nothing: 0,
            dead: 0,
            latencies: Vec::new(),
        }
    }

    /// Says what runs where.
    pub fn welcome(
        &self,
        sandbox: &Sandbox,
        address: SocketAddr,
        args: &DemoArgs,
        folder: &Path,
        drifted: &[String],
    ) {
        let kept = args.store.as_ref().map_or("SQLite in a temporary folder", |_| "Redis");
        let (hibob, lms) = (sandbox.hibob_url(), sandbox.lms_url());
        let DemoArgs { people, rate, seed, .. } = args;
        let life = if args.drift {
            "HR and LMS have drifted apart".to_owned()
        } else {
            format!("{rate} events a minute")
        };
        anstream::println!("{BOLD}A company of {people} people, {life}{BOLD:#} (seed {seed})\n");
        anstream::println!("  HR   a sandbox HiBob        {hibob}/_sandbox/state");
        anstream::println!("  LMS  a sandbox 360Learning  {lms}/_sandbox/state");
        anstream::println!("  Instep                      http://{address}/console");
        anstream::println!("  kept in                     {kept}");
        let config = folder.join("instep.toml").display().to_string();
        let commands = if args.drift {
            ["sync --plan", "sync", "runs show last"].as_slice()
        } else {
            ["explain ID", "plan --all", "sync --plan"].as_slice()
        };
        anstream::println!("  from another shell");
        for command in commands {
            anstream::println!("    instep --config {config} {command}");
        }
        anstream::println!();
        let end = args.seconds.map_or_else(
            || "Ctrl-C ends it".to_owned(),
            |seconds| format!("it ends by itself after {seconds} s, or with Ctrl-C"),
        );
        if args.drift {
            anstream::println!("What happened while Instep did not look:");
            for what in drifted {
                anstream::println!("  {what}");
            }
            anstream::println!("\n{DIM}Nothing more happens until a full sync; {end}.{DIM:#}\n");
        } else {
            anstream::println!("{DIM}HR and LMS begin in step; {end}.{DIM:#}\n");
        }
        anstream::println!(
            "{DIM}{:<WHEN$}{:<what$}{:<decided$}{:>AFTER$}{DIM:#}",
            "when",
            "what happened in HR",
            "what was decided and done",
            "after",
            what = self.what,
            decided = self.decided,
        );
    }

    /// Something happened in HR.
    pub fn deed(&mut self, id: String, what: String) {
        self.events += 1;
        self.deeds.entry(id).or_default().push(what);
    }

    /// Instep told something, or we were too slow to hear it all.
    pub fn told(&mut self, settled: Result<Settled, RecvError>, sandbox: &Sandbox) {
        if let Ok(settled) = settled {
            self.settled(&settled);
            self.totals(sandbox);
        }
    }

    /// Instep settled something.
    pub fn settled(&mut self, settled: &Settled) {
        let what = self.deeds.remove(settled.person.employee.as_str());
        let again = what.is_none();
        let by_run = settled.kinds.iter().any(|kind| kind == SYNC || kind == SYNC_ABSENT);
        let unknown = if by_run { "(full sync)" } else { "(second look)" };
        let what = what.map_or_else(|| unknown.to_owned(), |what| what.join("; "));
        let seconds = format!("{:.1} s", settled.latency.as_secs_f64());
        let (style, decided) = match settled.state {
            DeliveryState::Dead => {
                self.dead += 1;
                (BAD, format!("needs a person: {}", settled.outcome))
            }
            _ if settled.done.is_empty() && again => return,
            _ if settled.done.is_empty() => {
                self.nothing += 1;
                (DIM, settled.decided.clone())
            }
            _ => {
                self.changes += 1;
                self.latencies.push(settled.latency);
                (GOOD, settled.decided.clone())
            }
        };
        let now = self.clock.now().strftime("%H:%M:%S").to_string();
        self.clear();
        let [what, decided] = [fit(&what, self.what), fit(&decided, self.decided)];
        anstream::println!(
            "{now:<WHEN$}{what:<what_wide$}{style}{decided:<wide$}{style:#}{seconds:>AFTER$}",
            what_wide = self.what,
            wide = self.decided,
        );
    }

    /// The line below all others.
    fn totals(&mut self, sandbox: &Sandbox) {
        if !self.terminal {
            return;
        }
        let (p50, p99) = self.percentiles();
        let (waiting, writes) = (sandbox.webhooks().waiting, sandbox.writes());
        let Self { events, changes, dead, .. } = self;
        let totals = format!(
            "{events} events  {changes} changes  {dead} for a person  {writes} LMS writes  \
             {waiting} webhooks waiting  half in {p50:.1} s, 99 of 100 in {p99:.1} s"
        );
        let totals = fit(&totals, self.what + self.decided + WHEN);
        self.clear();
        anstream::print!("{DIM}{totals}{DIM:#}");
        let _ = std::io::stdout().flush();
    }

    fn clear(&self) {
        if self.terminal {
            anstream::print!("\r\x1b[2K");
        }
    }

    fn percentiles(&mut self) -> (f64, f64) {
        self.latencies.sort_unstable();
        let at = |part: usize| {
            let index = self.latencies.len() * part / 100;
            let latency = self.latencies.get(index).or(self.latencies.last());
            latency.copied().unwrap_or_default().as_secs_f64()
        };
        (at(50), at(99))
    }

    /// The story is over.
    pub fn ending(&mut self) {
        self.clear();
        anstream::println!(
            "\n{DIM}Nothing more happens in HR; what is under way is finished.{DIM:#}"
        );
    }

    /// The totals, and whether HR and LMS are in step.
    pub fn summary(&mut self, comparison: &Comparison, webhooks: u64, writes: u64) {
        self.clear();
        let (p50, p99) = self.percentiles();
        let Self { events, changes, nothing, dead, .. } = self;
        anstream::println!(
            "\n{events} things happened, HiBob sent {webhooks} webhooks. {changes} changes of the LMS \
             ({writes} writes), {nothing} times nothing to do, {dead} left to a person."
        );
        anstream::println!(
            "From webhook to LMS: half within {p50:.1} s, 99 of 100 within {p99:.1} s."
        );
        let Comparison { people, in_scope, active, out_of_step } = comparison;
        anstream::println!(
            "HR knows {people} people, {in_scope} of them are in scope; the LMS has {active} usable \
             accounts, its owner's included."
        );
        if comparison.in_step() {
            anstream::println!("\n{GOOD}In step.{GOOD:#}");
            return;
        }
        anstream::println!("\n{BAD}Out of step: {}{BAD:#}", out_of_step.len());
        for (name, why) in out_of_step.iter().take(NAMED) {
            anstream::println!("  {name}: {}", why.join(", "));
        }
        if out_of_step.len() > NAMED {
            anstream::println!("  and {} more", out_of_step.len() - NAMED);
        }
    }
}

/// Cuts what is too long for its column, and leaves a gap behind it.
fn fit(text: &str, wide: usize) -> String {
    if text.chars().count() < wide {
        return text.to_owned();
    }
    text.chars().take(wide.saturating_sub(2)).chain(['…', ' ']).collect()
}

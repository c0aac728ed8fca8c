//! The table that a run ends with: one row for each promise.

use std::fmt;

/// The most memory that the program may hold, in MiB.
const MEMORY: f64 = 100.0;

/// One promise and what came of it.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// What came out, with its unit.
    pub measured: String,
    /// The floor's figure; empty where there is none.
    pub floor: String,
    /// Measured by floor.
    pub ratio: Option<f64>,
    /// What must hold.
    pub target: String,
    /// Whether it does.
    pub met: bool,
}

/// All rows, and what is to be known beside them.
pub struct Table {
    judges: bool,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// An empty one. One that does not judge calls nothing met or missed.
    pub fn new(judges: bool) -> Self {
        Self { judges, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a line below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds the row about memory.
    #[expect(clippy::cast_precision_loss, reason = "a process has less than 2^53 KiB")]
    pub fn memory(&mut self, kib: u64, during: &str) {
        let mib = kib as f64 / 1024.0;
        self.row(Row {
            what: format!("memory, most ever resident (in {during})"),
            measured: format!("{mib:.1} MiB"),
            floor: String::new(),
            ratio: None,
            target: format!("under {MEMORY:.0} MiB"),
            met: mib < MEMORY,
        });
    }

    /// Whether nothing was missed.
    pub fn all_met(&self) -> bool {
        !self.judges || self.rows.iter().all(|row| row.met)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "measured", "floor", "ratio", "target", "met"].map(str::to_owned);
        let line = |row: &Row| {
            let met = match (self.judges, row.met) {
                (false, _) => "-",
                (true, true) => "yes",
                (true, false) => "NO",
            };
            [
                row.what.clone(),
                row.measured.clone(),
                row.floor.clone(),
                row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                row.target.clone(),
                met.to_owned(),
            ]
        };
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(line));
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..6).map(width).collect();
        lines.insert(1, std::array::from_fn(|column| "-".repeat(widths[column])));
        for line in &lines {
            f.write_str("|")?;
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, " {cell:<width$} |")?;
            }
            f.write_str("\n")?;
        }
        for note in &self.notes {
            write!(f, "\n- {note}")?;
        }
        f.write_str("\n")
    }
}

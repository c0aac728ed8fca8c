//! How far long work has come, on stderr when that is a terminal: `1,200 of 5,000 people`.

use std::io::{IsTerminal as _, Write as _};

/// A line that is written over and over, and wiped when it is dropped.
pub(super) struct Progress {
    shown: bool,
    what: &'static str,
    total: usize,
    done: usize,
}

impl Progress {
    /// Nothing is done yet of so many; few are not worth a line.
    pub(super) fn of(what: &'static str, total: usize) -> Self {
        let shown = total > 100 && std::io::stderr().is_terminal();
        let progress = Self { shown, what, total, done: 0 };
        progress.show();
        progress
    }

    /// Work whose end is not known: `Reading everyone from bob`.
    pub(super) fn note(what: &str) -> Self {
        let shown = std::io::stderr().is_terminal();
        if shown {
            write(&format!("{what} ..."));
        }
        Self { shown, what: "", total: 0, done: 0 }
    }

    /// So many are there, and nobody knows how many will be.
    pub(super) fn so_far(&self, what: &str, count: usize) {
        if self.shown && count.is_multiple_of(100) {
            write(&format!("{count} {what} ..."));
        }
    }

    /// So many more are done.
    pub(super) fn advance(&mut self, by: usize) {
        self.done += by;
        self.show();
    }

    /// Makes room for a line of what was found, which goes to the same terminal.
    pub(super) fn wipe(&self) {
        if self.shown {
            write("");
        }
    }

    fn show(&self) {
        if self.shown {
            write(&format!("{} of {} {}", self.done, self.total, self.what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Writes over the line. That a terminal is gone stops no work.
fn write(text: &str) {
    let mut to = std::io::stderr();
    let _ = write!(to, "\r\u{1b}[2K{text}").and_then(|()| to.flush());
}

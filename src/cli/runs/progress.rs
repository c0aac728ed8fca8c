//! How far a run is, on stderr: one line that is redrawn on a terminal, else a line now and then.

use std::io::{IsTerminal as _, Write as _};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use crate::app::Stage;
use crate::clock::Deadline;

/// Without a terminal, the same stage is told again after this.
const NOW_AND_THEN: Duration = Duration::from_secs(15);

/// The line on stderr; wiped when it ends.
pub(in crate::cli) struct Line {
    redrawn: bool,
    last: String,
    stage: Option<Discriminant<Stage>>,
    again: Deadline,
}

impl Line {
    /// On this process's stderr.
    pub(in crate::cli) fn real() -> Self {
        let redrawn = std::io::stderr().is_terminal();
        let again = Deadline::after(NOW_AND_THEN);
        Self { redrawn, last: String::new(), stage: None, again }
    }

    /// Shows a stage, if there is news and, without a terminal, it is time.
    pub(in crate::cli) fn show(&mut self, words: &str, stage: &Stage) {
        let is_other = self.stage.replace(discriminant(stage)) != Some(discriminant(stage));
        self.write(words, is_other);
    }

    /// Shows a sentence that is no stage, once.
    pub(in crate::cli) fn note(&mut self, words: &str) {
        let is_other = self.stage.take().is_some() || self.last.is_empty();
        self.write(words, is_other);
    }

    fn write(&mut self, words: &str, at_once: bool) {
        if words == self.last || !(self.redrawn || at_once || self.again.left().is_zero()) {
            return;
        }
        words.clone_into(&mut self.last);
        self.again = Deadline::after(NOW_AND_THEN);
        let mut to = std::io::stderr();
        // That a terminal is gone stops no run.
        let _ = if self.redrawn {
            write!(to, "\r\u{1b}[2K{words}").and_then(|()| to.flush())
        } else {
            writeln!(to, "{words}")
        };
    }

    /// Makes room for what was found.
    pub(in crate::cli) fn end(&mut self) {
        if self.redrawn {
            let mut to = std::io::stderr();
            let _ = write!(to, "\r\u{1b}[2K").and_then(|()| to.flush());
        }
        self.last.clear();
    }
}

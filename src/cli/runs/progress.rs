//! How far a run is, on stderr: one line that is redrawn on a terminal, else a line now and then.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use crate::app::Stage;
use crate::clock::Deadline;
use crate::report::number;

/// Without a terminal, the same stage is told again after this.
const NOW_AND_THEN: Duration = Duration::from_secs(15);

/// A stage in words: `applying: 120 of 430, 3 failed, 31 s left`.
pub(in crate::cli) fn words(stage: &Stage) -> String {
    match stage {
        Stage::Beginning => "reading what is known of everybody's accounts".to_owned(),
        Stage::ReadingLms { accounts, members: 0 } => {
            format!("reading the LMS: {} accounts", number(*accounts))
        }
        Stage::ReadingLms { accounts, members } => {
            let (accounts, members) = (number(*accounts), number(*members));
            format!("reading the LMS: {accounts} accounts, {members} memberships")
        }
        Stage::ReadingHr { people } => format!("reading HR: {} people", number(*people)),
        Stage::Comparing { done, all } => {
            format!("looking for causes: {} of {}", number(*done), number(*all))
        }
        Stage::Previewing { done: 0, all } => format!("counting: {} deliveries", number(*all)),
        Stage::Previewing { done, all } => {
            format!("previewing: {} of {} deliveries", number(*done), number(*all))
        }
        Stage::Queueing { done, all } => format!("queueing: {} of {}", number(*done), number(*all)),
        Stage::Applying { settled, all, failed, seconds_left } => {
            let mut text = format!("applying: {} of {}", number(*settled), number(*all));
            if *failed > 0 {
                let _ = write!(text, ", {} failed", number(*failed));
            }
            if let Some(left) = seconds_left {
                let _ = write!(text, ", about {} left", time(*left));
            }
            text
        }
        Stage::Ended => "ended".to_owned(),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

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

#[cfg(test)]
mod tests {
    use super::{Stage, words};

    #[test]
    fn each_stage_says_how_far_it_is() {
        let applying = |failed, seconds_left| Stage::Applying {
            settled: 1_200,
            all: 43_000,
            failed,
            seconds_left,
        };
        assert_eq!(words(&applying(0, None)), "applying: 1,200 of 43,000");
        let text = words(&applying(3, Some(4_180)));
        assert_eq!(text, "applying: 1,200 of 43,000, 3 failed, about 1 h 9 min left");
        assert!(words(&applying(0, Some(61))).ends_with("about 2 min left"));
        let reading = Stage::ReadingLms { accounts: 999, members: 0 };
        assert_eq!(words(&reading), "reading the LMS: 999 accounts");
    }
}

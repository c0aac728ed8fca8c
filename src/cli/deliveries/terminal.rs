//! Where a command writes and asks: stdout for what was found, stderr for everything else.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Exit {
    /// It did what was asked.
    Done,
    /// Nothing was found, or it was not done.
    Nothing,
    /// It was asked wrongly.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Nothing => 1,
            Exit::Usage => 2,
        })
    }
}

/// Puts a yes-or-no question to a person; `None` when there is nobody to ask.
pub(in crate::cli) type Ask<'a> = &'a mut (dyn FnMut(&str) -> io::Result<Option<bool>> + Send);

/// Two streams, a width and perhaps a person.
pub(in crate::cli) struct Terminal<'a> {
    out: &'a mut (dyn Write + Send),
    notes: &'a mut (dyn Write + Send),
    width: Option<usize>,
    ask: Ask<'a>,
}

#[cfg(test)]
impl<'a> Terminal<'a> {
    /// A terminal made of these parts. `width` is `None` where lines may have any length.
    pub(in crate::cli) fn new(
        out: &'a mut (dyn Write + Send),
        notes: &'a mut (dyn Write + Send),
        width: Option<usize>,
        ask: Ask<'a>,
    ) -> Self {
        Self { out, notes, width, ask }
    }
}

impl Terminal<'_> {
    /// Runs a command on the process's own streams. When the reader of stdout has gone (`| head`),
    /// that is no error.
    ///
    /// # Errors
    /// Those of the command.
    pub(in crate::cli) async fn real(
        command: impl AsyncFnOnce(&mut Terminal<'_>) -> anyhow::Result<Exit>,
    ) -> anyhow::Result<ExitCode> {
        let width = io::stdout()
            .is_terminal()
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(terminal_size::Width(width), _)| usize::from(width));
        let mut terminal = Terminal {
            out: &mut anstream::stdout(),
            notes: &mut anstream::stderr(),
            width,
            ask: &mut ask,
        };
        match command(&mut terminal).await {
            Err(error) if gone(&error) => Ok(Exit::Done.into()),
            ended => ended.map(ExitCode::from),
        }
    }

    /// How wide a line may be.
    pub(in crate::cli) fn width(&self) -> Option<usize> {
        self.width
    }

    /// What was found: text that ends its own lines.
    pub(in crate::cli) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// What was found: one line.
    pub(in crate::cli) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// A sentence beside it.
    pub(in crate::cli) fn note(&mut self, note: &str) -> io::Result<()> {
        self.out.flush()?;
        writeln!(self.notes, "{note}")
    }

    /// Asks the person, if there is one.
    pub(in crate::cli) fn ask(&mut self, question: &str) -> io::Result<Option<bool>> {
        (self.ask)(question)
    }
}

fn gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Asks on the terminal; anything but a clear yes is a no.
fn ask(question: &str) -> io::Result<Option<bool>> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(None);
    }
    let mut to = io::stderr();
    write!(to, "{question} [y/N] ")?;
    to.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

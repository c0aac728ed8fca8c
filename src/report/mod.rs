//! A run told to people: on the terminal, as a mail, as spreadsheets, as JSON.
//!
//! Pure rendering: the same [`Report`] gives the same text. The facts are gathered once, so that no
//! shape can say something that another does not. How much personal data a shape holds is decided
//! here too, by [`Report::personal`]: nothing that it forbids reaches any of them.

mod csv;
mod facts;
mod html;
mod items;
mod json;
mod replay;
mod sections;
mod steps;
mod terminal;
mod words;

use jiff::tz::TimeZone;

use crate::model::{Item, Miss, Personal, Run};

pub use csv::{Attachment, attachments};
pub use facts::{Cells, Column, Facts, Figure, Section, Tone, changes};
pub use html::html;
pub use items::items;
pub use json::json;
pub use steps::{Step, cause, standing, steps};
pub use terminal::terminal;
pub use words::{number, people};

/// Everything that is told about one run.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The run.
    pub run: &'a Run,
    /// Everybody who was out of step.
    pub items: &'a [Item],
    /// Earlier runs, the newest first; the last 30 are drawn.
    pub before: &'a [Run],
    /// Values that a lookup table does not know, and how many people have each.
    pub misses: &'a [(Miss, u64)],
    /// How much personal data is told.
    pub personal: Personal,
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// The run's page in the console.
    pub link: Option<String>,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Characters in a line; lines have any length without it.
    pub width: Option<usize>,
    /// Whether it shows colours.
    pub color: bool,
}

impl Report<'_> {
    /// What the run came to, in one line: the subject of the mail.
    pub fn verdict(&self) -> String {
        facts::Facts::of(self).verdict
    }

    /// Whether anything happened that somebody may want to read about: a change, something held or
    /// failed, a dispute, an answer that was not complete, a run that was not carried through.
    pub fn is_news(&self) -> bool {
        facts::Facts::of(self).is_news
    }
}

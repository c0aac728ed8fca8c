//! What people are told between reports: that a state began, and that it ended.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The brake held a slice of a run, or of what came live.
    Brake,
    /// A source or target was set aside.
    Hold,
    /// Deliveries of one cause are dead letters.
    DeadLetters,
    /// A full sync did not run, or was not carried through.
    Sync,
    /// HR's answer was not complete.
    Certificate,
    /// Too many were out of step though no event ever came.
    LostWebhooks,
    /// A token or secret is about to fail.
    Secret,
}

impl Topic {
    /// The word for it: `brake`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Brake => "brake",
            Self::Hold => "hold",
            Self::DeadLetters => "dead letters",
            Self::Sync => "full sync",
            Self::Certificate => "certificate",
            Self::LostWebhooks => "lost webhooks",
            Self::Secret => "secret",
        }
    }
}

/// Whether the state is there or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is there.
    Began,
    /// It is gone.
    Ended,
}

/// One state that began or ended. It holds ids and counts, no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What kind of state.
    pub topic: Topic,
    /// Which one: `bob`, `mailAlreadyUsed`, `bob/deactivate`. With the topic it names the state; who
    /// wants to be heard again for the next run puts the run's id in.
    pub about: String,
    /// Whether it began or ended.
    pub phase: Phase,
    /// It has got worse since it began, as when what was about to fail has failed: that is told, too.
    #[serde(default)]
    pub worse: bool,
    /// In one line: `43 deactivations held`.
    pub title: String,
    /// More, in sentences.
    pub lines: Vec<String>,
    /// What somebody should do.
    pub todo: Option<String>,
    /// Where there is more: an `https` address.
    pub link: Option<String>,
}

impl Notice {
    /// The same with the place where there is more.
    #[must_use]
    pub fn linked(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    /// The state it is about.
    pub(super) fn key(&self) -> String {
        format!("{}: {}", self.topic.word(), self.about)
    }

    /// Title, sentences and what to do, line by line.
    pub(super) fn text(&self) -> Vec<&str> {
        let lines = self.lines.iter().map(String::as_str);
        lines.chain(self.todo.as_deref()).collect()
    }
}

/// Notices that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The notices; those that only remind have a title that says so.
    pub notices: Vec<Notice>,
    /// How many more there are that have no place.
    pub more: u64,
}

impl Group {
    /// In one line.
    pub fn title(&self) -> String {
        match (self.notices.as_slice(), self.more) {
            ([one], 0) => one.title.clone(),
            (all, more) => {
                let count = all.len() as u64 + more;
                let first = all.first().map(|first| first.title.as_str()).unwrap_or_default();
                format!("{count} notices: {first}, and more")
            }
        }
    }

    /// What stands below the last notice when some have no place.
    pub(super) fn rest(&self) -> Option<String> {
        (self.more > 0).then(|| {
            format!("And {} more. `instep deliveries` and `instep runs` show all.", self.more)
        })
    }

    /// As plain text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for notice in &self.notices {
            let _ = writeln!(text, "{}", notice.title);
            for line in notice.text().into_iter().chain(notice.link.as_deref()) {
                let _ = writeln!(text, "  {line}");
            }
            text.push('\n');
        }
        if let Some(rest) = self.rest() {
            let _ = writeln!(text, "{rest}\n");
        }
        text.push_str("Told once; again after a day, if it is still so. [notify] says to whom.\n");
        text
    }
}

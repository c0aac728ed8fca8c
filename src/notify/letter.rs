//! What is put into an envelope: the report of a run, or a group of notices.

use jiff::Timestamp;

use super::notice::Group;
use crate::report::{Attachment, Report, Screen, attachments, html, terminal};

/// The longest subject, in characters.
const SUBJECT: usize = 150;

/// One mail, without its addresses.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Names it: the same letter sent twice has the same id, so that mail programs show it once.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Files beside it.
    pub files: Vec<Attachment>,
}

impl Letter {
    /// The report of a run.
    pub fn report(report: &Report<'_>, now: Timestamp) -> Self {
        let what = if report.run.plan_only { "plan" } else { "full sync" };
        let subject = format!("Instep, {what} of {}: {}", report.run.source, report.verdict());
        // A run that ends once more, after an approval, is told in another letter.
        let ended = report.run.ended_at.map_or(0, jiff::Timestamp::as_second);
        Self {
            id: format!("{}.{ended}.report", report.run.id),
            at: now,
            subject: one_line(&subject),
            text: terminal(report, Screen { width: Some(78), color: false }),
            html: Some(html(report)),
            files: attachments(report),
        }
    }

    /// A group of notices.
    pub fn notices(group: &Group, now: Timestamp) -> Self {
        Self {
            id: format!("{}.notices", uuid::Uuid::now_v7()),
            at: now,
            subject: one_line(&format!("Instep: {}", group.title())),
            text: group.text(),
            html: None,
            files: Vec::new(),
        }
    }
}

/// A subject is one line, whatever is in it.
fn one_line(text: &str) -> String {
    let mut line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUBJECT).collect();
    if text.chars().nth(SUBJECT).is_some() {
        line.push('…');
    }
    line
}

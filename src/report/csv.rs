//! Spreadsheets beside the mail: each holds every row that the report has no room for.
//!
//! UTF-8 with a byte order mark, so that the usual programs do not guess; CRLF; every cell in
//! quotes; and no cell can run as a formula, whichever separator the program takes. What could is
//! given an apostrophe in front, as OWASP advises
//! (<https://owasp.org/www-community/attacks/CSV_Injection>).

use super::Report;
use super::sections::is_changed;
use super::steps::{account, cause, standing, steps};
use crate::model::{ChangeKind, Drift, Item, ItemState, Personal};

/// A file beside the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name: `changed.csv`.
    pub name: &'static str,
    /// Its content.
    pub content: String,
}

/// The files of a report; one that would be empty is left away.
pub fn attachments(report: &Report<'_>) -> Vec<Attachment> {
    let files = [
        changes(report, "changed.csv", is_changed),
        changes(report, "held.csv", |item| item.state == ItemState::Held),
        failed(report),
        reasons(report, "disputed.csv", |drift| match drift {
            Drift::Disputed { reason } => Some(reason),
            _ => None,
        }),
        reasons(report, "refused.csv", |drift| match drift {
            Drift::Refused { reason } => Some(reason),
            _ => None,
        }),
        orphans(report),
        unmapped(report),
    ];
    files.into_iter().flatten().collect()
}

/// One row for each difference of everybody who is `wanted`.
fn changes(
    report: &Report<'_>,
    name: &'static str,
    wanted: fn(&Item) -> bool,
) -> Option<Attachment> {
    let values = report.personal == Personal::Values;
    let mut head = vec!["state", "change", "what"];
    head.extend(values.then_some(["old", "new"]).into_iter().flatten());
    head.push("why");
    let mut file = File::new(report, &head);
    for item in report.items.iter().filter(|item| wanted(item)) {
        let kind = item.kind.map(ChangeKind::word).unwrap_or_default();
        let why = item.blame.as_ref().map(cause).unwrap_or_default();
        for step in steps(item, report.personal) {
            let mut row = vec![standing(item).to_owned(), kind.to_owned(), step.what];
            if values {
                let (old, new) = step.values.unwrap_or_default();
                row.extend([old.unwrap_or_default(), new.unwrap_or_default()]);
            }
            row.push(why.to_owned());
            file.person(item, row);
        }
    }
    file.attachment(name)
}

fn failed(report: &Report<'_>) -> Option<Attachment> {
    let mut file = File::new(report, &["change", "code", "reason", "delivery"]);
    for item in report.items {
        if let ItemState::Failed { delivery, code, reason } = &item.state {
            let kind = item.kind.map(ChangeKind::word).unwrap_or_default();
            let row = [kind, code, reason, delivery.as_str()].map(str::to_owned);
            file.person(item, row.to_vec());
        }
    }
    file.attachment("failed.csv")
}

/// One row for each reason that a human must know.
fn reasons(
    report: &Report<'_>,
    name: &'static str,
    reason: fn(&Drift) -> Option<&String>,
) -> Option<Attachment> {
    let mut file = File::new(report, &["reason"]);
    for item in report.items {
        for reason in item.drift.iter().filter_map(reason) {
            file.person(item, vec![reason.clone()]);
        }
    }
    file.attachment(name)
}

fn orphans(report: &Report<'_>) -> Option<Attachment> {
    let mut file = File::empty();
    let named = report.personal > Personal::None;
    file.row(["account"].into_iter().chain(named.then_some("name")));
    for item in report.items.iter().filter(|item| item.drift.contains(&Drift::Orphan)) {
        let name = named.then(|| report.name(item));
        file.row([account(item)].into_iter().chain(name));
    }
    file.attachment("orphans.csv")
}

fn unmapped(report: &Report<'_>) -> Option<Attachment> {
    if report.personal < Personal::Values {
        return None;
    }
    let mut file = File::empty();
    file.row(["table", "value", "people"]);
    for (miss, people) in report.misses {
        file.row([miss.table.clone(), miss.keys.join(" + "), people.to_string()]);
    }
    file.attachment("unmapped.csv")
}

/// A file while it is written.
struct File<'a> {
    report: Option<&'a Report<'a>>,
    text: String,
    rows: usize,
}

impl<'a> File<'a> {
    fn empty() -> Self {
        Self { report: None, text: "\u{feff}".to_owned(), rows: 0 }
    }

    /// A file of people, with these columns after those that say who it is.
    fn new(report: &'a Report<'a>, head: &[&str]) -> Self {
        let mut file = Self { report: Some(report), ..Self::empty() };
        let who = ["person"].into_iter().chain(file.is_named().then_some("name"));
        file.row(who.chain(["account"]).chain(head.iter().copied()));
        file
    }

    fn is_named(&self) -> bool {
        self.report.is_some_and(|report| report.personal > Personal::None)
    }

    fn person(&mut self, item: &Item, cells: Vec<String>) {
        let Some(report) = self.report else { return };
        let name = self.is_named().then(|| report.name(item));
        let who = [report.person(item)].into_iter().chain(name).chain([account(item)]);
        self.row(who.chain(cells));
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        for (at, value) in cells.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            cell(value.as_ref(), &mut self.text);
        }
        self.text.push_str("\r\n");
        self.rows += 1;
    }

    /// The file, unless it holds nothing but its header.
    fn attachment(self, name: &'static str) -> Option<Attachment> {
        (self.rows > 1).then_some(Attachment { name, content: self.text })
    }
}

/// Writes a cell that no spreadsheet runs and none rounds.
fn cell(value: &str, out: &mut String) {
    out.push('"');
    if is_rounded(value) {
        out.push('\'');
    }
    // A program that takes another separator sees cells begin inside this one: those must not
    // begin like a formula either.
    let mut begins = true;
    for c in value.chars() {
        let separates = matches!(c, ',' | ';' | '|' | '\t' | '\r' | '\n' | '"');
        if begins && runs(c) {
            out.push('\'');
        }
        begins = separates || (begins && c.is_whitespace());
        match c {
            '"' => out.push_str("\"\""),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a cell that begins with this may be taken for a formula. The wide forms are folded to
/// the narrow ones by some programs.
fn runs(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// Whether a spreadsheet would take this for a number and keep only its first 15 digits, or take
/// its `e` for an exponent.
fn is_rounded(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = || value.split_once(['e', 'E']).is_some_and(|(a, b)| digits(a) && digits(b));
    (value.len() > 15 && digits(value)) || exponent()
}

#[cfg(test)]
mod tests {
    use super::cell;

    fn written(value: &str) -> String {
        let mut out = String::new();
        cell(value, &mut out);
        out
    }

    #[test]
    fn nothing_runs_as_a_formula() {
        let attacks = [
            ("=1+1", "\"'=1+1\""),
            ("+1+1", "\"'+1+1\""),
            ("-1+1", "\"'-1+1\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("\t=1", "\"'\t'=1\""),
            ("\r=1", "\"'\r'=1\""),
            ("\n=1", "\"'\n'=1\""),
            ("  =1", "\"  '=1\""),
            ("＝1", "\"'＝1\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("a;=1+1", "\"a;'=1+1\""),
            ("a,=1+1", "\"a,'=1+1\""),
            ("a\",=1+1", "\"a\"\",'=1+1\""),
            ("\"=1+1", "\"\"\"'=1+1\""),
        ];
        for (value, safe) in attacks {
            assert_eq!(written(value), safe, "{value:?}");
        }
    }

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        for value in ["Jean-Luc", "a=b", "ann@norvane.example", "50 + 50", "O'Brien", "12345"] {
            assert_eq!(written(value), format!("\"{value}\""));
        }
        assert_eq!(written("3332883894112353001"), "\"'3332883894112353001\"");
        assert_eq!(written("12e34"), "\"'12e34\"");
    }
}

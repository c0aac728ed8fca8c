//! The sections of a report: first what somebody must do, then what happened, then why.

use std::collections::BTreeMap;

use super::Report;
use super::facts::{Cells, Column, Counts, Section, Totals, changes};
use super::steps::{account, cause, standing, steps};
use super::words::{count, duration, moment, number, people, plain};
use crate::model::{
    Blame, ChangeKind, Drift, Item, ItemState, Personal, Rejection, Slice, SliceState,
};

/// The most rows of one table; the attachments have them all.
const ROWS: usize = 10;

const WORDS: Cells = Cells::Words;
const NUMBERS: Cells = Cells::Numbers;
const CODES: Cells = Cells::Codes;

const fn column(head: &'static str, kind: Cells) -> Column {
    Column { head, kind }
}

/// All sections that have something to say.
pub(super) fn all(report: &Report<'_>, totals: &Totals) -> Vec<Section> {
    let mut all = Vec::new();
    all.extend(certificate(report));
    all.extend(report.run.slices.iter().filter_map(|slice| held(report, slice)));
    all.extend(failed(report));
    all.extend(disputed(report, totals));
    all.extend(refused(report, totals));
    all.extend(unmapped(report));
    all.extend(what_happened(report, totals));
    all.extend(changed(report, totals));
    all.extend(blamed(report));
    all.extend(skipped(report));
    all.extend(orphans(report, totals));
    all.extend(calls(report));
    all.extend(remarks(report));
    all
}

/// The first rows of a table of people and how many there are besides.
struct People<'a> {
    report: &'a Report<'a>,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    more: u64,
}

impl<'a> People<'a> {
    /// A table that begins with who it is and goes on with `columns`.
    fn new(report: &'a Report<'a>, columns: &[Column]) -> Self {
        let mut all = vec![column("person", CODES)];
        if report.personal > Personal::None {
            all.push(column("name", WORDS));
        }
        all.extend(columns);
        Self { report, columns: all, rows: Vec::new(), more: 0 }
    }

    fn add(&mut self, item: &Item, cells: impl FnOnce() -> Vec<String>) {
        if self.rows.len() >= ROWS {
            self.more += 1;
            return;
        }
        let mut row = vec![self.report.person(item)];
        if self.report.personal > Personal::None {
            row.push(self.report.name(item));
        }
        row.extend(cells());
        self.rows.push(row);
    }

    fn into(self, section: Section, file: &'static str) -> Section {
        let more = (self.more > 0).then_some((self.more, file));
        Section { columns: self.columns, rows: self.rows, more, ..section }
    }
}

fn certificate(report: &Report<'_>) -> Option<Section> {
    let missing = &report.run.certificate.missing;
    let mut lead = vec![
        "So nobody was deactivated in this run: who is missing from half an answer has not left."
            .to_owned(),
    ];
    lead.extend(missing.iter().map(|sentence| plain(sentence)));
    let title = "HR's answer was not complete".to_owned();
    (!missing.is_empty()).then_some(Section { title, grave: true, lead, ..Section::default() })
}

fn held(report: &Report<'_>, slice: &Slice) -> Option<Section> {
    let (id, word) = (&report.run.id, slice.kind.word());
    let what = changes(slice.kind, slice.people);
    let limit = format!("The brake lets {} pass.", number(slice.limit));
    let mut lead = Vec::new();
    let mut commands = Vec::new();
    let title = match &slice.state {
        SliceState::Free => return None,
        SliceState::Held { reason, until } => {
            lead.push(sentence(reason));
            let until = moment(*until, &report.zone);
            lead.push(if report.run.plan_only {
                "A full sync would apply nothing of it until somebody approves.".to_owned()
            } else {
                format!("Nothing of it is applied until somebody approves; by {until} it expires.")
            });
            let show = format!("instep runs show {id}");
            commands.push((show, "everybody in it".to_owned()));
            if report.run.is_replay() {
                let all = format!("instep runs approve {id}");
                commands.push((all, "confirm everything, nothing to do included".to_owned()));
            }
            let approve = format!("instep runs approve {id} --slice {word}");
            commands.push((approve, "apply it, if it is still true then".to_owned()));
            let reject = format!("instep runs reject {id} --slice {word} --reason \"...\"");
            commands.push((reject, "leave everything as it is".to_owned()));
            if report.run.plan_only {
                commands.clear();
                format!("{what} would be held")
            } else {
                format!("{what} held")
            }
        }
        SliceState::Approved { by, at, people: approved, until, rest } => {
            let at = moment(*at, &report.zone);
            lead.push(format!("{limit} {} approved it on {at}.", plain(by)));
            if let Some(Rejection { by, at, reason }) = rest {
                let (by, at) = (plain(by), moment(*at, &report.zone));
                lead.push(format!("{by} rejected the others on {at}: {}", sentence(reason)));
            } else if let Some(until) = until.filter(|_| *approved < slice.people) {
                let until = moment(until, &report.zone);
                lead.push(format!("The others stay as they are; by {until} they expire."));
            }
            format!("{what} held, {} approved", number(*approved))
        }
        SliceState::Rejected(Rejection { by, at, reason }) => {
            let at = moment(*at, &report.zone);
            lead.push(format!("{limit} {} rejected it on {at}: {}", plain(by), sentence(reason)));
            format!("{what} held, then rejected")
        }
        SliceState::Expired => {
            lead.push(format!("{limit} Nobody approved it in time, so nothing of it was applied."));
            format!("{what} held, then expired")
        }
    };
    lead.extend(slice.common.iter().map(|common| sentence(common)));
    let mut table = People::new(report, &[column("what", WORDS)]);
    let is_held = |item: &&Item| item.kind == Some(slice.kind) && item.state == ItemState::Held;
    for item in report.items.iter().filter(is_held) {
        table.add(item, || vec![summary(item, report.personal)]);
    }
    let grave = matches!(slice.state, SliceState::Held { .. });
    let section = Section { title, grave, lead, commands, ..Section::default() };
    Some(table.into(section, "held.csv"))
}

fn failed(report: &Report<'_>) -> Option<Section> {
    let mut table = People::new(report, &[column("why, and what to do", WORDS)]);
    let mut codes = BTreeMap::<&str, u64>::new();
    for item in report.items {
        if let ItemState::Failed { code, reason, .. } = &item.state {
            *codes.entry(code).or_default() += 1;
            table.add(item, || vec![format!("{} [{}]", plain(reason), plain(code))]);
        }
    }
    if codes.is_empty() {
        return None;
    }
    let total = codes.values().sum();
    let mut lead = Vec::new();
    if codes.len() > 1 {
        let each =
            codes.iter().map(|(code, people)| format!("{} {}", number(*people), plain(code)));
        lead.push(format!("By cause: {}.", each.collect::<Vec<_>>().join(", ")));
    }
    let command = match codes.keys().next() {
        // What a full sync ordered is not done again: the next one looks at everybody.
        _ if !report.run.is_replay() => "instep sync".to_owned(),
        Some(code) if codes.len() == 1 => {
            format!("instep replay --state dead --code {}", plain(code))
        }
        _ => "instep failures".to_owned(),
    };
    let commands = vec![(command, "once the cause is gone".to_owned())];
    let is_preview = report.run.is_replay() && report.run.failed == 0;
    let title = match total {
        1 if is_preview => "1 person would fail again".to_owned(),
        many if is_preview => format!("{} would fail again", people(many)),
        many => format!("{} failed", people(many)),
    };
    let section = Section { title, grave: true, lead, commands, ..Section::default() };
    Some(table.into(section, "failed.csv"))
}

fn disputed(report: &Report<'_>, totals: &Totals) -> Option<Section> {
    if totals.disputed == 0 {
        return None;
    }
    let reason = |drift: &Drift| match drift {
        Drift::Disputed { reason } => Some(plain(reason)),
        _ => None,
    };
    let table = table_of(report, reason);
    let title = format!("{} disputed", people(totals.disputed));
    let lead = vec!["Nothing is changed until somebody says whose account is whose.".to_owned()];
    let commands = vec![
        ("instep matches".to_owned(), "who, and which accounts it could be".to_owned()),
        ("instep match PERSON --account ID".to_owned(), "or --create, or --ignore".to_owned()),
    ];
    Some(table.into(Section { title, lead, commands, ..Section::default() }, "disputed.csv"))
}

fn refused(report: &Report<'_>, totals: &Totals) -> Option<Section> {
    if totals.refused == 0 {
        return None;
    }
    let reason = |drift: &Drift| match drift {
        Drift::Refused { reason } => Some(plain(reason)),
        _ => None,
    };
    let table = table_of(report, reason);
    let title = format!("{} refused by the rules", people(totals.refused));
    let lead = "Their accounts stay as they are until HR, a table or a rule is mended.";
    let lead = vec![lead.to_owned()];
    let commands =
        vec![("instep explain PERSON".to_owned(), "what the rules make of somebody".to_owned())];
    Some(table.into(Section { title, lead, commands, ..Section::default() }, "refused.csv"))
}

/// Those for whom there is a reason, with it.
fn table_of<'r>(report: &'r Report<'_>, reason: impl Fn(&Drift) -> Option<String>) -> People<'r> {
    let mut table = People::new(report, &[column("why", WORDS)]);
    for item in report.items {
        if let Some(reason) = item.drift.iter().find_map(&reason) {
            table.add(item, || vec![reason]);
        }
    }
    table
}

fn unmapped(report: &Report<'_>) -> Option<Section> {
    if report.misses.is_empty() {
        return None;
    }
    let title = match report.misses.len() {
        1 => "1 value is in no table".to_owned(),
        many => format!("{} values are in no table", number(many as u64)),
    };
    let lead = vec!["Add a row for each, or say in the rules what holds without one.".to_owned()];
    let section = Section { title, lead, ..Section::default() };
    if report.personal < Personal::Values {
        // The values may be anything, mails too.
        let mut tables = BTreeMap::<&str, (u64, u64)>::new();
        for (miss, people) in report.misses {
            let (values, all) = tables.entry(&miss.table).or_default();
            (*values, *all) = (*values + 1, *all + people);
        }
        let columns =
            vec![column("table", WORDS), column("values", NUMBERS), column("people", NUMBERS)];
        let row = |(table, (values, people)): (&str, (u64, u64))| {
            vec![plain(table), number(values), number(people)]
        };
        let show = (format!("instep runs show {}", report.run.id), "names the values".to_owned());
        let rows = tables.into_iter().map(row).collect();
        return Some(Section { columns, rows, commands: vec![show], ..section });
    }
    let columns = vec![column("table", WORDS), column("value", WORDS), column("people", NUMBERS)];
    let row = |(miss, people): &(crate::model::Miss, u64)| {
        vec![plain(&miss.table), plain(&miss.keys.join(" + ")), number(*people)]
    };
    let rows = report.misses.iter().take(ROWS).map(row).collect();
    let more = report.misses.len().saturating_sub(ROWS) as u64;
    let more = (more > 0).then_some((more, "unmapped.csv"));
    Some(Section { columns, rows, more, ..section })
}

/// Takes one of the counts.
type Pick = fn(&Counts) -> u64;

fn what_happened(report: &Report<'_>, totals: &Totals) -> Option<Section> {
    if totals.kinds.is_empty() {
        return None;
    }
    let picks: [(&str, Pick); 7] = [
        ("found", |counts| counts.found),
        ("would change", |counts| counts.planned),
        ("changed", |counts| counts.changed),
        ("not needed", |counts| counts.unneeded),
        ("waiting", |counts| counts.waiting),
        ("held", |counts| counts.held),
        ("failed", |counts| counts.failed),
    ];
    let told: Vec<_> = picks.into_iter().filter(|(_, pick)| pick(&totals.all) > 0).collect();
    let mut columns = vec![column("change", WORDS)];
    columns.extend(told.iter().map(|(head, _)| column(head, NUMBERS)));
    let cells = |name: &str, counts: &Counts| {
        let numbers = told.iter().map(|(_, pick)| number(pick(counts)));
        std::iter::once(name.to_owned()).chain(numbers).collect()
    };
    let mut rows: Vec<Vec<String>> = ChangeKind::ALL
        .into_iter()
        .filter_map(|kind| Some(cells(kind_name(kind), totals.kinds.get(&kind)?)))
        .collect();
    if rows.len() > 1 {
        rows.push(cells("all", &totals.all));
    }
    let mut lead = Vec::new();
    if totals.joined + totals.left > 0 {
        let (joined, left) = (totals.joined, totals.left);
        let would = if report.run.plan_only { "would be " } else { "" };
        let joined = count(joined, "membership", "memberships");
        lead.push(format!("Groups: {joined} {would}added, {} {would}ended.", number(left)));
    }
    let title = if report.run.plan_only { "What would happen" } else { "What happened" };
    Some(Section { title: title.to_owned(), lead, columns, rows, ..Section::default() })
}

/// A kind as a row of a table names it.
fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Deactivate => "deactivate",
        ChangeKind::Create => "create",
        ChangeKind::Reactivate => "reactivate",
        ChangeKind::ChangeMail => "change the mail",
        ChangeKind::LeaveGroup => "leave a group",
        ChangeKind::Update => "update",
    }
}

fn changed(report: &Report<'_>, totals: &Totals) -> Option<Section> {
    let columns = [column("what", WORDS), column("why", WORDS)];
    let mut table = People::new(report, &columns);
    for item in report.items.iter().filter(|item| is_changed(item)) {
        let why = item.blame.as_ref().map(cause).unwrap_or_default().to_owned();
        table.add(item, || vec![summary(item, report.personal), why]);
    }
    let title = match (report.run.plan_only, totals.all.planned, totals.all.changed) {
        (true, planned, _) => format!("{} would change", people(planned)),
        (false, _, changed) => format!("{} changed", people(changed)),
    };
    let section = Section { title, ..Section::default() };
    (!table.rows.is_empty()).then(|| table.into(section, "changed.csv"))
}

/// Whether somebody was changed, or would be.
pub(super) fn is_changed(item: &Item) -> bool {
    item.kind.is_some() && matches!(standing(item), "changed" | "planned")
}

/// All steps of somebody in one line.
fn summary(item: &Item, personal: Personal) -> String {
    let mut said = BTreeMap::<String, usize>::new();
    let mut order = Vec::new();
    for step in steps(item, personal) {
        let sentence = step.sentence();
        let times = said.entry(sentence.clone()).or_default();
        *times += 1;
        if *times == 1 {
            order.push(sentence);
        }
    }
    let each = order.into_iter().map(|sentence| match said[&sentence] {
        1 => sentence,
        times => format!("{sentence} ({times} times)"),
    });
    each.collect::<Vec<_>>().join("; ")
}

fn blamed(report: &Report<'_>) -> Option<Section> {
    let mut totals = BTreeMap::<usize, (&Blame, u64)>::new();
    let order = |blame: &Blame| match blame {
        Blame::NoEvent => 0,
        Blame::Failed { .. } => 1,
        Blame::Filtered { .. } => 2,
        Blame::Raced { .. } => 3,
        Blame::Due { .. } => 4,
        Blame::EditedByHand => 5,
        Blame::New => 6,
    };
    for blame in report.items.iter().filter_map(|item| item.blame.as_ref()) {
        totals.entry(order(blame)).or_insert((blame, 0)).1 += 1;
    }
    let row = |(blame, people): &(&Blame, u64)| vec![cause(blame).to_owned(), number(*people)];
    let rows: Vec<_> = totals.values().map(row).collect();
    let title = "Why they were out of step".to_owned();
    let columns = vec![column("cause", WORDS), column("people", NUMBERS)];
    (!rows.is_empty()).then_some(Section { title, columns, rows, ..Section::default() })
}

fn skipped(report: &Report<'_>) -> Option<Section> {
    let mut filters: Vec<_> = report.run.filtered.iter().collect();
    filters.sort_by_key(|(_, people)| std::cmp::Reverse(**people));
    let total = filters.iter().map(|(_, people)| **people).sum();
    let rows: Vec<_> =
        filters.into_iter().map(|(key, people)| vec![plain(key), number(*people)]).collect();
    let columns = vec![column("filter", CODES), column("people", NUMBERS)];
    let title = format!("{} left out by the rules", people(total));
    (!rows.is_empty()).then_some(Section { title, columns, rows, ..Section::default() })
}

fn orphans(report: &Report<'_>, totals: &Totals) -> Option<Section> {
    if totals.orphans == 0 {
        return None;
    }
    let named = report.personal > Personal::None;
    let mut columns = vec![column("account", CODES)];
    columns.extend(named.then_some(column("name", WORDS)));
    let is_orphan = |item: &&Item| item.drift.contains(&Drift::Orphan);
    let row = |item: &Item| {
        let mut row = vec![account(item)];
        row.extend(named.then(|| report.name(item)));
        row
    };
    let rows = report.items.iter().filter(is_orphan).take(ROWS).map(row).collect();
    let more = totals.orphans.saturating_sub(ROWS as u64);
    let title = count(totals.orphans, "account belongs", "accounts belong") + " to nobody in HR";
    let lead = vec!["They are only told: Instep never touches them.".to_owned()];
    let more = (more > 0).then_some((more, "orphans.csv"));
    Some(Section { title, lead, columns, rows, more, ..Section::default() })
}

fn calls(report: &Report<'_>) -> Option<Section> {
    let run = report.run;
    let calls =
        run.calls.iter().map(|(what, calls)| vec![plain(what), count(*calls, "call", "calls")]);
    let waits = run
        .waited_ms
        .iter()
        .filter(|(_, ms)| **ms > 0)
        .map(|(whom, ms)| vec![format!("waited for {}", plain(whom)), duration(*ms)]);
    let rows: Vec<_> = calls.chain(waits).collect();
    let columns = vec![column("what", WORDS), column("how much", NUMBERS)];
    let title = "Calls and waiting".to_owned();
    (!rows.is_empty()).then_some(Section { title, columns, rows, ..Section::default() })
}

fn remarks(report: &Report<'_>) -> Option<Section> {
    let lead: Vec<_> = report.run.remarks.iter().map(|remark| sentence(remark)).collect();
    let title = "Remarks".to_owned();
    (!lead.is_empty()).then_some(Section { title, lead, ..Section::default() })
}

/// With a full stop at its end.
fn sentence(text: &str) -> String {
    let text = plain(text);
    if text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

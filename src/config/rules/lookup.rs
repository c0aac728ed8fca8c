//! `[rules.tables.NAME]`: a CSV file that people keep in a spreadsheet, checked cell by cell.
//!
//! No message holds what stands in a cell: it may be about people.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::nearest::nearest;
use super::super::problem::{Beside, Problem};
use super::super::secret;
use super::super::table::Table;
use super::super::value::printable;
use super::csv::{self, Row, Slip};
use super::read::{Page, behind};
use super::{LookupTable, OnMiss};

/// The largest table, in bytes.
const LARGEST: u64 = 4 << 20;

/// Rows, at most, without the header.
const ROWS: usize = 100_000;

/// Columns, at most.
const COLUMNS: usize = 64;

/// So many problems of one table are named.
const NAMED: usize = 20;

/// The key that stands for every value.
const ANY: &str = "*";

const ON_MISS: [(&str, OnMiss); 4] = [
    ("refuse", OnMiss::Refuse),
    ("skip", OnMiss::Skip),
    ("keep", OnMiss::Keep),
    ("default", OnMiss::Default),
];

/// Every table that is in order, by name.
pub(super) fn tables(rules: &Table<'_>, page: Page<'_>) -> BTreeMap<String, LookupTable> {
    let mut tables = BTreeMap::new();
    for (name, _, table) in rules.named("tables", behind(&["tables", "sites"])) {
        let read = read(&table, page);
        table.finish();
        tables.extend(read.map(|table| (name.to_owned(), table)));
    }
    tables
}

fn read(table: &Table<'_>, page: Page<'_>) -> Option<LookupTable> {
    let on_miss = table.choice("on_miss", &ON_MISS);
    let keys = keys(table);
    let given = table.need_text("file", "the CSV file, as in \"sites.csv\"")?;
    let path = page.origin.folder().join(given);
    let text = match text(&path) {
        Ok(text) => text,
        Err(Trouble::Whole(why)) => {
            table.wrong("file", format!("{}: {why}", printable(given)));
            return None;
        }
        Err(Trouble::At(slip)) => {
            note(table, &path, vec![slip]);
            return None;
        }
    };
    let sheet = match sheet(&text, &keys?) {
        Ok(sheet) => sheet,
        Err(slips) => {
            note(table, &path, slips);
            return None;
        }
    };
    // A word that nobody knows was noted already.
    let word = table.text_or_default("on_miss");
    if ON_MISS.iter().any(|(known, _)| *known == word) {
        agree(table, &sheet, on_miss, given);
    }
    Some(LookupTable { file: path, on_miss, ..sheet })
}

/// Whether the row for everybody else is there exactly when it decides.
fn agree(table: &Table<'_>, sheet: &LookupTable, on_miss: OnMiss, file: &str) {
    let is_for_all =
        |(_, cells): &&(usize, Vec<String>)| cells[..sheet.keys].iter().all(|key| key == ANY);
    let (all, file) = (vec![ANY; sheet.keys].join(", "), printable(file));
    match (sheet.rows.iter().find(is_for_all), on_miss) {
        (None, OnMiss::Default) => {
            let message = format!(
                "{file} has no row for everybody else, whose every key is *: add one that begins \
                 with {all}, or choose \"keep\", \"skip\" or \"refuse\""
            );
            table.wrong("on_miss", message);
        }
        (Some((line, _)), OnMiss::Keep | OnMiss::Skip | OnMiss::Refuse) => {
            let message = format!(
                "line {line} of {file} is for everybody else ({all}), so nothing is ever missing: \
                 write on_miss = \"default\", or take that row out"
            );
            table.wrong("on_miss", message);
        }
        _ => {}
    }
}

/// The names of the key columns.
fn keys(table: &Table<'_>) -> Option<Vec<String>> {
    const WHAT: &str = "the columns in which a value is looked up, as in [\"site\"]";
    if table.get("keys").is_none() {
        table.missing(&["keys"], &table.full("keys"), format!("is missing: {WHAT}"));
        return None;
    }
    let keys = table.texts("keys");
    let list = table.get("keys").and_then(|value| value.get_ref().as_array());
    if list.is_some_and(|list| list.is_empty()) {
        table.wrong("keys", format!("is empty: {WHAT}"));
    }
    for (at, key) in keys.iter().enumerate() {
        if keys[..at].contains(key) {
            table.wrong("keys", format!("`{}` is there twice: keep one", printable(key)));
            return None;
        }
    }
    (!keys.is_empty() && list.is_some_and(|list| list.len() == keys.len())).then_some(keys)
}

/// Why a table's text cannot be had.
enum Trouble {
    Whole(String),
    At(Slip),
}

fn text(path: &Path) -> Result<String, Trouble> {
    let unreadable = |error: std::io::Error| {
        Trouble::Whole(match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file; the path begins at the folder of this file".to_owned()
            }
            std::io::ErrorKind::IsADirectory => "is a folder, not a file".to_owned(),
            _ => format!("cannot be read: {}", secret::reason(&error)),
        })
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Trouble::Whole("is larger than 4 MiB".to_owned()));
    }
    let save = "save it as \"CSV UTF-8\"";
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(Trouble::Whole(format!("is a workbook, not CSV: {save}")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        Trouble::At(Slip {
            line: valid.split(|byte| *byte == b'\n').count(),
            column: String::from_utf8_lossy(line).chars().count() + 1,
            message: format!("is not UTF-8 text: {save}"),
        })
    })
}

/// Reads the rows; everything that is wrong with them at once.
fn sheet(text: &str, keys: &[String]) -> Result<LookupTable, Vec<Slip>> {
    let mut rows = csv::rows(text, keys);
    let header = match rows.next() {
        Some(Ok(header)) => header,
        Some(Err(slip)) => return Err(vec![slip]),
        None => {
            let message = "is empty: the first line names the columns".to_owned();
            return Err(vec![Slip { line: 1, column: 1, message }]);
        }
    };
    let order = order(&header, keys)?;
    let columns = order.iter().map(|at| header.cells[*at].text.clone()).collect();
    let mut slips = Vec::new();
    let mut seen: HashMap<Vec<String>, usize> = HashMap::new();
    let mut read = Vec::new();
    for (count, row) in rows.enumerate() {
        let mut row = match row {
            Ok(row) => row,
            Err(slip) => {
                slips.push(slip);
                continue;
            }
        };
        let line = row.line;
        if count == ROWS {
            slips.push(Slip { line, column: 1, message: format!("has more than {ROWS} rows") });
            break;
        }
        if let Some(slip) = misfit(&row, header.cells.len()) {
            slips.push(slip);
            continue;
        }
        let column = row.cells[order[0]].column;
        let cells: Vec<String> =
            order.iter().map(|at| std::mem::take(&mut row.cells[*at].text)).collect();
        let plain = cells[..keys.len()].iter().map(|key| key.to_lowercase()).collect();
        if let Some(first) = seen.insert(plain, line) {
            let message = format!(
                "has the same keys as line {first}: keep one of them (upper and lower case are the \
                 same)"
            );
            slips.push(Slip { line, column, message });
        }
        read.push((line, cells));
    }
    if !slips.is_empty() {
        return Err(slips);
    }
    let on_miss = OnMiss::Refuse;
    Ok(LookupTable { file: PathBuf::new(), on_miss, keys: keys.len(), columns, rows: read })
}

/// In which order the columns are taken: the keys first.
fn order(header: &Row, keys: &[String]) -> Result<Vec<usize>, Vec<Slip>> {
    let line = header.line;
    let mut slips = Vec::new();
    let mut slip = |column, message: String| slips.push(Slip { line, column, message });
    let cells = &header.cells;
    if let Some(cell) = cells.get(COLUMNS) {
        slip(cell.column, format!("has more than {COLUMNS} columns"));
    }
    for (at, cell) in cells.iter().enumerate() {
        if cell.text.is_empty() {
            let message = "this column has no name: give it one, or take it out of every line";
            slip(cell.column, message.to_owned());
        } else if cells[..at].iter().any(|other| other.text == cell.text) {
            slip(cell.column, "this column's name is there twice: rename one".to_owned());
        }
    }
    let mut order = Vec::new();
    for key in keys {
        if let Some(at) = cells.iter().position(|cell| cell.text == *key) {
            order.push(at);
        } else {
            let meant = nearest(key, cells.iter().map(|cell| cell.text.as_str()));
            let advice = meant.map_or_else(
                || "the first line names the columns, and `keys` must name some of them".into(),
                |meant| format!("is `{}` meant?", printable(meant)),
            );
            slip(1, format!("there is no column `{}`: {advice}", printable(key)));
        }
    }
    if slips.is_empty() && order.len() == cells.len() {
        let message = "every column is a key: a column with what is looked up is missing";
        slips.push(Slip { line, column: 1, message: message.to_owned() });
    }
    if !slips.is_empty() {
        return Err(slips);
    }
    let others = (0..cells.len()).filter(|at| !order.contains(at));
    Ok(order.iter().copied().chain(others).collect())
}

fn misfit(row: &Row, width: usize) -> Option<Slip> {
    let count = row.cells.len();
    if count == width {
        return None;
    }
    let column = row.cells.get(width).or(row.cells.last()).map_or(1, |cell| cell.column);
    let advice = if count > width {
        "a cell with a comma or semicolon in it belongs in quotes"
    } else {
        "an empty one still needs its place"
    };
    let cells = if count == 1 { "cell" } else { "cells" };
    let message = format!("has {count} {cells}, and the first line has {width}: {advice}");
    Some(Slip { line: row.line, column, message })
}

/// Notes what is wrong with a table's file; the first of it, when it is much.
fn note(table: &Table<'_>, path: &Path, mut slips: Vec<Slip>) {
    let more = slips.len().saturating_sub(NAMED);
    if more > 0 {
        slips.truncate(NAMED);
        if let Some(last) = slips.last_mut() {
            last.message = format!("{}; and {more} more problems below", last.message);
        }
    }
    for Slip { line, column, message } in slips {
        let file = Some(Beside::Table { path: path.to_owned(), line, column });
        let key = table.path().to_owned();
        table.notes.problem(Problem { file, key, span: None, message });
    }
}

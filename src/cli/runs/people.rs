//! Whom an approval is for: ids on the command line, or a file with one id per line, or one of our
//! spreadsheets, as it was or as a spreadsheet program saved it again.

use std::collections::BTreeSet;

use crate::model::{EmployeeId, SourceName};

/// The column that says who it is.
const COLUMN: &str = "person";

/// The people a file names. `Err` is a sentence for the person who asked.
pub(super) fn of_file(text: &str, source: &SourceName) -> Result<BTreeSet<EmployeeId>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t'].into_iter().max_by_key(|sign| head.matches(*sign).count());
    let rows = rows(text, separator.unwrap_or(','))?;
    let place = rows
        .first()
        .and_then(|head| head.iter().position(|cell| cell.trim().eq_ignore_ascii_case(COLUMN)));
    let keys: Vec<&str> = match place {
        Some(place) => rows
            .iter()
            .skip(1)
            .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
            .map(|row| row.get(place).map(|cell| cell.trim()).unwrap_or_default())
            .collect(),
        None if rows.iter().any(|row| row.len() > 1) => {
            return Err(format!("the file has several columns, and none is called `{COLUMN}`"));
        }
        None => {
            let lines = text.lines().map(str::trim);
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
        }
    };
    if keys.is_empty() {
        return Err("the file names nobody".to_owned());
    }
    of_keys(keys, source)
}

/// The people with these keys: `bob/1234`, or `1234`.
pub(super) fn of_keys<'a>(
    keys: impl IntoIterator<Item = &'a str>,
    source: &SourceName,
) -> Result<BTreeSet<EmployeeId>, String> {
    let one = |key: &'a str| {
        // An apostrophe keeps spreadsheets from reading an id as a number.
        let key = key.trim().trim_matches('"').trim_start_matches('\'');
        let id = match key.split_once('/') {
            Some((named, id)) if named == source.as_str() => id,
            Some((named, _)) => {
                let named: String = named.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(format!("the run is of {source}, and somebody of {named} is named"));
            }
            None => key,
        };
        if id.is_empty() || id.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("an id is empty or has spaces in it".to_owned());
        }
        // Programs write long numbers so, and lose digits.
        if id.contains(['e', 'E']) && id.parse::<f64>().is_ok() {
            let why = "an id became a rounded number in a spreadsheet program";
            return Err(format!("{why}: take the file as Instep wrote it"));
        }
        Ok(EmployeeId::new(id))
    };
    keys.into_iter().map(one).collect()
}

/// The cells of each row.
fn rows(text: &str, separator: char) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            _ if quoted => cell.push(c),
            '"' if cell.is_empty() => quoted = true,
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' => {}
            c if c == separator => row.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if quoted {
        return Err("a quotation mark in the file is never closed".to_owned());
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::{of_file, of_keys};
    use crate::model::SourceName;

    fn ids(text: &str) -> Result<Vec<String>, String> {
        let found = of_file(text, &SourceName::new("bob"))?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_file_of_ids_or_a_spreadsheet_names_people() {
        let named = Ok(vec!["12".to_owned(), "7".to_owned()]);
        assert_eq!(ids("7\r\n\n# Zoë\nbob/12\n"), named);
        assert_eq!(
            ids("\u{feff}\"person\",\"name\"\r\n\"bob/7\",\"A, \"\"B\"\"\"\r\n'12,x\n"),
            named
        );
        assert_eq!(ids("name;Person;why\nA;bob/7;\nB;12;\n;;\n"), named);
        assert_eq!(ids("person\n7\n12"), named);
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for wrong in ["", "person\n", "name,account\nA,1\n", "hr/7\n", "person,x\n\"7,1\n", "a b\n"]
        {
            assert!(ids(wrong).is_err(), "{wrong:?}");
        }
        assert!(ids("person,x\n3.33251E+18,1\n").is_err(), "a rounded number is nobody's id");
        assert!(ids("person,name\n,A\n").is_err(), "a row without an id is somebody");
        assert!(of_keys(["7", "bob/"], &SourceName::new("bob")).is_err());
    }
}

//! CSV as spreadsheets write it, read strictly: every cell with the place where it stands.
//!
//! A quoted cell ends in its own line. An unclosed quote would otherwise swallow the rows below it in
//! silence, and nobody needs a line break in a lookup table.

/// What may stand between two cells.
const DELIMITERS: [char; 3] = [',', ';', '\t'];

/// One line with something in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line in the file, from 1.
    pub line: usize,
    pub cells: Vec<Cell>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The column in which it begins, from 1, in characters.
    pub column: usize,
    /// Without white space around.
    pub text: String,
}

/// A place in the file, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slip {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Every row that is not completely empty, the header first. The delimiter is the one by which the
/// header has all of `keys`, or else the most cells.
pub(super) fn rows<'t>(
    text: &'t str,
    keys: &[String],
) -> impl Iterator<Item = Result<Row, Slip>> + use<'t> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().find(|line| !is_empty(line)).unwrap_or_default();
    let delimiter = delimiter(header, keys);
    text.lines().enumerate().filter(|(_, line)| !is_empty(line)).filter_map(move |(at, line)| {
        let line_number = at + 1;
        match split(line, delimiter) {
            Ok(cells) if cells.iter().all(|cell| cell.text.is_empty()) => None,
            Ok(cells) => Some(Ok(Row { line: line_number, cells })),
            Err((column, message)) => {
                Some(Err(Slip { line: line_number, column, message: message.to_owned() }))
            }
        }
    })
}

/// Spreadsheets fill rows that have nothing in them with delimiters.
fn is_empty(line: &str) -> bool {
    line.chars().all(|char| char.is_whitespace() || DELIMITERS.contains(&char))
}

fn delimiter(header: &str, keys: &[String]) -> char {
    let cells = |delimiter| split(header, delimiter).unwrap_or_default();
    let has_all = |delimiter: &char| {
        let cells = cells(*delimiter);
        keys.iter().all(|key| cells.iter().any(|cell| cell.text == *key))
    };
    let most =
        || DELIMITERS.into_iter().rev().max_by_key(|delimiter| header.matches(*delimiter).count());
    DELIMITERS.into_iter().find(has_all).or_else(most).unwrap_or(',')
}

/// The cells of one line, or the column and what is wrong there.
fn split(line: &str, delimiter: char) -> Result<Vec<Cell>, (usize, &'static str)> {
    let mut chars = (1..).zip(line.chars()).peekable();
    let mut cells = Vec::new();
    loop {
        while chars.next_if(|(_, char)| char.is_whitespace() && *char != delimiter).is_some() {}
        let column = chars.peek().map_or(line.chars().count() + 1, |(column, _)| *column);
        let mut text = String::new();
        if chars.next_if(|(_, char)| *char == '"').is_some() {
            loop {
                match chars.next() {
                    Some((_, '"')) if chars.next_if(|(_, char)| *char == '"').is_none() => break,
                    Some((_, char)) => text.push(char),
                    None => {
                        let message = "the quote that opens here is not closed in this line";
                        return Err((column, message));
                    }
                }
            }
            while chars.next_if(|(_, char)| char.is_whitespace() && *char != delimiter).is_some() {}
            if let Some((column, _)) = chars.peek().filter(|(_, char)| *char != delimiter) {
                let message = "there is something behind the closing quote: a quote inside a cell \
                               is written twice, as in \"\"";
                return Err((*column, message));
            }
        } else {
            while let Some((_, char)) = chars.next_if(|(_, char)| *char != delimiter) {
                text.push(char);
            }
        }
        cells.push(Cell { column, text: text.trim().to_owned() });
        if chars.next().is_none() {
            return Ok(cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, keys: &[&str]) -> Vec<String> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        rows(text, &keys)
            .map(|row| match row {
                Ok(row) => {
                    let cell = |cell: &Cell| format!("{}:{}", cell.column, cell.text);
                    let cells: Vec<String> = row.cells.iter().map(cell).collect();
                    format!("{} {}", row.line, cells.join("|"))
                }
                Err(slip) => format!("{}:{} {}", slip.line, slip.column, slip.message),
            })
            .collect()
    }

    #[test]
    fn cells_are_found_whatever_wrote_the_file() {
        let expected = ["1 1:site|6:lang", "3 1:Zürich|8:de"];
        for end in ["\n", "\r\n"] {
            for between in [",", ";", "\t"] {
                let lines = ["site,lang", ", ", "Zürich,de", ""].join(end).replace(',', between);
                assert_eq!(all(&lines, &["site"]), expected, "{between:?} {end:?}");
                assert_eq!(all(&format!("\u{feff}{lines}"), &["site"]), expected);
            }
        }
    }

    #[test]
    fn quotes_hide_delimiters_and_end_in_their_own_line() {
        assert_eq!(
            all("a,b\n\"x, y\", \"say \"\"so\"\"\" \n", &[]),
            ["1 1:a|3:b", "2 1:x, y|9:say \"so\""]
        );
        assert_eq!(all("a,b\n5\" pipe,\n,x\n", &[]), ["1 1:a|3:b", "2 1:5\" pipe|9:", "3 1:|2:x"]);
        assert_eq!(
            all("a,b\n1,\"2\n3,\"4\n", &[]),
            [
                "1 1:a|3:b",
                "2:3 the quote that opens here is not closed in this line",
                "3:3 the quote that opens here is not closed in this line",
            ]
        );
        assert_eq!(
            all("a\n\"x\"y\n", &[]),
            [
                "1 1:a",
                "2:4 there is something behind the closing quote: a quote inside a cell is written \
             twice, as in \"\"",
            ]
        );
        assert_eq!(all("", &[]), [""; 0]);
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_the_key_columns() {
        assert_eq!(all("job, grade;code\n", &["code"]), ["1 1:job, grade|12:code"]);
        assert_eq!(all("a;b;c,d\n", &["code"]), ["1 1:a|3:b|5:c,d"]);
    }
}

//! `date`: a date in the one form that cannot be misread, 2026-11-21.
//!
//! Whether the day or the month comes first is never guessed: what is not in that form already needs
//! to be told its own.

use jiff::civil::Date;
use minijinja::Value;

use super::{Given, Stop, tidy};

pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(1)?;
    let format = given.optional(0)?.map(strptime).transpose().map_err(|why| given.wrong(why))?;
    let Some(text) = text.map(tidy).filter(|text| !text.is_empty()) else {
        return Ok(Value::from(()));
    };
    let date = match format {
        None => text.parse::<Date>().map_err(|_| {
            Stop::from(
                "this is not a date such as 2026-11-21; if it is one in another form, say \
                        which: date('DD/MM/YYYY')",
            )
        })?,
        Some(format) => Date::strptime(format, &text)
            .map_err(|_| Stop::from("this is not a date in the form that the rule says"))?,
    };
    // `1/2/25` read with YYYY is not the year 25.
    if date.year() < 1000 {
        return Err("the year has fewer than four digits".into());
    }
    Ok(Value::from(date.to_string()))
}

/// `DD/MM/YYYY` as the date library says it: `%d/%m/%Y`.
fn strptime(format: &str) -> Result<String, &'static str> {
    let mut said = String::new();
    let (mut year, mut month, mut day) = (0, 0, 0);
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|other| other != c).unwrap_or(rest.len());
        let (token, after) = rest.split_at(run);
        rest = after;
        let (count, directive) = match token {
            "YYYY" => (&mut year, "%Y"),
            "MM" | "M" => (&mut month, "%m"),
            "MMM" => (&mut month, "%b"),
            "MMMM" => (&mut month, "%B"),
            "DD" | "D" => (&mut day, "%d"),
            "YY" => return Err("; a year in two digits could be of any century"),
            _ if c.is_alphabetic() || c == '%' => {
                return Err("; YYYY, MM, MMM (Jan), MMMM (January) and DD make up a date");
            }
            _ => {
                said.push_str(token);
                continue;
            }
        };
        *count += 1;
        said.push_str(directive);
    }
    if (year, month, day) == (1, 1, 1) {
        Ok(said)
    } else {
        Err("; a date has one year, one month and one day")
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::strptime;

    #[test]
    fn forms_are_understood_or_refused() {
        for (form, typed) in [
            ("DD/MM/YYYY", "21/11/2026"),
            ("D.M.YYYY", "21.11.2026"),
            ("M/D/YYYY", "11/21/2026"),
            ("DD MMM YYYY", "21 Nov 2026"),
            ("MMMM D, YYYY", "November 21, 2026"),
            ("YYYYMMDD", "20261121"),
        ] {
            let said = strptime(form).unwrap_or_else(|why| panic!("{form}: {why}"));
            let read = Date::strptime(&said, typed).map(|date| date.to_string());
            assert_eq!(read.ok().as_deref(), Some("2026-11-21"), "{form}");
        }
        let said = strptime("DD/MM/YYYY").expect("it is a form");
        assert_eq!(
            Date::strptime(&said, "1/2/2026").map(|d| d.to_string()).ok().as_deref(),
            Some("2026-02-01")
        );
        for typed in ["31/02/2026", "21/11/2026 10:00", "21/11", "11/21/2026"] {
            assert!(Date::strptime(&said, typed).is_err(), "{typed}");
        }
        for refused in ["DD/MM/YY", "%d/%m/%Y", "DD/MM", "YYYY", "DD/DD/YYYY", "dd/mm/yyyy", ""] {
            assert!(strptime(refused).is_err(), "{refused}");
        }
    }
}

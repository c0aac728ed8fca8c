//! `slug`: a text in the letters of a user name.

use minijinja::Value;

use super::{Given, Stop, tidy};

pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(1)?;
    let spelling = match given.optional(0)? {
        None => Spelling::Plain,
        Some("de") => Spelling::German,
        Some("da" | "no") => Spelling::Nordic,
        Some(_) => {
            return Err(given.wrong(
                ", slug('da') or slug('no'): the languages with a spelling of \
                                    their own for ä, ö, ü, å and ø",
            ));
        }
    };
    match text.map(tidy).filter(|text| !text.is_empty()) {
        None => Ok(Value::from(())),
        Some(text) => match slug(&text, spelling) {
            slug if slug.is_empty() => Err("no letter and no digit is left".into()),
            slug => Ok(Value::from(slug)),
        },
    }
}

#[derive(Clone, Copy)]
enum Spelling {
    Plain,
    German,
    Nordic,
}

/// Small letters a to z, digits, and single `-`, `.` or `_` between them: all of them letters of
/// 360Learning's user names. Apostrophes go without a trace.
fn slug(text: &str, spelling: Spelling) -> String {
    let spelt: String = text.chars().map(|c| respell(c, spelling)).collect();
    let mut slug = String::with_capacity(spelt.len());
    let mut between = None;
    for c in spelt.chars().filter(|c| !matches!(c, '\'' | '`')) {
        if c.is_ascii_alphanumeric() {
            if let (Some(between), false) = (between.take(), slug.is_empty()) {
                slug.push(between);
            }
            slug.push(c.to_ascii_lowercase());
        } else if between.is_none() || between == Some('-') {
            // Of `a . b` it is the dot that was meant.
            between = Some(if matches!(c, '.' | '_') { c } else { '-' });
        }
    }
    slug
}

fn respell(c: char, spelling: Spelling) -> String {
    let own = match (spelling, c) {
        (Spelling::German | Spelling::Nordic, 'ä' | 'Ä') => "ae",
        (Spelling::German | Spelling::Nordic, 'ö' | 'Ö') | (Spelling::Nordic, 'ø' | 'Ø') => {
            "oe"
        }
        (Spelling::German, 'ü' | 'Ü') => "ue",
        (Spelling::Nordic, 'å' | 'Å') => "aa",
        // Accents that come as characters of their own.
        (_, '\u{300}'..='\u{36f}') => "",
        _ => deunicode::deunicode_char(c).unwrap_or(" "),
    };
    own.to_owned()
}

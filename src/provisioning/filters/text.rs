//! `tidy`: the text without what nobody sees.

use minijinja::Value;

use super::{Given, Stop};

pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(0)?;
    Ok(text.map(tidy).into())
}

/// The text without white space around it, with one plain space for each run of any white space
/// within (line ends and no-break spaces too), and without characters that have no shape: control
/// characters, byte order marks, soft hyphens, marks of writing direction. What joins letters in
/// some scripts (U+200C, U+200D) stays.
pub fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space = true;
        } else if !shapeless(c) {
            if space && !tidied.is_empty() {
                tidied.push(' ');
            }
            space = false;
            tidied.push(c);
        }
    }
    tidied
}

fn shapeless(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}'
        )
}

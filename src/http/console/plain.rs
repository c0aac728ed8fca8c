//! What strangers wrote, made harmless for a page: the template escapes it, and here nothing moves
//! the text around it or fills the page.

/// So much of a text is shown.
const LONGEST: usize = 300;

/// One line without signs that turn the direction of writing, and not too long.
pub fn plain(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).map(harmless).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The same for a text of many lines, of which so many bytes are shown at most.
pub fn plain_lines(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let keep = |c| if c == '\n' || c == '\t' { c } else { harmless(c) };
    let mut shown: String = text[..end].chars().map(keep).collect();
    if end < text.len() {
        shown.push_str("\n…");
    }
    shown
}

fn harmless(c: char) -> char {
    match c {
        c if c.is_control() => ' ',
        // Marks, embeddings, overrides and isolates of the direction of writing.
        '\u{061c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, plain_lines};

    #[test]
    fn nothing_moves_the_text_around_it() {
        assert_eq!(plain("a\u{202e}b\r\nc\u{0}"), "a\u{fffd}b  c ");
        assert_eq!(plain(&"x".repeat(10_000)).chars().count(), 301);
        assert_eq!(plain_lines("a\nb\u{2066}c", 100), "a\nb\u{fffd}c");
        assert_eq!(plain_lines("ééé", 3), "é\n…");
    }
}

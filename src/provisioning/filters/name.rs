//! `name`: the capitals of a person's name, for a name that was typed without any or with nothing
//! else.
//!
//! A name in which one word has both capitals and small letters (`McDonald`, `DeVito`, `Anna`) was
//! written with care and is kept as it is, unless all are asked for.

use minijinja::Value;

use super::{Given, Stop, tidy};

/// Small before another word of the name, whether they come in capitals or not.
const PARTICLES: [&str; 18] = [
    "'t", "af", "da", "das", "de", "del", "den", "der", "dos", "du", "la", "ten", "ter", "van",
    "vom", "von", "zu", "zum",
];

/// Small where they were typed small beside capitals; else they may be names of their own.
const AS_TYPED: [&str; 12] =
    ["al", "bin", "binti", "di", "do", "e", "el", "ibn", "le", "op", "und", "y"];

/// What a second capital follows, after an apostrophe; so does every single letter.
const BEFORE_APOSTROPHE: [&str; 6] = ["all", "da", "dall", "de", "dell", "sant"];

/// Kept in capitals at the end of a name.
const NUMERALS: [&str; 3] = ["II", "III", "IV"];

pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(1)?;
    let all = match given.optional(0)? {
        None => false,
        Some("all") => true,
        Some(_) => return Err(given.wrong("")),
    };
    Ok(text.map(|text| name(text, all)).into())
}

fn name(text: &str, all: bool) -> String {
    let text = tidy(text);
    let cases = || text.split(|c| !in_word(c)).map(Case::of);
    if !all && cases().any(|case| case == Case::Mixed) {
        return text;
    }
    let small = cases().all(|case| matches!(case, Case::Small | Case::Without));
    let words: Vec<&str> = text.split(' ').collect();
    let mut told = String::with_capacity(text.len());
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| words[at]);
        let is_last = at + 1 == words.len();
        if at > 0 {
            told.push(' ');
        }
        if is_particle(word, before) && words[at + 1..].iter().any(|word| !is_listed(word)) {
            told.push_str(&lower(word));
        } else if (is_last && at > 0 && NUMERALS.contains(word))
            || (!is_last && !small && AS_TYPED.contains(word))
        {
            told.push_str(word);
        } else {
            for part in word.split_inclusive(|c| !in_word(c)) {
                told.push_str(&capital(part));
            }
        }
    }
    told
}

/// Whether the word is small where it stands. `la` is, after another particle: `de la Cruz`.
fn is_particle(word: &str, before: Option<&str>) -> bool {
    is_listed(word)
        && Case::of(word) != Case::Mixed
        && (!word.eq_ignore_ascii_case("la") || before.is_some_and(is_listed))
}

fn is_listed(word: &str) -> bool {
    PARTICLES.iter().any(|particle| particle.eq_ignore_ascii_case(word))
}

fn in_word(c: char) -> bool {
    c.is_alphabetic() || is_apostrophe(c) || matches!(c, '\u{300}'..='\u{36f}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}' | '\u{60}' | '\u{b4}')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Capitals,
    Small,
    Mixed,
    /// No letter has a case: other scripts.
    Without,
}

impl Case {
    fn of(word: &str) -> Self {
        // There is hardly ever a capital of it: `GROß` is in capitals.
        let mut letters = word.chars().filter(|c| *c != 'ß');
        let upper = letters.clone().any(char::is_uppercase);
        let lower = letters.any(char::is_lowercase);
        match (upper, lower) {
            (true, true) => Self::Mixed,
            (true, false) => Self::Capitals,
            (false, true) => Self::Small,
            (false, false) => Self::Without,
        }
    }
}

/// One part of a word, with the capitals it has in a name.
fn capital(part: &str) -> String {
    let lower = lower(part);
    if let Some((at, apostrophe)) = lower.char_indices().find(|(_, c)| is_apostrophe(*c)) {
        let (head, rest) = lower.split_at(at);
        if head.chars().count() == 1 || BEFORE_APOSTROPHE.contains(&head) {
            let rest = &rest[apostrophe.len_utf8()..];
            return format!("{}{apostrophe}{}", first_upper(head), first_upper(rest));
        }
    }
    match lower.strip_prefix("mc") {
        Some(rest) if rest.chars().filter(|c| c.is_alphabetic()).count() > 1 => {
            format!("Mc{}", first_upper(rest))
        }
        _ if lower.starts_with("ij") => format!("IJ{}", &lower[2..]),
        _ => first_upper(&lower),
    }
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    // Where the capital of a letter is two letters (`ß`, ligatures), it stays as it is.
    let mut upper = first.to_uppercase();
    let first = if upper.len() == 1 { upper.next().unwrap_or(first) } else { first };
    format!("{first}{}", chars.as_str())
}

/// In small letters. The dotted capital of Turkish becomes a plain `i`, without a second dot.
fn lower(text: &str) -> String {
    text.replace('İ', "i").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_get_their_capitals_and_keep_what_was_written_with_care() {
        for (typed, expected) in [
            ("O'NEIL-smith", "O'Neil-Smith"),
            ("van der MEER", "van der Meer"),
            ("VAN DER MEER", "van der Meer"),
            ("VAN", "Van"),
            ("DE LA", "De La"),
            ("LA ROCCA", "La Rocca"),
            ("DE LA CRUZ", "de la Cruz"),
            ("MCDONALD", "McDonald"),
            ("MACKAY", "Mackay"),
            ("McDonald", "McDonald"),
            ("DeVito", "DeVito"),
            ("Marie DUPONT", "Marie DUPONT"),
            ("Jean le Rond", "Jean le Rond"),
            ("ali bin HASSAN", "Ali bin Hassan"),
            ("LE GOFF", "Le Goff"),
            ("J.P. MORGAN", "J.P. Morgan"),
            ("JOHN SMITH III", "John Smith III"),
            ("D’ANGELO", "D’Angelo"),
            ("DELL'ACQUA", "Dell'Acqua"),
            ("SA'AD", "Sa'ad"),
            ("мар'яна", "Мар'яна"),
            ("GROß", "Groß"),
            ("ÉMILE ZOLA", "Émile Zola"),
            ("ΠΑΠΑΔΟΠΟΥΛΟΣ", "Παπαδοπουλος"),
            ("ALİ", "Ali"),
            ("ijsbrand", "IJsbrand"),
            ("VINCENT VAN 'T HOFF", "Vincent van 't Hoff"),
            ("山田 太郎", "山田 太郎"),
            ("", ""),
        ] {
            assert_eq!(name(typed, false), expected, "{typed}");
        }
        assert_eq!(name("Marie DUPONT", true), "Marie Dupont");
        assert_eq!(name("dEVITO", true), "Devito");
        assert_eq!(name("Ali bin Hassan", true), "Ali bin Hassan");
    }
}

//! Names compared as people mean them: without regard to capitals, accents and punctuation.

/// What is the same for two spellings of one name: `Côte d’Ivoire` and `cote d'ivoire`. Letters of
/// other scripts than Latin are kept as they are.
pub fn key(text: &str) -> String {
    let text = text.trim();
    let text = match text.split_at_checked(4) {
        Some((the, rest)) if the.eq_ignore_ascii_case("the ") => rest,
        _ => text,
    };
    let mut key = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '&' {
            key.push_str("and");
        } else if !c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}') {
        } else if c < '\u{250}' || matches!(c, '\u{1e00}'..='\u{1eff}') {
            key.push_str(&deunicode::deunicode_char(c).unwrap_or_default().to_lowercase());
        } else {
            key.extend(c.to_lowercase());
        }
    }
    key
}

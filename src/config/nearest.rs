//! Finds the known word that a mistyped one was meant to be.

/// The known word nearest to `word`, when one is near enough to be meant. Upper and lower case, `-`
/// and `_` count as the same.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = plain(word);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= word.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(word: &str) -> String {
    word.chars().take(64).filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["token", "base_url", "webhook_secrets", "first_name", "lang"];
        for (word, meant) in [
            ("tokn", Some("token")),
            ("Token", Some("token")),
            ("baseUrl", Some("base_url")),
            ("webhook-secret", Some("webhook_secrets")),
            ("firstName", Some("first_name")),
            ("lnag", Some("lang")),
            ("password", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
